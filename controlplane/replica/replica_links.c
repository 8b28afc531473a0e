/* One dialed stream to every other node of the group, for what we send; what they send comes in on
 * streams that they dialed.  So each direction is one ordered connection, as rule 12 wants it: a
 * newer one of a peer closes the older (base/stream).
 *
 * A stream's first frame says which member it is of, and which it is meant for: names and addresses
 * are given again, ids are not.  Releases before cluster version 2 know of no such frame; they are
 * known by their name. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "controlplane/replica/replica_internal.h"
#include "proto/raft.pb-c.h"
#include "proto/raft_check.h"

/* Cluster versions: what came before closes a stream on a frame that it does not know. */
enum { HELLO_SINCE = 2, DISK_SINCE = 2 };

/* ---- out ---- */

static void out_opened(struct stream *stream, const struct stream_hello *hello, void *context)
{
    struct replica_peer *peer = context;
    struct replica *replica = peer->replica;

    if (peer->dropped) {
        stream_close(stream);
        return;
    }
    CHECK(strcmp(hello->node, peer->member.node) == 0); /* the handshake checked it */
    peer->out = stream;
    peer->version = hello->version;
    if (replica->core != NULL) /* it says hello */
        core_link(replica->core, replica_now_ms(), peer->member.id, true);
}

static void out_closed(struct stream *stream, enum status why, const struct err *err, void *context)
{
    struct replica_peer *peer = context;
    struct replica *replica = peer->replica;

    (void)why;
    (void)err; /* the dialer logs why */
    if (peer->dropped) {
        free(peer);
        return;
    }
    if (peer->out != stream)
        return;
    peer->out = NULL;
    if (replica->core != NULL)
        core_link(replica->core, replica_now_ms(), peer->member.id, false);
}

/* Nothing is said on this side of a link, but that we are out. */
static void out_frame(struct stream *stream, uint16_t type, struct bytes body, void *context)
{
    struct replica_peer *peer = context;
    struct replica *replica = peer->replica;
    Lapwing__RaftRemoved *removed = NULL;

    if (type == LAPWING__RAFT_FRAME__RAFT_REMOVED)
        removed = lapwing__raft_removed__unpack(NULL, body.len, body.data);
    if (removed != NULL && removed->id == replica->self.id && !peer->dropped)
        replica_let_go(replica, peer->member.node);
    if (removed != NULL)
        lapwing__raft_removed__free_unpacked(removed, NULL);
    stream_close(stream);
}

static const struct stream_handler out_handler = {
    .on_open = out_opened,
    .on_frame = out_frame,
    .on_close = out_closed,
};

struct replica_peer *replica_links_dial(struct replica *replica,
                                        const struct replica_member *member)
{
    struct replica_peer *peer = must_calloc(1, sizeof *peer);
    struct err err = { 0 };

    peer->replica = replica;
    peer->member = *member;
    if (stream_dial(&replica->loop,
                    &(struct stream_dial_options){
                        .address = member->address,
                        .identity = replica->identity,
                        .service = replica->service,
                        .node = member->node, /* nobody else's acknowledgement counts */
                        .handler = &out_handler,
                        .context = peer,
                    },
                    &peer->dialer, &err) == ST_OK)
        return peer;
    log_event(LOG_ERROR, "replica_peer_address", LS("group", replica->group),
              LS("peer", member->node), LS("error", err.text));
    free(peer);
    return NULL;
}

void replica_links_drop(struct replica_peer *peer)
{
    struct replica *replica = peer->replica;

    if (peer->out != NULL && replica->core != NULL)
        core_link(replica->core, replica_now_ms(), peer->member.id, false);
    peer->dropped = true;
    stream_dialer_close(peer->dialer);
    if (peer->out == NULL)
        free(peer); /* else out_closed() does */
}

