#include "worker/agent/output.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/check.h"

static struct {
    uv_loop_t loop;
    struct output *output;
    int writer;
    struct buf text; /* lines, each followed by '|' */
    size_t lines, longest;
} t;

static void on_line(struct bytes line, void *context)
{
    t.lines++;
    if (line.len > t.longest)
        t.longest = line.len;
    if (t.text.len > 4096)
        return;
    buf_append(&t.text, line.data, line.len);
    buf_append_text(&t.text, "|");
}

static void start(void)
{
    struct err err;
    int fds[2];

    memset(&t, 0, sizeof t);
    CHECK(pipe2(fds, O_CLOEXEC | O_NONBLOCK) == 0);
    t.writer = fds[1];
    CHECK(uv_loop_init(&t.loop) == 0);
    CHECK(output_start(&t.loop, fds[0], on_line, NULL, &t.output, &err) == ST_OK);
}

static void stop(void)
{
    output_close(t.output);
    (void)close(t.writer);
    (void)uv_run(&t.loop, UV_RUN_DEFAULT);
    EXPECT_EQ(uv_loop_close(&t.loop), 0);
    buf_done(&t.text);
}

static const struct {
    const char *name, *parts[4], *want;
} rows[] = {
    { "one line", { "a\n" }, "a|" },
    { "two lines at once", { "a\nb\n" }, "a|b|" },
    { "a line in parts", { "a", "b", "\n" }, "ab|" },
    { "an empty line", { "\n" }, "|" },
    { "a line without its end", { "a\nb" }, "a|b|" },
    { "an end that comes late", { "a", "\nb\n" }, "a|b|" },
};

TEST(what_is_printed_is_cut_into_lines)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        test_case = rows[i].name;
        start();
        for (size_t k = 0; k < ARRAY_LEN(rows[i].parts) && rows[i].parts[k] != NULL; k++) {
            const char *part = rows[i].parts[k];

            CHECK(write(t.writer, part, strlen(part)) == (ssize_t)strlen(part));
            (void)uv_run(&t.loop, UV_RUN_NOWAIT);
        }
        output_drain(t.output);
        EXPECT_TEXT(buf_text(&t.text), rows[i].want);
        stop();
    }
}

TEST(a_line_without_end_comes_in_bounded_parts)
{
    char text[4096];

    start();
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 9; i++) {
        CHECK(write(t.writer, text, sizeof text) == sizeof text);
        output_drain(t.output);
        (void)uv_run(&t.loop, UV_RUN_NOWAIT);
    }
    EXPECT(t.longest <= OUTPUT_LINE_BYTES_MAX);
    stop();
}

TEST(endless_output_is_read_within_its_window_only)
{
    static char text[65536];
    size_t total = 0;
    uint64_t now;

    start();
    memset(text, '\n', sizeof text);
    uv_update_time(&t.loop);
    now = uv_now(&t.loop);
    /* The pipe is filled as fast as it is emptied; the reader must stop, and the writer see it. */
    for (int i = 0; i < 200; i++) {
        ssize_t wrote = write(t.writer, text, sizeof text);

        if (wrote > 0)
            total += (size_t)wrote;
        (void)uv_run(&t.loop, UV_RUN_NOWAIT);
    }
    uv_update_time(&t.loop);
    now = uv_now(&t.loop) - now;
    /* What was read, and one window more for each that has begun; the pipe holds the rest. */
    EXPECT(t.lines <= (now / OUTPUT_WINDOW_MS + 2) * (OUTPUT_WINDOW_BYTES + sizeof text));
    EXPECT(total >= t.lines);
    stop();
}
