/* The Runtime API of one environment: HTTP/1.1 on the listener that the spawner made inside it.
 *
 * The peer is a stranger's code: every call is checked against runtime_plan.h, memory is bounded by
 * connections x (head + one body) and only a body that is awaited is kept.  All calls and callbacks
 * on the loop's thread. */
#ifndef WORKER_RUNTIME_RUNTIME_SERVER_H
#define WORKER_RUNTIME_RUNTIME_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/bytes.h"
#include "base/status.h"

enum { RUNTIME_CONNECTIONS_MAX = 16, RUNTIME_ERROR_TYPE_BYTES = 128, RUNTIME_ID_BYTES = 64 };

/* One event to be worked on.  Texts may be empty or NULL, then their header is left out. */
struct runtime_event {
    const char *request_id; /* 1 to RUNTIME_ID_BYTES - 1 bytes */
    uint64_t deadline_ms;   /* since the epoch */
    const char *invoked_arn;
    const char *trace_id;
    const char *client_context;
    struct bytes payload;
};

/* What the runtime posted; borrowed for the callback. */
struct runtime_answer {
    bool failed;            /* posted to /error */
    bool too_large;         /* over PAYLOAD_BYTES_MAX; `body` is what came before */
    const char *error_type; /* the header as sent, or "" */
    struct bytes body;
};

struct runtime_handler {
    /* The runtime waits for an event: the first time, or after its answer. */
    void (*on_next)(void *context);
    void (*on_answer)(const struct runtime_answer *answer, void *context);
    void (*on_init_error)(const struct runtime_answer *answer, void *context);
};

struct runtime_server; /* freed by itself after runtime_server_close() */

/* Serve on `fd`, a listening TCP socket; takes it also on failure.  ST_IO when the loop refuses it.
 */
enum status runtime_server_start(uv_loop_t *loop,
                                 int fd,
                                 const struct runtime_handler *handler,
                                 void *context,
                                 struct runtime_server **out_server,
                                 struct err *err);

/* Answer the open GET next.  Only between on_next and the answer to it. */
void runtime_server_hand_out(struct runtime_server *server, const struct runtime_event *event);

/* No callback comes after this; NULL is harmless.  Allowed inside a callback. */
void runtime_server_close(struct runtime_server *server);

#endif
