/* The steps by which a package comes to this worker.  Pure.
 *
 *                 found ─► VERIFYING ──ok──────────────────────────────┐
 *                            │ no                                      │
 *   START ──image───► MANIFEST ─► OPENING ─► CHUNKS ─► ADDING ──ok──► DONE
 *     │                  │ missing  │ no       │ missing │ no          ▲
 *     └──zip──────────► ZIP ◄───────┴──────────┴─────────┘             │
 *                        └─► CONVERTING ──► (told) STORING ────────────┘
 *
 * An image that somebody has made is better than a zip: it need not be converted.  What is wrong
 * with an image is no reason to do without the package, as its zip is there as well; a store that
 * does not answer is one, as it would not give the zip either. */
#ifndef WORKER_PACKAGES_PACKAGE_FETCH_PLAN_H
#define WORKER_PACKAGES_PACKAGE_FETCH_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

enum fetch_state {
    FETCH_START,
    FETCH_VERIFYING,  /* an image of a former run is read */
    FETCH_MANIFEST,   /* is there an image in the store? */
    FETCH_OPENING,    /* a file for it */
    FETCH_CHUNKS,     /* its bytes come */
    FETCH_ADDING,     /* it is checked and put in place */
    FETCH_ZIP,        /* the zip comes */
    FETCH_CONVERTING, /* and is converted */
    FETCH_STORING,    /* the package is here; its image goes to the store */
    FETCH_DONE,
    FETCH_STATES,
};

enum fetch_event {
    FETCH_FOUND,    /* START: it is on the disk */
    FETCH_BY_IMAGE, /* START: it is not */
    FETCH_BY_ZIP,   /* START: it is not, and an image is of no use */
    FETCH_OK,
    FETCH_OK_IMAGE, /* CONVERTING: and here is the image */
    FETCH_MISSING,  /* not there, or not what it should be */
    FETCH_FAILED,   /* whatever else */
    FETCH_EVENTS,
};

enum fetch_action {
    FETCH_FORBIDDEN,
    FETCH_DO_VERIFY,
    FETCH_DO_MANIFEST,
    FETCH_DO_OPEN,
    FETCH_DO_CHUNKS,
    FETCH_DO_ADD,
    FETCH_DO_ZIP,
    FETCH_DO_CONVERT,
    FETCH_DO_STORE, /* tell who waits for the package, and store the image */
    FETCH_DO_TELL,  /* tell everybody what came of it, and end */
    FETCH_DO_END,   /* tell who waited for the image to be stored, and end */
};

struct fetch_move {
    enum fetch_state next;
    enum fetch_action action;
};

struct fetch_move fetch_next(enum fetch_state state, enum fetch_event event);

/* Does an image of a package of so large a zip pay?  One of a small zip costs every deployment
 * more, two objects written in two zones, than it spares a worker: the zip comes as quickly as
 * manifest and image do, and is unpacked before they are checked. */
enum { FETCH_IMAGE_ZIP_BYTES_MIN = 256 * 1024 };
bool fetch_image_pays(uint64_t zip_bytes);

/* The event that a status is while something is got of the store or made of it. */
enum fetch_event fetch_event_of(enum status st);

#endif