void replica_links_send(struct replica *replica, uint64_t peer_id, uint16_t type, struct bytes body)
{
    struct replica_peer *peer = replica_book_peer(replica, peer_id);

    if (peer == NULL || peer->out == NULL)
        return;
    if (type == LAPWING__RAFT_FRAME__RAFT_DISK && peer->version < DISK_SINCE)
        return;
    if (type == LAPWING__RAFT_FRAME__RAFT_HELLO && peer->version < HELLO_SINCE)
        return;
    /* A frame that does not fit would leave a gap in what is taken for ordered: begin anew. */
    if (stream_send(peer->out, type, bytes_of(NULL, 0), body) == ST_LIMIT) {
        log_event(LOG_WARN, "replica_link_full", LS("group", replica->group),
                  LS("peer", peer->member.node), LS("then", "reconnecting"));
        stream_close(peer->out);
    }
}

/* ---- in ---- */

/* Who is refused comes again within a second: said once a minute each. */
static void say_refused(const struct replica_in *in, const char *why, const char *then)
{
    struct replica *replica = in->replica;
    uint32_t left_out;

    if (!refusal_is_said(&replica->refusals, in->member.node, why, replica_now_ms(), &left_out))
        return;
    log_event(LOG_WARN, "replica_peer_refused", LS("group", replica->group),
              LS("node", in->member.node), LU("id", in->member.id), LS("why", why),
              LU("left_out", left_out), LS("then", then));
}

static void *accepted(struct stream *stream, const struct stream_hello *hello, void *context)
{
    struct replica *replica = context;
    struct replica_in *in = must_calloc(1, sizeof *in);

    in->replica = replica;
    in->stream = stream;
    (void)snprintf(in->member.node, sizeof in->member.node, "%s", hello->node);
    (void)snprintf(in->member.zone, sizeof in->member.zone, "%s", hello->zone);
    for (unsigned i = 0; hello->version < HELLO_SINCE && i < replica->peer_count; i++)
        if (strcmp(replica->peers[i]->member.node, hello->node) == 0)
            in->member = replica->peers[i]->member;
    if (in->member.id != 0 && replica->core != NULL)
        (void)core_hello(replica->core, replica_now_ms(), in->member.id, NULL, NULL);
    in->next = replica->ins;
    in->link = &replica->ins;
    if (in->next != NULL)
        in->next->link = &in->next;
    replica->ins = in;
    return in;
}

/* It closes, on its own, what it hears this on. */
static void refuse_removed(struct replica_in *in)
{
    Lapwing__RaftRemoved removed = LAPWING__RAFT_REMOVED__INIT;
    uint8_t body[16];
    size_t len;

    say_refused(in, "it was removed", "refusing it: stop it and wipe its data");
    in->refused = true;
    removed.id = in->member.id;
    CHECK(lapwing__raft_removed__get_packed_size(&removed) <= sizeof body);
    len = lapwing__raft_removed__pack(&removed, body);
    (void)stream_send(in->stream, LAPWING__RAFT_FRAME__RAFT_REMOVED, bytes_of(NULL, 0),
                      bytes_of(body, len));
}

static void refuse(struct replica_in *in, const char *why)
{
    say_refused(in, why, "closing");
    stream_close(in->stream);
}

static enum status check_hello(const struct replica_in *in,
                               const Lapwing__RaftHello *hello,
                               struct err *err)
{
    const struct replica *replica = in->replica;
    const char *owner = replica_book_owner(replica, hello->from);
    enum status st = raft_hello_check(hello, err);

    if (st != ST_OK)
        return st;
    if (hello->to != replica->self.id || hello->from == replica->self.id)
        return err_set(err, ST_BAD_INPUT, "hello: of member %llu for %llu, this is %llu",
                       (unsigned long long)hello->from, (unsigned long long)hello->to,
                       (unsigned long long)replica->self.id);
    if (owner != NULL && strcmp(owner, in->member.node) != 0)
        return err_set(err, ST_DENIED, "hello: member %llu is node %s, not %s",
                       (unsigned long long)hello->from, owner, in->member.node);
    return ST_OK;
}

