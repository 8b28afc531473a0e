/* Packets that a function sends to its resolver, and the host's resolv.conf. */
#include <stdlib.h>

#include "base/check.h"
#include "tests/fuzz/fuzz.h"
#include "worker/runtime/dns_relay.h"

enum { HEADER_BYTES = 12, QUESTION_END_BYTES = 5, NAME_BYTES_MAX = 255 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct relay_targets resolvers = { 0 };
    char *text = must_calloc(1, len + 1);
    size_t question = 0;

    if (dns_is_query(bytes_of(data, len), &question)) {
        CHECK(len <= DNS_QUERY_BYTES_MAX);
        CHECK(question >= QUESTION_END_BYTES && question <= len - HEADER_BYTES);
        CHECK(question - (QUESTION_END_BYTES - 1) <= NAME_BYTES_MAX);
        /* The same without what follows the question. */
        CHECK(dns_is_query(bytes_of(data, HEADER_BYTES + question), &question));
        CHECK(!dns_is_query(bytes_of(data, HEADER_BYTES + question - 1), &question));
    }
    for (size_t i = 0; i < len; i++)
        text[i] = (char)data[i];
    dns_resolvers_parse(text, &resolvers);
    CHECK(resolvers.count <= RELAY_TARGETS_MAX);
    free(text);
    return 0;
}
