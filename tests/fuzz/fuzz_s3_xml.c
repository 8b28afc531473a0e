/* The XML that clients send: whatever comes, it is read to an end, and what it yields is bounded.
 */
#include "base/check.h"
#include "base/limits.h"
#include "objstore/s3/s3_delete.h"
#include "objstore/s3/s3_text.h"
#include "objstore/s3/s3_upload.h"
#include "objstore/s3/s3_xml_read.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bytes document = bytes_of(data, len);
    struct s3_deletion deletion;
    enum s3_xml_kind kind;
    struct s3_claims claims;
    struct bytes name;
    struct s3_xml xml;
    char region[32];
    int depth = 0;

    s3_xml_init(&xml, document);
    while ((kind = s3_xml_next(&xml, &name)) == S3_XML_OPEN || kind == S3_XML_CLOSE) {
        depth += kind == S3_XML_OPEN ? 1 : -1;
        CHECK(depth >= 0 && depth <= S3_XML_DEPTH_MAX);
        CHECK(xml.text.len <= len);
    }
    CHECK(kind == S3_XML_BAD || depth == 0);
    s3_xml_done(&xml);

    if (s3_claims_parse(document, &claims) == S3_OK)
        CHECK(claims.count >= 1 && claims.count <= UPLOAD_PARTS_MAX);
    s3_claims_done(&claims);
    if (s3_deletion_parse(document, &deletion) == S3_OK)
        CHECK(deletion.count >= 1 && deletion.count <= DELETE_OBJECTS_MAX);
    s3_deletion_done(&deletion);
    (void)s3_location_parse(document, region, sizeof region);
    return 0;
}
