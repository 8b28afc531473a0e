/* See worker_link.h. */
#include "controlplane/dispatch/worker_link.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "proto/invoke_check.h"

/* The id of a call is a serial number over its slot, so that a late frame of an ended call is told
 * from one of the slot's new owner. */
static uint32_t slot_of(uint64_t id)
{
    return (uint32_t)(id % WORKER_CALLS_MAX);
}

static struct worker_call *call_of(struct worker_link *link, uint64_t id)
{
    struct worker_call *call = link->calls[slot_of(id)];

    return call != NULL && call->id == id ? call : NULL;
}

static void lose_calls(struct worker_link *link)
{
    for (uint32_t i = 0; i < WORKER_CALLS_MAX; i++) {
        struct worker_call *call = link->calls[i];

        if (call == NULL)
            continue;
        worker_call_end(call);
        call->on_lost(call);
    }
}

static void link_open_cb(struct stream *stream, const struct stream_hello *peer, void *context)
{
    struct worker_link *link = context;

    if (link->dialer == NULL || stream_dialer_current(link->dialer) != stream)
        return;
    link->stream = stream;
    log_event(LOG_INFO, "worker_link_open", LS("worker", peer->node),
              LS("worker_zone", peer->zone));
    link->on_change(link, true, NULL);
}

static void link_close_cb(struct stream *stream,
                          enum status why,
                          const struct err *err,
                          void *context)
{
    struct worker_link *link = context;

    if (link->stream != stream)
        return;
    link->stream = NULL;
    log_event(LOG_WARN, "worker_link_lost", LS("worker", stream_peer(stream)->node),
              LS("why", status_name(why)), LS("text", err->text),
              LS("then", "rerouting what had not started"));
    link->on_change(link, false, err->text);
    lose_calls(link);
}

/* What a worker may send: how it is decoded and checked, and where its id stands. */
struct frame_kind {
    uint16_t type;
    const ProtobufCMessageDescriptor *descriptor;
    size_t id_offset;
    enum status (*check)(const ProtobufCMessage *message, struct err *err); /* NULL: only an id */
};

static enum status check_refuse(const ProtobufCMessage *message, struct err *err)
{
    return refuse_check((const Lapwing__Refuse *)(const void *)message, err);
}

static enum status check_result(const ProtobufCMessage *message, struct err *err)
{
    return result_check((const Lapwing__Result *)(const void *)message, err);
}

static enum status check_package_checked(const ProtobufCMessage *message, struct err *err)
{
    return package_checked_check((const Lapwing__PackageChecked *)(const void *)message, err);
}

static enum status check_logs(const ProtobufCMessage *message, struct err *err)
{
    return logs_check((const Lapwing__Logs *)(const void *)message, err);
}

static const struct frame_kind frame_kinds[] = {
    { LAPWING__INVOKE_FRAME__READY, &lapwing__ready__descriptor, offsetof(Lapwing__Ready, id),
      NULL },
    { LAPWING__INVOKE_FRAME__REFUSE, &lapwing__refuse__descriptor, offsetof(Lapwing__Refuse, id),
      check_refuse },
    { LAPWING__INVOKE_FRAME__RESULT, &lapwing__result__descriptor, offsetof(Lapwing__Result, id),
      check_result },
    { LAPWING__INVOKE_FRAME__PACKAGE_CHECKED, &lapwing__package_checked__descriptor,
      offsetof(Lapwing__PackageChecked, id), check_package_checked },
    { LAPWING__INVOKE_FRAME__LOGS, &lapwing__logs__descriptor, offsetof(Lapwing__Logs, id),
      check_logs },
};

static const struct frame_kind *kind_of(uint16_t type)
{
    for (size_t i = 0; i < ARRAY_LEN(frame_kinds); i++)
        if (frame_kinds[i].type == type)
            return &frame_kinds[i];
    return NULL;
}

static void deliver(struct worker_link *link,
                    const struct frame_kind *kind,
                    const ProtobufCMessage *message)
{
    uint64_t id;
    struct worker_call *call;

    memcpy(&id, (const uint8_t *)message + kind->id_offset, sizeof id);
    call = call_of(link, id);
    if (call != NULL) /* else it ended: an answer that came too late */
        call->on_message(call, kind->type, message);
}

