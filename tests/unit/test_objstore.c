/* Object stores end to end on loopback, through the client that the other programs use. */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/hash.h"
#include "objstore/client/objstore.h"
#include "tests/unit/check.h"
#include "tests/unit/objstore_cluster.h"

enum { DEADLINE_MS = 20000 };

static const char bucket[] = OBJSTORE_PACKAGES_BUCKET;

static struct objstore *client_of(struct cluster *cluster, unsigned zone)
{
    char secret[OBJSTORE_SECRET_BYTES];
    struct objstore *store = NULL;
    char address[32];
    struct err err = { 0 };

    objstore_internal_secret(cluster_key(cluster), secret);
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", cluster_port(cluster, zone));
    EXPECT_EQ(objstore_new(address, OBJSTORE_INTERNAL_ACCESS_KEY, secret, &store, &err), ST_OK);
    return store;
}

static void make_bucket(struct objstore *store)
{
    struct err err = { 0 };

    EXPECT_EQ(objstore_create_bucket(store, bucket, DEADLINE_MS, &err), ST_OK);
    EXPECT_TEXT(err.text, "");
}

static enum status put(struct objstore *store,
                       const char *key,
                       struct bytes data,
                       uint32_t deadline_ms)
{
    struct objstore_name name = { bucket, key, deadline_ms };
    struct objstore_source source = { .fd = -1, .data = data };
    struct err err = { 0 };
    enum status st;

    hash_sha256(data, source.sha256);
    st = objstore_put(store, &name, &source, &err);
    if (st != ST_OK && deadline_ms == DEADLINE_MS)
        EXPECT_TEXT(err.text, "");
    return st;
}

/* What is there, into a temporary file and back. */
static enum status get(struct objstore *store, const char *key, struct bytes want)
{
    struct objstore_name name = { bucket, key, DEADLINE_MS };
    struct objstore_want wanted = { .bytes_max = 64 << 20 };
    char path[] = "/tmp/objstore-get-XXXXXX";
    uint8_t *content = must_calloc(1, want.len + 1);
    int fd = mkstemp(path);
    struct err err = { 0 };
    uint64_t bytes = 0;
    enum status st;

    CHECK(fd >= 0);
    CHECK(unlink(path) == 0);
    st = objstore_get(store, &name, &wanted, fd, &bytes, &err);
    if (st == ST_OK) {
        EXPECT_EQ(bytes, want.len);
        EXPECT_EQ(pread(fd, content, want.len, 0), want.len);
        EXPECT(memcmp(content, want.data, want.len) == 0);
    }
    (void)close(fd);
    free(content);
    return st;
}

static uint8_t *pattern(size_t len)
{
    uint8_t *data = must_calloc(1, len + 1);

    for (size_t i = 0; i < len; i++)
        data[i] = (uint8_t)(i * 7 + i / 251);
    return data;
}

/* The file of a blob in one zone; false if there is none. */
static bool blob_file(struct cluster *cluster, unsigned zone, struct bytes data, char out[256])
{
    uint8_t digest[32];
    char hex[65];

    hash_sha256(data, digest);
    hex_encode(bytes_of(digest, sizeof digest), hex);
    (void)snprintf(out, 256, "%s/blobs/%.2s/%.2s/%s", cluster_dir(cluster, zone), hex, hex + 2,
                   hex);
    return access(out, F_OK) == 0;
}

static void corrupt(const char *path)
{
    int fd = open(path, O_RDWR);
    char byte;

    CHECK(fd >= 0);
    CHECK(pread(fd, &byte, 1, 10) == 1);
    byte = (char)(byte ^ 0x40);
    CHECK(pwrite(fd, &byte, 1, 10) == 1);
    CHECK(close(fd) == 0);
}

