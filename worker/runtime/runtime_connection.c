/* Connections of the Runtime API: bytes in, requests out, responses back.  Loop thread. */
#include "worker/runtime/runtime_connection.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"

enum {
    READ_BYTES = 65536,
    BODY_KEPT_BYTES_MAX = 65536,
    HELD_BYTES_MAX = 4096, /* of small responses; more go out at once */
};

/* The parser uses up what is read before the next read starts, so that one buffer does for all. */
static char read_buffer[READ_BYTES];

struct pending_write {
    uv_write_t req;
    struct runtime_connection *connection;
    uint8_t *data;
};

static void close_cb(uv_handle_t *handle)
{
    struct runtime_connection *connection =
        container_of((uv_tcp_t *)handle, struct runtime_connection, tcp);

    http_parser_done(&connection->parser);
    buf_done(&connection->body);
    buf_done(&connection->held);
    free(connection);
}

void runtime_connection_close(struct runtime_connection *connection)
{
    struct runtime_server *server = connection->server;
    struct runtime_connection **at;

    if (uv_is_closing((uv_handle_t *)&connection->tcp))
        return;
    if (server != NULL) {
        for (at = &server->connections; *at != connection; at = &(*at)->next)
            CHECK(*at != NULL);
        *at = connection->next;
        server->connection_count--;
        if (server->waiting == connection)
            server->waiting = NULL;
        connection->server = NULL;
    }
    uv_close((uv_handle_t *)&connection->tcp, close_cb);
}

static void alloc_cb(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    *out = uv_buf_init(read_buffer, sizeof read_buffer);
}

static void read_cb(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf);

static void write_cb(uv_write_t *req, int status)
{
    struct pending_write *write = container_of(req, struct pending_write, req);
    struct runtime_connection *connection = write->connection;

    free(write->data);
    free(write);
    connection->writes--;
    if (uv_is_closing((uv_handle_t *)&connection->tcp))
        return;
    if (status < 0 || connection->broken)
        runtime_connection_close(connection);
    else if (connection->writes == 0)
        (void)uv_read_start((uv_stream_t *)&connection->tcp, alloc_cb, read_cb);
}

/* What the socket did not take at once is copied, and the peer is not read until it is gone. */
static void write_rest(struct runtime_connection *connection, uv_buf_t bufs[2], size_t done)
{
    struct pending_write *write;
    size_t total = bufs[0].len + bufs[1].len, left = total - done;
    uv_buf_t rest;
    int rv;

    write = must_calloc(1, sizeof *write);
    write->connection = connection;
    write->data = must_calloc(1, left);
    if (done < bufs[0].len) {
        memcpy(write->data, bufs[0].base + done, bufs[0].len - done);
        memcpy(write->data + bufs[0].len - done, bufs[1].base, bufs[1].len);
    } else {
        memcpy(write->data, bufs[1].base + (done - bufs[0].len), left);
    }
    rest = uv_buf_init((char *)write->data, (unsigned)left);
    rv = uv_write(&write->req, (uv_stream_t *)&connection->tcp, &rest, 1, write_cb);
    if (rv < 0) {
        free(write->data);
        free(write);
        runtime_connection_close(connection);
        return;
    }
    connection->writes++;
    (void)uv_read_stop((uv_stream_t *)&connection->tcp);
}

void runtime_connection_respond(struct runtime_connection *connection,
                                unsigned status,
                                struct bytes extra_fields,
                                struct bytes body)
{
    static char nothing[1];
    struct buf head = connection->held;
    uv_buf_t bufs[2];
    int rv;

    if (uv_is_closing((uv_handle_t *)&connection->tcp))
        return;
    connection->held = (struct buf){ 0 };
    buf_printf(&head, "HTTP/1.1 %u %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n",
               status, http_reason(status), body.len);
    if (connection->broken)
        buf_append_text(&head, "Connection: close\r\n");
    buf_append(&head, extra_fields.data, extra_fields.len);
    buf_append_text(&head, "\r\n");
    if (body.len <= BODY_KEPT_BYTES_MAX) {
        buf_append(&head, body.data, body.len);
        body = bytes_of(NULL, 0);
    }
    if (connection->more && !connection->broken && body.len == 0 && head.len <= HELD_BYTES_MAX) {
        connection->held = head;
        return;
    }
    bufs[0] = uv_buf_init((char *)head.data, (unsigned)head.len);
    bufs[1] =
        uv_buf_init(body.len == 0 ? nothing : (char *)(uintptr_t)body.data, (unsigned)body.len);
    rv =
        connection->writes > 0 ? UV_EAGAIN : uv_try_write((uv_stream_t *)&connection->tcp, bufs, 2);
    if (rv < 0 && rv != UV_EAGAIN)
        runtime_connection_close(connection);
    else if ((size_t)(rv < 0 ? 0 : rv) < head.len + body.len)
        write_rest(connection, bufs, rv < 0 ? 0 : (size_t)rv);
    else if (connection->broken)
        runtime_connection_close(connection);
    buf_done(&head);
}

