/* A replica's thread: its loop turns links, clients, disk and time into calls of the core, and the
 * core's wishes into I/O.  Nothing is decided here. */
#include "controlplane/replica/replica.h"

#include <errno.h>
#include <fcntl.h>
#include <raft.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "controlplane/replica/raft_rules.h"
#include "controlplane/replica/recovery_rules.h"
#include "controlplane/replica/replica_internal.h"

/* A snapshot on its way to a file, on a pool thread. */
struct snapshot_job {
    uv_work_t work;
    struct replica *replica;
    struct snapshot_meta meta;
    struct state_snapshot *snapshot;
    int fd;               /* of the file, for syncing it piece by piece; -1 */
    _Atomic bool give_up; /* set by the group's thread */
    enum status st;
    struct err err;
};

uint64_t replica_now_ms(void)
{
    return uv_hrtime() / 1000000;
}

/* ---- what the core asks for ---- */

static void io_set_vote(void *context, uint64_t term, uint64_t voted_for)
{
    struct replica *replica = context;
    struct err err = { 0 };

    if (log_store_set_vote(replica->log_store, term, voted_for, &err) == ST_OK)
        return;
    log_event(LOG_ERROR, "replica_disk_failed", LS("group", replica->group), LS("error", err.text),
              LS("then", "stopping"));
    check_failed(__FILE__, __LINE__, "a vote could not be made durable");
}

static void io_disk(void *context, struct disk_op *op)
{
    struct replica *replica = context;

    if (op->kind == DISK_INSTALL)
        snapshot_part_close(&replica->part);
    disk_push(replica->disk, op);
}

static void io_send(void *context, uint64_t peer, uint16_t type, struct bytes body)
{
    replica_links_send(context, peer, type, body);
}

static uint64_t io_stamp_ms(void *context)
{
    (void)context;
    return clock_stamp_ms(&clock_system);
}

static void remove_state(const struct replica *replica)
{
    static const char *const tails[] = { "", "-wal", "-shm" };
    char path[SNAPSHOT_PATH_BYTES + 8];

    for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
        (void)snprintf(path, sizeof path, "%s%s", replica->state_path, tails[i]);
        (void)unlink(path);
    }
}

static uint64_t io_work_us(void *context)
{
    (void)context;
    return uv_hrtime() / 1000;
}

static void io_state_failed(void *context, enum status st, const struct err *err)
{
    struct replica *replica = context;

    /* Our own boot wrote them, so the next start would keep them and meet the same page again. */
    if (st == ST_CORRUPT)
        remove_state(replica);
    log_event(LOG_ERROR, "state_failed", LS("group", replica->group), LS("error", err->text),
              LS("then", st == ST_CORRUPT ? "stopping; made anew from snapshot and log at the start"
                                          : "stopping"));
}

static void io_log_read(void *context, uint64_t first, unsigned count, struct log_entry *out)
{
    struct replica *replica = context;
    struct err err = { 0 };

    if (log_store_read(replica->log_store, first, count, out, &err) == ST_OK)
        return;
    /* The restart reads the whole log, and tells whether this node may go on with it. */
    log_event(LOG_ERROR, "replica_disk_failed", LS("group", replica->group), LS("error", err.text),
              LS("then", "stopping"));
    check_failed(__FILE__, __LINE__, "an entry could not be read back");
}

/* What is copied is written out as it comes: a gigabyte of it at the end would hold up the log's
 * own syncs for as long as the disk takes. */
static bool snapshot_go_on(void *context)
{
    struct snapshot_job *job = context;
    char path[SNAPSHOT_PATH_BYTES];

    snapshot_file_tmp_path(job->replica->dir, path);
    if (job->fd < 0)
        job->fd = open(path, O_RDONLY | O_CLOEXEC);
    if (job->fd >= 0)
        (void)fdatasync(job->fd); /* a failure is reported by the sync that counts, in sealing */
    return !atomic_load(&job->give_up);
}

static void snapshot_work_cb(uv_work_t *work)
{
    struct snapshot_job *job = container_of(work, struct snapshot_job, work);
    char path[SNAPSHOT_PATH_BYTES];

    snapshot_file_tmp_path(job->replica->dir, path);
    (void)unlink(path); /* of one that was never stored */
    job->st = state_snapshot_write(job->snapshot, path, snapshot_go_on, job, &job->err);
    if (job->fd >= 0)
        (void)close(job->fd);
    if (job->st == ST_OK)
        job->st = snapshot_file_seal(path, &job->meta, &job->err);
}

