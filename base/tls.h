/* TLS 1.3 as functions over buffers: no socket, no loop, no file.
 *
 * Both ends show a certificate of the cluster's CA.  Chain, validity, cluster, role and, where the
 * caller knows it, the node's name are checked inside the handshake: who is wrong gets a TLS alert
 * and has not been told, or been able to say, a byte of our protocol.  There is no other way in. */
#ifndef BASE_TLS_H
#define BASE_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/certificate_facts.h"
#include "base/node_identity_rules.h"
#include "base/status.h"

/* PEM texts, borrowed for the call. */
struct tls_material {
    struct bytes authorities; /* one CA, or several while one replaces the other */
    struct bytes certificate; /* the own one first, then any between it and its CA */
    struct bytes key;
};

/* Own certificate, key and CAs: one a process, shared by its threads (it locks). */
struct tls_context;
struct tls_session; /* one a connection, of one thread */

/* self   who this program is: the certificate must say the same; copied
 *
 * ST_BAD_INPUT: a text cannot be read, the certificate is for somebody else, its key is another, or
 * it is of no CA in the bundle.  The dates are not looked at: a program whose certificate ran out
 * starts, complains and waits for a new one. */
enum status tls_context_new(const struct node_identity *self,
                            const struct tls_material *material,
                            struct tls_context **out,
                            struct err *err);
/* No session and no thread may use it any more. */
void tls_context_free(struct tls_context *context);

/* Use new texts for every handshake from now on; sessions that exist go on as they are.  On an
 * error, which is as above, the old ones stay.  Any thread. */
enum status tls_context_replace(struct tls_context *context,
                                const struct tls_material *material,
                                struct err *err);

/* When the own certificate in use runs out, seconds since the epoch.  Any thread. */
int64_t tls_context_expires_s(struct tls_context *context);

/* Whom a session may be with. */
struct tls_expected {
    bool server;      /* we are the server of the handshake */
    unsigned roles;   /* LINK_ROLE() bits (link_rules.h) */
    const char *node; /* its name, borrowed for the session's life; NULL: any */
};

struct tls_session *tls_session_new(struct tls_context *context,
                                    const struct tls_expected *expected);
void tls_session_free(struct tls_session *session);

/* Take bytes from the wire (none to start a client's handshake); appends decrypted bytes to
 * `out_plain` and whatever must be sent to `out_wire`.
 *
 * ST_DENIED: we do not accept the peer, or it does not accept us; the text says which and why.  It
 * names nothing that the peer chose, unless our CA signed it.  ST_IO: the peer ended the session.
 * ST_BAD_INPUT: what came is not TLS 1.3.  After any of these the session is of no more use. */
enum status tls_receive(struct tls_session *session,
                        struct bytes wire,
                        struct buf *out_plain,
                        struct buf *out_wire,
                        struct err *err);

/* True once we have accepted the peer.  A server may still refuse its client after the client is
 * ready: that comes as ST_DENIED from a later tls_receive(). */
bool tls_ready(const struct tls_session *session);

/* What the peer's certificate says.  Only when tls_ready(). */
const struct certificate_facts *tls_peer(const struct tls_session *session);

/* Encrypt; appends to `out_wire`.  Only when tls_ready(). */
enum status tls_send(struct tls_session *session,
                     struct bytes plain,
                     struct buf *out_wire,
                     struct err *err);

/* Do records go in the clear after the handshake?  Only a build for measuring does (meson's option
 * plain_links), and it must say so. */
bool tls_records_are_plain(void);

/* The peers that a stream is open with, for those who report when certificates run out. */
struct tls_peer_entry { /* owned by the stream */
    struct certificate_facts facts;
    struct tls_peer_entry *next;
    struct tls_peer_entry *previous;
};
void tls_peers_add(struct tls_context *context, struct tls_peer_entry *entry);
void tls_peers_remove(struct tls_context *context, struct tls_peer_entry *entry);

struct tls_expiry {
    struct node_identity identity;
    int64_t not_after_s;
};
/* The own certificate, then one for each peer: that of its latest handshake.  Writes up to
 * TLS_EXPIRIES_MAX and returns how many.  Any thread. */
size_t tls_expiries(struct tls_context *context, struct tls_expiry out[TLS_EXPIRIES_MAX]);

#endif
