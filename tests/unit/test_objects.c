/* The commands and reads of buckets and objects. */
#include "controlplane/state/objects.h"

#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"
#include "tests/unit/state_fixture.h"

#define ETAG "5d41402abc4b2a76b9719d911017c592" /* fixture_object()'s */

static void open_with_bucket(struct fixture *fixture)
{
    fixture_open(fixture, ":memory:", STATE_GROUP_STORAGE);
    EXPECT_EQ(fixture_create_bucket(fixture, "bucket", FIXTURE_ACCOUNT), ST_OK);
}

static enum status delete_bucket(struct fixture *fixture, const char *name)
{
    Lapwing__DeleteBucket cmd = LAPWING__DELETE_BUCKET__INIT;

    cmd.name = (char *)name;
    return fixture_apply(fixture, LAPWING__COMMAND_TYPE__DELETE_BUCKET, &cmd.base);
}

static void get_object(struct fixture *fixture,
                       const char *bucket,
                       const char *key,
                       Lapwing__ReadReply *reply)
{
    Lapwing__ReadRequest req = LAPWING__READ_REQUEST__INIT;
    Lapwing__GetObjectRead read = LAPWING__GET_OBJECT_READ__INIT;

    read.bucket = (char *)bucket;
    read.key = (char *)key;
    req.id = 17;
    req.what_case = LAPWING__READ_REQUEST__WHAT_GET_OBJECT;
    req.get_object = &read;
    fixture_read(fixture, &req, reply);
}

