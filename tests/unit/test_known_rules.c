#include "controlplane/replica/known_rules.h"

#include "tests/unit/check.h"

enum { SELF = 1 };

/* Each row: N voters (ids 1 to N, this is 1), who knows us, who of them learned of us early. */
static const struct {
    const char *name;
    unsigned voters;
    uint64_t by[6];
    uint64_t early[6];
    bool enough;
} rows[] = {
    { "one alone is a group", 1, { 0 }, { 0 }, true },
    { "of three, nobody", 3, { 0 }, { 0 }, false },
    { "of three, another new one", 3, { 2 }, { 2 }, true },
    { "of three, one at work: the other one may know an older self", 3, { 2 }, { 0 }, false },
    { "of three, both at work", 3, { 2, 3 }, { 0 }, true },
    { "of three, one at work and a new one", 3, { 2, 3 }, { 3 }, true },
    { "of three, one at work and itself", 3, { 2, 1 }, { 0 }, false },
    { "of three, one new and no voter", 3, { 4 }, { 4 }, false },
    { "of three, one at work and no voter", 3, { 2, 4 }, { 4 }, false },
    { "of four, a new one makes two", 4, { 2 }, { 2 }, false },
    { "of four, two new ones make three", 4, { 2, 3 }, { 2, 3 }, true },
    { "of four, two at work meet all that is known to two", 4, { 2, 3 }, { 0 }, true },
    { "of four, one at work", 4, { 2 }, { 0 }, false },
    { "of five, one new and one at work", 5, { 2, 3 }, { 2 }, false },
    { "of five, two new ones", 5, { 2, 3 }, { 2, 3 }, true },
    { "of five, two at work", 5, { 2, 3 }, { 0 }, false },
    { "of five, three at work", 5, { 2, 3, 4 }, { 0 }, true },
};

TEST(a_new_member_takes_part_when_enough_of_the_first_voters_know_it)
{
    const uint64_t voters[] = { 1, 2, 3, 4, 5 };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct known_by by = { 0 };

        test_case = rows[i].name;
        for (unsigned k = 0; k < ARRAY_LEN(rows[i].by) && rows[i].by[k] != 0; k++)
            known_by_add(&by, rows[i].by[k], false);
        for (unsigned k = 0; k < ARRAY_LEN(rows[i].early) && rows[i].early[k] != 0; k++)
            known_by_add(&by, rows[i].early[k], true);
        EXPECT(known_is_enough(&by, SELF, voters, rows[i].voters) == rows[i].enough);
    }
}

TEST(who_was_early_stays_early_and_counts_once)
{
    const uint64_t voters[] = { 1, 2, 3, 4, 5 };
    struct known_by by = { 0 };

    known_by_add(&by, 2, true);
    known_by_add(&by, 2, false);
    EXPECT_EQ(by.count, 1);
    EXPECT(by.list[0].early);
    EXPECT(!known_is_enough(&by, SELF, voters, 5));
    for (uint64_t id = 3; by.count < NODES_MAX; id++)
        known_by_add(&by, id, false);
    known_by_add(&by, 99, true); /* no place: not among so few voters */
    EXPECT_EQ(by.count, NODES_MAX);
}

/* The claim of known_rules.h for one who forgets, by going through all cases: whoever knew the old
 * self X when it began to take part, and whoever knows the new one X' when it does, cannot be
 * disjoint, unless enough of the others had never taken part before they heard of X'. */
TEST(of_two_logs_under_one_id_the_second_is_not_enough_for_anybody)
{
    const uint64_t voters[] = { 1, 2, 3, 4, 5 };

    for (unsigned n = 2; n <= 5; n++) {
        unsigned sets = 1u << (n - 1);

        for (unsigned old = 0; old < sets * sets; old++) {
            struct known_by by = { 0 };
            struct known_by again = { 0 };

            for (unsigned i = 0; i < n - 1; i++)
                if (old % sets >> i & 1)
                    known_by_add(&by, voters[i + 1], old / sets >> i & 1);
            if (!known_is_enough(&by, SELF, voters, n))
                continue;
            for (unsigned i = 0; i < n - 1; i++)
                if ((old % sets >> i & 1) == 0)
                    known_by_add(&again, voters[i + 1], false);
            EXPECT(!known_is_enough(&again, SELF, voters, n));
        }
    }
}

TEST(the_first_log_of_an_id_is_the_known_one)
{
    struct known known = { .incarnation = 7 };

    EXPECT(known_find(&known, 2) == NULL);
    EXPECT_EQ(known_learn(&known, 2, 20), KNOWN_NEW);
    EXPECT_EQ(known_learn(&known, 2, 20), KNOWN_ALREADY);
    EXPECT_EQ(known_learn(&known, 2, 21), KNOWN_OTHER);
    EXPECT(known_find(&known, 2)->incarnation == 20);
    EXPECT(known_find(&known, 2)->early);
    known.takes_part = true;
    EXPECT_EQ(known_learn(&known, 3, 30), KNOWN_NEW);
    EXPECT(!known_find(&known, 3)->early);
    EXPECT(known_find(&known, 2)->early);
    known_forget(&known, 2);
    known_forget(&known, 2);
    EXPECT(known_find(&known, 2) == NULL);
    EXPECT(known_find(&known, 3)->incarnation == 30);
}

TEST(as_many_logs_are_known_as_there_are_places)
{
    struct known known = { .incarnation = 7 };

    for (uint64_t id = 1; id <= RAFT_KNOWN_MAX; id++)
        EXPECT_EQ(known_learn(&known, id, 100 + id), KNOWN_NEW);
    EXPECT_EQ(known_learn(&known, RAFT_KNOWN_MAX + 1, 1), KNOWN_FULL);
    EXPECT_EQ(known_learn(&known, RAFT_KNOWN_MAX, 1), KNOWN_OTHER);
    known_forget(&known, 5);
    EXPECT_EQ(known_learn(&known, RAFT_KNOWN_MAX + 1, 1), KNOWN_NEW);
}
