/* The command line of `lapwing certs`. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "cli/certs/certs.h"

enum need { NEED_CLUSTER = 1, NEED_NAMES = 2, NEED_FILE = 4 };
enum take { TAKE_HOSTS = 1, TAKE_DAYS = 2, TAKE_WITHIN = 4, TAKE_OLD_CA = 8 };

static const struct {
    const char *name;
    unsigned needs;
    unsigned takes;
} commands[] = {
    { "ca", NEED_CLUSTER, TAKE_DAYS },
    { "issue", NEED_NAMES, TAKE_HOSTS | TAKE_DAYS },
    { "request", NEED_CLUSTER | NEED_NAMES, TAKE_HOSTS },
    { "sign", NEED_NAMES | NEED_FILE, TAKE_DAYS },
    { "renew", 0, TAKE_DAYS | TAKE_WITHIN | TAKE_OLD_CA },
    { "show", 0, 0 },
};

static enum status parse_days(const char *name, const char *text, unsigned *out, struct err *err)
{
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);

    if (text[0] < '0' || text[0] > '9' || *end != '\0' || value < 1 || value > CERTS_DAYS_MAX)
        return err_set(err, ST_BAD_INPUT, "%s %.32s: want 1 to %d days", name, text,
                       CERTS_DAYS_MAX);
    *out = (unsigned)value;
    return ST_OK;
}

static enum status add_host(const char *host, struct certs_options *out, struct err *err)
{
    if (out->host_count == CERTIFICATE_HOSTS_MAX)
        return err_set(err, ST_BAD_INPUT, "--host: more than %d", CERTIFICATE_HOSTS_MAX);
    out->hosts[out->host_count++] = host;
    return ST_OK;
}

static enum status parse_option(const char *name,
                                const char *value,
                                struct certs_options *out,
                                struct err *err)
{
    const struct {
        const char *name;
        const char **text;
    } texts[] = {
        { "--cluster", &out->cluster }, { "--node", &out->node },     { "--role", &out->role },
        { "--zone", &out->zone },       { "--old-ca", &out->old_ca },
    };

    for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
        if (strcmp(name, texts[i].name) != 0)
            continue;
        *texts[i].text = value;
        return ST_OK;
    }
    if (strcmp(name, "--host") == 0)
        return add_host(value, out, err);
    if (strcmp(name, "--days") == 0)
        return parse_days(name, value, &out->days, err);
    if (strcmp(name, "--within") == 0)
        return parse_days(name, value, &out->within_days, err);
    return err_set(err, ST_BAD_INPUT, "no option %.64s; lapwing certs --help lists them", name);
}

static enum status check_needs(unsigned needs,
                               unsigned takes,
                               const struct certs_options *options,
                               struct err *err)
{
    const struct {
        const char *name;
        bool given;
        bool needed;
        bool taken;
    } rows[] = {
        { "DIR", options->folder != NULL, true, true },
        { "FILE", options->file != NULL, (needs & NEED_FILE) != 0, (needs & NEED_FILE) != 0 },
        { "--cluster", options->cluster != NULL, (needs & NEED_CLUSTER) != 0,
          (needs & NEED_CLUSTER) != 0 },
        { "--node", options->node != NULL, (needs & NEED_NAMES) != 0, (needs & NEED_NAMES) != 0 },
        { "--role", options->role != NULL, (needs & NEED_NAMES) != 0, (needs & NEED_NAMES) != 0 },
        { "--zone", options->zone != NULL, (needs & NEED_NAMES) != 0, (needs & NEED_NAMES) != 0 },
        { "--host", options->host_count > 0, false, (takes & TAKE_HOSTS) != 0 },
        { "--days", options->days != 0, false, (takes & TAKE_DAYS) != 0 },
        { "--old-ca", options->old_ca != NULL, false, (takes & TAKE_OLD_CA) != 0 },
        { "--within", options->within_days != 0, false, (takes & TAKE_WITHIN) != 0 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        if (rows[i].needed && !rows[i].given)
            return err_set(err, ST_BAD_INPUT, "%s: %s is missing", options->command, rows[i].name);
        if (rows[i].given && !rows[i].taken)
            return err_set(err, ST_BAD_INPUT, "%s takes no %s", options->command, rows[i].name);
    }
    return ST_OK;
}

static enum status take_word(const char *word, struct certs_options *out, struct err *err)
{
    if (out->folder == NULL)
        out->folder = word;
    else if (out->file == NULL)
        out->file = word;
    else
        return err_set(err, ST_BAD_INPUT, "%.64s: one word too many", word);
    return ST_OK;
}

enum status certs_options_parse(int argc, char **argv, struct certs_options *out, struct err *err)
{
    struct certs_options options = { .command = argc > 0 ? argv[0] : "" };
    enum status st = ST_OK;

    for (int i = 1; i < argc && st == ST_OK; i++) {
        if (argv[i][0] != '-') {
            st = take_word(argv[i], &options, err);
        } else if (i + 1 == argc) {
            st = err_set(err, ST_BAD_INPUT, "%.64s: its value is missing", argv[i]);
        } else {
            st = parse_option(argv[i], argv[i + 1], &options, err);
            i++;
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(commands) && st == ST_OK; i++) {
        if (strcmp(commands[i].name, options.command) != 0)
            continue;
        st = check_needs(commands[i].needs, commands[i].takes, &options, err);
        if (st == ST_OK)
            *out = options;
        return st;
    }
    return st != ST_OK
               ? st
               : err_set(err, ST_BAD_INPUT,
                         "no command \"%.32s\": want ca, issue, request, sign, renew or show",
                         options.command);
}
