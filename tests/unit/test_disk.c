#include "controlplane/replica/disk.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "controlplane/replica/log_store.h"
#include "controlplane/replica/raft_rules.h"
#include "controlplane/replica/reserve.h"
#include "controlplane/replica/snapshot_file.h"
#include "controlplane/state/state.h"
#include "tests/unit/check.h"
#include "tests/unit/fault_disk.h"

/* A group's folder with its disk thread, and how much of the work was handed back. */
struct fixture {
    char dir[64];
    struct log_data *bootstrap;
    struct log_store *store;
    struct log_recovery recovery;
    struct state *state;
    uv_loop_t loop;
    struct reserve reserve;
    struct disk *disk;
    unsigned done;
    unsigned failed;
    struct err why;
};

static void done(void *context, struct disk_op *op)
{
    struct fixture *f = context;

    (void)op;
    f->done++;
}

static void failed(void *context, const struct err *err)
{
    struct fixture *f = context;

    f->failed++;
    f->why = *err;
}

static void fixture_init(struct fixture *f)
{
    const uint64_t ids[] = { 1, 2, 3 };
    char path[128];

    memset(f, 0, sizeof *f);
    log_threshold(LOG_WARN);
    (void)snprintf(f->dir, sizeof f->dir, "/tmp/test_disk.XXXXXX");
    CHECK(mkdtemp(f->dir) != NULL);
    f->bootstrap = rules_bootstrap(ids, 3);
    EXPECT_EQ(log_store_open(f->dir, f->bootstrap, &f->store, &f->recovery, NULL), ST_OK);
    (void)snprintf(path, sizeof path, "%s/state.db", f->dir);
    EXPECT_EQ(state_open(path, STATE_GROUP_CONTROL, &f->state, NULL), ST_OK);
    CHECK(uv_loop_init(&f->loop) == 0);
    reserve_open(&f->reserve, f->dir, 8 * RESERVE_ROUND_BYTES);
    EXPECT_EQ(reserve_fill(&f->reserve, NULL), ST_OK);
    f->disk = disk_start(&(struct disk_config){
        .dir = f->dir,
        .group = "control",
        .store = f->store,
        .state = f->state,
        .reserve = &f->reserve,
        .state_group = STATE_GROUP_CONTROL,
        .loop = &f->loop,
        .hold_ms = 2,
        .done = done,
        .failed = failed,
        .context = f,
    });
}

static void fixture_done(struct fixture *f)
{
    char command[128];

    disk_stop(f->disk);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&f->loop) == 0);
    state_close(f->state);
    reserve_done(&f->reserve);
    log_store_close(f->store);
    log_recovery_done(&f->recovery);
    log_data_drop(f->bootstrap);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", f->dir);
    EXPECT_EQ(system(command), 0);
}

/* Write the rows to `path` and describe them as the snapshot of `index`. */
static void write_snapshot(
    struct fixture *f, const char *path, uint64_t index, enum disk_op_kind kind, struct disk_op *op)
{
    struct state_snapshot *snapshot = NULL;

    EXPECT_EQ(state_snapshot_begin(f->state, &snapshot, NULL), ST_OK);
    EXPECT_EQ(state_snapshot_write(snapshot, path, NULL, NULL, NULL), ST_OK);
    state_snapshot_end(snapshot);
    *op = (struct disk_op){ .kind = kind, .first = index + 1 };
    op->snapshot.index = index;
    op->snapshot.term = 1;
    op->snapshot.configuration_index = 1;
    op->snapshot.configuration_len = f->bootstrap->len;
    memcpy(op->snapshot.configuration, f->bootstrap->bytes, f->bootstrap->len);
    EXPECT_EQ(snapshot_file_describe(path, &op->snapshot, NULL), ST_OK);
}

/* The disk thread may be through with both before the loop hears of the first. */
TEST(a_snapshot_that_is_installed_right_behind_one_that_was_taken_stays)
{
    struct fixture f;
    struct disk_op take;
    struct disk_op install;
    char path[SNAPSHOT_PATH_BYTES];

    fixture_init(&f);
    snapshot_file_tmp_path(f.dir, path);
    write_snapshot(&f, path, 5, DISK_TAKE, &take);
    snapshot_file_part_path(f.dir, path);
    write_snapshot(&f, path, 9, DISK_INSTALL, &install);
    disk_push(f.disk, &take);
    disk_push(f.disk, &install);
    while (f.done < 2)
        (void)uv_run(&f.loop, UV_RUN_ONCE);
    snapshot_file_path(f.dir, 5, path);
    EXPECT_EQ(access(path, F_OK), -1);
    snapshot_file_path(f.dir, 9, path);
    EXPECT_EQ(snapshot_file_verify(path, &install.snapshot, NULL), ST_OK);
    fixture_done(&f);
}

TEST(a_sweep_while_running_leaves_what_is_in_the_making)
{
    struct fixture f;
    struct disk_op take;
    struct disk_op coming;
    char path[SNAPSHOT_PATH_BYTES];

    fixture_init(&f);
    snapshot_file_tmp_path(f.dir, path);
    write_snapshot(&f, path, 5, DISK_TAKE, &take);
    snapshot_file_part_path(f.dir, path);
    write_snapshot(&f, path, 9, DISK_INSTALL, &coming);
    disk_push(f.disk, &take);
    while (f.done < 1)
        (void)uv_run(&f.loop, UV_RUN_ONCE);
    EXPECT_EQ(access(path, F_OK), 0);
    fixture_done(&f);
}

