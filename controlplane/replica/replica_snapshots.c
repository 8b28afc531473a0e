/* A replica's snapshots in the world: copied on a pool thread, read for a peer, received into a
 * file, read again after a start.  The group's thread, but for the callbacks named ..._work_cb. */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "controlplane/replica/replica_internal.h"
#include "controlplane/replica/snapshot_copy.h"

/* A snapshot on its way to a file, on a pool thread. */
struct snapshot_job {
    uv_work_t work;
    struct replica *replica;
    struct snapshot_copy copy;
    uint64_t wal_bytes; /* of the rows, when it began */
    enum status st;
    struct err err;
};

/* ---- taking ---- */

static void snapshot_work_cb(uv_work_t *work)
{
    struct snapshot_job *job = container_of(work, struct snapshot_job, work);

    if (job->st == ST_OK)
        job->st = snapshot_copy_run(&job->copy, &job->err);
}

/* Tried again with more log; but a failed sync is not tried again, here as everywhere. */
static void snapshot_failed(struct replica *replica, const struct snapshot_job *job)
{
    char path[SNAPSHOT_PATH_BYTES];

    snapshot_file_tmp_path(replica->dir, path);
    (void)unlink(path); /* on a full disk its room is wanted */
    if (job->copy.sync_failed)
        replica_disk_failed(replica, &job->err);
    else
        log_event(LOG_WARN, "snapshot_failed", LS("group", replica->group),
                  LS("error", job->err.text), LS("then", "trying again with more log"));
}

static void snapshot_after_cb(uv_work_t *work, int status)
{
    struct snapshot_job *job = container_of(work, struct snapshot_job, work);
    struct replica *replica = job->replica;

    (void)status; /* never cancelled */
    replica->snapshot_job = NULL;
    replica->checkpoint_at = 0; /* what had to wait for the view that is now closed */
    replica->snapshot_gave_up = job->st == ST_CANCELLED;
    state_snapshot_end(job->copy.snapshot);
    if (replica->core != NULL)
        core_hold(replica->core, false);
    if (job->st != ST_OK)
        snapshot_failed(replica, job);
    if (replica->core != NULL)
        core_snapshot_written(replica->core, replica_now_ms(), job->st, &job->copy.meta);
    free(job);
}

void replica_snapshot_write(void *context, const struct snapshot_meta *meta)
{
    struct replica *replica = context;
    struct snapshot_job *job = must_calloc(1, sizeof *job);
    int rv;

    CHECK(replica->snapshot_job == NULL);
    job->replica = replica;
    job->copy.dir = replica->dir;
    job->copy.meta = *meta;
    job->wal_bytes = state_wal_bytes(replica->state);
    job->st = state_snapshot_begin(replica->state, &job->copy.snapshot, &job->err);
    if (job->st != ST_OK && job->st != ST_NO_SPACE)
        replica_disk_failed_now(replica, &job->err); /* our own database, just used */
    replica->snapshot_job = job;
    replica->snapshot_held = false;
    rv = uv_queue_work(&replica->loop, &job->work, snapshot_work_cb, snapshot_after_cb);
    CHECK(rv == 0);
}

/* Another file of the same index may take its place. */
static void forget_sent(struct replica *replica)
{
    if (replica->snapshot_fd >= 0)
        (void)close(replica->snapshot_fd);
    replica->snapshot_fd = -1;
}

enum status replica_snapshot_read(
    void *context, uint64_t index, uint64_t offset, uint8_t *out, size_t len)
{
    struct replica *replica = context;
    char path[SNAPSHOT_PATH_BYTES];

    if (replica->snapshot_fd < 0 || replica->snapshot_fd_index != index) {
        forget_sent(replica);
        snapshot_file_path(replica->dir, index, path);
        replica->snapshot_fd = open(path, O_RDONLY | O_CLOEXEC);
        replica->snapshot_fd_index = index;
    }
    if (replica->snapshot_fd < 0)
        return ST_NOT_FOUND;
    return pread(replica->snapshot_fd, out, len, (off_t)offset) == (ssize_t)len ? ST_OK : ST_IO;
}

/* It comes again and again, as fast as the link is. */
static void part_failed(struct replica *replica, const struct err *err)
{
    if (!replica->part_failed)
        log_event(LOG_WARN, "snapshot_not_received", LS("group", replica->group),
                  LS("error", err->text), LS("then", "silent until a part is written"));
    replica->part_failed = true;
}

void replica_part_reset(void *context, const struct snapshot_progress *which)
{
    struct replica *replica = context;
    struct err err = { 0 };

    log_event(LOG_INFO, "snapshot_receiving", LS("group", replica->group),
              LU("index", which->index), LU("bytes", which->total));
    if (snapshot_part_reset(&replica->part, replica->dir, which, &err) != ST_OK)
        part_failed(replica, &err);
}

