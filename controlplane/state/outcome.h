/* What one command came to, while it is being applied. */
#ifndef CONTROLPLANE_STATE_OUTCOME_H
#define CONTROLPLANE_STATE_OUTCOME_H

#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "controlplane/state/connection.h"
#include "proto/command.pb-c.h"

enum { OUTCOME_REASON_BYTES_MAX = 47 };

/* Zero-initialised is ok with an empty body; outcome_done() frees the body. */
struct outcome {
    enum status status;
    char reason[OUTCOME_REASON_BYTES_MAX + 1]; /* symbol for programs, empty when ok */
    struct err text;                           /* for a person */
    uint8_t *body;                             /* owned: a packed message, or NULL */
    size_t body_len;
};

/* One command on its way through its domain. */
struct apply {
    struct connection *connection;
    enum state_group group;
    uint64_t now_ms;     /* stamped by the leader */
    struct bytes body;   /* of the command, borrowed */
    struct outcome *out; /* zero when the domain gets it */
};

/* Refuse: `st` is what err_set(&out->text, ...) returned, `reason` a symbol. */
void outcome_refuse(struct outcome *out, const char *reason, enum status st);

/* The packed message becomes the body. */
void outcome_answer(struct outcome *out, const ProtobufCMessage *message);

/* Take over the row that was remembered for this command: status, reason, text, body. */
void outcome_from_row(struct outcome *out, sqlite3_stmt *stmt);

/* A borrowed view for callers. */
void outcome_view(const struct outcome *out, Lapwing__Outcome *view);
void outcome_done(struct outcome *out);

/* Decode a committed body, whose check passed before it was proposed; stops the process if it is no
 * such message, because going on would make replicas differ.  Free with
 * protobuf_c_message_free_unpacked(). */
void *apply_body(const struct apply *apply, const ProtobufCMessageDescriptor *descriptor);

/* One a command type, in the file of its domain: reads rows, writes rows, fills apply->out. */
void functions_apply_create(struct apply *apply);
void functions_apply_update_code(struct apply *apply);
void functions_apply_update_configuration(struct apply *apply);
void functions_apply_publish(struct apply *apply);
void functions_apply_activate(struct apply *apply);
void functions_apply_delete(struct apply *apply);
void tags_apply_tag(struct apply *apply);
void tags_apply_untag(struct apply *apply);
void workers_apply_register(struct apply *apply);
void members_apply_bootstrap(struct apply *apply);
void members_apply_add(struct apply *apply);
void members_apply_remove(struct apply *apply);
void buckets_apply_create(struct apply *apply);
void buckets_apply_delete(struct apply *apply);
void objects_apply_put(struct apply *apply);
void objects_apply_delete(struct apply *apply);
void objects_apply_delete_many(struct apply *apply);
void uploads_apply_create(struct apply *apply);
void uploads_apply_put_part(struct apply *apply);
void uploads_apply_complete(struct apply *apply);
void uploads_apply_abort(struct apply *apply);
void clients_apply_forget(struct apply *apply);

#endif
