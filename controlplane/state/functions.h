/* Functions: what can be asked about them.  Their commands are applied by state_apply_entry(). */
#ifndef CONTROLPLANE_STATE_FUNCTIONS_H
#define CONTROLPLANE_STATE_FUNCTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "proto/command.pb-c.h"

struct state_reader;

/* A function's name, and which of its rows: 0 for $LATEST, else a published version. */
struct function_key {
    const char *account;
    const char *region;
    const char *name;
    uint64_t version;
};

/* The $LATEST of that name.
 *
 * out  owned by the caller, written on ST_OK; free with lapwing__function__free_unpacked(out, NULL)
 *
 * ST_NOT_FOUND (err says which), ST_IO.  A few microseconds; the reader's thread. */
enum status state_get_function(struct state_reader *reader,
                               const char *account,
                               const char *region,
                               const char *name,
                               Lapwing__Function **out,
                               struct err *err);

/* The same of any version; the text of ST_NOT_FOUND names the function. */
enum status state_get_version(struct state_reader *reader,
                              const struct function_key *key,
                              Lapwing__Function **out,
                              struct err *err);

/* The $LATEST by uid, 32 lower-case hexadecimal digits: whose key is this? */
enum status state_get_function_by_uid(struct state_reader *reader,
                                      const char *uid,
                                      Lapwing__Function **out,
                                      struct err *err);

enum { FUNCTION_LIST_MAX = 10000 };

/* Functions in the order of their names and versions, $LATEST first.  Zero-initialise; empty again
 * with function_list_done(). */
struct function_list {
    size_t count;
    Lapwing__Function **functions; /* owned, with what they hold */
    bool more;                     /* ask again after the last one's name and version */
};

/* Which rows of an account and region. */
enum function_page_kind {
    FUNCTION_PAGE_LATEST,   /* the $LATEST of each function */
    FUNCTION_PAGE_ALL,      /* all versions of all functions */
    FUNCTION_PAGE_VERSIONS, /* all versions of the function `name` */
};

/* One page: at most `max` (1 to FUNCTION_LIST_MAX) rows behind the one called `after` ("" for the
 * first page), and where versions are listed, behind its `after_version`. */
struct function_page {
    const char *account;
    const char *region;
    const char *after;
    size_t max;
    enum function_page_kind what;
    uint64_t after_version;
    const char *name; /* FUNCTION_PAGE_VERSIONS */
};

/* List one page.  A function that does not exist has no versions.  ST_IO. */
enum status state_list_functions(struct state_reader *reader,
                                 const struct function_page *page,
                                 struct function_list *out,
                                 struct err *err);
void function_list_done(struct function_list *list);

#endif
