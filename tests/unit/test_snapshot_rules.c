#include "controlplane/replica/snapshot_rules.h"

#include "tests/unit/check.h"

enum { MIB = 1 << 20 };

/* A policy of 16 MiB of log, half of the state, 15 s. */
static const struct {
    const char *name;
    uint64_t state_bytes;
    uint64_t log_bytes;
    uint64_t replay_us;
    bool due;
} rows[] = {
    { "nothing", 0, 0, 0, false },
    { "the least log", 0, 16 * MIB, 0, true },
    { "a byte less", 0, 16 * MIB - 1, 0, false },
    { "a state of twice the least log changes nothing", 32 * MIB, 16 * MIB, 0, true },
    { "a larger state wants more log", 1024 * MIB, 16 * MIB, 0, false },
    { "half of it", 1024 * MIB, 512ull * MIB, 0, true },
    { "a byte less than half", 1024 * MIB, 512ull * MIB - 1, 0, false },
    { "but never more time", 1024 * MIB, 20 * MIB, SNAPSHOT_REPLAY_US_MAX, true },
    { "a moment before", 1024 * MIB, 20 * MIB, SNAPSHOT_REPLAY_US_MAX - 1, false },
};

TEST(a_snapshot_is_due_by_log_and_by_the_time_that_it_takes_to_apply)
{
    const struct snapshot_policy policy = snapshot_policy_of(&(struct snapshot_policy){ 0 });

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct snapshot_need need = { rows[i].log_bytes, rows[i].replay_us };

        test_case = rows[i].name;
        EXPECT_EQ(snapshot_is_due(&policy, rows[i].state_bytes, &need), rows[i].due);
    }
}

static const struct {
    uint64_t wal_bytes;
    bool gave_up;
    enum snapshot_wal want;
} wals[] = {
    { 100, false, SNAPSHOT_WAL_GO_ON },
    { 101, false, SNAPSHOT_WAL_GIVE_UP },
    { 100, true, SNAPSHOT_WAL_GO_ON },
    { 101, true, SNAPSHOT_WAL_HOLD },
};

TEST(a_copy_that_meets_the_limit_is_given_up_once_and_then_waited_for)
{
    for (size_t i = 0; i < ARRAY_LEN(wals); i++)
        EXPECT_EQ(snapshot_wal_decide(wals[i].wal_bytes, 100, wals[i].gave_up), wals[i].want);
}

TEST(members_take_theirs_one_after_the_other_and_none_beyond_the_time)
{
    struct snapshot_policy policy = snapshot_policy_of(&(struct snapshot_policy){ 1000, 0, 0, 0 });

    EXPECT_EQ(snapshot_late_percent(0), 0);
    EXPECT_EQ(snapshot_late_percent(5), 0);
    for (unsigned position = 0; position < 5; position++) {
        struct snapshot_need need = { 1000 + position * 150 - 1, 0 };

        policy.late_percent = snapshot_late_percent(position);
        EXPECT(!snapshot_is_due(&policy, 0, &need));
        need.log_bytes++;
        EXPECT(snapshot_is_due(&policy, 0, &need));
        need = (struct snapshot_need){ 0, 24000000 };
        EXPECT(snapshot_is_due(&policy, 0, &need));
    }
}

TEST(time_is_measured_or_estimated)
{
    struct snapshot_need need = { 0 };

    snapshot_need_add(&need, 1000, 40);
    EXPECT_EQ(need.replay_us, 40);
    EXPECT_EQ(need.log_bytes, 1064);
    snapshot_need_add(&need, 1000, 0); /* the state had it */
    EXPECT_EQ(need.replay_us, 40 + 128);
}

TEST(after_a_failure_a_quarter_more_log_is_waited_for)
{
    const struct snapshot_policy policy =
        snapshot_policy_of(&(struct snapshot_policy){ 1000, 0, 0, 0 });
    struct snapshot_need need = { 0 };

    snapshot_need_failed(&policy, 0, &need);
    EXPECT(!snapshot_is_due(&policy, 0, &need));
    need.log_bytes += 249;
    EXPECT(!snapshot_is_due(&policy, 0, &need));
    need.log_bytes += 1;
    EXPECT(snapshot_is_due(&policy, 0, &need));
    EXPECT_EQ(snapshot_trailing_bytes(&policy, 0), 250);
}
