/* Requests of a function's process: parser, routes and states of the Runtime API together.  The
 * first byte of the input says after how many requests an event is handed out. */
#include "base/check.h"
#include "base/http_parser.h"
#include "tests/fuzz/fuzz.h"
#include "worker/runtime/runtime_plan.h"

static enum runtime_state on_request(const struct http_parser *parser, enum runtime_state state)
{
    struct runtime_move move;
    struct bytes id;
    enum runtime_call call = runtime_route(parser->method, parser->target, &id);

    CHECK(id.len <= parser->target.len);
    if (call == RUNTIME_NO_CALL)
        return state;
    CHECK((call == RUNTIME_RESPONSE || call == RUNTIME_ERROR) || id.len == 0);
    move = runtime_next(state, call);
    CHECK(move.action != RUNTIME_DO_REFUSE || move.next == state);
    CHECK(move.action != RUNTIME_DO_DELIVER);
    CHECK(move.action != RUNTIME_DO_TELL || state == RUNTIME_RUNNING);
    return move.next;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bytes in = bytes_of(data + (len > 0), len - (len > 0));
    enum runtime_state state = RUNTIME_STARTING;
    enum http_event event = HTTP_EVENT_END;
    struct http_parser parser;
    unsigned requests = 0;

    http_parser_init(&parser, HTTP_PARSER_REQUEST);
    while (event != HTTP_EVENT_NONE && http_parser_next(&parser, &in, &event, NULL) == ST_OK) {
        if (event != HTTP_EVENT_END)
            continue;
        state = on_request(&parser, state);
        requests++;
        if (state == RUNTIME_WAITING && len > 0 && requests >= data[0])
            state = runtime_next(state, RUNTIME_HAND_OUT).next;
    }
    http_parser_done(&parser);
    return 0;
}
