/* Reading of configuration: flags, then the file by inih.  At start, main thread. */
#include "base/config.h"

#include <errno.h>
#include <ini.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/address.h"
#include "base/bytes.h"
#include "base/check.h"

enum { NAME_BYTES_MAX = 63 };

/* Where a value comes from, weakest first. */
enum origin { ORIGIN_NONE, ORIGIN_FALLBACK, ORIGIN_FILE, ORIGIN_FLAG };

struct value {
    char *text; /* owned; NULL if absent */
    enum origin origin;
    unsigned line; /* in the file, 0 if it did not set it */
};

struct entry {
    char *section;
    char *key;
    char *value;
    enum origin origin;
};

/* All of it is owned here and freed by config_free(). */
struct config {
    const struct config_option *options;
    struct value *values; /* one an option */
    struct entry *entries;
    size_t entry_count;
};

static size_t option_count(const struct config_option *options)
{
    size_t count = 0;

    while (options[count].section != NULL)
        count++;
    return count;
}

/* ---- the nearest name ---- */

/* Letters to change, add or drop to get from a to b. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t row[2 * NAME_BYTES_MAX + 3];
    size_t b_len = strlen(b);

    if (b_len >= ARRAY_LEN(row))
        return SIZE_MAX;
    for (size_t j = 0; j <= b_len; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];

        row[0] = i;
        for (size_t j = 1; j <= b_len; j++) {
            size_t best = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);

            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            diagonal = row[j];
            row[j] = best;
        }
    }
    return row[b_len];
}

static void option_name(const struct config_option *option, char *out, size_t bytes)
{
    (void)snprintf(out, bytes, "%s.%s", option->section, option->key);
}

static enum status unknown(const struct config_option *options,
                           const char *place,
                           const char *name,
                           struct err *err)
{
    char nearest[2 * NAME_BYTES_MAX + 2] = "";
    size_t best = SIZE_MAX;

    for (size_t i = 0; options[i].section != NULL; i++) {
        char candidate[sizeof nearest];
        size_t distance;

        option_name(&options[i], candidate, sizeof candidate);
        distance = edit_distance(name, candidate);
        if (distance < best) {
            best = distance;
            memcpy(nearest, candidate, sizeof nearest);
        }
    }
    return err_set(err, ST_BAD_INPUT, "%s: unknown option \"%.80s\"; the nearest is \"%s\"", place,
                   name, nearest);
}

/* ---- values ---- */

static bool parse_boolean(const char *text, bool *out)
{
    static const struct {
        const char *text;
        bool value;
    } words[] = {
        { "yes", true }, { "true", true },   { "on", true },   { "1", true },
        { "no", false }, { "false", false }, { "off", false }, { "0", false },
    };

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (strcasecmp(text, words[i].text) == 0) {
            *out = words[i].value;
            return true;
        }
    }
    return false;
}

static bool parse_unsigned(const char *text, uint64_t *out)
{
    char *end;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    *out = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}

static enum status check_number(const struct config_option *option,
                                const char *place,
                                const char *text,
                                struct err *err)
{
    uint64_t number;

    if (!parse_unsigned(text, &number))
        return err_set(err, ST_BAD_INPUT, "%s: \"%.40s\" is not a whole number", place, text);
    if (number < option->min || (option->max != 0 && number > option->max))
        return err_set(err, ST_BAD_INPUT, "%s: %llu is not within %llu to %llu", place,
                       (unsigned long long)number, (unsigned long long)option->min,
                       (unsigned long long)(option->max == 0 ? UINT64_MAX : option->max));
    return ST_OK;
}

static enum status check_value(const struct config_option *option,
                               const char *place,
                               const char *text,
                               struct err *err)
{
    struct sockaddr_storage address;
    struct err why = { 0 };
    bool yes;

    switch (option->kind) {
    case CONFIG_UNSIGNED:
        return check_number(option, place, text, err);
    case CONFIG_BOOLEAN:
        if (parse_boolean(text, &yes))
            return ST_OK;
        return err_set(err, ST_BAD_INPUT, "%s: \"%.40s\" is neither yes nor no", place, text);
    case CONFIG_ADDRESS:
        if (address_parse(text, &address, &why) == ST_OK)
            return ST_OK;
        return err_set(err, ST_BAD_INPUT, "%.60s: %.160s", place, why.text);
    case CONFIG_TEXT:
        if (strlen(text) >= option->min && (option->max == 0 || strlen(text) <= option->max))
            return ST_OK;
        return err_set(err, ST_BAD_INPUT, "%s: %zu bytes, want %llu to %llu", place, strlen(text),
                       (unsigned long long)option->min, (unsigned long long)option->max);
    case CONFIG_ENTRIES:
        return ST_OK;
    }
    CHECK(!"config: kind of an option");
}

