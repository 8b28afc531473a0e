/* The invoke stream: offers, package checks, log reads.  Loop thread. */
#include "worker/agent/link.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "proto/invoke.pb-c.h"
#include "proto/invoke_check.h"
#include "proto/message_limits.h"
#include "worker/agent/invocation.h"

enum { ASKS_MAX = 256, READ_BYTES_MAX = 1 << 20 };

/* A package check or a log read that is not answered yet.  It outlives its stream. */
struct ask {
    struct ask *next;
    struct agent *agent;
    struct stream *stream; /* NULL once it is closed */
    uint64_t id;
    uint8_t hash[PACKAGE_HASH_BYTES];
    struct package_waiter waiter;
};

static struct ask *ask_add(struct agent *agent, struct stream *stream, uint64_t id)
{
    struct ask *ask;

    if (agent->ask_count == ASKS_MAX)
        return NULL;
    ask = must_calloc(1, sizeof *ask);
    ask->agent = agent;
    ask->stream = stream;
    ask->id = id;
    ask->next = agent->asks;
    agent->asks = ask;
    agent->ask_count++;
    return ask;
}

static void ask_done(struct ask *ask)
{
    struct ask **at;

    for (at = &ask->agent->asks; *at != ask; at = &(*at)->next)
        CHECK(*at != NULL);
    *at = ask->next;
    ask->agent->ask_count--;
    free(ask);
}

static void send_message(struct stream *stream, uint16_t type, const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = must_calloc(1, len + 1);

    (void)protobuf_c_message_pack(message, packed);
    if (stream_send(stream, type, bytes_of(packed, len), bytes_of(NULL, 0)) == ST_LIMIT)
        stream_close(stream);
    free(packed);
}

/* ---- package checks ---- */

static void send_checked(struct stream *stream, uint64_t id, const struct package_result *result)
{
    Lapwing__PackageChecked message = LAPWING__PACKAGE_CHECKED__INIT;

    message.id = id;
    message.status = result->status;
    message.reason = (char *)(uintptr_t)result->reason;
    message.text = (char *)(uintptr_t)result->text;
    message.unzipped_bytes = result->unzipped_bytes;
    send_message(stream, LAPWING__INVOKE_FRAME__PACKAGE_CHECKED, &message.base);
}

static void package_checked(struct package_waiter *waiter, const struct package_result *result)
{
    struct ask *ask = container_of(waiter, struct ask, waiter);

    if (ask->stream != NULL)
        send_checked(ask->stream, ask->id, result);
    if (result->status == ST_OK)
        package_cache_drop(ask->agent->packages, ask->hash);
    agent_changed(ask->agent);
    ask_done(ask);
}

static void check_package(struct agent *agent,
                          struct stream *stream,
                          const Lapwing__CheckPackage *message)
{
    struct package_result result = { .status = ST_OK, .reason = "", .text = "" };
    struct err err = { 0 };
    struct ask *ask;

    if (check_package_check(message, &err) != ST_OK) {
        /* The front door's mistake: its client's zip is not to blame. */
        result.status = ST_UNAVAILABLE;
        result.text = err.text;
        send_checked(stream, message->id, &result);
        return;
    }
    if (package_cache_hold(agent->packages, message->sha256.data, &result.unzipped_bytes)) {
        send_checked(stream, message->id, &result);
        package_cache_drop(agent->packages, message->sha256.data);
        return;
    }
    ask = ask_add(agent, stream, message->id);
    if (ask != NULL) {
        memcpy(ask->hash, message->sha256.data, sizeof ask->hash);
        ask->waiter.done = package_checked;
        ask->waiter.until_stored = true;
        if (package_cache_fetch(agent->packages, ask->hash, message->bytes, &ask->waiter) == ST_OK)
            return;
        ask_done(ask);
    }
    result.status = ST_LIMIT;
    result.text = "check of a package: this worker is busy";
    send_checked(stream, message->id, &result);
}

/* ---- log reads ---- */

static void send_logs(struct ask *ask,
                      const struct log_read_line *lines,
                      size_t count,
                      uint64_t next)
{
    Lapwing__Logs message = LAPWING__LOGS__INIT;
    Lapwing__LogLine *list = must_calloc(count + 1, sizeof *list);
    Lapwing__LogLine **pointers = must_calloc(count + 1, sizeof(Lapwing__LogLine *));
    struct buf text = { 0 };
    size_t at = 0;

    for (size_t i = 0; i < count; i++) {
        buf_append(&text, lines[i].text.data, lines[i].text.len);
        buf_append(&text, "", 1);
    }
    for (size_t i = 0; i < count; i++) {
        lapwing__log_line__init(&list[i]);
        list[i].cursor = lines[i].cursor;
        list[i].at_ms = lines[i].at_ms;
        list[i].text = (char *)text.data + at;
        at += lines[i].text.len + 1;
        pointers[i] = &list[i];
    }
    message.id = ask->id;
    message.lines = pointers;
    message.n_lines = count;
    message.next = next;
    message.worker = (char *)(uintptr_t)ask->agent->settings->identity.self.node;
    send_message(ask->stream, LAPWING__INVOKE_FRAME__LOGS, &message.base);
    buf_done(&text);
    free(pointers);
    free(list);
}

