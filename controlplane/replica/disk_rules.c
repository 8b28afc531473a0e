#include "controlplane/replica/disk_rules.h"

#include "base/check.h"

const char *disk_condition_name(enum disk_condition condition)
{
    static const char *const names[DISK_CONDITIONS] = {
        [DISK_FIT] = "fit",
        [DISK_SLOW] = "disk_slow",
        [DISK_FULL] = "disk_full",
        [DISK_FAILED] = "disk_failed",
    };

    CHECK((unsigned)condition < DISK_CONDITIONS);
    return names[condition];
}

uint64_t disk_usable_bytes(const struct disk_seen *seen)
{
    return seen->free_bytes > seen->missing_bytes ? seen->free_bytes - seen->missing_bytes : 0;
}

enum disk_condition disk_judge_next(struct disk_judge *judge,
                                    const struct disk_limits *limits,
                                    const struct disk_seen *seen)
{
    uint64_t usable = disk_usable_bytes(seen);

    CHECK(limits->low_bytes <= limits->high_bytes);
    /* A quota, or another writer, may refuse what statvfs() calls free: what was refused counts. */
    if (seen->held || usable < limits->low_bytes)
        judge->full = true;
    else if (usable >= limits->high_bytes)
        judge->full = false;
    if (seen->slowest_ms >= limits->slow_ms) {
        judge->slow = true;
        judge->slow_at_ms = seen->now_ms;
    } else if (seen->now_ms - judge->slow_at_ms >= limits->steady_ms) {
        judge->slow = false;
    }
    if (judge->full)
        return DISK_FULL;
    return judge->slow ? DISK_SLOW : DISK_FIT;
}
