/* Requests of the state service and their way through the replicas.
 *
 * A request outlives its stream while a replica holds it: replies to a closed stream are dropped.
 * One thread. */
#include "controlplane/service/state_service.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "controlplane/replica/replica.h"
#include "controlplane/state/objects.h"
#include "controlplane/state/state.h"
#include "proto/command_check.h"
#include "proto/state_service.pb-c.h"
#include "proto/state_service_check.h"

struct state_service {
    struct state_service_config config;
    struct stream_listener *listener;
    struct state_reader *reader;
    struct request *requests;
    unsigned in_flight; /* sessions, and 1 until it is stopped */
    bool stopping;
};

/* One stream.  Freed when it is closed and nothing of it is in flight. */
struct session {
    struct state_service *service;
    struct stream *stream; /* NULL once closed */
    unsigned in_flight;
};

/* One proposal or read that waits for a replica. */
struct request {
    struct request *next;
    struct request **link; /* what points here */
    struct session *session;
    uint64_t id;
    Lapwing__ReadRequest *read; /* NULL for a proposal */
};

static void service_release(struct state_service *service)
{
    if (--service->in_flight > 0 || !service->stopping)
        return;
    state_reader_close(service->reader);
    free(service);
}

static void session_release(struct session *session)
{
    struct state_service *service = session->service;

    if (session->stream != NULL || session->in_flight > 0)
        return;
    free(session);
    service_release(service);
}

static void send_message(struct session *session, uint16_t type, const ProtobufCMessage *message)
{
    struct buf bytes = { 0 };
    size_t len = protobuf_c_message_get_packed_size(message);

    if (session->stream == NULL)
        return;
    bytes.len = protobuf_c_message_pack(message, buf_reserve(&bytes, len));
    /* A peer that does not read its answers loses the stream, and asks again on a new one. */
    if (stream_send(session->stream, type, buf_view(&bytes), bytes_of(NULL, 0)) != ST_OK)
        stream_close(session->stream);
    buf_done(&bytes);
}

static void reply_propose(struct session *session,
                          uint64_t id,
                          enum status st,
                          const char *text,
                          const Lapwing__Outcome *outcome)
{
    Lapwing__ProposeReply reply = LAPWING__PROPOSE_REPLY__INIT;

    reply.id = id;
    reply.status = (uint32_t)st;
    reply.text = (char *)text;
    reply.outcome = (Lapwing__Outcome *)outcome;
    send_message(session, LAPWING__STATE_FRAME__PROPOSE_REPLY, &reply.base);
}

static void reply_read_failed(struct session *session,
                              uint64_t id,
                              enum status st,
                              const char *text)
{
    Lapwing__ReadReply reply = LAPWING__READ_REPLY__INIT;

    reply.id = id;
    reply.status = (uint32_t)st;
    reply.text = (char *)text;
    send_message(session, LAPWING__STATE_FRAME__READ_REPLY, &reply.base);
}

static void request_done(struct request *req)
{
    struct session *session = req->session;

    *req->link = req->next;
    if (req->next != NULL)
        req->next->link = req->link;
    if (req->read != NULL)
        lapwing__read_request__free_unpacked(req->read, NULL);
    free(req);
    session->in_flight--;
    session_release(session);
}

/* Why a proposal was not taken, as far as that is known: its client is told. */
static void explain(const struct state_service *service, enum status st, struct err *out)
{
    struct replica_status status;

    replica_status(service->config.storage_replica, &status);
    replica_status_refusal(&status, out);
    if (out->text[0] == '\0')
        (void)err_set(out, st, "%s", status_name(st));
}

static void proposed_cb(enum status st, const Lapwing__Outcome *outcome, void *context)
{
    struct request *req = context;
    struct err why = { 0 };

    if (st != ST_OK)
        explain(req->session->service, st, &why);
    reply_propose(req->session, req->id, st, why.text, st == ST_OK ? outcome : NULL);
    request_done(req);
}

static void read_rows(struct session *session, const Lapwing__ReadRequest *read)
{
    Lapwing__ReadReply reply = LAPWING__READ_REPLY__INIT;
    struct err err;
    enum status st = state_read(session->service->reader, read, &reply, &err);

    if (st != ST_OK) {
        log_event(LOG_ERROR, "state_read_failed", LS("reason", err.text));
        reply_read_failed(session, read->id, st, err.text);
        return;
    }
    send_message(session, LAPWING__STATE_FRAME__READ_REPLY, &reply.base);
    state_read_reply_done(&reply);
}

static void barrier_cb(enum status st, void *context)
{
    struct request *req = context;

    if (st == ST_OK)
        read_rows(req->session, req->read);
    else
        reply_read_failed(req->session, req->id, st, "no leader confirmed the read in time");
    request_done(req);
}

static struct request *request_new(struct session *session, uint64_t id)
{
    struct request *req;

    if (session->in_flight == STATE_REQUESTS_MAX)
        return NULL;
    req = must_calloc(1, sizeof *req);
    req->session = session;
    req->id = id;
    req->link = &session->service->requests;
    req->next = *req->link;
    if (req->next != NULL)
        req->next->link = &req->next;
    *req->link = req;
    session->in_flight++;
    return req;
}

