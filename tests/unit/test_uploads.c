/* The commands and reads of multipart uploads. */
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "base/limits.h"
#include "controlplane/state/objects.h"
#include "tests/unit/check.h"
#include "tests/unit/state_fixture.h"

#define ETAG "5d41402abc4b2a76b9719d911017c592" /* fixture_object()'s */

static void open_with_bucket(struct fixture *fixture)
{
    fixture_open(fixture, ":memory:", STATE_GROUP_STORAGE);
    EXPECT_EQ(fixture_create_bucket(fixture, "bucket", FIXTURE_ACCOUNT), ST_OK);
}

/* The name of upload `number`; a static buffer. */
static char *name_of(uint64_t number)
{
    return (char *)fixture_uid(number);
}

static enum status create(struct fixture *fixture, const char *key, uint64_t number)
{
    Lapwing__CreateUpload cmd = LAPWING__CREATE_UPLOAD__INIT;
    Lapwing__Upload upload = LAPWING__UPLOAD__INIT;
    Lapwing__Object object = LAPWING__OBJECT__INIT;

    object.bucket = (char *)"bucket";
    object.key = (char *)key;
    object.owner = (char *)FIXTURE_ACCOUNT;
    object.content_type = (char *)"text/plain";
    upload.object = &object;
    upload.upload = name_of(number);
    upload.checksum = (char *)"CRC32";
    cmd.upload = &upload;
    return fixture_apply(fixture, LAPWING__COMMAND_TYPE__CREATE_UPLOAD, &cmd.base);
}

static enum status put_part(
    struct fixture *fixture, const char *key, uint64_t upload, uint32_t number, uint64_t bytes)
{
    static uint8_t hashes[SHA256_BYTES];
    Lapwing__PutPart cmd = LAPWING__PUT_PART__INIT;
    Lapwing__Part part = LAPWING__PART__INIT;

    hashes[0] = (uint8_t)number;
    part.number = number;
    part.bytes = bytes;
    part.md5 = (ProtobufCBinaryData){ .len = MD5_BYTES, .data = hashes };
    part.blob = (ProtobufCBinaryData){ .len = SHA256_BYTES, .data = hashes };
    part.checksum = (ProtobufCBinaryData){ .len = 4, .data = hashes };
    cmd.bucket = (char *)"bucket";
    cmd.key = (char *)key;
    cmd.upload = name_of(upload);
    cmd.part = &part;
    return fixture_apply(fixture, LAPWING__COMMAND_TYPE__PUT_PART, &cmd.base);
}

static enum status complete(struct fixture *fixture,
                            const char *key,
                            Lapwing__CompleteUpload *cmd,
                            uint64_t upload,
                            uint64_t bytes)
{
    Lapwing__Object object;

    fixture_object(&object, "bucket", key);
    object.blob.len = 0;
    object.bytes = bytes;
    object.upload = name_of(upload);
    object.etag = (char *)"abc-2";
    cmd->object = &object;
    return fixture_apply(fixture, LAPWING__COMMAND_TYPE__COMPLETE_UPLOAD, &cmd->base);
}

/* Parts 1 and 2 of 10 and 5 bytes, completed. */
static void complete_two(struct fixture *fixture, const char *key, uint64_t upload)
{
    Lapwing__CompleteUpload cmd = LAPWING__COMPLETE_UPLOAD__INIT;
    uint32_t numbers[] = { 1, 2 };

    EXPECT_EQ(create(fixture, key, upload), ST_OK);
    EXPECT_EQ(put_part(fixture, key, upload, 1, 10), ST_OK);
    EXPECT_EQ(put_part(fixture, key, upload, 2, 5), ST_OK);
    cmd.parts = numbers;
    cmd.n_parts = 2;
    cmd.revision = 3;
    EXPECT_EQ(complete(fixture, key, &cmd, upload, 15), ST_OK);
}

