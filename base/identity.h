/* Who a program of the cluster is, from its configuration. */
#ifndef BASE_IDENTITY_H
#define BASE_IDENTITY_H

#include <limits.h>

#include "base/config.h"
#include "base/limits.h"
#include "base/stream.h"

/* Rows of every program's table of options. */
// clang-format off
#define IDENTITY_OPTIONS                                                                                                   \
    { "node", "name", NULL, "name of this node, unique in the cluster", CONFIG_TEXT, false, 1, NODE_BYTES_MAX },          \
    { "node", "zone", NULL, "zone that it stands in", CONFIG_TEXT, false, 1, ZONE_BYTES_MAX },                            \
    { "node", "cluster", NULL, "name of the cluster", CONFIG_TEXT, false, 1, CLUSTER_NAME_BYTES_MAX },                    \
    { "cluster", "key_file", NULL, "file of 64 hexadecimal digits, the cluster's key", CONFIG_TEXT, false, 1, PATH_MAX - 1 }
// clang-format on

/* Read them, and the key file.
 *
 * role   "controlplane", "objstore" or "worker"
 *
 * Errors are those of cluster_key_read().  Blocks on disk; at start. */
enum status identity_read(const struct config *config,
                          const char *role,
                          struct stream_identity *out,
                          struct err *err);

#endif
