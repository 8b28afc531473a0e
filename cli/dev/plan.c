/* The configuration of every program of a cluster on one machine.  Pure.
 *
 * Zone i has the ports P+10+10i on: raft control, raft storage, state, registration, objstore's HTTP,
 * objstore's peers, invoke.  The front doors of all zones share port P, so a zone may die unseen. */
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

void plan_instance(const struct dev_options *options, char *out, size_t size)
{
    (void)snprintf(out, size, "lapwing-dev-%u", options->port);
}

static unsigned port_of(const struct plan *plan, unsigned zone, enum port port)
{
    return plan->options->port + DEV_PORTS_PER_ZONE * (zone + 1) + (unsigned)port;
}

static void put_address(const struct plan *plan, unsigned zone, enum port port, struct buf *out)
{
    buf_printf(out, "127.0.0.1:%u", port_of(plan, zone, port));
}

static void put_setting(const struct plan *plan,
                        const char *key,
                        unsigned zone,
                        enum port port,
                        struct buf *out)
{
    buf_printf(out, "%s = ", key);
    put_address(plan, zone, port, out);
    buf_append_text(out, "\n");
}
