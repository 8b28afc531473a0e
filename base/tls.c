/* TLS 1.3 by OpenSSL over memory BIOs.  One thread a context.
 *
 * The pre-shared key goes in as a session made by hand (SSL_CTX_set_psk_use_session_callback(3)):
 * OpenSSL then takes its identity and hash from the session's cipher, which must be one with
 * SHA-256. */
#include "base/tls.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/check.h"

static const unsigned char psk_identity[] = "lapwing-cluster";
static const unsigned char psk_cipher[2] = { 0x13, 0x01 }; /* TLS_AES_128_GCM_SHA256 */

struct tls_context {
    SSL_CTX *ssl;
    uint8_t key[32];
    bool server;
};

struct tls_session {
    SSL *ssl;
    BIO *in;
    BIO *out;
    bool ready;
};

static SSL_SESSION *psk_session(SSL *ssl)
{
    struct tls_context *context = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, psk_cipher);
    SSL_SESSION *session = SSL_SESSION_new();

    if (session == NULL || cipher == NULL ||
        SSL_SESSION_set1_master_key(session, context->key, sizeof context->key) != 1 ||
        SSL_SESSION_set_cipher(session, cipher) != 1 ||
        SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) != 1) {
        SSL_SESSION_free(session);
        return NULL;
    }
    return session;
}

static int use_key(
    SSL *ssl, const EVP_MD *digest, const unsigned char **id, size_t *id_len, SSL_SESSION **session)
{
    *session = psk_session(ssl);
    if (*session == NULL)
        return 0;
    *id = psk_identity;
    *id_len = sizeof psk_identity - 1;
    return 1;
}

static int find_key(SSL *ssl, const unsigned char *id, size_t id_len, SSL_SESSION **session)
{
    *session = NULL;
    if (id_len != sizeof psk_identity - 1 || memcmp(id, psk_identity, id_len) != 0)
        return 1; /* not ours: goes on without a key, and fails for want of a certificate */
    *session = psk_session(ssl);
    return *session != NULL;
}

struct tls_context *tls_context_new(const uint8_t key[32], bool server)
{
    struct tls_context *context = must_calloc(1, sizeof *context);
    SSL_CTX *ssl = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    int ok;

    CHECK(ssl != NULL);
    memcpy(context->key, key, sizeof context->key);
    context->ssl = ssl;
    context->server = server;
    ok = SSL_CTX_set_app_data(ssl, context);
    CHECK(ok == 1);
    ok = SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION);
    CHECK(ok == 1);
    ok = SSL_CTX_set_ciphersuites(ssl, "TLS_AES_128_GCM_SHA256");
    CHECK(ok == 1);
    (void)SSL_CTX_set_num_tickets(ssl, 0);
    if (server) {
        SSL_CTX_set_psk_find_session_callback(ssl, find_key);
    } else {
        SSL_CTX_set_psk_use_session_callback(ssl, use_key);
        /* A server that answers with a certificate instead has not proved the key. */
        SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    }
    return context;
}

void tls_context_free(struct tls_context *context)
{
    if (context == NULL)
        return;
    SSL_CTX_free(context->ssl);
    OPENSSL_cleanse(context->key, sizeof context->key);
    free(context);
}

struct tls_session *tls_session_new(struct tls_context *context)
{
    struct tls_session *session = must_calloc(1, sizeof *session);

    session->ssl = SSL_new(context->ssl);
    session->in = BIO_new(BIO_s_mem());
    session->out = BIO_new(BIO_s_mem());
    CHECK(session->ssl != NULL);
    CHECK(session->in != NULL);
    CHECK(session->out != NULL);
    SSL_set_bio(session->ssl, session->in, session->out); /* the session owns both from here */
    if (context->server)
        SSL_set_accept_state(session->ssl);
    else
        SSL_set_connect_state(session->ssl);
    return session;
}

void tls_session_free(struct tls_session *session)
{
    if (session == NULL)
        return;
    SSL_free(session->ssl);
    free(session);
}

bool tls_ready(const struct tls_session *session)
{
    return session->ready;
}

static void take_output(struct tls_session *session, struct buf *out_wire)
{
    size_t pending = BIO_ctrl_pending(session->out);

    while (pending > 0) {
        int n = BIO_read(session->out, buf_reserve(out_wire, pending), (int)pending);

        CHECK(n > 0); /* a memory BIO gives what it says it holds */
        out_wire->len += (size_t)n;
        pending = BIO_ctrl_pending(session->out);
    }
}

static enum status handshake(struct tls_session *session, struct err *err)
{
    int rv = SSL_do_handshake(session->ssl);

    if (rv == 1) {
        if (SSL_session_reused(session->ssl) != 1)
            return err_set(err, ST_DENIED, "TLS handshake: the peer did not use the cluster key");
        session->ready = true;
        return ST_OK;
    }
    if (SSL_get_error(session->ssl, rv) == SSL_ERROR_WANT_READ)
        return ST_OK;
    return err_set(err, ST_DENIED, "TLS handshake: %s: do both ends have the same cluster key?",
                   ERR_reason_error_string(ERR_peek_last_error()));
}

static enum status decrypt(struct tls_session *session, struct buf *out_plain, struct err *err)
{
    for (;;) {
        enum { PIECE = 16384 + 64 };
        int n = SSL_read(session->ssl, buf_reserve(out_plain, PIECE), PIECE);

        if (n > 0) {
            out_plain->len += (size_t)n;
            /* Asking once more only to hear that there is nothing costs as much as a record does.
             */
            if (BIO_ctrl_pending(session->in) == 0 && SSL_pending(session->ssl) == 0)
                return ST_OK;
            continue;
        }
        switch (SSL_get_error(session->ssl, n)) {
        case SSL_ERROR_WANT_READ:
            return ST_OK;
        case SSL_ERROR_ZERO_RETURN:
            return err_set(err, ST_IO, "TLS: the peer closed the session");
        default:
            return err_set(err, ST_BAD_INPUT, "TLS: %s",
                           ERR_reason_error_string(ERR_peek_last_error()));
        }
    }
}

enum status tls_receive(struct tls_session *session,
                        struct bytes wire,
                        struct buf *out_plain,
                        struct buf *out_wire,
                        struct err *err)
{
    enum status st = ST_OK;

    ERR_clear_error();
    if (wire.len > 0) {
        int n = BIO_write(session->in, wire.data, (int)wire.len);

        CHECK(n == (int)wire.len);
    }
    if (!session->ready)
        st = handshake(session, err);
    if (st == ST_OK && session->ready)
        st = decrypt(session, out_plain, err);
    take_output(session, out_wire); /* an alert that says why goes out, too */
    return st;
}

enum status tls_send(struct tls_session *session,
                     struct bytes plain,
                     struct buf *out_wire,
                     struct err *err)
{
    CHECK(session->ready);
    ERR_clear_error();
    while (plain.len > 0) {
        size_t piece = plain.len < (1 << 20) ? plain.len : 1 << 20;
        int n = SSL_write(session->ssl, plain.data, (int)piece);

        if (n <= 0)
            return err_set(err, ST_IO, "TLS: %s", ERR_reason_error_string(ERR_peek_last_error()));
        plain = bytes_of(plain.data + n, plain.len - (size_t)n);
        take_output(session, out_wire);
    }
    return ST_OK;
}
