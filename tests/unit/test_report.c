#include "worker/agent/report.h"

#include "tests/unit/check.h"

static const struct {
    const char *name;
    struct report report;
    const char *want;
} rows[] = {
    { "warm",
      { "id", 1230, 0, 128, 40, NULL, NULL },
      "REPORT RequestId: id\tDuration: 1.23 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax "
      "Memory Used: 40 MB\t" },
    { "cold",
      { "id", 1230, 90120, 128, 40, NULL, NULL },
      "REPORT RequestId: id\tDuration: 1.23 ms\tBilled Duration: 2 ms\tMemory Size: 128 MB\tMax "
      "Memory Used: 40 MB\tInit Duration: 90.12 ms\t\t" },
    { "timed out",
      { "id", 1000000, 0, 128, 40, "timeout", NULL },
      "REPORT RequestId: id\tDuration: 1000.00 ms\tBilled Duration: 1000 ms\tMemory Size: 128 "
      "MB\tMax Memory Used: 40 MB\tStatus: timeout\t" },
    { "failed",
      { "id", 5, 0, 10240, 1, "error", "Runtime.ExitError" },
      "REPORT RequestId: id\tDuration: 0.01 ms\tBilled Duration: 1 ms\tMemory Size: 10240 MB\tMax "
      "Memory Used: 1 MB\tStatus: error\tError Type: Runtime.ExitError\t" },
};

TEST(a_report_has_lambdas_fields_and_tabs)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = { 0 };

        test_case = rows[i].name;
        report_line(&out, &rows[i].report);
        EXPECT_TEXT(buf_text(&out), rows[i].want);
        buf_done(&out);
    }
}

TEST(start_end_and_init_start_read_as_recorded)
{
    struct buf out = { 0 };

    report_init_start(&out, "python3.11", "eu-west-1");
    buf_append_text(&out, "\n");
    report_start(&out, "id", "$LATEST");
    buf_append_text(&out, "\n");
    report_end(&out, "id");
    EXPECT_TEXT(buf_text(&out), "INIT_START Runtime Version: python3.11\tRuntime Version ARN: "
                                "arn:aws:lambda:eu-west-1::runtime:python3.11\n"
                                "START RequestId: id Version: $LATEST\nEND RequestId: id");
    buf_done(&out);
}

static const struct {
    uint64_t now_ms;
    const char *want;
} dates[] = {
    { 0, "1970-01-01T00:00:00.000Z id Task timed out after 3.00 seconds" },
    { 951826831031, "2000-02-29T12:20:31.031Z id Task timed out after 3.00 seconds" },
    { 1767571199999, "2026-01-04T23:59:59.999Z id Task timed out after 3.00 seconds" },
    { 4102444800000, "2100-01-01T00:00:00.000Z id Task timed out after 3.00 seconds" },
};

TEST(the_time_out_line_carries_the_date)
{
    for (size_t i = 0; i < ARRAY_LEN(dates); i++) {
        struct buf out = { 0 };

        test_case = dates[i].want;
        report_timed_out(&out, "id", dates[i].now_ms, 3);
        EXPECT_TEXT(buf_text(&out), dates[i].want);
        buf_done(&out);
    }
}

TEST(a_kill_for_memory_names_the_limit_and_its_setting)
{
    struct buf out = { 0 };

    report_out_of_memory(&out, "id", 256);
    EXPECT_TEXT(buf_text(&out),
                "RequestId: id Error: killed at the memory limit: MemorySize is 256 MB, and what "
                "is written to /tmp and /dev/shm or waits in sockets counts in it");
    buf_done(&out);
}
