/* The cache with a spawner and an object store that do what the test says: what it asks whom, and
 * when. */
#include "worker/packages/package_cache.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "objstore/client/objstore.h"
#include "tests/unit/check.h"
#include "worker/packages/package_fetch_plan.h"

enum { QUESTIONS_MAX = 8, DISK_BYTES = 8192 };

static const uint8_t wanted[PACKAGE_HASH_BYTES] = { 1 }, unasked[PACKAGE_HASH_BYTES] = { 2 };

/* ---- the object store: it has zips and no images ---- */

static char keys[QUESTIONS_MAX][128]; /* what it was asked for */
static unsigned key_count;
static bool store_is_away;

enum status objstore_get(struct objstore *store,
                         const struct objstore_name *name,
                         const struct objstore_want *want,
                         int fd,
                         uint64_t *out_bytes,
                         struct err *err)
{
    bool is_zip = strstr(name->key, ".zip") != NULL;

    CHECK(key_count < QUESTIONS_MAX);
    (void)snprintf(keys[key_count++], sizeof keys[0], "%s", name->key);
    if (store_is_away)
        return err_set(err, ST_TIMEOUT, "the store is away");
    return is_zip ? ST_OK : err_set(err, ST_NOT_FOUND, "no %s", name->key);
}

enum status objstore_get_part(struct objstore *store,
                              const struct objstore_name *name,
                              const struct objstore_part *part,
                              int fd,
                              struct err *err)
{
    CHECK(!"it has no images");
}

enum status objstore_put(struct objstore *store,
                         const struct objstore_name *name,
                         const struct objstore_source *source,
                         struct err *err)
{
    CHECK(!"no converter gives an image here");
}

/* ---- the spawner: its questions wait until the test answers ---- */

static struct package_question questions[QUESTIONS_MAX];
static unsigned asked, answered;

static enum status ask(void *self, const struct package_question *question, struct err *err)
{
    CHECK(asked < QUESTIONS_MAX);
    questions[asked++] = *question;
    return ST_OK;
}

/* Of the oldest question that waits, which must be this one. */
static void answer(enum package_ask what, struct package_result result)
{
    int fds[PACKAGE_ANSWER_FDS] = { -1, -1 };

    CHECK(answered < asked);
    EXPECT_EQ(questions[answered].ask, what);
    result.reason = result.text = "";
    result.fds = fds;
    questions[answered].done(questions[answered].context, &result);
    answered++;
}

/* ---- the cache ---- */

static uv_loop_t loop;
static struct package_cache *cache;
static struct package_waiter waiter;
static enum status told;
static unsigned told_count;
static bool asks_again; /* at once, when it failed */

static void waiter_done(struct package_waiter *mine, const struct package_result *result)
{
    told = result->status;
    told_count++;
    if (asks_again && told != ST_OK)
        EXPECT_EQ(package_cache_fetch(cache, wanted, FETCH_IMAGE_ZIP_BYTES_MIN, mine), ST_OK);
    asks_again = false;
}

static void start(void)
{
    const struct package_settings settings = {
        .dir = "/tmp", .bytes_max = 100 * DISK_BYTES, .fetch_ms = 1000, .spawner = { ask, NULL }
    };

    asked = answered = key_count = told_count = 0;
    store_is_away = asks_again = false;
    waiter = (struct package_waiter){ .done = waiter_done };
    CHECK(uv_loop_init(&loop) == 0);
    cache = package_cache_new(&loop, &settings);
    CHECK(package_cache_start(cache, NULL) == ST_OK);
}

static void stop(void)
{
    EXPECT_EQ(asked, answered);
    package_cache_free(cache);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&loop) == 0);
}

static void fetch(uint64_t zip_bytes)
{
    EXPECT_EQ(package_cache_fetch(cache, wanted, zip_bytes, &waiter), ST_OK);
}

static void answer_list(bool images, const struct package_here *here, size_t count)
{
    answer(PACKAGE_ASK_LIST,
           (struct package_result){ .images = images, .here = here, .here_count = count });
}

static const struct package_entry *entry_of(const uint8_t hash[PACKAGE_HASH_BYTES])
{
    const struct package_table *table = package_cache_table(cache);
    uint32_t index = package_find(table, hash);

    return index == PACKAGE_NONE ? NULL : &table->entries[index];
}

static const struct package_here both[] = { { unasked, DISK_BYTES }, { wanted, DISK_BYTES } };

