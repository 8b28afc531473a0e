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
    if (try->sent_body)
        return S3_THEN_REFUSE;
    if (try->kept && !try->timed_out)
        return S3_THEN_AGAIN;
    if (try->body && !try->timed_out)
        return next; /* of a request without its body nothing was done */
    return is_repeatable(try) ? next : S3_THEN_REFUSE;
}
