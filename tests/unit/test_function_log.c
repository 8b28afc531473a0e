#include "worker/agent/function_log.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/check.h"

#define KEY "000000000000/eu-west-1/hello"

static struct {
    uv_loop_t loop;
    struct function_log *store;
    char dir[40];
    bool read;
    size_t count;
    uint64_t first_cursor, next;
    char first[64], last[64];
} t;

static void start(void)
{
    memset(&t, 0, sizeof t);
    (void)snprintf(t.dir, sizeof t.dir, "/tmp/lapwing-log-XXXXXX");
    CHECK(mkdtemp(t.dir) != NULL);
    CHECK(uv_loop_init(&t.loop) == 0);
    t.store = function_log_new(&t.loop, t.dir);
}

static void stop(void)
{
    char command[64];

    function_log_free(t.store);
    (void)uv_run(&t.loop, UV_RUN_DEFAULT);
    EXPECT_EQ(uv_loop_close(&t.loop), 0);
    (void)snprintf(command, sizeof command, "rm -rf %s", t.dir);
    CHECK(system(command) == 0);
}

static void copy(char *out, struct bytes text)
{
    size_t len = text.len < 63 ? text.len : 63;

    memcpy(out, text.data, len);
    out[len] = '\0';
}

static void done(const struct log_read_line *lines, size_t count, uint64_t next, void *context)
{
    t.read = true;
    t.count = count;
    t.next = next;
    if (count == 0)
        return;
    t.first_cursor = lines[0].cursor;
    copy(t.first, lines[0].text);
    copy(t.last, lines[count - 1].text);
    for (size_t i = 1; i < count; i++)
        EXPECT(lines[i].cursor > lines[i - 1].cursor);
}

static void read_all(uint64_t after, uint32_t max_bytes)
{
    t.read = false;
    EXPECT_EQ(function_log_read(t.store, KEY, after, max_bytes, done, NULL), ST_OK);
    while (!t.read)
        (void)uv_run(&t.loop, UV_RUN_ONCE);
}

TEST(a_read_sees_what_was_appended_before_it_and_goes_on_from_its_cursor)
{
    start();
    read_all(0, 1000);
    EXPECT_EQ(t.count, 0);
    function_log_append(t.store, KEY, 5, bytes_of_text("one"));
    function_log_append(t.store, KEY, 6, bytes_of_text("two words, \ttab"));
    function_log_append(t.store, "000000000000/eu-west-1/other", 6, bytes_of_text("another's"));
    read_all(0, 1000);
    EXPECT_EQ(t.count, 2);
    EXPECT_TEXT(t.first, "one");
    EXPECT_TEXT(t.last, "two words, \ttab");
    read_all(t.first_cursor, 1000);
    EXPECT_EQ(t.count, 1);
    EXPECT_TEXT(t.first, "two words, \ttab");
    read_all(t.next, 1000);
    EXPECT_EQ(t.count, 0);
    stop();
}

TEST(an_answer_is_bounded_and_the_next_one_continues)
{
    size_t total = 0;

    start();
    for (int i = 0; i < 100; i++)
        function_log_append(t.store, KEY, 1, bytes_of_text(""));
    read_all(0, 1000);
    EXPECT(t.count > 0 && t.count < 100);
    for (uint64_t after = 0; t.count > 0; after = t.next) {
        read_all(after, 1000);
        total += t.count;
    }
    EXPECT_EQ(total, 100);
    stop();
}

TEST(two_files_hold_the_newest_lines_and_no_more)
{
    static char text[100000];

    start();
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 120; i++) {
        text[0] = (char)('0' + i % 10);
        function_log_append(t.store, KEY, 1, bytes_of(text, sizeof text));
        read_all(UINT64_MAX, 1000); /* written: a burst beyond the memory bound would be dropped */
    }
    read_all(0, UINT32_MAX);
    EXPECT(t.count >= 41 && t.count <= 2 * 42);
    EXPECT_EQ(t.last[0], '9');
    stop();
}

TEST(what_does_not_fit_in_memory_is_dropped)
{
    static char text[1 << 20];

    start();
    memset(text, 'x', sizeof text);
    for (int i = 0; i < 10; i++)
        function_log_append(t.store, KEY, 1, bytes_of(text, sizeof text));
    read_all(0, UINT32_MAX);
    EXPECT(t.count >= 3 && t.count <= 4);
    stop();
}
