/* See certificate_use.h. */
#include "base/certificate_use.h"

#include <openssl/err.h>

#include "base/certificate.h"

static enum status refuse(const char *what, int number, struct err *err)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    enum status st = err_set(err, ST_BAD_INPUT, "%s: certificate %d cannot be used (%s)", what,
                             number, reason == NULL ? "unknown reason" : reason);

    ERR_clear_error();
    return st;
}

enum status certificate_use_chain(SSL_CTX *ssl,
                                  STACK_OF(X509) * chain,
                                  const char *what,
                                  struct err *err)
{
    ERR_clear_error();
    if (SSL_CTX_use_certificate(ssl, sk_X509_value(chain, 0)) != 1)
        return refuse(what, 1, err);
    for (int i = 1; i < sk_X509_num(chain); i++)
        if (SSL_CTX_add1_chain_cert(ssl, sk_X509_value(chain, i)) != 1)
            return refuse(what, i + 1, err);
    return ST_OK;
}

enum status certificate_use_key(SSL_CTX *ssl, struct bytes pem, const char *what, struct err *err)
{
    EVP_PKEY *key;
    enum status st = private_key_parse(pem, what, &key, err);

    if (st != ST_OK)
        return st;
    if (SSL_CTX_use_PrivateKey(ssl, key) != 1 || SSL_CTX_check_private_key(ssl) != 1)
        st = err_set(err, ST_BAD_INPUT, "%s: it is not the certificate's", what);
    ERR_clear_error();
    EVP_PKEY_free(key);
    return st;
}
