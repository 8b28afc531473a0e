/* New certificates without a restart.
 *
 * Looks at files once a minute and on SIGHUP, and has them loaded when they have changed, and at
 * SIGHUP in any case.  What is broken is an error in the log, once until the files change again,
 * and is tried again at each look; the old certificate stays in use meanwhile.  From a month before
 * the certificate's end on the log says so once a day. */
#ifndef BASE_CERTIFICATE_WATCH_H
#define BASE_CERTIFICATE_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/status.h"

enum { CERTIFICATE_WATCH_FILES = 3, CERTIFICATE_LOOK_MS = 60000 };

struct certificate_watch;

/* Copied, but for `context`. */
struct certificate_watch_spec {
    uv_loop_t *loop;
    const char *use;                            /* in the log: what it is for; a constant */
    const char *paths[CERTIFICATE_WATCH_FILES]; /* the certificate first; NULL: one less */
    uint64_t look_ms;                           /* 0: CERTIFICATE_LOOK_MS */
    bool says_end;                              /* false where another watch says the same */
    /* Read the files, whose paths are the watch's own, and use them.  On a pool thread, one call at
     * a time. */
    enum status (*load)(const char *const paths[CERTIFICATE_WATCH_FILES],
                        void *context,
                        struct err *err);
    int64_t (*expires_s)(void *context); /* of the one in use, unix time; on the loop's thread */
    void *context; /* needed until the loop has run dry after certificate_watch_stop() */
};

/* Does not keep the loop alive: a program ends when its own work does. */
struct certificate_watch *certificate_watch_start(const struct certificate_watch_spec *spec);
/* Stops from the loop and frees itself.  NULL is harmless. */
void certificate_watch_stop(struct certificate_watch *watch);

#endif
