/* What this front door knows of the workers: their heartbeats, and its own dealings since the last.
 *
 * Pure.  Workers are the authority; this is only good enough to ask the right one first. */
#ifndef CONTROLPLANE_DISPATCH_WORKER_VIEW_H
#define CONTROLPLANE_DISPATCH_WORKER_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/status.h"
#include "proto/command.pb-c.h"
#include "proto/message_limits.h"
#include "proto/worker.pb-c.h"

enum { WORKERS_MAX = 64 };

struct warm_view {
    char uid[UID_DIGITS + 1];
    uint64_t config_epoch;
    uint32_t idle;
    uint32_t busy;
    uint32_t waiting; /* our offers beyond these, not answered yet */
    uint32_t start_us;
    uint32_t run_us;
};

enum worker_state {
    WORKER_STARTING, /* its row is not committed or its link not open yet */
    WORKER_LIVE,
    WORKER_SUSPECTED, /* silent for a moment: others first */
    WORKER_OUT,       /* gone or silent: not to be used */
    WORKER_RETURNING, /* heard again, not for long enough */
    WORKER_STATES,
};

/* One worker.  Owned by its struct worker; worker_view_done() frees the lists. */
struct worker_view {
    char name[NODE_BYTES_MAX + 1];
    char zone[ZONE_BYTES_MAX + 1];
    char address[ADDRESS_BYTES_MAX + 1];
    uint64_t epoch;    /* of its process */
    uint64_t sequence; /* of the newest heartbeat */
    uint64_t memory_mb;
    uint64_t memory_free_mb;
    uint32_t environments;
    uint32_t environments_max;
    struct {
        uint32_t networks, networks_max, groups, groups_max, ready, ready_max;
        uint64_t ready_bytes;
    } pools; /* made ahead for environments to come; all 0 while it has not said */
    char runtimes[HEARTBEAT_RUNTIMES_MAX][RUNTIME_BYTES_MAX + 1];
    size_t runtime_count;
    struct warm_view *warm;
    size_t warm_count;
    uint8_t (*packages)[32];
    size_t package_count;
    enum worker_state state;
};

/* Take over what a checked heartbeat says.  False, and nothing changes, when it is older than what
 * is known: an overtaken one must not bring back an old picture. */
bool worker_view_update(struct worker_view *worker, const Lapwing__Heartbeat *beat);
void worker_view_done(struct worker_view *worker);

/* May it be asked to run something? */
bool worker_view_is_usable(const struct worker_view *worker);
/* "live", for people and in the status. */
const char *worker_state_name(enum worker_state state);

bool worker_view_has_runtime(const struct worker_view *worker, const char *runtime);
bool worker_view_has_package(const struct worker_view *worker, struct bytes sha256);
uint32_t worker_view_idle(const struct worker_view *worker, const Lapwing__Function *function);

/* Its busy environments are so quick that one more offer need not start another. */
bool worker_view_soon(const struct worker_view *worker, const Lapwing__Function *function);

/* An offer went out: one idle environment less; or one offer more that waits for a quick one; or
 * less memory. */
void worker_view_offered(struct worker_view *worker, const Lapwing__Function *function);
/* A result came back: one offer less that waits, or one idle environment more, until a heartbeat
 * says otherwise. */
void worker_view_returned(struct worker_view *worker, const Lapwing__Function *function);
/* It refused for want of room: others first, until a heartbeat says otherwise. */
void worker_view_full(struct worker_view *worker, const Lapwing__Function *function);

#endif
