/* Certificates of HTTPS: what a server shows to its clients, and whom a client believes.
 *
 * TLS 1.2 and 1.3 with forward secrecy and authenticated ciphers, nothing older.  Read at start and
 * again when the files change; the loop's thread. */
#ifndef BASE_HTTPS_H
#define BASE_HTTPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct ssl_ctx_st; /* OpenSSL's SSL_CTX */

/* A certificate with its chain, and its private key.  Freed by https_certificate_free(); sessions
 * that were made with it go on. */
struct https_certificate;

/* Read both files, in PEM: the certificate first, then those that lead to the root; a key without a
 * passphrase.
 *
 * ST_BAD_INPUT: names the file and what is wrong with it, or that the two do not belong together.
 * Blocks on disk. */
enum status https_certificate_open(const char *cert_file,
                                   const char *key_file,
                                   struct https_certificate **out,
                                   struct err *err);
void https_certificate_free(struct https_certificate *certificate);

/* Read the files again if one of them has changed since they were last read with success.
 *
 * out_changed   new sessions show the new certificate
 *
 * On an error the old one stays in use, and the next call tries again.  Blocks on disk, for four
 * small files at most. */
enum status https_certificate_refresh(struct https_certificate *certificate,
                                      bool *out_changed,
                                      struct err *err);

/* What new sessions are made with; borrowed until the next refresh. */
struct ssl_ctx_st *https_certificate_context(const struct https_certificate *certificate);

/* Until when clients believe it: seconds since the epoch. */
int64_t https_certificate_expires_s(const struct https_certificate *certificate);

/* For a client that believes who the certificates in `ca_file` vouch for.  Free with
 * https_client_free(). */
enum status https_client_new(const char *ca_file, struct ssl_ctx_st **out, struct err *err);
void https_client_free(struct ssl_ctx_st *client);

#endif
