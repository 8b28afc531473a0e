/* Heartbeats over nng.  See registration.h.
 *
 * A slot is one nng context and goes round: receive (nng's thread) -> check -> mailbox -> answer
 * (loop's thread) -> send -> receive.  A slot belongs to one thread at a time, handed over by nng
 * or by the mailbox. */
#include "controlplane/dispatch/registration.h"

#include <nng/nng.h>
#include <nng/protocol/reqrep0/rep.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/mailbox.h"
#include "base/stream.h"

enum { REGISTRATION_SLOTS = 16, HEARTBEAT_BYTES_MAX = 1048576 };

struct slot {
    struct mail mail; /* first: the mailbox hands it back */
    struct registration *registration;
    nng_ctx context;
    nng_aio *aio;
    bool sending;
    Lapwing__Heartbeat *beat; /* owned while on its way to the loop */
};

struct registration {
    nng_socket socket;
    struct mailbox *mailbox;
    const uint8_t *key;
    registration_beat_fn on_beat;
    void *context;
    bool stopped;
    atomic_ulong dropped;
    struct slot slots[REGISTRATION_SLOTS];
};

static void sign(const struct registration *registration, struct bytes message, uint8_t *out)
{
    hash_hmac_sha256(bytes_of(registration->key, CLUSTER_KEY_BYTES), message, out);
}

/* The heartbeat of a message that is whole and signed, or NULL. */
static Lapwing__Heartbeat *open_message(const struct registration *registration, nng_msg *message)
{
    const uint8_t *body = nng_msg_body(message);
    size_t len = nng_msg_len(message);
    uint8_t want[SHA256_BYTES];

    if (len < SHA256_BYTES || len > HEARTBEAT_BYTES_MAX)
        return NULL;
    len -= SHA256_BYTES;
    sign(registration, bytes_of(body, len), want);
    if (!bytes_equal_secret(bytes_of(want, sizeof want), bytes_of(body + len, SHA256_BYTES)))
        return NULL;
    return lapwing__heartbeat__unpack(NULL, len, body);
}

static void slot_receive(struct slot *slot)
{
    slot->sending = false;
    nng_ctx_recv(slot->context, slot->aio);
}

static void slot_received(struct slot *slot)
{
    nng_msg *message = nng_aio_get_msg(slot->aio);

    slot->beat = open_message(slot->registration, message);
    nng_msg_free(message);
    if (slot->beat != NULL) {
        mailbox_post(slot->registration->mailbox, &slot->mail);
        return;
    }
    if (atomic_fetch_add(&slot->registration->dropped, 1) == 0)
        log_event(LOG_WARN, "heartbeat_dropped", LS("why", "it is not signed with the cluster key"),
                  LS("then", "counting further ones in silence"));
    slot_receive(slot);
}

/* On a thread of nng.  An error means that the socket is closed: the slot is at rest. */
static void slot_aio_cb(void *context)
{
    struct slot *slot = context;
    int rv = nng_aio_result(slot->aio);

    if (slot->sending && rv != 0)
        nng_msg_free(nng_aio_get_msg(slot->aio));
    if (rv == NNG_ECLOSED || rv == NNG_ECANCELED)
        return;
    if (slot->sending || rv != 0)
        slot_receive(slot);
    else
        slot_received(slot);
}

static void slot_reply(struct slot *slot, const Lapwing__HeartbeatReply *reply)
{
    size_t len = lapwing__heartbeat_reply__get_packed_size(reply);
    nng_msg *message = NULL;
    uint8_t *body;
    int rv = nng_msg_alloc(&message, len + SHA256_BYTES);

    CHECK(rv == 0);
    body = nng_msg_body(message);
    (void)lapwing__heartbeat_reply__pack(reply, body);
    sign(slot->registration, bytes_of(body, len), body + len);
    nng_aio_set_msg(slot->aio, message);
    slot->sending = true;
    nng_ctx_send(slot->context, slot->aio);
}

static void beat_cb(struct mail *mail, void *context)
{
    struct slot *slot = container_of(mail, struct slot, mail);
    struct registration *registration = context;
    Lapwing__HeartbeatReply reply = LAPWING__HEARTBEAT_REPLY__INIT;

    if (!registration->stopped) {
        registration->on_beat(slot->beat, &reply, registration->context);
        slot_reply(slot, &reply);
    }
    lapwing__heartbeat__free_unpacked(slot->beat, NULL);
    slot->beat = NULL;
}

static enum status listen_on(struct registration *registration,
                             const char *address,
                             struct err *err)
{
    char url[ADDRESS_BYTES_MAX + sizeof "tcp://"];
    int rv = nng_rep0_open(&registration->socket);

    CHECK(rv == 0);
    (void)snprintf(url, sizeof url, "tcp://%s", address);
    (void)nng_socket_set_size(registration->socket, NNG_OPT_RECVMAXSZ, HEARTBEAT_BYTES_MAX);
    rv = nng_listen(registration->socket, url, NULL, 0);
    if (rv == 0)
        return ST_OK;
    nng_close(registration->socket);
    return err_set(err, ST_IO, "listen for workers on %s: %s", address, nng_strerror(rv));
}

enum status registration_start(const struct registration_config *config,
                               struct registration **out,
                               struct err *err)
{
    struct registration *registration = must_calloc(1, sizeof *registration);
    enum status st;
    int rv;

    registration->key = config->key;
    registration->on_beat = config->on_beat;
    registration->context = config->context;
    st = listen_on(registration, config->address, err);
    if (st != ST_OK) {
        free(registration);
        return st;
    }
    registration->mailbox = mailbox_new(config->loop, beat_cb, registration);
    for (size_t i = 0; i < REGISTRATION_SLOTS; i++) {
        struct slot *slot = &registration->slots[i];

        slot->registration = registration;
        rv = nng_ctx_open(&slot->context, registration->socket);
        CHECK(rv == 0);
        rv = nng_aio_alloc(&slot->aio, slot_aio_cb, slot);
        CHECK(rv == 0);
        slot_receive(slot);
    }
    *out = registration;
    return ST_OK;
}

void registration_stop(struct registration *registration)
{
    if (registration == NULL)
        return;
    registration->stopped = true;
    nng_close(registration->socket);
    for (size_t i = 0; i < REGISTRATION_SLOTS; i++)
        nng_aio_stop(registration->slots[i].aio); /* waits for its callback */
    mailbox_close(registration->mailbox);         /* delivers what was posted: to be freed */
    for (size_t i = 0; i < REGISTRATION_SLOTS; i++)
        nng_aio_free(registration->slots[i].aio);
    free(registration);
}
