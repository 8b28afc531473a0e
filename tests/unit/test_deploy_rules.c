#include "controlplane/api/lambda/deploy_rules.h"

#include "controlplane/api/lambda/deploy_plan.h"
#include "tests/unit/check.h"

enum {
    PENDING = LAPWING__FUNCTION_STATE__FUNCTION_PENDING,
    ACTIVE = LAPWING__FUNCTION_STATE__FUNCTION_ACTIVE,
    SUCCESSFUL = LAPWING__FUNCTION_UPDATE_STATUS__FUNCTION_UPDATE_SUCCESSFUL,
    IN_PROGRESS = LAPWING__FUNCTION_UPDATE_STATUS__FUNCTION_UPDATE_IN_PROGRESS
};

static const struct {
    const char *name;
    unsigned state;
    unsigned update;
    const char *expected;
    const char *code;
    const char *text;
} updates[] = {
    { "a settled one", ACTIVE, SUCCESSFUL, NULL, NULL, NULL },
    { "the revision that it has", ACTIVE, SUCCESSFUL, "rev", NULL, NULL },
    { "an empty revision", ACTIVE, SUCCESSFUL, "", NULL, NULL },
    { "another revision", ACTIVE, SUCCESSFUL, "old", "PreconditionFailedException",
      "The Revision Id provided does not match the latest Revision Id. Call the "
      "GetFunction/GetAlias API to retrieve the latest Revision Id" },
    { "one that is being made", PENDING, 0, NULL, "ResourceConflictException",
      "The operation cannot be performed at this time. The function is currently in the following "
      "state: Pending" },
    { "one that is being changed", ACTIVE, IN_PROGRESS, NULL, "ResourceConflictException",
      "The operation cannot be performed at this time. An update is in progress for resource: "
      "arn:aws:lambda:eu-west-1:000000000000:function:f" },
};

static Lapwing__Function sample(void)
{
    Lapwing__Function function = LAPWING__FUNCTION__INIT;

    function.account = (char *)"000000000000";
    function.region = (char *)"eu-west-1";
    function.name = (char *)"f";
    function.revision_id = (char *)"rev";
    return function;
}

TEST(code_changes_only_while_nothing_else_does)
{
    for (size_t i = 0; i < ARRAY_LEN(updates); i++) {
        Lapwing__Function function = sample();
        struct api_error error = { 0 };

        test_case = updates[i].name;
        function.state = updates[i].state;
        function.update_status = updates[i].update;
        EXPECT_EQ(deploy_update_allowed(&function, updates[i].expected, &error) == ST_OK,
                  updates[i].code == NULL);
        EXPECT_TEXT(error.code, updates[i].code);
        if (updates[i].text != NULL)
            EXPECT_TEXT(error.text, updates[i].text);
    }
}

static const struct {
    enum status status;
    const char *reason;
    const char *text;
    const char *code;
    const char *want;
} packages[] = {
    { ST_OK, "", "", NULL, NULL },
    { ST_BAD_INPUT, "not_a_zip", "x", "InvalidParameterValueException",
      "Could not unzip uploaded file. Please check your file, then try to upload again." },
    { ST_BAD_INPUT, "too_large_unzipped", "x", "InvalidParameterValueException",
      "Unzipped size must be smaller than 262144000 bytes" },
    { ST_BAD_INPUT, "path_escape", "../x leaves the package", "InvalidParameterValueException",
      "Could not unzip uploaded file. Please check your file, then try to upload again. "
      "(path_escape: ../x leaves the package)" },
    { ST_UNAVAILABLE, "", "no store", "ServiceUnavailableException",
      "The package could not be checked: no store. Please try again." },
};

TEST(a_bad_package_is_refused_in_the_words_of_aws)
{
    for (size_t i = 0; i < ARRAY_LEN(packages); i++) {
        Lapwing__PackageChecked checked = LAPWING__PACKAGE_CHECKED__INIT;
        struct api_error error = { 0 };

        test_case = packages[i].reason;
        checked.status = packages[i].status;
        checked.reason = (char *)(uintptr_t)packages[i].reason;
        checked.text = (char *)(uintptr_t)packages[i].text;
        EXPECT_EQ(deploy_package_verdict(&checked, &error) == ST_OK, packages[i].code == NULL);
        EXPECT_TEXT(error.code, packages[i].code);
        if (packages[i].want != NULL)
            EXPECT_TEXT(error.text, packages[i].want);
    }
}

static const struct {
    enum status status;
    const char *reason;
    bool named;
    const char *code;
} outcomes[] = {
    { ST_OK, "", false, NULL },
    { ST_EXISTS, "function_exists", false, "ResourceConflictException" },
    { ST_NOT_FOUND, "function_not_found", false, "ResourceNotFoundException" },
    { ST_CONFLICT, "revision_mismatch", true, "PreconditionFailedException" },
    { ST_CONFLICT, "revision_mismatch", false, "ResourceConflictException" },
    { ST_CONFLICT, "uid_taken", false, "ServiceException" },
};

