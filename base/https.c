/* Certificates of HTTPS, by OpenSSL. */
#include "base/https.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/check.h"

/* Of TLS 1.2: what the SDKs of the last ten years offer.  TLS 1.3 has only good ones. */
static const char ciphers[] = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL";

/* What tells one state of a file from the next. */
struct file_mark {
    dev_t device;
    ino_t inode;
    off_t bytes;
    struct timespec changed;
};

struct https_certificate {
    char *cert_file;
    char *key_file;
    struct file_mark cert_mark;
    struct file_mark key_mark;
    SSL_CTX *context;
};

static const char *openssl_reason(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());

    return reason == NULL ? "unknown reason" : reason;
}

/* Nobody sits before a server to type a passphrase: OpenSSL would wait on the terminal. */
static int no_passphrase(char *buf, int size, int writing, void *context)
{
    return -1;
}

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
    SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    return context;
}

static enum status mark_file(const char *path, struct file_mark *out, struct err *err)
{
    struct stat st;

    if (stat(path, &st) < 0)
        return err_set_errno(err, ST_BAD_INPUT, errno, "%s", path);
    memset(out, 0, sizeof *out);
    out->device = st.st_dev;
    out->inode = st.st_ino;
    out->bytes = st.st_size;
    out->changed = st.st_mtim;
    return ST_OK;
}

static bool mark_equal(const struct file_mark *a, const struct file_mark *b)
{
    return a->device == b->device && a->inode == b->inode && a->bytes == b->bytes &&
           a->changed.tv_sec == b->changed.tv_sec && a->changed.tv_nsec == b->changed.tv_nsec;
}

static enum status load(const char *cert_file, const char *key_file, SSL_CTX **out, struct err *err)
{
    SSL_CTX *context = server_context_new();
    enum status st = ST_OK;

    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(context, cert_file) != 1)
        st = err_set(err, ST_BAD_INPUT, "certificate %s: %s; want PEM, the server's own first",
                     cert_file, openssl_reason());
    else if (SSL_CTX_use_PrivateKey_file(context, key_file, SSL_FILETYPE_PEM) != 1)
        /* OpenSSL compares the two in here already. */
        st = err_set(err, ST_BAD_INPUT,
                     "private key %s: %s; want PEM without a passphrase, the key of %s", key_file,
                     openssl_reason(), cert_file);
    if (st == ST_OK)
        *out = context;
    else
        SSL_CTX_free(context);
    ERR_clear_error();
    return st;
}

enum status https_certificate_refresh(struct https_certificate *certificate,
                                      bool *out_changed,
                                      struct err *err)
{
    struct file_mark cert_mark;
    struct file_mark key_mark;
    SSL_CTX *context;
    enum status st = mark_file(certificate->cert_file, &cert_mark, err);

    if (st == ST_OK)
        st = mark_file(certificate->key_file, &key_mark, err);
    if (st != ST_OK)
        return st;
    *out_changed = false;
    if (certificate->context != NULL && mark_equal(&cert_mark, &certificate->cert_mark) &&
        mark_equal(&key_mark, &certificate->key_mark))
        return ST_OK;
    /* The marks were taken before: a file that is written meanwhile is read once more. */
    st = load(certificate->cert_file, certificate->key_file, &context, err);
    if (st != ST_OK)
        return st;
    SSL_CTX_free(certificate->context);
    certificate->context = context;
    certificate->cert_mark = cert_mark;
    certificate->key_mark = key_mark;
    *out_changed = true;
    return ST_OK;
}

enum status https_certificate_open(const char *cert_file,
                                   const char *key_file,
                                   struct https_certificate **out,
                                   struct err *err)
{
    struct https_certificate *certificate = must_calloc(1, sizeof *certificate);
    bool changed;
    enum status st;

    certificate->cert_file = must_strdup(cert_file);
    certificate->key_file = must_strdup(key_file);
    st = https_certificate_refresh(certificate, &changed, err);
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
    free(certificate->cert_file);
    free(certificate->key_file);
    free(certificate);
}

struct ssl_ctx_st *https_certificate_context(const struct https_certificate *certificate)
{
    return certificate->context;
}

int64_t https_certificate_expires_s(const struct https_certificate *certificate)
{
    const X509 *own = SSL_CTX_get0_certificate(certificate->context);
    struct tm when;
    int ok;

    CHECK(own != NULL);
    ok = ASN1_TIME_to_tm(X509_get0_notAfter(own), &when);
    return ok == 1 ? (int64_t)timegm(&when) : 0; /* a date that nobody can read is none */
}

enum status https_client_new(const char *ca_file, struct ssl_ctx_st **out, struct err *err)
{
    SSL_CTX *context = context_new(false);

    ERR_clear_error();
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_load_verify_locations(context, ca_file, NULL) != 1) {
        enum status st = err_set(err, ST_BAD_INPUT, "CA certificates %s: %s; want PEM", ca_file,
                                 openssl_reason());

        ERR_clear_error();
        SSL_CTX_free(context);
        return st;
    }
    *out = context;
    return ST_OK;
}

void https_client_free(struct ssl_ctx_st *client)
{
    SSL_CTX_free(client);
}
