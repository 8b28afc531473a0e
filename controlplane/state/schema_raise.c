/* The schema moves with the replicated cluster version and with nothing else: a database is made as
 * cluster version 1 had it, by every release, and each raise in the log adds its step.  So replicas
 * of two releases hold the same tables at the same index, and a log read from its start leads to
 * the same rows whoever reads it. */
#include <stddef.h>

#include "base/check.h"
#include "base/limits.h"
#include "controlplane/state/schema.h"

void schema_raise(struct connection *connection, enum state_group group, uint32_t from, uint32_t to)
{
    CHECK(from < to);
    CHECK(to <= CLUSTER_VERSION_MAX);
    for (const struct schema_step *step = schema_steps; step->cluster_version != 0; step++) {
        const char *text = group == STATE_GROUP_CONTROL ? step->control : step->storage;

        if (step->cluster_version <= from || step->cluster_version > to)
            continue;
        connection_note(connection, sqlite3_exec(connection->db, text, NULL, NULL, NULL));
    }
}