TEST(what_the_state_said_becomes_an_error_of_aws)
{
    for (size_t i = 0; i < ARRAY_LEN(outcomes); i++) {
        Lapwing__Outcome outcome = LAPWING__OUTCOME__INIT;
        Lapwing__Function before = sample();
        struct api_error error = { 0 };

        test_case = outcomes[i].reason;
        outcome.status = outcomes[i].status;
        outcome.reason = (char *)(uintptr_t)outcomes[i].reason;
        EXPECT_EQ(deploy_outcome_verdict(&outcome, &before, outcomes[i].named, &error) == ST_OK,
                  outcomes[i].code == NULL);
        EXPECT_TEXT(error.code, outcomes[i].code);
    }
}

#define ENUM " at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: "

static const struct {
    const char *runtime;
    size_t present; /* how many of python3.11, provided.al2023, python3.7 some worker has */
    const char *text;
} runtimes[] = {
    { "python3.11", 2, "" },
    { "python3.12", 2, "Value python3.12" ENUM "[python3.11, provided.al2023] or be a valid ARN" },
    { "nodejs20.x", 1, "Value nodejs20.x" ENUM "[python3.11] or be a valid ARN" },
    { "PYTHON3.11", 2, "Value PYTHON3.11" ENUM "[python3.11, provided.al2023] or be a valid ARN" },
    { "python3.7", 2,
      "The runtime parameter of python3.7 is no longer supported for creating or updating AWS "
      "Lambda functions. We recommend you use a supported runtime while creating or updating "
      "functions." },
    { "python3.7", 3, "" },  /* a worker that takes any runtime says so by itself */
    { "python3.12", 0, "" }, /* no worker is known yet */
    { "python3.7", 0,
      "The runtime parameter of python3.7 is no longer supported for creating or updating AWS "
      "Lambda functions. We recommend you use a supported runtime while creating or updating "
      "functions." },
};

TEST(a_function_gets_the_runtime_that_it_names_or_none)
{
    static const char *const present[] = { "python3.11", "provided.al2023", "python3.7" };
    struct api_error error = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(runtimes); i++) {
        test_case = runtimes[i].runtime;
        error = (struct api_error){ 0 };
        EXPECT_EQ(deploy_runtime_verdict(runtimes[i].runtime, present, runtimes[i].present, &error),
                  runtimes[i].text[0] == '\0' ? ST_OK : ST_BAD_INPUT);
        EXPECT_TEXT(error.text, runtimes[i].text);
    }
    EXPECT_EQ(deploy_runtime_verdict("cobol", present, 0, &error), ST_BAD_INPUT);
    EXPECT(strstr(error.text, ENUM "[nodejs20.x, python3.14, ") != NULL); /* all that AWS has */
}

TEST(no_command_is_proposed_before_the_package_was_checked)
{
    for (int state = 0; state < DEPLOY_STATES; state++)
        for (int event = 0; event < DEPLOY_EVENTS; event++) {
            struct deploy_move move = deploy_next(state, event);

            if (move.action == DEPLOY_DO_PROPOSE)
                EXPECT((state == DEPLOY_CHECKING && event == DEPLOY_CHECKED) ||
                       (state == DEPLOY_LOOKING && event == DEPLOY_WITHOUT_CODE));
            if (event == DEPLOY_FAILED && state != DEPLOY_FINISHED)
                EXPECT(move.action == DEPLOY_DO_REFUSE && move.next == DEPLOY_FINISHED);
        }
}

TEST(publishing_may_name_the_code_that_it_expects)
{
    static uint8_t sha256[32] = { 0 };
    static const struct {
        const char *expected;
        const char *text;
    } expectations[] = {
        { NULL, NULL },
        { "", NULL },
        { "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", NULL },
        { "somenonexistentsha256",
          "CodeSHA256 (somenonexistentsha256) is different from current CodeSHA256 in $LATEST "
          "(AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=). Please try again with the CodeSHA256 in "
          "$LATEST." },
    };

    for (size_t i = 0; i < ARRAY_LEN(expectations); i++) {
        Lapwing__Function function = sample();
        struct api_error error = { 0 };

        function.code_sha256 = (ProtobufCBinaryData){ .len = sizeof sha256, .data = sha256 };
        EXPECT_EQ(deploy_code_expected(&function, expectations[i].expected, &error) == ST_OK,
                  expectations[i].text == NULL);
        if (expectations[i].text != NULL) {
            EXPECT_TEXT(error.text, expectations[i].text);
            EXPECT_TEXT(error.code, "InvalidParameterValueException");
        }
    }
}
