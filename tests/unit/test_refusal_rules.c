#include "base/refusal_rules.h"

#include <stdio.h>

#include "tests/unit/check.h"

TEST(the_same_refusal_is_said_once_a_minute_with_what_was_left_out)
{
    struct refusals refusals = { 0 };
    uint32_t left_out = 99;

    EXPECT(refusal_is_said(&refusals, "10.0.0.1", "run out", 1000, &left_out));
    EXPECT_EQ(left_out, 0);
    for (int i = 0; i < 5; i++)
        EXPECT(!refusal_is_said(&refusals, "10.0.0.1", "run out", 1000 + REFUSAL_AGAIN_MS - 1,
                                &left_out));
    EXPECT(refusal_is_said(&refusals, "10.0.0.1", "run out", 1000 + REFUSAL_AGAIN_MS, &left_out));
    EXPECT_EQ(left_out, 5);
    EXPECT(!refusal_is_said(&refusals, "10.0.0.1", "run out", 1001 + REFUSAL_AGAIN_MS, &left_out));
}

TEST(another_peer_and_another_reason_are_lines_of_their_own)
{
    struct refusals refusals = { 0 };
    uint32_t left_out;

    EXPECT(refusal_is_said(&refusals, "10.0.0.1", "run out", 1, &left_out));
    EXPECT(refusal_is_said(&refusals, "10.0.0.2", "run out", 1, &left_out));
    EXPECT(refusal_is_said(&refusals, "10.0.0.1", "foreign", 1, &left_out));
    EXPECT(refusal_is_said(&refusals, "10.0.0.1r", "un out", 1, &left_out));
    EXPECT(!refusal_is_said(&refusals, "10.0.0.2", "run out", 1, &left_out));
}

/* One peer more than there is room for. */
static unsigned say_many(struct refusals *refusals, unsigned first, uint64_t now_ms)
{
    unsigned said = 0;

    for (unsigned i = 0; i <= REFUSALS_MAX; i++) {
        uint32_t left_out;
        char peer[24];

        (void)snprintf(peer, sizeof peer, "peer %u", first + i);
        said += refusal_is_said(refusals, peer, "foreign", now_ms, &left_out);
    }
    return said;
}

TEST(peers_beyond_the_table_share_one_line_and_its_count)
{
    struct refusals refusals = { 0 };
    uint32_t left_out = 0;

    EXPECT_EQ(say_many(&refusals, 0, 1000),
              REFUSALS_MAX + 1); /* the last one in the common place */
    EXPECT_EQ(say_many(&refusals, 1000, 1000), 0);
    EXPECT(!refusal_is_said(&refusals, "peer 0", "foreign", 1000, &left_out)); /* kept its place */
    /* After a minute the places are free again, and what had none is told. */
    EXPECT_EQ(say_many(&refusals, 2000, 1000 + REFUSAL_AGAIN_MS), REFUSALS_MAX + 1);
    EXPECT(refusal_is_said(&refusals, "late", "foreign", 1000 + 2 * REFUSAL_AGAIN_MS, &left_out));
    EXPECT_EQ(left_out, 0);
}

TEST(what_a_full_table_leaves_out_is_counted)
{
    struct refusals refusals = { 0 };
    uint32_t left_out = 0;

    (void)say_many(&refusals, 0, 1000);
    (void)say_many(&refusals, 1000, 1000);
    for (unsigned i = 0; i < REFUSALS_MAX; i++) { /* the places stay taken */
        char peer[24];

        (void)snprintf(peer, sizeof peer, "peer %u", i);
        EXPECT(refusal_is_said(&refusals, peer, "foreign", 1000 + REFUSAL_AGAIN_MS, &left_out));
    }
    EXPECT(refusal_is_said(&refusals, "stranger", "foreign", 1001 + REFUSAL_AGAIN_MS, &left_out));
    EXPECT_EQ(left_out, REFUSALS_MAX + 1);
}
