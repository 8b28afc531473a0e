#include "worker/packages/package_cache_plan.h"

#include <string.h>

#include "tests/unit/check.h"

static struct package_table table;

static uint32_t add(uint8_t name, uint64_t bytes)
{
    uint8_t hash[PACKAGE_HASH_BYTES] = { name };
    uint32_t index = package_add(&table, hash);

    package_arrived(&table, index, bytes);
    package_drop(&table, index);
    return index;
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
    EXPECT_EQ(package_evict(&table), PACKAGE_NONE); /* exactly full */
    package_hold(&table, a);
    package_drop(&table, a);
    (void)add(3, 1);
    EXPECT_EQ(package_evict(&table), b);
    EXPECT_EQ(package_evict(&table), PACKAGE_NONE); /* what is being removed counts no more */
}

TEST(a_package_in_use_stays_whatever_the_size)
{
    uint32_t a;

    start(10);
    a = add(1, 60);
    package_hold(&table, a);
    EXPECT_EQ(package_evict(&table), PACKAGE_NONE);
    package_drop(&table, a);
    EXPECT_EQ(package_evict(&table), a);
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
    EXPECT_EQ(package_evict(&table), PACKAGE_NONE); /* all are in use */
    package_arrived(&table, 7, 1);
    package_drop(&table, 7);
    EXPECT_EQ(package_evict(&table), 7);
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
