/* A replica's thread: its loop turns links, clients, disk and time into calls of the core, and the
 * core's wishes into I/O.  Nothing is decided here. */
#include "controlplane/replica/replica.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <raft.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/folder.h"
#include "base/log.h"
#include "controlplane/replica/mapped_wal.h"
#include "controlplane/replica/raft_rules.h"
#include "controlplane/replica/replica_internal.h"

uint64_t replica_now_ms(void)
{
    return clock_lease_ns(&clock_system) / 1000000;
}

/* ---- what the core asks for ---- */

/* A vote waits for nothing: without room it takes what is kept for votes.  It waits for the write
 * of the log that is under way, though, so a disk that hangs stops this thread, its heartbeats with
 * it, and the others elect. */
static void io_set_vote(void *context, uint64_t term, uint64_t voted_for)
{
    struct replica *replica = context;
    struct err err = { 0 };
    enum status st;

    do {
        st = log_store_set_vote(replica->log_store, term, voted_for, &err);
    } while (st == ST_NO_SPACE && reserve_give(&replica->reserve, 0, true));
    if (st != ST_OK)
        replica_disk_failed_now(replica, &err);
}

static void io_disk_failed(void *context, const struct err *err)
{
    replica_disk_failed_now(context, err);
}

static void io_disk(void *context, struct disk_op *op)
{
    struct replica *replica = context;

    if (op->kind == DISK_INSTALL)
        snapshot_part_close(&replica->part);
    disk_push(replica->disk, op);
}

/* Whatever leaves the core may be news of a commit that the rows do not show yet, or a vote. */
static void news_leaves(struct replica *replica)
{
    atomic_store(&replica->reads_until_ms, 0);
}

/* The clock comes second: a lease that holds when it is read held when the word was. */
bool replica_rows_are_current(const struct replica *replica)
{
    uint64_t until_ms = atomic_load(&replica->reads_until_ms);

    return until_ms != 0 && replica_now_ms() < until_ms;
}

static void io_send(void *context, uint64_t peer, uint16_t type, struct bytes body)
{
    news_leaves(context);
    replica_links_send(context, peer, type, body);
}

static uint64_t io_stamp_ms(void *context)
{
    (void)context;
    return clock_stamp_ms(&clock_system);
}

static uint64_t io_work_us(void *context)
{
    (void)context;
    return uv_hrtime() / 1000;
}

static void io_state_failed(void *context, const struct err *err)
{
    struct replica *replica = context;

    /* Our own boot wrote them, so the next start would keep them and meet the same page again. */
    replica_rows_remove(replica);
    log_event(LOG_ERROR, "state_failed", LS("group", replica->group), LS("error", err->text),
              LS("then", "stopping; made anew from snapshot and log at the start"));
}

static void io_log_read(void *context, uint64_t first, unsigned count, struct log_entry *out)
{
    struct replica *replica = context;
    struct err err = { 0 };

    if (log_store_read(replica->log_store, first, count, out, &err) == ST_OK)
        return;
    /* The restart reads the whole log, and tells whether this node may go on with it. */
    replica_disk_failed_now(replica, &err);
}

uint64_t replica_changes(const struct replica *replica)
{
    return atomic_load(&replica->changes);
}

void replica_watch(struct replica *replica, uv_async_t *async)
{
    uv_mutex_lock(&replica->status_mutex);
    replica->watcher = async;
    atomic_store(&replica->watched, async != NULL);
    uv_mutex_unlock(&replica->status_mutex);
}

static void wake_watcher(struct replica *replica)
{
    if (!atomic_exchange(&replica->watched, false))
        return;
    uv_mutex_lock(&replica->status_mutex); /* it may be taken away */
    if (replica->watcher != NULL)
        (void)uv_async_send(replica->watcher);
    uv_mutex_unlock(&replica->status_mutex);
}

static void note_changes(struct replica *replica)
{
    uint64_t applied = core_applied(replica->core);

    if (applied == replica->changed_at)
        return;
    replica->changed_at = applied;
    (void)atomic_fetch_add(&replica->changes, 1);
    wake_watcher(replica);
}

/* Comes from within the apply, when the index has not moved yet but the rows have. */
static void io_proposed(void *context, void *token, enum status st, const Lapwing__Outcome *outcome)
{
    struct replica *replica = context;

    news_leaves(replica);
    (void)atomic_fetch_add(&replica->changes, 1);
    wake_watcher(replica);
    replica_client_proposed(token, st, outcome);
}

static void io_barrier_done(void *context, void *token, enum status st)
{
    struct replica *replica = context;

    news_leaves(replica);
    if (replica->core != NULL)
        note_changes(replica);
    replica_client_barrier_done(token, st);
}

