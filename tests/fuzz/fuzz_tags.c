/* Requests about tags, "ARN NEWLINE query NEWLINE body": any bytes get a refusal, or tags and keys
 * that the checks of their commands take, for a command that was refused there would be our fault.
 */
#include <string.h>

#include "base/check.h"
#include "controlplane/api/lambda/tag_rules.h"
#include "proto/tag_check.h"
#include "tests/fuzz/fuzz.h"

/* The text up to a newline, without what is behind a NUL; *rest moves behind it. */
static void take_line(struct bytes *rest, struct buf *out)
{
    const uint8_t *end = rest->len == 0 ? NULL : memchr(rest->data, '\n', rest->len);
    size_t len = end == NULL ? rest->len : (size_t)(end - rest->data);

    buf_append(out, rest->data, len);
    if (end != NULL)
        len++;
    *rest = bytes_of(rest->data + len, rest->len - len);
}

static void try_keys(const char *query)
{
    Lapwing__UntagResource untag = LAPWING__UNTAG_RESOURCE__INIT;
    struct api_error error = { 0 };
    struct tag_keys keys = { 0 };

    if (tag_keys_read(query, &keys, &error) == ST_OK) {
        untag.account = (char *)"000000000000";
        untag.region = (char *)"us-east-1";
        untag.resource = (char *)"function:f";
        untag.n_keys = keys.count;
        untag.keys = keys.keys;
        CHECK(untag_resource_check(&untag, NULL) == ST_OK);
    } else {
        CHECK(error.code != NULL);
    }
    tag_keys_done(&keys);
}

static void try_body(struct bytes body)
{
    struct api_error error = { 0 };
    struct tags_input input = { 0 };

    if (tag_body_read(body, &input, &error) == ST_OK)
        CHECK(input.count > 0 && tags_check(input.list, input.count, NULL) == ST_OK);
    else
        CHECK(error.code != NULL);
    tags_input_done(&input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static const struct function_scope scope = { .account = "000000000000", .region = "us-east-1" };
    struct bytes rest = bytes_of(data, len);
    struct api_error error = { 0 };
    struct function_ref ref;
    struct buf arn = { 0 };
    struct buf query = { 0 };

    take_line(&rest, &arn);
    take_line(&rest, &query);
    if (tag_resource_parse(buf_text(&arn), &scope, &ref, &error) != ST_OK)
        CHECK(error.code != NULL);
    try_keys(buf_text(&query));
    try_body(rest);
    buf_done(&arn);
    buf_done(&query);
    return 0;
}