static struct entry *find_entry(const struct config *config, const char *section, const char *key)
{
    for (size_t i = 0; i < config->entry_count; i++)
        if (strcmp(config->entries[i].section, section) == 0 &&
            strcmp(config->entries[i].key, key) == 0)
            return &config->entries[i];
    return NULL;
}

/* What one line or flag says.  `place` is "file:line" or the flag's name. */
struct setting {
    const char *section;
    const char *key;
    const char *text;
    const char *place;
    enum origin origin;
    unsigned line;
};

static enum status set_entry(struct config *config, const struct setting *setting, struct err *err)
{
    struct entry *entry = find_entry(config, setting->section, setting->key);

    if (*setting->key == '\0')
        return err_set(err, ST_BAD_INPUT, "%s: empty name in [%s]", setting->place,
                       setting->section);
    if (entry != NULL && entry->origin == setting->origin)
        return err_set(err, ST_BAD_INPUT, "%s: %s.%s is set twice", setting->place,
                       setting->section, setting->key);
    if (entry != NULL)
        return ST_OK; /* the flag was read first, and wins */
    config->entries =
        must_realloc(config->entries, (config->entry_count + 1) * sizeof *config->entries);
    config->entries[config->entry_count++] = (struct entry){
        .section = must_strdup(setting->section),
        .key = must_strdup(setting->key),
        .value = must_strdup(setting->text),
        .origin = setting->origin,
    };
    return ST_OK;
}

static enum status set_value(struct config *config, const struct setting *setting, struct err *err)
{
    char name[2 * NAME_BYTES_MAX + 2];
    size_t i = 0;
    struct value *value;
    enum status st;

    for (; config->options[i].section != NULL; i++) {
        const struct config_option *option = &config->options[i];

        if (strcmp(option->section, setting->section) != 0)
            continue;
        if (option->kind == CONFIG_ENTRIES)
            return set_entry(config, setting, err);
        if (strcmp(option->key, setting->key) == 0)
            break;
    }
    (void)snprintf(name, sizeof name, "%.63s.%.63s", setting->section, setting->key);
    if (config->options[i].section == NULL)
        return unknown(config->options, setting->place, name, err);
    st = check_value(&config->options[i], setting->place, setting->text, err);
    if (st != ST_OK)
        return st;
    value = &config->values[i];
    if (setting->origin == ORIGIN_FILE && value->line != 0)
        return err_set(err, ST_BAD_INPUT, "%s: %s is set twice, first in line %u", setting->place,
                       name, value->line);
    if (setting->origin == ORIGIN_FILE)
        value->line = setting->line;
    if (value->origin == ORIGIN_FLAG && setting->origin == ORIGIN_FLAG)
        return err_set(err, ST_BAD_INPUT, "%s: given twice", setting->place);
    if (value->origin > setting->origin)
        return ST_OK;
    free(value->text);
    value->text = must_strdup(setting->text);
    value->origin = setting->origin;
    return ST_OK;
}

/* ---- flags ---- */

/* "--section.key=value" */
static enum status set_flag(struct config *config, const char *flag, struct err *err)
{
    const char *dot = strchr(flag, '.');
    const char *equals = strchr(flag, '=');
    char section[NAME_BYTES_MAX + 1];
    char key[NAME_BYTES_MAX + 1];
    char place[2 * NAME_BYTES_MAX + 4];
    struct setting setting = { .section = section, .key = key, .origin = ORIGIN_FLAG };

    if (strncmp(flag, "--", 2) != 0 || dot == NULL || equals == NULL || equals < dot)
        return err_set(err, ST_BAD_INPUT, "\"%.60s\": want --config FILE or --section.key=value",
                       flag);
    if (dot - flag - 2 > NAME_BYTES_MAX || equals - dot - 1 > NAME_BYTES_MAX)
        return err_set(err, ST_BAD_INPUT, "\"%.60s...\": the name is too long", flag);
    (void)snprintf(section, sizeof section, "%.*s", (int)(dot - flag - 2), flag + 2);
    (void)snprintf(key, sizeof key, "%.*s", (int)(equals - dot - 1), dot + 1);
    (void)snprintf(place, sizeof place, "--%s.%s", section, key);
    setting.text = equals + 1;
    setting.place = place;
    return set_value(config, &setting, err);
}

