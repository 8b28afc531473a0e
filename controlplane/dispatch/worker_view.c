/* See worker_view.h. */
#include "controlplane/dispatch/worker_view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

static void take_lists(struct worker_view *worker, const Lapwing__Heartbeat *beat)
{
    worker->runtime_count = beat->n_runtimes;
    for (size_t i = 0; i < beat->n_runtimes; i++)
        (void)snprintf(worker->runtimes[i], sizeof worker->runtimes[i], "%s", beat->runtimes[i]);
    worker->warm = must_realloc(worker->warm, (beat->n_warm + 1) * sizeof *worker->warm);
    worker->warm_count = beat->n_warm;
    for (size_t i = 0; i < beat->n_warm; i++) {
        struct warm_view *warm = &worker->warm[i];

        (void)snprintf(warm->uid, sizeof warm->uid, "%s", beat->warm[i]->uid);
        warm->config_epoch = beat->warm[i]->config_epoch;
        warm->idle = beat->warm[i]->idle;
        warm->busy = beat->warm[i]->busy;
        warm->waiting = 0;
        warm->start_us = beat->warm[i]->start_us;
        warm->run_us = beat->warm[i]->run_us;
    }
    worker->packages =
        must_realloc(worker->packages, (beat->n_packages + 1) * sizeof *worker->packages);
    worker->package_count = beat->n_packages;
    for (size_t i = 0; i < beat->n_packages; i++)
        memcpy(worker->packages[i], beat->packages[i].data, 32);
}

static void take_pools(struct worker_view *worker, const Lapwing__Pools *pools)
{
    if (pools == NULL)
        return;
    worker->pools.networks = pools->networks;
    worker->pools.networks_max = pools->networks_max;
    worker->pools.groups = pools->groups;
    worker->pools.groups_max = pools->groups_max;
    worker->pools.ready = pools->ready;
    worker->pools.ready_max = pools->ready_max;
    worker->pools.ready_bytes = pools->ready_bytes;
}

bool worker_view_update(struct worker_view *worker, const Lapwing__Heartbeat *beat)
{
    if (beat->epoch < worker->epoch ||
        (beat->epoch == worker->epoch && beat->sequence <= worker->sequence))
        return false;
    (void)snprintf(worker->name, sizeof worker->name, "%s", beat->worker);
    (void)snprintf(worker->zone, sizeof worker->zone, "%s", beat->zone);
    (void)snprintf(worker->address, sizeof worker->address, "%s", beat->address);
    worker->epoch = beat->epoch;
    worker->sequence = beat->sequence;
    worker->memory_mb = beat->memory_mb;
    worker->memory_free_mb = beat->memory_free_mb;
    worker->environments = beat->environments;
    worker->environments_max = beat->environments_max;
    take_pools(worker, beat->pools);
    take_lists(worker, beat);
    return true;
}

void worker_view_done(struct worker_view *worker)
{
    free(worker->warm);
    free(worker->packages);
    worker->warm = NULL;
    worker->packages = NULL;
    worker->warm_count = 0;
    worker->package_count = 0;
}

bool worker_view_is_usable(const struct worker_view *worker)
{
    return worker->state == WORKER_LIVE || worker->state == WORKER_SUSPECTED;
}

const char *worker_state_name(enum worker_state state)
{
    static const char *const names[WORKER_STATES] = {
        [WORKER_STARTING] = "starting",   [WORKER_LIVE] = "live",
        [WORKER_SUSPECTED] = "suspected", [WORKER_OUT] = "out",
        [WORKER_RETURNING] = "returning",
    };

    CHECK(state < WORKER_STATES);
    return names[state];
}

bool worker_view_has_runtime(const struct worker_view *worker, const char *runtime)
{
    for (size_t i = 0; i < worker->runtime_count; i++)
        if (strcmp(worker->runtimes[i], runtime) == 0)
            return true;
    return false;
}

bool worker_view_has_package(const struct worker_view *worker, struct bytes sha256)
{
    if (sha256.len != 32)
        return false;
    for (size_t i = 0; i < worker->package_count; i++)
        if (memcmp(worker->packages[i], sha256.data, 32) == 0)
            return true;
    return false;
}

static struct warm_view *find_warm(const struct worker_view *worker,
                                   const Lapwing__Function *function)
{
    for (size_t i = 0; i < worker->warm_count; i++)
        if (worker->warm[i].config_epoch == function->config_epoch &&
            strcmp(worker->warm[i].uid, function->uid) == 0)
            return &worker->warm[i];
    return NULL;
}

uint32_t worker_view_idle(const struct worker_view *worker, const Lapwing__Function *function)
{
    const struct warm_view *warm = find_warm(worker, function);

    return warm == NULL ? 0 : warm->idle;
}

/* As workers have it (worker/agent/slots_plan.h), which decide. */
enum { START_SHARE = 4, PATIENCE_US = 2000 };

static bool is_soon(const struct warm_view *warm)
{
    uint64_t patience_us = warm->start_us / START_SHARE;

    if (patience_us < PATIENCE_US)
        patience_us = PATIENCE_US;
    return warm->busy > 0 && warm->run_us > 0 &&
           (uint64_t)warm->run_us * (warm->waiting + 1) / warm->busy <= patience_us;
}

bool worker_view_soon(const struct worker_view *worker, const Lapwing__Function *function)
{
    const struct warm_view *warm = find_warm(worker, function);

    return warm != NULL && is_soon(warm);
}

void worker_view_offered(struct worker_view *worker, const Lapwing__Function *function)
{
    struct warm_view *warm = find_warm(worker, function);

    if (warm != NULL && warm->idle > 0) {
        warm->idle--;
        warm->busy++;
        return;
    }
    if (warm != NULL && is_soon(warm)) {
        warm->waiting++;
        return;
    }
    worker->environments++;
    worker->memory_free_mb -=
        worker->memory_free_mb < function->memory_mb ? worker->memory_free_mb : function->memory_mb;
}

void worker_view_returned(struct worker_view *worker, const Lapwing__Function *function)
{
    struct warm_view *warm = find_warm(worker, function);

    if (warm == NULL && worker->warm_count < HEARTBEAT_WARM_MAX) {
        worker->warm = must_realloc(worker->warm, (worker->warm_count + 1) * sizeof *worker->warm);
        warm = &worker->warm[worker->warm_count++];
        memset(warm, 0, sizeof *warm);
        (void)snprintf(warm->uid, sizeof warm->uid, "%s", function->uid);
        warm->config_epoch = function->config_epoch;
    }
    if (warm == NULL)
        return;
    if (warm->waiting > 0) {
        warm->waiting--; /* its environment goes to the next one that waits */
        return;
    }
    warm->idle++;
    if (warm->busy > 0)
        warm->busy--;
}

void worker_view_full(struct worker_view *worker, const Lapwing__Function *function)
{
    struct warm_view *warm = find_warm(worker, function);

    worker->memory_free_mb = 0;
    if (warm != NULL)
        warm->idle = 0;
}
