/* Sending heartbeats.  The loop's thread, but for aio_cb(), which runs on nng's. */
#include "worker/agent/heartbeat.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/req.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "proto/worker.pb-c.h"

/* One address.  While `busy` everything below the line belongs to nng's threads. */
struct peer {
    struct mail mail; /* first: what comes back through the mailbox */
    struct heartbeats *heartbeats;
    const char *address;
    nng_socket socket;
    nng_ctx context;
    nng_aio *aio;
    bool open, busy, dirty;
    bool reachable, accepted; /* as last logged */
    /* ---- */
    bool receiving;
    int result;
    nng_msg *reply;
};

struct heartbeats {
    struct agent *agent;
    struct mailbox *mailbox;
    uv_timer_t timer;  /* the steady beat */
    uv_timer_t change; /* soon after a change */
    uint64_t sequence;
    size_t peer_count;
    struct peer peers[CONTROLPLANES_MAX];
    bool stopping;
};

static void aio_cb(void *argument)
{
    struct peer *peer = argument;

    peer->result = nng_aio_result(peer->aio);
    if (peer->result == 0 && !peer->receiving) {
        peer->receiving = true;
        nng_ctx_recv(peer->context, peer->aio);
        return;
    }
    if (peer->receiving && peer->result == 0)
        peer->reply = nng_aio_get_msg(peer->aio);
    else if (!peer->receiving)
        nng_msg_free(nng_aio_get_msg(peer->aio)); /* a send that failed leaves it to us */
    mailbox_post(peer->heartbeats->mailbox, &peer->mail);
}

static void send_to(struct peer *peer)
{
    struct heartbeats *heartbeats = peer->heartbeats;
    struct buf body = { 0 };
    nng_msg *msg = NULL;

    if (!peer->open)
        return;
    if (peer->busy) {
        peer->dirty = true;
        return;
    }
    heartbeat_build(heartbeats->agent, ++heartbeats->sequence, &body);
    if (nng_msg_alloc(&msg, 0) != 0 || nng_msg_append(msg, body.data, body.len) != 0)
        CHECK(!"heartbeat: out of memory");
    buf_done(&body);
    peer->busy = true;
    peer->dirty = false;
    peer->receiving = false;
    nng_aio_set_timeout(peer->aio, HEARTBEAT_TIMEOUT_MS);
    nng_aio_set_msg(peer->aio, msg);
    nng_ctx_send(peer->context, peer->aio);
}

static void send_all(struct heartbeats *heartbeats)
{
    for (size_t i = 0; i < heartbeats->peer_count; i++)
        send_to(&heartbeats->peers[i]);
}

/* Says on change whether an address takes our heartbeats. */
static void note(struct peer *peer, bool reachable, bool accepted, const char *text)
{
    if (peer->reachable == reachable && peer->accepted == accepted)
        return;
    peer->reachable = reachable;
    peer->accepted = accepted;
    if (reachable && accepted)
        log_event(LOG_INFO, "controlplane_reached", LS("address", peer->address));
    else
        log_event(LOG_WARN, reachable ? "controlplane_refuses" : "controlplane_unreachable",
                  LS("address", peer->address), LS("error", text));
}

static void on_reply(struct peer *peer, struct bytes body)
{
    const struct stream_identity *identity = &peer->heartbeats->agent->settings->identity;
    Lapwing__HeartbeatReply *reply;
    uint8_t want[SHA256_BYTES];

    if (body.len < SHA256_BYTES)
        return;
    body.len -= SHA256_BYTES;
    hash_hmac_sha256(bytes_of(identity->key, sizeof identity->key), body, want);
    if (!bytes_equal_secret(bytes_of(want, sizeof want),
                            bytes_of(body.data + body.len, sizeof want))) {
        note(peer, true, false, "reply with a wrong code: not of this cluster");
        return;
    }
    reply = lapwing__heartbeat_reply__unpack(NULL, body.len, body.data);
    if (reply == NULL)
        return;
    note(peer, true, reply->accepted, reply->text);
    lapwing__heartbeat_reply__free_unpacked(reply, NULL);
}