static void take_proposal(struct session *session, const Lapwing__ProposeRequest *propose)
{
    const struct state_service_config *config = &session->service->config;
    struct replica_client *client =
        propose->group == LAPWING__STATE_GROUP__GROUP_CONTROL ? config->control : config->storage;
    struct request *req = request_new(session, propose->id);
    enum status st = ST_LIMIT;

    if (req != NULL)
        st = replica_propose_command(client, propose->command, STATE_REQUEST_MS, proposed_cb, req);
    if (st == ST_OK)
        return;
    reply_propose(session, propose->id, st, "too many proposals wait, or the sequence is not valid",
                  NULL);
    if (req != NULL)
        request_done(req);
}

/* Takes `read`. */
static void take_read(struct session *session, Lapwing__ReadRequest *read)
{
    struct request *req;
    enum status st;

    if (!read->linearizable) {
        read_rows(session, read);
        lapwing__read_request__free_unpacked(read, NULL);
        return;
    }
    req = request_new(session, read->id);
    if (req == NULL) {
        reply_read_failed(session, read->id, ST_LIMIT, "too many requests wait");
        lapwing__read_request__free_unpacked(read, NULL);
        return;
    }
    req->read = read;
    st = replica_barrier(session->service->config.storage, STATE_REQUEST_MS, barrier_cb, req);
    if (st != ST_OK) {
        reply_read_failed(session, read->id, st, "too many reads wait");
        request_done(req);
    }
}

static enum status on_propose(struct session *session, struct bytes body, struct err *err)
{
    Lapwing__ProposeRequest *propose = lapwing__propose_request__unpack(NULL, body.len, body.data);
    enum status st;

    if (propose == NULL)
        return err_set(err, ST_BAD_INPUT, "propose request: not a message");
    st = propose_request_check(propose, err);
    if (st == ST_OK)
        take_proposal(session, propose);
    else if (st == ST_UNSUPPORTED) /* of a later release: that is an answer, not a broken peer */
        reply_propose(session, propose->id, st, err->text, NULL);
    lapwing__propose_request__free_unpacked(propose, NULL);
    return st == ST_UNSUPPORTED ? ST_OK : st;
}

static enum status on_read(struct session *session, struct bytes body, struct err *err)
{
    Lapwing__ReadRequest *read = lapwing__read_request__unpack(NULL, body.len, body.data);
    enum status st;

    if (read == NULL)
        return err_set(err, ST_BAD_INPUT, "read request: not a message");
    st = read_request_check(read, err);
    if (st == ST_OK)
        take_read(session, read);
    else
        lapwing__read_request__free_unpacked(read, NULL);
    return st;
}

static void frame_cb(struct stream *stream, uint16_t type, struct bytes body, void *context)
{
    struct session *session = context;
    struct err err;
    enum status st;

    if (type == LAPWING__STATE_FRAME__PROPOSE_REQUEST)
        st = on_propose(session, body, &err);
    else if (type == LAPWING__STATE_FRAME__READ_REQUEST)
        st = on_read(session, body, &err);
    else
        st = err_set(&err, ST_BAD_INPUT, "frame of type %u", type);
    if (st == ST_OK)
        return;
    log_event(LOG_WARN, "state_request_refused", LS("peer", stream_peer(stream)->node),
              LS("reason", err.text), LS("then", "closed the stream"));
    stream_close(stream);
}

static void close_cb(struct stream *stream, enum status why, const struct err *err, void *context)
{
    struct session *session = context;

    session->stream = NULL;
    session_release(session);
}

static void *accept_cb(struct stream *stream, const struct stream_hello *peer, void *context)
{
    struct state_service *service = context;
    struct session *session;

    if (service->stopping)
        return NULL;
    session = must_calloc(1, sizeof *session);
    session->service = service;
    session->stream = stream;
    service->in_flight++;
    return session;
}

static const struct stream_handler handler = { .on_frame = frame_cb, .on_close = close_cb };

enum status state_service_start(const struct state_service_config *config,
                                struct state_service **out,
                                struct err *err)
{
    struct state_service *service = must_calloc(1, sizeof *service);
    enum status st;

    service->config = *config;
    service->in_flight = 1; /* until state_service_stop() */
    st = state_open_reader(replica_state_path(config->storage_replica), STATE_GROUP_STORAGE,
                           &service->reader, err);
    if (st == ST_OK)
        st = stream_listen(config->loop,
                           &(struct stream_listen_options){
                               .address = config->address,
                               .identity = config->identity,
                               .service = STREAM_STATE,
                               .handler = &handler,
                               .accepted = accept_cb,
                               .context = service,
                           },
                           &service->listener, err);
    if (st != ST_OK) {
        state_reader_close(service->reader);
        free(service);
        return st;
    }
    *out = service;
    return ST_OK;
}

void state_service_stop(struct state_service *service)
{
    if (service == NULL)
        return;
    service->stopping = true;
    stream_listener_close(service->listener);
    while (service->requests != NULL)
        request_done(service->requests);
    service_release(service);
}