/* A head is complete: decide whether its body will be kept. */
static void on_head(struct runtime_connection *connection)
{
    static const char go_on[] = "HTTP/1.1 100 Continue\r\n\r\n";
    struct http_parser *parser = &connection->parser;
    struct http_head head = http_parser_head(parser);
    struct bytes id, type = { 0 };
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)go_on, sizeof go_on - 1);

    connection->call = runtime_route(parser->method, parser->target, &id);
    connection->refusal = runtime_server_refusal(connection->server, connection->call, id);
    connection->keep_body = connection->refusal == 0;
    connection->too_large = false;
    connection->error_type[0] = '\0';
    if (http_head_find(&head, "Lambda-Runtime-Function-Error-Type", &type) &&
        type.len < sizeof connection->error_type) {
        memcpy(connection->error_type, type.data, type.len);
        connection->error_type[type.len] = '\0';
    }
    if (!parser->expect_continue)
        return;
    /* Without our "continue" the client may never send the body; with a refusal it need not. */
    if (connection->refusal == 0 && connection->writes == 0)
        (void)uv_try_write((uv_stream_t *)&connection->tcp, &buf, 1);
    else
        connection->broken = true;
}

static void on_body(struct runtime_connection *connection, struct bytes chunk)
{
    size_t room = PAYLOAD_BYTES_MAX - connection->body.len;

    if (!connection->keep_body)
        return;
    if (chunk.len > room) {
        connection->too_large = true;
        connection->keep_body = false;
        return;
    }
    buf_append(&connection->body, chunk.data, chunk.len);
}

static void on_end(struct runtime_connection *connection)
{
    if (!connection->parser.keep_alive)
        connection->broken = true;
    runtime_server_on_request(connection->server, connection);
    connection->body.len = 0;
    if (connection->body.capacity > BODY_KEPT_BYTES_MAX)
        buf_done(&connection->body);
}

static void refuse_message(struct runtime_connection *connection, enum status status)
{
    static const char body[] =
        "{\"errorMessage\":\"malformed request\",\"errorType\":\"InvalidRequest\"}";

    connection->broken = true;
    runtime_connection_respond(connection, status == ST_LIMIT ? 431 : 400, bytes_of(NULL, 0),
                               bytes_of_text(body));
}

/* Use up what was read, request by request. */
static void consume(struct runtime_connection *connection, struct bytes in)
{
    while (connection->server != NULL) {
        enum http_event event = HTTP_EVENT_NONE;
        enum status status;

        /* While GET next is open there is nothing a runtime could have to say here. */
        if (connection->server->waiting == connection && in.len > 0) {
            runtime_connection_close(connection);
            return;
        }
        status = http_parser_next(&connection->parser, &in, &event, NULL);
        if (status != ST_OK) {
            refuse_message(connection, status);
            return;
        }
        if (event == HTTP_EVENT_NONE)
            return;
        if (event == HTTP_EVENT_HEAD)
            on_head(connection);
        if (event == HTTP_EVENT_BODY)
            on_body(connection, connection->parser.chunk);
        if (event == HTTP_EVENT_END) {
            connection->more = in.len > 0;
            on_end(connection);
            connection->more = false;
        }
    }
}

static void read_cb(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct runtime_connection *connection =
        container_of((uv_tcp_t *)stream, struct runtime_connection, tcp);

    if (got == 0)
        return;
    if (got < 0 || connection->server == NULL) {
        runtime_connection_close(connection);
        return;
    }
    consume(connection, bytes_of(buf->base, (size_t)got));
}

static void refused_close_cb(uv_handle_t *handle)
{
    free(handle);
}

void runtime_connection_accept(struct runtime_server *server)
{
    struct runtime_connection *connection = must_calloc(1, sizeof *connection);
    int rv = uv_tcp_init(server->listener.loop, &connection->tcp);

    CHECK(rv == 0); /* only initialises memory */
    if (uv_accept((uv_stream_t *)&server->listener, (uv_stream_t *)&connection->tcp) < 0 ||
        server->connection_count == RUNTIME_CONNECTIONS_MAX) {
        /* tcp is the first member, so that the handle is the allocation. */
        uv_close((uv_handle_t *)&connection->tcp, refused_close_cb);
        return;
    }
    (void)uv_tcp_nodelay(&connection->tcp, 1);
    http_parser_init(&connection->parser, HTTP_PARSER_REQUEST);
    connection->server = server;
    connection->next = server->connections;
    server->connections = connection;
    server->connection_count++;
    rv = uv_read_start((uv_stream_t *)&connection->tcp, alloc_cb, read_cb);
    if (rv < 0)
        runtime_connection_close(connection);
}
