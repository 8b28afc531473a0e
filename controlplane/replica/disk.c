#include "controlplane/replica/disk.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "controlplane/replica/log_store.h"
#include "controlplane/replica/snapshot_file.h"
#include "controlplane/replica/snapshot_part.h"
#include "controlplane/state/state.h"

/* A run of operations that became durable together. */
struct done_mail {
    struct mail mail;
    struct disk_op *first;
    struct disk_op *end; /* the first one that is not done */
};

struct disk {
    struct disk_config config;
    uv_thread_t thread;
    uv_mutex_t mutex;
    uv_cond_t filled;
    struct disk_op *queue;
    struct disk_op **queue_end;
    bool stopping;
    struct mailbox *mailbox;
};

_Noreturn static void fatal(const struct disk *disk, enum status st, const struct err *err)
{
    log_event(LOG_ERROR, "replica_disk_failed", LS("group", disk->config.group),
              LS("status", status_name(st)), LS("error", err->text), LS("then", "stopping"));
    check_failed(__FILE__, __LINE__, "the group's disk failed");
}

static enum status take(struct disk *disk, const struct snapshot_meta *meta, struct err *err)
{
    char path[SNAPSHOT_PATH_BYTES];
    enum status st;

    snapshot_file_tmp_path(disk->config.dir, path);
    st = snapshot_file_store(disk->config.dir, path, meta->index, err);
    if (st == ST_OK)
        st = log_store_take(disk->config.store, meta, err);
    return st;
}

static enum status install(struct disk *disk, const struct snapshot_meta *meta, struct err *err)
{
    char path[SNAPSHOT_PATH_BYTES];
    enum status st;

    snapshot_file_part_path(disk->config.dir, path);
    /* Before it takes the place of a log that is whole: its hash says that it is what the leader
     * has, not that this release can live with it.  Refused, it stops the process with the reason,
     * and the log is what it was. */
    st = state_check_snapshot(path, disk->config.state_group, err);
    if (st == ST_OK)
        st = snapshot_file_store(disk->config.dir, path, meta->index, err);
    snapshot_part_remove(disk->config.dir); /* its mark */
    if (st == ST_OK)
        st = log_store_install(disk->config.store, meta, err);
    if (st != ST_OK)
        return st;
    snapshot_file_path(disk->config.dir, meta->index, path);
    return state_install(disk->config.state, path, true, err);
}

static void perform(struct disk *disk, struct disk_op *first, struct disk_op *end)
{
    struct err err = { 0 };
    enum status st = ST_OK;

    switch (first->kind) {
    case DISK_APPEND:
        st = log_store_append(disk->config.store, first, end, &err);
        break;
    case DISK_TAKE:
        st = take(disk, &first->snapshot, &err);
        break;
    case DISK_DROP:
        st = log_store_drop(disk->config.store, first->first, &err);
        break;
    case DISK_INSTALL:
        st = install(disk, &first->snapshot, &err);
        break;
    }
    if (st != ST_OK)
        fatal(disk, st, &err);
    if (first->kind == DISK_APPEND || first->kind == DISK_DROP)
        return;
    /* Here, in the order of the work: on the loop it would come late, when the snapshot of the next
     * operation is in the folder already, and remove that. */
    snapshot_file_sweep(disk->config.dir, first->snapshot.index);
    log_event(LOG_INFO, first->kind == DISK_TAKE ? "snapshot_taken" : "snapshot_installed",
              LS("group", disk->config.group), LU("index", first->snapshot.index),
              LU("bytes", first->snapshot.bytes));
}

/* Appends that wait together are one transaction: one sync. */
static void perform_all(struct disk *disk, struct disk_op *first)
{
    while (first != NULL) {
        struct done_mail *done = must_calloc(1, sizeof *done);
        struct disk_op *end = first->host_next;

        while (first->kind == DISK_APPEND && end != NULL && end->kind == DISK_APPEND)
            end = end->host_next;
        perform(disk, first, end);
        done->first = first;
        done->end = end;
        mailbox_post(disk->mailbox, &done->mail); /* from here on the loop owns them */
        first = end;
    }
}

static void thread_main(void *context)
{
    struct disk *disk = context;
    bool stopping = false;

    while (!stopping) {
        struct disk_op *first;

        uv_mutex_lock(&disk->mutex);
        while (disk->queue == NULL && !disk->stopping)
            uv_cond_wait(&disk->filled, &disk->mutex);
        first = disk->queue;
        disk->queue = NULL;
        disk->queue_end = &disk->queue;
        stopping = first == NULL;
        uv_mutex_unlock(&disk->mutex);
        perform_all(disk, first);
    }
}

static void deliver(struct mail *mail, void *context)
{
    struct done_mail *done = container_of(mail, struct done_mail, mail);
    struct disk *disk = context;

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
