/* Payloads and client contexts of Invoke.  What another reader of JSON takes, ours takes as well:
 * an event that is refused by mistake is a call that is lost. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "controlplane/api/lambda/invoke_rules.h"
#include "controlplane/api/lambda/payload_rules.h"
#include "tests/fuzz/fuzz.h"

/* More than there can be levels, or what the other reader takes for the end of the text. */
static bool is_incomparable(struct bytes in)
{
    size_t opened = 0;

    if (in.len > 0 && memchr(in.data, '\0', in.len) != NULL)
        return true;

    for (size_t i = 0; i < in.len; i++)
        opened += in.data[i] == '[' || in.data[i] == '{';
    return opened > PAYLOAD_DEPTH_MAX;
}

static void context(struct bytes in)
{
    char *text = must_calloc(1, in.len + 1);
    const struct invoke_headers headers = { .client_context = text };
    struct invoke_settings settings = { 0 };
    struct api_error error = { 0 };

    for (size_t i = 0; i < in.len; i++)
        text[i] = (char)in.data[i];
    if (invoke_settings_read(&headers, &settings, &error) == ST_OK)
        CHECK(settings.client_context.len <= CLIENT_CONTEXT_BASE64_BYTES_MAX);
    buf_done(&settings.client_context);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bytes in = bytes_of(data, len);
    struct api_error error = { 0 };
    enum status st = payload_check(in, &error);
    json_t *tree;

    CHECK((st == ST_OK) == (error.code == NULL));
    context(in);
    if (is_incomparable(in))
        return 0;
    tree = json_loadb((const char *)data, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    CHECK(tree == NULL || st == ST_OK);
    json_decref(tree);
    return 0;
}
