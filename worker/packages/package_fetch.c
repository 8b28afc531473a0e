/* One package on its way: the driver of package_fetch_plan.  Loop thread but for the *_work_cb,
 * which touch only their fetch. */
#include "worker/packages/package_fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/log.h"
#include "objstore/client/objstore.h"
#include "worker/image/image_file.h"

enum {
    KEY_BYTES = PACKAGE_HEX_BYTES + 32,
    SMALL_MS = 5000, /* a manifest, a small zip: a store that does not give these is away */
    CHUNK_MS = 5000, /* a chunk that is not to be had: the zip is */
};

static void fetch_on(struct fetch *fetch, enum fetch_event event);

static void close_fd(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

void fetch_free(struct fetch *fetch)
{
    close_fd(&fetch->fd);
    close_fd(&fetch->image_fds[0]);
    close_fd(&fetch->image_fds[1]);
    free(fetch->manifest);
    free(fetch);
}

/* "HASH.zip", or "HASH.LAYOUT.image" beside it. */
static void key_of(const struct fetch *fetch, const char *kind, char out[KEY_BYTES])
{
    if (strcmp(kind, "zip") == 0)
        (void)snprintf(out, KEY_BYTES, "%s.zip", fetch->hex);
    else
        (void)snprintf(out, KEY_BYTES, "%s.%d.%s", fetch->hex, IMAGE_LAYOUT, kind);
}

/* ---- on the pool ---- */

static void start_works(struct fetch *fetch,
                        unsigned count,
                        uv_work_cb work,
                        uv_after_work_cb after)
{
    CHECK(fetch->in_flight == 0);
    CHECK(count <= FETCH_CHUNK_WORKS);
    for (unsigned i = 0; i < count; i++) {
        int rv;

        fetch->works[i].fetch = fetch;
        fetch->works[i].status = ST_OK;
        rv = uv_queue_work(fetch->loop, &fetch->works[i].work, work, after);
        CHECK(rv == 0); /* fails only without a callback */
        fetch->in_flight++;
    }
}

/* One of them is back; true when it was the last, with the first failure in fetch->result. */
static bool work_back(struct fetch_work *back, int status)
{
    struct fetch *fetch = back->fetch;

    if (status < 0 && back->status == ST_OK)
        back->status = err_set(&back->err, ST_CANCELLED, "fetch of a package: cancelled");
    if (back->status != ST_OK && fetch->result.status == ST_OK) {
        fetch->result.status = back->status;
        fetch->err = back->err;
    }
    return --fetch->in_flight == 0;
}

static void work_after_cb(uv_work_t *work, int status)
{
    struct fetch_work *back = container_of(work, struct fetch_work, work);

    if (work_back(back, status))
        fetch_on(back->fetch, fetch_event_of(back->fetch->result.status));
}

static enum status read_manifest(struct fetch *fetch, int fd, uint64_t bytes, struct err *err)
{
    uint8_t *text = must_calloc(1, bytes + 1);
    enum status st;

    if (pread(fd, text, bytes, 0) != (ssize_t)bytes)
        st = err_set_errno(err, ST_IO, errno, "read a manifest");
    else
        st = image_manifest_decode(bytes_of(text, bytes), fetch->manifest, err);
    if (st == ST_OK && memcmp(fetch->manifest->package, fetch->hash, PACKAGE_HASH_BYTES) != 0)
        st = err_set(err, ST_CORRUPT, "manifest of package %s: it is of another", fetch->hex);
    free(text);
    return st;
}

static void manifest_work_cb(uv_work_t *work)
{
    struct fetch_work *mine = container_of(work, struct fetch_work, work);
    struct fetch *fetch = mine->fetch;
    char key[KEY_BYTES];
    struct objstore_name name = { OBJSTORE_PACKAGES_BUCKET, key, SMALL_MS };
    struct objstore_want want = { NULL, 0, IMAGE_MANIFEST_BYTES_MAX };
    uint64_t bytes = 0;
    int fd = memfd_create("manifest", MFD_CLOEXEC);

    key_of(fetch, "manifest", key);
    if (fd < 0)
        mine->status = err_set_errno(&mine->err, ST_IO, errno, "make a file in memory");
    else
        mine->status = objstore_get(fetch->settings->store, &name, &want, fd, &bytes, &mine->err);
    if (mine->status == ST_OK)
        mine->status = read_manifest(fetch, fd, bytes, &mine->err);
    if (fd >= 0)
        (void)close(fd);
}

/* Chunks until there are none left. */
static void chunks_work_cb(uv_work_t *work)
{
    struct fetch_work *mine = container_of(work, struct fetch_work, work);
    struct fetch *fetch = mine->fetch;
    char key[KEY_BYTES];
    struct objstore_name name = { OBJSTORE_PACKAGES_BUCKET, key, CHUNK_MS };

    key_of(fetch, "image", key);
    while (mine->status == ST_OK) {
        unsigned i = atomic_fetch_add(&fetch->next_chunk, 1);
        struct objstore_part part;

        if (i >= fetch->manifest->chunks)
            return;
        part.bytes = image_chunk(fetch->manifest, i, &part.offset);
        memcpy(part.sha256, fetch->manifest->hashes[i], sizeof part.sha256);
        mine->status = objstore_get_part(fetch->settings->store, &name, &part, fetch->image_fds[0],
                                         &mine->err);
    }
    atomic_store(&fetch->next_chunk, fetch->manifest->chunks); /* the others need not go on */
}

static void zip_work_cb(uv_work_t *work)
{
    struct fetch_work *mine = container_of(work, struct fetch_work, work);
    struct fetch *fetch = mine->fetch;
    const struct package_settings *settings = fetch->settings;
    char key[KEY_BYTES];
    struct objstore_name name = { OBJSTORE_PACKAGES_BUCKET, key,
                                  fetch_image_pays(fetch->zip_bytes) ? settings->fetch_ms
                                                                     : SMALL_MS };
    struct objstore_want want = { fetch->hash, fetch->zip_bytes, PACKAGE_ZIP_BYTES_MAX };

    key_of(fetch, "zip", key);
    fetch->fd = open(settings->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fetch->fd < 0)
        mine->status = err_set_errno(&mine->err, ST_IO, errno, "make a file in the package folder");
    else
        mine->status = objstore_get(settings->store, &name, &want, fetch->fd, NULL, &mine->err);
}

static enum status hash_whole(int fd, uint64_t bytes, uint8_t out[SHA256_BYTES], struct err *err)
{
    struct hash hash = { 0 };
    void *map = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);

    if (map == MAP_FAILED)
        return err_set_errno(err, ST_IO, errno, "map an image");
    hash_init(&hash, HASH_SHA256);
    hash_add(&hash, bytes_of(map, bytes));
    hash_end(&hash, out);
    (void)munmap(map, bytes);
    return ST_OK;
}

