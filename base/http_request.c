/* The life of one HTTP request inside libmicrohttpd: what its callbacks mean for a handler.  Owned
 * by the server; the loop's thread.
 *
 * libmicrohttpd calls the access handler again and again: first with the head alone, then with
 * pieces of the body, at last without data.  Whoever has nothing to say suspends the connection; it
 * is resumed by what the handler of the program does.  An answer may only be queued at the last
 * call: at the first one it would cost the connection its keep-alive, in between it is refused. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/http_server_internal.h"
#include "base/log.h"

enum { PUSH_BLOCK_BYTES = 65536 };

static void request_suspend(struct http_request *req)
{
    CHECK(!req->suspended);
    req->suspended = true;
    MHD_suspend_connection(req->connection->mhd);
}

/* Have libmicrohttpd ask us again. */
static void request_wake(struct http_request *req)
{
    if (req->suspended) {
        req->suspended = false;
        MHD_resume_connection(req->connection->mhd);
    }
    http_server_touch(req->server);
}

static bool has_body(const struct http_request *req)
{
    return req->content_length > 0;
}

void *http_request_start(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    struct http_request *req = must_calloc(1, sizeof *req);

    CHECK(info != NULL);
    req->server = cls;
    req->connection = info->socket_context;
    CHECK(req->connection->req == NULL);
    req->connection->req = req;
    req->target = must_strdup(uri);
    req->head.target = bytes_of_text(req->target);
    return req;
}

struct gather {
    struct http_request *req;
    size_t bytes;
    size_t lengths;
    size_t codings;
    size_t hosts;
    bool bad;
};

/* The length of the body, from what must be plain digits. */
static bool parse_length(struct bytes text, uint64_t *out)
{
    uint64_t length = 0;

    if (text.len == 0 || text.len > 18)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        length = length * 10 + (uint64_t)(text.data[i] - '0');
    }
    *out = length;
    return true;
}

static enum MHD_Result gather_field(void *cls,
                                    enum MHD_ValueKind kind,
                                    const char *name,
                                    size_t name_bytes,
                                    const char *value,
                                    size_t value_bytes)
{
    struct gather *gather = cls;
    struct http_request *req = gather->req;
    struct http_field field = {
        .name = bytes_of(name, name_bytes),
        .value = http_trim(bytes_of(value, value == NULL ? 0 : value_bytes)),
    };

    gather->bytes += name_bytes + value_bytes + 4;
    if (req->head.field_count >= HTTP_FIELDS_MAX)
        return MHD_NO;
    req->fields[req->head.field_count++] = field;
    if (http_text_equal(field.name, "content-length")) {
        gather->lengths++;
        if (!parse_length(field.value, &req->content_length))
            gather->bad = true;
    } else if (http_text_equal(field.name, "transfer-encoding")) {
        gather->codings++;
        if (!http_text_equal(field.value, "chunked"))
            gather->bad = true;
        req->content_length = HTTP_LENGTH_UNKNOWN;
    } else if (http_text_equal(field.name, "host")) {
        gather->hosts++;
    } else if (http_text_equal(field.name, "expect")) {
        req->expects_continue = http_text_equal(field.value, "100-continue");
    }
    return MHD_YES;
}

/* Collect the fields and refuse what another parser could read differently.  Returns 0, or the
 * status to refuse with. */
static unsigned request_head(struct http_request *req, const char *method)
{
    struct MHD_Connection *mhd = req->connection->mhd;
    struct gather gather = { .req = req, .bytes = req->head.target.len };
    int count = MHD_get_connection_values(mhd, MHD_HEADER_KIND, NULL, NULL);

    req->head.method = bytes_of_text(method);
    if (req->head.target.len > HTTP_TARGET_BYTES_MAX)
        return 414;
    if (count > HTTP_FIELDS_MAX)
        return 431;
    req->fields = must_calloc((size_t)count + 1, sizeof *req->fields);
    req->head.fields = req->fields;
    (void)MHD_get_connection_values_n(mhd, MHD_HEADER_KIND, gather_field, &gather);
    if (gather.bytes > HTTP_HEAD_BYTES_MAX)
        return 431;
    if (gather.bad || gather.lengths > 1 || gather.hosts > 1)
        return 400;
    if (gather.lengths > 0 && gather.codings > 0)
        return 400;
    if (gather.codings > 1)
        return 400;
    return 0;
}

/* Refuse a head before any handler saw it.  JSON, since a client of ours reads that or XML, and
 * this one has not even told which. */
