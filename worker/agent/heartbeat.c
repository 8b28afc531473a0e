/* Sending heartbeats.  See heartbeat.h. */
#include "worker/agent/heartbeat.h"

#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"
#include "proto/worker.pb-c.h"
#include "proto/worker_check.h"

/* One address. */
struct peer {
    struct heartbeats *heartbeats;
    const char *address;
    struct stream_dialer *dialer;
    unsigned unanswered; /* on the stream that is open */
    bool accepted;       /* as last logged */
    bool refused;        /* as last logged */
};

/* Freed when its timers are closed and the last stream is: late callbacks find it. */
struct heartbeats {
    struct agent *agent;
    uv_timer_t timer;  /* the steady beat */
    uv_timer_t change; /* soon after a change */
    uint64_t sequence;
    size_t peer_count;
    struct peer peers[CONTROLPLANES_MAX];
    unsigned in_flight; /* timers, and streams that were open */
    bool stopping;
};

static void release(struct heartbeats *heartbeats)
{
    if (--heartbeats->in_flight == 0)
        free(heartbeats);
}

static void send_to(struct peer *peer, struct bytes message)
{
    struct stream *stream = stream_dialer_current(peer->dialer);

    if (stream == NULL || peer->unanswered == HEARTBEATS_UNANSWERED_MAX)
        return;
    if (stream_send(stream, LAPWING__REGISTER_FRAME__HEARTBEAT, message, bytes_of(NULL, 0)) ==
        ST_OK)
        peer->unanswered++;
}

static void send_all(struct heartbeats *heartbeats)
{
    struct buf message = { 0 };

    heartbeat_build(heartbeats->agent, ++heartbeats->sequence, &message);
    for (size_t i = 0; i < heartbeats->peer_count; i++)
        send_to(&heartbeats->peers[i], buf_view(&message));
    buf_done(&message);
    (void)uv_timer_again(&heartbeats->timer); /* the next steady one is due a beat from here */
}

static void open_cb(struct stream *stream, const struct stream_hello *hello, void *context)
{
    struct peer *peer = context;

    struct heartbeats *heartbeats = peer->heartbeats;
    struct buf message = { 0 };

    heartbeats->in_flight++;
    peer->unanswered = 0;
    heartbeat_build(heartbeats->agent, ++heartbeats->sequence, &message);
    send_to(peer, buf_view(&message));
    buf_done(&message);
}

static void note_reply(struct peer *peer, const Lapwing__HeartbeatReply *reply)
{
    if (reply->accepted && !peer->accepted)
        log_event(LOG_INFO, "controlplane_reached", LS("address", peer->address),
                  LS("peer", reply->node));
    if (!reply->accepted && !peer->refused)
        log_event(LOG_WARN, "controlplane_refuses", LS("address", peer->address),
                  LS("peer", reply->node), LS("why", reply->text),
                  LS("then", "sending heartbeats until it takes them"));
    peer->accepted = reply->accepted;
    peer->refused = !reply->accepted;
}

static void frame_cb(struct stream *stream, uint16_t type, struct bytes body, void *context)
{
    struct peer *peer = context;
    struct err err = { .text = "it cannot be decoded" };
    Lapwing__HeartbeatReply *reply = NULL;

    if (type == LAPWING__REGISTER_FRAME__HEARTBEAT_REPLY)
        reply = lapwing__heartbeat_reply__unpack(NULL, body.len, body.data);
    if (reply != NULL && heartbeat_reply_check(reply, &err) == ST_OK) {
        peer->unanswered -= peer->unanswered > 0;
        note_reply(peer, reply);
    } else {
        log_event(LOG_WARN, "heartbeat_reply_bad", LS("address", peer->address), LU("type", type),
                  LS("why", err.text), LS("then", "link closed"));
        stream_close(stream);
    }
    if (reply != NULL)
        lapwing__heartbeat_reply__free_unpacked(reply, NULL);
}

/* That it is gone is the dialer's line. */
static void close_cb(struct stream *stream, enum status why, const struct err *err, void *context)
{
    struct peer *peer = context;

    peer->accepted = false;
    peer->refused = false;
    release(peer->heartbeats);
}

static const struct stream_handler handler = { .on_open = open_cb,
                                               .on_frame = frame_cb,
                                               .on_close = close_cb };

static void timer_cb(uv_timer_t *timer)
{
    send_all(container_of(timer, struct heartbeats, timer));
}

static void change_cb(uv_timer_t *timer)
{
    send_all(container_of(timer, struct heartbeats, change));
}

void heartbeats_changed(struct heartbeats *heartbeats)
{
    if (heartbeats == NULL || heartbeats->stopping ||
        uv_is_active((uv_handle_t *)&heartbeats->change))
        return;
    (void)uv_timer_start(&heartbeats->change, change_cb, HEARTBEAT_CHANGE_MS, 0);
}

enum status heartbeats_start(struct agent *agent, struct heartbeats **out, struct err *err)
{
    const struct agent_settings *settings = agent->settings;
    struct heartbeats *heartbeats = must_calloc(1, sizeof *heartbeats);
    int rv = uv_timer_init(agent->loop, &heartbeats->timer);
    enum status st = ST_OK;

    CHECK(rv == 0); /* timers cannot fail on a live loop */
    rv = uv_timer_init(agent->loop, &heartbeats->change);
    CHECK(rv == 0);
    heartbeats->agent = agent;
    heartbeats->in_flight = 2;
    *out = heartbeats;
    for (size_t i = 0; i < settings->controlplane_count && st == ST_OK; i++) {
        struct peer *peer = &heartbeats->peers[heartbeats->peer_count++];

        peer->heartbeats = heartbeats;
        peer->address = settings->controlplanes[i];
        st = stream_dial(agent->loop,
                         &(struct stream_dial_options){
                             .address = peer->address,
                             .identity = &settings->identity,
                             .service = STREAM_REGISTER,
                             .handler = &handler,
                             .context = peer,
                         },
                         &peer->dialer, err);
    }
    if (st != ST_OK)
        return st;
    rv = uv_timer_start(&heartbeats->timer, timer_cb, HEARTBEAT_MS, HEARTBEAT_MS);
    CHECK(rv == 0);
    return ST_OK;
}

static void timer_close_cb(uv_handle_t *handle)
{
    release(container_of((uv_timer_t *)handle, struct heartbeats, timer));
}

static void change_close_cb(uv_handle_t *handle)
{
    release(container_of((uv_timer_t *)handle, struct heartbeats, change));
}

void heartbeats_stop(struct heartbeats *heartbeats)
{
    if (heartbeats == NULL)
        return;
    heartbeats->stopping = true;
    for (size_t i = 0; i < heartbeats->peer_count; i++)
        stream_dialer_close(heartbeats->peers[i].dialer);
    uv_close((uv_handle_t *)&heartbeats->timer, timer_close_cb);
    uv_close((uv_handle_t *)&heartbeats->change, change_close_cb);
}
