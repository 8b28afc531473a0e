/* A program's name, zone, cluster and key.  At start. */
#include "base/identity.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/cluster_key.h"

/* The bounds of IDENTITY_OPTIONS are those of the fields: nothing is cut. */
static void copy(char *out, size_t size, const char *text)
{
    (void)snprintf(out, size, "%s", text);
}

enum status identity_read(const struct config *config,
                          const char *role,
                          struct stream_identity *out,
                          struct err *err)
{
    struct stream_hello *self = &out->self;

    copy(self->cluster, sizeof self->cluster, config_text(config, "node", "cluster"));
    copy(self->node, sizeof self->node, config_text(config, "node", "name"));
    copy(self->zone, sizeof self->zone, config_text(config, "node", "zone"));
    copy(self->role, sizeof self->role, role);
    /* Rises with each start unless the clock went back; it only tells a new process from an old. */
    self->epoch = clock_stamp_ms(&clock_system);
    self->version = CLUSTER_VERSION_MAX;
    return cluster_key_read(config_text(config, "cluster", "key_file"), out->key, err);
}
