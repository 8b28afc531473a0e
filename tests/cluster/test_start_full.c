/* A replica that is started on a disk which is full, or fails, at the 1st, 2nd, 3rd... call of the
 * start, until it passes untouched.  After each the folder is started from on a healthy disk: all
 * is there.  And one whose disk fails in the middle of a snapshot. */
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "controlplane/state/functions.h"
#include "controlplane/state/state.h"
#include "tests/cluster/replica_trio.h"
#include "tests/unit/check.h"
#include "tests/unit/fault_disk.h"

enum { PORT = 17380, WAIT_S = 40, SNAPSHOT_LOG_BYTES = 65536, CALLS_MAX = 500, RESERVE = 1 << 20 };

struct group {
    struct replica_trio trio;
    uv_loop_t loop;
    struct replica_client *client;
    uint64_t names; /* functions that were created */
    uint64_t last;  /* entry of the log */
    unsigned open;
    unsigned failed;
};

static void group_init(struct group *group)
{
    const char *port = getenv("TEST_PORT");
    char dir[64];

    memset(group, 0, sizeof *group);
    log_threshold(LOG_ERROR);
    fault_disk_install();
    fault_disk_folder(dir);
    CHECK(uv_loop_init(&group->loop) == 0);
    replica_trio_init(&group->trio, dir, port != NULL ? (uint16_t)atoi(port) : PORT);
    group->trio.snapshot_log_bytes = SNAPSHOT_LOG_BYTES;
}

static void shell(const struct group *group, const char *what)
{
    char command[600];

    (void)snprintf(command, sizeof command, "cd '%s' && %s", group->trio.dir, what);
    EXPECT_EQ(system(command), 0);
}

static void group_done(struct group *group)
{
    CHECK(uv_loop_close(&group->loop) == 0);
    replica_trio_done(&group->trio);
    shell(group, "rm -rf \"$PWD\"");
}

static void proposed(enum status st, const Lapwing__Outcome *outcome, void *context)
{
    struct group *group = context;

    group->open--;
    if (st != ST_OK || outcome->status != ST_OK)
        group->failed++;
}

static void create(struct group *group)
{
    struct buf body = { 0 };
    char name[32];

    (void)snprintf(name, sizeof name, "f-%llu", (unsigned long long)++group->names);
    replica_trio_create_body(name, group->names, &body);
    EXPECT_EQ(replica_propose(group->client, LAPWING__COMMAND_TYPE__CREATE_FUNCTION,
                              buf_view(&body), WAIT_S * 1000, proposed, group),
              ST_OK);
    group->open++;
    buf_done(&body);
    while (group->open > 0)
        (void)uv_run(&group->loop, UV_RUN_ONCE);
}

static struct replica_status status_of(const struct group *group)
{
    struct replica_status status;

    replica_status(group->trio.replicas[0], &status);
    return status;
}

/* All three, for there is no leader with fewer; the starts that meet faults are of the first alone,
 * which therefore writes nothing of its own accord. */
static void run(struct group *group)
{
    for (unsigned i = 0; i < group->trio.member_count; i++)
        replica_trio_start(&group->trio, i);
    group->client = replica_client_new(group->trio.replicas[0], &group->loop);
}

static void end(struct group *group)
{
    replica_client_close(group->client);
    (void)uv_run(&group->loop, UV_RUN_DEFAULT);
    group->last = status_of(group).last;
    for (unsigned i = 0; i < group->trio.member_count; i++)
        replica_trio_stop(&group->trio, i);
}

/* The folder "a" of a node with a snapshot and log behind it; "before" is kept of it. */
static void make_before(struct group *group)
{
    uint64_t until = uv_hrtime() + (uint64_t)WAIT_S * 1000000000;

    run(group);
    while (status_of(group).snapshot_index == 0 && uv_hrtime() < until)
        create(group);
    create(group);
    EXPECT(status_of(group).snapshot_index > 0);
    EXPECT_EQ(group->failed, 0);
    end(group);
    shell(group, "cp -a a before");
}

static uint64_t functions_of(const struct group *group)
{
    struct state *state = NULL;
    uint64_t found = 0;
    char path[300];

    (void)snprintf(path, sizeof path, "%s/a/state.db", group->trio.dir);
    EXPECT_EQ(state_open(path, STATE_GROUP_CONTROL, &state, NULL), ST_OK);
    for (uint64_t n = 1; n <= group->names; n++) {
        Lapwing__Function *function = NULL;
        char name[32];

        (void)snprintf(name, sizeof name, "f-%llu", (unsigned long long)n);
        if (state_get_function(state_reader_of(state), "000000000000", "eu-west-1", name, &function,
                               NULL) != ST_OK)
            continue;
        lapwing__function__free_unpacked(function, NULL);
        found++;
    }
    state_close(state);
    return found;
}

/* First, while the process has noted no other folder to be doubted: its end would leave a file for
 * each.
 */
