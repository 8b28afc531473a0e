/* See ready_plan.h.  Pure. */
#include "worker/spawner/ready_plan.h"

#include "base/check.h"

/* Is `a` the one to go before the best so far? */
static bool older(const struct ready_kind_view *views, size_t a, size_t best)
{
    return best == READY_KINDS_MAX || views[a].last_ms < views[best].last_ms;
}

static size_t oldest(const struct ready_kind_view *views)
{
    size_t best = READY_KINDS_MAX;

    for (size_t i = 0; i < READY_KINDS_MAX; i++)
        if (views[i].used && older(views, i, best))
            best = i;
    return best;
}

static bool wants(const struct ready_kind_view *view, const struct ready_limits *limits)
{
    return view->used && view->failures < READY_FAILURES_MAX &&
           view->ready + view->starting < limits->pool;
}

/* The emptiest kind; of these the one that was asked for last. */
static size_t most_wanted(const struct ready_kind_view *views, const struct ready_limits *limits)
{
    size_t best = READY_KINDS_MAX;

    for (size_t i = 0; i < READY_KINDS_MAX; i++) {
        if (!wants(&views[i], limits))
            continue;
        if (best == READY_KINDS_MAX || views[i].ready < views[best].ready ||
            (views[i].ready == views[best].ready && views[i].last_ms > views[best].last_ms))
            best = i;
    }
    return best;
}

struct ready_step ready_next(const struct ready_kind_view *views,
                             const struct ready_limits *limits,
                             uint64_t now_ms,
                             uint32_t memory_percent)
{
    size_t old = oldest(views);
    size_t wanted = most_wanted(views, limits);

    if (old == READY_KINDS_MAX)
        return (struct ready_step){ READY_NOTHING, 0 };
    CHECK(now_ms >= views[old].last_ms);
    if (memory_percent < READY_DROP_PERCENT || now_ms - views[old].last_ms >= limits->idle_ms)
        return (struct ready_step){ READY_FORGET, old };
    for (size_t i = 0; i < READY_KINDS_MAX; i++)
        if (views[i].starting > 0)
            return (struct ready_step){ READY_NOTHING, 0 };
    if (wanted == READY_KINDS_MAX || memory_percent < READY_REFILL_PERCENT)
        return (struct ready_step){ READY_NOTHING, 0 };
    return (struct ready_step){ READY_START, wanted };
}

bool ready_is_calm(uint64_t quiet_ms, uint32_t runnable, uint32_t processors)
{
    return quiet_ms >= READY_QUIET_MS || runnable + 1 < processors;
}

size_t ready_place(const struct ready_kind_view *views, const struct ready_limits *limits)
{
    size_t vacant = READY_KINDS_MAX;
    uint32_t count = 0;

    CHECK(limits->kinds_max > 0 && limits->kinds_max <= READY_KINDS_MAX);
    for (size_t i = 0; i < READY_KINDS_MAX; i++) {
        count += views[i].used;
        if (!views[i].used && vacant == READY_KINDS_MAX)
            vacant = i;
    }
    return count < limits->kinds_max ? vacant : oldest(views);
}

struct ready_level ready_level(const struct ready_kind_view *views,
                               const struct ready_limits *limits)
{
    struct ready_level level = { 0 };

    for (size_t i = 0; i < READY_KINDS_MAX; i++) {
        if (!views[i].used)
            continue;
        level.ready += views[i].ready;
        level.starting += views[i].starting;
        level.want += views[i].failures < READY_FAILURES_MAX ? limits->pool : 0;
    }
    return level;
}
