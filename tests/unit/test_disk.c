#include "controlplane/replica/disk.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "controlplane/replica/log_store.h"
#include "controlplane/replica/raft_rules.h"
#include "controlplane/replica/snapshot_file.h"
#include "controlplane/state/state.h"
#include "tests/unit/check.h"

/* A group's folder with its disk thread, and how much of the work was handed back. */
struct fixture {
    char dir[64];
    struct log_data *bootstrap;
    struct log_store *store;
    struct log_recovery recovery;
    struct state *state;
    uv_loop_t loop;
    struct disk *disk;
    unsigned done;
};

static void done(void *context, struct disk_op *op)
{
    struct fixture *f = context;

    (void)op;
    f->done++;
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
    f->disk = disk_start(&(struct disk_config){
        .dir = f->dir,
        .group = "control",
        .store = f->store,
        .state = f->state,
        .state_group = STATE_GROUP_CONTROL,
        .loop = &f->loop,
        .done = done,
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
    EXPECT_EQ(snapshot_file_seal(path, &op->snapshot, NULL), ST_OK);
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
