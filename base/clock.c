/* The machine's clocks.  Any thread. */
#include "base/clock.h"

#include <time.h>

#include "base/check.h"

static uint64_t read_ns(clockid_t id)
{
    struct timespec now;
    int rv = clock_gettime(id, &now);

    CHECK(rv == 0);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t system_stamp_ms(void *context)
{
    return read_ns(CLOCK_REALTIME) / 1000000u;
}

static uint64_t system_lease_ns(void *context)
{
    return read_ns(CLOCK_BOOTTIME);
}

const struct clock clock_system = { system_stamp_ms, system_lease_ns, NULL };

uint64_t clock_stamp_ms(const struct clock *clock)
{
    return clock->stamp_ms(clock->context);
}

uint64_t clock_lease_ns(const struct clock *clock)
{
    return clock->lease_ns(clock->context);
}
