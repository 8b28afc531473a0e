/* Figures for a collector, of this node alone: ask every one. */
#include "base/check.h"
#include "base/https.h"
#include "base/https_files.h"
#include "controlplane/api/admin/admin.h"
#include "controlplane/api/admin/metrics_rules.h"
#include "controlplane/dispatch/dispatch.h"
#include "controlplane/replica/replica.h"

static void put_certificates(const struct api_options *options, struct buf *out)
{
    struct tls_expiry expiries[TLS_EXPIRIES_MAX];

    metrics_certificates(expiries, tls_expiries(options->tls, expiries), out);
    if (options->https != NULL && !https_files_are_own(options->https))
        metrics_https(https_certificate_expires_s(https_files_certificate(options->https)), out);
}

static void put_groups(const struct api_options *options, struct buf *out)
{
    struct replica *const replicas[] = { options->control, options->storage };
    struct replica_status status[ARRAY_LEN(replicas)];
    struct metrics_group groups[ARRAY_LEN(replicas)];

    for (size_t i = 0; i < ARRAY_LEN(replicas); i++) {
        replica_status(replicas[i], &status[i]);
        groups[i] = (struct metrics_group){
            .name = status[i].group,
            .has_leader = status[i].leader_id != 0,
            .is_leader = status[i].role == REPLICA_LEADER,
            .term = status[i].term,
            .commit = status[i].commit,
            .applied = status[i].applied,
        };
    }
    metrics_groups(groups, ARRAY_LEN(groups), out);
}

static void put_workers(const struct api_options *options, struct buf *out)
{
    struct metrics_state states[WORKER_STATES];
    size_t count;
    const struct worker_view *const *workers = dispatch_workers(options->dispatch, &count);

    for (size_t i = 0; i < WORKER_STATES; i++)
        states[i] = (struct metrics_state){ .name = worker_state_name((enum worker_state)i) };
    for (size_t i = 0; i < count; i++)
        states[workers[i]->state].count++;
    metrics_workers(states, WORKER_STATES, out);
}

static void put_pools(const struct api_options *options, struct buf *out)
{
    struct metrics_pool pools[3 * WORKERS_MAX];
    size_t count;
    size_t lines = 0;
    const struct worker_view *const *workers = dispatch_workers(options->dispatch, &count);

    for (size_t i = 0; i < count; i++) {
        const struct worker_view *worker = workers[i];

        pools[lines++] =
            (struct metrics_pool){ worker->name, "network_namespaces", worker->pools.networks,
                                   worker->pools.networks_max, 0 };
        pools[lines++] = (struct metrics_pool){ worker->name, "control_groups",
                                                worker->pools.groups, worker->pools.groups_max, 0 };
        pools[lines++] =
            (struct metrics_pool){ worker->name, "ready_environments", worker->pools.ready,
                                   worker->pools.ready_max, worker->pools.ready_bytes };
    }
    metrics_pools(pools, lines, out);
}

static void put_clients(const struct api *api, struct buf *out)
{
    struct http_server_load load;
    struct metrics_clients clients;

    http_server_load(api->server, &load);
    clients = (struct metrics_clients){
        .connections = load.connections,
        .handshakes_under_way = load.handshakes,
        .handshakes_waiting = load.handshakes_waiting,
        .handshakes_cut = load.handshakes_cut,
    };
    metrics_clients(&clients, out);
}

void admin_metrics(struct api_call *call)
{
    const struct api_options *options = &call->api->options;
    struct buf text = { 0 };

    put_certificates(options, &text);
    put_groups(options, &text);
    put_workers(options, &text);
    put_pools(options, &text);
    put_clients(call->api, &text);
    api_answer(call, 200, METRICS_CONTENT_TYPE, buf_view(&text));
    buf_done(&text);
}
