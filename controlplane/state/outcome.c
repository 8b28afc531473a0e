/* Outcomes: filled by a domain, remembered by clients.c, shown to the proposer by state.c. */
#include "controlplane/state/outcome.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

void outcome_refuse(struct outcome *out, const char *reason, enum status st)
{
    size_t len = strlen(reason);

    CHECK(st != ST_OK);
    CHECK(len > 0 && len <= OUTCOME_REASON_BYTES_MAX);
    CHECK(out->body == NULL);
    out->status = st;
    memcpy(out->reason, reason, len + 1);
}

void outcome_answer(struct outcome *out, const ProtobufCMessage *message)
{
    CHECK(out->body == NULL);
    out->body_len = protobuf_c_message_get_packed_size(message);
    out->body = must_calloc(out->body_len + 1, 1); /* a message of defaults has no bytes */
    (void)protobuf_c_message_pack(message, out->body);
}

static void copy_text(char *to, size_t room, struct bytes text)
{
    CHECK(text.len < room);
    if (text.len > 0)
        memcpy(to, text.data, text.len);
    to[text.len] = '\0';
}

void outcome_from_row(struct outcome *out, sqlite3_stmt *stmt)
{
    struct bytes body;

    CHECK(out->body == NULL);
    out->status = (enum status)column_number(stmt, 0);
    copy_text(out->reason, sizeof out->reason, column_bytes(stmt, 1));
    copy_text(out->text.text, sizeof out->text.text, column_bytes(stmt, 2));
    body = column_bytes(stmt, 3);
    if (body.len == 0)
        return;
    out->body = must_calloc(body.len, 1);
    out->body_len = body.len;
    memcpy(out->body, body.data, body.len);
}

void outcome_view(const struct outcome *out, Lapwing__Outcome *view)
{
    lapwing__outcome__init(view);
    view->status = out->status;
    view->reason = (char *)out->reason;
    view->text = (char *)out->text.text;
    view->body = (ProtobufCBinaryData){ .len = out->body_len, .data = out->body };
}

void outcome_done(struct outcome *out)
{
    free(out->body);
    out->body = NULL;
    out->body_len = 0;
}

void *apply_body(const struct apply *apply, const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message =
        protobuf_c_message_unpack(descriptor, NULL, apply->body.len, apply->body.data);

    CHECK(message != NULL);
    return message;
}
