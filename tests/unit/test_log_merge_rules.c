#include "controlplane/api/admin/log_merge_rules.h"

#include "controlplane/api/lambda/function_json.h"
#include "tests/unit/check.h"

static const struct {
    const char *token;
    enum status want;
} tokens[] = {
    { "", ST_OK },
    { "worker-a:17", ST_OK },
    { "worker-a:17,worker-b:3", ST_OK },
    { "worker-a", ST_BAD_INPUT },
    { "worker-a:", ST_BAD_INPUT },
    { ":1", ST_BAD_INPUT },
    { "worker-a:1x", ST_BAD_INPUT },
    { "worker-a:-1", ST_BAD_INPUT },
    { "worker-a:1:2", ST_BAD_INPUT },
    { "a,b:1", ST_BAD_INPUT },
    { "a:99999999999999999999", ST_BAD_INPUT },
    { "a-name-of-thirty-two-characters-:1", ST_BAD_INPUT },
};

TEST(a_token_is_taken_back_as_it_was_given)
{
    for (size_t i = 0; i < ARRAY_LEN(tokens); i++) {
        struct log_cursors cursors = { 0 };
        struct buf out = { 0 };

        test_case = tokens[i].token;
        EXPECT_EQ(log_cursors_read(tokens[i].token, &cursors), tokens[i].want);
        log_cursors_write(&cursors, &out);
        EXPECT_TEXT(buf_text(&out), tokens[i].want == ST_OK ? tokens[i].token : "");
        buf_done(&out);
    }
}

static Lapwing__LogLine line(uint64_t at_ms, const char *text)
{
    Lapwing__LogLine out = LAPWING__LOG_LINE__INIT;

    out.at_ms = at_ms;
    out.text = (char *)(uintptr_t)text;
    return out;
}

TEST(lines_come_in_the_order_of_time_and_the_token_moves_on)
{
    Lapwing__LogLine a[] = { line(1, "a1"), line(5, "a5") };
    Lapwing__LogLine b[] = { line(1, "b1"), line(2, "b\xff") };
    Lapwing__LogLine *a_list[] = { &a[0], &a[1] };
    Lapwing__LogLine *b_list[] = { &b[0], &b[1] };
    Lapwing__Logs a_logs = LAPWING__LOGS__INIT;
    Lapwing__Logs b_logs = LAPWING__LOGS__INIT;
    const struct log_part parts[] = { { "w-b", &b_logs }, { "w-a", &a_logs } };
    struct log_cursors cursors = { 0 };
    struct buf out = { 0 };

    a_logs.lines = a_list;
    a_logs.n_lines = 2;
    a_logs.next = 9;
    b_logs.lines = b_list;
    b_logs.n_lines = 2;
    b_logs.next = 4;
    EXPECT_EQ(log_cursors_read("w-a:7,w-c:2", &cursors), ST_OK);
    EXPECT_EQ(log_cursors_get(&cursors, "w-a"), 7);
    EXPECT_EQ(log_cursors_get(&cursors, "w-b"), 0);
    json_append(&out, log_merge(parts, 2, &cursors));
    EXPECT_TEXT(buf_text(&out),
                "{\"lines\":[{\"at_ms\":1,\"worker\":\"w-a\",\"text\":\"a1\"},{\"at_ms\":1,"
                "\"worker\":\"w-b\",\"text\":\"b1\"},{\"at_ms\":2,\"worker\":\"w-b\",\"text\":"
                "\"b?\"},{\"at_ms\":5,\"worker\":\"w-a\",\"text\":\"a5\"}],\"next\":\"w-a:9,w-c:2,"
                "w-b:4\"}");
    buf_done(&out);
}