TEST(what_is_asked_for_before_it_is_listed_is_verified_where_it_is_here)
{
    start();
    fetch(FETCH_IMAGE_ZIP_BYTES_MIN);
    EXPECT_EQ(asked, 1); /* the list alone */
    answer_list(true, both, 2);
    answer(PACKAGE_ASK_VERIFY,
           (struct package_result){ .disk_bytes = DISK_BYTES, .unzipped_bytes = 7 });
    EXPECT_EQ(told_count, 1);
    EXPECT_EQ(told, ST_OK);
    EXPECT_EQ(key_count, 0);
    EXPECT_EQ(entry_of(wanted)->state, PACKAGE_READY);
    EXPECT_EQ(entry_of(wanted)->users, 1);
    EXPECT_EQ(entry_of(unasked)->state, PACKAGE_FOUND);
    /* It costs what any other of its size does, though nobody has seen it come. */
    EXPECT_EQ(entry_of(wanted)->cost_us, entry_of(unasked)->cost_us);
    package_cache_drop(cache, wanted);
    stop();
}

TEST(what_is_asked_for_before_it_is_listed_is_fetched_where_it_is_not_here)
{
    static const struct {
        const char *name, *first_key;
        uint64_t zip_bytes;
        bool images;
    } rows[] = {
        { "an image", ".manifest", FETCH_IMAGE_ZIP_BYTES_MIN, true },
        { "a small one", ".zip", FETCH_IMAGE_ZIP_BYTES_MIN - 1, true },
        { "a folder", ".zip", FETCH_IMAGE_ZIP_BYTES_MIN, false },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        test_case = rows[i].name;
        start();
        fetch(rows[i].zip_bytes);
        (void)uv_run(&loop, UV_RUN_DEFAULT);
        EXPECT_EQ(key_count, 0);
        answer_list(rows[i].images, both, 1);
        (void)uv_run(&loop, UV_RUN_DEFAULT);
        EXPECT(strstr(keys[0], rows[i].first_key) != NULL);
        answer(PACKAGE_ASK_CONVERT, (struct package_result){ .disk_bytes = DISK_BYTES });
        EXPECT_EQ(told, ST_OK);
        EXPECT_EQ(told_count, 1);
        package_cache_drop(cache, wanted);
        stop();
    }
    test_case = NULL;
}

TEST(what_was_here_and_does_not_verify_is_fetched)
{
    static const enum status failures[] = { ST_CORRUPT, ST_NOT_FOUND, ST_IO, ST_BAD_INPUT };

    for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
        start();
        answer_list(true, both, 2);
        fetch(FETCH_IMAGE_ZIP_BYTES_MIN);
        answer(PACKAGE_ASK_VERIFY, (struct package_result){ .status = failures[i] });
        (void)uv_run(&loop, UV_RUN_DEFAULT);
        EXPECT_EQ(key_count, 2); /* the manifest, the zip */
        EXPECT_EQ(told_count, 0);
        answer(PACKAGE_ASK_CONVERT, (struct package_result){ .disk_bytes = DISK_BYTES });
        EXPECT_EQ(told, ST_OK);
        EXPECT_EQ(entry_of(wanted)->state, PACKAGE_READY);
        package_cache_drop(cache, wanted);
        stop();
    }
}

TEST(one_that_cannot_come_is_told_and_forgotten)
{
    start();
    store_is_away = true;
    answer_list(true, both, 2);
    fetch(FETCH_IMAGE_ZIP_BYTES_MIN);
    answer(PACKAGE_ASK_VERIFY, (struct package_result){ .status = ST_CORRUPT });
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT_EQ(told_count, 1);
    EXPECT_EQ(told, ST_TIMEOUT);
    EXPECT(entry_of(wanted) == NULL);
    stop();
}

TEST(who_is_told_of_a_failure_may_ask_again_at_once)
{
    start();
    store_is_away = asks_again = true;
    answer_list(true, NULL, 0);
    fetch(FETCH_IMAGE_ZIP_BYTES_MIN);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    EXPECT_EQ(told_count, 2);
    EXPECT_EQ(key_count, 2);
    EXPECT(entry_of(wanted) == NULL);
    stop();
}

TEST(what_is_here_stays_known_when_it_could_not_be_verified)
{
    static const enum status failures[] = { ST_LIMIT, ST_IO, ST_BAD_INPUT };

    for (size_t i = 0; i < ARRAY_LEN(failures); i++) {
        start();
        store_is_away = true;
        answer_list(true, both, 2);
        fetch(FETCH_IMAGE_ZIP_BYTES_MIN);
        answer(PACKAGE_ASK_VERIFY, (struct package_result){ .status = failures[i] });
        (void)uv_run(&loop, UV_RUN_DEFAULT);
        EXPECT_EQ(told, ST_TIMEOUT);
        EXPECT(entry_of(wanted) != NULL && entry_of(wanted)->state == PACKAGE_FOUND);
        EXPECT(entry_of(wanted) != NULL && entry_of(wanted)->bytes == DISK_BYTES);
        fetch(FETCH_IMAGE_ZIP_BYTES_MIN); /* and the store is not needed */
        answer(PACKAGE_ASK_VERIFY, (struct package_result){ .disk_bytes = DISK_BYTES });
        EXPECT_EQ(told, ST_OK);
        EXPECT_EQ(told_count, 2);
        package_cache_drop(cache, wanted);
        stop();
    }
}
