#include "tests/unit/http_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/https.h"
#include "tests/unit/check.h"

static const struct http_answer_field text_plain[] = {
    { "Content-Type", "text/plain" },
    { "ETag", "\"abc\"" },
};
const struct http_answer http_ok = { 200, text_plain, ARRAY_LEN(text_plain), false };

static void on_request(struct http_request *req, void *context)
{
    struct fixture *f = context;
    const struct http_head *head = http_request_head(req);
    struct buf fields = { 0 };

    EXPECT(f->req == NULL);
    f->req = req;
    f->requests++;
    http_request_set_context(req, f);
    (void)snprintf(f->method, sizeof f->method, "%.*s", (int)head->method.len, head->method.data);
    (void)snprintf(f->target, sizeof f->target, "%.*s", (int)head->target.len, head->target.data);
    for (size_t i = 0; i < head->field_count; i++)
        buf_printf(&fields, "%.*s=%.*s;", (int)head->fields[i].name.len, head->fields[i].name.data,
                   (int)head->fields[i].value.len, head->fields[i].value.data);
    (void)snprintf(f->fields, sizeof f->fields, "%s", buf_text(&fields));
    buf_done(&fields);
    if (f->how == ANSWER_AT_ONCE)
        http_respond(req, &http_ok, bytes_of_text("hello"));
    else if (f->how == ANSWER_AFTER_COLLECT)
        http_request_collect(req, f->collect_max);
    else if (f->how == ANSWER_ECHO || f->how == ANSWER_PIECES || f->how == ANSWER_IN_BODY)
        http_request_read(req);
}

static size_t on_body(struct http_request *req, struct bytes chunk, void *context)
{
    struct fixture *f = context;
    size_t take = f->how == ANSWER_PIECES ? 1 : chunk.len;

    buf_append(&f->body, chunk.data, take);
    if (f->how == ANSWER_IN_BODY)
        http_respond(req, &http_ok, bytes_of_text("enough"));
    return take;
}

static void on_body_end(struct http_request *req, void *context)
{
    struct fixture *f = context;
    struct bytes body = http_request_body(req);

    f->ends++;
    EXPECT(http_request_context(req) == f);
    if (f->how == ANSWER_ECHO || f->how == ANSWER_PIECES)
        body = buf_view(&f->body);
    if (http_request_body_too_large(req))
        http_respond(req, &(struct http_answer){ .status = 413 }, bytes_of_text("too large"));
    else if (f->how != ANSWER_LATER)
        http_respond(req, &http_ok, body);
}

static void on_gone(struct http_request *req, void *context)
{
    ((struct fixture *)context)->gone++;
}

static void on_drain(struct http_request *req, void *context)
{
    ((struct fixture *)context)->drained++;
}

static void on_done(struct http_request *req, enum status outcome, void *context)
{
    struct fixture *f = context;

    EXPECT(f->req == req);
    f->req = NULL;
    f->done++;
    f->outcome = outcome;
}

const struct http_handler http_fixture_handler = {
    .on_request = on_request,
    .on_body = on_body,
    .on_body_end = on_body_end,
    .on_gone = on_gone,
    .on_drain = on_drain,
    .on_done = on_done,
};

static void stopped(void *context)
{
    ((struct fixture *)context)->stopped = true;
}

