/* The object stores of the cluster, seen from this one: blobs go to all of them at once and come
 * back from any.
 *
 * Everything belongs to the loop's thread.  Callbacks run from the loop, never from inside the call
 * that started them. */
#ifndef OBJSTORE_PEERS_PEERS_H
#define OBJSTORE_PEERS_PEERS_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/bytes.h"
#include "base/failure_rules.h"
#include "base/status.h"
#include "objstore/blobs/blob_store.h"

struct stream_identity;
struct peers; /* owned by main() */

enum {
    PEERS_MAX = 8,
    PEERS_TICK_MS = 100, /* of every deadline here; a keeper says as often that it is alive */
    PEER_WINDOW_BYTES = 4 << 20, /* sent to one peer and not yet written there, for one blob */
    PEER_STALL_MS = 3000,        /* a peer that moves nothing for so long loses its copy */
    PUT_FINISH_MS = 20000,       /* from the last byte to the syncs that are needed */
    PEER_CALLS_MAX = 1024,       /* blobs under way to or from one peer */
};

/* Another store, by the name that its certificate must say. */
struct peer_address {
    const char *node;
    const char *address;
};

struct peers_options {
    uv_loop_t *loop;
    const struct stream_identity *identity; /* borrowed for life */
    struct blob_store *store;               /* borrowed for life */
    const char *listen;                     /* where peers dial us; NULL: nowhere */
    const struct peer_address *addresses;   /* of the other stores; borrowed for the call */
    size_t count;
    struct failure_limits detection; /* checked */
};

enum status peers_open(const struct peers_options *options,
                       struct peers **out_peers,
                       struct err *err);
/* Ends every put and fetch with ST_CANCELLED from the loop and closes all links; once the loop has
 * nothing left to run, peers_free(). */
void peers_close(struct peers *peers);
void peers_free(struct peers *peers);
/* Zones beside ours that are connected now. */
unsigned peers_zones_connected(const struct peers *peers);

/* ---- put: one blob to this disk and to the other zones ---- */

struct put; /* freed by itself, perhaps long after on_done, when the last copy has ended */

struct put_handler {
    /* put_wants_pause() turned false again.  May be NULL. */
    void (*on_drain)(struct put *put, void *context);
    /* As in blob_writer_handler, on a pool thread, with the tap's own context: a put may be refused
     * while a thread still works for it, so what the tap touches lives as long as the put.
     * tap_free runs on the loop when the put is freed.  Both may be NULL. */
    void (*tap)(struct bytes piece, void *tap_context);
    void (*tap_free)(void *tap_context);
    /* Exactly once, unless aborted; afterwards the caller has no put any more.
     * ST_OK: synced here and in one other zone (if there is another).
     * ST_UNAVAILABLE: too few zones can be had.  ST_TIMEOUT: too few had it in time.
     * ST_CORRUPT, ST_LIMIT, ST_IO: as blob_writer_handler. */
    void (*on_done)(struct put *put,
                    const struct blob_write_result *result,
                    const struct err *err,
                    void *context);
};

/* ST_UNAVAILABLE when too few zones are connected: nothing was started, tap_context stays the
 * caller's; else it belongs to the put. */
enum status put_start(struct peers *peers,
                      const struct put_handler *handler,
                      void *context,
                      void *tap_context,
                      struct put **out_put,
                      struct err *err);
void put_write(struct put *put, struct bytes piece);
/* True: stop until on_drain.  Bytes that come all the same are taken. */
bool put_wants_pause(const struct put *put);
/* expected  what the bytes must hash to, or NULL; with it the zones sync at the same time */
void put_finish(struct put *put, const struct blob_id *expected);
/* No callback follows but those of the tap. */
void put_abort(struct put *put);

/* ---- fetch: one blob from another zone to this disk ---- */

struct fetch; /* freed by itself after `done` */

/* ST_OK: the blob is on this disk, verified and synced.  ST_NOT_FOUND: every peer was asked and has
 * it not.  ST_UNAVAILABLE: some could not be asked.  ST_LIMIT, ST_IO: this disk refused it. */
typedef void (*fetch_fn)(void *context, enum status status, const struct err *err);
void fetch_start(struct peers *peers,
                 const struct blob_id *id,
                 fetch_fn done,
                 void *context,
                 struct fetch **out_fetch);
/* `done` will not run; the repair goes on. */
void fetch_forget(struct fetch *fetch);

#endif
