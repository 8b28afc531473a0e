/* Dispatch: the workers that this front door knows, and the invocations on their way to them.
 *
 * One a process, on the main loop's thread.  Placement and the life of an invocation are decided in
 * placement_plan.h and invocation_plan.h; here is what performs them. */
#ifndef CONTROLPLANE_DISPATCH_DISPATCH_H
#define CONTROLPLANE_DISPATCH_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

#include "base/bytes.h"
#include "base/failure_rules.h"
#include "base/status.h"
#include "base/stream.h"
#include "controlplane/dispatch/worker_view.h"
#include "proto/invoke.pb-c.h"
#include "proto/worker.pb-c.h"

struct dispatch; /* freed by dispatch_free() */
struct replica_client;

enum {
    INVOCATIONS_MAX = 8192,      /* in flight at one front door */
    INVOCATION_READY_MS = 15000, /* for an offer: start and init of 10 s, and fetching */
    INVOCATION_ROOM_MS = 5000,   /* a full worker may keep an offer so long when all are full */
    INVOCATION_PLACE_MS = 30000, /* for all offers together */
    INVOCATION_SLACK_MS = 5000,  /* behind the function's own time limit */
    PACKAGE_CHECK_MS = 60000,
    LOG_READ_MS = 5000,
};

struct dispatch_options {
    uv_loop_t *loop;
    const struct stream_identity *identity; /* borrowed for the life */
    const char *zone;
    struct replica_client *control;  /* borrowed; worker rows are committed through it */
    struct failure_limits detection; /* checked */
};

struct dispatch *dispatch_new(const struct dispatch_options *options);
/* Cut every link and stop the timers: what was offered is answered as not done or unknown. */
void dispatch_close(struct dispatch *dispatch);
/* Once the loop has run dry. */
void dispatch_free(struct dispatch *dispatch);

/* A worker says how it stands; `beat` passed its checks.  All of `reply` but its node is filled,
 * with texts that are constant. */
void dispatch_heartbeat(struct dispatch *dispatch,
                        const Lapwing__Heartbeat *beat,
                        Lapwing__HeartbeatReply *reply);
/* The process of that name and epoch sends no more: the kernel says so. */
void dispatch_worker_gone(struct dispatch *dispatch,
                          const char *name,
                          uint64_t epoch,
                          const char *why);

/* The workers, in the order of their first heartbeats; valid until the loop turns. */
const struct worker_view *const *dispatch_workers(const struct dispatch *dispatch,
                                                  size_t *out_count);
enum { CLUSTER_RUNTIMES_MAX = WORKERS_MAX * HEARTBEAT_RUNTIMES_MAX };

/* The runtimes that some usable worker has, each once, older versions before newer ones; borrowed
 * until the loop turns. Returns how many; none while no worker is known. */
size_t dispatch_runtimes(const struct dispatch *dispatch, const char *out[CLUSTER_RUNTIMES_MAX]);
size_t dispatch_in_flight(const struct dispatch *dispatch);

/* What to run.  All of it is borrowed until `done`. */
struct dispatch_invocation {
    const Lapwing__Function *function;
    const char *request_id;
    const char *version;
    const char *invoked_arn;
    const char *client_context; /* decoded JSON, or "" */
    const char *trace_id;
    struct bytes payload;
    bool log_tail;
};

/* How it ended.  Borrowed for the call of `done`.
 *
 * ST_OK           the function answered: see result
 * ST_UNKNOWN      it was started; whether it ended is not known
 * ST_LIMIT        not started: every worker that could is full
 * ST_UNSUPPORTED  not started: no worker has the runtime
 * ST_BAD_INPUT    not started: it is larger than every worker that has the runtime
 * ST_UNAVAILABLE  not started: no worker can be reached, or none could make it ready
 * ST_TIMEOUT      not started: no worker was ready in time */
struct dispatch_outcome {
    enum status st;
    const Lapwing__Result *result;
    const char *text;   /* for a person, when not ST_OK */
    const char *worker; /* who ran it, or "" */
};
typedef void (*dispatch_done_fn)(const struct dispatch_outcome *outcome, void *context);

/* Run one invocation.  ST_OK: `done` is called exactly once, later.  ST_LIMIT, ST_UNAVAILABLE,
 * ST_UNSUPPORTED, ST_BAD_INPUT: as above, at once, with `err` filled. */
enum status dispatch_invoke(struct dispatch *dispatch,
                            const struct dispatch_invocation *what,
                            dispatch_done_fn done,
                            void *context,
                            struct err *err);

/* The answer to a question, or NULL and why there is none. */
typedef void (*dispatch_checked_fn)(enum status st,
                                    const Lapwing__PackageChecked *checked,
                                    void *context);
/* Have some worker check and unpack a package that is in the object store.  Tries the next worker
 * when one is lost or cannot.  ST_OK: calls back once, later. */
enum status dispatch_check_package(struct dispatch *dispatch,
                                   const uint8_t sha256[32],
                                   uint64_t bytes,
                                   dispatch_checked_fn done,
                                   void *context);

/* Have one worker of each zone fetch the package of a function that has just been deployed, if none
 * there has it.  Nobody waits for it: who cannot is asked again by the first call. */
void dispatch_prefetch(struct dispatch *dispatch, const Lapwing__Function *function);

typedef void (*dispatch_logs_fn)(enum status st, const Lapwing__Logs *logs, void *context);
/* Ask one worker, by its place in dispatch_workers(), for what a function printed. */
enum status dispatch_read_logs(struct dispatch *dispatch,
                               size_t worker,
                               const Lapwing__ReadLogs *question,
                               dispatch_logs_fn done,
                               void *context);

#endif