TEST(a_bucket_name_is_one_for_all_accounts)
{
    static const struct {
        const char *name, *bucket, *account;
        enum status want;
        const char *reason;
    } rows[] = {
        { "mine again", "bucket", FIXTURE_ACCOUNT, ST_EXISTS, "bucket_already_owned_by_you" },
        { "another's", "bucket", "000000000001", ST_EXISTS, "bucket_already_exists" },
        { "a new one", "bucket2", "000000000001", ST_OK, "" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture fixture = { 0 };

        test_case = rows[i].name;
        open_with_bucket(&fixture);
        EXPECT_EQ(fixture_create_bucket(&fixture, rows[i].bucket, rows[i].account), rows[i].want);
        EXPECT_TEXT(fixture.last->reason, rows[i].reason);
        fixture_done(&fixture);
    }
    test_case = NULL;
}

TEST(a_bucket_goes_when_it_is_empty)
{
    struct fixture fixture = { 0 };

    open_with_bucket(&fixture);
    EXPECT_EQ(fixture_create_bucket(&fixture, "bucket-b", FIXTURE_ACCOUNT), ST_OK);
    EXPECT_EQ(fixture_put_object(&fixture, "bucket", "key"), ST_OK);
    EXPECT_EQ(delete_bucket(&fixture, "bucket-b"), ST_OK);
    EXPECT_EQ(delete_bucket(&fixture, "bucket-b"), ST_NOT_FOUND);
    EXPECT_TEXT(fixture.last->reason, "no_such_bucket");
    EXPECT_EQ(delete_bucket(&fixture, "bucket"), ST_CONFLICT);
    EXPECT_TEXT(fixture.last->reason, "bucket_not_empty");
    EXPECT_EQ(fixture_delete_object(&fixture, "bucket", "key"), ST_OK);
    EXPECT_EQ(delete_bucket(&fixture, "bucket"), ST_OK);
    fixture_done(&fixture);
}

TEST(buckets_are_read_by_name_and_listed_by_account)
{
    struct fixture fixture = { 0 };
    Lapwing__ReadRequest req = LAPWING__READ_REQUEST__INIT;
    Lapwing__GetBucketRead get = LAPWING__GET_BUCKET_READ__INIT;
    Lapwing__ListBucketsRead list = LAPWING__LIST_BUCKETS_READ__INIT;
    Lapwing__ReadReply reply;

    open_with_bucket(&fixture);
    EXPECT_EQ(fixture_create_bucket(&fixture, "a-bucket", FIXTURE_ACCOUNT), ST_OK);
    EXPECT_EQ(fixture_create_bucket(&fixture, "other", "000000000001"), ST_OK);
    list.account = (char *)FIXTURE_ACCOUNT;
    req.what_case = LAPWING__READ_REQUEST__WHAT_LIST_BUCKETS;
    req.list_buckets = &list;
    fixture_read(&fixture, &req, &reply);
    EXPECT_EQ(reply.n_buckets, 2);
    EXPECT_TEXT(reply.buckets[0]->name, "a-bucket");
    EXPECT_TEXT(reply.buckets[1]->region, FIXTURE_REGION);
    EXPECT_EQ(reply.buckets[1]->created_ms, 1000);
    state_read_reply_done(&reply);

    get.name = (char *)"other";
    req.what_case = LAPWING__READ_REQUEST__WHAT_GET_BUCKET;
    req.get_bucket = &get;
    fixture_read(&fixture, &req, &reply);
    EXPECT_EQ(reply.status, ST_OK);
    EXPECT(reply.bucket_found);
    EXPECT_TEXT(reply.buckets[0]->account, "000000000001");
    state_read_reply_done(&reply);
    get.name = (char *)"none";
    fixture_read(&fixture, &req, &reply);
    EXPECT_EQ(reply.status, ST_NOT_FOUND);
    EXPECT(!reply.bucket_found);
    state_read_reply_done(&reply);
    state_read_reply_done(&reply);
    fixture_done(&fixture);
}

TEST(a_put_holds_to_its_conditions)
{
    static const struct {
        const char *name, *bucket, *key;
        bool only_if_absent;
        const char *only_if_etag;
        enum status want;
        const char *reason;
    } rows[] = {
        { "no condition, new", "bucket", "new", false, "", ST_OK, "" },
        { "no condition, there", "bucket", "there", false, "", ST_OK, "" },
        { "no bucket", "bucke", "new", false, "", ST_NOT_FOUND, "no_such_bucket" },
        { "only if absent, new", "bucket", "new", true, "", ST_OK, "" },
        { "only if absent, there", "bucket", "there", true, "", ST_CONFLICT,
          "precondition_failed" },
        { "the etag", "bucket", "there", false, ETAG, ST_OK, "" },
        { "any etag", "bucket", "there", false, "*", ST_OK, "" },
        { "another etag", "bucket", "there", false, "abc", ST_CONFLICT, "precondition_failed" },
        { "an etag, new", "bucket", "new", false, ETAG, ST_NOT_FOUND, "no_such_key" },
        { "any etag, new", "bucket", "new", false, "*", ST_NOT_FOUND, "no_such_key" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture fixture = { 0 };
        Lapwing__PutObject put = LAPWING__PUT_OBJECT__INIT;
        Lapwing__Object object;
        Lapwing__ReadReply reply;

        test_case = rows[i].name;
        open_with_bucket(&fixture);
        EXPECT_EQ(fixture_put_object(&fixture, "bucket", "there"), ST_OK);
        fixture_object(&object, rows[i].bucket, rows[i].key);
        object.bytes = 99;
        put.object = &object;
        put.only_if_absent = rows[i].only_if_absent;
        put.only_if_etag = (char *)rows[i].only_if_etag;
        fixture.now_ms = 2000;
        EXPECT_EQ(fixture_apply(&fixture, LAPWING__COMMAND_TYPE__PUT_OBJECT, &put.base),
                  rows[i].want);
        EXPECT_TEXT(fixture.last->reason, rows[i].reason);
        get_object(&fixture, rows[i].bucket, rows[i].key, &reply);
        if (rows[i].want == ST_OK) {
            EXPECT_EQ(reply.objects[0]->bytes, 99);
            EXPECT_EQ(reply.objects[0]->modified_ms, 2000);
        } else if (reply.n_objects > 0) {
            EXPECT_EQ(reply.objects[0]->bytes, 5);
        }
        state_read_reply_done(&reply);
        fixture_done(&fixture);
    }
    test_case = NULL;
}

TEST(an_object_reads_back_whole)
{
    struct fixture fixture = { 0 };
    Lapwing__PutObject put = LAPWING__PUT_OBJECT__INIT;
    Lapwing__Object object;
    Lapwing__Metadata metadata = LAPWING__METADATA__INIT;
    Lapwing__Metadata *list[] = { &metadata };
    Lapwing__ReadReply reply;
    uint8_t sent[1024];
    uint8_t got[1024];
    size_t len;

    open_with_bucket(&fixture);
    fixture_object(&object, "bucket", "a/b \xe2\x82\xac");
    metadata.name = (char *)"x-amz-meta-colour";
    metadata.value = (char *)"blue";
    object.n_metadata = 1;
    object.metadata = list;
    put.object = &object;
    EXPECT_EQ(fixture_apply(&fixture, LAPWING__COMMAND_TYPE__PUT_OBJECT, &put.base), ST_OK);
    object.modified_ms = 1000;
    len = lapwing__object__pack(&object, sent);
    get_object(&fixture, "bucket", object.key, &reply);
    EXPECT_EQ(reply.n_objects, 1);
    EXPECT_EQ(lapwing__object__pack(reply.objects[0], got), len);
    EXPECT_EQ(memcmp(sent, got, len), 0);
    state_read_reply_done(&reply);
    fixture_done(&fixture);
}

TEST(deleting_what_is_not_there_succeeds_and_what_is_tells_its_blob)
{
    struct fixture fixture = { 0 };
    Lapwing__Object *gone;
    Lapwing__ReadReply reply;

    open_with_bucket(&fixture);
    EXPECT_EQ(fixture_put_object(&fixture, "bucket", "key"), ST_OK);
    EXPECT_EQ(fixture_delete_object(&fixture, "bucket", "key"), ST_OK);
    gone = lapwing__object__unpack(NULL, fixture.last->body.len, fixture.last->body.data);
    EXPECT_EQ(gone->blob.data[0], 9);
    lapwing__object__free_unpacked(gone, NULL);
    EXPECT_EQ(fixture_delete_object(&fixture, "bucket", "key"), ST_OK);
    EXPECT_EQ(fixture.last->body.len, 0);
    EXPECT_EQ(fixture_delete_object(&fixture, "none", "key"), ST_NOT_FOUND);
    EXPECT_TEXT(fixture.last->reason, "no_such_bucket");
    get_object(&fixture, "bucket", "key", &reply);
    EXPECT_EQ(reply.status, ST_NOT_FOUND);
    EXPECT(reply.bucket_found);
    state_read_reply_done(&reply);
    get_object(&fixture, "none", "key", &reply);
    EXPECT(!reply.bucket_found);
    state_read_reply_done(&reply);
    fixture_done(&fixture);
}

TEST(a_delete_can_be_held_to_an_etag)
{
    static const struct {
        const char *only_if_etag;
        enum status want;
    } rows[] = { { ETAG, ST_OK }, { "*", ST_OK }, { "", ST_OK }, { "other", ST_CONFLICT } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture fixture = { 0 };
        Lapwing__DeleteObject cmd = LAPWING__DELETE_OBJECT__INIT;

        test_case = rows[i].only_if_etag;
        open_with_bucket(&fixture);
        EXPECT_EQ(fixture_put_object(&fixture, "bucket", "key"), ST_OK);
        cmd.bucket = (char *)"bucket";
        cmd.key = (char *)"key";
        cmd.only_if_etag = (char *)rows[i].only_if_etag;
        EXPECT_EQ(fixture_apply(&fixture, LAPWING__COMMAND_TYPE__DELETE_OBJECT, &cmd.base),
                  rows[i].want);
        cmd.key = (char *)"missing";
        EXPECT_EQ(fixture_apply(&fixture, LAPWING__COMMAND_TYPE__DELETE_OBJECT, &cmd.base), ST_OK);
        fixture_done(&fixture);
    }
    test_case = NULL;
}

static const char *const keys[] = {
    "A",    "a",   "a/", "a/1",           "a/2",           "a0",
    "b//c", "b/d", "c",  "photos/2025/x", "photos/2026/y", "\xc3\xa9",
};

/* What a listing shows: keys, and common prefixes in <>, in the order of their kind. */
static const struct list_row {
    const char *name, *prefix, *delimiter, *start_after;
    uint32_t max_keys;
    const char *want;
    const char *next; /* NULL: not truncated */
} list_rows[] = {
    { "all", "", "", "", 1000, "A a a/ a/1 a/2 a0 b//c b/d c photos/2025/x photos/2026/y \xc3\xa9 ",
      NULL },
    { "rolled up", "", "/", "", 1000, "A a a0 c \xc3\xa9 <a/> <b/> <photos/> ", NULL },
    { "a folder", "a/", "/", "", 1000, "a/ a/1 a/2 ", NULL },
    { "a folder without its slash", "a", "/", "", 1000, "a a0 <a/> ", NULL },
    { "a folder of folders", "photos/", "/", "", 1000, "<photos/2025/> <photos/2026/> ", NULL },
    { "an empty folder name", "b/", "/", "", 1000, "b/d <b//> ", NULL },
    { "a long delimiter", "", "/20", "", 1000, "A a a/ a/1 a/2 a0 b//c b/d c \xc3\xa9 <photos/20> ",
      NULL },
    { "no such prefix", "x", "/", "", 1000, "", NULL },
    { "a prefix that is a key", "photos/2025/x", "/", "", 1000, "photos/2025/x ", NULL },
    { "a page of one", "", "/", "", 1, "A ", "A" },
    { "a page that ends in a prefix", "", "/", "", 3, "A a <a/> ", "a/" },
    { "the page behind it", "", "/", "a/", 2, "a0 <b/> ", "b/" },
    { "the last page", "", "/", "b/", 3, "c \xc3\xa9 <photos/> ", NULL },
    { "exactly full", "", "/", "", 8, "A a a0 c \xc3\xa9 <a/> <b/> <photos/> ", NULL },
    { "one too few", "", "/", "", 7, "A a a0 c <a/> <b/> <photos/> ", "photos/" },
    { "behind a key", "", "", "a/1", 2, "a/2 a0 ", "a0" },
    { "behind what is not there", "", "", "a/15", 1, "a/2 ", "a/2" },
    { "inside a prefix", "", "/", "a/1", 2, "a0 <a/> ", "a0" },
    { "before the prefix", "b", "", "a", 1000, "b//c b/d ", NULL },
    { "behind the prefix", "b", "", "c", 1000, "", NULL },
    { "behind all", "", "", "\xc3\xa9", 1000, "", NULL },
    { "none wanted", "", "", "", 0, "", NULL },
    { "more than a page holds", "", "", "photos", 4000000000u,
      "photos/2025/x photos/2026/y \xc3\xa9 ", NULL },
};

static void describe(const Lapwing__ReadReply *reply, char *out, size_t room)
{
    size_t len = 0;

    out[0] = '\0';
    for (size_t i = 0; i < reply->n_objects; i++)
        len += (size_t)snprintf(out + len, room - len, "%s ", reply->objects[i]->key);
    for (size_t i = 0; i < reply->n_common_prefixes; i++)
        len += (size_t)snprintf(out + len, room - len, "<%s> ", reply->common_prefixes[i]);
}

static void list_objects(struct fixture *fixture,
                         const struct list_row *row,
                         const char *bucket,
                         Lapwing__ReadReply *reply)
{
    Lapwing__ReadRequest req = LAPWING__READ_REQUEST__INIT;
    Lapwing__ListObjectsRead read = LAPWING__LIST_OBJECTS_READ__INIT;

    read.bucket = (char *)bucket;
    read.prefix = (char *)row->prefix;
    read.delimiter = (char *)row->delimiter;
    read.start_after = (char *)row->start_after;
    read.max_keys = row->max_keys;
    req.what_case = LAPWING__READ_REQUEST__WHAT_LIST_OBJECTS;
    req.list_objects = &read;
    fixture_read(fixture, &req, reply);
}

TEST(objects_are_listed_by_byte_order_with_prefixes_rolled_up)
{
    struct fixture fixture = { 0 };
    char got[512];

    open_with_bucket(&fixture);
    EXPECT_EQ(fixture_create_bucket(&fixture, "bucket2", FIXTURE_ACCOUNT), ST_OK);
    EXPECT_EQ(fixture_put_object(&fixture, "bucket2", "a/other"), ST_OK);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        EXPECT_EQ(fixture_put_object(&fixture, "bucket", keys[i]), ST_OK);
    for (size_t i = 0; i < ARRAY_LEN(list_rows); i++) {
        const struct list_row *row = &list_rows[i];
        Lapwing__ReadReply reply;

        test_case = row->name;
        list_objects(&fixture, row, "bucket", &reply);
        describe(&reply, got, sizeof got);
        EXPECT_TEXT(got, row->want);
        EXPECT_EQ(reply.truncated, row->next != NULL);
        EXPECT_TEXT(reply.next_start_after, row->next != NULL ? row->next : "");
        EXPECT_EQ(reply.status, ST_OK);
        state_read_reply_done(&reply);
        list_objects(&fixture, row, "missing", &reply);
        EXPECT(!reply.bucket_found);
        state_read_reply_done(&reply);
    }
    test_case = NULL;
    fixture_done(&fixture);
}

TEST(pages_of_any_size_show_every_entry_once)
{
    struct fixture fixture = { 0 };

    open_with_bucket(&fixture);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        EXPECT_EQ(fixture_put_object(&fixture, "bucket", keys[i]), ST_OK);
    for (uint32_t max = 1; max < 10; max++) {
        struct list_row row = { "", "", "/", "", max, "", NULL };
        char after[64] = "";
        size_t seen = 0;
        bool more = true;

        for (size_t page = 0; more && page < 20; page++) {
            Lapwing__ReadReply reply;

            row.start_after = after;
            list_objects(&fixture, &row, "bucket", &reply);
            seen += reply.n_objects + reply.n_common_prefixes;
            more = reply.truncated;
            (void)snprintf(after, sizeof after, "%s", reply.next_start_after);
            state_read_reply_done(&reply);
        }
        EXPECT(!more);
        EXPECT_EQ(seen, 8);
    }
    fixture_done(&fixture);
}