static void snapshot_after_cb(uv_work_t *work, int status)
{
    struct snapshot_job *job = container_of(work, struct snapshot_job, work);
    struct replica *replica = job->replica;

    (void)status; /* never cancelled */
    replica->snapshot_job = NULL;
    replica->checkpoint_at = 0; /* what had to wait for the view that is now closed */
    replica->snapshot_gave_up = job->st == ST_CANCELLED;
    state_snapshot_end(job->snapshot);
    if (replica->core != NULL)
        core_hold(replica->core, false);
    if (job->st != ST_OK)
        log_event(LOG_WARN, "snapshot_failed", LS("group", replica->group),
                  LS("error", job->err.text), LS("then", "trying again with more log"));
    if (replica->core != NULL)
        core_snapshot_written(replica->core, replica_now_ms(), job->st, &job->meta);
    free(job);
}

static void io_snapshot_write(void *context, const struct snapshot_meta *meta)
{
    struct replica *replica = context;
    struct snapshot_job *job = must_calloc(1, sizeof *job);
    enum status st;
    int rv;

    job->replica = replica;
    job->meta = *meta;
    job->fd = -1;
    st = state_snapshot_begin(replica->state, &job->snapshot, &job->err);
    if (st != ST_OK)
        check_failed(__FILE__, __LINE__, job->err.text); /* our own database, just used */
    replica->snapshot_job = job;
    replica->snapshot_held = false;
    rv = uv_queue_work(&replica->loop, &job->work, snapshot_work_cb, snapshot_after_cb);
    CHECK(rv == 0);
}

static enum status io_snapshot_read(
    void *context, uint64_t index, uint64_t offset, uint8_t *out, size_t len)
{
    struct replica *replica = context;
    char path[SNAPSHOT_PATH_BYTES];

    if (replica->snapshot_fd < 0 || replica->snapshot_fd_index != index) {
        if (replica->snapshot_fd >= 0)
            (void)close(replica->snapshot_fd);
        snapshot_file_path(replica->dir, index, path);
        replica->snapshot_fd = open(path, O_RDONLY | O_CLOEXEC);
        replica->snapshot_fd_index = index;
    }
    if (replica->snapshot_fd < 0)
        return ST_NOT_FOUND;
    return pread(replica->snapshot_fd, out, len, (off_t)offset) == (ssize_t)len ? ST_OK : ST_IO;
}

static void io_part_reset(void *context, const struct snapshot_progress *which)
{
    struct replica *replica = context;
    struct err err = { 0 };

    log_event(LOG_INFO, "snapshot_receiving", LS("group", replica->group),
              LU("index", which->index), LU("bytes", which->total));
    if (snapshot_part_reset(&replica->part, replica->dir, which, &err) != ST_OK)
        log_event(LOG_WARN, "snapshot_not_received", LS("group", replica->group),
                  LS("error", err.text));
}

static void part_work_cb(uv_work_t *work)
{
    struct replica *replica = container_of(work, struct replica, part_work);

    snapshot_part_note(&replica->part_point, replica->dir);
}

