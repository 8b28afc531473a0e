/* See refill_plan.h.  Pure. */
#include "worker/spawner/refill_plan.h"

int refill_wait_ms(const struct pool_level *levels, size_t count, uint32_t starting)
{
    bool wanted = false;
    bool urgent = false;

    for (size_t i = 0; i < count; i++) {
        uint32_t there = levels[i].ready + levels[i].under_way;

        wanted = wanted || there < levels[i].want;
        urgent = urgent || there * 2 < levels[i].want;
    }
    if (!wanted)
        return -1;
    return urgent && starting == 0 ? REFILL_SOON_MS : REFILL_QUIET_MS;
}

bool refill_at_once(const struct pool_level *level)
{
    return level->under_way == 0 && level->ready * 4 < level->want;
}
