/* When a snapshot is due, and how much log stays before it: pure arithmetic.
 *
 * Each snapshot rewrites the whole state, so the log between two grows with it; and what a restart
 * has to apply again is bounded in time, measured where it is applied. */
#ifndef CONTROLPLANE_REPLICA_SNAPSHOT_RULES_H
#define CONTROLPLANE_REPLICA_SNAPSHOT_RULES_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SNAPSHOT_LOG_BYTES_MIN = 16 << 20,
    SNAPSHOT_STATE_SHARE =
        2, /* log of half of the state's bytes: twice as much is written at most */
    /* Begun at half of the 30 s that a replay may take: log goes on growing while it is written. */
    SNAPSHOT_REPLAY_US_MAX = 15000000,
    SNAPSHOT_LATE_PERCENT = 15,  /* of each member behind the one before it... */
    SNAPSHOT_LATE_MEMBERS = 5,   /* ...of so many, then from the first one on again */
    SNAPSHOT_TRAILING_SHARE = 4, /* of the log that makes one due, kept for peers that lag */
    /* Of log that the state held at the start already, so that nothing was measured: 38 us for a
     * command of 300 bytes in a state of a million rows. */
    SNAPSHOT_REPLAY_NS_PER_BYTE = 128,
};

/* 0 in a field: the default above. */
struct snapshot_policy {
    uint64_t log_bytes_min; /* of log make none due before, but for the time that it takes */
    uint64_t state_share;
    uint64_t replay_us_max;
    unsigned late_percent; /* added to both: see snapshot_late_percent() */
};
/* Members apply the same log, and would all copy their states at the same moment: each is later
 * than the one with the id before, the last of five by little over half. */
unsigned snapshot_late_percent(unsigned position);
/* With the defaults filled in. */
struct snapshot_policy snapshot_policy_of(const struct snapshot_policy *given);

/* Since the last snapshot. */
struct snapshot_need {
    uint64_t log_bytes;
    uint64_t replay_us; /* that applying it took, or would take */
};

/* Applied one entry of `bytes`.  us  what it took; 0: the state had it already. */
void snapshot_need_add(struct snapshot_need *need, uint64_t bytes, uint64_t us);

/* state_bytes  of the last snapshot, 0 without one: so large the state is, about. */
bool snapshot_is_due(const struct snapshot_policy *policy,
                     uint64_t state_bytes,
                     const struct snapshot_need *need);
/* A snapshot of this need was begun and came to nothing: the next one is due after a quarter of
 * what makes one due, not at once and not after all of it again. */
void snapshot_need_failed(const struct snapshot_policy *policy,
                          uint64_t state_bytes,
                          struct snapshot_need *need);
/* What to do about the write-ahead log of the rows while a snapshot is being copied: no page of it
 * can be moved before the copy ends.  The first copy that meets the limit is given up: a burst is
 * not made to wait.  The next one is let through and applying waits for it, or a busy group would
 * never have a snapshot again: its log and its next restart would grow without end. */
enum snapshot_wal { SNAPSHOT_WAL_GO_ON, SNAPSHOT_WAL_GIVE_UP, SNAPSHOT_WAL_HOLD };
enum { SNAPSHOT_WAL_BYTES_MAX = 1 << 30 };
enum snapshot_wal snapshot_wal_decide(uint64_t wal_bytes, uint64_t wal_bytes_max, bool gave_up);

/* Of log kept before a snapshot. */
uint64_t snapshot_trailing_bytes(const struct snapshot_policy *policy, uint64_t state_bytes);

#endif
