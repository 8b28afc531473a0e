/* What the key of a link opens: the object that it was made for, and nothing else. */
#include "objstore/s3/s3_auth.h"

#include <stdlib.h>
#include <string.h>

#include "objstore/client/objstore.h"
#include "tests/unit/check.h"

#define PACKAGE "/lapwing-internal-packages/abc.zip"

enum { NOW_S = 1767225600 };

static const uint8_t cluster_key[32] = { 1, 2, 3 };

/* A presigned request as it arrives: signed for one method and target, sent with others. */
struct sent {
    const char *key_bucket, *key_key; /* whose link key signs; NULL bucket: the internal key */
    const char *signed_method, *signed_target;
    uint32_t expires_s;
    const char *method;
    const char *target; /* replaces the path of the signed one; NULL: as it was signed */
    uint64_t at_s;      /* when it arrives, after it was signed */
};

/* S3_OK and whether it may, as the server asks. */
static enum s3_error arrive(const struct sent *sent, bool *out_may)
{
    const struct s3_keys keys = { NULL, 0, bytes_of(cluster_key, sizeof cluster_key) };
    char id[OBJSTORE_LINK_KEY_BYTES] = OBJSTORE_INTERNAL_ACCESS_KEY;
    char secret[DERIVED_SECRET_BYTES];
    struct sigv4_signer signer = { id, secret, "eu-west-1", "s3", NOW_S };
    const struct http_field host = { bytes_of_text("Host"), bytes_of_text("localhost:4566") };
    struct http_head head = { bytes_of_text(sent->signed_method),
                              bytes_of_text(sent->signed_target), &host, 1 };
    struct buf target = { 0 };
    struct buf moved = { 0 };
    struct s3_caller caller;
    struct s3_route route;
    struct err err = { 0 };
    enum s3_error error;

    if (sent->key_bucket != NULL)
        objstore_link_key(sent->key_bucket, sent->key_key, id);
    hash_derived_secret(keys.cluster_key, id, secret);
    EXPECT_EQ(sigv4_presign(&signer, &head, sent->expires_s, &target, &err), ST_OK);
    head.method = bytes_of_text(sent->method);
    if (sent->target != NULL)
        buf_printf(&moved, "%s%s", sent->target, strchr(buf_text(&target), '?'));
    head.target = buf_view(sent->target != NULL ? &moved : &target);
    EXPECT_EQ(s3_route(&head, NULL, &route), S3_OK);
    error = s3_authenticate(&keys, &head, &route, NOW_S + sent->at_s, &caller, &err);
    *out_may = error == S3_OK && s3_caller_may(&caller, &route);
    buf_done(&target);
    buf_done(&moved);
    return error;
}

#define BUCKET "lapwing-internal-packages"

static const struct {
    const char *name;
    struct sent sent;
    enum s3_error error;
    bool may;
} rows[] = {
    // clang-format off
    { "as it was made", { BUCKET, "abc.zip", "GET", PACKAGE, 600, "GET", NULL, 0 }, S3_OK, true },
    { "in its last second", { BUCKET, "abc.zip", "GET", PACKAGE, 600, "GET", NULL, 600 }, S3_OK, true },
    { "a second later", { BUCKET, "abc.zip", "GET", PACKAGE, 600, "GET", NULL, 601 }, S3_ACCESS_DENIED, false },
    { "moved to another object", { BUCKET, "abc.zip", "GET", PACKAGE, 600, "GET", "/" BUCKET "/def.zip", 0 },
      S3_SIGNATURE_DOES_NOT_MATCH, false },
    { "with another method", { BUCKET, "abc.zip", "GET", PACKAGE, 600, "DELETE", NULL, 0 },
      S3_SIGNATURE_DOES_NOT_MATCH, false },
    { "signed for a method that changes", { BUCKET, "abc.zip", "DELETE", PACKAGE, 600, "DELETE", NULL, 0 }, S3_OK, false },
    { "signed for a put", { BUCKET, "abc.zip", "PUT", PACKAGE, 600, "PUT", NULL, 0 }, S3_OK, false },
    { "signed for a head", { BUCKET, "abc.zip", "HEAD", PACKAGE, 600, "HEAD", NULL, 0 }, S3_OK, false },
    { "signed for another object", { BUCKET, "def.zip", "GET", PACKAGE, 600, "GET", NULL, 0 }, S3_OK, false },
    { "signed for the list", { BUCKET, "abc.zip", "GET", "/" BUCKET, 600, "GET", NULL, 0 }, S3_OK, false },
    { "signed for all buckets", { BUCKET, "abc.zip", "GET", "/", 600, "GET", NULL, 0 }, S3_OK, false },
    { "signed for a second longer", { BUCKET, "abc.zip", "GET", PACKAGE, 601, "GET", NULL, 0 }, S3_OK, false },
    { "the internal key is no link's", { NULL, NULL, "GET", PACKAGE, 601, "GET", NULL, 0 }, S3_OK, true },
    // clang-format on
};

TEST(the_key_of_a_link_gets_its_object_and_nothing_else)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        bool may = false;

        test_case = rows[i].name;
        EXPECT_EQ(arrive(&rows[i].sent, &may), rows[i].error);
        EXPECT_EQ(may, rows[i].may);
    }
    test_case = NULL;
}

TEST(the_key_of_a_link_signs_no_header)
{
    struct s3_caller caller = { .is_link = true, .presigned_s = 0 };
    struct s3_route route = { .operation = S3_GET_OBJECT, .bucket = BUCKET, .key = "abc.zip" };

    objstore_link_key(BUCKET, "abc.zip", caller.access_key_id);
    EXPECT(!s3_caller_may(&caller, &route));
    caller.presigned_s = OBJSTORE_LINK_S_MAX;
    EXPECT(s3_caller_may(&caller, &route));
}
