/* One connection of a Runtime API server; shared by runtime_server.c and runtime_connection.c. */
#ifndef WORKER_RUNTIME_RUNTIME_CONNECTION_H
#define WORKER_RUNTIME_RUNTIME_CONNECTION_H

#include "base/http_parser.h"
#include "worker/runtime/runtime_plan.h"
#include "worker/runtime/runtime_server.h"

struct runtime_connection {
    uv_tcp_t tcp;
    struct runtime_server *server; /* NULL once the server is closed */
    struct runtime_connection *next;
    struct http_parser parser;
    enum runtime_call call; /* of the request that is being read */
    unsigned refusal;       /* HTTP status decided at its head, 0 for none */
    bool keep_body;
    bool too_large;
    bool broken; /* close after what is written */
    char error_type[RUNTIME_ERROR_TYPE_BYTES];
    struct buf body;
    bool more;       /* the peer has sent more behind the request that is being answered */
    struct buf held; /* responses that go out with the next one */
    unsigned writes; /* uv writes in flight; reading stops meanwhile */
};

struct runtime_server {
    uv_tcp_t listener;
    const struct runtime_handler *handler;
    void *context;
    enum runtime_state state;
    char request_id[RUNTIME_ID_BYTES];  /* of the event that was handed out */
    struct runtime_connection *waiting; /* holds the open GET next */
    struct runtime_connection *connections;
    unsigned connection_count;
    bool closing; /* freed when the listener's handle is closed */
};

/* Accept one connection on the server's listener. */
void runtime_connection_accept(struct runtime_server *server);
/* Stop it; it is taken off its server and freed by the loop. */
void runtime_connection_close(struct runtime_connection *connection);
/* Write one response with a body of two parts (either may be empty).
 *
 * A peer that has sent its next request already is not woken for this response alone: it goes out
 * with the next one.  So a runtime that posts its answer and asks for the next event in one piece
 * sleeps once an invocation. */
void runtime_connection_respond(struct runtime_connection *connection,
                                unsigned status,
                                struct bytes extra_fields,
                                struct bytes body);

/* A request is complete (in runtime_server.c). */
void runtime_server_on_request(struct runtime_server *server,
                               struct runtime_connection *connection);
/* The HTTP status that refuses a call already at its head, or 0. */
unsigned runtime_server_refusal(const struct runtime_server *server,
                                enum runtime_call call,
                                struct bytes id);

#endif