static void refuse_head(struct http_request *req, unsigned status)
{
    static const struct http_answer_field json = { "Content-Type", "application/json" };
    struct http_answer answer = {
        .status = status, .fields = &json, .field_count = 1, .close = true
    };
    char text[128];

    (void)snprintf(text, sizeof text, "{\"message\":\"%s\"}", http_reason(status));
    if (http_server_may_log(req->server, &req->server->heads, "http_head_refused"))
        log_event(LOG_INFO, "http_head_refused", LU("status", status));
    http_respond(req, &answer, bytes_of_text(text));
}

static enum MHD_Result queue_answer(struct http_request *req)
{
    struct MHD_Response *response = req->response;
    enum MHD_Result queued;

    CHECK(!req->queued);
    req->queued = true;
    req->response = NULL;
    queued = MHD_queue_response(req->connection->mhd, req->status, response);
    MHD_destroy_response(response); /* the connection holds its own reference */
    return queued;
}

/* The calls with the head alone, until we let it pass. */
static enum MHD_Result access_head(struct http_request *req)
{
    if (req->response != NULL && has_body(req)) {
        bool too_long = req->content_length != HTTP_LENGTH_UNKNOWN &&
                        req->content_length > HTTP_DISCARD_BYTES_MAX;

        /* Who asked before sending is answered at once, and so is a body too long to be read in
         * vain or of unclear length.  All cost the connection. */
        if (req->expects_continue || too_long || !req->announced)
            return queue_answer(req);
        req->mode = HTTP_BODY_DISCARD;
    }
    if (has_body(req) && req->mode == HTTP_BODY_HELD) {
        request_suspend(req);
        return MHD_YES;
    }
    req->head_passed = true;
    return MHD_YES;
}

static void collect(struct http_request *req, struct bytes chunk)
{
    if (req->body_too_large || req->body.len + chunk.len > req->body_bytes_max) {
        req->body_too_large = true;
        req->discarded += chunk.len;
        buf_done(&req->body);
        return;
    }
    buf_append(&req->body, chunk.data, chunk.len);
}

/* A piece of the body.  Returns how much of it is used. */
static size_t access_body(struct http_request *req, struct bytes chunk)
{
    const struct http_handler *handler = req->server->handler;
    size_t taken;

    switch (req->mode) {
    case HTTP_BODY_HELD:
        request_suspend(req);
        return 0;
    case HTTP_BODY_COLLECT:
        collect(req, chunk);
        return chunk.len;
    case HTTP_BODY_DISCARD:
        req->discarded += chunk.len;
        return chunk.len;
    case HTTP_BODY_STREAM:
        break;
    }
    CHECK(handler->on_body != NULL);
    /* Held unless the handler takes all of it or says again that it will read. */
    req->mode = HTTP_BODY_HELD;
    taken = handler->on_body(req, chunk, req->server->context);
    CHECK(taken <= chunk.len);
    if (req->mode == HTTP_BODY_DISCARD || req->aborted)
        return chunk.len;
    if (taken == chunk.len)
        req->mode = HTTP_BODY_STREAM;
    else if (req->mode == HTTP_BODY_HELD)
        request_suspend(req);
    return taken;
}

/* The calls after the whole body, until there is an answer. */
static enum MHD_Result access_end(struct http_request *req)
{
    req->body_ended = true;
    if (req->response == NULL && req->mode != HTTP_BODY_HELD && !req->end_told) {
        req->end_told = true;
        req->server->handler->on_body_end(req, req->server->context);
    }
    if (req->aborted)
        return MHD_NO;
    if (req->response != NULL)
        return queue_answer(req);
    request_suspend(req);
    return MHD_YES;
}

/* The first call of all. */
static void announce(struct http_request *req, const char *method)
{
    unsigned refused = request_head(req, method);

    req->head_read = true;
    if (refused != 0) {
        refuse_head(req, refused);
        return;
    }
    if (req->server->closing)
        return;
    req->announced = true;
    req->server->requests++;
    req->server->handler->on_request(req, req->server->context);
    /* Its going was seen before its request was. */
    if (req->connection->gone && req->response == NULL)
        http_request_gone(req);
}

enum MHD_Result http_request_access(void *cls,
                                    struct MHD_Connection *mhd,
                                    const char *url,
                                    const char *method,
                                    const char *version,
                                    const char *data,
                                    size_t *data_bytes,
                                    void **slot)
{
    struct http_request *req = *slot;

    CHECK(req != NULL && req->connection->mhd == mhd);
    if (!req->head_read)
        announce(req, method);
    if (req->aborted || req->server->closing)
        return MHD_NO;
    if (!req->head_passed)
        return access_head(req);
    if (*data_bytes > 0) {
        *data_bytes -= access_body(req, bytes_of(data, *data_bytes));
        if (req->discarded > HTTP_DISCARD_BYTES_MAX)
            req->aborted = true;
        return req->aborted ? MHD_NO : MHD_YES;
    }
    return access_end(req);
}

