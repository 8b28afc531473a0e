/* What the files of objstore/peers share. */
#ifndef OBJSTORE_PEERS_PEERS_INTERNAL_H
#define OBJSTORE_PEERS_PEERS_INTERNAL_H

#include <protobuf-c/protobuf-c.h>

#include "base/limits.h"
#include "base/stream.h"
#include "objstore/peers/copies.h"
#include "objstore/peers/peers.h"

/* What a peer said about one call, taken out of its frame. */
struct peer_reply {
    uint16_t type; /* enum BlobFrame */
    enum status status;
    const char *text;
    uint64_t bytes;
    struct bytes chunk;
};

/* One blob under way over one link; embedded in who asked. */
struct peer_call {
    struct peer_link *link; /* NULL: not registered */
    uint64_t id;
    void (*on_reply)(struct peer_call *call, const struct peer_reply *reply);
    void (*on_lost)(struct peer_call *call); /* the link broke; already unregistered */
};

struct peer_link {
    struct peers *peers;
    struct stream_dialer *dialer;
    uint32_t generation; /* upper half of call ids */
    unsigned calls_used;
    char zone[ZONE_BYTES_MAX + 1]; /* of the peer, while connected */
    bool stalled; /* a call moved nothing for too long, and no frame of one since */
    uint64_t stalled_ms;
    bool known; /* was connected once: has a health */
    struct failure_peer health;
    struct peer_call *calls[PEER_CALLS_MAX];
};

struct keeper;

struct peers {
    uv_loop_t *loop;
    struct blob_store *store;
    const char *zone;
    struct keeper *keeper;
    uv_timer_t tick;
    struct peer_link *links[PEERS_MAX];
    size_t link_count;
    struct failure_watch watch; /* over the links */
    struct put *puts;           /* doubly linked, also those that were answered */
    struct fetch *fetches;      /* the same */
    bool closing;
};

/* Link calls.  Begin: ST_UNAVAILABLE without a connection, ST_LIMIT with too many calls. */
enum status peer_call_begin(struct peer_link *link, struct peer_call *call);
void peer_call_end(struct peer_call *call); /* harmless when not registered */
/* Send a frame of the call: `message` packed, or a chunk behind the id. */
enum status peer_call_send(struct peer_call *call, uint16_t type, const ProtobufCMessage *message);
enum status peer_call_send_chunk(struct peer_call *call, struct bytes chunk);

/* How the link stands, for copies_choose(). */
struct copy_peer peer_link_standing(const struct peer_link *link);
/* A call on it moved nothing for too long. */
void peer_link_stalled(struct peer_link *link);
/* It is asked.  If it has stalled before, this call finds out for others, which skip it meanwhile.
 */
void peer_link_asked(struct peer_link *link);

enum status peer_link_new(struct peers *peers,
                          const struct peer_address *peer,
                          const struct stream_identity *identity,
                          struct peer_link **out_link,
                          struct err *err);
void peer_link_close(struct peer_link *link);
/* Time has passed: a link that has been silent for too long is closed. */
void peer_link_tick(struct peer_link *link);
/* The watch over all links runs. */
void peers_watch(struct peers *peers);

/* The side that keeps what other stores send. */
enum status keeper_open(struct peers *peers,
                        const char *address,
                        const struct stream_identity *identity,
                        struct keeper **out_keeper,
                        struct err *err);
/* Tell everybody who is connected that we are alive. */
void keeper_tick(struct keeper *keeper);
void keeper_close(struct keeper *keeper);
void keeper_free(struct keeper *keeper);

/* Called by the common timer and at the end. */
void puts_tick(struct peers *peers, uint64_t now_ms);
void fetches_tick(struct peers *peers, uint64_t now_ms);
void puts_cancel(struct peers *peers);
void fetches_cancel(struct peers *peers);

#endif
