/* New certificates without a restart.  Owned by itself from start to the last close callback; files
 * are read on a pool thread, everything else is the loop's. */
#include <signal.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/identity.h"
#include "base/log.h"
#include "base/tls_files.h"

enum { LOOK_MS = 60000, SAY_AGAIN_S = CERTIFICATE_DAY_S };

struct identity_watch {
    uv_loop_t *loop;
    uv_timer_t timer;
    uv_signal_t hangup;
    uv_work_t work;
    unsigned in_flight; /* handles, and the work */
    bool closing;
    bool working;
    bool again;     /* asked for while it was working */
    char *paths[3]; /* owned, what `files` points at: a thread may outlive the configuration */
    struct tls_files files;
    struct tls_context *tls; /* borrowed */
    int64_t said_s;          /* when it was last said how long the certificate lasts */

    /* The work's own. */
    bool forced;
    bool tried;
    bool first;                   /* nothing was tried before */
    struct tls_files_stamp stamp; /* of what was last tried; at first of nothing, for the files may
                                     have changed since the program read them at its start */
    enum status st;
    struct err err;
};

static void release(struct identity_watch *watch)
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

static void say_expiry(struct identity_watch *watch)
{
    int64_t expires_s = tls_context_expires_s(watch->tls);
    int64_t left_s = expires_s - now_s();
    enum certificate_urgency urgency = certificate_urgency(expires_s, now_s());

    if (urgency == CERTIFICATE_FINE)
        return;
    log_event(urgency == CERTIFICATE_ALARM ? LOG_ERROR : LOG_WARN, "certificate_expires",
              LS("file", watch->files.certificate), LI("expires_s", expires_s),
              LI("days_left", left_s / CERTIFICATE_DAY_S),
              LS("then", left_s > 0
                             ? "renew it: lapwing certs renew"
                             : "it has run out, peers refuse new links: lapwing certs renew"));
}

static void work_cb(uv_work_t *work)
{
    struct identity_watch *watch = container_of(work, struct identity_watch, work);
    struct tls_files_stamp stamp;

    tls_files_look(&watch->files, &stamp);
    watch->tried = watch->forced || !tls_files_same(&stamp, &watch->stamp);
    if (!watch->tried)
        return;
    watch->first = watch->stamp.file[0].inode == 0;
    watch->stamp = stamp;
    watch->st = tls_files_reload(&watch->files, watch->tls, &watch->err);
}

static void look(struct identity_watch *watch, bool forced);

static void say_loaded(struct identity_watch *watch)
{
    if (watch->st != ST_OK)
        log_event(LOG_ERROR, "certificate_not_loaded", LS("why", watch->err.text),
                  LS("then", "keeping the one in use"));
    else if (watch->forced || !watch->first)
        log_event(LOG_INFO, "certificate_loaded", LS("file", watch->files.certificate),
                  LI("expires_s", tls_context_expires_s(watch->tls)),
                  LS("then", "new links use it"));
    if (watch->forced || !watch->first)
        watch->said_s = 0;
}

static void worked_cb(uv_work_t *work, int rv)
{
    struct identity_watch *watch = container_of(work, struct identity_watch, work);
    bool again = watch->again;

    watch->working = false;
    watch->again = false;
    if (rv == 0 && watch->tried)
        say_loaded(watch);
    if (!watch->closing && now_s() - watch->said_s >= SAY_AGAIN_S) {
        watch->said_s = now_s();
        say_expiry(watch);
    }
    if (!watch->closing && again)
        look(watch, true);
    release(watch);
}

static void look(struct identity_watch *watch, bool forced)
{
    int rv;

    if (watch->working) {
        watch->again = watch->again || forced;
        return;
    }
    watch->forced = forced;
    watch->working = true;
    watch->in_flight++;
    rv = uv_queue_work(watch->loop, &watch->work, work_cb, worked_cb);
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

struct identity_watch *identity_watch_start(uv_loop_t *loop,
                                            const struct config *config,
                                            const struct stream_identity *identity)
{
    struct identity_watch *watch = must_calloc(1, sizeof *watch);
    int rv = uv_timer_init(loop, &watch->timer);

    rv |= uv_signal_init(loop, &watch->hangup);
    CHECK(rv == 0);
    watch->loop = loop;
    watch->tls = identity->tls;
    watch->paths[0] = must_strdup(config_text(config, "tls", "ca_file"));
    watch->paths[1] = must_strdup(config_text(config, "tls", "cert_file"));
    watch->paths[2] = must_strdup(config_text(config, "tls", "key_file"));
    watch->files = (struct tls_files){ watch->paths[0], watch->paths[1], watch->paths[2] };
    watch->timer.data = watch;
    watch->hangup.data = watch;
    watch->in_flight = 2;
    rv = uv_timer_start(&watch->timer, timer_cb, LOOK_MS, LOOK_MS);
    rv |= uv_signal_start(&watch->hangup, hangup_cb, SIGHUP);
    CHECK(rv == 0);
    /* Neither keeps the loop alive: a program ends when its own work does. */
    uv_unref((uv_handle_t *)&watch->timer);
    uv_unref((uv_handle_t *)&watch->hangup);
    watch->said_s = now_s();
    say_expiry(watch);
    return watch;
}

void identity_watch_stop(struct identity_watch *watch)
{
    if (watch == NULL || watch->closing)
        return;
    watch->closing = true;
    uv_close((uv_handle_t *)&watch->timer, closed_cb);
    uv_close((uv_handle_t *)&watch->hangup, closed_cb);
}
