#include <unistd.h>

#include "tests/unit/check.h"
#include "worker/agent/host_load.h"

static const struct {
    const char *text;
    bool want;
    uint64_t idle_ms;
} rows[] = {
    { "2131.07 993.03\n", true, 993030 },
    { "0.00 0.00\n", true, 0 },
    { "1.00 12345678.99", true, 12345678990 },
    { "2131.07\n", false, 0 },
    { "", false, 0 },
    { "1.00 x\n", false, 0 },
    { "1.00 5\n", false, 0 },
    { "1.00 5.\n", false, 0 },
    { "1.00 5.123\n", false, 0 },
    { "1.00 5.12x", false, 0 },
};

TEST(the_idle_time_of_the_host_is_read_as_the_kernel_writes_it)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t idle_ms = 0;

        test_case = rows[i].text;
        EXPECT_EQ(host_load_parse(rows[i].text, &idle_ms), rows[i].want);
        EXPECT_EQ(idle_ms, rows[i].idle_ms);
    }
}

TEST(a_host_whose_idle_time_cannot_be_read_is_never_busy)
{
    struct host_load load = { .fd = -1, .processors = 2 };

    EXPECT(!host_load_busy(&load, 1000000000));
}

/* The kernel's idle time since its start against a window that began before it: none was idle. */
TEST(a_window_is_judged_by_its_idle_share)
{
    struct host_load load;
    uint64_t window_ns = (uint64_t)HOST_LOAD_WINDOW_MS * 1000000;
    char text[64] = "";
    ssize_t got;

    host_load_init(&load);
    EXPECT(load.fd >= 0);
    got = pread(load.fd, text, sizeof text - 1, 0);
    EXPECT(got > 0);
    EXPECT(host_load_parse(text, &load.idle_ms));
    load.looked_ns = 0;
    EXPECT(host_load_busy(&load, UINT64_MAX / 4)); /* centuries with next to no idle second */
    load.looked_ns = 0;
    load.idle_ms = 0;
    EXPECT(!host_load_busy(&load, window_ns));     /* all of the host's life in one window */
    EXPECT(!host_load_busy(&load, window_ns + 1)); /* as before: the window has not ended */
    host_load_done(&load);
}
