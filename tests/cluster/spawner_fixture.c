/* A real spawner under test, see spawner_fixture.h. */
#include "tests/cluster/spawner_fixture.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "worker/spawner/spawner.h"

/* Users of a test program's own: several may run on one machine. */
enum { WAIT_MS = 60000, TEST_UID_BASE = 1900000000, TEST_UIDS = 128, TEST_UID_RANGES = 4096 };

/* A control group that a service manager handed to us, or none: then we work at the top. */
static const char *cgroup_parent(void)
{
    const char *given = getenv("LAPWING_CGROUP_PARENT");

    return given == NULL ? "" : given;
}

const char *fixture_missing(void)
{
    static struct err err;
    struct cgroups groups;
    char instance[32];
    enum status st;

    if (geteuid() != 0)
        return "needs root";
    (void)snprintf(instance, sizeof instance, "trial-%d", (int)getpid());
    st = cgroups_open(&groups, instance, cgroup_parent(), &err);
    if (st == ST_OK)
        st = cgroups_remove(&groups, &err);
    cgroups_close(&groups);
    return st == ST_OK ? NULL : err.text;
}

void fixture_skip_if(const char *missing)
{
    if (missing == NULL)
        return;
    (void)printf("1..0 # SKIP %s\n", missing);
    exit(0);
}

static void copy_program(const char *from, const char *to)
{
    char command[512];

    (void)snprintf(command, sizeof command, "cp %s %s && chmod 755 %s", from, to, to);
    CHECK(system(command) == 0);
}

static void run_spawner(struct fixture *fixture, int fd)
{
    static struct spawner spawner;
    struct err err = { 0 };

    spawner.config = fixture->config;
    spawner.config.fd = fd;
    if (spawner_open(&spawner, &err) != ST_OK) {
        (void)fprintf(stderr, "# spawner: %s\n", err.text);
        spawner_close(&spawner);
        _exit(1);
    }
    spawner_run(&spawner);
    spawner_close(&spawner);
    _exit(0);
}

static void fill_config(struct fixture *fixture, bool outbound)
{
    struct spawner_config *config = &fixture->config;

    *config = (struct spawner_config){ .root_dir = "/",
                                       .uid_base = TEST_UID_BASE +
                                                   (uint32_t)getpid() % TEST_UID_RANGES * TEST_UIDS,
                                       .environments_max = 16,
                                       .netns_pool = 4,
                                       .group_pool = 4,
                                       .outbound = outbound,
                                       .subnet = { 0x0afef000, 20 },
                                       .allowed = { .count = 1 } }; /* 0.0.0.0/0 */
    (void)snprintf(config->instance, sizeof config->instance, "test-%d", (int)getpid());
    (void)snprintf(config->cgroup_parent, PATH_MAX, "%s", cgroup_parent());
    (void)snprintf(config->packages_dir, PATH_MAX, "%s/packages", fixture->folder);
    (void)snprintf(config->init_path, PATH_MAX, "%s", getenv("LAPWING_INIT"));
    (void)snprintf(config->convert_path, PATH_MAX, "%s", getenv("LAPWING_CONVERT"));
}

void fixture_prepare(struct fixture *fixture, bool outbound)
{
    char path[512];

    *fixture = (struct fixture){ .folder = "/tmp/lapwing-test-XXXXXX" };
    CHECK(mkdtemp(fixture->folder) != NULL);
    fill_config(fixture, outbound);
    CHECK(mkdir(fixture->config.packages_dir, 0755) == 0);
    memset(fixture->package, 'a', 64);
    (void)snprintf(path, sizeof path, "%s/packages/%s", fixture->folder, fixture->package);
    CHECK(mkdir(path, 0755) == 0);
    strcat(path, "/probe");
    copy_program(getenv("LAPWING_PROBE"), path);
}

