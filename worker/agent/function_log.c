/* Logs of functions.  The loop's thread appends; one pool thread at a time writes and reads. */
#include "worker/agent/function_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

/* Counted for each line, so that empty ones are not free. */
enum { LINE_OVERHEAD_BYTES = 64 };

/* Lines of one function that wait to be written. */
struct batch {
    struct batch *next;
    char key[LOG_KEY_BYTES];
    struct buf text;
};

struct read_request {
    struct read_request *next;
    char key[LOG_KEY_BYTES];
    uint64_t after, last;
    uint32_t max_bytes;
    log_read_fn done;
    void *context;
    struct buf text; /* file contents that `lines` point into */
    struct log_read_line *lines;
    size_t count, capacity;
};

/* Batches and reads are handed to the pool thread together, so that a read sees what was appended
 * before it; while the work runs they belong to that thread. */
struct function_log {
    uv_loop_t *loop;
    uv_timer_t timer;
    uv_work_t work;
    char dir[512];
    uint64_t cursor;
    size_t pending_bytes;
    uint64_t dropped;
    unsigned read_count;
    bool working;
    struct batch *batches, *work_batches;
    struct read_request *reads, *work_reads;
};

static void pump(struct function_log *store);
static void timer_cb(uv_timer_t *timer);

static void path_of(
    const struct function_log *store, const char *key, int index, char *out, size_t len)
{
    (void)snprintf(out, len, "%s/%s.%d", store->dir, key, index);
}

static void make_folders(const struct function_log *store, const char *key)
{
    char path[1024];
    const char *slash = strchr(key, '/');

    while (slash != NULL) {
        (void)snprintf(path, sizeof path, "%s/%.*s", store->dir, (int)(slash - key), key);
        (void)mkdir(path, 0750); /* the open that follows reports what is wrong */
        slash = strchr(slash + 1, '/');
    }
}

static void write_batch(const struct function_log *store, const struct batch *batch)
{
    char path[1024], old[1024];
    struct stat info;
    size_t done = 0;
    int fd;

    path_of(store, batch->key, 0, path, sizeof path);
    path_of(store, batch->key, 1, old, sizeof old);
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0 && errno == ENOENT) {
        make_folders(store, batch->key);
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    }
    if (fd >= 0 && fstat(fd, &info) == 0 &&
        (size_t)info.st_size + batch->text.len > LOG_FILE_BYTES_MAX && info.st_size > 0) {
        (void)close(fd);
        (void)rename(path, old);
        fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    }
    while (fd >= 0 && done < batch->text.len) {
        ssize_t wrote = write(fd, batch->text.data + done, batch->text.len - done);

        if (wrote <= 0)
            break;
        done += (size_t)wrote;
    }
    if (done < batch->text.len)
        log_event(LOG_WARN, "function_log_lost", LS("log", batch->key),
                  LU("bytes", batch->text.len - done), LS("error", strerror(errno)));
    if (fd >= 0)
        (void)close(fd);
}

static void add_line(struct read_request *req, const struct log_read_line *line)
{
    if (req->count == req->capacity) {
        req->capacity = req->capacity == 0 ? 64 : req->capacity * 2;
        req->lines = must_realloc(req->lines, req->capacity * sizeof *req->lines);
    }
    req->lines[req->count++] = *line;
    req->last = line->cursor;
}

/* Take lines of one file's content; false once `max_bytes` are reached. */
static bool parse_lines(struct read_request *req, const char *at, size_t len, uint32_t *room)
{
    while (len > 0) {
        const char *newline = memchr(at, '\n', len);
        struct log_read_line line = { 0 };
        char *text;

        if (newline == NULL)
            return true; /* being written: it is read the next time */
        line.cursor = strtoull(at, &text, 10);
        line.at_ms = strtoull(text, &text, 10);
        if (text < newline && *text == ' ')
            text++;
        line.text = bytes_of(text, (size_t)(newline - text));
        if (line.cursor > req->last && line.cursor > req->after) {
            if (line.text.len + LINE_OVERHEAD_BYTES > *room)
                return false;
            *room -= (uint32_t)line.text.len + LINE_OVERHEAD_BYTES;
            add_line(req, &line);
        }
        len -= (size_t)(newline + 1 - at);
        at = newline + 1;
    }
    return true;
}

static size_t load(struct read_request *req, int fd)
{
    size_t before = req->text.len;

    for (;;) {
        ssize_t got = read(fd, buf_reserve(&req->text, 65536), 65536);

        if (got <= 0 || req->text.len - before > 2u * LOG_FILE_BYTES_MAX)
            break;
        req->text.len += (size_t)got;
    }
    return req->text.len - before;
}

