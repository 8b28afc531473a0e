/* The URI in a certificate: what decodes encodes to the bytes that it was read from. */
#include "base/check.h"
#include "base/node_identity_rules.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct node_identity identity;
    char again[NODE_IDENTITY_URI_BYTES];
    struct err err = { 0 };

    if (node_identity_parse(bytes_of(data, len), &identity, &err) != ST_OK) {
        CHECK(err.text[0] != '\0');
        return 0;
    }
    CHECK(node_identity_check(&identity, &err) == ST_OK);
    node_identity_uri(&identity, again);
    CHECK(bytes_equal(bytes_of_text(again), bytes_of(data, len)));
    return 0;
}