static enum status read_flags(
    struct config *config, int argc, char *const *argv, const char **out_file, struct err *err)
{
    enum status st = ST_OK;

    for (int i = 1; i < argc && st == ST_OK; i++) {
        if (strncmp(argv[i], "--config=", 9) == 0)
            *out_file = argv[i] + 9;
        else if (strcmp(argv[i], "--config") == 0 && i + 1 < argc)
            *out_file = argv[++i];
        else
            st = set_flag(config, argv[i], err);
    }
    return st;
}

/* ---- the file ---- */

struct reading {
    struct config *config;
    FILE *file;
    const char *path;
    unsigned line;
    enum status st;
    struct err err;
};

/* inih asks for one line after the other; it does not tell its handler which one it is at. */
static char *read_line(char *line, int room, void *user)
{
    struct reading *reading = user;

    if (reading->st != ST_OK || fgets(line, room, reading->file) == NULL)
        return NULL;
    reading->line++;
    if (strchr(line, '\n') != NULL || feof(reading->file))
        return line;
    reading->st = err_set(&reading->err, ST_BAD_INPUT, "%s:%u: the line is longer than %d bytes",
                          reading->path, reading->line, room - 2);
    return NULL;
}

static int read_setting(void *user, const char *section, const char *key, const char *text)
{
    struct reading *reading = user;
    char place[160];
    struct setting setting = {
        .section = section,
        .key = key,
        .text = text,
        .place = place,
        .origin = ORIGIN_FILE,
        .line = reading->line,
    };

    (void)snprintf(place, sizeof place, "%.140s:%u", reading->path, reading->line);
    reading->st = set_value(reading->config, &setting, &reading->err);
    return reading->st == ST_OK;
}

static enum status read_file(struct config *config, const char *path, struct err *err)
{
    struct reading reading = { .config = config, .path = path };
    int rv;

    reading.file = fopen(path, "re");
    if (reading.file == NULL)
        return err_set_errno(err, ST_IO, errno, "open configuration %s", path);
    rv = ini_parse_stream(read_line, &reading, read_setting, &reading);
    if (reading.st == ST_OK && ferror(reading.file))
        reading.st = err_set(&reading.err, ST_IO, "read configuration %s", path);
    (void)fclose(reading.file);
    if (reading.st != ST_OK)
        return err_set(err, reading.st, "%s", reading.err.text);
    if (rv != 0)
        return err_set(err, ST_BAD_INPUT, "%s:%d: want [section] or key = value", path, rv);
    return ST_OK;
}

/* ---- the whole ---- */

static enum status complete(struct config *config, struct err *err)
{
    for (size_t i = 0; config->options[i].section != NULL; i++) {
        const struct config_option *option = &config->options[i];
        struct value *value = &config->values[i];
        char name[2 * NAME_BYTES_MAX + 2];

        if (option->kind == CONFIG_ENTRIES || value->text != NULL)
            continue;
        option_name(option, name, sizeof name);
        if (option->fallback != NULL) {
            CHECK(check_value(option, name, option->fallback, NULL) == ST_OK);
            value->text = must_strdup(option->fallback);
            value->origin = ORIGIN_FALLBACK;
        } else if (!option->optional) {
            return err_set(err, ST_BAD_INPUT,
                           "option %s is missing: %s (in the file under [%s], or --%s=...)", name,
                           option->help, option->section, name);
        }
    }
    return ST_OK;
}

enum status config_load(const struct config_option *options,
                        int argc,
                        char *const *argv,
                        struct config **out,
                        struct err *err)
{
    struct config *config = must_calloc(1, sizeof *config);
    const char *file = NULL;
    enum status st;

    config->options = options;
    config->values = must_calloc(option_count(options), sizeof *config->values);
    st = read_flags(config, argc, argv, &file, err);
    if (st == ST_OK && file != NULL)
        st = read_file(config, file, err);
    if (st == ST_OK)
        st = complete(config, err);
    if (st != ST_OK) {
        config_free(config);
        return st;
    }
    *out = config;
    return ST_OK;
}

void config_free(struct config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < option_count(config->options); i++)
        free(config->values[i].text);
    for (size_t i = 0; i < config->entry_count; i++) {
        free(config->entries[i].section);
        free(config->entries[i].key);
        free(config->entries[i].value);
    }
    free(config->values);
    free(config->entries);
    free(config);
}

