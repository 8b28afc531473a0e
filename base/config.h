/* Configuration of a program: one INI file, and every option also as a flag.
 *
 *   program --config FILE --section.key=value ...
 *
 * Flags win over the file, the file over the defaults of the table.  An unknown section or key is
 * refused with the place where it stands and the nearest known name, so that a typing error cannot
 * silently mean a default.  Values are checked at load; the getters cannot fail and CHECK that they
 * ask for what the table declares.  Read at start, immutable then, any thread. */
#ifndef BASE_CONFIG_H
#define BASE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"

enum config_kind {
    CONFIG_TEXT = 1, /* min and max bound its bytes; max 0 for no bound */
    CONFIG_UNSIGNED, /* decimal, within min and max inclusive; max 0 for no bound */
    CONFIG_BOOLEAN,  /* yes, no, true, false, on, off, 1, 0 */
    CONFIG_ADDRESS,  /* "127.0.0.1:4566" or "[::1]:4566": numeric, with a port */
    CONFIG_ENTRIES,  /* the section is free-form: any key, any text; `key` is what help calls it */
};

/* A table of these, ended by a zeroed row, declares what a program understands. */
struct config_option {
    const char *section;
    const char *key;
    const char *fallback; /* default, or NULL: then required, or absent if `optional` */
    const char *help;
    enum config_kind kind;
    bool optional; /* may be absent: text and address getters then return NULL, others 0 */
    uint64_t min, max;
};

struct config;

/* Read flags and file.
 *
 * options    borrowed for the life of the configuration
 * argv       argv[0] is skipped; `--help` is left to config_start()
 * out        free with config_free()
 * err        names file:line or the flag, and what is allowed
 *
 * Returns ST_OK, ST_BAD_INPUT, or ST_IO when the file cannot be read. */
enum status config_load(const struct config_option *options,
                        int argc,
                        char *const *argv,
                        struct config **out,
                        struct err *err);
void config_free(struct config *config);

/* What a main() wants: load; on `--help` print the options and exit 0; on an error print it and
 * exit 2.  `about` is one sentence. */
struct config *config_start(const struct config_option *options,
                            const char *program,
                            const char *about,
                            int argc,
                            char *const *argv);
/* The list that --help prints; never values that were read. */
void config_print_help(const struct config_option *options,
                       const char *program,
                       const char *about,
                       FILE *out);

/* Does the table have this option?  For what serves programs whose tables differ. */
bool config_declares(const struct config *config, const char *section, const char *key);

/* Text and address. */
const char *config_text(const struct config *config, const char *section, const char *key);
uint64_t config_unsigned(const struct config *config, const char *section, const char *key);
bool config_boolean(const struct config *config, const char *section, const char *key);

/* The entries of a free-form section, in the order of first appearance. */
size_t config_entry_count(const struct config *config, const char *section);
/* index < config_entry_count(); texts live as long as the configuration. */
void config_entry_at(const struct config *config,
                     const char *section,
                     size_t index,
                     const char **out_key,
                     const char **out_value);
/* The value of one entry, or NULL. */
const char *config_entry(const struct config *config, const char *section, const char *key);

#endif