/* Its end is `theirs`; it does not hold ours, whose closing it is to see. */
static void fork_spawner(struct fixture *fixture, int ours, int theirs)
{
    (void)fflush(NULL);
    fixture->spawner = fork();
    CHECK(fixture->spawner >= 0);
    if (fixture->spawner == 0) {
        (void)close(ours);
        run_spawner(fixture, theirs);
    }
    (void)close(theirs);
}

void fixture_launch(struct fixture *fixture)
{
    int pair[2];
    struct err err = { 0 };

    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
    fork_spawner(fixture, pair[0], pair[1]);
    CHECK(spawner_client_init(&fixture->client, pair[0], &err) == ST_OK);
}

static void listen_address(const struct fixture *fixture, struct sockaddr_un *out)
{
    *out = (struct sockaddr_un){ .sun_family = AF_UNIX };
    (void)snprintf(out->sun_path, sizeof out->sun_path, "%s/agent", fixture->folder);
}

void fixture_launch_listening(struct fixture *fixture)
{
    struct sockaddr_un address;
    int listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    int ours = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    struct err err = { 0 };

    CHECK(listener >= 0 && ours >= 0);
    listen_address(fixture, &address);
    CHECK(bind(listener, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(listener, 8) == 0);
    fork_spawner(fixture, ours, listener);
    CHECK(spawner_client_init(&fixture->client, ours, &err) == ST_OK);
}

void fixture_connect(struct fixture *fixture)
{
    struct sockaddr_un address;

    listen_address(fixture, &address);
    CHECK(connect(fixture->client.fd, (struct sockaddr *)&address, sizeof address) == 0);
}

void fixture_start(struct fixture *fixture, bool outbound)
{
    fixture_prepare(fixture, outbound);
    fixture_launch(fixture);
}

static void remove_folder(const struct fixture *fixture)
{
    char command[128];

    (void)snprintf(command, sizeof command, "rm -rf %s", fixture->folder);
    CHECK(system(command) == 0);
}

static int wait_for(pid_t pid)
{
    int state = 0;

    while (waitpid(pid, &state, 0) < 0)
        CHECK(errno == EINTR);
    return WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
}

int fixture_stop(struct fixture *fixture)
{
    int code;

    spawner_client_done(&fixture->client);
    code = wait_for(fixture->spawner);
    remove_folder(fixture);
    return code;
}

void fixture_crash(struct fixture *fixture)
{
    (void)kill(fixture->spawner, SIGKILL);
    (void)wait_for(fixture->spawner);
    spawner_client_done(&fixture->client);
}

void fixture_kill(struct fixture *fixture)
{
    fixture_crash(fixture);
    remove_folder(fixture);
}

int fixture_clean(const struct fixture *fixture)
{
    struct err err = { 0 };
    enum status st = spawner_clean(fixture->config.instance, cgroup_parent(), &err);

    if (st != ST_OK)
        (void)fprintf(stderr, "# clean: %s\n", err.text);
    return (int)st;
}

static void take_pools(struct fixture *fixture, const Lapwing__Pools *pools)
{
    fixture->networks_ready = pools->networks;
    fixture->groups_ready = pools->groups;
    fixture->environments_ready = pools->ready;
}

bool fixture_receive(struct fixture *fixture, struct spawner_message *out)
{
    struct err err = { 0 };

    for (;;) {
        enum status st = spawner_client_receive(&fixture->client, out, &err);

        if (st == ST_OK && out->message->what_case == LAPWING__SPAWNER_MESSAGE__WHAT_POOLS) {
            take_pools(fixture, out->message->pools);
            spawner_message_done(out);
            continue;
        }
        if (st == ST_OK)
            return true;
        if (st != ST_NOT_FOUND)
            return false;
        struct pollfd wait = { .fd = fixture->client.fd, .events = POLLIN };
        if (poll(&wait, 1, WAIT_MS) <= 0)
            return false;
    }
}

/* Only messages about pools are waited for. */
static bool next_pools(struct fixture *fixture)
{
    struct spawner_message message;
    struct err err = { 0 };
    struct pollfd wait = { .fd = fixture->client.fd, .events = POLLIN };

    if (poll(&wait, 1, WAIT_MS) <= 0 ||
        spawner_client_receive(&fixture->client, &message, &err) != ST_OK)
        return false;
    if (message.message->what_case != LAPWING__SPAWNER_MESSAGE__WHAT_POOLS) {
        spawner_message_done(&message);
        return false;
    }
    take_pools(fixture, message.message->pools);
    spawner_message_done(&message);
    return true;
}

bool fixture_pools(struct fixture *fixture, unsigned networks, unsigned groups)
{
    while (fixture->networks_ready != networks || fixture->groups_ready != groups)
        if (!next_pools(fixture))
            return false;
    return true;
}

bool fixture_ready(struct fixture *fixture, unsigned environments)
{
    while (fixture->environments_ready != environments)
        if (!next_pools(fixture))
            return false;
    return true;
}

void fixture_ask(struct fixture *fixture, unsigned slot, const char *const *arguments)
{
    static char program[] = "/var/task/probe";
    static char variable[] = "PATH=/usr/bin";
    char *environment[] = { variable };
    char *argv[8] = { program };
    Lapwing__SpawnEnvironment spawn = LAPWING__SPAWN_ENVIRONMENT__INIT;
    Lapwing__SpawnRequest req = LAPWING__SPAWN_REQUEST__INIT;
    struct err err = { 0 };

    spawn.n_argv = 1;
    for (; arguments != NULL && *arguments != NULL; arguments++)
        argv[spawn.n_argv++] = (char *)(uintptr_t)*arguments;
    spawn.argv = argv;
    spawn.environment = environment;
    spawn.n_environment = 1;
    spawn.slot = slot;
    spawn.package = fixture->package;
    spawn.memory_mb = 128;
    spawn.ephemeral_mb = 512;
    spawn.processes_max = 50;
    req.id = spawner_client_id(&fixture->client);
    req.what_case = LAPWING__SPAWN_REQUEST__WHAT_SPAWN;
    req.spawn = &spawn;
    CHECK(spawner_client_send(&fixture->client, &req, -1, &err) == ST_OK);
}

/* Up to the end of file: all processes are gone by then. */
static void read_output(int fd, struct run *run)
{
    size_t len = 0;

    for (;;) {
        ssize_t got = read(fd, run->output + len, FIXTURE_OUTPUT_BYTES - 1 - len);

        if (got > 0)
            len += (size_t)got;
        if (got == 0 || len == FIXTURE_OUTPUT_BYTES - 1)
            break;
        if (got < 0 && errno != EAGAIN && errno != EINTR)
            break;
        if (got < 0 && poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, WAIT_MS) <= 0)
            break;
    }
    run->output[len] = '\0';
}