static void logs_read(const struct log_read_line *lines, size_t count, uint64_t next, void *context)
{
    struct ask *ask = context;

    if (ask->stream != NULL)
        send_logs(ask, lines, count, next);
    ask_done(ask);
}

static void read_logs(struct agent *agent, struct stream *stream, const Lapwing__ReadLogs *message)
{
    Lapwing__Function name = LAPWING__FUNCTION__INIT;
    char key[LOG_KEY_BYTES];
    uint32_t max_bytes = message->max_bytes;
    struct ask *ask = ask_add(agent, stream, message->id);

    if (ask == NULL)
        return; /* the front door's own deadline ends its wait */
    if (max_bytes == 0 || max_bytes > READ_BYTES_MAX)
        max_bytes = READ_BYTES_MAX;
    name.account = message->account;
    name.region = message->region;
    name.name = message->function;
    agent_log_key(&name, key);
    if (read_logs_check(message, NULL) == ST_OK &&
        function_log_read(agent->logs, key, message->after, max_bytes, logs_read, ask) == ST_OK)
        return;
    logs_read(NULL, 0, message->after, ask);
}

/* ---- frames ---- */

static bool on_offer(struct agent *agent, struct stream *stream, struct bytes body)
{
    Lapwing__Offer *offer = lapwing__offer__unpack(NULL, body.len, body.data);
    struct err err = { 0 };

    if (offer == NULL)
        return false;
    if (offer_check(offer, &err) == ST_OK) {
        invocation_offer(agent, stream, offer); /* takes it */
        return true;
    }
    invocation_refuse(stream, offer->id, LAPWING__REFUSE_REASON__REFUSE_STARTING, err.text);
    lapwing__offer__free_unpacked(offer, NULL);
    return true;
}

static bool on_go(struct agent *agent, struct stream *stream, struct bytes body)
{
    Lapwing__Go *message = lapwing__go__unpack(NULL, body.len, body.data);

    if (message == NULL)
        return false;
    invocation_go(agent, stream, message->id);
    lapwing__go__free_unpacked(message, NULL);
    return true;
}

static bool on_withdraw(struct agent *agent, struct stream *stream, struct bytes body)
{
    Lapwing__Withdraw *message = lapwing__withdraw__unpack(NULL, body.len, body.data);

    if (message == NULL)
        return false;
    invocation_withdraw(agent, stream, message->id);
    lapwing__withdraw__free_unpacked(message, NULL);
    return true;
}

static bool on_check_package(struct agent *agent, struct stream *stream, struct bytes body)
{
    Lapwing__CheckPackage *message = lapwing__check_package__unpack(NULL, body.len, body.data);

    if (message == NULL)
        return false;
    check_package(agent, stream, message);
    lapwing__check_package__free_unpacked(message, NULL);
    return true;
}

static bool on_read_logs(struct agent *agent, struct stream *stream, struct bytes body)
{
    Lapwing__ReadLogs *message = lapwing__read_logs__unpack(NULL, body.len, body.data);

    if (message == NULL)
        return false;
    read_logs(agent, stream, message);
    lapwing__read_logs__free_unpacked(message, NULL);
    return true;
}

static void on_frame(struct stream *stream, uint16_t type, struct bytes body, void *context)
{
    static bool (*const frames[])(struct agent *, struct stream *, struct bytes) = {
        [LAPWING__INVOKE_FRAME__OFFER] = on_offer,
        [LAPWING__INVOKE_FRAME__GO] = on_go,
        [LAPWING__INVOKE_FRAME__WITHDRAW] = on_withdraw,
        [LAPWING__INVOKE_FRAME__CHECK_PACKAGE] = on_check_package,
        [LAPWING__INVOKE_FRAME__READ_LOGS] = on_read_logs,
    };

    if (type < ARRAY_LEN(frames) && frames[type] != NULL && frames[type](context, stream, body))
        return;
    log_event(LOG_WARN, "frame_bad", LS("peer", stream_peer(stream)->node), LU("type", type),
              LU("bytes", body.len), LS("then", "link closed"));
    stream_close(stream);
}

static void on_close(struct stream *stream, enum status why, const struct err *err, void *context)
{
    struct agent *agent = context;

    for (struct ask *ask = agent->asks; ask != NULL; ask = ask->next)
        if (ask->stream == stream)
            ask->stream = NULL;
    invocations_stream_closed(agent, stream);
    log_event(LOG_INFO, "front_door_gone", LS("status", status_name(why)), LS("error", err->text));
}

static void *accepted(struct stream *stream, const struct stream_hello *peer, void *context)
{
    log_event(LOG_INFO, "front_door_connected", LS("peer", peer->node), LS("role", peer->role));
    return context;
}

static const struct stream_handler handler = { .on_frame = on_frame, .on_close = on_close };

enum status link_listen(struct agent *agent, struct err *err)
{
    return stream_listen(agent->loop,
                         &(struct stream_listen_options){
                             .address = agent->settings->listen_address,
                             .identity = &agent->settings->identity,
                             .service = STREAM_INVOKE,
                             .handler = &handler,
                             .accepted = accepted,
                             .context = agent,
                         },
                         &agent->listener, err);
}
