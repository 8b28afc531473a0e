/* Heads of S3 requests: where they go, which of their fields are kept, and what their conditions
 * say. */
#include <string.h>

#include "base/check.h"
#include "base/http_parser.h"
#include "base/s3_host.h"
#include "objstore/s3/s3_headers.h"
#include "objstore/s3/s3_route.h"
#include "objstore/s3/s3_text.h"
#include "tests/fuzz/fuzz.h"

static void routed(const struct http_head *head)
{
    struct s3_route route = { 0 };

    if (s3_route(head, "s3.example", &route) != S3_OK)
        return;
    CHECK(route.name != NULL);
    CHECK(strlen(route.bucket) <= S3_BUCKET_BYTES_MAX);
    CHECK(strlen(route.key) <= S3_KEY_BYTES_MAX);
    CHECK(s3_text_is_utf8(bytes_of_text(route.key)));
    CHECK(route.key[0] == '\0' || route.bucket[0] != '\0');
}

static void kept(const struct http_head *head)
{
    Lapwing__Object object = LAPWING__OBJECT__INIT;
    struct err err = { 0 };
    enum s3_error error = s3_headers_read(head, &object, &err);
    size_t bytes = 0;

    for (size_t i = 0; i < object.n_metadata; i++)
        if (strncmp(object.metadata[i]->name, "x-amz-meta-", 11) == 0)
            bytes += strlen(object.metadata[i]->name) - 11 + strlen(object.metadata[i]->value);
    CHECK(error != S3_OK || bytes <= S3_METADATA_BYTES_MAX);
    s3_headers_done(&object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct http_parser parser;
    struct bytes in = bytes_of(data, len);
    enum http_event event;

    http_parser_init(&parser, HTTP_PARSER_REQUEST);
    if (http_parser_next(&parser, &in, &event, NULL) == ST_OK && event == HTTP_EVENT_HEAD) {
        struct http_head head = http_parser_head(&parser);
        struct bytes host;

        for (int which = S3_CONDITIONS_PLAIN; which <= S3_CONDITIONS_OF_SOURCE; which++) {
            unsigned status =
                s3_condition(&head, which, "0123456789abcdef0123456789abcdef", 1440938160000);

            CHECK(status == 200 || status == 304 || status == 412);
        }
        if (http_head_find(&head, "Host", &host))
            CHECK(s3_host_bucket(host, "s3.example").len <= host.len);
        routed(&head);
        kept(&head);
    }
    http_parser_done(&parser);
    return 0;
}
