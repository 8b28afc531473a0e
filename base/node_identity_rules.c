/* See node_identity_rules.h. */
#include "base/node_identity_rules.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

static const char *const role_names[NODE_ROLES] = {
    [NODE_ROLE_CONTROLPLANE] = "controlplane",
    [NODE_ROLE_OBJSTORE] = "objstore",
    [NODE_ROLE_WORKER] = "worker",
};

enum node_role node_role_of(const char *text)
{
    for (unsigned i = NODE_ROLE_UNKNOWN + 1; i < NODE_ROLES; i++)
        if (strcmp(text, role_names[i]) == 0)
            return (enum node_role)i;
    return NODE_ROLE_UNKNOWN;
}

const char *node_role_name(enum node_role role)
{
    return role > NODE_ROLE_UNKNOWN && role < NODE_ROLES ? role_names[role] : NULL;
}

static bool is_alphanumeric(uint8_t c)
{
    return (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z');
}

/* A cluster's name stands where a URI has its host: Go's TLS cannot read a certificate at all whose
 * URI has an empty label there. */
bool node_name_ok(struct bytes name, size_t bytes_max)
{
    uint8_t before = '.';

    if (name.len == 0 || name.len > bytes_max || !is_alphanumeric(name.data[0]))
        return false;
    for (size_t i = 0; i < name.len; i++) {
        uint8_t c = name.data[i];

        if (!is_alphanumeric(c) && c != '_' && c != '-' && (c != '.' || before == '.'))
            return false;
        before = c;
    }
    return before != '.';
}

static const struct part {
    const char *what;
    size_t offset;
    size_t bytes_max;
} parts[] = {
    { "cluster", offsetof(struct node_identity, cluster), CLUSTER_NAME_BYTES_MAX },
    { "role", offsetof(struct node_identity, role), ROLE_NAME_BYTES_MAX },
    { "zone", offsetof(struct node_identity, zone), ZONE_BYTES_MAX },
    { "node", offsetof(struct node_identity, node), NODE_BYTES_MAX },
};

static enum status refuse_name(const struct part *part, struct bytes name, struct err *err)
{
    char shown[65];
    size_t len = name.len < sizeof shown - 1 ? name.len : sizeof shown - 1;

    for (size_t i = 0; i < len; i++)
        shown[i] = (char)(name.data[i] > ' ' && name.data[i] < 0x7f ? name.data[i] : '?');
    shown[len] = '\0';
    return err_set(err, ST_BAD_INPUT,
                   "identity: %s \"%s\", want 1 to %zu letters, digits, '.', '_' and '-', the "
                   "first a letter or digit, no '.' at the end or beside another",
                   part->what, shown, part->bytes_max);
}

static enum status check_role(const char *role, struct err *err)
{
    if (node_role_of(role) != NODE_ROLE_UNKNOWN)
        return ST_OK;
    return err_set(err, ST_BAD_INPUT,
                   "identity: role \"%s\", want controlplane, objstore or worker", role);
}

enum status node_identity_check(const struct node_identity *identity, struct err *err)
{
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        const char *text = (const char *)identity + parts[i].offset;

        if (!node_name_ok(bytes_of_text(text), parts[i].bytes_max))
            return refuse_name(&parts[i], bytes_of_text(text), err);
    }
    return check_role(identity->role, err);
}

void node_identity_uri(const struct node_identity *identity, char out[NODE_IDENTITY_URI_BYTES])
{
    int len = snprintf(out, NODE_IDENTITY_URI_BYTES, NODE_IDENTITY_SCHEME "%s/%s/%s/%s",
                       identity->cluster, identity->role, identity->zone, identity->node);

    CHECK(len > 0);
    CHECK(len < NODE_IDENTITY_URI_BYTES);
}

/* Takes the part before the next slash, or all of it, off `rest`. */
static struct bytes take_part(struct bytes *rest, bool *out_slash)
{
    const uint8_t *slash = rest->len == 0 ? NULL : memchr(rest->data, '/', rest->len);
    struct bytes part = *rest;

    *out_slash = slash != NULL;
    if (slash != NULL)
        part.len = (size_t)(slash - rest->data);
    *rest = bytes_of(rest->data + part.len + *out_slash, rest->len - part.len - *out_slash);
    return part;
}

enum status node_identity_parse(struct bytes uri, struct node_identity *out, struct err *err)
{
    const size_t scheme = sizeof NODE_IDENTITY_SCHEME - 1;
    struct node_identity identity = { 0 };
    struct bytes rest;
    enum status st;

    if (uri.len < scheme || memcmp(uri.data, NODE_IDENTITY_SCHEME, scheme) != 0)
        return err_set(err, ST_BAD_INPUT, "identity: does not start with " NODE_IDENTITY_SCHEME);
    rest = bytes_of(uri.data + scheme, uri.len - scheme);
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        bool slash;
        struct bytes part = take_part(&rest, &slash);

        if (slash != (i + 1 < ARRAY_LEN(parts)))
            return err_set(err, ST_BAD_INPUT,
                           "identity: want " NODE_IDENTITY_SCHEME "CLUSTER/ROLE/ZONE/NODE");
        if (!node_name_ok(part, parts[i].bytes_max))
            return refuse_name(&parts[i], part, err);
        memcpy((char *)&identity + parts[i].offset, part.data, part.len);
    }
    st = check_role(identity.role, err);
    if (st == ST_OK)
        *out = identity;
    return st;
}

bool node_identity_equal(const struct node_identity *a, const struct node_identity *b)
{
    return strcmp(a->cluster, b->cluster) == 0 && strcmp(a->role, b->role) == 0 &&
           strcmp(a->zone, b->zone) == 0 && strcmp(a->node, b->node) == 0;
}
