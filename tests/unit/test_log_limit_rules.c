#include "base/log_limit_rules.h"

#include "base/limits.h"
#include "tests/unit/check.h"

TEST(a_second_brings_so_many_lines_and_the_next_one_says_what_was_left_out)
{
    struct log_limit limit = { 0 };
    uint32_t left_out = 7;

    for (unsigned i = 0; i < LOG_LIMIT_LINES_MAX; i++) {
        EXPECT(log_limit_allows(&limit, 5000 + i, &left_out));
        EXPECT_EQ(left_out, 0);
    }
    left_out = 7;
    EXPECT(!log_limit_allows(&limit, 5999, &left_out));
    EXPECT(!log_limit_allows(&limit, 5999, &left_out));
    EXPECT_EQ(left_out, 7);
    EXPECT(log_limit_allows(&limit, 6000, &left_out));
    EXPECT_EQ(left_out, 2);
    EXPECT(log_limit_allows(&limit, 6000, &left_out));
    EXPECT_EQ(left_out, 0);
}
