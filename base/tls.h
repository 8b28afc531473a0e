/* TLS 1.3 as a pair of functions over buffers: no socket, no loop.
 *
 * Both ends prove that they hold the cluster key: it is the external pre-shared key (RFC
 * 8446, 4.2.11) of the handshake, with an ephemeral Diffie-Hellman exchange beside it, so a key
 * that leaks later opens no recorded traffic.  There is no certificate and no other way in. */
#ifndef BASE_TLS_H
#define BASE_TLS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"

struct tls_context; /* one a listener or dialer; may be shared by the streams of one thread */
struct tls_session; /* one a connection */

/* key: 32 bytes, copied.  Never NULL: a library that cannot do TLS 1.3 is a broken installation. */
struct tls_context *tls_context_new(const uint8_t key[32], bool server);
void tls_context_free(struct tls_context *context);

struct tls_session *tls_session_new(struct tls_context *context);
void tls_session_free(struct tls_session *session);

/* Take bytes from the wire (none to start a client's handshake); appends decrypted bytes to
 * `out_plain` and whatever must be sent to `out_wire`.
 *
 * ST_DENIED: the peer does not hold our key.  ST_IO: the peer ended the session.  ST_BAD_INPUT:
 * what came is not TLS 1.3.  After any of these the session is of no more use. */
enum status tls_receive(struct tls_session *session,
                        struct bytes wire,
                        struct buf *out_plain,
                        struct buf *out_wire,
                        struct err *err);

/* True once both ends have proved the key. */
bool tls_ready(const struct tls_session *session);

/* Encrypt; appends to `out_wire`.  Only when tls_ready(). */
enum status tls_send(struct tls_session *session,
                     struct bytes plain,
                     struct buf *out_wire,
                     struct err *err);

#endif
