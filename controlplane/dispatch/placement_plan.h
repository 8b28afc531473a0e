/* Placement: which worker is asked to run an invocation.
 *
 * Pure.  Given the same view and need it always picks the same worker.  In this order:
 *   1. one with an idle environment of this function and configuration,
 *   2. one with room left, by what it reported,
 *   3. one that has the package,
 *   4. the least loaded, where the caller's own zone counts as a quarter less loaded: near is
 *      better, but not so much that zones drift apart,
 *   5. the lowest place in the view. */
#ifndef CONTROLPLANE_DISPATCH_PLACEMENT_PLAN_H
#define CONTROLPLANE_DISPATCH_PLACEMENT_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "controlplane/dispatch/worker_view.h"

struct placement_need {
    const Lapwing__Function *function; /* NULL: any worker will do (package checks) */
    const char *zone;                  /* of this front door */
    uint64_t excluded;                 /* bit i: worker i was asked already */
};

/* Choose among `count` workers (at most WORKERS_MAX).
 *
 * out_index   written only on ST_OK
 *
 * ST_UNAVAILABLE: no worker is usable that was not asked.  ST_UNSUPPORTED: some are, none has the
 * runtime.  A worker that seems full is still asked, last: it may drop an idle environment of
 * another function.  O(workers x what they report). */
enum status placement_choose(const struct worker_view *const *workers,
                             size_t count,
                             const struct placement_need *need,
                             size_t *out_index);

#endif