static void link_frame_cb(struct stream *stream, uint16_t type, struct bytes body, void *context)
{
    struct worker_link *link = context;
    const struct frame_kind *kind = kind_of(type);
    struct err err = { .text = "it cannot be decoded" };
    ProtobufCMessage *message;

    if (link->stream != stream)
        return;
    if (kind == NULL) {
        log_event(LOG_WARN, "worker_frame_unknown", LU("type", type), LS("then", "dropping it"));
        return;
    }
    message = protobuf_c_message_unpack(kind->descriptor, NULL, body.len, body.data);
    if (message != NULL && (kind->check == NULL || kind->check(message, &err) == ST_OK)) {
        deliver(link, kind, message);
    } else {
        log_event(LOG_ERROR, "worker_frame_bad", LS("worker", stream_peer(stream)->node),
                  LU("type", type), LS("why", err.text), LS("then", "closing its link"));
        stream_close(stream);
    }
    if (message != NULL)
        protobuf_c_message_free_unpacked(message, NULL);
}

static const struct stream_handler link_handler = {
    .on_open = link_open_cb,
    .on_frame = link_frame_cb,
    .on_close = link_close_cb,
};

void worker_link_init(struct worker_link *link,
                      uv_loop_t *loop,
                      const struct stream_identity *identity,
                      worker_link_change_fn on_change)
{
    memset(link, 0, sizeof *link);
    link->loop = loop;
    link->identity = identity;
    link->on_change = on_change;
    link->free_count = WORKER_CALLS_MAX;
    for (uint32_t i = 0; i < WORKER_CALLS_MAX; i++)
        link->free_slots[i] = WORKER_CALLS_MAX - 1 - i;
}

enum status worker_link_dial(struct worker_link *link,
                             const char *node,
                             const char *address,
                             struct err *err)
{
    worker_link_close(link);
    return stream_dial(link->loop,
                       &(struct stream_dial_options){
                           .address = address,
                           .identity = link->identity,
                           .service = STREAM_INVOKE,
                           .node = node,
                           .handler = &link_handler,
                           .context = link,
                       },
                       &link->dialer, err);
}

void worker_link_close(struct worker_link *link)
{
    bool was_open = link->stream != NULL;

    stream_dialer_close(link->dialer);
    link->dialer = NULL;
    link->stream = NULL;
    if (was_open)
        link->on_change(link, false, NULL);
    lose_calls(link);
}

enum status worker_call_start(struct worker_link *link, struct worker_call *call)
{
    uint32_t slot;

    CHECK(call->link == NULL);
    CHECK(call->on_message != NULL);
    CHECK(call->on_lost != NULL);
    if (link->stream == NULL)
        return ST_UNAVAILABLE;
    if (link->free_count == 0)
        return ST_LIMIT;
    slot = link->free_slots[--link->free_count];
    CHECK(link->calls[slot] == NULL);
    link->calls[slot] = call;
    call->id = ++link->next_id * WORKER_CALLS_MAX + slot;
    call->link = link;
    return ST_OK;
}

enum status worker_call_send(struct worker_call *call,
                             uint16_t type,
                             const ProtobufCMessage *message,
                             struct bytes tail)
{
    uint8_t small[512];
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = small;
    enum status st;

    CHECK(call->link != NULL);
    if (call->link->stream == NULL)
        return ST_UNAVAILABLE;
    if (len > sizeof small)
        packed = must_calloc(1, len);
    (void)protobuf_c_message_pack(message, packed);
    st = stream_send(call->link->stream, type, bytes_of(packed, len), tail);
    if (packed != small)
        free(packed);
    return st;
}

void worker_call_end(struct worker_call *call)
{
    struct worker_link *link = call->link;
    uint32_t slot;

    if (link == NULL)
        return;
    slot = slot_of(call->id);
    CHECK(link->calls[slot] == call);
    link->calls[slot] = NULL;
    link->free_slots[link->free_count++] = slot;
    call->link = NULL;
}

void worker_call_abort_link(struct worker_call *call, const char *why)
{
    struct stream *stream = call->link == NULL ? NULL : call->link->stream;

    if (stream == NULL)
        return;
    log_event(LOG_ERROR, "worker_broke_protocol", LS("worker", stream_peer(stream)->node),
              LS("why", why), LS("then", "closing its link"));
    stream_close(stream);
}
