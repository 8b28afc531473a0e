/* From HTTP requests to events, and from the table's actions to calls.
 *
 * Owner of the requests.  Thread: the loop's.  The decisions are in s3_life_rules.c and the other
 * *_rules.c; the steps in s3_rows.c, s3_put.c and s3_get.c. */
#include "objstore/s3/s3_server.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "objstore/s3/s3_request.h"

static void server_release(struct s3_server *server)
{
    void (*closed)(void *) = server->on_closed;
    void *context = server->closed_context;

    if (!server->closed || server->requests > 0)
        return;
    free(server);
    closed(context);
}

void s3_release(struct s3_request *req)
{
    struct s3_server *server = req->server;

    if (req->http != NULL || req->in_flight > 0)
        return;
    CHECK(req->state == S3_FINISHED);
    s3_put_done(req);
    s3_list_done(&req->list);
    s3_uploads_done(&req->multipart.list);
    s3_claims_done(&req->multipart.claims);
    s3_deletion_done(&req->deletion);
    free(req->extents);
    if (req->object != NULL)
        lapwing__object__free_unpacked(req->object, NULL);
    free(req);
    server->requests--;
    server_release(server);
}

enum s3_event s3_fail(struct s3_request *req, enum s3_error error, const char *text)
{
    req->error = error;
    req->err.text[0] = '\0';
    if (text != NULL)
        (void)err_set(&req->err, ST_OK, "%s", text);
    return S3_FAILED;
}

static void drop(struct s3_request *req)
{
    s3_put_drop(req);
    s3_read_drop(req);
}

static void log_refusal(const struct s3_request *req)
{
    enum log_level level = s3_error_http(req->error) >= 500 ? LOG_WARN : LOG_DEBUG;

    log_event(level, "s3_refused", LS("operation", req->route.name),
              LS("bucket", req->route.bucket), LS("code", s3_error_code(req->error)),
              LS("text", req->err.text), LS("request", req->id));
}

/* Perform one action.  Returns the event it caused at once. */
static enum s3_event perform(struct s3_request *req, enum s3_action action)
{
    switch (action) {
    case S3_DO_NOTHING:
        return S3_NO_EVENT;
    case S3_DO_READ_ROWS:
        return s3_read_rows(req);
    case S3_DO_COLLECT:
        http_request_collect(req->http, S3_TEXT_BYTES_MAX);
        return S3_NO_EVENT;
    case S3_DO_RECEIVE:
        return s3_put_receive(req);
    case S3_DO_STORE:
        s3_put_store(req);
        return S3_NO_EVENT;
    case S3_DO_PROPOSE:
        return req->steps->propose(req);
    case S3_DO_OPEN:
        s3_read_open(req);
        return S3_NO_EVENT;
    case S3_DO_FETCH:
        s3_read_fetch(req);
        return S3_NO_EVENT;
    case S3_DO_SEND:
        return s3_get_send(req);
    case S3_DO_SEND_ON:
        return s3_read_on(req);
    case S3_DO_COPY:
        return s3_copy_on(req);
    case S3_DO_ANSWER:
        req->steps->answer(req);
        return S3_NO_EVENT;
    case S3_DO_REFUSE:
        drop(req);
        log_refusal(req);
        s3_answer_error(req);
        return S3_NO_EVENT;
    case S3_DO_CUT:
        drop(req);
        log_refusal(req);
        http_request_abort(req->http);
        return S3_NO_EVENT;
    case S3_DO_DROP:
        drop(req);
        return S3_NO_EVENT;
    case S3_DO_FORBIDDEN:
        break;
    }
    CHECK(!"s3: event not allowed in this state");
}

void s3_on(struct s3_request *req, enum s3_event event)
{
    while (event != S3_NO_EVENT) {
        struct s3_move move = s3_next(req->state, event);

        req->state = move.next;
        event = perform(req, move.action);
    }
}

/* ---- HTTP ---- */

/* Which step comes first? */
static enum s3_event first_event(struct s3_request *req)
{
    struct s3_server *server = req->server;
    enum s3_error error = s3_route(req->head, server->domain, &req->route);