void fixture_run(struct fixture *fixture, const char *const *arguments, struct run *out)
{
    struct spawner_message message;

    memset(out, 0, sizeof *out);
    out->status = ST_UNKNOWN;
    fixture_ask(fixture, 0, arguments);
    if (!fixture_receive(fixture, &message))
        return;
    out->status = message.message->reply->status;
    (void)snprintf(out->text, sizeof out->text, "%s", message.message->reply->text);
    if (out->status != ST_OK) {
        (void)fprintf(stderr, "# spawn: %s\n", out->text);
        spawner_message_done(&message);
        return;
    }
    read_output(message.fds[SPAWNER_FD_OUTPUT], out);
    spawner_message_done(&message);
    if (!fixture_receive(fixture, &message))
        return;
    const Lapwing__EnvironmentExited *exited = message.message->exited;
    out->signaled = exited->signaled;
    out->out_of_memory = exited->out_of_memory;
    out->killed = exited->killed;
    out->code = exited->code;
    out->memory_peak_bytes = exited->memory_peak_bytes;
    (void)snprintf(out->start_error, sizeof out->start_error, "%s", exited->start_error);
    spawner_message_done(&message);
}

void fixture_convert(struct fixture *fixture, const char *package, int fd, struct conversion *out)
{
    Lapwing__Convert convert = LAPWING__CONVERT__INIT;
    Lapwing__SpawnRequest req = LAPWING__SPAWN_REQUEST__INIT;
    struct spawner_message message;
    struct stat info;
    struct err err = { 0 };

    CHECK(fstat(fd, &info) == 0);
    memset(out, 0, sizeof *out);
    convert.package = (char *)(uintptr_t)package;
    convert.zip_bytes = (uint64_t)info.st_size;
    req.id = spawner_client_id(&fixture->client);
    req.what_case = LAPWING__SPAWN_REQUEST__WHAT_CONVERT;
    req.convert = &convert;
    CHECK(spawner_client_send(&fixture->client, &req, fd, &err) == ST_OK);
    CHECK(fixture_receive(fixture, &message));
    const Lapwing__SpawnReply *reply = message.message->reply;
    out->status = reply->status;
    out->unzipped_bytes = reply->unzipped_bytes;
    out->files = reply->files;
    (void)snprintf(out->reason, sizeof out->reason, "%s", reply->reason);
    if (out->status != ST_OK)
        (void)fprintf(stderr, "# convert: %s\n", reply->text);
    spawner_message_done(&message);
}

