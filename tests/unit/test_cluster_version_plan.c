#include "controlplane/cluster_version_plan.h"

#include "tests/unit/check.h"

static const struct {
    const char *name;
    enum replica_role role;
    uint32_t cluster_version;
    unsigned count;
    uint32_t versions[3]; /* of the members; 0: not connected */
    uint32_t want;
} rows[] = {
    { "all have the newer release", REPLICA_LEADER, 1, 3, { 2, 2, 2 }, 2 },
    { "one is still of the older", REPLICA_LEADER, 1, 3, { 2, 1, 2 }, 0 },
    { "one is away", REPLICA_LEADER, 1, 3, { 2, 2, 0 }, 0 },
    { "raised already", REPLICA_LEADER, 2, 3, { 2, 2, 2 }, 0 },
    { "as far as the oldest goes", REPLICA_LEADER, 1, 3, { 4, 3, 5 }, 3 },
    { "one that is too old is never a reason to lower", REPLICA_LEADER, 3, 3, { 4, 2, 5 }, 0 },
    { "a follower leaves it to the leader", REPLICA_FOLLOWER, 1, 3, { 2, 2, 2 }, 0 },
    { "a candidate", REPLICA_CANDIDATE, 1, 3, { 2, 2, 2 }, 0 },
    { "a cluster of one", REPLICA_LEADER, 1, 1, { 2 }, 2 },
    { "the state is being installed", REPLICA_LEADER, 0, 3, { 2, 2, 2 }, 0 },
};

TEST(a_leader_raises_to_what_every_member_follows_now)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct replica_status status = { .role = rows[i].role,
                                         .cluster_version = rows[i].cluster_version,
                                         .member_count = rows[i].count };

        test_case = rows[i].name;
        for (unsigned k = 0; k < rows[i].count; k++)
            status.members[k].version = rows[i].versions[k];
        EXPECT_EQ(cluster_version_next(&status), rows[i].want);
    }
}
