#include "base/pool.h"

#include "tests/unit/check.h"

TEST(a_pool_gives_what_it_has_and_no_more)
{
    struct pool *pool = pool_new(24, 2);
    char *one = pool_take(pool);
    char *two = pool_take(pool);

    EXPECT(one != NULL);
    EXPECT(two != NULL);
    EXPECT(pool_take(pool) == NULL);
    EXPECT_EQ(pool_out(pool), 2);
    memset(one, 'x', 24);
    pool_give(pool, one);
    one = pool_take(pool);
    EXPECT(one != NULL);
    EXPECT_EQ(one[8], 0); /* zeroed again */
    pool_give(pool, one);
    pool_give(pool, two);
    pool_give(pool, NULL);
    EXPECT_EQ(pool_out(pool), 0);
    pool_free(pool);
}
