/* See placement_plan.h. */
#include "controlplane/dispatch/placement_plan.h"

#include <string.h>

#include "base/check.h"

/* Of a worker's whole load: the advantage of being in the same zone.  Below a tenth, two zones of
 * equal load trade places with every heartbeat; at one half, a zone fills before others start. */
enum { OWN_ZONE_PERMILLE = 250 };

/* What is compared, best first. */
struct rank {
    bool steady;
    bool idle;
    bool soon;
    bool room;
    bool package;
    int load_permille;
};

static struct rank rank_of(const struct worker_view *worker, const struct placement_need *need)
{
    const Lapwing__Function *function = need->function;
    struct rank rank = { .steady = worker->state == WORKER_LIVE,
                         .room = true,
                         .load_permille = 1000 };

    if (worker->memory_mb > 0)
        rank.load_permille =
            (int)(1000 * (worker->memory_mb - worker->memory_free_mb) / worker->memory_mb);
    if (strcmp(worker->zone, need->zone) == 0)
        rank.load_permille -= OWN_ZONE_PERMILLE;
    if (function == NULL)
        return rank;
    rank.idle = worker_view_idle(worker, function) > 0;
    rank.soon = worker_view_soon(worker, function);
    rank.room = worker->memory_free_mb >= function->memory_mb &&
                worker->environments < worker->environments_max;
    rank.package = worker_view_has_package(
        worker, (struct bytes){ function->code_sha256.data, function->code_sha256.len });
    return rank;
}

static bool rank_better(const struct rank *a, const struct rank *b)
{
    if (a->steady != b->steady)
        return a->steady;
    if (a->idle != b->idle)
        return a->idle;
    if (a->soon != b->soon)
        return a->soon;
    if (a->room != b->room)
        return a->room;
    if (a->package != b->package)
        return a->package;
    return a->load_permille < b->load_permille;
}

/* Could the worker ever run it? */
static enum status fitness_of(const struct worker_view *worker, const Lapwing__Function *function)
{
    if (function == NULL)
        return ST_OK;
    if (!worker_view_has_runtime(worker, function->runtime))
        return ST_UNSUPPORTED;
    return function->memory_mb > worker->memory_mb ? ST_BAD_INPUT : ST_OK;
}

enum status placement_choose(const struct worker_view *const *workers,
                             size_t count,
                             const struct placement_need *need,
                             size_t *out_index)
{
    struct rank best = { 0 };
    enum status missing = ST_UNAVAILABLE;
    bool found = false;

    CHECK(count <= WORKERS_MAX);
    for (size_t i = 0; i < count; i++) {
        struct rank rank;
        enum status st;

        if (!worker_view_is_usable(workers[i]) || (need->excluded >> i & 1) != 0)
            continue;
        st = fitness_of(workers[i], need->function);
        if (st != ST_OK) {
            /* The smaller lack is the better reason. */
            missing = missing == ST_BAD_INPUT ? missing : st;
            continue;
        }
        rank = rank_of(workers[i], need);
        if (found && !rank_better(&rank, &best))
            continue;
        found = true;
        best = rank;
        *out_index = i;
    }
    return found ? ST_OK : missing;
}

bool placement_insist(struct placement_need *need)
{
    CHECK((need->full & ~need->excluded) == 0);
    if (need->full == 0)
        return false;
    need->excluded &= ~need->full;
    need->full = 0;
    return true;
}
