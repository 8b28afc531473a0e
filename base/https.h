/* Certificates of HTTPS: what a server shows to its clients, and whom a client believes.
 *
 * TLS 1.2 and 1.3 with forward secrecy and authenticated ciphers, nothing older.  Any thread. */
#ifndef BASE_HTTPS_H
#define BASE_HTTPS_H

#include <stdint.h>

#include "base/status.h"

struct ssl_ctx_st; /* OpenSSL's SSL_CTX */

/* A certificate with its chain, and its private key.  Freed by https_certificate_free(); sessions
 * that were made with it go on. */
struct https_certificate;

/* Read both files, in PEM: the certificate first, then those that lead to the root, at most
 * CERTIFICATE_CHAIN_MAX together; a key without a passphrase.
 *
 * ST_IO: one cannot be read.  ST_BAD_INPUT: what is wrong with it, or that the two do not belong
 * together.  The text names the file.  Blocks on disk. */
enum status https_certificate_open(const char *cert_file,
                                   const char *key_file,
                                   struct https_certificate **out,
                                   struct err *err);
void https_certificate_free(struct https_certificate *certificate);

/* Read them anew, for new sessions.  On an error, as above, the old one stays in use. */
enum status https_certificate_reload(struct https_certificate *certificate,
                                     const char *cert_file,
                                     const char *key_file,
                                     struct err *err);

/* What new sessions are made with; the caller's own reference, for https_context_free(). */
struct ssl_ctx_st *https_certificate_context(struct https_certificate *certificate);

/* Until when clients believe it: seconds since the epoch. */
int64_t https_certificate_expires_s(struct https_certificate *certificate);

/* For a client that believes who the certificates in `ca_file` vouch for.  Free with
 * https_context_free(). */
enum status https_client_new(const char *ca_file, struct ssl_ctx_st **out, struct err *err);
/* Sessions that were made with it go on.  NULL is harmless. */
void https_context_free(struct ssl_ctx_st *context);

#endif
