/* See account_rules.h. */
#include "controlplane/api/lambda/account_rules.h"

#include "base/check.h"
#include "base/limits.h"

json_t *account_settings(uint64_t function_count, uint64_t code_bytes)
{
    /* Nothing can be reserved yet, so all of it is unreserved. */
    json_t *limit =
        json_pack("{s:I, s:I, s:I, s:I, s:I}", "TotalCodeSize", (json_int_t)ACCOUNT_CODE_BYTES_MAX,
                  "CodeSizeUnzipped", (json_int_t)PACKAGE_UNZIPPED_BYTES_MAX, "CodeSizeZipped",
                  (json_int_t)PACKAGE_ZIP_BYTES_MAX, "ConcurrentExecutions",
                  (json_int_t)ACCOUNT_CONCURRENCY_MAX, "UnreservedConcurrentExecutions",
                  (json_int_t)ACCOUNT_CONCURRENCY_MAX);
    json_t *usage = json_pack("{s:I, s:I}", "TotalCodeSize", (json_int_t)code_bytes,
                              "FunctionCount", (json_int_t)function_count);

    CHECK(limit != NULL);
    CHECK(usage != NULL);
    return json_pack("{s:o, s:o}", "AccountLimit", limit, "AccountUsage", usage);
}