static void read_files(const struct function_log *store, struct read_request *req)
{
    uint32_t room = req->max_bytes;
    char path[1024];
    size_t old_len = 0, new_len = 0;
    int fds[2];

    /* No rotation can come between: the thread that reads is the one that writes. */
    for (int i = 0; i < 2; i++) {
        path_of(store, req->key, i, path, sizeof path);
        fds[i] = open(path, O_RDONLY | O_CLOEXEC);
    }
    if (fds[1] >= 0)
        old_len = load(req, fds[1]);
    if (fds[0] >= 0)
        new_len = load(req, fds[0]);
    (void)buf_text(&req->text); /* terminated: strtoull() must stop */
    if (parse_lines(req, (char *)req->text.data, old_len, &room))
        (void)parse_lines(req, (char *)req->text.data + old_len, new_len, &room);
    for (int i = 0; i < 2; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
}

static void work_run(struct function_log *store)
{
    for (struct batch *batch = store->work_batches; batch != NULL; batch = batch->next)
        write_batch(store, batch);
    for (struct read_request *req = store->work_reads; req != NULL; req = req->next)
        read_files(store, req);
}

static void work_cb(uv_work_t *work)
{
    work_run(container_of(work, struct function_log, work));
}

static void free_batches(struct function_log *store)
{
    while (store->work_batches != NULL) {
        struct batch *batch = store->work_batches;

        store->work_batches = batch->next;
        store->pending_bytes -= batch->text.len;
        buf_done(&batch->text);
        free(batch);
    }
}

static void after_work_cb(uv_work_t *work, int status)
{
    struct function_log *store = container_of(work, struct function_log, work);
    struct read_request *req = store->work_reads;

    store->working = false;
    store->work_reads = NULL;
    free_batches(store);
    if (store->dropped > 0 && store->pending_bytes == 0) {
        log_event(LOG_WARN, "function_output_dropped", LU("lines", store->dropped));
        store->dropped = 0;
    }
    while (req != NULL) {
        struct read_request *next = req->next;

        req->done(req->lines, req->count, req->count > 0 ? req->last : req->after, req->context);
        buf_done(&req->text);
        free(req->lines);
        free(req);
        store->read_count--;
        req = next;
    }
    if (store->reads != NULL)
        pump(store);
    else if (store->batches != NULL)
        (void)uv_timer_start(&store->timer, timer_cb, LOG_FLUSH_MS, 0);
}

static void pump(struct function_log *store)
{
    int rv;

    if (store->working || (store->batches == NULL && store->reads == NULL))
        return;
    (void)uv_timer_stop(&store->timer);
    store->working = true;
    store->work_batches = store->batches;
    store->work_reads = store->reads;
    store->batches = NULL;
    store->reads = NULL;
    rv = uv_queue_work(store->loop, &store->work, work_cb, after_work_cb);
    CHECK(rv == 0); /* fails only without a callback */
}

static void timer_cb(uv_timer_t *timer)
{
    pump(container_of(timer, struct function_log, timer));
}

struct function_log *function_log_new(uv_loop_t *loop, const char *dir)
{
    struct function_log *store = must_calloc(1, sizeof *store);
    int rv = uv_timer_init(loop, &store->timer);

    CHECK(rv == 0); /* cannot fail on a live loop */
    store->loop = loop;
    (void)snprintf(store->dir, sizeof store->dir, "%s", dir);
    return store;
}

static void close_cb(uv_handle_t *handle)
{
    free(container_of((uv_timer_t *)handle, struct function_log, timer));
}

void function_log_free(struct function_log *store)
{
    if (store == NULL)
        return;
    while (store->working || store->reads != NULL)
        (void)uv_run(store->loop, UV_RUN_ONCE);
    store->work_batches = store->batches;
    store->batches = NULL;
    work_run(store);
    free_batches(store);
    uv_close((uv_handle_t *)&store->timer, close_cb);
}

void function_log_append(struct function_log *store,
                         const char *key,
                         uint64_t at_ms,
                         struct bytes text)
{
    uint64_t now_us = clock_stamp_ms(&clock_system) * 1000;
    struct batch *batch = store->batches;
    size_t before;

    if (store->pending_bytes + text.len > LOG_PENDING_BYTES_MAX) {
        store->dropped++;
        return;
    }
    while (batch != NULL && strcmp(batch->key, key) != 0)
        batch = batch->next;
    if (batch == NULL) {
        batch = must_calloc(1, sizeof *batch);
        (void)snprintf(batch->key, sizeof batch->key, "%s", key);
        batch->next = store->batches;
        store->batches = batch;
    }
    store->cursor = store->cursor >= now_us ? store->cursor + 1 : now_us;
    before = batch->text.len;
    buf_printf(&batch->text, "%llu %llu ", (unsigned long long)store->cursor,
               (unsigned long long)at_ms);
    buf_append(&batch->text, text.data, text.len);
    buf_append_text(&batch->text, "\n");
    store->pending_bytes += batch->text.len - before;
    if (!store->working && !uv_is_active((uv_handle_t *)&store->timer))
        (void)uv_timer_start(&store->timer, timer_cb, LOG_FLUSH_MS, 0);
}

enum status function_log_read(struct function_log *store,
                              const char *key,
                              uint64_t after,
                              uint32_t max_bytes,
                              log_read_fn done,
                              void *context)
{
    struct read_request *req;

    if (store->read_count == LOG_READS_MAX)
        return ST_LIMIT;
    req = must_calloc(1, sizeof *req);
    (void)snprintf(req->key, sizeof req->key, "%s", key);
    req->after = after;
    req->max_bytes = max_bytes;
    req->done = done;
    req->context = context;
    req->next = store->reads;
    store->reads = req;
    store->read_count++;
    pump(store);
    return ST_OK;
}