/* The manifest goes last: where it is, the image is. */
static enum status store_image(struct fetch *fetch, struct err *err)
{
    struct image_manifest *manifest = fetch->manifest;
    struct objstore *store = fetch->settings->store;
    char key[KEY_BYTES];
    struct objstore_name name = { OBJSTORE_PACKAGES_BUCKET, key, fetch->settings->fetch_ms };
    struct objstore_source source = { .fd = fetch->fd };
    struct buf text = { 0 };
    enum status st = image_check(fetch->fd, manifest, err);

    memcpy(manifest->package, fetch->hash, PACKAGE_HASH_BYTES);
    source.bytes = manifest->bytes;
    if (st == ST_OK)
        st = image_hash(fetch->fd, manifest, err);
    if (st == ST_OK)
        st = hash_whole(fetch->fd, manifest->bytes, source.sha256, err);
    key_of(fetch, "image", key);
    if (st == ST_OK)
        st = objstore_put(store, &name, &source, err);
    if (st != ST_OK)
        return st;
    image_manifest_encode(manifest, &text);
    source = (struct objstore_source){ .fd = -1, .data = buf_view(&text) };
    hash_sha256(source.data, source.sha256);
    key_of(fetch, "manifest", key);
    st = objstore_put(store, &name, &source, err);
    buf_done(&text);
    return st;
}

static void store_work_cb(uv_work_t *work)
{
    struct fetch_work *mine = container_of(work, struct fetch_work, work);

    mine->status = store_image(mine->fetch, &mine->err);
}

/* ---- the spawner ---- */

static void take_result(struct fetch *fetch, const struct package_result *result)
{
    fetch->result = *result;
    fetch->result.fds = NULL;
    (void)snprintf(fetch->reason, sizeof fetch->reason, "%s", result->reason);
    (void)err_set(&fetch->err, result->status, "%.400s", result->text);
}

static void answered(void *context, const struct package_result *result)
{
    struct fetch *fetch = context;
    enum fetch_event event = fetch_event_of(result->status);

    take_result(fetch, result);
    fetch->is_former = fetch->state == FETCH_VERIFYING;
    if (fetch->state == FETCH_VERIFYING)
        fetch->is_left = event == FETCH_FAILED;
    if (fetch->state == FETCH_OPENING && event == FETCH_OK) {
        memcpy(fetch->image_fds, result->fds, sizeof fetch->image_fds);
        result->fds[0] = result->fds[1] = -1;
    }
    if (fetch->state == FETCH_CONVERTING && event == FETCH_OK && result->fds[0] >= 0 &&
        fetch_image_pays(fetch->zip_bytes)) {
        close_fd(&fetch->fd); /* the zip */
        fetch->fd = result->fds[0];
        result->fds[0] = -1;
        event = FETCH_OK_IMAGE;
    }
    fetch_on(fetch, event);
}