static enum status outcome_of(const struct http_request *req, enum MHD_RequestTerminationCode why)
{
    switch (why) {
    case MHD_REQUEST_TERMINATED_COMPLETED_OK:
        /* libmicrohttpd also says so of an unknown length that was cut short by the peer's going.
         */
        return ST_OK;
    case MHD_REQUEST_TERMINATED_TIMEOUT_REACHED:
        return ST_TIMEOUT;
    case MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN:
        return ST_CANCELLED;
    case MHD_REQUEST_TERMINATED_WITH_ERROR:
    case MHD_REQUEST_TERMINATED_READ_ERROR:
    case MHD_REQUEST_TERMINATED_CLIENT_ABORT:
        break;
    }
    if (req->connection->timed_out)
        return ST_TIMEOUT;
    return req->aborted || req->server->closing ? ST_CANCELLED : ST_IO;
}

void http_request_completed(void *cls,
                            struct MHD_Connection *mhd,
                            void **slot,
                            enum MHD_RequestTerminationCode why)
{
    struct http_request *req = *slot;
    struct http_server *server = cls;

    if (req == NULL)
        return;
    *slot = NULL;
    CHECK(req->connection->req == req);
    if (req->announced) {
        server->handler->on_done(req, outcome_of(req, why), server->context);
        server->requests--;
    }
    req->connection->req = NULL;
    req->connection->first = false;
    req->connection->since_ms = uv_now(server->loop);
    if (req->response != NULL)
        MHD_destroy_response(req->response);
    buf_done(&req->body);
    buf_done(&req->queue);
    free(req->fields);
    free(req->target);
    free(req);
}

void http_request_gone(struct http_request *req)
{
    if (!req->announced || req->gone_told || req->server->handler->on_gone == NULL)
        return;
    req->gone_told = true;
    req->server->handler->on_gone(req, req->server->context);
}

const struct http_head *http_request_head(const struct http_request *req)
{
    return &req->head;
}

