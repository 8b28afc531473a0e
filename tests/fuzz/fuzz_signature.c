/* Signed requests of both versions: whatever the head says, it is refused or verified, and no
 * signature but that of the key is right.  The input is a request as it is sent. */
#include <string.h>

#include "base/check.h"
#include "base/http_parser.h"
#include "base/sigv2.h"
#include "base/sigv4.h"
#include "tests/fuzz/fuzz.h"

static const uint64_t now_s = 1440938160; /* 20150830T123600Z, when the samples were signed */

/* Not a secret of the samples, so nobody can have signed with it. */
static struct bytes another_secret(void)
{
    return bytes_of_text("another");
}

static void try_version_4(const struct http_head *head)
{
    uint8_t digest[SHA256_BYTES];
    struct sigv4 sig;
    enum status st;

    if (sigv4_parse(head, &sig, NULL) != ST_OK)
        return;
    hash_sha256((struct bytes){ 0 }, digest);
    CHECK(strlen(sig.timestamp) == 16);
    CHECK(sig.expires_s <= SIGV4_EXPIRES_S_MAX);
    st = sigv4_verify(head, &sig, another_secret(), digest, sig.signed_at_s, NULL);
    CHECK(st == ST_DENIED);
    sigv4_done(&sig);
}

static void try_version_2(const struct http_head *head)
{
    struct sigv2 sig;

    if (sigv2_parse(head, &sig, NULL) != ST_OK)
        return;
    CHECK(sigv2_verify(head, &sig, another_secret(), now_s, NULL) != ST_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static struct http_parser parser;
    struct bytes in = bytes_of(data, len);
    enum http_event event;

    http_parser_init(&parser, HTTP_PARSER_REQUEST);
    if (http_parser_next(&parser, &in, &event, NULL) == ST_OK && event == HTTP_EVENT_HEAD) {
        struct http_head head = http_parser_head(&parser);

        try_version_4(&head);
        try_version_2(&head);
    }
    http_parser_done(&parser);
    return 0;
}
