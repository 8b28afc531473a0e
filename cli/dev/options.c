/* The options of `lapwing dev`, and whose cluster it is. */
#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "cli/dev/dev.h"

/* When root itself calls there is no user to run as: a number above those that packages, people and
 * systemd's dynamic users get, so that the programs own nothing else on the machine. */
enum { NOBODY_ELSE = 65516 };

enum { PORT_MAX = 65535 - DEV_PORTS_PER_ZONE * (DEV_ZONES_MAX + 1) };

void dev_user_find(struct dev_user *out)
{
    const char *sudo_uid = getenv("SUDO_UID");
    const char *sudo_gid = getenv("SUDO_GID");
    uid_t uid = getuid();
    const struct passwd *who;

    memset(out, 0, sizeof *out);
    if (uid == 0 && sudo_uid != NULL)
        uid = (uid_t)strtoul(sudo_uid, NULL, 10);
    out->uid = uid == 0 ? NOBODY_ELSE : uid;
    out->gid = uid == 0 || sudo_gid == NULL ? out->uid : (gid_t)strtoul(sudo_gid, NULL, 10);
    who = uid == 0 ? NULL : getpwuid(uid);
    if (who == NULL)
        return; /* root, or a number without a name, which has no home either */
    out->uid = who->pw_uid;
    out->gid = who->pw_gid;
    (void)snprintf(out->home, sizeof out->home, "%s", who->pw_dir);
}

void dev_data_default(const struct dev_user *user, char *out, size_t size)
{
    if (user->home[0] == '\0')
        (void)snprintf(out, size, "/var/lib/lapwing-dev");
    else
        (void)snprintf(out, size, "%.4000s/.local/share/lapwing", user->home);
}

static enum status parse_number(
    const char *name, const char *text, unsigned max, unsigned *out, struct err *err)
{
    char *end;
    unsigned long value;

    errno = 0;
    value = strtoul(text, &end, 10);
    if (end == text || *end != '\0' || errno != 0 || value == 0 || value > max)
        return err_set(err, ST_BAD_INPUT, "%s %s: want a number from 1 to %u", name, text, max);
    *out = (unsigned)value;
    return ST_OK;
}

static enum status set_data(const char *text, struct dev_options *options, struct err *err)
{
    char here[PATH_MAX];
    int len;

    if (text[0] == '/') {
        len = snprintf(options->data, sizeof options->data, "%s", text);
    } else {
        if (getcwd(here, sizeof here) == NULL)
            return err_set_errno(err, ST_IO, errno, "current folder");
        len = snprintf(options->data, sizeof options->data, "%s/%s", here, text);
    }
    /* Room is left for the names that go below it. */
    if (len < 2 || len > PATH_MAX - 256 || strpbrk(text, "\n\"'$`\\") != NULL)
        return err_set(err, ST_BAD_INPUT,
                       "--data: want a folder other than /, without quotes, $ or line ends");
    return ST_OK;
}

/* Only the form; the worker looks whether the folder holds that version. */
static enum status add_runtime(const char *text, struct dev_options *options, struct err *err)
{
    const char *equals = strchr(text, '=');

    if (equals == NULL || equals == text || equals[1] != '/' || strpbrk(text, "\n\"'#; ") != NULL)
        return err_set(err, ST_BAD_INPUT,
                       "--runtime %s: want NAME=FOLDER, such as nodejs22.x=/srv/roots/node22",
                       text);
    if (options->runtime_count == DEV_RUNTIMES_MAX)
        return err_set(err, ST_BAD_INPUT, "--runtime: at most %d of them", DEV_RUNTIMES_MAX);
    options->runtimes[options->runtime_count++] = text;
    return ST_OK;
}

static enum status set_value(const char *name,
                             const char *value,
                             struct dev_options *options,
                             struct err *err)
{
    enum status st;

    if (strcmp(name, "--data") == 0)
        return set_data(value, options, err);
    if (strcmp(name, "--runtime") == 0)
        return add_runtime(value, options, err);
    if (strcmp(name, "--port") == 0)
        return parse_number(name, value, PORT_MAX, &options->port, err);
    st = parse_number(name, value, DEV_ZONES_MAX, &options->zones, err);
    if (st == ST_OK && options->zones % 2 == 0)
        return err_set(err, ST_BAD_INPUT,
                       "--zones %s: want 1, 3 or 5 (a majority must be possible)", value);
    return st;
}

/* Does this option stand alone?  Sets it if so. */
static bool set_flag(const char *name, struct dev_options *options)
{
    if (strcmp(name, "--fresh") == 0)
        options->fresh = true;
    else if (strcmp(name, "--detach") == 0)
        options->detach = true;
    else if (strcmp(name, "--stop") == 0)
        options->stop = true;
    else if (strcmp(name, "--remove-data") == 0)
        options->remove_data = true;
    else if (strcmp(name, "--https") == 0)
        options->https = true;
    else if (strcmp(name, "--any-runtime") == 0)
        options->any_runtime = true;
    else if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        options->help = true;
    else
        return false;
    return true;
}

static bool takes_value(const char *name)
{
    return strcmp(name, "--data") == 0 || strcmp(name, "--port") == 0 ||
           strcmp(name, "--zones") == 0 || strcmp(name, "--runtime") == 0;
}

enum status dev_options_parse(
    int argc, char **argv, const struct dev_user *user, struct dev_options *out, struct err *err)
{
    struct dev_options options = { .zones = 3, .port = DEV_PORT_DEFAULT };

    dev_data_default(user, options.data, sizeof options.data);
    for (int i = 0; i < argc; i++) {
        char name[32];
        const char *equals = strchr(argv[i], '=');
        const char *value = equals == NULL ? NULL : equals + 1;
        enum status st;

        (void)snprintf(name, sizeof name, "%.*s", equals == NULL ? 31 : (int)(equals - argv[i]),
                       argv[i]);
        if (value == NULL && set_flag(name, &options))
            continue;
        if (!takes_value(name))
            return err_set(err, ST_BAD_INPUT, "unknown option %s; lapwing dev --help lists them",
                           argv[i]);
        if (value == NULL && i + 1 < argc)
            value = argv[++i];
        if (value == NULL)
            return err_set(err, ST_BAD_INPUT, "%s needs a value", name);
        st = set_value(name, value, &options, err);
        if (st != ST_OK)
            return st;
    }
    if (options.remove_data && !options.stop)
        return err_set(err, ST_BAD_INPUT, "--remove-data goes with --stop; --fresh starts over");
    *out = options;
    return ST_OK;
}

void dev_options_help(void)
{
    (void)puts(
        "lapwing dev: a cluster of several zones on this machine\n"
        "\n"
        "  --zones 1|3|5   how many zones (3)\n"
        "  --data DIR      where everything is kept; survives stops (a folder of the caller)\n"
        "  --port N        where clients connect, on 127.0.0.1 and ::1 (4566)\n"
        "  --https         clients speak HTTPS, with a CA of this cluster that env.sh names to "
        "them\n"
        "  --any-runtime   take every name of a Python, Node or custom runtime that Lambda has or "
        "had,\n"
        "                  and run the nearest version that is here; each start says so in the "
        "log\n"
        "  --runtime NAME=FOLDER   a runtime from a root folder of its own (up to 8 times)\n"
        "  --fresh         delete the data first\n"
        "  --detach        return once it runs\n"
        "  --stop          stop the cluster that runs on this data folder\n"
        "  --remove-data   with --stop: delete its data, too\n"
        "\n"
        "In the foreground, Ctrl-C stops everything.");
}