/* It hears what is known of it on our own stream to it. */
static void refuse_forgetful(struct replica_in *in)
{
    say_refused(in,
                "it is without the log that is known under its id: its data are lost or not "
                "mounted",
                "taking nothing from it");
    in->refused = true;
}

/* In the book first, so that its core has a place for what the hello says. */
static void let_in(struct replica_in *in, const Lapwing__RaftHello *hello)
{
    struct replica *replica = in->replica;
    struct err err = { 0 };
    enum status st;

    in->refused = false;
    replica_book_update(replica);
    st = core_hello(replica->core, replica_now_ms(), in->member.id, hello, &err);
    if (st == ST_DENIED)
        refuse_forgetful(in);
    else if (st != ST_OK)
        refuse(in, err.text);
}

static void take_hello(struct replica_in *in, struct bytes body)
{
    struct replica *replica = in->replica;
    Lapwing__RaftHello *hello = lapwing__raft_hello__unpack(NULL, body.len, body.data);
    struct err err = { 0 };
    enum status st = ST_BAD_INPUT;

    if (hello == NULL)
        (void)err_set(&err, st, "hello: does not decode");
    else
        st = check_hello(in, hello, &err);
    if (st == ST_OK && in->member.id != 0 && in->member.id != hello->from)
        st = err_set(&err, ST_BAD_INPUT, "hello: of member %llu, and before of %llu",
                     (unsigned long long)hello->from, (unsigned long long)in->member.id);
    if (st == ST_OK) {
        in->member.id = hello->from;
        (void)snprintf(in->member.address, sizeof in->member.address, "%s", hello->address);
        if (core_refuses(replica->core, in->member.id))
            refuse_removed(in);
        else
            let_in(in, hello);
    } else {
        refuse(in, err.text);
    }
    if (hello != NULL)
        lapwing__raft_hello__free_unpacked(hello, NULL);
}

static void in_frame(struct stream *stream, uint16_t type, struct bytes body, void *context)
{
    struct replica_in *in = context;
    struct replica *replica = in->replica;
    struct err err = { 0 };

    (void)stream;
    if (replica->core == NULL)
        return;
    if (type == LAPWING__RAFT_FRAME__RAFT_HELLO) {
        take_hello(in, body);
        return;
    }
    if (in->member.id == 0) {
        refuse(in, "it has not said which member it is");
        return;
    }
    if (core_refuses(replica->core, in->member.id)) {
        refuse_removed(in);
        return;
    }
    if (replica_book_peer(replica, in->member.id) == NULL)
        return; /* the book is full */
    if (core_frame(replica->core, replica_now_ms(), in->member.id, type, body, &err) != ST_OK)
        refuse(in, err.text);
}

static void in_closed(struct stream *stream, enum status why, const struct err *err, void *context)
{
    struct replica_in *in = context;

    (void)stream;
    (void)why;
    (void)err; /* the peer's dialer comes again */
    *in->link = in->next;
    if (in->next != NULL)
        in->next->link = in->link;
    free(in);
}

static const struct stream_handler in_handler = {
    .on_frame = in_frame,
    .on_close = in_closed,
};

/* ---- life ---- */

enum status replica_links_start(struct replica *replica, struct err *err)
{
    enum status st = stream_listen(&replica->loop,
                                   &(struct stream_listen_options){
                                       .address = replica->self.address,
                                       .identity = replica->identity,
                                       .service = replica->service,
                                       .handler = &in_handler,
                                       .accepted = accepted,
                                       .context = replica,
                                   },
                                   &replica->listener, err);

    if (st == ST_OK)
        replica_book_update(replica);
    return st;
}

void replica_links_stop(struct replica *replica)
{
    for (unsigned i = 0; i < replica->peer_count; i++)
        replica_links_drop(replica->peers[i]);
    replica->peer_count = 0;
    if (replica->listener != NULL)
        stream_listener_close(replica->listener);
    replica->listener = NULL;
}
