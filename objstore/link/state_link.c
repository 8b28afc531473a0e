/* Calls to the replicated state: a table of slots, one dialer a node, one timer for all deadlines.
 *
 *   start ─► WAITING ─sent─► ASKED ─reply─► done
 *               ▲               │ no answer in STATE_ATTEMPT_MS, "not now", link lost
 *               └───────────────┘ (the next node, the same sequence)      deadline ─► done
 *
 * Owner: struct state_link.  Thread: the loop's. */
#include "objstore/link/state_link.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/stream.h"

enum call_state { CALL_FREE, CALL_WAITING, CALL_ASKED };

struct call {
    enum call_state state;
    bool is_read;
    bool perhaps_done;   /* an earlier attempt may have got through */
    uint32_t generation; /* upper half of the id on the wire, so that late replies miss */
    uint64_t sequence;   /* commands only */
    uint64_t deadline_ms;
    uint64_t next_ms; /* WAITING: when to send; ASKED: when to give this attempt up */
    size_t node;      /* ASKED: who was asked */
    struct err why;   /* what the last one gave as its reason for "not now"; empty */
    Lapwing__CommandType type;
    struct buf body; /* command body, or the whole packed read request without its id */
    state_propose_fn proposed;
    state_read_fn read;
    void *context;
};

struct node {
    struct state_link *link;
    struct stream_dialer *dialer;
};

struct state_link {
    uv_loop_t *loop;
    uv_timer_t tick;
    struct node nodes[STATE_NODES_MAX];
    size_t node_count;
    size_t first; /* where attempts start: rises by one whenever a node says "not now" */
    uint8_t client[16];
    uint64_t sequence; /* last used */
    unsigned used;
    unsigned open; /* streams whose on_close is still to come */
    bool closing;
    bool tick_closed;
    struct call calls[STATE_CALLS_MAX];
};

static uint64_t call_id(const struct state_link *link, const struct call *call)
{
    return (uint64_t)call->generation << 32 | (uint64_t)(call - link->calls);
}

static struct call *call_find(struct state_link *link, uint64_t id)
{
    uint32_t slot = (uint32_t)id;
    struct call *call;

    if (slot >= STATE_CALLS_MAX)
        return NULL;
    call = &link->calls[slot];
    return call->state == CALL_ASKED && call->generation == id >> 32 ? call : NULL;
}

/* Every sequence below the lowest one still running was answered or given up. */
static uint64_t acked(const struct state_link *link)
{
    uint64_t lowest = link->sequence + 1;

    for (size_t i = 0; i < STATE_CALLS_MAX; i++) {
        const struct call *call = &link->calls[i];

        if (call->state != CALL_FREE && !call->is_read && call->sequence < lowest)
            lowest = call->sequence;
    }
    return lowest - 1;
}

static void call_free(struct state_link *link, struct call *call)
{
    CHECK(call->state != CALL_FREE);
    CHECK(link->used > 0);
    call->state = CALL_FREE;
    call->generation++;
    call->body.len = 0;
    link->used--;
    if (link->used == 0)
        (void)uv_timer_stop(&link->tick);
}

static void call_end(struct state_link *link,
                     struct call *call,
                     enum status status,
                     const struct err *err)
{
    state_propose_fn proposed = call->proposed;
    state_read_fn read = call->read;
    void *context = call->context;
    bool is_read = call->is_read;

    call_free(link, call);
    if (is_read)
        read(context, status, NULL, err);
    else
        proposed(context, status, NULL, err);
}

static bool send_propose(struct state_link *link, struct call *call, struct stream *stream)
{
    Lapwing__ProposeRequest request = LAPWING__PROPOSE_REQUEST__INIT;
    Lapwing__Command command = LAPWING__COMMAND__INIT;
    struct buf body = { 0 };
    enum status st;

    command.type = call->type;
    command.version = 1;
    command.client = (ProtobufCBinaryData){ sizeof link->client, link->client };
    command.sequence = call->sequence;
    command.acked = acked(link);
    command.body = (ProtobufCBinaryData){ call->body.len, call->body.data };
    request.id = call_id(link, call);
    request.group = LAPWING__STATE_GROUP__GROUP_STORAGE;
    request.command = &command;
    body.len = lapwing__propose_request__pack(
        &request, buf_reserve(&body, lapwing__propose_request__get_packed_size(&request)));
    st = stream_send(stream, LAPWING__STATE_FRAME__PROPOSE_REQUEST, buf_view(&body),
                     (struct bytes){ 0 });
    buf_done(&body);
    return st == ST_OK;
}