static void part_after_cb(uv_work_t *work, int status)
{
    (void)status; /* never cancelled */
    container_of(work, struct replica, part_work)->part_syncing = false;
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

static enum status io_part_append(void *context, struct bytes data)
{
    struct replica *replica = context;
    struct err err = { 0 };
    enum status st = snapshot_part_append(&replica->part, data, &err);

    if (st != ST_OK)
        log_event(LOG_WARN, "snapshot_not_received", LS("group", replica->group),
                  LS("error", err.text));
    sync_part(replica);
    return st;
}

static void io_part_hash(void *context, uint8_t out[SNAPSHOT_HASH_BYTES])
{
    struct replica *replica = context;

    snapshot_part_hash(&replica->part, out);
}

uint64_t replica_changes(const struct replica *replica)
{
    return atomic_load(&replica->changes);
}

static void note_changes(struct replica *replica)
{
    uint64_t applied = core_applied(replica->core);

    if (applied == replica->changed_at)
        return;
    replica->changed_at = applied;
    (void)atomic_fetch_add(&replica->changes, 1);
}

/* Comes from within the apply, when the index has not moved yet but the rows have. */
static void io_proposed(void *context, void *token, enum status st, const Lapwing__Outcome *outcome)
{
    struct replica *replica = context;

    (void)atomic_fetch_add(&replica->changes, 1);
    replica_client_proposed(token, st, outcome);
}

static void io_barrier_done(void *context, void *token, enum status st)
{
    struct replica *replica = context;

    if (replica->core != NULL)
        note_changes(replica);
    replica_client_barrier_done(token, st);
}

static const struct core_io core_io = {
    .set_vote = io_set_vote,
    .disk = io_disk,
    .send = io_send,
    .stamp_ms = io_stamp_ms,
    .work_us = io_work_us,
    .state_failed = io_state_failed,
    .log_read = io_log_read,
    .snapshot_write = io_snapshot_write,
    .snapshot_read = io_snapshot_read,
    .part_reset = io_part_reset,
    .part_append = io_part_append,
    .part_hash = io_part_hash,
    .proposed = io_proposed,
    .barrier_done = io_barrier_done,
};

/* ---- status ---- */

static void log_change(struct replica *replica, const struct replica_status *now)
{
    static const char *const roles[] = { "follower", "candidate", "leader" };

    if (now->leader_id == replica->status.leader_id && now->role == replica->status.role)
        return;
    log_event(LOG_INFO, "replica_role", LS("group", replica->group), LS("role", roles[now->role]),
              LU("term", now->term), LU("leader", now->leader_id));
}

static void publish_status(struct replica *replica)
{
    struct replica_status now = { .self_id = replica->self_id,
                                  .member_count = replica->member_count };
    struct core_view view;

    core_view(replica->core, &view);
    memcpy(now.group, replica->group, sizeof now.group);
    now.role = view.raft_state == RAFT_LEADER      ? REPLICA_LEADER
               : view.raft_state == RAFT_CANDIDATE ? REPLICA_CANDIDATE
                                                   : REPLICA_FOLLOWER;
    now.leader_id = view.leader_id;
    now.term = view.term;
    now.commit = view.commit;
    now.applied = view.applied;
    now.snapshot_index = view.snapshot_index;
    now.log_bytes = view.log_bytes;
    now.applied_ms = view.leader_ms;
    for (unsigned i = 0; i < replica->member_count; i++) {
        now.members[i].member = replica->members[i];
        now.members[i].match = view.match[i];
        now.members[i].connected = replica->members[i].id == replica->self_id;
        for (unsigned k = 0; k < replica->peer_count; k++)
            if (replica->peers[k].member.id == replica->members[i].id)
                now.members[i].connected = replica->peers[k].out != NULL;
    }
    log_change(replica, &now);
    uv_mutex_lock(&replica->status_mutex);
    replica->status = now;
    uv_mutex_unlock(&replica->status_mutex);
}

void replica_status(struct replica *replica, struct replica_status *out)
{
    uv_mutex_lock(&replica->status_mutex);
    *out = replica->status;
    uv_mutex_unlock(&replica->status_mutex);
}

const char *replica_state_path(const struct replica *replica)
{
    return replica->state_path;
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

    (void)status; /* never cancelled */
    if (verify->st == ST_OK || replica->core == NULL ||
        replica->status.snapshot_index != verify->snapshot.index)
        return; /* or there is a newer one already */
    log_event(LOG_ERROR, "snapshot_rotten", LS("group", replica->group),
              LS("error", verify->err.text), LS("then", "taking another one of the rows"));
    core_snapshot_rotten(replica->core, replica_now_ms());
}

/* The rows were kept, so nobody has read it: the next boot, or a peer, would find out too late. */
static void verify_start(struct replica *replica)
{
    int rv;

    replica->verify.replica = replica;
    if (replica->verify.snapshot.index == 0)
        return;
    rv = uv_queue_work(&replica->loop, &replica->verify.work, verify_work_cb, verify_after_cb);
    CHECK(rv == 0);
}

/* ---- the loop ---- */

static void checkpoint_work_cb(uv_work_t *work)
{
    struct replica *replica = container_of(work, struct replica, checkpoint);
    struct err err = { 0 };
    enum status st = state_checkpoint(replica->state_path, REPLICA_WAL_BYTES_MAX, &err);

    if (st != ST_OK)
        log_event(LOG_WARN, "checkpoint_failed", LS("group", replica->group), LS("error", err.text),
                  LS("then", "trying again"));
}

static void checkpoint_after_cb(uv_work_t *work, int status)
{
    struct replica *replica = container_of(work, struct replica, checkpoint);

    (void)status;
    replica->checkpointing = false;
}

static void maybe_checkpoint(struct replica *replica, uint64_t now_ms)
{
    int rv;

    /* Nothing is moved past the view of a snapshot, and waiting for its end would hold up applying.
     */
    if (replica->checkpointing || replica->snapshot_job != NULL || now_ms < replica->checkpoint_at)
        return;
    replica->checkpoint_at = now_ms + REPLICA_CHECKPOINT_MS;
    if (replica->status.applied == replica->checkpointed)
        return;
    replica->checkpointed = replica->status.applied;
    replica->checkpointing = true;
    rv = uv_queue_work(&replica->loop, &replica->checkpoint, checkpoint_work_cb,
                       checkpoint_after_cb);
    CHECK(rv == 0);
}

static void watch_snapshot(struct replica *replica)
{
    struct snapshot_job *job = replica->snapshot_job;
    uint64_t wal_bytes = state_wal_bytes(replica->state);
    enum snapshot_wal decision =
        snapshot_wal_decide(wal_bytes, replica->snapshot_wal_bytes_max, replica->snapshot_gave_up);

    if (decision == SNAPSHOT_WAL_GO_ON || atomic_load(&job->give_up) || replica->snapshot_held)
        return;
    log_event(LOG_WARN, "snapshot_wal_full", LS("group", replica->group),
              LU("wal_bytes", wal_bytes), LU("limit", replica->snapshot_wal_bytes_max),
              LS("then", decision == SNAPSHOT_WAL_GIVE_UP ? "given up, trying again with more log"
                                                          : "commands wait until it is written"));
    if (decision == SNAPSHOT_WAL_GIVE_UP) {
        atomic_store(&job->give_up, true);
        return;
    }
    replica->snapshot_held = true;
    core_hold(replica->core, true);
}

static void timer_cb(uv_timer_t *timer);

/* The end of a turn: form batches, and wake up in time for the next thing that is due. */
static void turn(struct replica *replica)
{
    uint64_t now = replica_now_ms();
    uint64_t at;
    int rv;

    if (replica->core == NULL)
        return;
    if (replica->snapshot_job != NULL)
        watch_snapshot(replica);
    core_flush(replica->core, now);
    note_changes(replica);
    if (now >= replica->status_at) {
        replica->status_at = now + REPLICA_STATUS_MS;
        publish_status(replica);
        maybe_checkpoint(replica, now);
    }
    at = core_timeout_ms(replica->core);
    uv_update_time(&replica->loop);
    rv = uv_timer_start(&replica->timer, timer_cb, at > now ? at - now : 1, 0);
    CHECK(rv == 0);
}

/* Only bounds how long the loop sleeps: check_cb() ticks.  When this runs before a poll (libuv's
 * timers come first in a turn), the thread was kept from running, and the heartbeats of the whole
 * time are still in its sockets: they are read before the tick, or a busy machine elects all day.
 */
static void timer_cb(uv_timer_t *timer)
{
    (void)uv_timer_start(timer, timer_cb, 1, 0);
}

/* After each poll.  The tick is here and not in the timer's callback since turn() arms the timer
 * anew: one that was due, but had not run, would be put off by every turn and never tick. */
static void check_cb(uv_check_t *check)
{
    struct replica *replica = check->data;
    uint64_t now = replica_now_ms();

    if (replica->core != NULL && now >= core_timeout_ms(replica->core))
        core_tick(replica->core, now);
    turn(replica);
}

static void disk_done(void *context, struct disk_op *op)
{
    struct replica *replica = context;

    core_disk_done(replica->core, replica_now_ms(), op);
}

static void thread_main(void *context)
{
    struct replica *replica = context;

    (void)uv_run(&replica->loop, UV_RUN_DEFAULT); /* until stopped and every handle is closed */
}

/* ---- recovery ---- */

static void read_boot_id(char out[STATE_BOOT_ID_BYTES_MAX + 1])
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");

    out[0] = '\0';
    if (file == NULL)
        return;
    if (fgets(out, STATE_BOOT_ID_BYTES_MAX + 1, file) != NULL)
        out[strcspn(out, "\n")] = '\0';
    (void)fclose(file);
}

