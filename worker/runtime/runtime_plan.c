/* The Runtime API's table and routes.  Deciding code. */
#include "worker/runtime/runtime_plan.h"

#include <string.h>

#include "base/check.h"

#define MOVE(state, action)                                                                        \
    {                                                                                              \
        RUNTIME_##state, RUNTIME_DO_##action                                                       \
    }

// clang-format off
static const struct runtime_move moves[RUNTIME_STATES][RUNTIME_CALLS] = {
    [RUNTIME_STARTING] = {
        [RUNTIME_PING]            = MOVE(STARTING, PONG),
        [RUNTIME_NEXT]            = MOVE(WAITING,  HOLD),
        [RUNTIME_INIT_ERROR]      = MOVE(FAILED,   TELL_FAILED),
    },
    [RUNTIME_WAITING] = {
        [RUNTIME_PING]            = MOVE(WAITING,  PONG),
        [RUNTIME_HAND_OUT]        = MOVE(RUNNING,  DELIVER),
        [RUNTIME_NEXT]            = MOVE(WAITING,  HOLD_AGAIN), /* it connected anew: the last call counts */
    },
    [RUNTIME_RUNNING] = {
        [RUNTIME_PING]            = MOVE(RUNNING,  PONG),
        [RUNTIME_RESPONSE]        = MOVE(ANSWERED, TELL),
        [RUNTIME_ERROR]           = MOVE(ANSWERED, TELL),
    },
    [RUNTIME_ANSWERED] = {
        [RUNTIME_PING]            = MOVE(ANSWERED, PONG),
        [RUNTIME_NEXT]            = MOVE(WAITING,  HOLD),
    },
    [RUNTIME_FAILED] = {
        [RUNTIME_PING]            = MOVE(FAILED,   PONG),
    },
};
// clang-format on

struct runtime_move runtime_next(enum runtime_state state, enum runtime_call call)
{
    CHECK(state < RUNTIME_STATES);
    CHECK(call > RUNTIME_NO_CALL && call < RUNTIME_CALLS);
    if (moves[state][call].action == RUNTIME_DO_REFUSE)
        return (struct runtime_move){ state, RUNTIME_DO_REFUSE };
    return moves[state][call];
}

static bool is(struct bytes a, const char *text)
{
    return bytes_equal(a, bytes_of_text(text));
}

/* If `view` starts with `prefix`, cut it off. */
static bool cut(struct bytes *view, const char *prefix)
{
    size_t len = strlen(prefix);

    if (view->len < len || memcmp(view->data, prefix, len) != 0)
        return false;
    *view = bytes_of(view->data + len, view->len - len);
    return true;
}

enum runtime_call runtime_route(struct bytes method, struct bytes target, struct bytes *out_id)
{
    bool get = is(method, "GET"), post = is(method, "POST");
    const uint8_t *slash;
    struct bytes last;

    *out_id = bytes_of(NULL, 0);
    if (get && is(target, "/ping"))
        return RUNTIME_PING;
    if (!cut(&target, "/2018-06-01/"))
        return RUNTIME_NO_CALL;
    if (get && (is(target, "ping") || is(target, "runtime/ping")))
        return RUNTIME_PING;
    if (get && is(target, "runtime/invocation/next"))
        return RUNTIME_NEXT;
    if (post && is(target, "runtime/init/error"))
        return RUNTIME_INIT_ERROR;
    if (!post || !cut(&target, "runtime/invocation/"))
        return RUNTIME_NO_CALL;
    slash = target.len == 0 ? NULL : memchr(target.data, '/', target.len);
    if (slash == NULL)
        return RUNTIME_NO_CALL;
    last = bytes_of(slash + 1, (size_t)(target.data + target.len - slash - 1));
    *out_id = bytes_of(target.data, (size_t)(slash - target.data));
    if (is(last, "response"))
        return RUNTIME_RESPONSE;
    return is(last, "error") ? RUNTIME_ERROR : RUNTIME_NO_CALL;
}
