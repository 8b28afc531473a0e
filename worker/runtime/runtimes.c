/* Looking for runtimes on the host.  Blocks; at start only.  See runtimes.h. */
#include "worker/runtime/runtimes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"

enum { PYTHON_MINOR_MIN = 8, PYTHON_MINOR_MAX = 25, VERSION_BYTES = 64, VERSION_MS = 10000 };

#if defined(__x86_64__)
#define LOADER  "lib64/ld-linux-x86-64.so.2"
#define TRIPLET "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define LOADER  "lib/ld-linux-aarch64.so.1"
#define TRIPLET "aarch64-linux-gnu"
#else
#error "name this machine's program loader"
#endif

/* Read the first line of a program's output; it has VERSION_MS for it. */
static bool read_line(int fd, char out[VERSION_BYTES])
{
    size_t len = 0;

    while (len < VERSION_BYTES - 1 && memchr(out, '\n', len) == NULL) {
        struct pollfd readable = { .fd = fd, .events = POLLIN };
        ssize_t n;

        if (poll(&readable, 1, VERSION_MS) != 1)
            return false;
        n = read(fd, out + len, VERSION_BYTES - 1 - len);
        if (n <= 0)
            break;
        len += (size_t)n;
    }
    out[len] = '\0';
    out[strcspn(out, "\n")] = '\0';
    return out[0] != '\0';
}

static bool ask(char *const *argv, char out[VERSION_BYTES])
{
    static char *const environment[] = { (char *)"LC_ALL=C", (char *)"PATH=/usr/bin:/bin", NULL };
    posix_spawn_file_actions_t actions;
    int fds[2], rv;
    pid_t pid;
    bool found;

    if (pipe2(fds, O_CLOEXEC) < 0)
        return false;
    rv = posix_spawn_file_actions_init(&actions);
    if (rv == 0)
        rv = posix_spawn_file_actions_adddup2(&actions, fds[1], STDOUT_FILENO);
    CHECK(rv == 0); /* two small allocations */
    rv = posix_spawn(&pid, argv[0], &actions, NULL, argv, environment);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(fds[1]);
    found = rv == 0 && read_line(fds[0], out);
    (void)close(fds[0]);
    if (rv == 0) {
        (void)kill(pid, SIGKILL); /* it said what was asked, or it hangs */
        (void)waitpid(pid, NULL, 0);
    }
    return found;
}

/* What `program` under `root` says to --version.  In another root it needs that root's loader and
 * libraries, and there is no right to chroot here: so the loader is called by name. */
static bool ask_version(const char *root, const char *program, char out[VERSION_BYTES])
{
    static const char *const folders[] = {
        "usr/lib/" TRIPLET, "lib/" TRIPLET, "usr/local/lib", "usr/lib64", "lib64", "usr/lib", "lib"
    };
    char path[PATH_MAX], loader[PATH_MAX], libraries[ARRAY_LEN(folders) * (PATH_MAX + 1)] = "";
    char *direct[] = { path, (char *)"--version", NULL };
    char *loaded[] = {
        loader, (char *)"--library-path", libraries, path, (char *)"--version", NULL
    };
    size_t len = 0;

    (void)snprintf(path, sizeof path, "%.3900s%s", root, program);
    (void)snprintf(loader, sizeof loader, "%.3900s/" LOADER, root);
    if (strcmp(root, "/") == 0 || access(loader, X_OK) < 0)
        return ask(direct, out);
    for (size_t i = 0; i < ARRAY_LEN(folders); i++)
        len += (size_t)snprintf(libraries + len, sizeof libraries - len, "%s%.3900s/%s",
                                i == 0 ? "" : ":", root, folders[i]);
    return ask(loaded, out);
}

/* "v20.1.2" is nodejs20.x, "Python 3.11.2" python3.11. */
static void name_of_version(const char *version, char out[RUNTIME_NAME_BYTES])
{
    unsigned major = 0, minor = 0;

    out[0] = '\0';
    if (sscanf(version, "v%3u.", &major) == 1)
        (void)snprintf(out, RUNTIME_NAME_BYTES, "nodejs%u.x", major);
    else if (sscanf(version, "Python %3u.%3u", &major, &minor) == 2)
        (void)snprintf(out, RUNTIME_NAME_BYTES, "python%u.%u", major, minor);
}

/* The first of the places where a program may be, inside `root`. */
static bool find_program(const char *root,
                         const char *const *places,
                         const char *program,
                         char out[RUNTIME_ARG_BYTES])
{
    for (; *places != NULL; places++) {
        char path[PATH_MAX];

        (void)snprintf(out, RUNTIME_ARG_BYTES, "%s/%s", *places, program);
        (void)snprintf(path, sizeof path, "%.3900s%s", root, out);
        if (access(path, X_OK) == 0)
            return true;
    }
    return false;
}