/* The rows are a cache of the log: kept only if this boot of the machine wrote them for this log.
 * They are written without syncing, so after a power cut a torn page could not be seen. */
static enum status open_state(struct replica *replica, bool fresh_log, struct err *err)
{
    char boot_id[STATE_BOOT_ID_BYTES_MAX + 1];
    enum status st = ST_NOT_FOUND;

    read_boot_id(boot_id);
    if (!fresh_log)
        st = state_open(replica->state_path, replica->state_group, &replica->state, NULL);
    if (st == ST_OK && boot_id[0] != '\0' && strcmp(state_boot_id(replica->state), boot_id) == 0)
        return ST_OK;
    state_close(replica->state);
    replica->state = NULL;
    remove_state(replica);
    st = state_open(replica->state_path, replica->state_group, &replica->state, err);
    if (st == ST_OK)
        st = state_set_boot_id(replica->state, boot_id, err);
    return st;
}

/* Rows of another history than the log's are made anew, too. */
static enum status judge_state(struct replica *replica,
                               const struct log_recovery *recovery,
                               struct err *err)
{
    uint64_t index;
    uint64_t term;

    state_applied(replica->state, &index, &term);
    if (recovery_judge_rows(recovery, index, term) != RECOVERY_ROWS_FOREIGN)
        return ST_OK;
    log_event(LOG_WARN, "state_not_of_the_log", LS("group", replica->group), LU("index", index),
              LU("term", term), LS("then", "made anew from snapshot and log"));
    return open_state(replica, true, err);
}