static enum status abort_upload(struct fixture *fixture,
                                const char *bucket,
                                const char *key,
                                uint64_t upload)
{
    Lapwing__AbortUpload cmd = LAPWING__ABORT_UPLOAD__INIT;

    cmd.bucket = (char *)bucket;
    cmd.key = (char *)key;
    cmd.upload = name_of(upload);
    return fixture_apply(fixture, LAPWING__COMMAND_TYPE__ABORT_UPLOAD, &cmd.base);
}

static void get_upload(struct fixture *fixture,
                       const char *key,
                       uint64_t upload,
                       uint32_t max_parts,
                       Lapwing__ReadReply *reply)
{
    Lapwing__ReadRequest req = LAPWING__READ_REQUEST__INIT;
    Lapwing__GetUploadRead read = LAPWING__GET_UPLOAD_READ__INIT;

    read.bucket = (char *)"bucket";
    read.key = (char *)key;
    read.upload = name_of(upload);
    read.max_parts = max_parts;
    req.what_case = LAPWING__READ_REQUEST__WHAT_GET_UPLOAD;
    req.get_upload = &read;
    fixture_read(fixture, &req, reply);
}

static void object_parts(struct fixture *fixture,
                         const char *key,
                         uint64_t upload,
                         uint64_t offset,
                         Lapwing__ReadReply *reply)
{
    Lapwing__ReadRequest req = LAPWING__READ_REQUEST__INIT;
    Lapwing__ObjectPartsRead read = LAPWING__OBJECT_PARTS_READ__INIT;

    read.bucket = (char *)"bucket";
    read.key = (char *)key;
    read.upload = name_of(upload);
    read.offset = offset;
    read.bytes = OBJECT_BYTES_MAX;
    req.what_case = LAPWING__READ_REQUEST__WHAT_OBJECT_PARTS;
    req.object_parts = &read;
    fixture_read(fixture, &req, reply);
}

static size_t parts_left(struct fixture *fixture, const char *key, uint64_t upload)
{
    Lapwing__ReadReply reply;
    size_t count;

    object_parts(fixture, key, upload, 0, &reply);
    count = reply.n_parts;
    state_read_reply_done(&reply);
    return count;
}

TEST(an_upload_is_made_once_and_in_a_bucket)
{
    struct fixture fixture = { 0 };

    fixture_open(&fixture, ":memory:", STATE_GROUP_STORAGE);
    EXPECT_EQ(create(&fixture, "key", 1), ST_NOT_FOUND);
    EXPECT_TEXT(fixture.last->reason, "no_such_bucket");
    EXPECT_EQ(fixture_create_bucket(&fixture, "bucket", FIXTURE_ACCOUNT), ST_OK);
    EXPECT_EQ(create(&fixture, "key", 1), ST_OK);
    EXPECT_EQ(create(&fixture, "other", 1), ST_EXISTS);
    EXPECT_EQ(create(&fixture, "key", 2), ST_OK);
    complete_two(&fixture, "third", 3);
    EXPECT_EQ(create(&fixture, "third", 3), ST_EXISTS);
    fixture_done(&fixture);
}

TEST(a_part_can_be_replaced_and_each_change_raises_the_revision)
{
    struct fixture fixture = { 0 };
    Lapwing__ReadReply reply;

    open_with_bucket(&fixture);
    EXPECT_EQ(create(&fixture, "key", 1), ST_OK);
    EXPECT_EQ(put_part(&fixture, "key", 1, 7, 10), ST_OK);
    EXPECT_EQ(put_part(&fixture, "key", 1, 2, 20), ST_OK);
    fixture.now_ms = 5000;
    EXPECT_EQ(put_part(&fixture, "key", 1, 7, 30), ST_OK);
    EXPECT_EQ(put_part(&fixture, "key", 9, 7, 30), ST_NOT_FOUND);
    EXPECT_TEXT(fixture.last->reason, "no_such_upload");
    EXPECT_EQ(put_part(&fixture, "other", 1, 7, 30), ST_NOT_FOUND);
    get_upload(&fixture, "key", 1, UPLOAD_PARTS_MAX, &reply);
    EXPECT_EQ(reply.uploads[0]->revision, 4);
    EXPECT_TEXT(reply.uploads[0]->object->content_type, "text/plain");
    EXPECT_TEXT(reply.uploads[0]->checksum, "CRC32");
    EXPECT_EQ(reply.n_parts, 2);
    EXPECT_EQ(reply.parts[0]->number, 2);
    EXPECT_EQ(reply.parts[1]->bytes, 30);
    EXPECT_EQ(reply.parts[1]->modified_ms, 5000);
    EXPECT(!reply.truncated);
    state_read_reply_done(&reply);
    get_upload(&fixture, "key", 1, 1, &reply);
    EXPECT_EQ(reply.n_parts, 1);
    EXPECT(reply.truncated);
    state_read_reply_done(&reply);
    fixture_done(&fixture);
}

