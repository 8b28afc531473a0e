/* See certificate_watch.h.  Owned by itself from start to the last close callback; files are looked
 * at and loaded on a pool thread, everything else is the loop's. */
#include "base/certificate_watch.h"

#include <signal.h>
#include <stdlib.h>

#include "base/certificate_facts.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/file_stamp.h"
#include "base/log.h"

enum { SAY_AGAIN_S = CERTIFICATE_DAY_S };

struct certificate_watch {
    struct certificate_watch_spec spec;   /* its paths are `paths` */
    char *paths[CERTIFICATE_WATCH_FILES]; /* a thread may outlive the configuration */
    uv_timer_t timer;
    uv_signal_t hangup;
    uv_work_t work;
    unsigned in_flight; /* handles, and the work */
    bool closing;
    bool working;
    bool again;     /* asked for while it was working */
    int64_t said_s; /* when it was last said how long the certificate lasts */

    /* The work's own. */
    bool forced;
    bool tried;
    bool news; /* the log has a line of what came of it */
    bool has_looked;
    struct file_stamp stamps[CERTIFICATE_WATCH_FILES]; /* of what was last tried */
    enum status st;                                    /* what came of that */
    struct err err;
};

static void release(struct certificate_watch *watch)
{
    if (--watch->in_flight > 0)
        return;
    for (size_t i = 0; i < ARRAY_LEN(watch->paths); i++)
        free(watch->paths[i]);
    free(watch);
}

static void closed_cb(uv_handle_t *handle)
{
    release(handle->data);
}

static int64_t now_s(void)
{
    return (int64_t)(clock_stamp_ms(&clock_system) / 1000);
}

static void say_end(const struct certificate_watch *watch)
{
    int64_t expires_s = watch->spec.expires_s(watch->spec.context);
    int64_t left_s = expires_s - now_s();
    enum certificate_urgency urgency = certificate_urgency(expires_s, now_s());

    if (urgency == CERTIFICATE_FINE)
        return;
    log_event(
        urgency == CERTIFICATE_ALARM ? LOG_ERROR : LOG_WARN, "certificate_expires",
        LS("use", watch->spec.use), LS("file", watch->paths[0]), LI("expires_s", expires_s),
        LI("days_left", left_s / CERTIFICATE_DAY_S),
        LS("then", left_s > 0 ? "renew it" : "it has run out, new connections fail: renew it"));
}

/* Once a day: nobody renews what nobody speaks of. */
static void say_end_daily(struct certificate_watch *watch)
{
    if (!watch->spec.says_end || now_s() - watch->said_s < SAY_AGAIN_S)
        return;
    watch->said_s = now_s();
    say_end(watch);
}

/* Notes what the files look like.  Returns whether that is new. */
static bool have_changed(struct certificate_watch *watch)
{
    bool changed = !watch->has_looked;

    for (size_t i = 0; i < ARRAY_LEN(watch->paths) && watch->paths[i] != NULL; i++) {
        struct file_stamp stamp;

        file_stamp_take(watch->paths[i], &stamp);
        changed = changed || !file_stamp_equal(&stamp, &watch->stamps[i]);
        watch->stamps[i] = stamp;
    }
    return changed;
}

/* The first look finds what the program has read at its start, unless it has changed since: that it
 * went well is no news. */
static void work_cb(uv_work_t *work)
{
    struct certificate_watch *watch = container_of(work, struct certificate_watch, work);
    bool first = !watch->has_looked;
    bool had_failed = watch->st != ST_OK;
    bool changed = have_changed(watch); /* before it is read: what changes meanwhile is new again */

    watch->has_looked = true;
    watch->tried = watch->forced || changed || had_failed;
    if (!watch->tried)
        return;
    watch->st = watch->spec.load(watch->spec.paths, watch->spec.context, &watch->err);
    watch->news =
        watch->forced || (watch->st == ST_OK ? had_failed || (changed && !first) : changed);
}

static void look(struct certificate_watch *watch, bool forced);

static void say_loaded(struct certificate_watch *watch)
{
    if (watch->st != ST_OK) {
        log_event(LOG_ERROR, "certificate_not_loaded", LS("use", watch->spec.use),
                  LS("why", watch->err.text), LS("then", "keeping the one in use"));
        return;
    }
    log_event(LOG_INFO, "certificate_loaded", LS("use", watch->spec.use),
              LS("file", watch->paths[0]),
              LI("expires_s", watch->spec.expires_s(watch->spec.context)),
              LS("then", "new connections use it"));
    watch->said_s = 0;
}

static void worked_cb(uv_work_t *work, int rv)
{
    struct certificate_watch *watch = container_of(work, struct certificate_watch, work);
    bool again = watch->again;

    watch->working = false;
    watch->again = false;
    if (!watch->closing) {
        if (rv == 0 && watch->tried && watch->news)
            say_loaded(watch);
        say_end_daily(watch);
        if (again)
            look(watch, true);
    }
    release(watch);
}

static void look(struct certificate_watch *watch, bool forced)
{
    int rv;

    if (watch->working) {
        watch->again = watch->again || forced;
        return;
    }
    watch->forced = forced;
    watch->working = true;
    watch->in_flight++;
    rv = uv_queue_work(watch->spec.loop, &watch->work, work_cb, worked_cb);
    CHECK(rv == 0);
}

static void timer_cb(uv_timer_t *timer)
{
    look(timer->data, false);
}

static void hangup_cb(uv_signal_t *handle, int number)
{
    (void)number;
    look(handle->data, true);
}

static void start_handles(struct certificate_watch *watch)
{
    uint64_t look_ms = watch->spec.look_ms == 0 ? CERTIFICATE_LOOK_MS : watch->spec.look_ms;
    int rv = uv_timer_init(watch->spec.loop, &watch->timer);

    rv |= uv_signal_init(watch->spec.loop, &watch->hangup);
    CHECK(rv == 0);
    watch->timer.data = watch;
    watch->hangup.data = watch;
    watch->in_flight = 2;
    rv = uv_timer_start(&watch->timer, timer_cb, look_ms, look_ms);
    rv |= uv_signal_start(&watch->hangup, hangup_cb, SIGHUP);
    CHECK(rv == 0);
    uv_unref((uv_handle_t *)&watch->timer);
    uv_unref((uv_handle_t *)&watch->hangup);
}

struct certificate_watch *certificate_watch_start(const struct certificate_watch_spec *spec)
{
    struct certificate_watch *watch = must_calloc(1, sizeof *watch);

    CHECK(spec->paths[0] != NULL);
    watch->spec = *spec;
    for (size_t i = 0; i < ARRAY_LEN(watch->paths) && spec->paths[i] != NULL; i++)
        watch->spec.paths[i] = watch->paths[i] = must_strdup(spec->paths[i]);
    start_handles(watch);
    say_end_daily(watch);
    return watch;
}

void certificate_watch_stop(struct certificate_watch *watch)
{
    if (watch == NULL || watch->closing)
        return;
    watch->closing = true;
    uv_close((uv_handle_t *)&watch->timer, closed_cb);
    uv_close((uv_handle_t *)&watch->hangup, closed_cb);
}
