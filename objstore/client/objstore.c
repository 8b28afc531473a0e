/* The blocking client: turns, retries and deadlines.  One attempt of each operation is in
 * attempt.c.
 *
 * Threads: any number.  A mutex guards the count of running calls and the one-time set-up of libs3;
 * a store itself is read-only after objstore_new(). */
#include "objstore/client/objstore.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "objstore/client/attempt.h"
#include "objstore/client/libs3_compat.h"

enum { PART_TRIES_MAX = 3, BACKOFF_MS_FIRST = 50, BACKOFF_MS_MAX = 2000, TEXT_BYTES_MAX = 255 };

static pthread_mutex_t turns_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t turns_free = PTHREAD_COND_INITIALIZER;
static unsigned turns_taken;
static bool libs3_ready; /* S3_initialize() is for once a process and never undone */

static enum status libs3_init(struct err *err)
{
    S3Status rv = S3StatusOK;

    (void)pthread_mutex_lock(&turns_mutex);
    if (!libs3_ready)
        rv = S3_initialize("lapwing", S3_INIT_ALL, NULL);
    libs3_ready = rv == S3StatusOK;
    (void)pthread_mutex_unlock(&turns_mutex);
    if (rv != S3StatusOK)
        return err_set(err, ST_IO, "set up libs3: %s", S3_get_status_name(rv));
    return ST_OK;
}

uint64_t objstore_now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Wait for one of the OBJSTORE_CALLS_MAX turns.  Timed waits count on the real-time clock: only the
 * length of a wait depends on it, the deadline itself is checked on the monotonic one. */
static enum status turn_take(uint64_t deadline_ms, struct err *err)
{
    enum status st = ST_OK;

    (void)pthread_mutex_lock(&turns_mutex);
    while (turns_taken >= OBJSTORE_CALLS_MAX && st == ST_OK) {
        struct timespec until;

        (void)clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += 1;
        (void)pthread_cond_timedwait(&turns_free, &turns_mutex, &until);
        if (objstore_now_ms() >= deadline_ms)
            st = err_set(err, ST_TIMEOUT, "object store: no free turn before the deadline");
    }
    if (st == ST_OK)
        turns_taken++;
    (void)pthread_mutex_unlock(&turns_mutex);
    return st;
}

static void turn_give(void)
{
    (void)pthread_mutex_lock(&turns_mutex);
    CHECK(turns_taken > 0);
    turns_taken--;
    (void)pthread_cond_signal(&turns_free);
    (void)pthread_mutex_unlock(&turns_mutex);
}

static enum status read_addresses(struct objstore *store, const char *list, struct err *err)
{
    for (list += strspn(list, ", "); *list != '\0'; list += strspn(list, ", ")) {
        size_t len = strcspn(list, ", ");

        if (store->address_count == OBJSTORE_ADDRESSES_MAX)
            return err_set(err, ST_BAD_INPUT, "object store: more than %d addresses",
                           OBJSTORE_ADDRESSES_MAX);
        store->addresses[store->address_count] = must_calloc(1, len + 1);
        memcpy(store->addresses[store->address_count++], list, len);
        list += len;
    }
    if (store->address_count == 0)
        return err_set(err, ST_BAD_INPUT, "object store: no address");
    return ST_OK;
}

enum status objstore_new(const char *addresses,
                         const char *access_key,
                         const char *secret,
                         struct objstore **out_store,
                         struct err *err)
{
    const char *const texts[] = { addresses, access_key, secret };
    struct objstore *store;
    enum status st;

    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (texts[i][0] == '\0' || strlen(texts[i]) > TEXT_BYTES_MAX)
            return err_set(err, ST_BAD_INPUT, "object store: an address or key of %zu bytes",
                           strlen(texts[i]));
    st = libs3_init(err);
    if (st != ST_OK)
        return st;
    store = must_calloc(1, sizeof *store);
    store->access_key = must_strdup(access_key);
    store->secret = must_strdup(secret);
    st = read_addresses(store, addresses, err);
    if (st != ST_OK) {
        objstore_free(store);
        return st;
    }
    *out_store = store;
    return ST_OK;
}

void objstore_free(struct objstore *store)
{
    if (store == NULL)
        return;
    for (unsigned i = 0; i < store->address_count; i++)
        free(store->addresses[i]);
    free(store->access_key);
    free(store->secret);
    free(store);
}

void objstore_internal_secret(const uint8_t cluster_key[32], char out_secret[OBJSTORE_SECRET_BYTES])
{
    static const char name[] = OBJSTORE_INTERNAL_ACCESS_KEY;
    uint8_t digest[32];
    unsigned len = 0;

    CHECK(HMAC(EVP_sha256(), cluster_key, 32, (const uint8_t *)name, sizeof name - 1, digest,
               &len) != NULL);
    CHECK(len == sizeof digest);
    (void)EVP_EncodeBlock((uint8_t *)out_secret, digest, sizeof digest);
}

static enum status name_check(const struct objstore_name *name, struct err *err)
{
    size_t len = strlen(name->key);

    if (len == 0 || len > OBJSTORE_KEY_BYTES_MAX)
        return err_set(err, ST_BAD_INPUT, "object key of %zu bytes, want 1 to %d", len,
                       OBJSTORE_KEY_BYTES_MAX);
    if (strspn(name->key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                          "0123456789._/-") != len)
        return err_set(err, ST_BAD_INPUT, "object key %s: only letters, digits and ._/-",
                       name->key);
    return ST_OK;
}

