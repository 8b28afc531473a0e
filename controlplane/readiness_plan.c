/* See readiness_plan.h. */
#include "controlplane/readiness_plan.h"

#include "base/check.h"

enum readiness readiness_next(struct readiness_plan *plan,
                              bool leaders,
                              bool worker,
                              uint64_t now_ms)
{
    if (leaders && !plan->had_leaders)
        plan->leaders_ms = now_ms;
    plan->had_leaders = leaders;
    if (!leaders)
        return READINESS_NOT_YET;
    CHECK(now_ms >= plan->leaders_ms);
    if (worker)
        return READINESS_COMPLETE;
    return now_ms - plan->leaders_ms >= READINESS_WORKER_MS ? READINESS_NO_WORKER
                                                            : READINESS_NOT_YET;
}
