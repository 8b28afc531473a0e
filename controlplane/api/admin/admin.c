/* Status and runtimes, as this node sees the cluster.  See admin.h. */
#include "controlplane/api/admin/admin.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/tls.h"
#include "controlplane/dispatch/dispatch.h"
#include "controlplane/replica/replica.h"

static const struct {
    const char *method;
    const char *path;
    struct api_operation operation;
} operations[] = {
    { "GET", "/_lapwing/v1/status", { "Status", 4096, admin_status, NULL } },
    { "GET", "/_lapwing/v1/runtimes", { "Runtimes", 4096, admin_runtimes, NULL } },
    { "GET", "/_lapwing/v1/metrics", { "Metrics", 4096, admin_metrics, NULL } },
    { "GET", "/_lapwing/v1/logs", { "Logs", 4096, admin_logs, NULL } },
    { "GET", "/_lapwing/v1/nodes", { "ListNodes", 4096, admin_nodes, NULL } },
    { "POST", "/_lapwing/v1/nodes", { "AddNode", 4096, admin_node_add, NULL } },
    { "POST", "/_lapwing/v1/nodes/remove", { "RemoveNode", 4096, admin_node_remove, NULL } },
    { "POST", "/_lapwing/v1/nodes/lead", { "LeadNode", 4096, admin_node_lead, NULL } },
};

const struct api_operation *admin_operation_find(struct api_call *call, struct api_error *error)
{
    for (size_t i = 0; i < ARRAY_LEN(operations); i++)
        if (strcmp(operations[i].path, call->path) == 0 &&
            strcmp(operations[i].method, call->method) == 0)
            return &operations[i].operation;
    (void)api_error_set(error, ST_NOT_FOUND, API_UNKNOWN_OPERATION,
                        "There is no %.16s %.256s here.", call->method, call->path);
    return NULL;
}

static const char *role_text(enum replica_role role)
{
    if (role == REPLICA_LEADER)
        return "leader";
    return role == REPLICA_CANDIDATE ? "candidate" : "follower";
}

static json_t *member_json(const struct replica_member_status *member)
{
    return json_pack("{s:s, s:s, s:s, s:b, s:I, s:I, s:s, s:b}", "node", member->member.node,
                     "zone", member->member.zone, "address", member->member.address, "connected",
                     (int)member->connected, "version", (json_int_t)member->version, "match",
                     (json_int_t)member->match, "disk", disk_condition_name(member->disk), "forgot",
                     (int)member->forgot);
}

static json_t *group_json(struct replica *replica)
{
    struct replica_status status;
    const char *leader = "";
    json_t *members = json_array();

    replica_status(replica, &status);
    for (unsigned i = 0; i < status.member_count; i++) {
        if (status.members[i].member.id == status.leader_id)
            leader = status.members[i].member.node;
        json_array_append_new(members, member_json(&status.members[i]));
    }
    return json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:b, s:o}", "name", status.group,
                     "role", role_text(status.role), "leader", leader, "term",
                     (json_int_t)status.term, "commit", (json_int_t)status.commit, "applied",
                     (json_int_t)status.applied, "log_bytes", (json_int_t)status.log_bytes,
                     "cluster_version", (json_int_t)status.cluster_version, "lease",
                     (int)status.lease, "members", members);
}

static int compare_workers(const void *a, const void *b)
{
    const struct worker_view *const *left = a;
    const struct worker_view *const *right = b;

    return strcmp((*left)->name, (*right)->name);
}

static json_t *pools_json(const struct worker_view *worker)
{
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "networks", (json_int_t)worker->pools.networks,
        "networks_max", (json_int_t)worker->pools.networks_max, "groups",
        (json_int_t)worker->pools.groups, "groups_max", (json_int_t)worker->pools.groups_max,
        "ready", (json_int_t)worker->pools.ready, "ready_max", (json_int_t)worker->pools.ready_max,
        "ready_bytes", (json_int_t)worker->pools.ready_bytes);
}

static json_t *worker_json(const struct worker_view *worker)
{
    json_t *runtimes = json_array();

    for (size_t i = 0; i < worker->runtime_count; i++)
        json_array_append_new(runtimes, json_string(worker->runtimes[i]));
    return json_pack(
        "{s:s, s:s, s:s, s:b, s:s, s:I, s:I, s:I, s:I, s:o, s:o}", "worker", worker->name, "zone",
        worker->zone, "address", worker->address, "live", (int)worker_view_is_usable(worker),
        "state", worker_state_name(worker->state), "memory_mb", (json_int_t)worker->memory_mb,
        "memory_free_mb", (json_int_t)worker->memory_free_mb, "environments",
        (json_int_t)worker->environments, "environments_max", (json_int_t)worker->environments_max,
        "runtimes", runtimes, "pools", pools_json(worker));
}

static json_t *workers_json(const struct dispatch *dispatch)
{
    const struct worker_view *sorted[WORKERS_MAX];
    size_t count;
    const struct worker_view *const *workers = dispatch_workers(dispatch, &count);
    json_t *list = json_array();

    memcpy(sorted, workers, count * sizeof(*sorted));
    qsort(sorted, count, sizeof(*sorted), compare_workers);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, worker_json(sorted[i]));
    return list;
}

static json_t *certificates_json(struct tls_context *tls)
{
    struct tls_expiry list[TLS_EXPIRIES_MAX];
    size_t count = tls_expiries(tls, list);
    json_t *out = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(out, json_pack("{s:s, s:s, s:I}", "node", list[i].identity.node,
                                             "role", list[i].identity.role, "expires_s",
                                             (json_int_t)list[i].not_after_s));
    return out;
}

void admin_status(struct api_call *call)
{
    const struct api_options *options = &call->api->options;
    json_t *groups = json_array();

    json_array_append_new(groups, group_json(options->control));
    json_array_append_new(groups, group_json(options->storage));
    api_answer_json(call, 200,
                    json_pack("{s:s, s:s, s:s, s:o, s:o, s:o}", "cluster", options->cluster, "node",
                              options->node, "zone", options->zone, "groups", groups, "workers",
                              workers_json(options->dispatch), "certificates",
                              certificates_json(options->tls)));
}

void admin_runtimes(struct api_call *call)
{
    const char *names[CLUSTER_RUNTIMES_MAX];
    size_t count = dispatch_runtimes(call->api->options.dispatch, names);
    json_t *list = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, json_string(names[i]));
    api_answer_json(call, 200, json_pack("{s:o}", "runtimes", list));
}
