/* The table of configurations. */
#include "objstore/s3/s3_default.h"

#include <string.h>

#include "base/check.h"
#include "objstore/s3/s3_text.h"
#include "objstore/s3/s3_xml.h"

// clang-format off
static const struct {
    const char *name;
    enum s3_error error;
    const char *element; /* of the answer */
    const char *content; /* inside it */
} rows[] = {
    { "GetBucketVersioning",                S3_OK, "VersioningConfiguration", "" },
    { "GetBucketAcl",                       S3_OK, "AccessControlPolicy", NULL },
    { "GetObjectAcl",                       S3_OK, "AccessControlPolicy", NULL },
    { "GetObjectTagging",                   S3_OK, "Tagging", "<TagSet></TagSet>" },
    { "GetBucketNotificationConfiguration", S3_OK, "NotificationConfiguration", "" },
    { "GetBucketLogging",                   S3_OK, "BucketLoggingStatus", "" },
    { "GetBucketAccelerateConfiguration",   S3_OK, "AccelerateConfiguration", "" },
    { "GetBucketRequestPayment",            S3_OK, "RequestPaymentConfiguration", "<Payer>BucketOwner</Payer>" },
    { "GetBucketTagging",                   S3_NO_SUCH_TAG_SET, NULL, NULL },
    { "GetBucketPolicy",                    S3_NO_SUCH_BUCKET_POLICY, NULL, NULL },
    { "GetBucketPolicyStatus",              S3_NO_SUCH_BUCKET_POLICY, NULL, NULL },
    { "GetBucketCors",                      S3_NO_SUCH_CORS, NULL, NULL },
    { "GetBucketLifecycleConfiguration",    S3_NO_SUCH_LIFECYCLE, NULL, NULL },
    { "GetBucketEncryption",                S3_ENCRYPTION_NOT_CONFIGURED, NULL, NULL },
    { "GetBucketWebsite",                   S3_NO_SUCH_WEBSITE, NULL, NULL },
    { "GetBucketReplication",               S3_NO_SUCH_REPLICATION, NULL, NULL },
    { "GetObjectLockConfiguration",         S3_NO_SUCH_OBJECT_LOCK, NULL, NULL },
    { "GetBucketOwnershipControls",         S3_NO_SUCH_OWNERSHIP_CONTROLS, NULL, NULL },
    { "GetPublicAccessBlock",               S3_NO_SUCH_PUBLIC_ACCESS_BLOCK, NULL, NULL },
    { "GetObjectLegalHold",                 S3_NO_SUCH_OBJECT_LOCK_OF_OBJECT, NULL, NULL },
    { "GetObjectRetention",                 S3_NO_SUCH_OBJECT_LOCK_OF_OBJECT, NULL, NULL },
};
// clang-format on

static size_t row_of(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++)
        if (strcmp(rows[i].name, name) == 0)
            return i;
    CHECK(!"s3: an operation without a default");
}

enum s3_error s3_default_error(const char *name)
{
    return rows[row_of(name)].error;
}

/* The owner may do everything, and nobody else anything. */
static void acl(struct buf *out, const char *account)
{
    char id[65];

    s3_owner_id(account, id);
    s3_xml_person(out, "Owner", account);
    buf_append_text(out, "<AccessControlList><Grant>"
                         "<Grantee xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" "
                         "xsi:type=\"CanonicalUser\">");
    s3_xml_element(out, "ID", id);
    s3_xml_element(out, "DisplayName", account);
    buf_append_text(out, "</Grantee><Permission>FULL_CONTROL</Permission></Grant>"
                         "</AccessControlList>");
}

void s3_xml_default(struct buf *out, const char *name, const char *account)
{
    size_t row = row_of(name);

    CHECK(rows[row].error == S3_OK);
    buf_printf(out, S3_XML_HEAD "<%s" S3_XML_NS ">", rows[row].element);
    if (rows[row].content != NULL)
        buf_append_text(out, rows[row].content);
    else
        acl(out, account);
    buf_printf(out, "</%s>", rows[row].element);
}
