#include "controlplane/replica/disk.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "controlplane/replica/log_store.h"
#include "controlplane/replica/reserve.h"
#include "controlplane/replica/snapshot_file.h"
#include "controlplane/replica/snapshot_part.h"
#include "controlplane/state/state.h"

/* A run of operations that became durable together, or the news that nothing will any more. */
struct done_mail {
    struct mail mail;
    struct disk_op *first;
    struct disk_op *end; /* the first one that is not done */
    bool failed;
    struct err err;
};

struct disk {
    struct disk_config config;
    uv_thread_t thread;
    uv_mutex_t mutex;
    uv_cond_t filled; /* or stopping, or time to try again */
    struct disk_op *queue;
    struct disk_op **queue_end;
    bool stopping;
    struct mailbox *mailbox;
    uint64_t
        stored; /* the thread's: index of the snapshot whose file is in place, its row not yet */
    _Atomic bool held;
    _Atomic uint64_t began_ms; /* of the call under way; 0: none */
    _Atomic uint64_t slowest_ms;
};

static uint64_t now_ms(void)
{
    return uv_hrtime() / 1000000;
}

/* The file is moved once, however often what comes behind it is tried. */
static enum status store_file(struct disk *disk, const char *path, uint64_t index, struct err *err)
{
    enum status st = ST_OK;

    if (disk->stored != index)
        st = snapshot_file_store(disk->config.dir, path, index, err);
    if (st == ST_OK)
        disk->stored = index;
    return st;
}

static enum status take(struct disk *disk, const struct snapshot_meta *meta, struct err *err)
{
    char path[SNAPSHOT_PATH_BYTES];
    enum status st;

    snapshot_file_tmp_path(disk->config.dir, path);
    st = store_file(disk, path, meta->index, err);
    if (st == ST_OK)
        st = log_store_take(disk->config.store, meta, err);
    return st;
}

/* Before it takes the place of a log that is whole: its hash says that it is what the leader has,
 * not that this release can live with it.  Refused, it stops the process with the reason, and the
 * log is what it was. */
static enum status check_received(struct disk *disk, const char *path, struct err *err)
{
    return state_check_snapshot(path, disk->config.state_group, err);
}

static enum status install(struct disk *disk, const struct snapshot_meta *meta, struct err *err)
{
    char path[SNAPSHOT_PATH_BYTES];
    enum status st = ST_OK;

    snapshot_file_part_path(disk->config.dir, path);
    if (disk->stored != meta->index)
        st = check_received(disk, path, err);
    if (st == ST_OK)
        st = store_file(disk, path, meta->index, err);
    if (st != ST_NO_SPACE)
        snapshot_part_remove(disk->config.dir); /* its mark */
    if (st == ST_OK)
        st = log_store_install(disk->config.store, meta, err);
    if (st != ST_OK)
        return st;
    snapshot_file_path(disk->config.dir, meta->index, path);
    return state_install(disk->config.state, path, true, err);
}

static enum status perform(struct disk *disk,
                           struct disk_op *first,
                           struct disk_op *end,
                           struct err *err)
{
    enum status st = ST_OK;
    uint64_t took;
    uint64_t began = now_ms();

    /* What installs takes as long as its rows do. */
    if (first->kind != DISK_INSTALL)
        atomic_store(&disk->began_ms, began);
    switch (first->kind) {
    case DISK_APPEND:
        st = log_store_append(disk->config.store, first, end, err);
        break;
    case DISK_TAKE:
        st = take(disk, &first->snapshot, err);
        break;
    case DISK_DROP:
        st = log_store_drop(disk->config.store, first->first, err);
        break;
    case DISK_INSTALL:
        st = install(disk, &first->snapshot, err);
        break;
    }
    took = now_ms() - began;
    if (first->kind != DISK_INSTALL && took > atomic_load(&disk->slowest_ms))
        atomic_store(&disk->slowest_ms, took);
    atomic_store(&disk->began_ms, 0);
    return st;
}

/* What the log may take for them: as much in its write-ahead log as later in the database. */
static uint64_t bytes_of_ops(const struct disk_op *first, const struct disk_op *end)
{
    uint64_t bytes = 0;

    for (const struct disk_op *op = first; op != end; op = op->host_next)
        for (unsigned i = 0; i < op->count; i++)
            bytes += op->entries[i].data->len;
    return 2 * bytes;
}

/* False when the disk is being stopped. */
static bool wait_for_room(struct disk *disk)
{
    bool stopping;

    atomic_store(&disk->held, true);
    uv_mutex_lock(&disk->mutex);
    if (!disk->stopping)
        (void)uv_cond_timedwait(&disk->filled, &disk->mutex, disk->config.hold_ms * 1000000ull);
    stopping = disk->stopping;
    uv_mutex_unlock(&disk->mutex);
    return !stopping;
}

/* Until it is done.  ST_NO_SPACE: it was not, and the disk is being stopped. */
static enum status persist(struct disk *disk,
                           struct disk_op *first,
                           struct disk_op *end,
                           struct err *err)
{
    enum status st = perform(disk, first, end, err);

