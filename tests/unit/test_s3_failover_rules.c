#include "controlplane/api/s3/s3_failover_rules.h"

#include <string.h>

#include "tests/unit/check.h"

enum { NOW = 100000 };

/* Stores a, b, c: when each failed ("-": never), and whether silently. */
static const struct {
    const char *name;
    uint64_t failed_ms[3]; /* 0: it has not */
    bool silent;
    bool body;
    const char *want;
} orders[] = {
    { "all are well", { 0, 0, 0 }, false, false, "abc" },
    { "the own zone failed just now", { NOW, 0, 0 }, false, false, "bca" },
    { "just within its time", { NOW - S3_SHUN_MS + 1, 0, 0 }, false, true, "bca" },
    { "its time is over", { NOW - S3_SHUN_MS, 0, 0 }, false, true, "abc" },
    { "the second one failed", { 0, NOW - 1, 0 }, false, false, "acb" },
    { "two failed: the older failure first", { NOW - 1, NOW - 3, 0 }, false, false, "cba" },
    { "all failed: the oldest failure first", { NOW - 2, NOW - 1, NOW - 3 }, false, false, "cab" },
    { "all failed at once", { NOW, NOW, NOW }, false, false, "abc" },
    { "one that was silent, no body", { NOW - S3_SHUN_MS, 0, 0 }, true, false, "abc" },
    { "one that was silent, a body", { NOW - S3_SHUN_MS, 0, 0 }, true, true, "bca" },
    { "silent long ago, a body", { NOW - S3_SHUN_SILENT_MS, 0, 0 }, true, true, "abc" },
};

static void make(struct s3_stores *stores, const uint64_t failed_ms[3], bool silent)
{
    *stores = (struct s3_stores){ .count = 3 };
    for (size_t i = 0; i < 3; i++)
        if (failed_ms[i] != 0)
            s3_stores_fail(stores, i, silent, failed_ms[i]);
}

TEST(the_nearest_store_is_asked_first_and_one_that_failed_last)
{
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        struct s3_stores stores;
        char got[4] = "";
        unsigned tried = 0;
        size_t count = 0;
        size_t store;

        test_case = orders[i].name;
        make(&stores, orders[i].failed_ms, orders[i].silent);
        while ((store = s3_stores_choose(&stores, tried, orders[i].body, NOW)) < 3) {
            got[count++] = (char)('a' + store);
            tried |= 1u << store;
        }
        EXPECT_TEXT(got, orders[i].want);
    }
}

TEST(one_request_finds_out_whether_a_store_is_back)
{
    const uint64_t failed_ms[3] = { NOW - S3_SHUN_MS, 0, 0 };
    struct s3_stores stores;

    make(&stores, failed_ms, false);
    EXPECT_EQ(s3_stores_choose(&stores, 0, false, NOW), 0);
    s3_stores_ask(&stores, 0, NOW);
    EXPECT_EQ(s3_stores_choose(&stores, 0, false, NOW), 1); /* the others do not wait for it */
    s3_stores_answer(&stores, 0);
    EXPECT_EQ(s3_stores_choose(&stores, 0, false, NOW), 0);
    s3_stores_ask(&stores, 0, NOW); /* of no effect on one that is well */
    EXPECT_EQ(s3_stores_choose(&stores, 0, false, NOW), 0);
}

#define BODY      .body = true
#define SENT      .body = true, .sent_body = true
#define OTHERS    .others = true
#define KEPT      .kept = true
#define HELD      .held = true
#define TIMED_OUT .timed_out = true

