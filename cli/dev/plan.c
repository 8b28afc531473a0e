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

static void put_node(const struct plan *plan, const char *prefix, unsigned zone, struct buf *out)
{
    const char *name = plan_zone_name(zone);

    buf_printf(out, "[node]\nname = %s%s\nzone = %s\ncluster = dev\n", prefix, name, name);
    buf_printf(out, "[cluster]\nkey_file = %s/cluster.key\n", plan->options->data);
}

static void put_dir(const struct plan *plan, const char *key, unsigned zone, const char *folder, struct buf *out)
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
    buf_printf(out, "[network]\nsubnet = 10.%u.%u.0/20\n", SUBNET_FIRST + port % SUBNET_COUNT, zone * 16);
}
