/* Output of an environment.  Loop thread. */
#include "worker/agent/output.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"

enum { READ_BYTES = 65536 };

struct output {
    uv_pipe_t pipe;
    uv_timer_t pause;
    output_line_fn on_line;
    void *context;
    bool ended;
    unsigned open_handles;
    uint64_t window_ms;  /* loop time at which the window started */
    size_t window_bytes; /* read in it */
    size_t len;
    char *line; /* OUTPUT_LINE_BYTES_MAX, from the first piece of a line on */
};

/* What is read is cut into lines before the next read, so that one buffer does for all. */
static char read_buffer[READ_BYTES];

static void flush_line(struct output *output)
{
    if (output->len > 0)
        output->on_line(bytes_of(output->line, output->len), output->context);
    output->len = 0;
}

/* Add text that has no newline. */
static void add(struct output *output, const char *text, size_t len)
{
    if (output->line == NULL)
        output->line = must_realloc(NULL, OUTPUT_LINE_BYTES_MAX);
    while (len > 0) {
        size_t part = OUTPUT_LINE_BYTES_MAX - output->len;

        if (part > len)
            part = len;
        memcpy(output->line + output->len, text, part);
        output->len += part;
        text += part;
        len -= part;
        if (output->len == OUTPUT_LINE_BYTES_MAX)
            flush_line(output);
    }
}

static void cut(struct output *output, const char *text, size_t len)
{
    while (len > 0) {
        const char *newline = memchr(text, '\n', len);
        size_t part = newline == NULL ? len : (size_t)(newline - text);

        if (newline != NULL && output->len == 0 && part <= OUTPUT_LINE_BYTES_MAX) {
            /* The common case, a whole line: no copy.  An empty line is a line too. */
            output->on_line(bytes_of(text, part), output->context);
        } else {
            add(output, text, part);
            if (newline != NULL)
                flush_line(output);
        }
        part += newline != NULL;
        text += part;
        len -= part;
    }
}

static void alloc_cb(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    *out = uv_buf_init(read_buffer, sizeof read_buffer);
}

static void read_cb(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf);

static void pause_cb(uv_timer_t *timer)
{
    struct output *output = container_of(timer, struct output, pause);

    output->window_bytes = 0;
    if (!output->ended)
        (void)uv_read_start((uv_stream_t *)&output->pipe, alloc_cb, read_cb);
}

static void count(struct output *output, size_t bytes)
{
    uint64_t now = uv_now(output->pipe.loop);

    if (now - output->window_ms >= OUTPUT_WINDOW_MS) {
        output->window_ms = now;
        output->window_bytes = 0;
    }
    output->window_bytes += bytes;
    if (output->window_bytes < OUTPUT_WINDOW_BYTES)
        return;
    (void)uv_read_stop((uv_stream_t *)&output->pipe);
    (void)uv_timer_start(&output->pause, pause_cb, OUTPUT_WINDOW_MS, 0);
}

static void read_cb(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct output *output = container_of((uv_pipe_t *)stream, struct output, pipe);

    if (got < 0) {
        output->ended = true;
        (void)uv_read_stop(stream);
        return;
    }
    cut(output, buf->base, (size_t)got);
    count(output, (size_t)got);
}

void output_drain(struct output *output)
{
    size_t total = 0;
    int fd = -1;

    if (!output->ended && uv_fileno((uv_handle_t *)&output->pipe, &fd) == 0) {
        while (total < OUTPUT_WINDOW_BYTES) {
            ssize_t got = read(fd, read_buffer, sizeof read_buffer);

            if (got <= 0)
                break; /* empty, or its end, which the loop will see too */
            cut(output, read_buffer, (size_t)got);
            total += (size_t)got;
            if ((size_t)got < sizeof read_buffer)
                break; /* a pipe gives all it has: what was written before is here */
        }
    }
    flush_line(output);
}

static void close_cb(uv_handle_t *handle)
{
    struct output *output = handle->data;

    if (--output->open_handles > 0)
        return;
    free(output->line);
    free(output);
}

void output_close(struct output *output)
{
    if (output == NULL)
        return;
    output_drain(output);
    uv_close((uv_handle_t *)&output->pipe, close_cb);
    uv_close((uv_handle_t *)&output->pause, close_cb);
}

enum status output_start(uv_loop_t *loop,
                         int fd,
                         output_line_fn on_line,
                         void *context,
                         struct output **out,
                         struct err *err)
{
    struct output *output = must_calloc(1, sizeof *output);
    int rv = uv_pipe_init(loop, &output->pipe, 0);

    CHECK(rv == 0); /* neither init can fail on a live loop */
    rv = uv_timer_init(loop, &output->pause);
    CHECK(rv == 0);
    output->open_handles = 2;
    output->pipe.data = output;
    output->pause.data = output;
    output->on_line = on_line;
    output->context = context;
    rv = uv_pipe_open(&output->pipe, fd);
    if (rv < 0)
        (void)close(fd);
    if (rv == 0)
        rv = uv_read_start((uv_stream_t *)&output->pipe, alloc_cb, read_cb);
    if (rv < 0) {
        output->ended = true;
        output_close(output);
        return err_set(err, ST_IO, "read a function's output: %s", uv_strerror(rv));
    }
    *out = output;
    return ST_OK;
}