int client_connect(unsigned port)
{
    struct sockaddr_in address = {
        .sin_family = AF_INET,
        .sin_port = htons((uint16_t)port),
        .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
    };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(connect(fd, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    return fd;
}

void connect_anew(struct fixture *f)
{
    f->client = client_connect(f->port);
    https_client_forget(&f->tls);
    f->closed_by_server = false;
    f->in.len = 0;
}

static void begin(struct fixture *f, bool https, const struct http_server_options *options)
{
    struct err err = { 0 };

    CHECK(uv_loop_init(&f->loop) == 0);
    EXPECT_EQ(http_server_new(&f->loop, options, &http_fixture_handler, f, &f->server, &err),
              ST_OK);
    f->https = https;
    if (https) {
        https_folder_make(&f->files);
        EXPECT_EQ(https_certificate_open(f->files.certificate, f->files.key, &f->certificate, &err),
                  ST_OK);
        EXPECT_EQ(http_server_listen_https(f->server, f->certificate, "127.0.0.1:0", false, &err),
                  ST_OK);
    } else {
        EXPECT_EQ(http_server_listen(f->server, "127.0.0.1:0", false, &err), ST_OK);
    }
    EXPECT_TEXT(err.text, "");
    f->port = http_server_port(f->server);
    connect_anew(f);
}

void start(struct fixture *f, enum how how, const struct http_server_options *options)
{
    const char *wanted = getenv("HTTP_FIXTURE");

    *f = (struct fixture){ .how = how, .collect_max = 1 << 20 };
    begin(f, wanted != NULL && strcmp(wanted, "https") == 0, options);
}

void start_https(struct fixture *f, enum how how, const struct http_server_options *options)
{
    *f = (struct fixture){ .how = how, .collect_max = 1 << 20 };
    begin(f, true, options);
}

static ssize_t client_recv(struct fixture *f, void *to, size_t size)
{
    if (!f->https)
        return recv(f->client, to, size, 0);
    https_client_use(&f->tls, f->client);
    return https_client_recv(&f->tls, to, size);
}

static ssize_t client_send(struct fixture *f, struct bytes text)
{
    if (!f->https)
        return send(f->client, text.data, text.len, MSG_NOSIGNAL);
    https_client_use(&f->tls, f->client);
    return https_client_send(&f->tls, text);
}

void turn(struct fixture *f)
{
    ssize_t got;

    (void)uv_run(&f->loop, UV_RUN_NOWAIT);
    while (f->client >= 0 && !f->closed_by_server) {
        got = client_recv(f, buf_reserve(&f->in, 65536), 65536);
        if (got > 0)
            f->in.len += (size_t)got;
        else if (got < 0 && errno == EAGAIN)
            return;
        else
            f->closed_by_server = true;
    }
}

void turns(struct fixture *f, int count)
{
    while (count-- > 0)
        turn(f);
}

void stop(struct fixture *f)
{
    http_server_close(f->server, stopped);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    EXPECT(f->stopped);
    EXPECT(f->req == NULL);
    if (f->client >= 0)
        (void)close(f->client);
    CHECK(uv_loop_close(&f->loop) == 0);
    https_client_done(&f->tls);
    https_certificate_free(f->certificate);
    if (f->https)
        https_folder_remove(&f->files);
    buf_done(&f->in);
    buf_done(&f->body);
}

void say_bytes(struct fixture *f, struct bytes text)
{
    while (text.len > 0) {
        ssize_t sent = client_send(f, text);

        if (sent > 0)
            text = bytes_of(text.data + sent, text.len - (size_t)sent);
        else if (errno != EAGAIN)
            return;
        turn(f);
    }
}

void say(struct fixture *f, const char *text)
{
    say_bytes(f, bytes_of_text(text));
}

bool turn_again(struct fixture *f)
{
    if (f->waits_since_ns == 0)
        f->waits_since_ns = uv_hrtime();
    turn(f);
    return uv_hrtime() - f->waits_since_ns < 20000000000;
}

/* Until the client has seen `text`. */
bool sees(struct fixture *f, const char *text)
{
    while (strstr(buf_text(&f->in), text) == NULL)
        if (!turn_again(f))
            return false;
    return true;
}

bool sees_close(struct fixture *f)
{
    while (!f->closed_by_server)
        if (!turn_again(f))
            return false;
    return true;
}

void until_done(struct fixture *f, unsigned count)
{
    while (f->done < count && turn_again(f))
        ;
    EXPECT_EQ(f->done, count);
}

const char http_get_request[] = "GET /a%20b//../c?x=%41&y HTTP/1.1\r\n"
                                "Host: h\r\n"
                                "X-Amz-Date:  1 \r\n"
                                "x-amz-date: 2\r\n\r\n";