unsigned fixture_request(struct fixture *fixture, const Lapwing__SpawnRequest *req)
{
    Lapwing__SpawnRequest numbered = *req;
    struct spawner_message message;
    struct err err = { 0 };
    unsigned status;

    numbered.id = spawner_client_id(&fixture->client);
    CHECK(spawner_client_send(&fixture->client, &numbered, -1, &err) == ST_OK);
    CHECK(fixture_receive(fixture, &message));
    CHECK(message.message->what_case == LAPWING__SPAWNER_MESSAGE__WHAT_REPLY);
    status = message.message->reply->status;
    spawner_message_done(&message);
    return status;
}

bool run_says(const struct run *run, const char *line)
{
    size_t len = strlen(line);

    for (const char *at = run->output; at != NULL; at = strchr(at, '\n')) {
        at += *at == '\n';
        if (strncmp(at, line, len) == 0 && (at[len] == '\n' || at[len] == '\0'))
            return true;
    }
    (void)fprintf(stderr, "# the probe did not say '%s'\n", line);
    return false;
}

unsigned leftover_groups(const char *instance)
{
    /* v2 alone is mounted at the top, v1 and what is beside it one level below. */
    static const char *const tops[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/*" };
    unsigned count = 0;

    for (size_t i = 0; i < ARRAY_LEN(tops); i++) {
        char pattern[PATH_MAX];
        glob_t found = { 0 };

        (void)snprintf(pattern, sizeof pattern, "%s/%s/lapwing-%s", tops[i], cgroup_parent(),
                       instance);
        if (glob(pattern, 0, NULL, &found) == 0)
            count += (unsigned)found.gl_pathc;
        globfree(&found);
    }
    return count;
}

/* Ended, and only waiting for the machine's first process to take note. */
static bool process_is_zombie(const char *folder)
{
    char path[320];
    char state = '?';
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/stat", folder);
    file = fopen(path, "re");
    if (file == NULL)
        return true;
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = '?';
    (void)fclose(file);
    return state == 'Z' || state == 'X';
}

unsigned processes_of(uid_t first, uid_t last, pid_t *out, unsigned max)
{
    DIR *list = opendir("/proc");
    unsigned count = 0;

    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        char path[300];
        struct stat info;

        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        /* The task folder's owner is the process's uid whatever else is hidden. */
        (void)snprintf(path, sizeof path, "/proc/%s", entry->d_name);
        if (stat(path, &info) != 0 || info.st_uid < first || info.st_uid > last ||
            process_is_zombie(path))
            continue;
        if (count < max)
            out[count] = (pid_t)atoi(entry->d_name);
        count++;
    }
    if (list != NULL)
        (void)closedir(list);
    return count;
}

unsigned leftover_processes(uid_t first, uid_t last)
{
    return processes_of(first, last, NULL, 0);
}