static enum status catch_up_with_snapshot(struct replica *replica,
                                          const struct snapshot_meta *snapshot,
                                          struct err *err)
{
    char path[SNAPSHOT_PATH_BYTES];
    uint64_t index;
    uint64_t term;
    enum status st;

    snapshot_file_sweep(replica->dir, snapshot->index);
    snapshot_file_tmp_path(replica->dir, path);
    (void)unlink(path);
    snapshot_part_resume(&replica->part, replica->dir, snapshot->index);
    if (replica->part.progress.index > 0)
        log_event(LOG_INFO, "snapshot_resumed", LS("group", replica->group),
                  LU("index", replica->part.progress.index),
                  LU("offset", replica->part.progress.offset),
                  LU("bytes", replica->part.progress.total));
    state_applied(replica->state, &index, &term);
    replica->verify.snapshot = *snapshot;
    if (index >= snapshot->index)
        return ST_OK;
    snapshot_file_path(replica->dir, snapshot->index, path);
    st = snapshot_file_verify(path, snapshot, err);
    if (st == ST_OK)
        st = state_install(replica->state, path, true, err);
    replica->verify.snapshot.index = 0; /* done */
    return st;
}

/* The members are fixed when a group is made: another list would be another group. */
static enum status check_members(const struct log_recovery *recovery,
                                 const struct log_data *bootstrap,
                                 struct err *err)
{
    struct bytes want = bytes_of(bootstrap->bytes, bootstrap->len);
    struct bytes have =
        bytes_of(recovery->snapshot.configuration, recovery->snapshot.configuration_len);

    if (recovery->snapshot.index == 0)
        have = bytes_of(recovery->entries[0].data->bytes, recovery->entries[0].data->len);
    if (bytes_equal(want, have))
        return ST_OK;
    return err_set(err, ST_BAD_INPUT, "the members given are not those the group was made with");
}