const struct sockaddr *http_request_peer(const struct http_request *req)
{
    const union MHD_ConnectionInfo *info;

    if (req->connection->secure != NULL)
        return (const struct sockaddr *)&req->connection->secure->peer;
    info = MHD_get_connection_info(req->connection->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    CHECK(info != NULL);
    return info->client_addr;
}

bool http_request_is_https(const struct http_request *req)
{
    return req->connection->secure != NULL;
}

uint64_t http_request_content_length(const struct http_request *req)
{
    return req->content_length;
}

void http_request_set_context(struct http_request *req, void *context)
{
    req->context = context;
}

void *http_request_context(const struct http_request *req)
{
    return req->context;
}

void http_request_collect(struct http_request *req, size_t bytes_max)
{
    CHECK(req->mode == HTTP_BODY_HELD);
    CHECK(req->response == NULL && !req->queued);
    req->mode = HTTP_BODY_COLLECT;
    req->body_bytes_max = bytes_max;
    if (req->content_length != HTTP_LENGTH_UNKNOWN && req->content_length <= bytes_max)
        (void)buf_reserve(&req->body, (size_t)req->content_length);
    request_wake(req);
}

void http_request_read(struct http_request *req)
{
    CHECK(req->mode == HTTP_BODY_HELD || req->mode == HTTP_BODY_STREAM);
    CHECK(req->response == NULL && !req->queued);
    req->mode = HTTP_BODY_STREAM;
    request_wake(req);
}

struct bytes http_request_body(const struct http_request *req)
{
    return buf_view(&req->body);
}

bool http_request_body_too_large(const struct http_request *req)
{
    return req->body_too_large;
}

struct buf http_request_take_body(struct http_request *req)
{
    struct buf body = req->body;

    req->body = (struct buf){ 0 };
    return body;
}

/* Every way of answering ends here. */
static void answer_with(struct http_request *req,
                        const struct http_answer *answer,
                        struct MHD_Response *response)
{
    CHECK(req->response == NULL && !req->queued);
    CHECK(response != NULL);
    CHECK(answer->status >= 200 && answer->status <= 599);
    for (size_t i = 0; i < answer->field_count; i++) {
        const struct http_answer_field *field = &answer->fields[i];
        /* libmicrohttpd takes no empty value; a blank is one to whoever reads it. */
        const char *value = field->value[0] != '\0' ? field->value : " ";

        /* Refused for a line break or an empty name: the value may have come from a client, and the
         * answer is better without it than not given. */
        if (MHD_add_response_header(response, field->name, value) == MHD_NO)
            log_event(LOG_WARN, "http_field_dropped", LS("name", field->name));
    }
    /* Who asks before sending nothing gets no 100 from newer releases of libmicrohttpd.  botocore
     * then takes the next answer on that connection for a part of this one, and waits for ever. */
    if (answer->close || (req->expects_continue && !has_body(req)))
        (void)MHD_add_response_header(response, "Connection", "close");
    req->response = response;
    req->status = answer->status;
    if (!req->body_ended && req->head_passed)
        req->mode = HTTP_BODY_DISCARD;
    buf_done(&req->body);
    request_wake(req);
}

void http_respond_owned(struct http_request *req,
                        const struct http_answer *answer,
                        struct bytes body,
                        void (*release)(void *))
{
    if (body.len == 0) {
        if (body.data != NULL)
            release((void *)(uintptr_t)body.data);
        http_respond(req, answer, (struct bytes){ 0 });
        return;
    }
    answer_with(req, answer,
                MHD_create_response_from_buffer_with_free_callback(
                    body.len, (void *)(uintptr_t)body.data, release));
}

void http_respond(struct http_request *req, const struct http_answer *answer, struct bytes body)
{
    static char nothing[1];
    uint8_t *copy;

    if (body.len == 0) {
        answer_with(req, answer,
                    MHD_create_response_from_buffer(0, nothing, MHD_RESPMEM_PERSISTENT));
        return;
    }
    copy = must_realloc(NULL, body.len);
    memcpy(copy, body.data, body.len);
    http_respond_owned(req, answer, bytes_of(copy, body.len), free);
}

void http_respond_file(struct http_request *req,
                       const struct http_answer *answer,
                       int fd,
                       uint64_t offset,
                       uint64_t length)
{
    struct MHD_Response *response = MHD_create_response_from_fd_at_offset64(length, fd, offset);

    CHECK(response != NULL); /* only for an offset or length over INT64_MAX */
    answer_with(req, answer, response);
}

/* libmicrohttpd wants the next bytes of a pushed body. */
static ssize_t push_read(void *cls, uint64_t position, char *to, size_t room)
{
    struct http_request *req = cls;
    size_t ready = req->queue.len - req->queue_at;
    size_t take = ready < room ? ready : room;

    if (req->aborted || req->server->closing)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    if (take == 0) {
        if (!req->push_ended) {
            request_suspend(req);
            return 0;
        }
        return req->push_left == HTTP_LENGTH_UNKNOWN ? MHD_CONTENT_READER_END_OF_STREAM
                                                     : MHD_CONTENT_READER_END_WITH_ERROR;
    }
    memcpy(to, req->queue.data + req->queue_at, take);
    req->queue_at += take;
    if (req->queue_at == req->queue.len) {
        req->queue.len = 0;
        req->queue_at = 0;
    }
    if (req->choked && req->queue.len - req->queue_at <= HTTP_QUEUE_BYTES_MAX / 2) {
        req->choked = false;
        if (req->server->handler->on_drain != NULL)
            req->server->handler->on_drain(req, req->server->context);
    }
    return (ssize_t)take;
}

void http_respond_stream(struct http_request *req,
                         const struct http_answer *answer,
                         uint64_t length)
{
    uint64_t size = length == HTTP_LENGTH_UNKNOWN ? MHD_SIZE_UNKNOWN : length;

    req->streaming = true;
    req->push_left = length;
    answer_with(req, answer,
                MHD_create_response_from_callback(size, PUSH_BLOCK_BYTES, push_read, req, NULL));
}

enum status http_push(struct http_request *req, struct bytes chunk)
{
    CHECK(req->streaming && !req->push_ended);
    if (req->aborted)
        return ST_CANCELLED;
    if (req->push_left != HTTP_LENGTH_UNKNOWN) {
        CHECK(chunk.len <= req->push_left);
        req->push_left -= chunk.len;
    }
    /* What was sent is dropped only when it is most of the buffer, so that each byte moves once. */
    if (req->queue_at > 0 && req->queue_at >= req->queue.len / 2) {
        buf_consume(&req->queue, req->queue_at);
        req->queue_at = 0;
    }
    if (!bytes_equal(req->head.method, bytes_of_text("HEAD")))
        buf_append(&req->queue, chunk.data, chunk.len);
    request_wake(req);
    if (req->queue.len - req->queue_at <= HTTP_QUEUE_BYTES_MAX)
        return ST_OK;
    req->choked = true;
    return ST_LIMIT;
}

void http_push_end(struct http_request *req)
{
    CHECK(req->streaming && !req->push_ended);
    req->push_ended = true;
    request_wake(req);
}

void http_request_abort(struct http_request *req)
{
    req->aborted = true;
    /* Also when libmicrohttpd is in the middle of sending, and would not ask us again. */
    http_connection_shutdown(req->connection);
    request_wake(req);
}
