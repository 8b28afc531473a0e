/* The two clocks, behind one interface so that a simulation can give its own.
 *
 * Stamped time says when something happened, to people and in rows: it may jump.  Lease time says
 * how long something has lasted: CLOCK_BOOTTIME, which goes on through suspend and never jumps. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdint.h>

struct clock {
    uint64_t (*stamp_ms)(void *context); /* milliseconds since the epoch */
    uint64_t (*lease_ns)(void *context); /* nanoseconds since some boot */
    void *context;
};

/* The machine's own; both are one system call without a context switch.  Any thread. */
extern const struct clock clock_system;

uint64_t clock_stamp_ms(const struct clock *clock);
uint64_t clock_lease_ns(const struct clock *clock);

#endif
