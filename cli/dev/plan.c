/* The configuration of every program of a cluster on one machine.  Pure.
 *
 * Zone i has the ports P+10+10i on: raft control, raft storage, state, registration, objstore's
 * HTTP, objstore's peers, invoke.  The front doors of all zones share port P, so a zone may die
 * unseen. */
#include "cli/dev/plan.h"

#include <stdio.h>

#include "base/check.h"

enum port {
    PORT_RAFT_CONTROL,
    PORT_RAFT_STORAGE,
    PORT_STATE,
    PORT_REGISTRATION,
    PORT_OBJSTORE_HTTP,
    PORT_OBJSTORE_PEERS,
    PORT_INVOKE,
};

const char *plan_zone_name(unsigned zone)
{
    static const char *const names[DEV_ZONES_MAX] = { "a", "b", "c", "d", "e" };

    CHECK(zone < DEV_ZONES_MAX);
    return names[zone];
}

const char *plan_kind_name(enum plan_kind kind)
{
    static const char *const names[PLAN_KINDS] = {
        [PLAN_OBJSTORE] = "objstore",
        [PLAN_CONTROLPLANE] = "controlplane",
        [PLAN_SPAWNER] = "spawner",
        [PLAN_WORKER] = "worker",
    };

    CHECK(kind < PLAN_KINDS);
    return names[kind];
}

const char *plan_scheme(const struct dev_options *options)
{
    return options->https ? "https" : "http";
}

void plan_instance(const struct dev_options *options, unsigned zone, char *out, size_t size)
{
    (void)snprintf(out, size, "lapwing-dev-%u-%s", options->port, plan_zone_name(zone));
}

static unsigned port_of(const struct plan *plan, unsigned zone, enum port port)
{
    return plan->options->port + DEV_PORTS_PER_ZONE * (zone + 1) + (unsigned)port;
}

static void put_address(const struct plan *plan, unsigned zone, enum port port, struct buf *out)
{
    buf_printf(out, "127.0.0.1:%u", port_of(plan, zone, port));
}

static void put_setting(
    const struct plan *plan, const char *key, unsigned zone, enum port port, struct buf *out)
{
    buf_printf(out, "%s = ", key);
    put_address(plan, zone, port, out);
    buf_append_text(out, "\n");
}

/* Control-plane nodes are called as their zone. */
static const char *node_prefix(enum plan_kind kind)
{
    if (kind == PLAN_OBJSTORE)
        return "objstore-";
    return kind == PLAN_WORKER ? "worker-" : "";
}

void plan_identity(enum plan_kind kind, unsigned zone, struct node_identity *out)
{
    const char *name = plan_zone_name(zone);

    CHECK(plan_has_identity(kind));
    (void)snprintf(out->cluster, sizeof out->cluster, DEV_CLUSTER);
    (void)snprintf(out->role, sizeof out->role, "%s", plan_kind_name(kind));
    (void)snprintf(out->zone, sizeof out->zone, "%s", name);
    (void)snprintf(out->node, sizeof out->node, "%s%s", node_prefix(kind), name);
}

bool plan_has_identity(enum plan_kind kind)
{
    return kind != PLAN_SPAWNER;
}

static void put_node(const struct plan *plan, enum plan_kind kind, unsigned zone, struct buf *out)
{
    const char *data = plan->options->data;
    const char *name = plan_zone_name(zone);
    struct node_identity self;

    plan_identity(kind, zone, &self);
    buf_printf(out, "[node]\nname = %s\nzone = %s\ncluster = %s\n", self.node, self.zone,
               self.cluster);
    buf_printf(out, "[cluster]\nkey_file = %s/cluster.key\n", data);
    buf_printf(out,
               "[tls]\nca_file = %s/ca.crt\ncert_file = %s/zone-%s/%s.crt\n"
               "key_file = %s/zone-%s/%s.key\n",
               data, data, name, self.role, data, name, self.role);
}

static void put_dir(
    const struct plan *plan, const char *key, unsigned zone, const char *folder, struct buf *out)
{
    buf_printf(out, "%s = %s/zone-%s/%s\n", key, plan->options->data, plan_zone_name(zone), folder);
}

enum {
    UID_BASE = 2000000,
    UIDS_PER_SPAWNER = 1100, /* environments and converters */
    ENVIRONMENTS_MAX = 64,
    /* The second byte of 10.x.0.0, chosen by the port so that two clusters do not meet. */
    SUBNET_FIRST = 192,
    SUBNET_COUNT = 61,
};

static void put_runtimes(const struct plan *plan, struct buf *out)
{
    if (plan->options->runtime_count > 0)
        buf_append_text(out, "[runtimes]\n");
    for (unsigned i = 0; i < plan->options->runtime_count; i++)
        buf_printf(out, "%s\n", plan->options->runtimes[i]);
}

static void spawner_config(const struct plan *plan, unsigned zone, struct buf *out)
{
    unsigned port = plan->options->port;
    char instance[32];

    plan_instance(plan->options, zone, instance, sizeof instance);
    buf_printf(out, "[spawner]\ninstance = %s\n", instance);
    put_dir(plan, "packages_dir", zone, "spawner/packages", out);
    buf_printf(out, "runtime_dir = %s/../worker/runtime/share\n", plan->program_dir);
    buf_printf(out, "uid_base = %u\nenvironments_max = %d\n",
               UID_BASE + (port * DEV_ZONES_MAX + zone) * UIDS_PER_SPAWNER, ENVIRONMENTS_MAX);
    buf_printf(out, "[network]\nsubnet = 10.%u.%u.0/20\n", SUBNET_FIRST + port % SUBNET_COUNT,
               zone * 16);
    put_runtimes(plan, out);
}

