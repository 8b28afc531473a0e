/* A TLS session, shared by tls.c (handshake), tls_context.c (certificates) and the records. */
#ifndef BASE_TLS_INTERNAL_H
#define BASE_TLS_INTERNAL_H

#include <pthread.h>

#include <openssl/ssl.h>

#include "base/certificate.h"
#include "base/tls.h"

struct tls_context {
    struct node_identity self;
    pthread_mutex_t lock; /* over all below */
    SSL_CTX *ssl;         /* never changed once it is here, only replaced as a whole */
    int64_t expires_s;
    struct tls_peer_entry *peers; /* the latest first */
};

struct tls_session {
    SSL *ssl;
    BIO *in;
    BIO *out;
    const struct tls_context *context; /* only its `self`, which does not change */
    struct tls_expected expected;
    struct certificate_facts peer;
    enum status refused; /* what we found wrong with the peer's certificate, and how it is said */
    struct err refusal;
    bool ready;
};

/* A new SSL for a session, of the context's current certificate. */
SSL *tls_context_ssl(struct tls_context *context);

/* Is the peer's certificate good, and is it whom `session` expects?  OpenSSL's callback.
 * (tls_verify.c) */
int tls_verify_cb(X509_STORE_CTX *store, void *unused);

/* Take what the wire brought in session->in as records.  (tls_records.c, tls_plain_records.c) */
enum status tls_records_take(struct tls_session *session, struct buf *out_plain, struct err *err);
enum status tls_records_put(struct tls_session *session,
                            struct bytes plain,
                            struct buf *out_wire,
                            struct err *err);
/* What the last error of OpenSSL means for this session. */
enum status tls_error(const struct tls_session *session, struct err *err);
void tls_output_take(struct tls_session *session, struct buf *out_wire);

#endif
