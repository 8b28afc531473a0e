/* See deploy_rules.h. */
#include "controlplane/api/lambda/deploy_rules.h"

#include <string.h>

#include "base/hash.h"
#include "base/limits.h"
#include "controlplane/api/lambda/function_name.h"
#include "controlplane/api/lambda/runtimes.h"

static const char revision_text[] =
    "The Revision Id provided does not match the latest Revision Id. Call the GetFunction/GetAlias "
    "API to retrieve the latest Revision Id";

static enum status refuse_in_progress(const Lapwing__Function *function, struct api_error *error)
{
    const struct function_scope scope = { function->account, function->region };
    char arn[FUNCTION_ARN_BYTES_MAX];

    function_arn(&scope, function->name, NULL, arn);
    return api_error_set(error, ST_CONFLICT, API_CONFLICT,
                         "The operation cannot be performed at this time. An update is in progress "
                         "for resource: %s",
                         arn);
}

enum status deploy_update_allowed(const Lapwing__Function *function,
                                  const char *expected_revision_id,
                                  struct api_error *error)
{
    if (expected_revision_id != NULL && expected_revision_id[0] != '\0' &&
        strcmp(expected_revision_id, function->revision_id) != 0)
        return api_error_set(error, ST_CONFLICT, API_PRECONDITION, "%s", revision_text);
    if (function->state == LAPWING__FUNCTION_STATE__FUNCTION_PENDING)
        return api_error_set(error, ST_CONFLICT, API_CONFLICT,
                             "The operation cannot be performed at this time. The function is "
                             "currently in the following state: Pending");
    if (function->update_status == LAPWING__FUNCTION_UPDATE_STATUS__FUNCTION_UPDATE_IN_PROGRESS)
        return refuse_in_progress(function, error);
    return ST_OK;
}

enum status deploy_code_expected(const Lapwing__Function *function,
                                 const char *expected_sha256,
                                 struct api_error *error)
{
    struct buf sha256 = { 0 };
    enum status st = ST_OK;

    if (expected_sha256 == NULL || expected_sha256[0] == '\0')
        return ST_OK;
    base64_encode(bytes_of(function->code_sha256.data, function->code_sha256.len), &sha256);
    if (strcmp(buf_text(&sha256), expected_sha256) != 0)
        st = api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                           "CodeSHA256 (%.256s) is different from current CodeSHA256 in $LATEST "
                           "(%s). Please try again with the CodeSHA256 in $LATEST.",
                           expected_sha256, buf_text(&sha256));
    buf_done(&sha256);
    return st;
}

static void list_runtimes(const char *const *present, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "%s%s", i == 0 ? "" : ", ", present[i]);
}

enum status deploy_runtime_verdict(const char *runtime,
                                   const char *const *present,
                                   size_t count,
                                   struct api_error *error)
{
    enum runtime_standing standing = runtime_standing(runtime);
    struct buf list = { 0 };

    for (size_t i = 0; i < count; i++)
        if (strcmp(present[i], runtime) == 0)
            return ST_OK;
    if (standing == RUNTIME_CURRENT && count == 0)
        return ST_OK;
    if (standing == RUNTIME_ENDED)
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                             "The runtime parameter of %s is no longer supported for creating or "
                             "updating AWS Lambda functions. We recommend you use a supported "
                             "runtime while creating or updating functions.",
                             runtime);
    list_runtimes(present, count, &list);
    (void)api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                        "Value %.128s at 'runtime' failed to satisfy constraint: Member must "
                        "satisfy enum value set: [%s] or be a valid ARN",
                        runtime, count == 0 ? runtimes_current_text : buf_text(&list));
    buf_done(&list);
    return ST_BAD_INPUT;
}

enum status deploy_package_verdict(const Lapwing__PackageChecked *checked, struct api_error *error)
{
    if (checked->status == ST_OK)
        return ST_OK;
    if (checked->status != ST_BAD_INPUT)
        return api_error_set(error, ST_UNAVAILABLE, API_UNAVAILABLE,
                             "The package could not be checked: %.200s. Please try again.",
                             checked->text);
    if (strcmp(checked->reason, "too_large_unzipped") == 0)
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                             "Unzipped size must be smaller than %d bytes",
                             PACKAGE_UNZIPPED_BYTES_MAX);
    if (strcmp(checked->reason, "not_a_zip") == 0 || checked->text[0] == '\0')
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                             "Could not unzip uploaded file. Please check your file, then try to "
                             "upload again.");
    return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                         "Could not unzip uploaded file. Please check your file, then try to "
                         "upload again. (%.64s: %.200s)",
                         checked->reason, checked->text);
}

enum status deploy_outcome_verdict(const Lapwing__Outcome *outcome,
                                   const Lapwing__Function *before,
                                   bool client_named_revision,
                                   struct api_error *error)
{
    if (outcome->status == ST_OK)
        return ST_OK;
    if (outcome->status == ST_EXISTS)
        return api_error_set(error, ST_EXISTS, API_CONFLICT, "%s", outcome->text);
    if (outcome->status == ST_NOT_FOUND)
        return api_error_set(error, ST_NOT_FOUND, API_NOT_FOUND, "%s", outcome->text);
    if (strcmp(outcome->reason, "revision_mismatch") == 0 && !client_named_revision &&
        before != NULL)
        return refuse_in_progress(before, error);
    if (strcmp(outcome->reason, "revision_mismatch") == 0)
        return api_error_set(error, ST_CONFLICT, API_PRECONDITION, "%s", revision_text);
    return api_error_set(error, ST_IO, API_SERVICE, "%s", outcome->text);
}
