/* Placement: which worker is asked to run an invocation.
 *
 * Pure.  Given the same view and need it always picks the same worker.  In this order:
 *   1. one that is not suspected of having failed,
 *   2. one with an idle environment of this function and configuration,
 *   3. one whose busy environments of it are so quick that waiting for one takes less time than a
 *      start: it decides for itself to wait or to start one more (worker/agent/slots_plan.h),
 *   4. one with room left, by what it reported,
 *   5. one that has the package,
 *   6. the least loaded, where the caller's own zone counts as a quarter less loaded: near is
 *      better, but not so much that zones drift apart,
 *   7. the lowest place in the view. */
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
    uint64_t full;                     /* of these: those who said that they are full */
};

/* Choose among `count` workers (at most WORKERS_MAX).
 *
 * out_index   written only on ST_OK
 *
 * ST_UNAVAILABLE: no worker is usable that was not asked.  ST_UNSUPPORTED: some are, none has the
 * runtime.  ST_BAD_INPUT: some have it, and the function is larger than each of them.  A worker
 * that seems full is still asked, last: it may drop an idle environment of another function.
 * O(workers x what they report). */
enum status placement_choose(const struct worker_view *const *workers,
                             size_t count,
                             const struct placement_need *need,
                             size_t *out_index);

/* Everybody was asked: may those who are only full be asked once more, now with leave to keep the
 * offer until they have room?  They are no longer excluded then.  False: nobody, or once already.
 */
bool placement_insist(struct placement_need *need);

#endif
