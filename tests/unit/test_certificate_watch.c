/* When files are loaded: at a signal, when they have changed, and again after a failure. */
#include "base/certificate_watch.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "tests/unit/check.h"

enum { POLLS_MAX = 4000, SELDOM_MS = 3600000 };

struct watched {
    uv_loop_t loop;
    uv_timer_t poll;
    unsigned polls;
    struct certificate_watch *watch;
    char path[64];
    atomic_uint loads;
    atomic_uint failures_left;
    atomic_bool wrong_path;
    unsigned step;
    void (*on_poll)(struct watched *watched); /* calls end() when it has seen enough */
};

static enum status load(const char *const paths[CERTIFICATE_WATCH_FILES],
                        void *context,
                        struct err *err)
{
    struct watched *watched = context;

    if (strcmp(paths[0], watched->path) != 0 || paths[1] != NULL)
        atomic_store(&watched->wrong_path, true);
    atomic_fetch_add(&watched->loads, 1);
    if (atomic_load(&watched->failures_left) == 0)
        return ST_OK;
    atomic_fetch_sub(&watched->failures_left, 1);
    return err_set(err, ST_BAD_INPUT, "wrong");
}

static int64_t expires_s(void *context)
{
    return (int64_t)time(NULL) + 86400;
}

static void end(struct watched *watched)
{
    certificate_watch_stop(watched->watch);
    uv_close((uv_handle_t *)&watched->poll, NULL);
}

static void poll_cb(uv_timer_t *timer)
{
    struct watched *watched = container_of(timer, struct watched, poll);

    if (++watched->polls < POLLS_MAX) {
        watched->on_poll(watched);
        return;
    }
    EXPECT(!"it is done before the polls run out");
    end(watched);
}

/* Watch one file until on_poll() ends it. */
static void run(struct watched *watched, uint64_t look_ms, void (*on_poll)(struct watched *))
{
    char name[] = "/tmp/certificate-watch-XXXXXX";
    int fd = mkstemp(name);

    CHECK(fd >= 0);
    CHECK(close(fd) == 0);
    (void)snprintf(watched->path, sizeof watched->path, "%s", name);
    watched->on_poll = on_poll;
    CHECK(uv_loop_init(&watched->loop) == 0);
    CHECK(uv_timer_init(&watched->loop, &watched->poll) == 0);
    CHECK(uv_timer_start(&watched->poll, poll_cb, 1, 1) == 0);
    watched->watch = certificate_watch_start(&(struct certificate_watch_spec){
        .loop = &watched->loop,
        .use = "test",
        .paths = { name },
        .look_ms = look_ms,
        .says_end = true,
        .load = load,
        .expires_s = expires_s,
        .context = watched,
    });
    (void)uv_run(&watched->loop, UV_RUN_DEFAULT);
    EXPECT_EQ(uv_loop_close(&watched->loop), 0);
    EXPECT(!atomic_load(&watched->wrong_path));
    EXPECT_EQ(unlink(name), 0);
}

/* Each signal loads, whether the file has changed or not. */
static void at_signals(struct watched *watched)
{
    if (atomic_load(&watched->loads) < watched->step)
        return;
    if (watched->step == 3) {
        end(watched);
        return;
    }
    watched->step++;
    CHECK(raise(SIGHUP) == 0);
}

TEST(each_signal_loads_the_files)
{
    struct watched watched = { 0 };

    run(&watched, SELDOM_MS, at_signals);
    EXPECT_EQ(atomic_load(&watched.loads), 3u);
}

/* The first look loads, then each change does, and many looks between them do not. */
static void at_changes(struct watched *watched)
{
    static const char *const texts[] = { "a", "bb", "ccc" };

    if (atomic_load(&watched->loads) <= watched->step || watched->polls % 50 != 0)
        return;
    EXPECT_EQ(atomic_load(&watched->loads), watched->step + 1);
    if (watched->step == ARRAY_LEN(texts)) {
        end(watched);
        return;
    }
    /* In one piece, or a look between emptying and filling it would count. */
    CHECK(truncate(watched->path, (off_t)strlen(texts[watched->step++])) == 0);
}

TEST(each_change_loads_the_files_once)
{
    struct watched watched = { 0 };

    run(&watched, 1, at_changes);
    EXPECT_EQ(atomic_load(&watched.loads), 4u);
}

static void after_failures(struct watched *watched)
{
    if (atomic_load(&watched->loads) == 4 && watched->polls % 50 == 0)
        end(watched);
}

TEST(what_failed_is_tried_at_each_look_until_it_goes_well)
{
    struct watched watched = { .failures_left = 3 };

    run(&watched, 1, after_failures);
    EXPECT_EQ(atomic_load(&watched.loads), 4u);
}

static void at_once(struct watched *watched)
{
    CHECK(raise(SIGHUP) == 0);
    end(watched);
}

TEST(a_watch_that_stops_while_it_may_be_loading_ends_with_the_loop)
{
    struct watched watched = { 0 };

    run(&watched, 1, at_once);
    EXPECT(atomic_load(&watched.loads) <= 2u);
}
