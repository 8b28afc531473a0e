#include "controlplane/replica/snapshot_rules.h"

#include "base/check.h"

enum { ENTRY_BYTES = 64 }; /* an entry's own share beside its commands */

struct snapshot_policy snapshot_policy_of(const struct snapshot_policy *given)
{
    struct snapshot_policy policy = *given;

    if (policy.log_bytes_min == 0)
        policy.log_bytes_min = SNAPSHOT_LOG_BYTES_MIN;
    if (policy.state_share == 0)
        policy.state_share = SNAPSHOT_STATE_SHARE;
    if (policy.replay_us_max == 0)
        policy.replay_us_max = SNAPSHOT_REPLAY_US_MAX;
    return policy;
}

unsigned snapshot_late_percent(unsigned position)
{
    return position % SNAPSHOT_LATE_MEMBERS * SNAPSHOT_LATE_PERCENT;
}

static uint64_t later(const struct snapshot_policy *policy, uint64_t amount)
{
    return amount + amount / 100 * policy->late_percent;
}

void snapshot_need_add(struct snapshot_need *need, uint64_t bytes, uint64_t us)
{
    need->log_bytes += bytes + ENTRY_BYTES;
    need->replay_us += us > 0 ? us : (bytes * SNAPSHOT_REPLAY_NS_PER_BYTE + 999) / 1000;
}

static uint64_t log_bytes_due(const struct snapshot_policy *policy, uint64_t state_bytes)
{
    uint64_t share = state_bytes / policy->state_share;

    CHECK(policy->log_bytes_min > 0);
    return share > policy->log_bytes_min ? share : policy->log_bytes_min;
}

bool snapshot_is_due(const struct snapshot_policy *policy,
                     uint64_t state_bytes,
                     const struct snapshot_need *need)
{
    return need->log_bytes >= later(policy, log_bytes_due(policy, state_bytes)) ||
           need->replay_us >= later(policy, policy->replay_us_max);
}

void snapshot_need_failed(const struct snapshot_policy *policy,
                          uint64_t state_bytes,
                          struct snapshot_need *need)
{
    need->log_bytes += log_bytes_due(policy, state_bytes) / 4 * 3;
    need->replay_us += policy->replay_us_max / 4 * 3;
}

enum snapshot_wal snapshot_wal_decide(uint64_t wal_bytes, uint64_t wal_bytes_max, bool gave_up)
{
    if (wal_bytes <= wal_bytes_max)
        return SNAPSHOT_WAL_GO_ON;
    return gave_up ? SNAPSHOT_WAL_HOLD : SNAPSHOT_WAL_GIVE_UP;
}

uint64_t snapshot_trailing_bytes(const struct snapshot_policy *policy, uint64_t state_bytes)
{
    return log_bytes_due(policy, state_bytes) / SNAPSHOT_TRAILING_SHARE;
}
