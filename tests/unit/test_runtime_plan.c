#include "worker/runtime/runtime_plan.h"

#include "tests/unit/check.h"

static const struct {
    const char *method, *target;
    enum runtime_call want;
    const char *id;
} routes[] = {
    { "GET", "/2018-06-01/runtime/invocation/next", RUNTIME_NEXT, "" },
    { "POST", "/2018-06-01/runtime/invocation/abc/response", RUNTIME_RESPONSE, "abc" },
    { "POST", "/2018-06-01/runtime/invocation/abc/error", RUNTIME_ERROR, "abc" },
    { "POST", "/2018-06-01/runtime/init/error", RUNTIME_INIT_ERROR, "" },
    { "GET", "/2018-06-01/ping", RUNTIME_PING, "" },
    { "GET", "/ping", RUNTIME_PING, "" },
    { "POST", "/2018-06-01/runtime/invocation/next", RUNTIME_NO_CALL, "" },
    { "GET", "/2018-06-01/runtime/invocation/abc/response", RUNTIME_NO_CALL, "" },
    { "POST", "/2018-06-01/runtime/invocation/abc/responses", RUNTIME_NO_CALL, "" },
    { "POST", "/2018-06-01/runtime/invocation/", RUNTIME_NO_CALL, "" },
    { "POST", "/2018-06-01/runtime/invocation/abc", RUNTIME_NO_CALL, "" },
    { "GET", "/2018-06-01/runtime/invocation/next?x=1", RUNTIME_NO_CALL, "" },
    { "GET", "/", RUNTIME_NO_CALL, "" },
    { "GET", "", RUNTIME_NO_CALL, "" },
};

TEST(paths_lead_to_their_calls)
{
    for (size_t i = 0; i < ARRAY_LEN(routes); i++) {
        struct bytes id;
        enum runtime_call call;

        test_case = routes[i].target;
        call = runtime_route(bytes_of_text(routes[i].method), bytes_of_text(routes[i].target), &id);
        EXPECT_EQ(call, routes[i].want);
        if (routes[i].id[0] != '\0')
            EXPECT(bytes_equal(id, bytes_of_text(routes[i].id)));
    }
}

static const struct {
    const char *name;
    enum runtime_state state;
    enum runtime_call call;
    enum runtime_state next;
    enum runtime_action action;
} moves[] = {
    { "the first next", RUNTIME_STARTING, RUNTIME_NEXT, RUNTIME_WAITING, RUNTIME_DO_HOLD },
    { "a response before any event", RUNTIME_STARTING, RUNTIME_RESPONSE, RUNTIME_STARTING,
      RUNTIME_DO_REFUSE },
    { "init error", RUNTIME_STARTING, RUNTIME_INIT_ERROR, RUNTIME_FAILED, RUNTIME_DO_TELL_FAILED },
    { "init error after init", RUNTIME_WAITING, RUNTIME_INIT_ERROR, RUNTIME_WAITING,
      RUNTIME_DO_REFUSE },
    { "an event", RUNTIME_WAITING, RUNTIME_HAND_OUT, RUNTIME_RUNNING, RUNTIME_DO_DELIVER },
    { "a next on a new connection", RUNTIME_WAITING, RUNTIME_NEXT, RUNTIME_WAITING,
      RUNTIME_DO_HOLD_AGAIN },
    { "next while running", RUNTIME_RUNNING, RUNTIME_NEXT, RUNTIME_RUNNING, RUNTIME_DO_REFUSE },
    { "the response", RUNTIME_RUNNING, RUNTIME_RESPONSE, RUNTIME_ANSWERED, RUNTIME_DO_TELL },
    { "a second response", RUNTIME_ANSWERED, RUNTIME_RESPONSE, RUNTIME_ANSWERED,
      RUNTIME_DO_REFUSE },
    { "an error after the response", RUNTIME_ANSWERED, RUNTIME_ERROR, RUNTIME_ANSWERED,
      RUNTIME_DO_REFUSE },
    { "the next event", RUNTIME_ANSWERED, RUNTIME_NEXT, RUNTIME_WAITING, RUNTIME_DO_HOLD },
    { "next after a failed init", RUNTIME_FAILED, RUNTIME_NEXT, RUNTIME_FAILED, RUNTIME_DO_REFUSE },
    { "a ping at any time", RUNTIME_FAILED, RUNTIME_PING, RUNTIME_FAILED, RUNTIME_DO_PONG },
};

TEST(calls_out_of_turn_are_refused_and_change_nothing)
{
    for (size_t i = 0; i < ARRAY_LEN(moves); i++) {
        struct runtime_move move = runtime_next(moves[i].state, moves[i].call);

        test_case = moves[i].name;
        EXPECT_EQ(move.next, moves[i].next);
        EXPECT_EQ(move.action, moves[i].action);
    }
}
