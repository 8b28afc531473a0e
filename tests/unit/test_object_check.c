/* Checks of uploads, parts and what is done with many keys: each row is valid but for one thing. */
#include "proto/object_check.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/limits.h"
#include "tests/unit/check.h"
#include "tests/unit/state_fixture.h"

#define UPLOAD_1 "00000000000000000000000000000001"

static uint8_t zeros[64];

static ProtobufCBinaryData bytes(size_t len)
{
    return (ProtobufCBinaryData){ .len = len, .data = zeros };
}

TEST(a_part_is_held_to_its_limits)
{
    static const struct {
        const char *name, *upload;
        uint32_t number;
        uint64_t bytes;
        size_t md5, blob, checksum;
        enum status want;
    } rows[] = {
        { "the first", UPLOAD_1, 1, 0, 16, 32, 0, ST_OK },
        { "the last and largest", UPLOAD_1, UPLOAD_PARTS_MAX, OBJECT_PUT_BYTES_MAX, 16, 32, 32,
          ST_OK },
        { "number 0", UPLOAD_1, 0, 1, 16, 32, 4, ST_BAD_INPUT },
        { "one too many", UPLOAD_1, UPLOAD_PARTS_MAX + 1, 1, 16, 32, 4, ST_BAD_INPUT },
        { "one byte too large", UPLOAD_1, 1, OBJECT_PUT_BYTES_MAX + 1, 16, 32, 4, ST_BAD_INPUT },
        { "a short digest", UPLOAD_1, 1, 1, 15, 32, 4, ST_BAD_INPUT },
        { "no blob", UPLOAD_1, 1, 1, 16, 0, 4, ST_BAD_INPUT },
        { "a long checksum", UPLOAD_1, 1, 1, 16, 32, 33, ST_BAD_INPUT },
        { "no upload", "", 1, 1, 16, 32, 4, ST_BAD_INPUT },
        { "a short name", "1", 1, 1, 16, 32, 4, ST_BAD_INPUT },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Lapwing__PutPart put = LAPWING__PUT_PART__INIT;
        Lapwing__Part part = LAPWING__PART__INIT;

        test_case = rows[i].name;
        put.bucket = (char *)"bucket";
        put.key = (char *)"key";
        put.upload = (char *)rows[i].upload;
        put.part = &part;
        part.number = rows[i].number;
        part.bytes = rows[i].bytes;
        part.md5 = bytes(rows[i].md5);
        part.blob = bytes(rows[i].blob);
        part.checksum = bytes(rows[i].checksum);
        EXPECT_EQ(put_part_check(&put, NULL), rows[i].want);
        put.part = NULL;
        EXPECT_EQ(put_part_check(&put, NULL), ST_BAD_INPUT);
    }
    test_case = NULL;
}

TEST(an_upload_has_no_content_yet_and_a_known_checksum)
{
    static const struct {
        const char *name, *checksum, *etag, *owner;
        size_t blob;
        enum status want;
    } rows[] = {
        { "none", "", "", FIXTURE_ACCOUNT, 0, ST_OK },
        { "known", "CRC64NVME", "", FIXTURE_ACCOUNT, 0, ST_OK },
        { "unknown", "CRC16", "", FIXTURE_ACCOUNT, 0, ST_BAD_INPUT },
        { "an etag", "", "abc", FIXTURE_ACCOUNT, 0, ST_BAD_INPUT },
        { "a blob", "", "", FIXTURE_ACCOUNT, 32, ST_BAD_INPUT },
        { "nobody's", "", "", "", 0, ST_BAD_INPUT },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Lapwing__CreateUpload create = LAPWING__CREATE_UPLOAD__INIT;
        Lapwing__Upload upload = LAPWING__UPLOAD__INIT;
        Lapwing__Object object;

        test_case = rows[i].name;
        fixture_object(&object, "bucket", "key");
        object.bytes = 0;
        object.etag = (char *)rows[i].etag;
        object.owner = (char *)rows[i].owner;
        object.blob = bytes(rows[i].blob);
        upload.object = &object;
        upload.upload = (char *)UPLOAD_1;
        upload.checksum = (char *)rows[i].checksum;
        create.upload = &upload;
        EXPECT_EQ(create_upload_check(&create, NULL), rows[i].want);
    }
    test_case = NULL;
}

