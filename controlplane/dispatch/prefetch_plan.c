/* See prefetch_plan.h. */
#include "controlplane/dispatch/prefetch_plan.h"

#include <string.h>

#include "base/check.h"
#include "controlplane/dispatch/placement_plan.h"

/* Of one zone; false when there is nobody to ask, or no need. */
static bool choose_in_zone(const struct worker_view *const *workers,
                           size_t count,
                           const char *zone,
                           const Lapwing__Function *function,
                           size_t *out_index)
{
    struct placement_need need = { .function = function, .zone = zone };
    struct bytes sha256 = { function->code_sha256.data, function->code_sha256.len };

    for (size_t i = 0; i < count; i++) {
        if (strcmp(workers[i]->zone, zone) != 0)
            need.excluded |= (uint64_t)1 << i;
        else if (worker_view_is_usable(workers[i]) && worker_view_has_package(workers[i], sha256))
            return false;
    }
    return placement_choose(workers, count, &need, out_index) == ST_OK;
}

uint64_t prefetch_choose(const struct worker_view *const *workers,
                         size_t count,
                         const Lapwing__Function *function)
{
    uint64_t chosen = 0;

    CHECK(count <= WORKERS_MAX);
    for (size_t i = 0; i < count; i++) {
        bool seen = false;
        size_t index;

        for (size_t j = 0; j < i && !seen; j++)
            seen = strcmp(workers[j]->zone, workers[i]->zone) == 0;
        if (!seen && choose_in_zone(workers, count, workers[i]->zone, function, &index))
            chosen |= (uint64_t)1 << index;
    }
    return chosen;
}
