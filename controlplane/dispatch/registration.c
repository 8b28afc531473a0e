/* Heartbeats over framed streams.  See registration.h. */
#include "controlplane/dispatch/registration.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "proto/message_limits.h"
#include "proto/worker_check.h"

/* One open stream.  Owned by the registration, from its hello to its close. */
struct session {
    struct session *next;
    struct registration *registration;
    struct stream *stream;
    bool refused; /* the last frame was, and a line has said so */
};

struct registration {
    struct stream_listener *listener;
    const struct stream_identity *identity;
    const struct registration_handler *handler;
    void *context;
    struct session *sessions;
    size_t session_count;
    size_t in_flight; /* sessions that can still call back, and one until registration_stop() */
    bool stopped;
};

static void send_reply(struct session *session, const Lapwing__HeartbeatReply *reply)
{
    struct buf packed = { 0 };

    packed.len = lapwing__heartbeat_reply__pack(
        reply, buf_reserve(&packed, lapwing__heartbeat_reply__get_packed_size(reply)));
    /* One that finds no room in the queue is not missed: the worker does not read. */
    (void)stream_send(session->stream, LAPWING__REGISTER_FRAME__HEARTBEAT_REPLY, buf_view(&packed),
                      bytes_of(NULL, 0));
    buf_done(&packed);
}

static void note_refusal(struct session *session, const Lapwing__HeartbeatReply *reply)
{
    bool told = session->refused;

    session->refused = !reply->accepted;
    if (session->refused && !told)
        log_event(LOG_WARN, "heartbeat_refused", LS("worker", stream_peer(session->stream)->node),
                  LS("why", reply->text), LS("then", "ignoring its heartbeats while that is so"));
}

/* The heartbeat of a frame, or NULL and why it is none that may be believed. */
static Lapwing__Heartbeat *open_frame(const struct session *session,
                                      uint16_t type,
                                      struct bytes body,
                                      struct err *err)
{
    Lapwing__Heartbeat *beat = NULL;

    if (type != LAPWING__REGISTER_FRAME__HEARTBEAT) {
        (void)err_set(err, ST_UNSUPPORTED, "frame of type %u, which this release does not know",
                      type);
        return NULL;
    }
    if (body.len <= HEARTBEAT_BYTES_MAX)
        beat = lapwing__heartbeat__unpack(NULL, body.len, body.data);
    if (beat == NULL) {
        (void)err_set(err, ST_BAD_INPUT, "heartbeat of %zu bytes, want one of at most %d", body.len,
                      HEARTBEAT_BYTES_MAX);
        return NULL;
    }
    if (heartbeat_check(beat, err) == ST_OK &&
        heartbeat_sender_check(beat, stream_peer(session->stream), err) == ST_OK)
        return beat;
    lapwing__heartbeat__free_unpacked(beat, NULL);
    return NULL;
}

static void frame_cb(struct stream *stream, uint16_t type, struct bytes body, void *context)
{
    struct session *session = context;
    struct registration *registration = session->registration;
    Lapwing__HeartbeatReply reply = LAPWING__HEARTBEAT_REPLY__INIT;
    Lapwing__Heartbeat *beat;
    struct err err = { 0 };

    if (registration->stopped)
        return;
    beat = open_frame(session, type, body, &err);
    reply.node = (char *)(uintptr_t)registration->identity->self.node;
    if (beat != NULL)
        registration->handler->on_beat(beat, &reply, registration->context);
    else
        reply.text = err.text;
    note_refusal(session, &reply);
    send_reply(session, &reply);
    if (beat != NULL)
        lapwing__heartbeat__free_unpacked(beat, NULL);
}

static void registration_release(struct registration *registration)
{
    if (--registration->in_flight == 0)
        free(registration);
}

static bool has_other(const struct registration *registration, const struct stream_hello *peer)
{
    for (const struct session *at = registration->sessions; at != NULL; at = at->next)
        if (strcmp(stream_peer(at->stream)->node, peer->node) == 0)
            return true;
    return false;
}

static void close_cb(struct stream *stream, enum status why, const struct err *err, void *context)
{
    struct session *session = context;
    struct registration *registration = session->registration;
    struct session **at = &registration->sessions;

    while (*at != session) {
        CHECK(*at != NULL);
        at = &(*at)->next;
    }
    *at = session->next;
    registration->session_count--;
    free(session);
    if (!registration->stopped && !has_other(registration, stream_peer(stream)))
        registration->handler->on_gone(stream_peer(stream), err->text, registration->context);
    registration_release(registration);
}

static void *accepted(struct stream *stream, const struct stream_hello *peer, void *context)
{
    struct registration *registration = context;
    struct session *session;

    if (strcmp(peer->role, "worker") != 0 ||
        registration->session_count == REGISTRATION_SESSIONS_MAX)
        return NULL;
    session = must_calloc(1, sizeof *session);
    session->registration = registration;
    session->stream = stream;
    session->next = registration->sessions;
    registration->sessions = session;
    registration->session_count++;
    registration->in_flight++;
    return session;
}

static const struct stream_handler stream_handler = { .on_frame = frame_cb, .on_close = close_cb };

enum status registration_start(const struct registration_config *config,
                               struct registration **out,
                               struct err *err)
{
    struct registration *registration = must_calloc(1, sizeof *registration);
    enum status st;

    registration->identity = config->identity;
    registration->handler = config->handler;
    registration->context = config->context;
    registration->in_flight = 1;
    st = stream_listen(config->loop,
                       &(struct stream_listen_options){
                           .address = config->address,
                           .identity = config->identity,
                           .service = STREAM_REGISTER,
                           .handler = &stream_handler,
                           .accepted = accepted,
                           .context = registration,
                       },
                       &registration->listener, err);
    if (st != ST_OK) {
        free(registration);
        return st;
    }
    *out = registration;
    return ST_OK;
}

void registration_stop(struct registration *registration)
{
    if (registration == NULL)
        return;
    CHECK(!registration->stopped);
    registration->stopped = true;
    stream_listener_close(registration->listener);
    registration_release(registration);
}
