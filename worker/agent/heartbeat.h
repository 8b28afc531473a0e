/* Heartbeats: how this worker stands, to every control-plane address, over framed streams.
 *
 * One when HEARTBEAT_MS have passed since the last or HEARTBEAT_CHANGE_MS since something changed:
 * 10 to 20 a second.  They are what failure detection there listens to (base/failure_rules.h), so
 * they go on whether they are answered or not, up to HEARTBEATS_UNANSWERED_MAX: a front door that
 * was paused finds a few old ones, not a thousand.  Everything belongs to the loop's thread. */
#ifndef WORKER_AGENT_HEARTBEAT_H
#define WORKER_AGENT_HEARTBEAT_H

#include "worker/agent/agent.h"

enum { HEARTBEAT_MS = 100, HEARTBEAT_CHANGE_MS = 50, HEARTBEATS_UNANSWERED_MAX = 8 };

enum status heartbeats_start(struct agent *agent, struct heartbeats **out, struct err *err);
/* Something changed: send soon. */
void heartbeats_changed(struct heartbeats *heartbeats);
/* Closes the streams; frees itself from the loop.  NULL is harmless. */
void heartbeats_stop(struct heartbeats *heartbeats);

/* The message as it stands, appended to `out`. */
void heartbeat_build(const struct agent *agent, uint64_t sequence, struct buf *out);

#endif