static _Noreturn void run_until_it_ends(struct group *group)
{
    run(group);
    create(group);
    fault_disk_arm_sync_of("snapshot.tmp");
    for (int i = 0; i < 100000; i++)
        create(group);
    _exit(1);
}

TEST(a_snapshot_that_cannot_be_synced_ends_the_process_as_a_failed_disk)
{
    struct group group;
    int status = 0;
    pid_t pid;

    group_init(&group);
    group.trio.member_count = 1;
    (void)fflush(stdout);
    pid = fork();
    CHECK(pid >= 0);
    if (pid == 0)
        run_until_it_ends(&group);
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), REPLICA_EXIT_DISK_FAILED);
    replica_trio_start(&group.trio, 0);
    EXPECT_EQ(status_of(&group).snapshot_index, 0);
    replica_trio_stop(&group.trio, 0);
    group_done(&group);
}

/* Each row: what the start finds. */
static const struct {
    const char *name;
    const char *files; /* shell, in the folder above "a" */
    bool fresh;        /* a node that has never run */
} folders[] = {
    { "all of it", "true", false },
    { "no rows", "rm a/state.db*", false },
    { "rows that are none", "rm -f a/state.db-* && echo none >a/state.db", false },
    { "a copy that was cut short", "rm a/state.db* && echo half >a/state.db.new", false },
    { "nothing", "rm -rf a", true },
};

static const struct {
    const char *name;
    enum fault_kind kind;
    bool lasting;
    bool reserve;
    enum status want; /* what a start that met the fault says; ST_OK: nothing */
    bool or_ok;       /* it may have been of state.db, which is made anew */
} disks[] = {
    { "full from some call on", FAULT_FULL, true, false, ST_NO_SPACE, false },
    { "over quota from some call on", FAULT_QUOTA, true, false, ST_NO_SPACE, false },
    { "full once, with a reserve", FAULT_FULL, false, true, ST_OK, false },
    { "a sync fails", FAULT_SYNC, false, true, ST_IO, true },
};

/* On a healthy disk: what was durable is there, and no file that is not whole. */
static void expect_a_sound_start(struct group *group, bool fresh)
{
    struct replica_status status;

    replica_trio_start(&group->trio, 0);
    status = status_of(group);
    EXPECT(status.last >= (fresh ? 1 : group->last));
    EXPECT(fresh || status.snapshot_index > 0);
    EXPECT(status.applied >= status.snapshot_index);
    replica_trio_stop(&group->trio, 0);
    shell(group, "test ! -e a/state.db.new");
}

/* False when the start did not come to the `at`-th call. */
static bool start_with_fault(struct group *group, size_t folder, size_t disk, unsigned at)
{
    struct err err = { 0 };
    bool met;
    enum status st;

    /* The folder itself stays: a process notes so many for its doubts (state_doubt.h). */
    shell(group, "mkdir -p a && find a -mindepth 1 -delete && cp -a before/. a/");
    shell(group, folders[folder].files);
    if (disks[disk].reserve)
        shell(group, "mkdir -p a && fallocate -l 1048576 a/log.reserve");
    else
        shell(group, "rm -f a/log.reserve");
    fault_disk_arm_here(disks[disk].kind, at, disks[disk].lasting);
    st = replica_trio_try(&group->trio, 0, &err);
    met = fault_disk_heal();
    if (!met || st != ST_OK || !disks[disk].or_ok)
        EXPECT_EQ(st, met ? disks[disk].want : ST_OK);
    if (st == ST_OK)
        replica_trio_stop(&group->trio, 0);
    else
        printf("# %s, call %u: %s\n", test_case, at, err.text);
    if (st == ST_NO_SPACE)
        EXPECT(strstr(err.text, group->trio.dir) != NULL &&
               (strstr(err.text, "bytes free: make room") != NULL ||
                strstr(err.text, "make folder") != NULL));
    expect_a_sound_start(group, folders[folder].fresh);
    return met;
}

TEST(a_start_on_a_full_disk_makes_nothing_by_half_and_takes_what_it_needs_of_the_reserve)
{
    struct group group;

    group_init(&group);
    make_before(&group);
    for (size_t folder = 0; folder < ARRAY_LEN(folders); folder++) {
        for (size_t disk = 0; disk < ARRAY_LEN(disks); disk++) {
            char name[120];
            unsigned at = 1;

            (void)snprintf(name, sizeof name, "%s; %s", folders[folder].name, disks[disk].name);
            test_case = name;
            while (at < CALLS_MAX && start_with_fault(&group, folder, disk, at))
                at++;
            EXPECT(at > 1 && at < CALLS_MAX);
            if (folders[folder].fresh)
                continue;
            run(&group);
            create(&group); /* answered when it is in the rows, with all before it */
            end(&group);
            EXPECT_EQ(functions_of(&group), group.names);
            shell(&group, "rm -rf before && cp -a a before");
        }
    }
    group_done(&group);
}
