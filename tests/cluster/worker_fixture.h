/* A real lapwing-spawner and lapwing-worker, with the test as their front door and a stand-in for
 * the object store.  For tests run as root; elsewhere a test that is linked with this is skipped.
 */
#ifndef TESTS_CLUSTER_WORKER_FIXTURE_H
#define TESTS_CLUSTER_WORKER_FIXTURE_H

#include <sys/types.h>
#include <uv.h>

#include "base/stream.h"
#include "proto/invoke.pb-c.h"

enum { WORKER_FOLDER_BYTES = 64 };

struct worker_fixture {
    char folder[WORKER_FOLDER_BYTES];
    pid_t store, spawner, worker;
    const char *package_mount;
    unsigned store_port;
    char address[64];      /* of the invoke stream */
    char registration[64]; /* where the worker looks for its control plane */
    uv_loop_t loop;
    struct stream_identity identity;
    struct stream_dialer *dialer;
    struct stream *stream;
    uv_timer_t timer;
    bool late;
    uint64_t next_id;
    /* The frame that worker_wait() waits for. */
    uint64_t wait_id;
    uint16_t got_type;
    struct buf got;
    /* Of worker_fixture_register() on. */
    struct stream_listener *listener;
    struct stream *registered; /* by which heartbeats come, or NULL */
    unsigned heartbeats, wait_heartbeats;
    uint64_t sequence; /* of the last one */
};

/* `settings` are further flags of lapwing-worker, NULL-terminated. */
void worker_fixture_start(struct worker_fixture *fixture, const char *const *settings);
/* End spawner and worker and start them anew, with what is on their disk; the store goes on.
 * `package_mount`: of [spawner]. */
void worker_fixture_restart(struct worker_fixture *fixture, const char *package_mount);
/* The store is gone. */
void worker_fixture_kill_store(struct worker_fixture *fixture);
/* Exit statuses must be 0; nothing may be left. */
void worker_fixture_stop(struct worker_fixture *fixture);

/* Put a file under the store's name for its content; writes hash and size into `function`. */
void worker_fixture_package(struct worker_fixture *fixture,
                            const char *zip,
                            Lapwing__Function *function);

/* The row of a function of 256 MB and five seconds whose package is `zip`. */
void worker_fixture_function(struct worker_fixture *fixture,
                             Lapwing__Function *function,
                             const char *runtime,
                             const char *zip);

/* Send a frame, and wait for the next frame about `id`: its type, its body in fixture->got.  0
 * after fifteen seconds without one. */
void worker_send(struct worker_fixture *fixture, uint16_t type, const ProtobufCMessage *message);
uint16_t worker_wait(struct worker_fixture *fixture, uint64_t id);

/* Listen as the control plane that the worker looks for.  Heartbeats are checked and counted, and
 * not answered. */
void worker_fixture_register(struct worker_fixture *fixture);
/* Wait until so many came; false after fifteen seconds. */
bool worker_wait_heartbeats(struct worker_fixture *fixture, unsigned count);
void worker_answer_heartbeat(struct worker_fixture *fixture);

/* Wait until every environment that runs is frozen: nothing may be on its way.  False after fifteen
 * seconds, or when there is none. */
bool worker_wait_frozen(struct worker_fixture *fixture);

/* Offer, ready, go, result.  Returns the result, or NULL when it was refused or nothing came; free
 * with lapwing__result__free_unpacked(). */
Lapwing__Result *worker_invoke(struct worker_fixture *fixture,
                               Lapwing__Function *function,
                               const char *payload);

#endif
