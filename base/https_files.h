/* The certificate of a program's HTTPS ports, from its configuration ([https], or without it the
 * files of [tls], where the program has those), read anew as certificate_watch.h says. */
#ifndef BASE_HTTPS_FILES_H
#define BASE_HTTPS_FILES_H

#include <limits.h>
#include <stdbool.h>
#include <uv.h>

#include "base/config.h"
#include "base/https.h"

/* Rows of the table of options of a program that has such ports. */
// clang-format off
#define HTTPS_OPTIONS                                                                                                      \
    { "https", "cert_file", NULL, "certificate of the https:// addresses and its chain, PEM; else that of tls.cert_file", CONFIG_TEXT, true, 1, PATH_MAX - 1 }, \
    { "https", "key_file", NULL, "its private key, PEM without a passphrase", CONFIG_TEXT, true, 1, PATH_MAX - 1 }
// clang-format on

struct https_files;

/* Read them, and go on looking.
 *
 * ST_BAD_INPUT: none is configured.  Others as https_certificate_open().  Later errors are logged,
 * and the old certificate stays. */
enum status https_files_open(uv_loop_t *loop,
                             const struct config *config,
                             struct https_files **out,
                             struct err *err);
/* Valid until https_files_free(). */
struct https_certificate *https_files_certificate(const struct https_files *files);
/* Is it the program's own certificate in the cluster, which its identity_watch() speaks of? */
bool https_files_are_own(const struct https_files *files);
/* Stop looking. */
void https_files_close(struct https_files *files);
/* Once the loop has run dry.  Both take NULL. */
void https_files_free(struct https_files *files);

#endif