    if (error != S3_OK)
        return s3_fail(req, error, NULL);
    error = s3_authenticate(server->keys, req->head, &req->route,
                            clock_stamp_ms(server->clock) / 1000, &req->caller, &req->err);
    if (error != S3_OK) {
        req->error = error;
        return S3_FAILED;
    }
    if (!s3_caller_may(&req->caller, &req->route) || !s3_owner_is_expected(req->head))
        return s3_fail(req, S3_ACCESS_DENIED, NULL);
    if (req->route.operation == S3_UNSUPPORTED) {
        req->error = S3_NOT_IMPLEMENTED;
        (void)err_set(&req->err, ST_OK, "%s is not implemented by this object store",
                      req->route.name);
        return S3_FAILED;
    }
    req->steps = s3_steps_of(req->route.operation);
    return req->steps->begin(req);
}

static void on_request(struct http_request *http, void *context)
{
    struct s3_server *server = context;
    struct s3_request *req = must_calloc(1, sizeof *req);

    req->server = server;
    req->http = http;
    req->head = http_request_head(http);
    req->route.name = "";
    (void)snprintf(req->id, sizeof req->id, "%08X%08X", server->id_prefix, server->id_next++);
    server->requests++;
    http_request_set_context(http, req);
    s3_on(req, first_event(req));
}

static size_t on_body(struct http_request *http, struct bytes chunk, void *context)
{
    struct s3_request *req = http_request_context(http);

    if (req->state != S3_RECEIVING)
        return chunk.len; /* refused already: read and forget */
    return s3_put_body(req, chunk);
}

static void on_body_end(struct http_request *http, void *context)
{
    struct s3_request *req = http_request_context(http);

    if (req->state == S3_COLLECTING)
        s3_on(req, s3_collected(req));
    else if (req->state == S3_RECEIVING)
        s3_on(req, s3_put_body_end(req));
}

static void on_drain(struct http_request *http, void *context)
{
    struct s3_request *req = http_request_context(http);

    if (req->state == S3_SENDING)
        s3_read_drained(req);
}

static void on_done(struct http_request *http, enum status outcome, void *context)
{
    struct s3_request *req = http_request_context(http);

    if (outcome != ST_OK && req->state != S3_FINISHED)
        log_event(LOG_DEBUG, "s3_gone", LS("operation", req->route.name),
                  LS("status", status_name(outcome)), LS("request", req->id));
    s3_on(req, S3_GONE);
    req->http = NULL;
    s3_release(req);
}

static const struct http_handler handler = {
    .on_request = on_request,
    .on_body = on_body,
    .on_body_end = on_body_end,
    .on_drain = on_drain,
    .on_done = on_done,
};

enum status s3_server_open(const struct s3_options *options,
                           struct s3_server **out_server,
                           struct err *err)
{
    struct s3_server *server = must_calloc(1, sizeof *server);
    enum status st;

    server->loop = options->loop;
    server->keys = options->keys;
    server->domain = options->domain;
    server->clock = options->clock;
    server->store = options->store;
    server->peers = options->peers;
    server->link = options->link;
    random_bytes(&server->id_prefix, sizeof server->id_prefix);
    st = http_server_new(options->loop, NULL, &handler, server, &server->http, err);
    if (st != ST_OK) {
        free(server);
        return st;
    }
    if (options->certificate != NULL)
        st = http_server_listen_https(server->http, options->certificate, options->listen, false,
                                      err);
    else
        st = http_server_listen(server->http, options->listen, false, err);
    if (st != ST_OK)
        return st; /* the HTTP server closes from the loop, which will not run: the program ends */
    *out_server = server;
    return ST_OK;
}

unsigned s3_server_port(const struct s3_server *server)
{
    return http_server_port(server->http);
}

void s3_server_stop_listening(struct s3_server *server)
{
    http_server_stop_listening(server->http);
}

unsigned s3_server_requests(const struct s3_server *server)
{
    return server->requests;
}

static void http_closed(void *context)
{
    struct s3_server *server = context;

    server->closed = true;
    server_release(server);
}

void s3_server_close(struct s3_server *server, void (*closed)(void *context), void *context)
{
    server->on_closed = closed;
    server->closed_context = context;
    http_server_close(server->http, http_closed);
}