    while (st == ST_NO_SPACE) {
        if (!reserve_give(disk->config.reserve, bytes_of_ops(first, end), false) &&
            !wait_for_room(disk))
            return st;
        st = perform(disk, first, end, err);
    }
    atomic_store(&disk->held, false);
    disk->stored = 0;
    return st;
}

static void report(struct disk *disk, const struct disk_op *op)
{
    if (op->kind == DISK_APPEND || op->kind == DISK_DROP)
        return;
    /* Here, in the order of the work: on the loop it would come late, when the snapshot of the next
     * operation is in the folder already, and remove that. */
    snapshot_file_sweep(disk->config.dir, op->snapshot.index);
    log_event(LOG_INFO, op->kind == DISK_TAKE ? "snapshot_taken" : "snapshot_installed",
              LS("group", disk->config.group), LU("index", op->snapshot.index),
              LU("bytes", op->snapshot.bytes));
}

/* The first one behind those that become durable together: appends that wait, as one sync. */
static struct disk_op *batch_end(struct disk_op *first)
{
    struct disk_op *end = first->host_next;
    uint64_t bytes = bytes_of_ops(first, end);

    while (first->kind == DISK_APPEND && end != NULL && end->kind == DISK_APPEND) {
        bytes += bytes_of_ops(end, end->host_next);
        if (bytes > 2 * (uint64_t)DISK_BATCH_BYTES_MAX)
            break;
        end = end->host_next;
    }
    return end;
}

/* False when nothing may follow. */
static bool perform_all(struct disk *disk, struct disk_op *first)
{
    while (first != NULL) {
        struct done_mail *done = must_calloc(1, sizeof *done);
        struct disk_op *end = batch_end(first);
        enum status st = persist(disk, first, end, &done->err);

        if (st == ST_NO_SPACE) {
            free(done);
            return false;
        }
        done->failed = st != ST_OK;
        if (done->failed) {
            mailbox_post(disk->mailbox, &done->mail);
            return false;
        }
        report(disk, first);
        done->first = first;
        done->end = end;
        mailbox_post(disk->mailbox, &done->mail); /* from here on the loop owns them */
        first = end;
    }
    return true;
}

static void thread_main(void *context)
{
    struct disk *disk = context;
    bool stopping = false;
    bool going = true;
    char name[16]; /* as long as the kernel takes */

    (void)snprintf(name, sizeof name, "%.10s-disk", disk->config.group);
    (void)pthread_setname_np(pthread_self(), name);
    while (!stopping && going) {
        struct disk_op *first;

        uv_mutex_lock(&disk->mutex);
        while (disk->queue == NULL && !disk->stopping)
            uv_cond_wait(&disk->filled, &disk->mutex);
        first = disk->queue;
        disk->queue = NULL;
        disk->queue_end = &disk->queue;
        stopping = first == NULL;
        uv_mutex_unlock(&disk->mutex);
        going = perform_all(disk, first);
    }
}

static void deliver(struct mail *mail, void *context)
{
    struct done_mail *done = container_of(mail, struct done_mail, mail);
    struct disk *disk = context;

    if (done->failed)
        disk->config.failed(disk->config.context, &done->err);
    while (done->first != done->end) {
        struct disk_op *op = done->first;

        done->first = op->host_next;
        disk->config.done(disk->config.context, op);
    }
    free(done);
}

struct disk *disk_start(const struct disk_config *config)
{
    struct disk *disk = must_calloc(1, sizeof *disk);
    int rv;

    disk->config = *config;
    if (disk->config.hold_ms == 0)
        disk->config.hold_ms = DISK_HOLD_MS;
    disk->queue_end = &disk->queue;
    disk->mailbox = mailbox_new(config->loop, deliver, disk);
    rv = uv_mutex_init(&disk->mutex);
    CHECK(rv == 0);
    rv = uv_cond_init(&disk->filled);
    CHECK(rv == 0);
    rv = uv_thread_create(&disk->thread, thread_main, disk);
    CHECK(rv == 0);
    return disk;
}

void disk_push(struct disk *disk, struct disk_op *op)
{
    op->host_next = NULL;
    uv_mutex_lock(&disk->mutex);
    *disk->queue_end = op;
    disk->queue_end = &op->host_next;
    uv_cond_signal(&disk->filled);
    uv_mutex_unlock(&disk->mutex);
}

void disk_look(struct disk *disk, struct disk_view *out)
{
    uint64_t began = atomic_load(&disk->began_ms);
    uint64_t now = now_ms();

    out->held = atomic_load(&disk->held);
    out->slowest_ms = atomic_exchange(&disk->slowest_ms, 0);
    if (began != 0 && now > began && now - began > out->slowest_ms)
        out->slowest_ms = now - began;
}

void disk_stop(struct disk *disk)
{
    if (disk == NULL)
        return;
    uv_mutex_lock(&disk->mutex);
    disk->stopping = true;
    uv_cond_signal(&disk->filled);
    uv_mutex_unlock(&disk->mutex);
    (void)uv_thread_join(&disk->thread);
    mailbox_close(disk->mailbox); /* delivers what was posted */
    uv_cond_destroy(&disk->filled);
    uv_mutex_destroy(&disk->mutex);
    /* done() above may have pushed more; it is dropped, as by a power cut. */
    free(disk);
}
