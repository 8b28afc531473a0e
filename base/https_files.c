/* See https_files.h.  The loop's thread. */
#include "base/https_files.h"

#include <signal.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"

enum { LOOK_MS = 60000, DAY_S = 86400, WARN_DAYS = 30 };

struct https_files {
    struct https_certificate *certificate;
    uv_timer_t timer;
    uv_signal_t hangup;
    int64_t warned_s; /* when its end was last warned of */
};

/* An option that not every program has. */
static const char *text_if_declared(const struct config *config,
                                    const char *section,
                                    const char *key)
{
    return config_declares(config, section, key) ? config_text(config, section, key) : NULL;
}

/* Which files: those of [https], or without them the program's own certificate in the cluster. */
static enum status choose(const struct config *config,
                          const char **out_cert,
                          const char **out_key,
                          struct err *err)
{
    const char *cert = config_text(config, "https", "cert_file");
    const char *key = config_text(config, "https", "key_file");

    if (cert == NULL && key == NULL) {
        cert = text_if_declared(config, "tls", "cert_file");
        key = text_if_declared(config, "tls", "key_file");
    }
    if (cert == NULL || key == NULL)
        return err_set(err, ST_BAD_INPUT,
                       "an https:// address needs https.cert_file and https.key_file, and %s is "
                       "not set",
                       cert == NULL ? "https.cert_file" : "https.key_file");
    *out_cert = cert;
    *out_key = key;
    return ST_OK;
}

/* Once a day, from a month before its end on: nobody renews what nobody speaks of. */
static void warn_of_end(struct https_files *files)
{
    int64_t now_s = (int64_t)(clock_stamp_ms(&clock_system) / 1000);
    int64_t left_s = https_certificate_expires_s(files->certificate) - now_s;

    if (left_s >= (int64_t)WARN_DAYS * DAY_S || now_s - files->warned_s < DAY_S)
        return;
    files->warned_s = now_s;
    log_event(left_s > 0 ? LOG_WARN : LOG_ERROR, "https_certificate_ends",
              LI("days_left", left_s / DAY_S));
}

static void refresh(struct https_files *files)
{
    struct err err = { 0 };
    bool changed = false;

    if (https_certificate_refresh(files->certificate, &changed, &err) != ST_OK)
        log_event(LOG_ERROR, "https_certificate_unreadable", LS("why", err.text),
                  LS("then", "the old one stays in use"));
    else if (changed)
        log_event(LOG_INFO, "https_certificate_changed");
    if (changed)
        files->warned_s = 0;
    warn_of_end(files);
}

static void timer_cb(uv_timer_t *timer)
{
    refresh(timer->data);
}

static void hangup_cb(uv_signal_t *handle, int number)
{
    refresh(handle->data);
}

enum status https_files_open(uv_loop_t *loop,
                             const struct config *config,
                             struct https_files **out,
                             struct err *err)
{
    struct https_files *files;
    struct https_certificate *certificate = NULL;
    const char *cert = NULL;
    const char *key = NULL;
    enum status st = choose(config, &cert, &key, err);
    int rv;

    if (st == ST_OK)
        st = https_certificate_open(cert, key, &certificate, err);
    if (st != ST_OK)
        return st;
    files = must_calloc(1, sizeof *files);
    files->certificate = certificate;
    files->timer.data = files;
    files->hangup.data = files;
    rv = uv_timer_init(loop, &files->timer);
    rv |= uv_signal_init(loop, &files->hangup);
    rv |= uv_timer_start(&files->timer, timer_cb, LOOK_MS, LOOK_MS);
    rv |= uv_signal_start(&files->hangup, hangup_cb, SIGHUP);
    CHECK(rv == 0);
    warn_of_end(files);
    *out = files;
    return ST_OK;
}

const struct https_certificate *https_files_certificate(const struct https_files *files)
{
    return files->certificate;
}

void https_files_close(struct https_files *files)
{
    if (files == NULL)
        return;
    uv_close((uv_handle_t *)&files->timer, NULL);
    uv_close((uv_handle_t *)&files->hangup, NULL);
}

void https_files_free(struct https_files *files)
{
    if (files == NULL)
        return;
    https_certificate_free(files->certificate);
    free(files);
}
