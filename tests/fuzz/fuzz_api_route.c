/* Requests on their way to an operation: lines of method, path, query, signature, target, content
 * type and form.  A function that was named is named again by its ARN. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/http_message.h"
#include "controlplane/api/call/route_rules.h"
#include "controlplane/api/lambda/function_name.h"
#include "tests/fuzz/fuzz.h"

enum { LINES = 7 };

static const struct function_scope scope = { .account = "000000000000", .region = "us-east-1" };

static void named(const char *text, const char *qualifier)
{
    char arn[FUNCTION_ARN_BYTES_MAX];
    struct api_error error = { 0 };
    struct function_ref ref;
    struct function_ref again;

    if (function_ref_parse(text, qualifier, &scope, FUNCTION_NAME_NAMESPACED, &ref, &error) !=
        ST_OK) {
        CHECK(error.code != NULL);
        return;
    }
    function_arn(&scope, ref.name, ref.qualifier, arn);
    /* A qualifier that only the parameter can carry. */
    if (strpbrk(ref.qualifier, "$") != NULL)
        return;
    CHECK(strlen(arn) > FUNCTION_REFERENCE_BYTES_MAX ||
          function_ref_parse(arn, NULL, &scope, FUNCTION_NAME_NAMESPACED, &again, &error) == ST_OK);
    if (strlen(arn) > FUNCTION_REFERENCE_BYTES_MAX)
        return;
    CHECK(strcmp(ref.name, again.name) == 0);
    CHECK(strcmp(ref.qualifier, again.qualifier) == 0);
}

static void matched(const struct route_request *req)
{
    struct lambda_match match = { 0 };
    struct buf name = { 0 };

    if (!lambda_operation_match(req->method, req->path, req->query, &match))
        return;
    CHECK(match.operation != NULL);
    for (size_t i = 0; i < LAMBDA_PATH_PARAMETERS_MAX; i++) {
        if (match.parameters[i].text == NULL)
            continue;
        CHECK(match.parameters[i].text >= req->path);
        CHECK(match.parameters[i].text + match.parameters[i].len <= req->path + strlen(req->path));
    }
    if (match.parameters[0].text != NULL &&
        http_percent_decode(bytes_of(match.parameters[0].text, match.parameters[0].len), false,
                            &name) == ST_OK)
        named(buf_text(&name), NULL);
    buf_done(&name);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    char *text = must_calloc(1, len + 1);
    const char *lines[LINES] = { "", "", "" };
    struct route route = { 0 };
    struct route_request req;
    char *at = text;

    for (size_t i = 0; i < len; i++)
        text[i] = (char)data[i];
    for (size_t i = 0; i < LINES && *at != '\0'; i++) {
        size_t bytes = strcspn(at, "\n");
        bool ends = at[bytes] == '\0';

        at[bytes] = '\0';
        lines[i] = at;
        at += bytes + !ends;
    }
    req = (struct route_request){ lines[0], lines[1], lines[2], lines[3],
                                  lines[4], lines[5], lines[6] };
    route_choose(&req, &route);
    CHECK(strlen(route.name) <= ROUTE_SERVICE_NAME_BYTES_MAX);
    CHECK(strlen(route.action) <= ROUTE_ACTION_BYTES_MAX);
    (void)route_wants_form(&req);
    matched(&req);
    named(lines[1], lines[2]);
    free(text);
    return 0;
}
