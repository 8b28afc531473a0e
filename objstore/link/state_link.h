/* The link to the replicated state: commands and reads to a control-plane node, over STREAM_STATE.
 *
 * All listed nodes are dialled; the first in the list that is connected is used, so the own zone's
 * node stands first.  A call that got no answer in time, or "not now", goes to the next node under
 * the same (client, sequence): the state counts a repeated command once.
 *
 * Everything belongs to the loop's thread.  Callbacks run from the loop, never from a start. */
#ifndef OBJSTORE_LINK_STATE_LINK_H
#define OBJSTORE_LINK_STATE_LINK_H

#include <stdint.h>
#include <uv.h>

#include "base/bytes.h"
#include "base/status.h"
#include "proto/state_service.pb-c.h"

struct stream_identity;
struct state_link; /* owned by main() */

enum {
    STATE_NODES_MAX = 9,
    STATE_CALLS_MAX = 1024,  /* at once; one more is ST_LIMIT */
    STATE_ATTEMPT_MS = 1500, /* without an answer: ask the next node */
    STATE_RETRY_MS = 50,     /* after "not now", and while no node is connected */
    STATE_TICK_MS = 25,
};

/* addresses  "host:port", preferred first, borrowed for the call; 1 to STATE_NODES_MAX */
enum status state_link_new(uv_loop_t *loop,
                           const struct stream_identity *identity,
                           const char *const *addresses,
                           size_t count,
                           struct state_link **out_link,
                           struct err *err);
/* Ends every call with ST_CANCELLED before it returns; no callback may start another. */
void state_link_close(struct state_link *link);

/* status   ST_OK: `outcome` says what the state made of it (which may be a refusal).
 *          ST_UNAVAILABLE: certainly not done.  ST_UNKNOWN: perhaps done.  ST_CANCELLED.
 * err      else: the reason that a node of the control plane gave last, if one did */
typedef void (*state_propose_fn)(void *context,
                                 enum status status,
                                 const Lapwing__Outcome *outcome,
                                 const struct err *err);
/* Propose a command of the storage group.
 *
 * body  the packed message of `type`; copied
 *
 * ST_LIMIT: STATE_CALLS_MAX calls are running. */
enum status state_link_propose(struct state_link *link,
                               Lapwing__CommandType type,
                               struct bytes body,
                               uint32_t deadline_ms,
                               state_propose_fn done,
                               void *context);

/* reply is set when status is ST_OK; its own status field tells what was found. */
typedef void (*state_read_fn)(void *context,
                              enum status status,
                              const Lapwing__ReadReply *reply,
                              const struct err *err);
/* Read rows.  `request` is packed at once, its id overwritten. */
enum status state_link_read(struct state_link *link,
                            Lapwing__ReadRequest *request,
                            uint32_t deadline_ms,
                            state_read_fn done,
                            void *context);
/* Forget a call whose caller went away: no callback follows.  A command may still be done. */
void state_link_forget(struct state_link *link, void *context);

#endif