/* "NODE = ADDRESS" for each other zone's object store. */
static void put_peers(const struct plan *plan, unsigned self, struct buf *out)
{
    for (unsigned zone = 0; zone < plan->options->zones; zone++) {
        if (zone == self)
            continue;
        buf_append_text(out, node_prefix(PLAN_OBJSTORE));
        put_setting(plan, plan_zone_name(zone), zone, PORT_OBJSTORE_PEERS, out);
    }
}

/* A list of all zones' addresses, the own zone first: nearest before others. */
static void put_list(
    const struct plan *plan, const char *key, unsigned self, enum port port, struct buf *out)
{
    unsigned zones = plan->options->zones;

    buf_printf(out, "%s = ", key);
    for (unsigned i = 0; i < zones; i++) {
        if (i > 0)
            buf_append_text(out, ",");
        put_address(plan, (self + i) % zones, port, out);
    }
    buf_append_text(out, "\n");
}

static void objstore_config(const struct plan *plan, unsigned zone, struct buf *out)
{
    put_node(plan, PLAN_OBJSTORE, zone, out);
    buf_append_text(out, "[listen]\n");
    put_setting(plan, "http", zone, PORT_OBJSTORE_HTTP, out);
    put_setting(plan, "stream", zone, PORT_OBJSTORE_PEERS, out);
    buf_append_text(out, "[peers]\n");
    put_peers(plan, zone, out);
    buf_append_text(out, "[state]\n");
    put_list(plan, "addresses", zone, PORT_STATE, out);
    buf_append_text(out, "[store]\n");
    put_dir(plan, "dir", zone, "objstore", out);
    buf_append_text(out, "[keys]\ntest = test\n");
}

static void put_members(const struct plan *plan, struct buf *out)
{
    buf_append_text(out, "[members]\n");
    for (unsigned zone = 0; zone < plan->options->zones; zone++) {
        const char *name = plan_zone_name(zone);

        buf_printf(out, "%u = %s,%s,", zone + 1, name, name);
        put_address(plan, zone, PORT_RAFT_CONTROL, out);
        buf_append_text(out, ",");
        put_address(plan, zone, PORT_RAFT_STORAGE, out);
        buf_append_text(out, "\n");
    }
}

static void controlplane_config(const struct plan *plan, unsigned zone, struct buf *out)
{
    unsigned port = plan->options->port;

    put_node(plan, PLAN_CONTROLPLANE, zone, out);
    buf_printf(out, "[listen]\napi = %s://127.0.0.1:%u%s", plan_scheme(plan->options), port,
               plan->ipv6 ? "," : "\n");
    if (plan->ipv6)
        buf_printf(out, "%s://[::1]:%u\n", plan_scheme(plan->options), port);
    buf_append_text(out, "share_port = yes\n");
    put_setting(plan, "state", zone, PORT_STATE, out);
    put_setting(plan, "registration", zone, PORT_REGISTRATION, out);
    put_members(plan, out);
    buf_append_text(out, "[objstore]\n");
    put_list(plan, "addresses", zone, PORT_OBJSTORE_HTTP, out);
    buf_append_text(out, "[data]\n");
    put_dir(plan, "dir", zone, "controlplane", out);
    /* Up to so much log of each group is in memory, and kept free, in every zone on one machine. */
    buf_append_text(out, "[replica]\nsnapshot_log_bytes = 4194304\nreserve_bytes = 16777216\n");
    buf_append_text(out, "[account]\nid = 000000000000\n[keys]\ntest = test\n");
}

static void worker_config(const struct plan *plan, unsigned zone, struct buf *out)
{
    put_node(plan, PLAN_WORKER, zone, out);
    buf_append_text(out, "[listen]\n");
    put_setting(plan, "invoke", zone, PORT_INVOKE, out);
    buf_append_text(out, "[worker]\n");
    put_dir(plan, "dir", zone, "worker", out);
    /* All zones share one machine's memory. */
    buf_printf(out, "memory_percent = %u\nenvironments_max = %d\n", 75 / plan->options->zones,
               ENVIRONMENTS_MAX);
    if (plan->options->any_runtime)
        buf_append_text(out, "any_runtime = yes\n");
    put_runtimes(plan, out);
    buf_append_text(out, "[spawner]\nfd = 3\n[objstore]\n");
    put_list(plan, "addresses", zone, PORT_OBJSTORE_HTTP, out);
    buf_append_text(out, "[controlplane]\n");
    put_list(plan, "registration", zone, PORT_REGISTRATION, out);
    buf_printf(out, "[api]\naddresses = %s://127.0.0.1:%u\n", plan_scheme(plan->options),
               plan->options->port);
}

void plan_config(const struct plan *plan, enum plan_kind kind, unsigned zone, struct buf *out)
{
    static void (*const writers[PLAN_KINDS])(const struct plan *, unsigned, struct buf *) = {
        [PLAN_OBJSTORE] = objstore_config,
        [PLAN_CONTROLPLANE] = controlplane_config,
        [PLAN_SPAWNER] = spawner_config,
        [PLAN_WORKER] = worker_config,
    };

    CHECK(kind < PLAN_KINDS);
    buf_append_text(out, "# Written by lapwing dev at each start.\n");
    writers[kind](plan, zone, out);
}
