/* Own certificate, key and CAs of a process, and who is connected.
 *
 * Streams of several threads share one: an SSL_CTX is not changed once it is made, and a new
 * certificate is a new SSL_CTX.  Sessions hold the one that they began with. */
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "base/certificate_use.h"
#include "base/check.h"
#include "base/tls_internal.h"

static enum status add_authorities(X509_STORE *store, struct bytes pem, struct err *err)
{
    STACK_OF(X509) * list;
    enum status st = certificates_parse(pem, "CA bundle", CERTIFICATE_AUTHORITIES_MAX, &list, err);

    if (st != ST_OK)
        return st;
    for (int i = 0; i < sk_X509_num(list) && st == ST_OK; i++) {
        X509 *one = sk_X509_value(list, i);
        int rv;

        if (X509_check_ca(one) == 0) {
            st = err_set(err, ST_BAD_INPUT, "CA bundle: certificate %d is not of a CA", i + 1);
            break;
        }
        rv = X509_STORE_add_cert(store, one);
        CHECK(rv == 1);
    }
    certificates_free(list);
    return st;
}

static enum status check_self(const struct node_identity *self,
                              const struct certificate_facts *facts,
                              struct err *err)
{
    char want[NODE_IDENTITY_URI_BYTES];
    char got[NODE_IDENTITY_URI_BYTES];

    if (node_identity_equal(self, &facts->identity))
        return ST_OK;
    node_identity_uri(self, want);
    node_identity_uri(&facts->identity, got);
    return err_set(err, ST_BAD_INPUT, "certificate: is of %.100s, this program is %.100s", got,
                   want);
}

/* Others would refuse it, each in their log: better said here, at once. */
static enum status check_chain(SSL_CTX *ssl, X509 *own, STACK_OF(X509) * chain, struct err *err)
{
    X509_STORE_CTX *check = X509_STORE_CTX_new();
    enum status st = ST_OK;
    int rv;

    CHECK(check != NULL);
    rv = X509_STORE_CTX_init(check, SSL_CTX_get_cert_store(ssl), own, chain);
    CHECK(rv == 1);
    X509_STORE_CTX_set_flags(check, X509_V_FLAG_NO_CHECK_TIME);
    if (X509_verify_cert(check) != 1)
        st = err_set(err, ST_BAD_INPUT, "certificate: its CA is not in the CA bundle (%s)",
                     X509_verify_cert_error_string(X509_STORE_CTX_get_error(check)));
    X509_STORE_CTX_free(check);
    return st;
}

static enum status use_certificate(SSL_CTX *ssl,
                                   const struct node_identity *self,
                                   struct bytes pem,
                                   int64_t *out_expires_s,
                                   struct err *err)
{
    struct certificate_facts facts;
    STACK_OF(X509) * chain;
    enum status st = certificates_parse(pem, "certificate", CERTIFICATE_CHAIN_MAX, &chain, err);

    if (st != ST_OK)
        return st;
    st = certificate_facts_read(sk_X509_value(chain, 0), &facts, err);
    if (st == ST_OK)
        st = check_self(self, &facts, err);
    if (st == ST_OK)
        st = check_chain(ssl, sk_X509_value(chain, 0), chain, err);
    if (st == ST_OK)
        st = certificate_use_chain(ssl, chain, "certificate", err);
    if (st == ST_OK)
        *out_expires_s = facts.not_after_s;
    certificates_free(chain);
    return st;
}

static void set_rules(SSL_CTX *ssl)
{
    int ok = SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION);

    CHECK(ok == 1);
    ok = SSL_CTX_set_ciphersuites(ssl, "TLS_AES_128_GCM_SHA256");
    CHECK(ok == 1);
    ok = SSL_CTX_set1_groups_list(ssl, "X25519:P-256");
    CHECK(ok == 1);
    /* A connection lives for days: nothing is gained by resuming, and a resumed one would not show
     * its certificate again. */
    (void)SSL_CTX_set_num_tickets(ssl, 0);
    (void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_options(ssl, SSL_OP_NO_TICKET);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_cert_verify_callback(ssl, tls_verify_cb, NULL);
}

static enum status make_ssl(const struct node_identity *self,
                            const struct tls_material *material,
                            SSL_CTX **out,
                            int64_t *out_expires_s,
                            struct err *err)
{
    SSL_CTX *ssl = SSL_CTX_new(TLS_method());
    enum status st;