TEST(one_zone_keeps_what_it_was_given)
{
    static const size_t sizes[] = { 1, 1000, 1 << 20, 5 << 20 };
    struct cluster *cluster = cluster_start(1);
    struct objstore *store = client_of(cluster, 0);

    make_bucket(store);
    make_bucket(store); /* again is fine */
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        uint8_t *data = pattern(sizes[i]);

        EXPECT_EQ(put(store, "some/key.bin", bytes_of(data, sizes[i]), DEADLINE_MS), ST_OK);
        EXPECT_EQ(get(store, "some/key.bin", bytes_of(data, sizes[i])), ST_OK);
        free(data);
    }
    EXPECT_EQ(get(store, "other/key.bin", bytes_of_text("")), ST_NOT_FOUND);
    objstore_free(store);
    cluster_stop(cluster);
}

TEST(an_object_is_in_every_zone_and_can_be_read_in_every_zone)
{
    struct cluster *cluster = cluster_start(3);
    struct objstore *stores[3];
    struct bytes data = bytes_of_text("the same bytes in three zones");
    char path[256];

    for (unsigned i = 0; i < 3; i++)
        stores[i] = client_of(cluster, i);
    make_bucket(stores[0]);
    EXPECT_EQ(put(stores[0], "k", data, DEADLINE_MS), ST_OK);
    for (unsigned i = 0; i < 3; i++)
        EXPECT_EQ(get(stores[i], "k", data), ST_OK);
    EXPECT(blob_file(cluster, 0, data, path));
    for (unsigned i = 0; i < 3; i++)
        objstore_free(stores[i]);
    cluster_stop(cluster);
}

TEST(a_corrupt_or_missing_blob_is_served_from_another_zone_and_repaired)
{
    static const size_t sizes[] = { 3000, 3 << 20 };
    struct cluster *cluster = cluster_start(2);
    struct objstore *store = client_of(cluster, 0);

    make_bucket(store);
    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        uint8_t *content = pattern(sizes[i]);
        struct bytes data = bytes_of(content, sizes[i]);
        char path[256];

        EXPECT_EQ(put(store, "k", data, DEADLINE_MS), ST_OK);
        EXPECT(blob_file(cluster, 0, data, path));
        corrupt(path);
        EXPECT_EQ(get(store, "k", data), ST_OK);
        EXPECT(blob_file(cluster, 0, data, path));
        CHECK(unlink(path) == 0);
        EXPECT_EQ(get(store, "k", data), ST_OK);
        EXPECT(blob_file(cluster, 0, data, path));
        free(content);
    }
    objstore_free(store);
    cluster_stop(cluster);
}

TEST(pieces_of_an_object_come_to_their_places)
{
    static const uint64_t cuts[] = { 0, 1000, 1001, 200000 };
    struct cluster *cluster = cluster_start(1);
    struct objstore *store = client_of(cluster, 0);
    uint8_t *data = pattern(200000), *content = must_calloc(1, 200000);
    struct objstore_name name = { bucket, "pieces", DEADLINE_MS };
    struct objstore_part part = { 0 };
    FILE *file = tmpfile();
    struct err err = { 0 };

    CHECK(file != NULL);
    make_bucket(store);
    EXPECT_EQ(put(store, "pieces", bytes_of(data, 200000), DEADLINE_MS), ST_OK);
    for (size_t i = ARRAY_LEN(cuts) - 1; i > 0; i--) {
        part.offset = cuts[i - 1];
        part.bytes = cuts[i] - cuts[i - 1];
        hash_sha256(bytes_of(data + part.offset, part.bytes), part.sha256);
        EXPECT_EQ(objstore_get_part(store, &name, &part, fileno(file), &err), ST_OK);
        EXPECT_TEXT(err.text, "");
    }
    EXPECT_EQ(pread(fileno(file), content, 200000, 0), 200000);
    EXPECT(memcmp(content, data, 200000) == 0);
    part.sha256[0] ^= 1;
    EXPECT_EQ(objstore_get_part(store, &name, &part, fileno(file), NULL), ST_CORRUPT);
    name.key = "not-there";
    EXPECT_EQ(objstore_get_part(store, &name, &part, fileno(file), NULL), ST_NOT_FOUND);
    (void)fclose(file);
    free(content);
    free(data);
    objstore_free(store);
    cluster_stop(cluster);
}

