/* Heartbeats: how this worker stands, to every control-plane address, over nng (request, reply).
 *
 * Four a second and, at most twenty a second, when something changed.  One request an address is in
 * flight; an address that does not answer is asked again after its time-out.  nng's threads hand
 * their results to the loop through a mailbox; nothing here blocks it. */
#ifndef WORKER_AGENT_HEARTBEAT_H
#define WORKER_AGENT_HEARTBEAT_H

#include "worker/agent/agent.h"

enum { HEARTBEAT_MS = 250, HEARTBEAT_CHANGE_MS = 50, HEARTBEAT_TIMEOUT_MS = 1000 };

enum status heartbeats_start(struct agent *agent, struct heartbeats **out, struct err *err);
/* Something changed: send soon. */
void heartbeats_changed(struct heartbeats *heartbeats);
/* Waits for nng's threads, at most a moment: nothing of them blocks.  NULL is harmless. */
void heartbeats_stop(struct heartbeats *heartbeats);

/* The message as it stands, with its HMAC appended to `out`. */
void heartbeat_build(const struct agent *agent, uint64_t sequence, struct buf *out);

#endif