    CHECK(ssl != NULL);
    ERR_clear_error();
    set_rules(ssl);
    st = add_authorities(SSL_CTX_get_cert_store(ssl), material->authorities, err);
    if (st == ST_OK)
        st = use_certificate(ssl, self, material->certificate, out_expires_s, err);
    if (st == ST_OK)
        st = certificate_use_key(ssl, material->key, "private key", err);
    ERR_clear_error();
    if (st == ST_OK)
        *out = ssl;
    else
        SSL_CTX_free(ssl);
    return st;
}

enum status tls_context_new(const struct node_identity *self,
                            const struct tls_material *material,
                            struct tls_context **out,
                            struct err *err)
{
    struct tls_context *context;
    enum status st = node_identity_check(self, err);
    SSL_CTX *ssl;
    int64_t expires_s;

    if (st == ST_OK)
        st = make_ssl(self, material, &ssl, &expires_s, err);
    if (st != ST_OK)
        return st;
    context = must_calloc(1, sizeof *context);
    context->self = *self;
    context->ssl = ssl;
    context->expires_s = expires_s;
    CHECK(pthread_mutex_init(&context->lock, NULL) == 0);
    *out = context;
    return ST_OK;
}

void tls_context_free(struct tls_context *context)
{
    if (context == NULL)
        return;
    CHECK(context->peers == NULL);
    SSL_CTX_free(context->ssl);
    (void)pthread_mutex_destroy(&context->lock);
    free(context);
}

enum status tls_context_replace(struct tls_context *context,
                                const struct tls_material *material,
                                struct err *err)
{
    SSL_CTX *ssl;
    SSL_CTX *old;
    int64_t expires_s;
    enum status st = make_ssl(&context->self, material, &ssl, &expires_s, err);

    if (st != ST_OK)
        return st;
    (void)pthread_mutex_lock(&context->lock);
    old = context->ssl;
    context->ssl = ssl;
    context->expires_s = expires_s;
    (void)pthread_mutex_unlock(&context->lock);
    SSL_CTX_free(old); /* sessions that began with it hold it */
    return ST_OK;
}

int64_t tls_context_expires_s(struct tls_context *context)
{
    int64_t expires_s;

    (void)pthread_mutex_lock(&context->lock);
    expires_s = context->expires_s;
    (void)pthread_mutex_unlock(&context->lock);
    return expires_s;
}

SSL *tls_context_ssl(struct tls_context *context)
{
    SSL *ssl;

    (void)pthread_mutex_lock(&context->lock);
    ssl = SSL_new(context->ssl);
    (void)pthread_mutex_unlock(&context->lock);
    CHECK(ssl != NULL);
    return ssl;
}

void tls_peers_add(struct tls_context *context, struct tls_peer_entry *entry)
{
    (void)pthread_mutex_lock(&context->lock);
    entry->previous = NULL;
    entry->next = context->peers;
    if (entry->next != NULL)
        entry->next->previous = entry;
    context->peers = entry;
    (void)pthread_mutex_unlock(&context->lock);
}

void tls_peers_remove(struct tls_context *context, struct tls_peer_entry *entry)
{
    (void)pthread_mutex_lock(&context->lock);
    if (entry->previous != NULL)
        entry->previous->next = entry->next;
    else
        context->peers = entry->next;
    if (entry->next != NULL)
        entry->next->previous = entry->previous;
    (void)pthread_mutex_unlock(&context->lock);
}

static bool is_listed(const struct tls_expiry *list, size_t count, const struct node_identity *who)
{
    for (size_t i = 0; i < count; i++)
        if (node_identity_equal(&list[i].identity, who))
            return true;
    return false;
}

size_t tls_expiries(struct tls_context *context, struct tls_expiry out[TLS_EXPIRIES_MAX])
{
    size_t count = 1;

    (void)pthread_mutex_lock(&context->lock);
    out[0] = (struct tls_expiry){ context->self, context->expires_s };
    for (struct tls_peer_entry *peer = context->peers; peer != NULL; peer = peer->next) {
        if (count == TLS_EXPIRIES_MAX)
            break;
        if (!is_listed(out, count, &peer->facts.identity))
            out[count++] = (struct tls_expiry){ peer->facts.identity, peer->facts.not_after_s };
    }
    (void)pthread_mutex_unlock(&context->lock);
    return count;
}