TEST(a_completion_holds_to_revision_parts_and_conditions)
{
    static const struct {
        const char *name;
        uint64_t upload, revision;
        uint32_t numbers[3];
        size_t count;
        uint64_t bytes;
        bool only_if_absent;
        const char *only_if_etag;
        enum status want;
        const char *reason;
    } rows[] = {
        { "all", 1, 4, { 1, 3, 9 }, 3, 35, false, "", ST_OK, "" },
        { "some", 1, 4, { 3, 9 }, 2, 25, false, "", ST_OK, "" },
        { "the last alone", 1, 4, { 9 }, 1, 5, false, ETAG, ST_OK, "" },
        { "no such upload", 2, 4, { 1 }, 1, 10, false, "", ST_NOT_FOUND, "no_such_upload" },
        { "a part came since", 1, 3, { 1 }, 1, 10, false, "", ST_CONFLICT, "upload_changed" },
        { "a part is missing", 1, 4, { 1, 2 }, 2, 10, false, "", ST_CONFLICT, "invalid_part" },
        { "behind the last", 1, 4, { 9, 10 }, 2, 5, false, "", ST_CONFLICT, "invalid_part" },
        { "another sum", 1, 4, { 1 }, 1, 11, false, "", ST_CONFLICT, "invalid_part" },
        { "only if absent", 1, 4, { 1 }, 1, 10, true, "", ST_CONFLICT, "precondition_failed" },
        { "another etag", 1, 4, { 1 }, 1, 10, false, "no", ST_CONFLICT, "precondition_failed" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture fixture = { 0 };
        Lapwing__CompleteUpload cmd = LAPWING__COMPLETE_UPLOAD__INIT;
        Lapwing__ReadReply reply;

        test_case = rows[i].name;
        open_with_bucket(&fixture);
        EXPECT_EQ(fixture_put_object(&fixture, "bucket", "key"), ST_OK);
        EXPECT_EQ(create(&fixture, "key", 1), ST_OK);
        EXPECT_EQ(put_part(&fixture, "key", 1, 1, 10), ST_OK);
        EXPECT_EQ(put_part(&fixture, "key", 1, 3, 20), ST_OK);
        EXPECT_EQ(put_part(&fixture, "key", 1, 9, 5), ST_OK);
        cmd.revision = rows[i].revision;
        cmd.parts = (uint32_t *)rows[i].numbers;
        cmd.n_parts = rows[i].count;
        cmd.only_if_absent = rows[i].only_if_absent;
        cmd.only_if_etag = (char *)rows[i].only_if_etag;
        EXPECT_EQ(complete(&fixture, "key", &cmd, rows[i].upload, rows[i].bytes), rows[i].want);
        EXPECT_TEXT(fixture.last->reason, rows[i].reason);
        get_upload(&fixture, "key", 1, UPLOAD_PARTS_MAX, &reply);
        EXPECT_EQ(reply.n_uploads, rows[i].want != ST_OK);
        EXPECT_EQ(reply.n_objects, rows[i].want == ST_OK); /* a client may ask again */
        state_read_reply_done(&reply);
        EXPECT_EQ(parts_left(&fixture, "key", 1), rows[i].want == ST_OK ? rows[i].count : 0);
        fixture_done(&fixture);
    }
    test_case = NULL;
}

TEST(an_object_shows_the_parts_that_hold_its_bytes)
{
    static const struct {
        uint64_t offset;
        size_t parts;
        uint64_t parts_offset;
    } rows[] = { { 0, 2, 0 }, { 9, 2, 0 }, { 10, 1, 10 }, { 14, 1, 10 }, { 15, 0, 0 } };
    struct fixture fixture = { 0 };
    Lapwing__ReadReply reply;

    open_with_bucket(&fixture);
    complete_two(&fixture, "key", 1);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        object_parts(&fixture, "key", 1, rows[i].offset, &reply);
        EXPECT_EQ(reply.status, ST_OK);
        EXPECT_EQ(reply.n_parts, rows[i].parts);
        EXPECT_EQ(reply.parts_offset, rows[i].parts_offset);
        state_read_reply_done(&reply);
    }
    object_parts(&fixture, "key", 2, 0, &reply);
    EXPECT_EQ(reply.status, ST_NOT_FOUND);
    state_read_reply_done(&reply);
    fixture_done(&fixture);
}

