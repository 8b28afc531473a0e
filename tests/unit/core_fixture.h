/* A core that is one of three members, its peers' words put into its mouth: what it asks its host
 * for is kept. */
#ifndef TESTS_UNIT_CORE_FIXTURE_H
#define TESTS_UNIT_CORE_FIXTURE_H

#include "base/bytes.h"
#include "controlplane/replica/core.h"
#include "controlplane/replica/wire.h"

enum {
    SELF = 1, /* the others are 2 and 3 */
    FRAMES_MAX = 64,
    ELECTION_MS = 300,
    DEADLINE_MS = 100000,
};

/* A core and what it asked for. */
struct world {
    struct core *core;
    struct state *state;
    struct {
        uint64_t peer;
        uint16_t type;
        struct buf body;
    } frames[FRAMES_MAX];
    unsigned frame_count;
    struct disk_op *op; /* not done yet; at most one */
    unsigned answered;  /* barriers and commands */
    enum status st;     /* of the last of them */
};

/* A follower in term 1, whose log holds the bootstrap entry; links to both peers are up. */
void world_start(struct world *world, bool leader_lease);
/* Elected in term 2; its first entry, index 2, is durable here.  Returns when. */
uint64_t world_lead(struct world *world, bool leader_lease);
void world_end(struct world *world);
void forget_frames(struct world *world);

/* A raft message from `peer`, then a turn. */
void feed(struct world *world, uint64_t now_ms, uint64_t peer, struct buf *body);
/* `peer` has everything up to `index`. */
void acknowledge(
    struct world *world, uint64_t now_ms, uint64_t peer, uint64_t index, uint64_t echo_ms);
/* The append under way is durable, then a turn. */
void world_disk_done(struct world *world, uint64_t now_ms);
struct core_view view_of(const struct world *world);

#endif
