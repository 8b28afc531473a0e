/* See s3_failover_rules.h. */
#include "controlplane/api/s3/s3_failover_rules.h"

#include "base/check.h"

static bool is_shunned(const struct s3_stores *stores, size_t store, bool body, uint64_t now_ms)
{
    uint64_t shun_ms = body && stores->list[store].silent ? S3_SHUN_SILENT_MS : S3_SHUN_MS;

    return stores->list[store].failed && now_ms - stores->list[store].at_ms < shun_ms;
}

size_t s3_stores_choose(const struct s3_stores *stores, unsigned tried, bool body, uint64_t now_ms)
{
    size_t best = stores->count;

    CHECK(stores->count <= S3_STORES_MAX);
    for (size_t i = 0; i < stores->count; i++) {
        if ((tried & 1u << i) != 0)
            continue;
        if (!is_shunned(stores, i, body, now_ms))
            return i;
        if (best == stores->count || stores->list[i].at_ms < stores->list[best].at_ms)
            best = i;
    }
    return best;
}

void s3_stores_ask(struct s3_stores *stores, size_t store, uint64_t now_ms)
{
    CHECK(store < stores->count);
    if (stores->list[store].failed)
        stores->list[store].at_ms = now_ms;
}

void s3_stores_fail(struct s3_stores *stores, size_t store, bool silent, uint64_t now_ms)
{
    CHECK(store < stores->count);
    stores->list[store].failed = true;
    stores->list[store].silent = silent;
    stores->list[store].at_ms = now_ms;
}

void s3_stores_answer(struct s3_stores *stores, size_t store)
{
    CHECK(store < stores->count);
    stores->list[store].failed = false;
}

static bool is_method(const struct s3_try *try, const char *method)
{
    return bytes_equal(try->method, bytes_of_text(method));
}

/* Asked twice it does no more than asked once, whatever became of the first time. */
static bool is_repeatable(const struct s3_try *try)
{
    return !try->body &&
           (is_method(try, "GET") || is_method(try, "HEAD") || is_method(try, "DELETE"));
}

/* Does the path have anything behind its first segment?  With the bucket in the host's name keys
 * without a slash are taken for buckets, which only costs them the second try. */
static bool names_object(struct bytes target)
{
    size_t at = 1;

    while (at < target.len && target.data[at] != '/' && target.data[at] != '?')
        at++;
    return at + 1 < target.len && target.data[at] == '/' && target.data[at + 1] != '?';
}

bool s3_is_held(const struct http_head *head, uint64_t content_length)
{
    struct bytes value;

    return content_length > 0 && content_length <= S3_HELD_BYTES_MAX &&
           bytes_equal(head->method, bytes_of_text("PUT")) && names_object(head->target) &&
           !http_head_find(head, "if-match", &value) &&
           !http_head_find(head, "if-none-match", &value);
}

unsigned s3_try_wait_ms(const struct s3_try *try)
{
    switch (try->phase) {
    case S3_CONNECTING:
        return S3_CONNECT_MS;
    case S3_SENDING:
        return S3_STALL_MS;
    case S3_WAITING:
        return is_repeatable(try) && try->others ? S3_HEAD_MS : S3_ANSWER_MS;
    case S3_ANSWERING:
        return S3_SILENCE_MS;
    }
    CHECK(!"s3_try: unknown phase");
}

enum s3_then s3_try_then(const struct s3_try *try)
{
    enum s3_then next = try->others ? S3_THEN_NEXT : S3_THEN_REFUSE;

    if (try->phase == S3_ANSWERING)
        return S3_THEN_CUT;
    if (try->phase == S3_CONNECTING)
        return next;
    if (try->sent_body && (!try->held || try->timed_out))
        return S3_THEN_REFUSE;
    if (try->kept && !try->timed_out)
        return S3_THEN_AGAIN;
    if (try->body && !try->timed_out)
        return next; /* of a request without its body nothing was done; or it was held */
    return is_repeatable(try) ? next : S3_THEN_REFUSE;
}