/* A copy of `from`, which has the parts of upload `number`. */
static enum status copy(struct fixture *fixture, const char *from, const char *to, uint64_t number)
{
    Lapwing__PutObject put = LAPWING__PUT_OBJECT__INIT;
    Lapwing__CopySource source = LAPWING__COPY_SOURCE__INIT;
    Lapwing__Object object;

    fixture_object(&object, "bucket", to);
    object.blob.len = 0;
    object.bytes = 15;
    object.upload = name_of(number);
    put.object = &object;
    put.source = &source;
    source.bucket = (char *)"bucket";
    source.key = (char *)from;
    source.upload = object.upload;
    return fixture_apply(fixture, LAPWING__COMMAND_TYPE__PUT_OBJECT, &put.base);
}

TEST(parts_go_with_the_last_object_that_has_them)
{
    struct fixture fixture = { 0 };

    open_with_bucket(&fixture);
    complete_two(&fixture, "one", 1);
    EXPECT_EQ(copy(&fixture, "one", "two", 1), ST_OK);
    EXPECT_EQ(copy(&fixture, "one", "one", 1), ST_OK); /* onto itself, for new metadata */
    EXPECT_EQ(copy(&fixture, "three", "two", 1), ST_CONFLICT);
    EXPECT_TEXT(fixture.last->reason, "source_changed");
    EXPECT_EQ(copy(&fixture, "one", "two", 7), ST_CONFLICT);
    EXPECT_EQ(fixture_delete_object(&fixture, "bucket", "one"), ST_OK);
    EXPECT_EQ(parts_left(&fixture, "two", 1), 2);
    EXPECT_EQ(fixture_put_object(&fixture, "bucket", "two"), ST_OK);
    EXPECT_EQ(fixture_delete_object(&fixture, "bucket", "two"), ST_OK);
    /* Nothing is left of it: the name can be used again, and has no parts. */
    EXPECT_EQ(create(&fixture, "two", 1), ST_OK);
    EXPECT_EQ(abort_upload(&fixture, "bucket", "two", 1), ST_OK);
    fixture_done(&fixture);
}

