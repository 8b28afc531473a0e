#include "worker/packages/package_cache_plan.h"

#include <string.h>

#include "tests/unit/check.h"

static struct package_table table;

static uint32_t add(uint8_t name, uint64_t bytes)
{
    uint8_t hash[PACKAGE_HASH_BYTES] = { name };
    uint32_t index = package_add(&table, hash);

    package_arrived(&table, index, bytes, 1000);
    package_drop(&table, index);
    return index;
}

static enum package_state before;

static uint32_t evict(void)
{
    return package_evict(&table, &before);
}

static uint32_t evict_one(void)
{
    return package_evict_one(&table, &before);
}

static void start(uint64_t bytes_max)
{
    memset(&table, 0, sizeof table);
    table.bytes_max = bytes_max;
}

TEST(the_package_unused_longest_goes_first)
{
    uint32_t a, b;

    start(100);
    a = add(1, 60);
    b = add(2, 40);
    EXPECT_EQ(evict(), PACKAGE_NONE); /* exactly full */
    package_hold(&table, a);
    package_drop(&table, a);
    (void)add(3, 1);
    EXPECT_EQ(evict(), b);
    EXPECT_EQ(evict(), PACKAGE_NONE); /* what is being removed counts no more */
}

static uint32_t add_dear(uint8_t name, uint64_t bytes, uint64_t cost_us, unsigned uses)
{
    uint8_t hash[PACKAGE_HASH_BYTES] = { name };
    uint32_t index = package_add(&table, hash);

    package_arrived(&table, index, bytes, cost_us);
    package_drop(&table, index);
    for (unsigned i = 1; i < uses; i++) {
        package_hold(&table, index);
        package_drop(&table, index);
    }
    return index;
}

/* Each row: two packages, and the first of them goes. */
TEST(the_least_worth_goes_first)
{
    static const struct {
        const char *name;
        uint64_t bytes_a, cost_a, bytes_b, cost_b;
        unsigned uses_a, uses_b;
    } rows[] = {
        { "larger", 2000000, 1000, 1000000, 1000, 1, 1 },
        { "cheaper", 1000000, 1000, 1000000, 2000, 1, 1 },
        { "used less", 1000000, 1000, 1000000, 1000, 1, 2 },
        { "larger, but much dearer stays", 1000000, 1000, 2000000, 9000, 1, 1 },
        { "used longer ago", 1000000, 1000, 1000000, 1000, 1, 1 },
        { "a cost beyond all bounds", 1000000, 1, 1000000, UINT64_MAX, 1, 1 },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint32_t a, b;

        test_case = rows[i].name;
        start(1);
        a = add_dear(1, rows[i].bytes_a, rows[i].cost_a, rows[i].uses_a);
        b = add_dear(2, rows[i].bytes_b, rows[i].cost_b, rows[i].uses_b);
        EXPECT_EQ(evict(), a);
        EXPECT_EQ(evict(), b);
    }
    test_case = NULL;
}

TEST(what_was_used_often_once_ages_against_what_comes_new)
{
    uint32_t old, victim = PACKAGE_NONE;
    unsigned rounds = 0;

    start(2500000);
    old = add_dear(1, 1000000, 1000, 50);
    for (; rounds < 200 && victim != old; rounds++) {
        (void)add_dear((uint8_t)(2 + rounds % 200), 1000000, 1000, 1);
        victim = evict();
        if (victim != PACKAGE_NONE && victim != old)
            package_gone(&table, victim);
    }
    EXPECT_EQ(victim, old);
    EXPECT(rounds > 10); /* but not at once */
}

TEST(a_package_of_a_former_run_counts_and_may_be_claimed_or_go)
{
    uint8_t hash[PACKAGE_HASH_BYTES] = { 9 };
    uint32_t index, newest[1];

    start(100);
    package_found(&table, hash, 60);
    index = package_find(&table, hash);
    EXPECT_EQ(package_newest(&table, newest, 1), 1);
    package_claim(&table, index);
    EXPECT_EQ(table.entries[index].users, 1);
    package_arrived(&table, index, 60, 0);
    EXPECT(table.entries[index].cost_us > 0);
    package_drop(&table, index);
    hash[0] = 10;
    package_found(&table, hash, 50);
    EXPECT(evict() != PACKAGE_NONE);
    EXPECT_EQ(before, PACKAGE_FOUND); /* not used in this run, so worth less */
    EXPECT_EQ(evict(), PACKAGE_NONE);
    EXPECT(evict_one() != PACKAGE_NONE); /* asked for */
    EXPECT_EQ(evict_one(), PACKAGE_NONE);
}

TEST(a_package_in_use_stays_whatever_the_size)
{
    uint32_t a;

    start(10);
    a = add(1, 60);
    package_hold(&table, a);
    EXPECT_EQ(evict(), PACKAGE_NONE);
    package_drop(&table, a);
    EXPECT_EQ(evict(), a);
    package_gone(&table, a);
    EXPECT_EQ(table.count, 0);
}

TEST(a_full_table_makes_room_and_says_so_when_it_cannot)
{
    uint8_t hash[PACKAGE_HASH_BYTES] = { 0 };

    start(UINT64_MAX);
    for (uint32_t i = 0; i < PACKAGES_MAX; i++) {
        hash[0] = (uint8_t)i;
        hash[1] = (uint8_t)(i >> 8);
        EXPECT_EQ(package_add(&table, hash), i);
    }
    hash[2] = 1;
    EXPECT_EQ(package_add(&table, hash), PACKAGE_NONE);
    EXPECT_EQ(evict(), PACKAGE_NONE); /* all are in use */
    package_arrived(&table, 7, 1, 1);
    package_drop(&table, 7);
    EXPECT_EQ(evict(), 7);
    package_gone(&table, 7);
    EXPECT_EQ(package_add(&table, hash), 7);
}

TEST(the_newest_are_told_in_order_and_bounded)
{
    uint32_t a, b, c, out[2];

    start(1000);
    a = add(1, 1);
    b = add(2, 1);
    c = add(3, 1);
    package_hold(&table, a);
    EXPECT_EQ(package_newest(&table, out, 2), 2);
    EXPECT_EQ(out[0], a);
    EXPECT_EQ(out[1], c);
    EXPECT(b != c);
}