static void io_transferred(void *context, void *token, enum status st)
{
    news_leaves(context);
    replica_client_transferred(token, st);
}

static const struct core_io core_io = {
    .set_vote = io_set_vote,
    .disk = io_disk,
    .disk_failed = io_disk_failed,
    .send = io_send,
    .stamp_ms = io_stamp_ms,
    .work_us = io_work_us,
    .state_failed = io_state_failed,
    .log_read = io_log_read,
    .known_store = replica_known_store,
    .forgotten = replica_forgotten,
    .snapshot_write = replica_snapshot_write,
    .snapshot_read = replica_snapshot_read,
    .snapshot_doubt = replica_snapshot_doubt,
    .part_reset = replica_part_reset,
    .part_drop = replica_part_drop,
    .part_append = replica_part_append,
    .part_hash = replica_part_hash,
    .proposed = io_proposed,
    .barrier_done = io_barrier_done,
    .transferred = io_transferred,
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

static void fill_member(const struct replica_member *member,
                        const struct core_view *view,
                        struct replica_member_status *out,
                        bool *out_takes_part)
{
    *out_takes_part = true; /* what is no member yet holds up nobody */
    out->member = *member;
    for (unsigned i = 0; i < view->member_count; i++) {
        if (view->members[i].id != member->id)
            continue;
        out->membership = view->members[i].voter ? REPLICA_VOTER : REPLICA_STANDBY;
        out->up = view->members[i].up;
        out->match = view->members[i].match;
        out->disk = view->members[i].disk;
        out->forgot = view->members[i].forgot;
        *out_takes_part = view->members[i].takes_part;
    }
}

static void fill_members(const struct replica *replica,
                         const struct core_view *view,
                         struct replica_status *out)
{
    struct replica_member_status *self = &out->members[out->member_count++];
    bool takes_part;

    fill_member(&replica->self, view, self, &takes_part);
    self->connected = true;
    self->version = takes_part ? replica->identity->self.version : 0;
    for (unsigned i = 0; i < replica->peer_count; i++) {
        const struct replica_peer *peer = replica->peers[i];
        struct replica_member_status *member = &out->members[out->member_count++];

        fill_member(&peer->member, view, member, &takes_part);
        member->connected = peer->out != NULL;
        if (peer->out != NULL && takes_part)
            member->version = stream_peer(peer->out)->version;
    }
}

static void publish_status(struct replica *replica)
{
    struct replica_status now = { .self_id = replica->self.id };
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
    now.last = view.last;
    now.log_bytes = view.log_bytes;
    now.applied_ms = view.leader_ms;
    now.cluster_version = view.cluster_version;
    now.disk = view.disk;
    now.disk_free_bytes = replica->watch.free_bytes;
    now.disk_low_bytes = replica->watch.limits.low_bytes;
    now.disk_high_bytes = replica->watch.limits.high_bytes;
    memcpy(now.disk_path, replica->dir, sizeof now.disk_path);
    now.lease = replica_now_ms() < view.lease_until_ms;
    fill_members(replica, &view, &now);
    log_change(replica, &now);
    replica_known_look(replica);
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

/* ---- the loop ---- */

static void checkpoint_work_cb(uv_work_t *work)
{
    struct replica *replica = container_of(work, struct replica, checkpoint);
    struct err err = { 0 };
    enum status st = state_checkpoint(replica->state_path, REPLICA_WAL_BYTES_MAX,
                                      &replica->checkpoint_left_bytes, &err);

    if (st != ST_OK && !replica->checkpoint_failed)
        log_event(LOG_WARN, "checkpoint_failed", LS("group", replica->group), LS("error", err.text),
                  LS("then", "trying again, and silent until it works"));
    replica->checkpoint_failed = st != ST_OK;
}

/* Nothing is moved past the view of a snapshot, and waiting for its end would hold up applying.
 * While installing, the rows are the disk thread's. */
static bool may_checkpoint(const struct replica *replica)
{
    return replica->core != NULL && !core_installing(replica->core) &&
           replica->snapshot_job == NULL;
}

static void checkpoint_after_cb(uv_work_t *work, int status)
{
    struct replica *replica = container_of(work, struct replica, checkpoint);

    (void)status;
    replica->checkpointing = false;
    /* What was written meanwhile: after it the next commit begins the log anew, unless somebody is
     * reading in it just now; then all this is due again. */
    if (!replica->checkpoint_failed && may_checkpoint(replica) &&
        replica->checkpoint_left_bytes <= REPLICA_CHECKPOINT_REST_BYTES &&
        state_wal_bytes(replica->state) >= REPLICA_WAL_BYTES)
        state_checkpoint_rest(replica->state);
}

/* One that was held up by a reader holds commits up as well, so the next is not before its time. */
static bool checkpoint_is_due(const struct replica *replica, uint64_t now_ms)
{
    return now_ms >= replica->checkpoint_at ||
           (!replica->checkpoint_failed && state_wal_bytes(replica->state) >= REPLICA_WAL_BYTES);
}

static void maybe_checkpoint(struct replica *replica, uint64_t now_ms)
{
    int rv;

    if (replica->checkpointing || !may_checkpoint(replica) || !checkpoint_is_due(replica, now_ms))
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

static void timer_cb(uv_timer_t *timer);

/* The end of a turn: form batches, and wake up in time for the next thing that is due. */
static void turn(struct replica *replica)
{
    uint64_t now = replica_now_ms();
    uint64_t at;
    int rv;

    if (replica->core == NULL)
        return;
    replica_disk_turn(replica, now);
    replica_snapshot_watch(replica);
    core_flush(replica->core, now);
    note_changes(replica);
    if (now >= replica->status_at) {
        replica->status_at = now + REPLICA_STATUS_MS;
        replica_book_update(replica);
        publish_status(replica);
        maybe_checkpoint(replica, now);
    }
    atomic_store(&replica->reads_until_ms, core_reads_until_ms(replica->core));
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

static void disk_failed(void *context, const struct err *err)
{
    replica_disk_failed(context, err);
}

static void thread_main(void *context)
{
    struct replica *replica = context;

    (void)pthread_setname_np(pthread_self(), replica->group); /* for top and perf */
    (void)uv_run(&replica->loop, UV_RUN_DEFAULT); /* until stopped and every handle is closed */
}

/* ---- recovery ---- */

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
        st = replica_rows_begin(replica, path, snapshot->bytes, err);
    replica->verify.snapshot.index = 0; /* done */
    return st;
}

static void start_core(struct replica *replica,
                       const struct replica_config *config,
                       const struct log_recovery *recovery,
                       const struct known *known)
{
    struct core_config core = {
        .self_id = config->self_id,
        .election_ms = config->election_ms ? config->election_ms : REPLICA_ELECTION_MS,
        .heartbeat_ms = config->heartbeat_ms ? config->heartbeat_ms : REPLICA_HEARTBEAT_MS,
        .snapshots.log_bytes_min = config->snapshot_log_bytes,
        .now_ms = replica_now_ms(),
        .leader_lease = config->leader_lease,
        .fresh = recovery->fresh,
        .term = recovery->term,
        .voted_for = recovery->voted_for,
        .snapshot = &recovery->snapshot,
        .first = recovery->first,
        .entries = recovery->entries,
        .entry_count = recovery->count,
        .part = replica->part.progress,
        .known = known,
        .address = replica->self.address,
    };
    struct core_io io = core_io;

    random_bytes(&core.random_seed, sizeof core.random_seed);
    io.context = replica;
    replica->core = core_new(&core, &io, replica->state);
}

/* What to do about it.  Where the log is corrupt this node may not remember what it promised: it
 * does not vote, and its files stay.  What a start without room made, another one goes on with. */
static enum status explain(const struct replica *replica, enum status st, struct err *err)
{
    struct err why = { 0 };
    struct statvfs info = { 0 };

    if (err == NULL)
        return st;
    why = *err;
    if (st == ST_CORRUPT)
        return err_set(err, st, "%.130s; %.40s is left as it is: lapwing node replace", why.text,
                       replica->dir);
    if (st != ST_NO_SPACE)
        return st;
    (void)statvfs(replica->dir, &info);
    return err_set(err, st, "%.110s; %.60s has %llu bytes free: make room, nothing is lost",
                   why.text, replica->dir,
                   (unsigned long long)info.f_bavail * (unsigned long long)info.f_frsize);
}

static enum status recover(struct replica *replica,
                           const struct replica_config *config,
                           struct err *err)
{
    struct disk_config disk = { .dir = replica->dir,
                                .group = replica->group,
                                .reserve = &replica->reserve,
                                .loop = &replica->loop,
                                .done = disk_done,
                                .failed = disk_failed,
                                .context = replica };
    struct log_recovery recovery = { 0 };
    struct log_data *bootstrap = NULL;
    struct known known;
    uint64_t ids[NODES_MAX];
    enum status st;

    for (unsigned i = 0; i < config->member_count; i++)
        ids[i] = config->members[i].id;
    state_doubt_path(replica->dir, replica->doubt_path);
    st = replica_known_open(replica, config, &known, err);
    if (st != ST_OK)
        return explain(replica, st, err);
    if (!config->join)
        bootstrap = rules_bootstrap(ids, config->member_count);
    do { /* SQLite makes files beside its own: on a full disk with room of the reserve */
        st = log_store_open(replica->dir, bootstrap, &replica->log_store, &recovery, err);
    } while (st == ST_NO_SPACE && reserve_give(&replica->reserve, 0, true));
    log_data_drop(bootstrap);
    if (st == ST_OK && recovery.fresh && known.takes_part && known.count > 0)
        st = err_set(err, ST_CORRUPT, "%.80s: took part, and its log.db and log.mark are gone",
                     replica->dir);
    if (st == ST_OK && recovery.count == 0 && recovery.snapshot.index == 0)
        log_event(LOG_INFO, "replica_joining", LS("group", replica->group),
                  LU("id", config->self_id), LS("then", "waiting to be added to the group"));
    if (st == ST_OK)
        st = replica_rows_open(replica, recovery.fresh, err);
    if (st == ST_OK)
        st = replica_rows_judge(replica, &recovery, err);
    if (st == ST_OK)
        st = catch_up_with_snapshot(replica, &recovery.snapshot, err);
    if (st == ST_OK) {
        disk.store = replica->log_store;
        disk.state = replica->state;
        disk.state_group = replica->state_group;
        replica->disk = disk_start(&disk);
        start_core(replica, config, &recovery, &known);
    }
    if (st == ST_OK && recovery.wrong != NULL)
        log_event(LOG_WARN, "log_tail_dropped", LS("group", replica->group),
                  LU("index", recovery.wrong_index), LS("because", recovery.wrong),
                  LS("then", "nothing is lost: it was never durable"));
    log_recovery_done(&recovery);
    return st == ST_OK ? ST_OK : explain(replica, st, err);
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
    if (replica_disk_limits(config).low_bytes > replica_disk_limits(config).high_bytes)
        return err_set(err, ST_BAD_INPUT, "group %s: disk_low_bytes %llu is above disk_high_bytes",
                       config->group, (unsigned long long)replica_disk_limits(config).low_bytes);
    if (strlen(config->dir) >= REPLICA_PATH_BYTES)
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
    replica->configured_count = config->member_count;
    memcpy(replica->configured, config->members, config->member_count * sizeof config->members[0]);
    for (unsigned i = 0; i < config->member_count; i++)
        if (config->members[i].id == config->self_id)
            replica->self = config->members[i];
    replica->identity = config->identity;
    replica->service = config->service;
    replica->part.fd = -1;
    replica->snapshot_fd = -1;
    replica_disk_init(replica, config);
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

static void stop_deciding(struct replica *replica)
{
    struct core *core = replica->core;

    replica_snapshot_give_up(replica);
    news_leaves(replica);
    disk_stop(replica->disk);
    replica->disk = NULL;
    replica->core = NULL;
    core_free(core); /* answers who waits */
    replica_links_stop(replica);
}

/* On the group's thread, or before it runs: let go of all that is on the loop. */
void replica_stop_now(struct replica *replica)
{
    stop_deciding(replica);
    uv_close((uv_handle_t *)&replica->timer, NULL);
    uv_close((uv_handle_t *)&replica->check, NULL);
    mailbox_close(replica->mailbox);
}

/* Nothing that this node has is needed any more, and it must not vote with it. */
void replica_let_go(struct replica *replica, const char *who)
{
    log_event(LOG_ERROR, "replica_removed", LS("group", replica->group), LU("id", replica->self.id),
              LS("said_by", who), LS("then", "serving nothing: stop it and wipe its data"));
    stop_deciding(replica);
    (void)uv_timer_stop(&replica->timer);
    uv_mutex_lock(&replica->status_mutex);
    replica->status.removed = true;
    replica->status.role = REPLICA_FOLLOWER;
    replica->status.leader_id = 0;
    uv_mutex_unlock(&replica->status_mutex);
    wake_watcher(replica);
}

static void replica_free(struct replica *replica)
{
    int rv = uv_loop_close(&replica->loop);

    CHECK(rv == 0);
    state_close(replica->state);
    log_store_close(replica->log_store);
    snapshot_part_close(&replica->part);
    reserve_done(&replica->reserve);
    if (replica->snapshot_fd >= 0)
        (void)close(replica->snapshot_fd);
    uv_mutex_destroy(&replica->status_mutex);
    free(replica);
}

enum status replica_start(const struct replica_config *config,
                          struct replica **out_replica,
                          struct err *err)
{
    struct replica *replica;
    enum status st = check_config(config, err);
    int rv;

    if (st == ST_OK)
        st = folder_make(config->dir, 0750, 2, err); /* DATA/group */
    if (st != ST_OK)
        return st;
    mapped_wal_register();
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
    if (replica->verify.snapshot.index != 0)
        replica_snapshot_doubt(replica, &replica->verify.snapshot);
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
