/* One dialed stream to every other member, for what we send; what they send comes in on streams
 * that they dialed.  So each direction is one ordered connection, as rule 12 wants it: a newer one
 * of a peer closes the older (base/stream). */
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "controlplane/replica/replica_internal.h"

static struct replica_peer *peer_of_node(struct replica *replica, const char *node)
{
    for (unsigned i = 0; i < replica->peer_count; i++)
        if (strcmp(replica->peers[i].member.node, node) == 0)
            return &replica->peers[i];
    return NULL;
}

/* ---- out ---- */

static void out_opened(struct stream *stream, const struct stream_hello *hello, void *context)
{
    struct replica_peer *peer = context;
    struct replica *replica = peer->replica;

    CHECK(strcmp(hello->node, peer->member.node) == 0); /* the handshake checked it */
    peer->out = stream;
    if (replica->core != NULL)
        core_link(replica->core, replica_now_ms(), peer->member.id, true);
}

static void out_closed(struct stream *stream, enum status why, const struct err *err, void *context)
{
    struct replica_peer *peer = context;
    struct replica *replica = peer->replica;

    (void)why;
    (void)err; /* the dialer logs why */
    if (peer->out != stream)
        return;
    peer->out = NULL;
    if (replica->core != NULL)
        core_link(replica->core, replica_now_ms(), peer->member.id, false);
}

static void out_frame(struct stream *stream, uint16_t type, struct bytes body, void *context)
{
    (void)type;
    (void)body;
    (void)context;
    stream_close(stream); /* nothing is said on this side of a link */
}

static const struct stream_handler out_handler = {
    .on_open = out_opened,
    .on_frame = out_frame,
    .on_close = out_closed,
};

void replica_links_send(struct replica *replica, uint64_t peer_id, uint16_t type, struct bytes body)
{
    for (unsigned i = 0; i < replica->peer_count; i++) {
        struct replica_peer *peer = &replica->peers[i];

        if (peer->member.id != peer_id || peer->out == NULL)
            continue;
        /* A frame that does not fit would leave a gap in what is taken for ordered: begin anew. */
        if (stream_send(peer->out, type, bytes_of(NULL, 0), body) == ST_LIMIT) {
            log_event(LOG_WARN, "replica_link_full", LS("group", replica->group),
                      LS("peer", peer->member.node), LS("then", "reconnecting"));
            stream_close(peer->out);
        }
    }
}

/* ---- in ---- */

static void *accepted(struct stream *stream, const struct stream_hello *hello, void *context)
{
    struct replica *replica = context;

    (void)stream;
    return peer_of_node(replica, hello->node); /* NULL for a stranger: refused, and said */
}

static void in_frame(struct stream *stream, uint16_t type, struct bytes body, void *context)
{
    struct replica_peer *peer = context;
    struct replica *replica = peer->replica;
    struct err err = { 0 };
    enum status st;

    if (replica->core == NULL)
        return;
    st = core_frame(replica->core, replica_now_ms(), peer->member.id, type, body, &err);
    if (st == ST_OK)
        return;
    log_event(LOG_WARN, "replica_frame_refused", LS("group", replica->group),
              LS("peer", peer->member.node), LS("error", err.text), LS("then", "closing"));
    stream_close(stream);
}

static void in_closed(struct stream *stream, enum status why, const struct err *err, void *context)
{
    (void)stream;
    (void)why;
    (void)err;
    (void)context; /* the peer's dialer comes again */
}

static const struct stream_handler in_handler = {
    .on_frame = in_frame,
    .on_close = in_closed,
};

/* ---- life ---- */

enum status replica_links_start(struct replica *replica, struct err *err)
{
    const char *address = NULL;
    enum status st;

    for (unsigned i = 0; i < replica->member_count; i++) {
        const struct replica_member *member = &replica->members[i];

        if (member->id == replica->self_id) {
            address = member->address;
            continue;
        }
        replica->peers[replica->peer_count++] =
            (struct replica_peer){ .replica = replica, .member = *member };
    }
    CHECK(address != NULL);
    if (replica->peer_count == 0)
        return ST_OK; /* a sole voter speaks with nobody */
    st = stream_listen(&replica->loop,
                       &(struct stream_listen_options){
                           .address = address,
                           .identity = replica->identity,
                           .service = replica->service,
                           .handler = &in_handler,
                           .accepted = accepted,
                           .context = replica,
                       },
                       &replica->listener, err);
    for (unsigned i = 0; st == ST_OK && i < replica->peer_count; i++) {
        struct replica_peer *peer = &replica->peers[i];

        st = stream_dial(&replica->loop,
                         &(struct stream_dial_options){
                             .address = peer->member.address,
                             .identity = replica->identity,
                             .service = replica->service,
                             .node = peer->member.node, /* nobody else's acknowledgement counts */
                             .handler = &out_handler,
                             .context = peer,
                         },
                         &peer->dialer, err);
    }
    return st;
}

void replica_links_stop(struct replica *replica)
{
    for (unsigned i = 0; i < replica->peer_count; i++) {
        if (replica->peers[i].dialer != NULL)
            stream_dialer_close(replica->peers[i].dialer);
        replica->peers[i].dialer = NULL;
    }
    if (replica->listener != NULL)
        stream_listener_close(replica->listener);
    replica->listener = NULL;
}