static const struct {
    const char *name;
    const char *method;
    struct s3_try try;
    unsigned wait_ms;
    enum s3_then then;
} tries[] = {
    { "refused", "PUT", { S3_CONNECTING, BODY, OTHERS }, S3_CONNECT_MS, S3_THEN_NEXT },
    { "refused, a retry of a kept one",
      "PUT",
      { S3_CONNECTING, BODY, OTHERS, KEPT },
      S3_CONNECT_MS,
      S3_THEN_NEXT },
    { "no connection in time",
      "POST",
      { S3_CONNECTING, BODY, OTHERS, TIMED_OUT },
      S3_CONNECT_MS,
      S3_THEN_NEXT },
    { "refused by the last", "GET", { S3_CONNECTING }, S3_CONNECT_MS, S3_THEN_REFUSE },
    { "a get is not answered", "GET", { S3_WAITING, OTHERS, TIMED_OUT }, S3_HEAD_MS, S3_THEN_NEXT },
    { "a head is not answered",
      "HEAD",
      { S3_WAITING, OTHERS, TIMED_OUT },
      S3_HEAD_MS,
      S3_THEN_NEXT },
    { "a delete is not answered",
      "DELETE",
      { S3_WAITING, OTHERS, TIMED_OUT, KEPT },
      S3_HEAD_MS,
      S3_THEN_NEXT },
    { "a get is not answered by the last",
      "GET",
      { S3_WAITING, TIMED_OUT },
      S3_ANSWER_MS,
      S3_THEN_REFUSE },
    { "a get breaks", "GET", { S3_WAITING, OTHERS }, S3_HEAD_MS, S3_THEN_NEXT },
    { "a get breaks on a kept connection",
      "GET",
      { S3_WAITING, OTHERS, KEPT },
      S3_HEAD_MS,
      S3_THEN_AGAIN },
    { "a get breaks in its answer",
      "GET",
      { S3_ANSWERING, OTHERS, KEPT },
      S3_SILENCE_MS,
      S3_THEN_CUT },
    { "a put of nothing is not answered",
      "PUT",
      { S3_WAITING, OTHERS, TIMED_OUT },
      S3_ANSWER_MS,
      S3_THEN_REFUSE },
    { "a post of nothing breaks", "POST", { S3_WAITING, OTHERS }, S3_ANSWER_MS, S3_THEN_REFUSE },
    { "a put breaks before its body",
      "PUT",
      { S3_SENDING, BODY, OTHERS },
      S3_STALL_MS,
      S3_THEN_NEXT },
    { "a put breaks before its body, kept",
      "PUT",
      { S3_SENDING, BODY, OTHERS, KEPT },
      S3_STALL_MS,
      S3_THEN_AGAIN },
    { "a put takes nothing at all",
      "PUT",
      { S3_SENDING, BODY, OTHERS, TIMED_OUT },
      S3_STALL_MS,
      S3_THEN_REFUSE },
    { "a put breaks in its body",
      "PUT",
      { S3_SENDING, SENT, OTHERS, KEPT },
      S3_STALL_MS,
      S3_THEN_REFUSE },
    { "a put breaks in its body, which is held",
      "PUT",
      { S3_SENDING, SENT, OTHERS, HELD },
      S3_STALL_MS,
      S3_THEN_NEXT },
    { "a held put breaks on a kept connection",
      "PUT",
      { S3_WAITING, SENT, OTHERS, HELD, KEPT },
      S3_ANSWER_MS,
      S3_THEN_AGAIN },
    { "a held put breaks at the last store",
      "PUT",
      { S3_WAITING, SENT, HELD },
      S3_ANSWER_MS,
      S3_THEN_REFUSE },
    { "a held put is not answered",
      "PUT",
      { S3_WAITING, SENT, OTHERS, HELD, TIMED_OUT },
      S3_ANSWER_MS,
      S3_THEN_REFUSE },
    { "a put stalls in its body",
      "PUT",
      { S3_SENDING, SENT, OTHERS, TIMED_OUT },
      S3_STALL_MS,
      S3_THEN_REFUSE },
    { "a put is not answered",
      "PUT",
      { S3_WAITING, SENT, OTHERS, TIMED_OUT },
      S3_ANSWER_MS,
      S3_THEN_REFUSE },
    { "a delete of many is not answered",
      "POST",
      { S3_WAITING, SENT, OTHERS, TIMED_OUT },
      S3_ANSWER_MS,
      S3_THEN_REFUSE },
};

TEST(a_try_that_failed_is_repeated_only_where_that_does_no_harm)
{
    for (size_t i = 0; i < ARRAY_LEN(tries); i++) {
        struct s3_try try = tries[i].try;

        test_case = tries[i].name;
        try.method = bytes_of_text(tries[i].method);
        EXPECT_EQ(s3_try_wait_ms(&try), tries[i].wait_ms);
        EXPECT_EQ(s3_try_then(&try), tries[i].then);
    }
}

static const struct {
    const char *name;
    const char *method;
    const char *target;
    const char *field;
    uint64_t length;
    bool want;
} held_rows[] = {
    { "a small object", "PUT", "/bucket/key", "host", 1, true },
    { "the largest held", "PUT", "/bucket/a/b?partNumber=1", "host", S3_HELD_BYTES_MAX, true },
    { "one byte more", "PUT", "/bucket/key", "host", S3_HELD_BYTES_MAX + 1, false },
    { "of unknown length", "PUT", "/bucket/key", "host", UINT64_MAX, false },
    { "nothing to hold", "PUT", "/bucket/key", "host", 0, false },
    { "a bucket", "PUT", "/bucket", "host", 10, false },
    { "a bucket with a slash", "PUT", "/bucket/", "host", 10, false },
    { "a bucket's setting", "PUT", "/bucket/?versioning", "host", 10, false },
    { "only if it is not there", "PUT", "/bucket/key", "If-None-Match", 10, false },
    { "only if it is the same", "PUT", "/bucket/key", "if-match", 10, false },
    { "a post", "POST", "/bucket/key?uploads", "host", 10, false },
};

TEST(the_body_of_a_small_put_is_held_unless_it_has_a_condition)
{
    for (size_t i = 0; i < ARRAY_LEN(held_rows); i++) {
        struct http_field field = { bytes_of_text(held_rows[i].field), bytes_of_text("x") };
        struct http_head head = {
            .method = bytes_of_text(held_rows[i].method),
            .target = bytes_of_text(held_rows[i].target),
            .fields = &field,
            .field_count = 1,
        };

        test_case = held_rows[i].name;
        EXPECT_EQ(s3_is_held(&head, held_rows[i].length), held_rows[i].want);
    }
}