static void start_core(struct replica *replica,
                       const struct replica_config *config,
                       const struct log_recovery *recovery)
{
    struct core_config core = {
        .self_id = config->self_id,
        .member_count = config->member_count,
        .election_ms = config->election_ms ? config->election_ms : REPLICA_ELECTION_MS,
        .heartbeat_ms = config->heartbeat_ms ? config->heartbeat_ms : REPLICA_HEARTBEAT_MS,
        .snapshots.log_bytes_min = config->snapshot_log_bytes,
        .now_ms = replica_now_ms(),
        .term = recovery->term,
        .voted_for = recovery->voted_for,
        .snapshot = &recovery->snapshot,
        .first = recovery->first,
        .entries = recovery->entries,
        .entry_count = recovery->count,
        .part = replica->part.progress,
    };
    struct core_io io = core_io;

    for (unsigned i = 0; i < config->member_count; i++)
        core.member_ids[i] = config->members[i].id;
    random_bytes(&core.random_seed, sizeof core.random_seed);
    io.context = replica;
    replica->core = core_new(&core, &io, replica->state);
}

/* What this node promised to others it may not remember: it does not vote, and its files stay. */
static enum status refuse(const struct replica *replica, struct err *err)
{
    struct err why = { 0 };

    if (err == NULL)
        return ST_CORRUPT;
    why = *err;
    return err_set(err, ST_CORRUPT, "%.130s; %.40s is left as it is: lapwing node replace",
                   why.text, replica->dir);
}

static enum status recover(struct replica *replica,
                           const struct replica_config *config,
                           struct err *err)
{
    struct disk_config disk = { .dir = replica->dir,
                                .group = replica->group,
                                .loop = &replica->loop,
                                .done = disk_done,
                                .context = replica };
    struct log_recovery recovery = { 0 };
    struct log_data *bootstrap;
    uint64_t ids[NODES_MAX];
    enum status st;

    for (unsigned i = 0; i < config->member_count; i++)
        ids[i] = config->members[i].id;
    bootstrap = rules_bootstrap(ids, config->member_count);
    st = log_store_open(replica->dir, bootstrap, &replica->log_store, &recovery, err);
    if (st == ST_OK)
        st = check_members(&recovery, bootstrap, err);
    log_data_drop(bootstrap);
    if (st == ST_OK)
        st = open_state(replica, recovery.fresh, err);
    if (st == ST_OK)
        st = judge_state(replica, &recovery, err);
    if (st == ST_OK)
        st = catch_up_with_snapshot(replica, &recovery.snapshot, err);
    if (st == ST_OK) {
        disk.store = replica->log_store;
        disk.state = replica->state;
        disk.state_group = replica->state_group;
        replica->disk = disk_start(&disk);
        start_core(replica, config, &recovery);
    }
    if (st == ST_OK && recovery.wrong != NULL)
        log_event(LOG_WARN, "log_tail_dropped", LS("group", replica->group),
                  LU("index", recovery.wrong_index), LS("because", recovery.wrong),
                  LS("then", "nothing is lost: it was never durable"));
    log_recovery_done(&recovery);
    return st == ST_CORRUPT ? refuse(replica, err) : st;
}

/* ---- life ---- */

static enum status check_config(const struct replica_config *config, struct err *err)
{
    bool self = false;

    if (config->member_count == 0 || config->member_count > NODES_MAX)
        return err_set(err, ST_BAD_INPUT, "group %s: %u members", config->group,
                       config->member_count);
    for (unsigned i = 0; i < config->member_count; i++) {
        if (config->members[i].id == 0)
            return err_set(err, ST_BAD_INPUT, "group %s: a member with id 0", config->group);
        self = self || config->members[i].id == config->self_id;
        for (unsigned k = 0; k < i; k++)
            if (config->members[k].id == config->members[i].id)
                return err_set(err, ST_BAD_INPUT, "group %s: two members with id %llu",
                               config->group, (unsigned long long)config->members[i].id);
    }
    if (!self)
        return err_set(err, ST_BAD_INPUT, "group %s: this node is none of its members",
                       config->group);
    if (strcmp(config->group, "control") != 0 && strcmp(config->group, "storage") != 0)
        return err_set(err, ST_BAD_INPUT, "group %s: not control or storage", config->group);
    if (strlen(config->dir) >= SNAPSHOT_PATH_BYTES / 2)
        return err_set(err, ST_BAD_INPUT, "folder of group %s: path too long", config->group);
    return ST_OK;
}

static struct replica *replica_new(const struct replica_config *config)
{
    struct replica *replica = must_calloc(1, sizeof *replica);
    int rv;

