/* See node.h. */
#include "controlplane/node.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/failure_settings.h"
#include "base/https_files.h"
#include "base/identity.h"

/* A worker that fell silent is out by so much later than out_ms says: together still under a
 * second. */
enum { DETECTION_TICK_MS = 50 };

// clang-format off
const struct config_option node_options[] = {
    IDENTITY_OPTIONS,
    { "listen", "api", NULL, "addresses of the front door, comma separated: https://ADDRESS, or http://ADDRESS on loopback", CONFIG_TEXT, false, 1, 1024 },
    { "listen", "plain_http", "no", "http:// addresses of listen.api need not be loopback", CONFIG_BOOLEAN, false, 0, 0 },
    HTTPS_OPTIONS,
    { "listen", "share_port", "no", "other nodes on this machine listen there too", CONFIG_BOOLEAN, false, 0, 0 },
    { "listen", "s3_domain", NULL, "buckets are hosts under this name: BUCKET.DOMAIN; the object stores' listen.domain", CONFIG_TEXT, true, 1, 253 },
    { "listen", "state", NULL, "address of the state service", CONFIG_ADDRESS, false, 0, 0 },
    { "listen", "registration", NULL, "address where workers register", CONFIG_ADDRESS, false, 0, 0 },
    { "node", "join", "no", "this node is added to a cluster that runs already: wait for it", CONFIG_BOOLEAN, false, 0, 0 },
    { "members", "ID", NULL, "NODE,ZONE,RAFT_CONTROL_ADDRESS,RAFT_STORAGE_ADDRESS; of a new cluster all, else this node and whom it may find", CONFIG_ENTRIES, false, 0, 0 },
    { "objstore", "addresses", NULL, "S3 addresses of the object stores, comma separated, the own zone's first", CONFIG_TEXT, false, 1, 1024 },
    { "objstore", "plain_http", "no", "they need not be on loopback; requests pass to them in plain HTTP", CONFIG_BOOLEAN, false, 0, 0 },
    { "data", "dir", NULL, "folder of the replicated state", CONFIG_TEXT, false, 1, PATH_MAX - 64 },
    FAILURE_OPTIONS,
    { "replica", "snapshot_log_bytes", "16777216", "with less log than this no snapshot is due by log; more for a large state, less if applying it takes long", CONFIG_UNSIGNED, false, 65536, 1 << 30 },
    { "replica", "leader_lease", "yes", "a leader answers reads by a lease, without an entry; needs clocks whose rates differ by at most 5 %", CONFIG_BOOLEAN, false, 0, 0 },
    { "cluster", "raise_version", "yes", "once all members run a newer release, use what it brought: from then on none can go back", CONFIG_BOOLEAN, false, 0, 0 },
    { "replica", "reserve_bytes", "67108864", "kept on the disk for the log of each group", CONFIG_UNSIGNED, false, 1 << 20, 1ull << 40 },
    { "replica", "disk_low_bytes", "67108864", "with less room than this a node is disk_full: it leads no group and takes no writes", CONFIG_UNSIGNED, false, 1 << 20, 1ull << 40 },
    { "replica", "disk_high_bytes", "134217728", "with so much room it is no longer; not below disk_low_bytes", CONFIG_UNSIGNED, false, 1 << 20, 1ull << 40 },
    { "replica", "disk_slow_ms", "1000", "a write of the log that takes so long is slow: another node leads", CONFIG_UNSIGNED, false, 10, 60000 },
    { "account", "id", "000000000000", "account that all keys belong to", CONFIG_TEXT, false, ACCOUNT_DIGITS, ACCOUNT_DIGITS },
    { "keys", "ACCESS_KEY_ID", NULL, "its secret", CONFIG_ENTRIES, true, 0, 0 },
    { 0 },
};
// clang-format on

/* Step through a comma-separated list: copies the next part into `out`; false at the end. */
static bool node_list_next(const char **list, char *out, size_t size)
{
    size_t len;

    *list += strspn(*list, ", ");
    len = strcspn(*list, ", ");
    if (len == 0)
        return false;
    if (len >= size)
        len = size - 1;
    memcpy(out, *list, len);
    out[len] = '\0';
    *list += strcspn(*list, ", ");
    return true;
}

static enum status read_member(const char *key,
                               const char *value,
                               struct replica_member *control,
                               struct replica_member *storage,
                               struct err *err)
{
    struct replica_member member = { 0 };
    const char *rest = value;
    char *end = NULL;

    member.id = strtoull(key, &end, 10);
    if (member.id == 0 || *end != '\0')
        return err_set(err, ST_BAD_INPUT, "members: id %s, want a number from 1", key);
    if (!node_list_next(&rest, member.node, sizeof member.node) ||
        !node_list_next(&rest, member.zone, sizeof member.zone))
        return err_set(err, ST_BAD_INPUT, "members: %s = %s, want node and zone", key, value);
    *control = member;
    *storage = member;
    if (!node_list_next(&rest, control->address, sizeof control->address) ||
        !node_list_next(&rest, storage->address, sizeof storage->address) || *rest != '\0')
        return err_set(err, ST_BAD_INPUT, "members: %s = %s, want two addresses", key, value);
    return ST_OK;
}

static enum status read_members(const struct config *config,
                                struct node_settings *out,
                                struct err *err)
{
    const char *self = config_text(config, "node", "name");
    size_t count = config_entry_count(config, "members");

    if (count == 0 || count > NODES_MAX)
        return err_set(err, ST_BAD_INPUT, "members: %zu, want 1 to %d", count, NODES_MAX);
    for (size_t i = 0; i < count; i++) {
        const char *key;
        const char *value;
        enum status st;

        config_entry_at(config, "members", i, &key, &value);
        st = read_member(key, value, &out->control[i], &out->storage[i], err);
        if (st != ST_OK)
            return st;
        if (strcmp(out->control[i].node, self) == 0)
            out->self_id = out->control[i].id;
    }
    out->member_count = (unsigned)count;
    if (out->self_id == 0)
        return err_set(err, ST_BAD_INPUT, "members: node %s is not among them", self);
    return ST_OK;
}

static enum status read_api(const struct config *config, struct node_settings *out, struct err *err)
{
    bool allowed = config_boolean(config, "listen", "plain_http");
    enum status st = endpoint_list(config_text(config, "listen", "api"), "listen.api", out->api,
                                   ENDPOINTS_MAX, &out->api_count, err);

    for (size_t i = 0; st == ST_OK && i < out->api_count; i++) {
        out->https = out->https || out->api[i].https;
        st = endpoint_check_plain(&out->api[i], allowed, "listen.api", "listen.plain_http", err);
    }
    return st;
}

enum status node_settings_read(const struct config *config,
                               struct node_settings *out,
                               struct err *err)
{
    enum status st = identity_read(config, "controlplane", &out->identity, err);

    if (st == ST_OK)
        st = read_members(config, out, err);
    if (st == ST_OK)
        st = read_api(config, out, err);
    if (st == ST_OK)
        st = endpoint_list_plain(config_text(config, "objstore", "addresses"),
                                 config_boolean(config, "objstore", "plain_http"),
                                 "objstore.addresses", "objstore.plain_http", err);
    if (st == ST_OK)
        st = failure_limits_read(config, DETECTION_TICK_MS, &out->detection, err);
    return st;
}
