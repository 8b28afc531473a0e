/* Certificates and requests of strangers, as PEM texts: read, shown, never trusted. */
#include "base/certificate_make.h"
#include "base/check.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bytes in = bytes_of(data, len);
    struct certificate_facts facts;
    struct node_identity identity;
    char cluster[CLUSTER_NAME_BYTES_MAX + 1];
    struct buf shown = { 0 };
    struct err err = { 0 };

    if (certificate_facts_of(in, &facts, &err) == ST_OK)
        CHECK(node_identity_check(&facts.identity, &err) == ST_OK);
    else
        CHECK(err.text[0] != '\0');
    (void)certificate_describe(in, 1000000000, &shown, &err);
    for (size_t i = 0; i < shown.len; i++)
        CHECK(shown.data[i] == '\n' || (shown.data[i] >= ' ' && shown.data[i] < 0x7f));
    if (certificate_ca_cluster(in, cluster, &err) == ST_OK)
        CHECK(node_name_ok(bytes_of_text(cluster), CLUSTER_NAME_BYTES_MAX));
    if (certificate_request_read(in, &identity, &err) == ST_OK)
        CHECK(node_identity_check(&identity, &err) == ST_OK);
    buf_done(&shown);
    return 0;
}
