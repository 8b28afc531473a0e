/* What a group's disk is fit for, from what was seen of it.  Pure.
 *
 *            free space below the low mark, or a write refused for lack of space
 *   FIT  ---------------------------------------------------------------------->  FULL
 *    ^   <----------------------------------------------------------------------
 *    |      above the high mark, everything written, the reserve made again
 *    |   a write takes too long
 *    +-------------------------> SLOW   for steady_ms after the last one that did
 *
 * Room and time are judged apart; without room a node is FULL however fast its disk is. */
#ifndef CONTROLPLANE_REPLICA_DISK_RULES_H
#define CONTROLPLANE_REPLICA_DISK_RULES_H

#include <stdbool.h>
#include <stdint.h>

enum disk_condition {
    DISK_FIT,
    DISK_SLOW,
    DISK_FULL,
    DISK_FAILED, /* said by who saw it fail; nothing leads out of it but a new start */
    DISK_CONDITIONS,
};

const char *disk_condition_name(enum disk_condition condition);

struct disk_limits {
    uint64_t low_bytes;  /* free, with the reserve whole: below it, full */
    uint64_t high_bytes; /* at or above it, no longer */
    uint64_t slow_ms;    /* a write that takes so long is slow */
    uint64_t steady_ms;  /* without a slow one for so long: fit again */
};

/* One look at the disk. */
struct disk_seen {
    uint64_t now_ms;
    uint64_t free_bytes;    /* as statvfs() says */
    uint64_t missing_bytes; /* of the reserve */
    bool held;              /* a write waits for room */
    uint64_t slowest_ms;    /* of the writes since the last look, the one under way included */
};

/* Zeroed at the start. */
struct disk_judge {
    bool full;
    bool slow;
    uint64_t slow_at_ms;
};

/* What would be free with the reserve whole. */
uint64_t disk_usable_bytes(const struct disk_seen *seen);

enum disk_condition disk_judge_next(struct disk_judge *judge,
                                    const struct disk_limits *limits,
                                    const struct disk_seen *seen);

#endif