void replica_part_drop(void *context)
{
    struct replica *replica = context;

    snapshot_part_close(&replica->part);
    snapshot_part_remove(replica->dir);
}

static void part_work_cb(uv_work_t *work)
{
    struct replica *replica = container_of(work, struct replica, part_work);

    replica->part_synced =
        snapshot_part_note(&replica->part_point, replica->dir, &replica->part_err);
}

static void part_after_cb(uv_work_t *work, int status)
{
    struct replica *replica = container_of(work, struct replica, part_work);

    (void)status; /* never cancelled */
    replica->part_syncing = false;
    if (replica->part_synced != ST_OK && replica->core != NULL)
        replica_disk_failed(replica, &replica->part_err);
}

static void sync_part(struct replica *replica)
{
    int rv;

    if (replica->part_syncing || !snapshot_part_point(&replica->part, &replica->part_point))
        return;
    replica->part_syncing = true;
    rv = uv_queue_work(&replica->loop, &replica->part_work, part_work_cb, part_after_cb);
    CHECK(rv == 0);
}

enum status replica_part_append(void *context, struct bytes data)
{
    struct replica *replica = context;
    struct err err = { 0 };
    enum status st = snapshot_part_append(&replica->part, data, &err);

    if (st != ST_OK) {
        part_failed(replica, &err);
        replica_part_drop(replica); /* its room is wanted; another one begins anew */
        return st;
    }
    replica->part_failed = false;
    sync_part(replica);
    return st;
}

void replica_part_hash(void *context, uint8_t out[SNAPSHOT_HASH_BYTES])
{
    struct replica *replica = context;

    snapshot_part_hash(&replica->part, out);
}

void replica_snapshot_watch(struct replica *replica)
{
    struct snapshot_job *job = replica->snapshot_job;
    enum snapshot_wal decision;
    uint64_t wal_bytes;

    if (job == NULL || core_installing(replica->core))
        return; /* while installing, the rows are the disk thread's */
    /* What was there before is the checkpoint's affair; the log may have begun anew since. */
    wal_bytes = state_wal_bytes(replica->state);
    wal_bytes = wal_bytes > job->wal_bytes ? wal_bytes - job->wal_bytes : 0;
    decision =
        snapshot_wal_decide(wal_bytes, replica->snapshot_wal_bytes_max, replica->snapshot_gave_up);
    if (decision == SNAPSHOT_WAL_GO_ON || atomic_load(&job->copy.give_up) || replica->snapshot_held)
        return;
    log_event(LOG_WARN, "snapshot_wal_full", LS("group", replica->group),
              LU("wal_bytes", wal_bytes), LU("limit", replica->snapshot_wal_bytes_max),
              LS("then", decision == SNAPSHOT_WAL_GIVE_UP ? "given up, trying again with more log"
                                                          : "commands wait until it is written"));
    if (decision == SNAPSHOT_WAL_GIVE_UP) {
        atomic_store(&job->copy.give_up, true);
        return;
    }
    replica->snapshot_held = true;
    core_hold(replica->core, true);
}

/* ---- is the stored snapshot still what it was? ---- */

static void verify_work_cb(uv_work_t *work)
{
    struct replica_verify *verify = container_of(work, struct replica_verify, work);
    char path[SNAPSHOT_PATH_BYTES];

    snapshot_file_path(verify->replica->dir, verify->snapshot.index, path);
    verify->st = snapshot_file_verify(path, &verify->snapshot, &verify->err);
}

static void verify_after_cb(uv_work_t *work, int status)
{
    struct replica_verify *verify = container_of(work, struct replica_verify, work);
    struct replica *replica = verify->replica;
    struct core_view view;

    (void)status; /* never cancelled */
    verify->running = false;
    if (verify->st != ST_OK)
        forget_sent(replica);
    if (verify->st == ST_OK || replica->core == NULL)
        return;
    core_view(replica->core, &view);
    if (view.snapshot_index != verify->snapshot.index)
        return; /* there is a newer one already */
    log_event(LOG_ERROR, "snapshot_rotten", LS("group", replica->group),
              LS("error", verify->err.text), LS("then", "taking another one of the rows"));
    core_snapshot_rotten(replica->core, replica_now_ms());
}

void replica_snapshot_doubt(void *context, const struct snapshot_meta *meta)
{
    struct replica *replica = context;
    int rv;

    if (replica->verify.running)
        return;
    replica->verify.replica = replica;
    replica->verify.running = true;
    replica->verify.snapshot = *meta;
    rv = uv_queue_work(&replica->loop, &replica->verify.work, verify_work_cb, verify_after_cb);
    CHECK(rv == 0);
}

void replica_snapshot_give_up(struct replica *replica)
{
    if (replica->snapshot_job != NULL)
        atomic_store(&replica->snapshot_job->copy.give_up, true);
}
