/* What an account uses, counted from the rows. */
#include "controlplane/state/account.h"

#include "controlplane/state/functions.h"
#include "tests/unit/check.h"
#include "tests/unit/state_fixture.h"

static struct account_usage usage(struct fixture *fixture, const char *account, const char *region)
{
    struct account_usage found = { 77, 77 };

    EXPECT_EQ(state_account_usage(fixture->reader, account, region, &found, NULL), ST_OK);
    return found;
}

TEST(functions_and_their_code_are_counted_by_account_and_region)
{
    struct fixture fixture = { 0 };
    struct account_usage found;

    fixture_open(&fixture, ":memory:", STATE_GROUP_CONTROL);
    found = usage(&fixture, FIXTURE_ACCOUNT, FIXTURE_REGION);
    EXPECT_EQ(found.functions, 0);
    EXPECT_EQ(found.code_bytes, 0);
    for (unsigned i = 0; i < 3; i++) {
        static const char *const names[] = { "a", "b", "c" };
        Lapwing__CreateFunction create = LAPWING__CREATE_FUNCTION__INIT;
        Lapwing__Function function;

        fixture_function(&function, names[i], fixture_uid(i));
        function.code_bytes = 10 + i;
        create.function = &function;
        EXPECT_EQ(fixture_apply(&fixture, LAPWING__COMMAND_TYPE__CREATE_FUNCTION, &create.base),
                  ST_OK);
    }
    found = usage(&fixture, FIXTURE_ACCOUNT, FIXTURE_REGION);
    EXPECT_EQ(found.functions, 3);
    EXPECT_EQ(found.code_bytes, 33);
    EXPECT_EQ(usage(&fixture, FIXTURE_ACCOUNT, "eu-north-2").functions, 0);
    EXPECT_EQ(usage(&fixture, "000000000001", FIXTURE_REGION).functions, 0);
    fixture_done(&fixture);
}