TEST(a_put_needs_two_zones_and_no_more)
{
    struct cluster *cluster = cluster_start(3);
    struct objstore *store = client_of(cluster, 0);
    uint8_t *content = pattern(2 << 20);
    struct bytes data = bytes_of(content, 2 << 20);

    make_bucket(store);
    cluster_kill(cluster, 2);
    cluster_wait_connected(cluster, 0, 1);
    EXPECT_EQ(put(store, "two", data, DEADLINE_MS), ST_OK);
    EXPECT_EQ(get(store, "two", data), ST_OK);
    cluster_kill(cluster, 1);
    cluster_wait_connected(cluster, 0, 0);
    EXPECT_EQ(put(store, "one", data, 300), ST_UNAVAILABLE);
    EXPECT_EQ(get(store, "one", data), ST_NOT_FOUND);
    EXPECT_EQ(get(store, "two", data), ST_OK);
    free(content);
    objstore_free(store);
    cluster_stop(cluster);
}

TEST(a_command_whose_answer_was_lost_counts_once)
{
    struct cluster *cluster = cluster_start(1);
    struct objstore *store = client_of(cluster, 0);
    struct bytes data = bytes_of_text("once");
    unsigned before;

    make_bucket(store);
    before = cluster_commands(cluster);
    cluster_swallow_replies(cluster, 1);
    EXPECT_EQ(put(store, "k", data, DEADLINE_MS), ST_OK);
    EXPECT_EQ(cluster_commands(cluster), before + 2); /* proposed twice under one sequence */
    EXPECT_EQ(get(store, "k", data), ST_OK);
    objstore_free(store);
    cluster_stop(cluster);
}

TEST(the_client_refuses_a_source_that_is_not_what_it_says)
{
    struct cluster *cluster = cluster_start(1);
    struct objstore *store = client_of(cluster, 0);
    struct objstore_name name = { bucket, "k", DEADLINE_MS };
    struct objstore_source source = { .fd = -1, .data = bytes_of_text("abc") };
    struct err err = { 0 };

    make_bucket(store);
    EXPECT_EQ(objstore_put(store, &name, &source, &err), ST_CORRUPT);
    EXPECT_EQ(get(store, "k", bytes_of_text("")), ST_NOT_FOUND);
    name.key = "a key with spaces";
    EXPECT_EQ(objstore_put(store, &name, &source, &err), ST_BAD_INPUT);
    objstore_free(store);
    cluster_stop(cluster);
}

TEST(a_wrong_secret_is_denied)
{
    struct cluster *cluster = cluster_start(1);
    struct objstore *store = NULL;
    char address[32];
    struct err err = { 0 };

    (void)snprintf(address, sizeof address, "127.0.0.1:%u", cluster_port(cluster, 0));
    EXPECT_EQ(objstore_new(address, OBJSTORE_INTERNAL_ACCESS_KEY, "wrong", &store, &err), ST_OK);
    EXPECT_EQ(objstore_create_bucket(store, bucket, 2000, &err), ST_DENIED);
    objstore_free(store);
    EXPECT_EQ(objstore_new(address, "test", "test", &store, &err), ST_OK);
    EXPECT_EQ(objstore_create_bucket(store, bucket, 2000, &err), ST_DENIED);
    objstore_free(store);
    cluster_stop(cluster);
}

TEST(a_bucket_is_there_or_not_whatever_its_objects)
{
    struct cluster *cluster = cluster_start(1);
    struct objstore *store = client_of(cluster, 0);

    EXPECT_EQ(objstore_test_bucket(store, bucket, DEADLINE_MS, NULL), ST_NOT_FOUND);
    make_bucket(store);
    EXPECT_EQ(objstore_test_bucket(store, bucket, DEADLINE_MS, NULL), ST_OK);
    EXPECT_EQ(get(store, "none", bytes_of_text("")), ST_NOT_FOUND);
    EXPECT_EQ(objstore_test_bucket(store, "not-for-this-key", DEADLINE_MS, NULL), ST_DENIED);
    objstore_free(store);
    cluster_stop(cluster);
}