TEST(all_the_parts_that_there_can_be_become_an_object)
{
    struct fixture fixture = { 0 };
    Lapwing__CompleteUpload cmd = LAPWING__COMPLETE_UPLOAD__INIT;
    static uint32_t numbers[UPLOAD_PARTS_MAX];
    Lapwing__ReadReply reply;

    open_with_bucket(&fixture);
    EXPECT_EQ(create(&fixture, "key", 1), ST_OK);
    for (uint32_t i = 0; i < UPLOAD_PARTS_MAX; i++) {
        numbers[i] = i + 1;
        EXPECT_EQ(put_part(&fixture, "key", 1, numbers[i], UPLOAD_PART_BYTES_MIN), ST_OK);
    }
    get_upload(&fixture, "key", 1, UPLOAD_PARTS_MAX, &reply);
    EXPECT_EQ(reply.n_parts, UPLOAD_PARTS_MAX);
    EXPECT(!reply.truncated);
    EXPECT(lapwing__read_reply__get_packed_size(&reply) < FRAME_BYTES_MAX / 2);
    cmd.revision = reply.uploads[0]->revision;
    state_read_reply_done(&reply);
    cmd.parts = numbers;
    cmd.n_parts = UPLOAD_PARTS_MAX;
    EXPECT_EQ(
        complete(&fixture, "key", &cmd, 1, UPLOAD_PARTS_MAX * (uint64_t)UPLOAD_PART_BYTES_MIN),
        ST_OK);
    object_parts(&fixture, "key", 1, (UPLOAD_PARTS_MAX - 1) * (uint64_t)UPLOAD_PART_BYTES_MIN,
                 &reply);
    EXPECT_EQ(reply.n_parts, 1);
    EXPECT_EQ(reply.parts[0]->number, UPLOAD_PARTS_MAX);
    state_read_reply_done(&reply);
    fixture_done(&fixture);
}

TEST(an_aborted_upload_is_gone_with_its_parts)
{
    struct fixture fixture = { 0 };
    Lapwing__ReadReply reply;
    Lapwing__DeleteBucket cmd = LAPWING__DELETE_BUCKET__INIT;

    open_with_bucket(&fixture);
    EXPECT_EQ(create(&fixture, "key", 1), ST_OK);
    EXPECT_EQ(put_part(&fixture, "key", 1, 1, 10), ST_OK);
    EXPECT_EQ(abort_upload(&fixture, "bucket", "key", 1), ST_OK);
    EXPECT_EQ(abort_upload(&fixture, "bucket", "key", 1), ST_NOT_FOUND);
    EXPECT_TEXT(fixture.last->reason, "no_such_upload");
    EXPECT_EQ(abort_upload(&fixture, "none", "key", 1), ST_NOT_FOUND);
    EXPECT_TEXT(fixture.last->reason, "no_such_bucket");
    EXPECT_EQ(create(&fixture, "key", 1), ST_OK);
    get_upload(&fixture, "key", 1, UPLOAD_PARTS_MAX, &reply);
    EXPECT_EQ(reply.n_parts, 0);
    state_read_reply_done(&reply);
    /* A bucket takes its uploads along. */
    EXPECT_EQ(put_part(&fixture, "key", 1, 1, 10), ST_OK);
    cmd.name = (char *)"bucket";
    EXPECT_EQ(fixture_apply(&fixture, LAPWING__COMMAND_TYPE__DELETE_BUCKET, &cmd.base), ST_OK);
    EXPECT_EQ(fixture_create_bucket(&fixture, "bucket", FIXTURE_ACCOUNT), ST_OK);
    get_upload(&fixture, "key", 1, UPLOAD_PARTS_MAX, &reply);
    EXPECT_EQ(reply.status, ST_NOT_FOUND);
    state_read_reply_done(&reply);
    EXPECT_EQ(create(&fixture, "key", 1), ST_OK);
    get_upload(&fixture, "key", 1, UPLOAD_PARTS_MAX, &reply);
    EXPECT_EQ(reply.n_parts, 0);
    state_read_reply_done(&reply);
    fixture_done(&fixture);
}

TEST(many_objects_are_deleted_at_once)
{
    struct fixture fixture = { 0 };
    Lapwing__DeleteObjects cmd = LAPWING__DELETE_OBJECTS__INIT;
    char *keys[] = { (char *)"a", (char *)"missing", (char *)"b", (char *)"a" };
    Lapwing__ReadReply reply;

    open_with_bucket(&fixture);
    EXPECT_EQ(fixture_put_object(&fixture, "bucket", "a"), ST_OK);
    complete_two(&fixture, "b", 1);
    cmd.bucket = (char *)"bucket";
    cmd.keys = keys;
    cmd.n_keys = ARRAY_LEN(keys);
    EXPECT_EQ(fixture_apply(&fixture, LAPWING__COMMAND_TYPE__DELETE_OBJECTS, &cmd.base), ST_OK);
    get_upload(&fixture, "b", 1, 1, &reply);
    EXPECT_EQ(reply.n_objects, 0);
    EXPECT(reply.bucket_found);
    state_read_reply_done(&reply);
    cmd.bucket = (char *)"none";
    EXPECT_EQ(fixture_apply(&fixture, LAPWING__COMMAND_TYPE__DELETE_OBJECTS, &cmd.base),
              ST_NOT_FOUND);
    fixture_done(&fixture);
}

