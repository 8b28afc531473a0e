/* Frames about invocations.  Loop thread. */
#include "worker/agent/invocation_send.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"

enum { FRAME_HEAD_BYTES_MAX = 16384, PAYLOAD_FIELD_TAG = 3 << 3 | 2, VARINT_BYTES_MAX = 10 };

/* A front door that does not read its answers is cut off: it asks nobody else for what it was
 * promised here, and its queue must not grow. */
static void send_frame(struct stream *stream, uint16_t type, struct bytes head, struct bytes body)
{
    enum status st = stream_send(stream, type, head, body);

    if (st != ST_LIMIT)
        return;
    log_event(LOG_WARN, "front_door_too_slow", LS("peer", stream_peer(stream)->node),
              LU("queued_bytes", stream_queued_bytes(stream)), LS("then", "link closed"));
    stream_close(stream);
}

void invocation_refuse(struct stream *stream, uint64_t id, uint32_t reason, const char *text)
{
    Lapwing__Refuse message = LAPWING__REFUSE__INIT;
    uint8_t packed[ERR_TEXT_BYTES + 64];
    size_t len;

    message.id = id;
    message.reason = (Lapwing__RefuseReason)reason;
    message.text = (char *)(uintptr_t)text;
    len = lapwing__refuse__get_packed_size(&message);
    CHECK(len <= sizeof packed);
    (void)lapwing__refuse__pack(&message, packed);
    send_frame(stream, LAPWING__INVOKE_FRAME__REFUSE, bytes_of(packed, len), bytes_of(NULL, 0));
}

void invocation_send_ready(struct invocation *inv)
{
    Lapwing__Ready message = LAPWING__READY__INIT;
    uint8_t packed[32];
    size_t len;

    if (inv->stream == NULL)
        return;
    message.id = inv->offer->id;
    message.cold = inv->cold;
    len = lapwing__ready__get_packed_size(&message);
    CHECK(len <= sizeof packed);
    (void)lapwing__ready__pack(&message, packed);
    send_frame(inv->stream, LAPWING__INVOKE_FRAME__READY, bytes_of(packed, len), bytes_of(NULL, 0));
}

/* Tag and length of the payload's field, so that megabytes are not packed into a copy first: in
 * protobuf a message may be followed by more of its fields. */
static size_t put_payload_head(uint8_t *out, size_t len)
{
    size_t at = 0;

    out[at++] = PAYLOAD_FIELD_TAG;
    for (; len >= 0x80; len >>= 7)
        out[at++] = (uint8_t)(len | 0x80);
    out[at++] = (uint8_t)len;
    return at;
}

void invocation_send_result(struct invocation *inv, const struct invocation_outcome *outcome)
{
    Lapwing__Result message = LAPWING__RESULT__INIT;
    uint8_t tail[LOG_TAIL_BYTES_MAX], packed[FRAME_HEAD_BYTES_MAX];
    size_t len;

    if (inv->stream == NULL) {
        log_event(LOG_INFO, "result_unheard", LS("invocation", inv->offer->request_id));
        return;
    }
    message.id = inv->offer->id;
    message.function_error = (char *)(uintptr_t)(outcome->failed ? "Unhandled" : "");
    message.duration_us = outcome->duration_us;
    message.init_us = inv->init_us;
    message.max_memory_mb = inv->peak_mb;
    if (outcome->error_type != NULL)
        message.error_type = (char *)(uintptr_t)outcome->error_type;
    if (inv->offer->log_tail) {
        message.log_tail.len = tail_read(&inv->tail, tail);
        message.log_tail.data = tail;
    }
    len = lapwing__result__get_packed_size(&message);
    CHECK(len + VARINT_BYTES_MAX + 1 <= sizeof packed);
    (void)lapwing__result__pack(&message, packed);
    if (outcome->payload.len > 0)
        len += put_payload_head(packed + len, outcome->payload.len);
    send_frame(inv->stream, LAPWING__INVOKE_FRAME__RESULT, bytes_of(packed, len), outcome->payload);
}

/* argv[0] could not be executed at all. */
static void word_start_error(struct invocation *inv, struct buf *payload)
{
    bool missing = strcmp(inv->start_error, "No such file or directory") == 0;
    bool provided = strncmp(inv->offer->function->runtime, "provided", 8) == 0;

    buf_append_text(payload,
                    "{\"errorType\":\"Runtime.InvalidEntrypoint\",\"errorMessage\":\"RequestId: ");
    payload_json_text(payload, inv->offer->request_id);
    if (missing && provided) {
        buf_append_text(
            payload,
            " Error: Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]");
    } else {
        buf_append_text(payload, " Error: fork/exec of the runtime: ");
        payload_json_text(payload, inv->start_error);
    }
    buf_append_text(payload, "\"}");
}

void invocation_failure_outcome(struct invocation *inv,
                                struct buf *payload,
                                struct invocation_outcome *outcome)
{
    const char *id = inv->offer->request_id;

    outcome->report_status = "error";
    switch (inv->failure) {
    case FAILURE_POSTED:
        buf_append(payload, inv->failure_payload.data, inv->failure_payload.len);
        outcome->error_type = payload_error_type(inv->failure_type);
        break;
    case FAILURE_EXITED:
        if (inv->start_error[0] != '\0') {
            word_start_error(inv, payload);
            outcome->error_type = "Runtime.InvalidEntrypoint";
            break;
        }
        payload_exited(payload, id, &inv->exit);
        outcome->error_type = payload_exit_type(&inv->exit);
        outcome->out_of_memory = inv->exit.out_of_memory;
        break;
    case FAILURE_NONE:
    case FAILURE_OURS:
        payload_failure(payload, id, "the execution environment was stopped");
        outcome->error_type = "Sandbox.Failure";
        break;
    }
    outcome->report_type = outcome->error_type;
    outcome->payload = buf_view(payload);
}