void config_print_help(const struct config_option *options,
                       const char *program,
                       const char *about,
                       FILE *out)
{
    static const char *const kinds[] = {
        [CONFIG_TEXT] = "TEXT",       [CONFIG_UNSIGNED] = "NUMBER", [CONFIG_BOOLEAN] = "yes|no",
        [CONFIG_ADDRESS] = "IP:PORT", [CONFIG_ENTRIES] = "TEXT",
    };

    (void)fprintf(out, "%s: %s\n\n", program, about);
    (void)fprintf(out,
                  "  --config FILE\n      the same options in a file: [section], key = value\n");
    for (size_t i = 0; options[i].section != NULL; i++) {
        const struct config_option *option = &options[i];
        bool free_form = option->kind == CONFIG_ENTRIES;

        (void)fprintf(out, "  --%s.%s%s%s=%s\n      %s", option->section, free_form ? "<" : "",
                      option->key, free_form ? ">" : "", kinds[option->kind], option->help);
        if (option->fallback != NULL)
            (void)fprintf(out, " (default %s)", option->fallback);
        else if (!free_form && !option->optional)
            (void)fprintf(out, " (required)");
        (void)fprintf(out, "\n");
    }
}

struct config *config_start(const struct config_option *options,
                            const char *program,
                            const char *about,
                            int argc,
                            char *const *argv)
{
    struct config *config = NULL;
    struct err err = { 0 };

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            config_print_help(options, program, about, stdout);
            exit(0);
        }
    }
    if (config_load(options, argc, argv, &config, &err) != ST_OK) {
        (void)fprintf(stderr, "%s: %s\n", program, err.text);
        exit(2);
    }
    return config;
}

/* ---- getters ---- */

/* Its place in the table, or the number of options. */
static size_t option_index(const struct config *config, const char *section, const char *key)
{
    size_t i = 0;

    while (config->options[i].section != NULL &&
           (strcmp(config->options[i].section, section) != 0 ||
            strcmp(config->options[i].key, key) != 0))
        i++;
    return i;
}

bool config_declares(const struct config *config, const char *section, const char *key)
{
    return config->options[option_index(config, section, key)].section != NULL;
}

/* Asking for what the table does not declare, or as another kind, is our mistake. */
static const char *value_of(const struct config *config,
                            const char *section,
                            const char *key,
                            enum config_kind kind,
                            enum config_kind or_kind)
{
    size_t i = option_index(config, section, key);
    const struct config_option *option = &config->options[i];

    CHECK(option->section != NULL);
    CHECK(option->kind == kind || option->kind == or_kind);
    return config->values[i].text;
}

const char *config_text(const struct config *config, const char *section, const char *key)
{
    return value_of(config, section, key, CONFIG_TEXT, CONFIG_ADDRESS);
}

uint64_t config_unsigned(const struct config *config, const char *section, const char *key)
{
    const char *text = value_of(config, section, key, CONFIG_UNSIGNED, CONFIG_UNSIGNED);
    uint64_t number = 0;

    if (text != NULL)
        CHECK(parse_unsigned(text, &number)); /* it was when it was read */
    return number;
}

bool config_boolean(const struct config *config, const char *section, const char *key)
{
    const char *text = value_of(config, section, key, CONFIG_BOOLEAN, CONFIG_BOOLEAN);
    bool yes = false;

    if (text != NULL)
        CHECK(parse_boolean(text, &yes));
    return yes;
}

size_t config_entry_count(const struct config *config, const char *section)
{
    size_t count = 0;

    for (size_t i = 0; i < config->entry_count; i++)
        if (strcmp(config->entries[i].section, section) == 0)
            count++;
    return count;
}

void config_entry_at(const struct config *config,
                     const char *section,
                     size_t index,
                     const char **out_key,
                     const char **out_value)
{
    for (size_t i = 0; i < config->entry_count; i++) {
        if (strcmp(config->entries[i].section, section) != 0 || index-- > 0)
            continue;
        *out_key = config->entries[i].key;
        *out_value = config->entries[i].value;
        return;
    }
    CHECK(!"config: index of an entry");
}

const char *config_entry(const struct config *config, const char *section, const char *key)
{
    const struct entry *entry = find_entry(config, section, key);

    return entry == NULL ? NULL : entry->value;
}