/* The id comes first: protobuf merges two encodings of a message, so the request that was packed
 * once needs only its id put before it. */
static bool send_read(struct state_link *link, struct call *call, struct stream *stream)
{
    Lapwing__ReadRequest head = LAPWING__READ_REQUEST__INIT;
    uint8_t id[32];
    size_t len;

    head.id = call_id(link, call);
    CHECK(lapwing__read_request__get_packed_size(&head) <= sizeof id);
    len = lapwing__read_request__pack(&head, id);
    return stream_send(stream, LAPWING__STATE_FRAME__READ_REQUEST, bytes_of(id, len),
                       buf_view(&call->body)) == ST_OK;
}

/* Ask the first connected node, counting from link->first. */
static void call_send(struct state_link *link, struct call *call)
{
    uint64_t now_ms = uv_now(link->loop);

    CHECK(call->state == CALL_WAITING);
    for (size_t i = 0; i < link->node_count; i++) {
        size_t node = (link->first + i) % link->node_count;
        struct stream *stream = stream_dialer_current(link->nodes[node].dialer);

        if (stream == NULL)
            continue;
        if (call->is_read ? !send_read(link, call, stream) : !send_propose(link, call, stream))
            continue;
        call->state = CALL_ASKED;
        call->node = node;
        call->next_ms = now_ms + STATE_ATTEMPT_MS;
        return;
    }
    call->next_ms = now_ms + STATE_RETRY_MS;
}

static void call_again(struct state_link *link, struct call *call, uint64_t wait_ms)
{
    call->state = CALL_WAITING;
    call->generation++; /* the reply of the attempt given up must not meet this one's */
    call->next_ms = uv_now(link->loop) + wait_ms;
}

static void prefer_next(struct state_link *link, size_t node)
{
    if (link->first == node)
        link->first = (node + 1) % link->node_count;
}

static void call_expire(struct state_link *link, struct call *call)
{
    struct err err = { 0 };
    enum status st = ST_UNAVAILABLE;

    if (!call->is_read && (call->perhaps_done || call->state == CALL_ASKED))
        st = ST_UNKNOWN;
    (void)err_set(&err, st, "%s",
                  call->why.text[0] != '\0' ? call->why.text
                                            : "the control plane gave no answer in time");
    call_end(link, call, st, &err);
}

static void tick_cb(uv_timer_t *timer)
{
    struct state_link *link = container_of(timer, struct state_link, tick);
    uint64_t now_ms = uv_now(link->loop);

    for (size_t i = 0; i < STATE_CALLS_MAX; i++) {
        struct call *call = &link->calls[i];

        if (call->state == CALL_FREE)
            continue;
        if (now_ms >= call->deadline_ms) {
            call_expire(link, call);
            continue;
        }
        if (now_ms < call->next_ms)
            continue;
        if (call->state == CALL_ASKED) {
            prefer_next(link, call->node);
            call->perhaps_done = true;
            call_again(link, call, 0);
        }
        call_send(link, call);
    }
}

/* Does this status of the way there mean "ask again"? */
static bool is_not_now(enum status st)
{
    return st == ST_UNAVAILABLE || st == ST_NOT_LEADER || st == ST_TIMEOUT || st == ST_UNKNOWN ||
           st == ST_LIMIT || st == ST_CANCELLED;
}

/* True when the call was put back to ask the next node.  `text`: the reason, which is told if no
 * node does better in time; the bare name of a status is none. */
static bool retry_on(struct state_link *link, struct call *call, uint32_t status, const char *text)
{
    if (!is_not_now(status))
        return false;
    if (text[0] != '\0' && strcmp(text, status_name(status)) != 0)
        (void)err_set(&call->why, status, "%s", text);
    /* Only these two say for certain that nothing was done. */
    if (status != ST_UNAVAILABLE && status != ST_NOT_LEADER)
        call->perhaps_done = true;
    prefer_next(link, call->node);
    call_again(link, call, STATE_RETRY_MS);
    return true;
}

