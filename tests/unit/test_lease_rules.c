#include "controlplane/replica/lease_rules.h"

#include "tests/unit/check.h"

TEST(a_lease_is_shorter_than_the_election_timeout_by_drift_and_rounding)
{
    static const struct {
        uint32_t election_ms;
        uint32_t want_ms;
    } rows[] = {
        { 0, 0 },
        { 1, 0 },
        { 2, 0 },
        { 3, 1 },
        { 300, 284 },
        { 1001, 950 },
        { UINT32_MAX, 4080218929u },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        EXPECT_EQ(lease_length_ms(rows[i].election_ms), rows[i].want_ms);
}

/* The inequality that the length stands for: with the follower's clock as fast as the bound allows
 * and both readings rounded the wrong way, the lease is over before the follower may stand. */
TEST(a_lease_ends_before_the_fastest_follower_stands)
{
    for (uint32_t election_ms = 1; election_ms < 3000; election_ms++) {
        uint64_t last = lease_length_ms(election_ms); /* of the leader's reading, which is below */
        uint64_t stands_after = (uint64_t)(election_ms - 1) * (100 - LEASE_DRIFT_PERCENT);

        EXPECT(last * 100 <= stands_after);
    }
}

TEST(a_restarted_member_votes_after_a_whole_timeout)
{
    EXPECT_EQ(lease_votes_from_ms(1000, 300), 1301);
}

/* The leader is 1, its time 10,000; 0: nothing was given back. */
static const struct {
    const char *name;
    unsigned voters;
    uint64_t echo[5]; /* of 1 to 5; the first is not looked at */
    uint64_t want;
} rows[] = {
    { "a sole voter", 1, { 0 }, 10284 },
    { "two, and the other is silent", 2, { 0 }, 0 },
    { "two", 2, { 0, 9900 }, 10184 },
    { "three, both silent", 3, { 0 }, 0 },
    { "three, one silent", 3, { 0, 0, 9900 }, 10184 },
    { "three: the newer one counts", 3, { 0, 9000, 9900 }, 10184 },
    { "three: an old one is as good as it is", 3, { 0, 9000, 0 }, 9284 },
    { "four, one silent: the older of the others counts", 4, { 0, 9000, 0, 9900 }, 9284 },
    { "five, two silent", 5, { 0, 0, 9800, 0, 9900 }, 10084 },
    { "five, three silent", 5, { 0, 0, 0, 0, 9900 }, 0 },
    { "five: the second newest of the others counts", 5, { 0, 9700, 9800, 9900, 9600 }, 10084 },
};

TEST(a_lease_is_as_new_as_the_time_that_a_quorum_gave_back)
{
    static const uint64_t ids[] = { 1, 2, 3, 4, 5 };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct lease lease = { 0 };

        test_case = rows[i].name;
        lease_term(&lease, 7);
        for (unsigned k = 1; k < ARRAY_LEN(ids); k++)
            lease_echo(&lease, ids[k], rows[i].echo[k], 10000);
        EXPECT_EQ(lease_until_ms(&lease, 1, ids, rows[i].voters, 10000, 300), rows[i].want);
    }
}

TEST(times_that_mean_nothing_are_ignored)
{
    const uint64_t ids[] = { 1, 2, 3 };
    struct lease lease = { 0 };

    lease_term(&lease, 7);
    lease_echo(&lease, 2, 10001, 10000); /* not sent yet */
    EXPECT_EQ(lease_until_ms(&lease, 1, ids, 3, 10000, 300), 0);
    lease_echo(&lease, 9, 9900, 10000); /* no voter */
    EXPECT_EQ(lease_until_ms(&lease, 1, ids, 3, 10000, 300), 0);
    lease_echo(&lease, 2, 10000, 10000);
    lease_echo(&lease, 2, 9000, 10000); /* an older one, late */
    EXPECT_EQ(lease_until_ms(&lease, 1, ids, 3, 10000, 300), 10284);
}

TEST(a_peer_more_than_nodes_takes_the_place_of_the_one_whose_time_is_oldest)
{
    const uint64_t ids[] = { 1, 2, 3 };
    const uint64_t others[] = { 1, 100, 101 };
    struct lease lease = { 0 };

    for (uint64_t id = 100; id < 100 + NODES_MAX; id++)
        lease_echo(&lease, id, 9800 + id, 10000);
    lease_echo(&lease, 2, 9900, 10000); /* as old as the oldest */
    EXPECT_EQ(lease.count, NODES_MAX);
    EXPECT_EQ(lease_until_ms(&lease, 1, ids, 3, 10000, 300), 0);
    lease_echo(&lease, 2, 9950, 10000);
    EXPECT_EQ(lease.count, NODES_MAX);
    EXPECT_EQ(lease_until_ms(&lease, 1, ids, 3, 10000, 300), 10234);
    EXPECT_EQ(lease_until_ms(&lease, 1, others, 2, 10000, 300), 0); /* 100 is forgotten */
    EXPECT_EQ(lease_until_ms(&lease, 1, others, 3, 10000, 300), 10185);
}

TEST(a_leader_that_is_no_voter_needs_a_quorum_of_others)
{
    const uint64_t ids[] = { 2, 3, 4 };
    struct lease lease = { 0 };

    lease_echo(&lease, 2, 9900, 10000);
    EXPECT_EQ(lease_until_ms(&lease, 1, ids, 3, 10000, 300), 0);
    lease_echo(&lease, 4, 9800, 10000);
    EXPECT_EQ(lease_until_ms(&lease, 1, ids, 3, 10000, 300), 10084);
}

TEST(a_lease_is_of_one_term)
{
    const uint64_t ids[] = { 1, 2, 3 };
    struct lease lease = { 0 };

    lease_term(&lease, 7);
    lease_echo(&lease, 2, 9900, 10000);
    lease_term(&lease, 7);
    EXPECT_EQ(lease_until_ms(&lease, 1, ids, 3, 10000, 300), 10184);
    lease_term(&lease, 8);
    EXPECT_EQ(lease_until_ms(&lease, 1, ids, 3, 10000, 300), 0);
    lease_echo(&lease, 3, 9950, 10000);
    EXPECT_EQ(lease_until_ms(&lease, 1, ids, 3, 10000, 300), 10234);
}