static enum fetch_event ask(struct fetch *fetch, enum package_ask what, uint64_t bytes, int fd)
{
    const struct package_spawner *spawner = &fetch->settings->spawner;
    struct package_question question = {
        what, fetch->hex, fetch->image, bytes, fd, answered, fetch
    };

    fetch->result.status = spawner->ask(spawner->self, &question, &fetch->err);
    return fetch->result.status == ST_OK ? FETCH_EVENTS : FETCH_FAILED;
}

/* Nobody may be left who can write to the image. */
static enum fetch_event add_image(struct fetch *fetch)
{
    uint8_t id[SHA256_BYTES];

    close_fd(&fetch->image_fds[0]);
    image_manifest_id(fetch->manifest, id);
    hex_encode(bytes_of(id, sizeof id), fetch->image);
    return ask(fetch, PACKAGE_ASK_ADD_IMAGE, fetch->manifest->bytes, fetch->image_fds[1]);
}

/* ---- steps ---- */

/* What is told does not look like what became of the last attempt at something else. */
static void prepare_result(struct fetch *fetch)
{
    /* Only the converter may call a zip bad. */
    if (fetch->result.status == ST_BAD_INPUT && fetch->reason[0] == '\0')
        fetch->result.status = ST_UNAVAILABLE;
    fetch->result.text = fetch->err.text;
    fetch->result.reason = fetch->reason;
}

/* What a step before has left. */
static void forget(struct fetch *fetch)
{
    fetch->result.status = ST_OK;
    fetch->reason[0] = fetch->err.text[0] = '\0';
}

static void use_zip(struct fetch *fetch)
{
    if (fetch->result.status != ST_OK && fetch->result.status != ST_NOT_FOUND)
        log_event(LOG_WARN, "package_image_not_used", LS("package", fetch->hex),
                  LS("error", fetch->err.text), LS("then", "the zip is converted"));
    close_fd(&fetch->image_fds[0]);
    close_fd(&fetch->image_fds[1]);
    forget(fetch);
    start_works(fetch, 1, zip_work_cb, work_after_cb);
}

static void end_stored(struct fetch *fetch)
{
    if (fetch->result.status != ST_OK)
        log_event(LOG_WARN, "package_image_not_stored", LS("package", fetch->hex),
                  LS("error", fetch->err.text), LS("then", "others convert the zip themselves"));
    forget(fetch);
    prepare_result(fetch);
    fetch->ended(fetch);
}

/* The event that follows at once, or FETCH_EVENTS. */
static enum fetch_event fetch_do(struct fetch *fetch, enum fetch_action action)
{
    switch (action) {
    case FETCH_DO_VERIFY:
        fetch->is_left = true; /* until it is answered */
        return ask(fetch, PACKAGE_ASK_VERIFY, 0, -1);
    case FETCH_DO_MANIFEST:
        forget(fetch);
        start_works(fetch, 1, manifest_work_cb, work_after_cb);
        return FETCH_EVENTS;
    case FETCH_DO_OPEN:
        return ask(fetch, PACKAGE_ASK_NEW_IMAGE, 0, -1);
    case FETCH_DO_CHUNKS:
        start_works(fetch,
                    fetch->manifest->chunks < FETCH_CHUNK_WORKS ? fetch->manifest->chunks
                                                                : FETCH_CHUNK_WORKS,
                    chunks_work_cb, work_after_cb);
        return FETCH_EVENTS;
    case FETCH_DO_ADD:
        return add_image(fetch);
    case FETCH_DO_ZIP:
        use_zip(fetch);
        return FETCH_EVENTS;
    case FETCH_DO_CONVERT:
        return ask(fetch, PACKAGE_ASK_CONVERT, fetch->zip_bytes, fetch->fd);
    case FETCH_DO_STORE:
        prepare_result(fetch);
        fetch->told(fetch);
        start_works(fetch, 1, store_work_cb, work_after_cb);
        return FETCH_EVENTS;
    case FETCH_DO_TELL:
        prepare_result(fetch);
        fetch->told(fetch);
        fetch->ended(fetch);
        return FETCH_EVENTS;
    case FETCH_DO_END:
        end_stored(fetch);
        return FETCH_EVENTS;
    case FETCH_FORBIDDEN:
        break;
    }
    CHECK(!"package fetch: event not allowed in this state");
}

static void fetch_on(struct fetch *fetch, enum fetch_event event)
{
    while (event != FETCH_EVENTS) {
        struct fetch_move move = fetch_next(fetch->state, event);

        fetch->state = move.next;
        event = fetch_do(fetch, move.action);
    }
}

void fetch_begin(struct fetch *fetch)
{
    fetch->started_ns = uv_hrtime();
    fetch->manifest = must_calloc(1, sizeof *fetch->manifest);
    fetch_on(fetch, fetch->event);
}