static void deliver(struct mail *mail, void *context)
{
    struct peer *peer = (struct peer *)mail; /* mail is its first member */

    peer->busy = false;
    if (peer->reply != NULL) {
        on_reply(peer, bytes_of(nng_msg_body(peer->reply), nng_msg_len(peer->reply)));
        nng_msg_free(peer->reply);
        peer->reply = NULL;
    } else if (!peer->heartbeats->stopping) {
        note(peer, false, false, nng_strerror(peer->result));
    }
    if (peer->dirty && !peer->heartbeats->stopping)
        heartbeats_changed(peer->heartbeats);
}

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
    if (heartbeats == NULL || uv_is_active((uv_handle_t *)&heartbeats->change))
        return;
    (void)uv_timer_start(&heartbeats->change, change_cb, HEARTBEAT_CHANGE_MS, 0);
}

static enum status peer_open(struct peer *peer, struct err *err)
{
    char url[ADDRESS_BYTES_MAX + 16];
    int rv;

    (void)snprintf(url, sizeof url, "tcp://%s", peer->address);
    rv = nng_req0_open(&peer->socket);
    if (rv != 0)
        return err_set(err, ST_IO, "heartbeats to %s: %s", peer->address, nng_strerror(rv));
    peer->open = true;
    peer->reachable = true; /* so that the first failure is said */
    (void)nng_socket_set_ms(peer->socket, NNG_OPT_RECONNMINT, 50);
    (void)nng_socket_set_ms(peer->socket, NNG_OPT_RECONNMAXT, 1000);
    rv = nng_aio_alloc(&peer->aio, aio_cb, peer);
    if (rv == 0)
        rv = nng_ctx_open(&peer->context, peer->socket);
    if (rv == 0)
        rv = nng_dial(peer->socket, url, NULL, NNG_FLAG_NONBLOCK);
    if (rv != 0)
        return err_set(err, ST_IO, "heartbeats to %s: %s", peer->address, nng_strerror(rv));
    /* A heartbeat is stale before nng would repeat it: the next one is newer. */
    (void)nng_ctx_set_ms(peer->context, NNG_OPT_REQ_RESENDTIME, 60000);
    return ST_OK;
}

enum status heartbeats_start(struct agent *agent, struct heartbeats **out, struct err *err)
{
    struct heartbeats *heartbeats = must_calloc(1, sizeof *heartbeats);
    int rv = uv_timer_init(agent->loop, &heartbeats->timer);
    enum status st = ST_OK;

    CHECK(rv == 0); /* timers cannot fail on a live loop */
    rv = uv_timer_init(agent->loop, &heartbeats->change);
    CHECK(rv == 0);
    heartbeats->agent = agent;
    heartbeats->mailbox = mailbox_new(agent->loop, deliver, heartbeats);
    *out = heartbeats;
    for (size_t i = 0; i < agent->settings->controlplane_count && st == ST_OK; i++) {
        struct peer *peer = &heartbeats->peers[heartbeats->peer_count++];

        peer->heartbeats = heartbeats;
        peer->address = agent->settings->controlplanes[i];
        st = peer_open(peer, err);
    }
    if (st != ST_OK)
        return st;
    rv = uv_timer_start(&heartbeats->timer, timer_cb, 0, HEARTBEAT_MS);
    CHECK(rv == 0);
    return ST_OK;
}

static void close_cb(uv_handle_t *handle)
{
    free(container_of((uv_timer_t *)handle, struct heartbeats, change));
}

void heartbeats_stop(struct heartbeats *heartbeats)
{
    if (heartbeats == NULL)
        return;
    heartbeats->stopping = true;
    for (size_t i = 0; i < heartbeats->peer_count; i++) {
        struct peer *peer = &heartbeats->peers[i];

        if (peer->open)
            (void)nng_close(peer->socket); /* ends what is in flight */
        if (peer->aio != NULL) {
            nng_aio_stop(peer->aio); /* waits for the callback */
            nng_aio_free(peer->aio);
        }
        if (peer->reply != NULL)
            nng_msg_free(peer->reply);
        peer->reply = NULL;
    }
    mailbox_close(heartbeats->mailbox);
    uv_close((uv_handle_t *)&heartbeats->timer, NULL);
    uv_close((uv_handle_t *)&heartbeats->change, close_cb);
}
