/* Who a program of the cluster is, from its configuration. */
#ifndef BASE_IDENTITY_H
#define BASE_IDENTITY_H

#include <limits.h>

#include "base/certificate_watch.h"
#include "base/config.h"
#include "base/limits.h"
#include "base/stream.h"

/* Rows of every program's table of options. */
// clang-format off
#define IDENTITY_OPTIONS                                                                                                   \
    { "node", "name", NULL, "name of this node, unique in the cluster", CONFIG_TEXT, false, 1, NODE_BYTES_MAX },          \
    { "node", "zone", NULL, "zone that it stands in", CONFIG_TEXT, false, 1, ZONE_BYTES_MAX },                            \
    { "node", "cluster", NULL, "name of the cluster", CONFIG_TEXT, false, 1, CLUSTER_NAME_BYTES_MAX },                    \
    { "cluster", "key_file", NULL, "file of 64 hexadecimal digits, the cluster's key", CONFIG_TEXT, false, 1, PATH_MAX - 1 }, \
    { "tls", "ca_file", NULL, "CAs whose certificates are accepted: one, or two while one replaces the other (PEM)", CONFIG_TEXT, false, 1, PATH_MAX - 1 }, \
    { "tls", "cert_file", NULL, "certificate of this program, of `lapwing certs` (PEM)", CONFIG_TEXT, false, 1, PATH_MAX - 1 }, \
    { "tls", "key_file", NULL, "its private key, for its owner only (PEM)", CONFIG_TEXT, false, 1, PATH_MAX - 1 }
// clang-format on

/* Read them, the key file and the TLS files.
 *
 * role   "controlplane", "objstore" or "worker": what the certificate must say
 * out    identity_done() frees what it holds
 *
 * Errors are those of cluster_key_read() and tls_files_open().  A build whose links are in the
 * clear says so in the log.  Blocks on disk; at start. */
enum status identity_read(const struct config *config,
                          const char *role,
                          struct stream_identity *out,
                          struct err *err);
/* When no stream is left. */
void identity_done(struct stream_identity *identity);

/* Keep the certificate in use the one in the files, for every handshake from then on.  What
 * `identity` holds is needed until the loop has run dry after certificate_watch_stop(). */
struct certificate_watch *identity_watch(uv_loop_t *loop,
                                         const struct config *config,
                                         const struct stream_identity *identity);

#endif
