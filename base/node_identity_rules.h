/* Who a program of a cluster is, as its certificate says it:
 *
 *   lapwing://CLUSTER/ROLE/ZONE/NODE     one URI among the certificate's alternative names
 *
 * A URI, so that every tool shows it and no private object identifier is needed.  Pure. */
#ifndef BASE_NODE_IDENTITY_RULES_H
#define BASE_NODE_IDENTITY_RULES_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/status.h"

/* What a program is.  A new role gets a name in the .c file and its rows in link_rules.c. */
enum node_role {
    NODE_ROLE_UNKNOWN,
    NODE_ROLE_CONTROLPLANE,
    NODE_ROLE_OBJSTORE,
    NODE_ROLE_WORKER,
    NODE_ROLES,
};

struct node_identity {
    char cluster[CLUSTER_NAME_BYTES_MAX + 1];
    char role[ROLE_NAME_BYTES_MAX + 1];
    char zone[ZONE_BYTES_MAX + 1];
    char node[NODE_BYTES_MAX + 1]; /* unique in the cluster */
};

#define NODE_IDENTITY_SCHEME "lapwing://"

enum {
    NODE_IDENTITY_URI_BYTES = 10 + CLUSTER_NAME_BYTES_MAX + ROLE_NAME_BYTES_MAX + ZONE_BYTES_MAX +
                              NODE_BYTES_MAX + 4, /* with the NUL */
};

/* NODE_ROLE_UNKNOWN for any other text. */
enum node_role node_role_of(const char *text);
/* NULL behind the last. */
const char *node_role_name(enum node_role role);

/* Is it a name as an identity may hold: a letter or digit, then letters, digits, '.', '_' and '-',
 * no '.' at the end or beside another, `bytes_max` at most?  Nothing that a URI, a path or a log
 * line would have to escape. */
bool node_name_ok(struct bytes name, size_t bytes_max);

/* Are all four parts names, and is the role one that exists?  The text says which is not. */
enum status node_identity_check(const struct node_identity *identity, struct err *err);

/* Write it as a URI; it must have passed node_identity_check(). */
void node_identity_uri(const struct node_identity *identity, char out[NODE_IDENTITY_URI_BYTES]);

/* Read a URI back: exactly that form, no other scheme, port, escape, query or further part. */
enum status node_identity_parse(struct bytes uri, struct node_identity *out, struct err *err);

bool node_identity_equal(const struct node_identity *a, const struct node_identity *b);

#endif
