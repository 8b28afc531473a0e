/* The Runtime API of one environment: the driver of runtime_plan.  Loop thread. */
#include "worker/runtime/runtime_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"
#include "worker/runtime/runtime_connection.h"

enum { BACKLOG = 16 };

static void respond_error(struct runtime_connection *connection,
                          unsigned status,
                          const char *type,
                          const char *message)
{
    char body[256];

    (void)snprintf(body, sizeof body, "{\"errorMessage\":\"%s\",\"errorType\":\"%s\"}\n", message,
                   type);
    runtime_connection_respond(connection, status, bytes_of(NULL, 0), bytes_of_text(body));
}

static void respond_refusal(struct runtime_connection *connection, unsigned status)
{
    if (status == 404)
        respond_error(connection, 404, "NotFound", "no such path in the Runtime API");
    else if (status == 400)
        respond_error(connection, 400, "InvalidRequestID", "Invalid request ID");
    else
        respond_error(connection, 403, "InvalidStateTransition",
                      "this call is not allowed in the present state");
}

static void respond_accepted(struct runtime_connection *connection, bool too_large)
{
    char message[80];

    if (!too_large) {
        runtime_connection_respond(connection, 202, bytes_of(NULL, 0),
                                   bytes_of_text("{\"status\":\"OK\"}\n"));
        return;
    }
    (void)snprintf(message, sizeof message, "Exceeded maximum allowed payload size (%d bytes).",
                   PAYLOAD_BYTES_MAX);
    respond_error(connection, 413, "RequestEntityTooLarge", message);
}

unsigned runtime_server_refusal(const struct runtime_server *server,
                                enum runtime_call call,
                                struct bytes id)
{
    if (call == RUNTIME_NO_CALL)
        return 404;
    if (runtime_next(server->state, call).action == RUNTIME_DO_REFUSE)
        return 403;
    if ((call == RUNTIME_RESPONSE || call == RUNTIME_ERROR) &&
        !bytes_equal(id, bytes_of_text(server->request_id)))
        return 400;
    return 0;
}

static void tell(struct runtime_server *server, struct runtime_connection *connection, bool init)
{
    struct runtime_answer answer = {
        .failed = connection->call != RUNTIME_RESPONSE,
        .too_large = connection->too_large,
        .error_type = connection->error_type,
        .body = buf_view(&connection->body),
    };

    /* The agent first: the caller waits for this, while the runtime has all its work done. */
    if (init)
        server->handler->on_init_error(&answer, server->context);
    else
        server->handler->on_answer(&answer, server->context);
    if (connection->server != NULL)
        respond_accepted(connection, connection->too_large);
}

void runtime_server_on_request(struct runtime_server *server, struct runtime_connection *connection)
{
    struct runtime_move move;

    if (connection->refusal != 0) {
        respond_refusal(connection, connection->refusal);
        return;
    }
    /* Another connection may have answered while this body was on its way. */
    move = runtime_next(server->state, connection->call);
    server->state = move.next;
    switch (move.action) {
    case RUNTIME_DO_REFUSE:
        respond_refusal(connection, 403);
        return;
    case RUNTIME_DO_PONG:
        runtime_connection_respond(connection, 200, bytes_of(NULL, 0), bytes_of_text("pong"));
        return;
    case RUNTIME_DO_HOLD:
        server->waiting = connection;
        server->handler->on_next(server->context);
        return;
    case RUNTIME_DO_HOLD_AGAIN:
        if (server->waiting != NULL)
            runtime_connection_close(server->waiting);
        server->waiting = connection;
        return;
    case RUNTIME_DO_TELL:
        tell(server, connection, false);
        return;
    case RUNTIME_DO_TELL_FAILED:
        tell(server, connection, true);
        return;
    case RUNTIME_DO_DELIVER:
        break;
    }
    CHECK(!"runtime: action that no request causes");
}

/* A field whose value comes from a client: a control character could start another field. */
static void append_field(struct buf *out, const char *name, const char *value)
{
    if (value == NULL || value[0] == '\0')
        return;
    buf_printf(out, "%s: ", name);
    for (; *value != '\0'; value++) {
        char c = (unsigned char)*value < 0x20 || *value == 0x7f ? ' ' : *value;

        buf_append(out, &c, 1);
    }
    buf_append_text(out, "\r\n");
}

void runtime_server_hand_out(struct runtime_server *server, const struct runtime_event *event)
{
    struct runtime_move move = runtime_next(server->state, RUNTIME_HAND_OUT);
    struct runtime_connection *connection = server->waiting;
    struct buf fields = { 0 };

    CHECK(move.action == RUNTIME_DO_DELIVER);
    CHECK(strlen(event->request_id) < sizeof server->request_id);
    server->state = move.next;
    (void)snprintf(server->request_id, sizeof server->request_id, "%s", event->request_id);
    if (connection == NULL)
        return; /* its connection broke meanwhile: the time limit ends this */
    server->waiting = NULL;
    append_field(&fields, "Lambda-Runtime-Aws-Request-Id", event->request_id);
    buf_printf(&fields, "Lambda-Runtime-Deadline-Ms: %llu\r\n",
               (unsigned long long)event->deadline_ms);
    append_field(&fields, "Lambda-Runtime-Invoked-Function-Arn", event->invoked_arn);
    append_field(&fields, "Lambda-Runtime-Trace-Id", event->trace_id);
    append_field(&fields, "Lambda-Runtime-Client-Context", event->client_context);
    runtime_connection_respond(connection, 200, buf_view(&fields), event->payload);
    buf_done(&fields);
}

static void listener_close_cb(uv_handle_t *handle)
{
    free(container_of((uv_tcp_t *)handle, struct runtime_server, listener));
}

void runtime_server_close(struct runtime_server *server)
{
    if (server == NULL || server->closing)
        return;
    server->closing = true;
    while (server->connections != NULL)
        runtime_connection_close(server->connections);
    uv_close((uv_handle_t *)&server->listener, listener_close_cb);
}

static void connection_cb(uv_stream_t *listener, int status)
{
    struct runtime_server *server =
        container_of((uv_tcp_t *)listener, struct runtime_server, listener);

    if (status == 0)
        runtime_connection_accept(server);
}

enum status runtime_server_start(uv_loop_t *loop,
                                 int fd,
                                 const struct runtime_handler *handler,
                                 void *context,
                                 struct runtime_server **out_server,
                                 struct err *err)
{
    struct runtime_server *server = must_calloc(1, sizeof *server);
    int rv = uv_tcp_init(loop, &server->listener);

    CHECK(rv == 0); /* only initialises memory */
    server->handler = handler;
    server->context = context;
    rv = uv_tcp_open(&server->listener, fd);
    if (rv < 0)
        (void)close(fd);
    if (rv == 0)
        rv = uv_listen((uv_stream_t *)&server->listener, BACKLOG, connection_cb);
    if (rv < 0) {
        runtime_server_close(server);
        return err_set(err, ST_IO, "listen for the Runtime API: %s", uv_strerror(rv));
    }
    *out_server = server;
    return ST_OK;
}
