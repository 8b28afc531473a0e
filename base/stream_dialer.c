/* Who dials framed streams.  A dialer owns its stream until its on_gone, and is freed with the last
 * of them.  Everything runs on the thread of the loop. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/check.h"
#include "base/log.h"
#include "base/refusal_rules.h"
#include "base/stream.h"
#include "base/stream_internal.h"

enum { REDIAL_MS_MIN = 20, REDIAL_MS_MAX = 1000 };

struct stream_dialer {
    uv_timer_t timer;
    uv_connect_t connect;
    struct sockaddr_storage where;
    char address[ADDRESS_BYTES_MAX + 1];
    const struct stream_identity *identity;
    uint32_t service;
    const struct stream_handler *handler;
    void *context;
    char node[NODE_BYTES_MAX + 1]; /* empty: any */
    struct stream *stream;         /* connecting or connected */
    uint64_t delay_ms;
    unsigned seed;
    bool closing;
    bool timer_closed;
    char said[ERR_TEXT_BYTES]; /* the last reason that was logged */
    struct refusals refusals;
};

static void dial_now(struct stream_dialer *dialer);

static void dialer_release(struct stream_dialer *dialer)
{
    if (!dialer->timer_closed || dialer->stream != NULL)
        return;
    free(dialer);
}

static void redial_cb(uv_timer_t *timer)
{
    dial_now(timer->data);
}

static enum status dialer_hello(struct stream *stream, struct err *err)
{
    struct stream_dialer *dialer = stream->owner_data;

    dialer->delay_ms = REDIAL_MS_MIN;
    dialer->said[0] = '\0';
    return ST_OK;
}

/* A link that stays down for the same reason is said once, one that is refused once a minute; and
 * no reason more often, however it comes and goes. */
static void say_why(struct stream_dialer *dialer, enum status why, const struct err *err)
{
    uint64_t now_ms = uv_now(dialer->timer.loop);
    uint32_t left_out;

    if (why != ST_DENIED && strcmp(dialer->said, err->text) == 0)
        return;
    if (!refusal_is_said(&dialer->refusals, "", err->text, now_ms, &left_out))
        return;
    (void)strcpy(dialer->said, err->text);
    log_event(LOG_WARN, "link_down", LS("address", dialer->address), LU("service", dialer->service),
              LS("reason", err->text), LU("left_out", left_out), LS("then", "dialling again"));
}

static void dialer_gone(struct stream *stream, enum status why, const struct err *err)
{
    struct stream_dialer *dialer = stream->owner_data;
    uint64_t jitter;
    int rv;

    dialer->stream = NULL;
    if (dialer->closing) {
        dialer_release(dialer);
        return;
    }
    say_why(dialer, why, err);
    jitter = (uint64_t)rand_r(&dialer->seed) % (dialer->delay_ms / 2 + 1);
    rv = uv_timer_start(&dialer->timer, redial_cb, dialer->delay_ms + jitter, 0);
    CHECK(rv == 0);
    dialer->delay_ms *= 2;
    if (dialer->delay_ms > REDIAL_MS_MAX)
        dialer->delay_ms = REDIAL_MS_MAX;
}

static const struct stream_owner dialer_owner = { dialer_hello, dialer_gone };

static void connect_cb(uv_connect_t *req, int rv)
{
    struct stream *stream = req->data;
    struct err err;

    if (stream->state == STREAM_CLOSING)
        return;
    if (rv < 0)
        stream_fail(stream, err_set(&err, ST_UNAVAILABLE, "connect: %s", uv_strerror(rv)), &err);
    else
        stream_start(stream);
}

static void dial_now(struct stream_dialer *dialer)
{
    struct stream *stream = stream_new(dialer->timer.loop, dialer->identity, dialer->service, true,
                                       dialer->node[0] == '\0' ? NULL : dialer->node);
    struct err err;
    int rv;

    stream->owner = &dialer_owner;
    stream->owner_data = dialer;
    stream->handler = dialer->handler;
    stream->context = dialer->context;
    dialer->stream = stream;
    dialer->connect.data = stream;
    rv = uv_tcp_connect(&dialer->connect, &stream->tcp, (const struct sockaddr *)&dialer->where,
                        connect_cb);
    if (rv < 0)
        stream_fail(stream, err_set(&err, ST_UNAVAILABLE, "connect: %s", uv_strerror(rv)), &err);
}

enum status stream_dial(uv_loop_t *loop,
                        const struct stream_dial_options *options,
                        struct stream_dialer **out_dialer,
                        struct err *err)
{
    const char *node = options->node == NULL ? "" : options->node;
    struct stream_dialer *dialer;
    struct sockaddr_storage where;
    enum status st = address_parse(options->address, &where, err);
    int rv;

    if (st != ST_OK)
        return st;
    if (strlen(node) > NODE_BYTES_MAX)
        return err_set(err, ST_BAD_INPUT, "node %.64s: want a name of at most %d bytes", node,
                       NODE_BYTES_MAX);
    dialer = must_calloc(1, sizeof *dialer);
    dialer->where = where;
    (void)strcpy(dialer->address, options->address); /* address_parse checked its length */
    (void)strcpy(dialer->node, node);
    dialer->identity = options->identity;
    dialer->service = options->service;
    dialer->handler = options->handler;
    dialer->context = options->context;
    dialer->delay_ms = REDIAL_MS_MIN;
    dialer->seed = (unsigned)uv_hrtime();
    rv = uv_timer_init(loop, &dialer->timer);
    CHECK(rv == 0);
    dialer->timer.data = dialer;
    dial_now(dialer);
    *out_dialer = dialer;
    return ST_OK;
}

struct stream *stream_dialer_current(const struct stream_dialer *dialer)
{
    if (dialer->stream == NULL || dialer->stream->state != STREAM_OPEN)
        return NULL;
    return dialer->stream;
}

static void timer_closed_cb(uv_handle_t *handle)
{
    struct stream_dialer *dialer = handle->data;

    dialer->timer_closed = true;
    dialer_release(dialer);
}

void stream_dialer_close(struct stream_dialer *dialer)
{
    if (dialer == NULL || dialer->closing)
        return;
    dialer->closing = true;
    if (dialer->stream != NULL)
        stream_close(dialer->stream);
    uv_close((uv_handle_t *)&dialer->timer, timer_closed_cb);
}
