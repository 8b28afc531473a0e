/* Certificates of HTTPS, by OpenSSL. */
#include "base/https.h"

#include <pthread.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/certificate.h"
#include "base/certificate_use.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/tls_files.h"

/* Of TLS 1.2: what the SDKs of the last ten years offer.  TLS 1.3 has only good ones. */
static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL";

struct https_certificate {
    pthread_mutex_t lock; /* over all below: it is read anew on another thread */
    SSL_CTX *context;     /* never changed once it is here, only replaced as a whole */
    int64_t expires_s;
};

/* Of what a client offers HTTP/1.1 is taken; who speaks only HTTP/2 is told so in the handshake. */
static int choose_protocol(SSL *ssl,
                           const unsigned char **out,
                           unsigned char *out_len,
                           const unsigned char *offered,
                           unsigned offered_len,
                           void *context)
{
    static const unsigned char ours[] = "\x08http/1.1";
    unsigned char *chosen;

    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof ours - 1, offered, offered_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *context_new(bool server)
{
    SSL_CTX *context = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());
    int ok;

    CHECK(context != NULL);
    ok = SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    CHECK(ok == 1);
    ok = SSL_CTX_set_cipher_list(context, ciphers);
    CHECK(ok == 1);
    (void)SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION);
    /* Idle connections hold no buffers; what a write could not send is kept by us and may move. */
    (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1); /* a record in one system call instead of two */
    return context;
}

static SSL_CTX *server_context_new(void)
{
    SSL_CTX *context = context_new(true);

    /* Requests and bodies say themselves how long they are, so an end without TLS's goodbye cuts
     * nothing unseen, and many clients leave without it. */
    (void)SSL_CTX_set_options(context, SSL_OP_IGNORE_UNEXPECTED_EOF);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF); /* tickets do without */
    (void)SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
    return context;
}

static enum status use_certificate(
    SSL_CTX *context, struct bytes pem, const char *path, int64_t *out_expires_s, struct err *err)
{
    STACK_OF(X509) * chain;
    enum status st = certificates_parse(pem, path, CERTIFICATE_CHAIN_MAX, &chain, err);
    int64_t from_s;

    if (st != ST_OK)
        return st;
    st = certificate_dates_read(sk_X509_value(chain, 0), &from_s, out_expires_s, err);
    if (st == ST_OK)
        st = certificate_use_chain(context, chain, path, err);
    certificates_free(chain);
    return st;
}

/* Both texts; the key's permissions are the operator's affair, who may share it with a web server.
 */
static enum status read_files(const char *cert_file,
                              const char *key_file,
                              struct buf *out_cert,
                              struct buf *out_key,
                              struct err *err)
{
    enum status st = tls_file_read(cert_file, false, out_cert, err);

    return st == ST_OK ? tls_file_read(key_file, false, out_key, err) : st;
}

static enum status load(const char *cert_file,
                        const char *key_file,
                        SSL_CTX **out,
                        int64_t *out_expires_s,
                        struct err *err)
{
    SSL_CTX *context = server_context_new();
    struct buf cert = { 0 };
    struct buf key = { 0 };
    enum status st = read_files(cert_file, key_file, &cert, &key, err);

    if (st == ST_OK)
        st = use_certificate(context, buf_view(&cert), cert_file, out_expires_s, err);
    if (st == ST_OK)
        st = certificate_use_key(context, buf_view(&key), key_file, err);
    if (key.data != NULL)
        OPENSSL_cleanse(key.data, key.capacity);
    buf_done(&key);
    buf_done(&cert);
    if (st == ST_OK)
        *out = context;
    else
        SSL_CTX_free(context);
    return st;
}

enum status https_certificate_reload(struct https_certificate *certificate,
                                     const char *cert_file,
                                     const char *key_file,
                                     struct err *err)
{
    SSL_CTX *context;
    SSL_CTX *old;
    int64_t expires_s;
    enum status st = load(cert_file, key_file, &context, &expires_s, err);

    if (st != ST_OK)
        return st;
    (void)pthread_mutex_lock(&certificate->lock);
    old = certificate->context;
    certificate->context = context;
    certificate->expires_s = expires_s;
    (void)pthread_mutex_unlock(&certificate->lock);
    SSL_CTX_free(old); /* sessions that began with it hold it */
    return ST_OK;
}

enum status https_certificate_open(const char *cert_file,
                                   const char *key_file,
                                   struct https_certificate **out,
                                   struct err *err)
{
    struct https_certificate *certificate = must_calloc(1, sizeof *certificate);
    enum status st;

    CHECK(pthread_mutex_init(&certificate->lock, NULL) == 0);
    st = https_certificate_reload(certificate, cert_file, key_file, err);
    if (st == ST_OK)
        *out = certificate;
    else
        https_certificate_free(certificate);
    return st;
}

void https_certificate_free(struct https_certificate *certificate)
{
    if (certificate == NULL)
        return;
    SSL_CTX_free(certificate->context);
    (void)pthread_mutex_destroy(&certificate->lock);
    free(certificate);
}

struct ssl_ctx_st *https_certificate_context(struct https_certificate *certificate)
{
    SSL_CTX *context;
    int ok;

    (void)pthread_mutex_lock(&certificate->lock);
    context = certificate->context;
    ok = SSL_CTX_up_ref(context);
    (void)pthread_mutex_unlock(&certificate->lock);
    CHECK(ok == 1);
    return context;
}

int64_t https_certificate_expires_s(struct https_certificate *certificate)
{
    int64_t expires_s;

    (void)pthread_mutex_lock(&certificate->lock);
    expires_s = certificate->expires_s;
    (void)pthread_mutex_unlock(&certificate->lock);
    return expires_s;
}

enum status https_client_new(const char *ca_file, struct ssl_ctx_st **out, struct err *err)
{
    SSL_CTX *context = context_new(false);

    ERR_clear_error();
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_load_verify_locations(context, ca_file, NULL) != 1) {
        const char *reason = ERR_reason_error_string(ERR_peek_last_error());
        enum status st = err_set(err, ST_BAD_INPUT, "CA certificates %s: %s; want PEM", ca_file,
                                 reason == NULL ? "unknown reason" : reason);

        ERR_clear_error();
        SSL_CTX_free(context);
        return st;
    }
    *out = context;
    return ST_OK;
}

void https_context_free(struct ssl_ctx_st *context)
{
    SSL_CTX_free(context);
}