/* Debian's own only: /usr/local holds what a person put there for other things. */
static const char *const host_places[] = { "/usr/bin", NULL };
static const char *const own_places[] = { "/usr/bin", "/usr/local/bin", NULL };

static bool find_interpreter(const char *root,
                             const char *const *places,
                             const char *name,
                             char out[RUNTIME_ARG_BYTES])
{
    unsigned version;

    /* `nodejs` is the name in Debian's package, which somebody's own node does not have. */
    if (runtime_family(name, &version) == RUNTIME_NODE)
        return find_program(root, places, "nodejs", out) || find_program(root, places, "node", out);
    return find_program(root, places, name, out);
}

static void probe_host(const char *root, struct runtimes *out)
{
    struct runtime runtime = { .name = "" };
    char version[VERSION_BYTES];

    for (int minor = PYTHON_MINOR_MIN; minor <= PYTHON_MINOR_MAX; minor++) {
        (void)snprintf(runtime.name, sizeof runtime.name, "python3.%d", minor);
        memcpy(runtime.present, runtime.name, sizeof runtime.present);
        if (find_interpreter(root, host_places, runtime.name, runtime.program))
            runtimes_add(out, &runtime);
    }
    if (find_interpreter(root, host_places, "nodejs1.x", runtime.program) &&
        ask_version(root, runtime.program, version)) {
        name_of_version(version, runtime.name);
        memcpy(runtime.present, runtime.name, sizeof runtime.present);
        if (runtime.name[0] != '\0')
            runtimes_add(out, &runtime);
    }
}

static void add_provided(struct runtimes *out)
{
    static const char *const names[] = { "provided.al2023", "provided.al2" };

    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        struct runtime runtime = { .program = "" };

        (void)snprintf(runtime.name, sizeof runtime.name, "%s", names[i]);
        memcpy(runtime.present, runtime.name, sizeof runtime.present);
        runtimes_add(out, &runtime);
    }
}

/* A root folder of its own: look that it holds what it is said to. */
static enum status probe_own(const char *name,
                             const char *root,
                             struct runtimes *out,
                             struct err *err)
{
    struct runtime runtime = { .program = "" };
    char said[VERSION_BYTES] = "", found[RUNTIME_NAME_BYTES];
    unsigned version;
    enum runtime_family family = runtime_family(name, &version);
    struct stat info;

    if (family == RUNTIME_OTHER || strlen(name) >= RUNTIME_NAME_BYTES)
        return err_set(err, ST_BAD_INPUT,
                       "runtimes.%.60s: want python3.N, nodejsN.x or provided.NAME", name);
    if (root[0] != '/' || stat(root, &info) < 0 || !S_ISDIR(info.st_mode))
        return err_set(err, ST_BAD_INPUT, "runtimes.%s: %.200s is not the path of a folder", name,
                       root);
    (void)snprintf(runtime.name, sizeof runtime.name, "%s", name);
    memcpy(runtime.present, runtime.name, sizeof runtime.present);
    if (family != RUNTIME_PROVIDED) {
        if (!find_interpreter(root, own_places, name, runtime.program))
            return err_set(err, ST_BAD_INPUT,
                           "runtimes.%s: no interpreter in usr/bin or usr/local/bin of %.200s",
                           name, root);
        if (!ask_version(root, runtime.program, said))
            return err_set(err, ST_BAD_INPUT, "runtimes.%s: %.200s%s does not say its version",
                           name, root, runtime.program);
        name_of_version(said, found);
        if (strcmp(found, name) != 0)
            return err_set(err, ST_BAD_INPUT, "runtimes.%s: %.200s%s says it is \"%s\"", name, root,
                           runtime.program, said);
    }
    runtimes_add(out, &runtime);
    return ST_OK;
}

enum status runtimes_probe(const struct runtime_sources *sources,
                           struct runtimes *out,
                           struct err *err)
{
    CHECK(sources->count <= RUNTIME_ROOTS_MAX);
    *out = (struct runtimes){ 0 };
    /* First: they take the place of the host's. */
    for (size_t i = 0; i < sources->count; i++) {
        enum status st = probe_own(sources->list[i].name, sources->list[i].root, out, err);

        if (st != ST_OK)
            return st;
    }
    probe_host(sources->root, out);
    add_provided(out);
    if (sources->any)
        runtimes_add_any(out);
    return ST_OK;
}