TEST(a_completion_lists_rising_parts)
{
    static const struct {
        const char *name;
        size_t count;
        uint32_t first, step;
        enum status want;
    } rows[] = {
        { "one", 1, 1, 1, ST_OK },
        { "all", UPLOAD_PARTS_MAX, 1, 1, ST_OK },
        { "one too many", UPLOAD_PARTS_MAX + 1, 1, 1, ST_BAD_INPUT },
        { "none", 0, 1, 1, ST_BAD_INPUT },
        { "from 0", 2, 0, 1, ST_BAD_INPUT },
        { "one twice", 2, 1, 0, ST_BAD_INPUT },
        { "falling", 2, 5, UINT32_MAX, ST_BAD_INPUT },
        { "a number too large", 1, UPLOAD_PARTS_MAX + 1, 1, ST_BAD_INPUT },
    };
    static uint32_t numbers[UPLOAD_PARTS_MAX + 1];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Lapwing__CompleteUpload complete = LAPWING__COMPLETE_UPLOAD__INIT;
        Lapwing__Object object;

        test_case = rows[i].name;
        fixture_object(&object, "bucket", "key");
        object.blob = bytes(0);
        object.upload = (char *)UPLOAD_1;
        for (size_t j = 0; j < rows[i].count; j++)
            numbers[j] = rows[i].first + (uint32_t)j * rows[i].step;
        complete.object = &object;
        complete.revision = 1;
        complete.parts = numbers;
        complete.n_parts = rows[i].count;
        EXPECT_EQ(complete_upload_check(&complete, NULL), rows[i].want);
        complete.revision = 0;
        EXPECT_EQ(complete_upload_check(&complete, NULL), ST_BAD_INPUT);
        complete.revision = 1;
        object.blob = bytes(32);
        EXPECT_EQ(complete_upload_check(&complete, NULL), ST_BAD_INPUT);
    }
    test_case = NULL;
}

TEST(parts_are_only_taken_over_from_the_source_that_is_named)
{
    Lapwing__PutObject put = LAPWING__PUT_OBJECT__INIT;
    Lapwing__CopySource source = LAPWING__COPY_SOURCE__INIT;
    Lapwing__Object object;

    fixture_object(&object, "bucket", "key");
    object.blob = bytes(0);
    object.upload = (char *)UPLOAD_1;
    put.object = &object;
    EXPECT_EQ(put_object_check(&put, NULL), ST_BAD_INPUT);
    put.source = &source;
    source.bucket = (char *)"bucket";
    source.key = (char *)"from";
    source.blob = bytes(32);
    EXPECT_EQ(put_object_check(&put, NULL), ST_BAD_INPUT);
    source.blob = bytes(0);
    source.upload = (char *)UPLOAD_1;
    EXPECT_EQ(put_object_check(&put, NULL), ST_OK);
    source.key = (char *)"";
    EXPECT_EQ(put_object_check(&put, NULL), ST_BAD_INPUT);
}

TEST(a_thousand_keys_are_deleted_at_once_and_no_more)
{
    static char *keys[DELETE_OBJECTS_MAX + 1];
    Lapwing__DeleteObjects del = LAPWING__DELETE_OBJECTS__INIT;

    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        keys[i] = (char *)"key";
    del.bucket = (char *)"bucket";
    del.keys = keys;
    del.n_keys = DELETE_OBJECTS_MAX;
    EXPECT_EQ(delete_objects_check(&del, NULL), ST_OK);
    del.n_keys++;
    EXPECT_EQ(delete_objects_check(&del, NULL), ST_BAD_INPUT);
    del.n_keys = 2;
    keys[1] = (char *)"";
    EXPECT_EQ(delete_objects_check(&del, NULL), ST_BAD_INPUT);
}