/* Appends of one entry each, `first` to `last`. */
static void push_appends(struct fixture *f, struct disk_op *ops, uint64_t first, uint64_t last)
{
    static struct log_entry entries[16];

    for (uint64_t i = first; i <= last; i++) {
        struct log_entry *entry = &entries[i % ARRAY_LEN(entries)];

        *entry = (struct log_entry){ 1, LOG_COMMAND, log_data_new(bytes_of_text("content")) };
        ops[i - first] =
            (struct disk_op){ .kind = DISK_APPEND, .first = i, .count = 1, .entries = entry };
        disk_push(f->disk, &ops[i - first]);
    }
}

static void drop_appends(const struct disk_op *ops, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        log_data_drop(ops[i].entries[0].data);
}

static void look_until_held(struct fixture *f)
{
    struct disk_view view = { 0 };

    while (!view.held)
        disk_look(f->disk, &view);
}

TEST(appends_without_room_take_the_reserve_then_wait_and_are_done_in_order)
{
    struct fixture f;
    struct disk_op ops[6];

    fault_disk_install();
    fixture_init(&f);
    fault_disk_arm(FAULT_FULL, 1, true);
    push_appends(&f, ops, 2, 7);
    look_until_held(&f);
    /* All but what is for votes was given, a part at a time, and nothing was called done. */
    EXPECT_EQ(reserve_missing(&f.reserve), 7 * (uint64_t)RESERVE_ROUND_BYTES);
    (void)uv_run(&f.loop, UV_RUN_NOWAIT);
    EXPECT_EQ(f.done, 0);
    EXPECT(fault_disk_heal());
    while (f.done < 6)
        (void)uv_run(&f.loop, UV_RUN_ONCE);
    EXPECT_EQ(f.failed, 0);
    drop_appends(ops, 6);
    disk_stop(f.disk);
    f.disk = NULL;
    log_store_close(f.store);
    log_recovery_done(&f.recovery);
    EXPECT_EQ(log_store_open(f.dir, f.bootstrap, &f.store, &f.recovery, NULL), ST_OK);
    EXPECT_EQ(f.recovery.count, 7);
    fixture_done(&f);
}

TEST(a_disk_that_is_stopped_while_it_waits_for_room_drops_what_waits)
{
    struct fixture f;
    struct disk_op ops[3];

    fault_disk_install();
    fixture_init(&f);
    fault_disk_arm(FAULT_FULL, 1, true);
    push_appends(&f, ops, 2, 4);
    look_until_held(&f);
    disk_stop(f.disk);
    f.disk = NULL;
    EXPECT_EQ(f.done, 0);
    EXPECT(fault_disk_heal());
    drop_appends(ops, 3);
    fixture_done(&f);
}

TEST(after_a_failure_nothing_is_done_and_the_owner_is_told_once)
{
    struct fixture f;
    struct disk_op ops[2];
    struct disk_op more[2];

    fault_disk_install();
    fixture_init(&f);
    fault_disk_arm(FAULT_SYNC, 1, true);
    push_appends(&f, ops, 2, 3);
    while (f.failed == 0)
        (void)uv_run(&f.loop, UV_RUN_ONCE);
    EXPECT(f.why.text[0] != '\0');
    EXPECT(fault_disk_heal());
    push_appends(&f, more, 4, 5); /* on a disk that looks well again */
    disk_stop(f.disk);
    f.disk = NULL;
    EXPECT_EQ(f.done, 0);
    EXPECT_EQ(f.failed, 1);
    drop_appends(ops, 2);
    drop_appends(more, 2);
    fixture_done(&f);
}

/* Push `op` with the disk full from the `at`-th call on; once it waits, there is room again.  True
 * when it did not have to wait. */
static bool survives_full_disk(struct fixture *f, struct disk_op *op, unsigned at)
{
    struct disk_view view = { 0 };
    bool failed;

    fault_disk_arm(FAULT_FULL, at, true);
    disk_push(f->disk, op);
    while (f->done == 0 && !view.held) {
        (void)uv_run(&f->loop, UV_RUN_NOWAIT);
        disk_look(f->disk, &view);
    }
    failed = fault_disk_heal();
    while (f->done == 0)
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    EXPECT_EQ(f->failed, 0);
    return !failed;
}

static const struct {
    const char *name;
    enum disk_op_kind kind;
} snapshots[] = { { "taken", DISK_TAKE }, { "installed", DISK_INSTALL } };

TEST(a_snapshot_is_taken_and_installed_when_there_is_room_again)
{
    fault_disk_install();
    for (size_t i = 0; i < ARRAY_LEN(snapshots); i++) {
        bool untouched = false;
        unsigned at;

        test_case = snapshots[i].name;
        for (at = 1; at < 200 && !untouched; at++) {
            char path[SNAPSHOT_PATH_BYTES];
            struct disk_op op;
            struct fixture f;

            fixture_init(&f);
            if (snapshots[i].kind == DISK_TAKE)
                snapshot_file_tmp_path(f.dir, path);
            else
                snapshot_file_part_path(f.dir, path);
            write_snapshot(&f, path, 5, snapshots[i].kind, &op);
            untouched = survives_full_disk(&f, &op, at);
            snapshot_file_path(f.dir, 5, path);
            EXPECT_EQ(snapshot_file_verify(path, &op.snapshot, NULL), ST_OK);
            fixture_done(&f);
        }
        EXPECT(at > 3 && at < 200);
    }
}
