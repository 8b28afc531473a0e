/* Giving a certificate and its key to a new SSL_CTX.  Any thread that has the SSL_CTX to itself. */
#ifndef BASE_CERTIFICATE_USE_H
#define BASE_CERTIFICATE_USE_H

#include <openssl/ssl.h>

#include "base/bytes.h"
#include "base/status.h"

/* Show the first of a list, with the others behind it as its chain.
 *
 * what   names the text in errors
 *
 * ST_BAD_INPUT: OpenSSL refuses one. */
enum status certificate_use_chain(SSL_CTX *ssl,
                                  STACK_OF(X509) * chain,
                                  const char *what,
                                  struct err *err);

/* The key of that certificate, a PEM text.  ST_BAD_INPUT: it is none, or another's. */
enum status certificate_use_key(SSL_CTX *ssl, struct bytes pem, const char *what, struct err *err);

#endif