static void on_propose_reply(struct state_link *link, struct bytes body)
{
    Lapwing__ProposeReply *reply = lapwing__propose_reply__unpack(NULL, body.len, body.data);
    struct err err = { 0 };
    struct call *call;
    enum status st;

    if (reply == NULL) {
        log_event(LOG_WARN, "bad_frame", LS("frame", "propose_reply"), LS("then", "dropped"));
        return;
    }
    call = call_find(link, reply->id);
    if (call != NULL && !call->is_read && !retry_on(link, call, reply->status, reply->text)) {
        state_propose_fn done = call->proposed;
        void *context = call->context;

        st = reply->status < STATUS_COUNT ? reply->status : ST_UNSUPPORTED;
        if (st == ST_OK && reply->outcome == NULL)
            st = ST_UNSUPPORTED;
        (void)err_set(&err, st, "%s", reply->text);
        call_free(link, call);
        done(context, st, st == ST_OK ? reply->outcome : NULL, &err);
    }
    lapwing__propose_reply__free_unpacked(reply, NULL);
}

static void on_read_reply(struct state_link *link, struct bytes body)
{
    Lapwing__ReadReply *reply = lapwing__read_reply__unpack(NULL, body.len, body.data);
    struct err err = { 0 };
    struct call *call;

    if (reply == NULL) {
        log_event(LOG_WARN, "bad_frame", LS("frame", "read_reply"), LS("then", "dropped"));
        return;
    }
    call = call_find(link, reply->id);
    if (call != NULL && call->is_read && !retry_on(link, call, reply->status, reply->text)) {
        state_read_fn done = call->read;
        void *context = call->context;

        call_free(link, call);
        done(context, ST_OK, reply, &err);
    }
    lapwing__read_reply__free_unpacked(reply, NULL);
}

static void on_frame(struct stream *stream, uint16_t type, struct bytes body, void *context)
{
    const struct node *node = context;

    if (type == LAPWING__STATE_FRAME__PROPOSE_REPLY)
        on_propose_reply(node->link, body);
    else if (type == LAPWING__STATE_FRAME__READ_REPLY)
        on_read_reply(node->link, body);
}

static void link_release(struct state_link *link)
{
    if (!link->tick_closed || link->open > 0)
        return;
    free(link);
}

static void on_open(struct stream *stream, const struct stream_hello *peer, void *context)
{
    const struct node *node = context;
    struct state_link *link = node->link;

    link->open++;
    log_event(LOG_INFO, "state_connected", LS("node", peer->node), LS("peer_zone", peer->zone));
    /* The own zone's node is back: it is the nearest again. */
    if (node == &link->nodes[0])
        link->first = 0;
    for (size_t i = 0; i < STATE_CALLS_MAX; i++)
        if (link->calls[i].state == CALL_WAITING)
            link->calls[i].next_ms = 0;
}

static void on_close(struct stream *stream, enum status why, const struct err *err, void *context)
{
    const struct node *node = context;
    struct state_link *link = node->link;

    CHECK(link->open > 0);
    link->open--;
    if (link->closing) {
        link_release(link);
        return;
    }
    for (size_t i = 0; i < STATE_CALLS_MAX; i++) {
        struct call *call = &link->calls[i];

        if (call->state != CALL_ASKED || &link->nodes[call->node] != node)
            continue;
        call->perhaps_done = true;
        call_again(link, call, 0);
    }
}

static const struct stream_handler handler = { on_open, on_frame, NULL, on_close };

enum status state_link_new(uv_loop_t *loop,
                           const struct stream_identity *identity,
                           const char *const *addresses,
                           size_t count,
                           struct state_link **out_link,
                           struct err *err)
{
    struct state_link *link = must_calloc(1, sizeof *link);
    enum status st = ST_OK;