TEST(uploads_are_listed_by_key_and_name_in_pages)
{
    static const struct {
        const char *name, *prefix, *delimiter, *key_after;
        uint64_t upload_after;
        uint32_t max;
        const char *want; /* KEY=LAST DIGIT of the name, prefixes in <> */
        const char *next_key;
        uint64_t next_upload;
    } rows[] = {
        { "all", "", "", "", 0, 1000, "a=1 a=2 b/x=4 b/y=3 c=5 ", "", 0 },
        { "rolled up", "", "/", "", 0, 1000, "a=1 a=2 c=5 <b/> ", "", 0 },
        { "a prefix", "b/", "/", "", 0, 1000, "b/x=4 b/y=3 ", "", 0 },
        { "a page of one", "", "", "", 0, 1, "a=1 ", "a", 1 },
        { "inside a key", "", "", "a", 1, 2, "a=2 b/x=4 ", "b/x", 4 },
        { "behind a key", "", "", "a", 0, 1, "b/x=4 ", "b/x", 4 },
        { "a page that ends in a prefix", "", "/", "a", 2, 1, "<b/> ", "b/", 0 },
        { "behind a prefix", "", "/", "b/", 0, 1, "c=5 ", "", 0 },
        { "none wanted", "", "", "", 0, 0, "", "", 0 },
    };
    struct fixture fixture = { 0 };

    open_with_bucket(&fixture);
    EXPECT_EQ(create(&fixture, "a", 2), ST_OK);
    EXPECT_EQ(create(&fixture, "a", 1), ST_OK);
    EXPECT_EQ(create(&fixture, "b/y", 3), ST_OK);
    EXPECT_EQ(create(&fixture, "b/x", 4), ST_OK);
    EXPECT_EQ(create(&fixture, "c", 5), ST_OK);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Lapwing__ReadRequest req = LAPWING__READ_REQUEST__INIT;
        Lapwing__ListUploadsRead read = LAPWING__LIST_UPLOADS_READ__INIT;
        Lapwing__ReadReply reply;
        char got[256] = "";
        size_t len = 0;

        test_case = rows[i].name;
        read.bucket = (char *)"bucket";
        read.prefix = (char *)rows[i].prefix;
        read.delimiter = (char *)rows[i].delimiter;
        read.key_after = (char *)rows[i].key_after;
        if (rows[i].upload_after > 0)
            read.upload_after = name_of(rows[i].upload_after);
        read.max_uploads = rows[i].max;
        req.what_case = LAPWING__READ_REQUEST__WHAT_LIST_UPLOADS;
        req.list_uploads = &read;
        fixture_read(&fixture, &req, &reply);
        for (size_t j = 0; j < reply.n_uploads; j++)
            len += (size_t)snprintf(got + len, sizeof got - len, "%s=%c ",
                                    reply.uploads[j]->object->key,
                                    reply.uploads[j]->upload[UPLOAD_ID_DIGITS - 1]);
        for (size_t j = 0; j < reply.n_common_prefixes; j++)
            len += (size_t)snprintf(got + len, sizeof got - len, "<%s> ", reply.common_prefixes[j]);
        EXPECT_TEXT(got, rows[i].want);
        EXPECT_EQ(reply.truncated, rows[i].next_key[0] != '\0');
        EXPECT_TEXT(reply.next_start_after, rows[i].next_key);
        EXPECT_TEXT(reply.next_upload_after,
                    rows[i].next_upload > 0 ? name_of(rows[i].next_upload) : "");
        state_read_reply_done(&reply);
    }
    test_case = NULL;
    fixture_done(&fixture);
}
