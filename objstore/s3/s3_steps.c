/* Which steps each operation has. */
#include "base/check.h"
#include "objstore/s3/s3_request.h"

const struct s3_steps *s3_steps_of(enum s3_operation operation)
{
    static const struct s3_steps *const steps[S3_OPERATIONS] = {
        [S3_LIST_BUCKETS] = &s3_list_buckets_steps,
        [S3_CREATE_BUCKET] = &s3_create_bucket_steps,
        [S3_HEAD_BUCKET] = &s3_head_bucket_steps,
        [S3_DELETE_BUCKET] = &s3_delete_bucket_steps,
        [S3_GET_BUCKET_LOCATION] = &s3_location_steps,
        [S3_LIST_OBJECTS] = &s3_list_objects_steps,
        [S3_LIST_OBJECTS_V2] = &s3_list_objects_v2_steps,
        [S3_LIST_OBJECT_VERSIONS] = &s3_list_versions_steps,
        [S3_GET_BUCKET_DEFAULT] = &s3_bucket_default_steps,
        [S3_GET_OBJECT_DEFAULT] = &s3_object_default_steps,
        [S3_PUT_OBJECT] = &s3_put_object_steps,
        [S3_GET_OBJECT] = &s3_get_object_steps,
        [S3_HEAD_OBJECT] = &s3_head_object_steps,
        [S3_DELETE_OBJECT] = &s3_delete_object_steps,
        [S3_DELETE_OBJECTS] = &s3_delete_objects_steps,
        [S3_COPY_OBJECT] = &s3_copy_object_steps,
        [S3_CREATE_UPLOAD] = &s3_create_upload_steps,
        [S3_UPLOAD_PART] = &s3_upload_part_steps,
        [S3_UPLOAD_PART_COPY] = &s3_part_copy_steps,
        [S3_COMPLETE_UPLOAD] = &s3_complete_upload_steps,
        [S3_ABORT_UPLOAD] = &s3_abort_upload_steps,
        [S3_LIST_PARTS] = &s3_list_parts_steps,
        [S3_LIST_UPLOADS] = &s3_list_uploads_steps,
    };

    CHECK(operation < S3_OPERATIONS);
    CHECK(steps[operation] != NULL);
    return steps[operation];
}