/* May the same be tried again, and is there hope? */
static bool worth_retrying(const struct attempt *attempt, enum status st)
{
    switch (st) {
    case ST_UNAVAILABLE:
        return true;
    case ST_CORRUPT:
        /* Who asks for parts has the whole elsewhere, and would wait in vain. */
        return !attempt->is_part || attempt->count < PART_TRIES_MAX;
    case ST_DENIED:
        /* libs3 2.0 formats dates from gmtime()'s one static buffer, so a second thread at the turn
         * of a second can garble the date that is signed.  Two garbled ones in a row are a key that
         * is really refused. */
        return attempt->count == 1;
    default:
        return false;
    }
}

static void backoff(unsigned count, uint64_t deadline_ms)
{
    uint64_t wait_ms = BACKOFF_MS_FIRST;
    uint64_t now_ms = objstore_now_ms();
    struct timespec pause;

    for (unsigned i = 1; i < count && wait_ms < BACKOFF_MS_MAX; i++)
        wait_ms *= 2;
    /* Callers that failed together must not come back together.  The address of a local differs by
     * thread and the clock by moment: enough to spread them, and no lock. */
    wait_ms = wait_ms / 2 + ((uintptr_t)&pause / 64 + now_ms * 7919) % (wait_ms / 2 + 1);
    if (now_ms >= deadline_ms)
        return;
    if (wait_ms > deadline_ms - now_ms)
        wait_ms = deadline_ms - now_ms;
    pause.tv_sec = (time_t)(wait_ms / 1000);
    pause.tv_nsec = (long)(wait_ms % 1000) * 1000000;
    (void)nanosleep(&pause, NULL);
}

/* Repeat one attempt until it succeeds, cannot succeed, or the deadline has passed. */
static enum status run(struct attempt *attempt,
                       uint32_t deadline_ms,
                       attempt_fn once,
                       struct err *err)
{
    unsigned addresses = attempt->store->address_count;
    enum status st;

    CHECK(deadline_ms > 0);
    CHECK(addresses > 0);
    attempt->deadline_ms = objstore_now_ms() + deadline_ms;
    st = turn_take(attempt->deadline_ms, err);
    if (st != ST_OK)
        return st;
    for (;;) {
        attempt->address = attempt->store->addresses[attempt->count % addresses];
        attempt->count++;
        st = once(attempt, err);
        if (!worth_retrying(attempt, st))
            break;
        if (objstore_now_ms() >= attempt->deadline_ms)
            break;
        if (attempt->count >= addresses) /* the first round goes through all stores at once */
            backoff(attempt->count - addresses + 1, attempt->deadline_ms);
    }
    turn_give();
    return st;
}

enum status objstore_create_bucket(struct objstore *store,
                                   const char *bucket,
                                   uint32_t deadline_ms,
                                   struct err *err)
{
    struct attempt attempt = { .store = store, .bucket = bucket };

    return run(&attempt, deadline_ms, attempt_create_bucket, err);
}

enum status objstore_test_bucket(struct objstore *store,
                                 const char *bucket,
                                 uint32_t deadline_ms,
                                 struct err *err)
{
    struct attempt attempt = { .store = store, .bucket = bucket };

    return run(&attempt, deadline_ms, attempt_test_bucket, err);
}

enum status objstore_put(struct objstore *store,
                         const struct objstore_name *name,
                         const struct objstore_source *source,
                         struct err *err)
{
    struct attempt attempt = {
        .store = store, .bucket = name->bucket, .key = name->key, .source = source
    };
    enum status st = name_check(name, err);

    if (st != ST_OK)
        return st;
    st = attempt_check_source(source, err);
    if (st != ST_OK)
        return st;
    return run(&attempt, name->deadline_ms, attempt_put, err);
}

enum status objstore_get(struct objstore *store,
                         const struct objstore_name *name,
                         const struct objstore_want *want,
                         int fd,
                         uint64_t *out_bytes,
                         struct err *err)
{
    struct attempt attempt = {
        .store = store, .bucket = name->bucket, .key = name->key, .want = want, .fd = fd
    };
    enum status st = name_check(name, err);

    if (st != ST_OK)
        return st;
    st = run(&attempt, name->deadline_ms, attempt_get, err);
    if (st == ST_OK && out_bytes != NULL)
        *out_bytes = attempt.received;
    return st;
}

enum status objstore_get_part(struct objstore *store,
                              const struct objstore_name *name,
                              const struct objstore_part *part,
                              int fd,
                              struct err *err)
{
    struct objstore_want want = { part->sha256, part->bytes, part->bytes };
    struct attempt attempt = { .store = store,
                               .bucket = name->bucket,
                               .key = name->key,
                               .want = &want,
                               .fd = fd,
                               .is_part = true,
                               .offset = part->offset };
    enum status st = name_check(name, err);

    CHECK(part->bytes > 0);
    return st == ST_OK ? run(&attempt, name->deadline_ms, attempt_get_part, err) : st;
}

enum status objstore_delete(struct objstore *store,
                            const struct objstore_name *name,
                            struct err *err)
{
    struct attempt attempt = { .store = store, .bucket = name->bucket, .key = name->key };
    enum status st = name_check(name, err);

    if (st != ST_OK)
        return st;
    return run(&attempt, name->deadline_ms, attempt_delete, err);
}