    (void)snprintf(replica->dir, sizeof replica->dir, "%s", config->dir);
    (void)snprintf(replica->group, sizeof replica->group, "%s", config->group);
    (void)snprintf(replica->state_path, sizeof replica->state_path, "%s/state.db", replica->dir);
    replica->state_group =
        strcmp(config->group, "control") == 0 ? STATE_GROUP_CONTROL : STATE_GROUP_STORAGE;
    replica->self_id = config->self_id;
    replica->member_count = config->member_count;
    memcpy(replica->members, config->members, config->member_count * sizeof config->members[0]);
    replica->identity = config->identity;
    replica->service = config->service;
    replica->part.fd = -1;
    replica->snapshot_fd = -1;
    replica->snapshot_wal_bytes_max =
        config->snapshot_wal_bytes_max ? config->snapshot_wal_bytes_max : SNAPSHOT_WAL_BYTES_MAX;
    rv = uv_mutex_init(&replica->status_mutex);
    CHECK(rv == 0);
    rv = uv_loop_init(&replica->loop);
    CHECK(rv == 0);
    rv = uv_timer_init(&replica->loop, &replica->timer);
    CHECK(rv == 0);
    rv = uv_check_init(&replica->loop, &replica->check);
    CHECK(rv == 0);
    replica->timer.data = replica;
    replica->check.data = replica;
    replica->mailbox = mailbox_new(&replica->loop, replica_client_deliver, replica);
    return replica;
}

/* On the group's thread, or before it runs: let go of all that is on the loop. */
void replica_stop_now(struct replica *replica)
{
    struct core *core = replica->core;

    if (replica->snapshot_job != NULL)
        atomic_store(&replica->snapshot_job->give_up, true);
    disk_stop(replica->disk);
    replica->disk = NULL;
    replica->core = NULL;
    core_free(core); /* answers who waits */
    replica_links_stop(replica);
    uv_close((uv_handle_t *)&replica->timer, NULL);
    uv_close((uv_handle_t *)&replica->check, NULL);
    mailbox_close(replica->mailbox);
}

static void replica_free(struct replica *replica)
{
    int rv = uv_loop_close(&replica->loop);

    CHECK(rv == 0);
    state_close(replica->state);
    log_store_close(replica->log_store);
    snapshot_part_close(&replica->part);
    if (replica->snapshot_fd >= 0)
        (void)close(replica->snapshot_fd);
    uv_mutex_destroy(&replica->status_mutex);
    free(replica);
}

/* As mkdir -p for the last two parts of the path: DATA/zone/group. */
static enum status make_dir(const char *dir, struct err *err)
{
    char parent[SNAPSHOT_PATH_BYTES];
    char *slash;

    (void)snprintf(parent, sizeof parent, "%s", dir);
    slash = strrchr(parent, '/');
    if (slash != NULL && slash != parent) {
        *slash = '\0';
        if (mkdir(parent, 0750) < 0 && errno != EEXIST)
            return err_set_errno(err, ST_IO, errno, "make folder %s", parent);
    }
    if (mkdir(dir, 0750) < 0 && errno != EEXIST)
        return err_set_errno(err, ST_IO, errno, "make folder %s", dir);
    return ST_OK;
}

enum status replica_start(const struct replica_config *config,
                          struct replica **out_replica,
                          struct err *err)
{
    struct replica *replica;
    enum status st = check_config(config, err);
    int rv;

    if (st == ST_OK)
        st = make_dir(config->dir, err);
    if (st != ST_OK)
        return st;
    replica = replica_new(config);
    st = recover(replica, config, err);
    if (st == ST_OK)
        st = replica_links_start(replica, err);
    if (st != ST_OK) {
        replica_stop_now(replica);
        (void)uv_run(&replica->loop, UV_RUN_DEFAULT);
        replica_free(replica);
        return st;
    }
    publish_status(replica);
    verify_start(replica);
    rv = uv_check_start(&replica->check, check_cb);
    CHECK(rv == 0);
    rv = uv_timer_start(&replica->timer, timer_cb, 1, 0);
    CHECK(rv == 0);
    rv = uv_thread_create(&replica->thread, thread_main, replica);
    CHECK(rv == 0);
    *out_replica = replica;
    return ST_OK;
}

void replica_stop(struct replica *replica)
{
    if (replica == NULL)
        return;
    replica_client_post_stop(replica);
    (void)uv_thread_join(&replica->thread);
    replica_free(replica);
}
