#include "controlplane/api/lambda/account_rules.h"

#include <stdlib.h>

#include "tests/unit/check.h"

TEST(account_settings_show_the_limits_of_aws_and_the_usage)
{
    json_t *settings = account_settings(3, 5000000000);
    char *text = json_dumps(settings, JSON_COMPACT);

    EXPECT_TEXT(text,
                "{\"AccountLimit\":{\"TotalCodeSize\":80530636800,\"CodeSizeUnzipped\":262144000,"
                "\"CodeSizeZipped\":52428800,\"ConcurrentExecutions\":1000,"
                "\"UnreservedConcurrentExecutions\":1000},\"AccountUsage\":{\"TotalCodeSize\":"
                "5000000000,\"FunctionCount\":3}}");
    free(text);
    json_decref(settings);
}
