/* TLS 1.3 by OpenSSL over memory BIOs: the handshake, and what its errors mean. */
#include "base/tls.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/check.h"
#include "base/tls_internal.h"

struct tls_session *tls_session_new(struct tls_context *context,
                                    const struct tls_expected *expected)
{
    struct tls_session *session = must_calloc(1, sizeof *session);
    int ok;

    session->ssl = tls_context_ssl(context);
    session->in = BIO_new(BIO_s_mem());
    session->out = BIO_new(BIO_s_mem());
    session->context = context;
    session->expected = *expected;
    CHECK(session->in != NULL);
    CHECK(session->out != NULL);
    ok = SSL_set_app_data(session->ssl, session);
    CHECK(ok == 1);
    SSL_set_bio(session->ssl, session->in, session->out); /* the session owns both from here */
    if (expected->server)
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

const struct certificate_facts *tls_peer(const struct tls_session *session)
{
    CHECK(session->ready);
    return &session->peer;
}

void tls_output_take(struct tls_session *session, struct buf *out_wire)
{
    size_t pending = BIO_ctrl_pending(session->out);

    while (pending > 0) {
        int n = BIO_read(session->out, buf_reserve(out_wire, pending), (int)pending);

        CHECK(n > 0); /* a memory BIO gives what it says it holds */
        out_wire->len += (size_t)n;
        pending = BIO_ctrl_pending(session->out);
    }
}

/* OpenSSL numbers the alerts of the other end behind its own reasons. */
static bool is_alert(unsigned long error)
{
    return ERR_GET_LIB(error) == ERR_LIB_SSL && ERR_GET_REASON(error) > SSL_AD_REASON_OFFSET;
}

/* Its name, "alert bad certificate", without the version before it, which means nothing here. */
static enum status refused_by_peer(unsigned long error, struct err *err)
{
    const char *reason = ERR_reason_error_string(error); /* NULL for a number that nobody gave */
    const char *alert = reason == NULL ? NULL : strstr(reason, "alert ");

    if (alert != NULL)
        return err_set(err, ST_DENIED, "the peer refuses us (%s), its log says why", alert);
    return err_set(err, ST_DENIED, "the peer refuses us (alert %d), its log says why",
                   ERR_GET_REASON(error) - SSL_AD_REASON_OFFSET);
}

enum status tls_error(const struct tls_session *session, struct err *err)
{
    unsigned long error = ERR_peek_last_error();
    const char *reason = ERR_reason_error_string(error);

    if (session->refused != ST_OK) {
        *err = session->refusal;
        return ST_DENIED;
    }
    if (is_alert(error))
        return refused_by_peer(error, err);
    if (ERR_GET_REASON(error) == SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE)
        return err_set(err, ST_DENIED, "the peer shows no certificate");
    return err_set(err, ST_BAD_INPUT, "TLS: %s", reason == NULL ? "cut short" : reason);
}

static enum status handshake(struct tls_session *session, struct err *err)
{
    int rv = SSL_do_handshake(session->ssl);

    if (rv == 1) {
        session->ready = true;
        return ST_OK;
    }
    if (SSL_get_error(session->ssl, rv) == SSL_ERROR_WANT_READ)
        return ST_OK;
    return tls_error(session, err);
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
        st = tls_records_take(session, out_plain, err);
    tls_output_take(session, out_wire); /* an alert that says why goes out, too */
    return st;
}

enum status tls_send(struct tls_session *session,
                     struct bytes plain,
                     struct buf *out_wire,
                     struct err *err)
{
    CHECK(session->ready);
    return tls_records_put(session, plain, out_wire, err);
}