    if (count == 0 || count > STATE_NODES_MAX) {
        free(link);
        return err_set(err, ST_BAD_INPUT, "%zu state addresses, want 1 to %d", count,
                       STATE_NODES_MAX);
    }
    link->loop = loop;
    random_bytes(link->client, sizeof link->client);
    CHECK(uv_timer_init(loop, &link->tick) == 0);
    for (size_t i = 0; i < count && st == ST_OK; i++) {
        link->nodes[i].link = link;
        st = stream_dial(loop,
                         &(struct stream_dial_options){
                             .address = addresses[i],
                             .identity = identity,
                             .service = STREAM_STATE,
                             .handler = &handler,
                             .context = &link->nodes[i],
                         },
                         &link->nodes[i].dialer, err);
        link->node_count += st == ST_OK;
    }
    if (st != ST_OK) {
        state_link_close(link);
        return st;
    }
    *out_link = link;
    return ST_OK;
}

static void closed_cb(uv_handle_t *handle)
{
    struct state_link *link = container_of(handle, struct state_link, tick);

    link->tick_closed = true;
    link_release(link);
}

void state_link_close(struct state_link *link)
{
    struct err err = { 0 };

    if (link == NULL)
        return;
    link->closing = true;
    (void)err_set(&err, ST_CANCELLED, "the object store is stopping");
    for (size_t i = 0; i < STATE_CALLS_MAX; i++) {
        if (link->calls[i].state != CALL_FREE)
            call_end(link, &link->calls[i], ST_CANCELLED, &err);
        buf_done(&link->calls[i].body);
    }
    for (size_t i = 0; i < link->node_count; i++)
        stream_dialer_close(link->nodes[i].dialer);
    uv_close((uv_handle_t *)&link->tick, closed_cb);
}

static struct call *call_new(struct state_link *link, uint32_t deadline_ms, void *context)
{
    struct call *call = NULL;

    CHECK(deadline_ms > 0);
    for (size_t i = 0; i < STATE_CALLS_MAX && call == NULL; i++)
        if (link->calls[i].state == CALL_FREE)
            call = &link->calls[i];
    if (call == NULL || link->closing)
        return NULL;
    call->state = CALL_WAITING;
    call->perhaps_done = false;
    call->why.text[0] = '\0';
    call->deadline_ms = uv_now(link->loop) + deadline_ms;
    call->context = context;
    call->body.len = 0;
    if (link->used == 0)
        CHECK(uv_timer_start(&link->tick, tick_cb, STATE_TICK_MS, STATE_TICK_MS) == 0);
    link->used++;
    return call;
}

enum status state_link_propose(struct state_link *link,
                               Lapwing__CommandType type,
                               struct bytes body,
                               uint32_t deadline_ms,
                               state_propose_fn done,
                               void *context)
{
    struct call *call = call_new(link, deadline_ms, context);

    if (call == NULL)
        return ST_LIMIT;
    call->is_read = false;
    call->proposed = done;
    call->type = type;
    call->sequence = ++link->sequence;
    buf_append(&call->body, body.data, body.len);
    call_send(link, call);
    return ST_OK;
}

enum status state_link_read(struct state_link *link,
                            Lapwing__ReadRequest *request,
                            uint32_t deadline_ms,
                            state_read_fn done,
                            void *context)
{
    struct call *call = call_new(link, deadline_ms, context);

    if (call == NULL)
        return ST_LIMIT;
    call->is_read = true;
    call->read = done;
    request->id = 0;
    call->body.len = lapwing__read_request__pack(
        request, buf_reserve(&call->body, lapwing__read_request__get_packed_size(request)));
    call_send(link, call);
    return ST_OK;
}

static void forgotten_propose(void *context,
                              enum status status,
                              const Lapwing__Outcome *outcome,
                              const struct err *err)
{
}

static void forgotten_read(void *context,
                           enum status status,
                           const Lapwing__ReadReply *reply,
                           const struct err *err)
{
}

void state_link_forget(struct state_link *link, void *context)
{
    for (size_t i = 0; i < STATE_CALLS_MAX; i++) {
        struct call *call = &link->calls[i];

        if (call->state == CALL_FREE || call->context != context)
            continue;
        call->context = NULL;
        call->proposed = forgotten_propose;
        call->read = forgotten_read;
    }
}
