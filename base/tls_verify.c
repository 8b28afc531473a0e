/* Whom we let in: the certificate of the other end, inside the handshake. */
#include <string.h>

#include <openssl/x509v3.h>

#include "base/check.h"
#include "base/link_rules.h"
#include "base/tls_internal.h"

/* Nothing of the certificate is quoted: nobody we trust has signed it. */
static enum status refuse_chain(int error, struct err *err)
{
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return err_set(err, ST_DENIED, "the peer's certificate has run out");
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return err_set(err, ST_DENIED,
                       "the peer's certificate is not valid yet: do the clocks agree?");
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return err_set(err, ST_DENIED, "the peer's certificate is signed by itself");
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return err_set(err, ST_DENIED,
                       "the peer's certificate is of a CA that is not in our bundle");
    default:
        return err_set(err, ST_DENIED, "the peer's certificate: %s",
                       X509_verify_cert_error_string(error));
    }
}

static enum status check_identity(const struct tls_session *session,
                                  const struct node_identity *peer,
                                  struct err *err)
{
    const struct node_identity *self = &session->context->self;

    if (strcmp(peer->cluster, self->cluster) != 0)
        return err_set(err, ST_DENIED, "the peer is of cluster %s, we are of %s", peer->cluster,
                       self->cluster);
    if (!link_roles_have(session->expected.roles, node_role_of(peer->role)))
        return err_set(err, ST_DENIED,
                       "the peer is %s, whose role %s has no business on this stream", peer->node,
                       peer->role);
    if (session->expected.node != NULL && strcmp(peer->node, session->expected.node) != 0)
        return err_set(err, ST_DENIED, "the peer is %s, here we expect %s", peer->node,
                       session->expected.node);
    return ST_OK;
}

int tls_verify_cb(X509_STORE_CTX *store, void *unused)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls_session *session = SSL_get_app_data(ssl);

    (void)unused;
    if (X509_verify_cert(store) != 1) {
        session->refused = refuse_chain(X509_STORE_CTX_get_error(store), &session->refusal);
        return 0;
    }
    session->refused =
        certificate_facts_read(X509_STORE_CTX_get0_cert(store), &session->peer, &session->refusal);
    if (session->refused == ST_OK)
        session->refused = check_identity(session, &session->peer.identity, &session->refusal);
    if (session->refused == ST_OK)
        return 1;
    X509_STORE_CTX_set_error(store, X509_V_ERR_CERT_REJECTED);
    return 0;
}
