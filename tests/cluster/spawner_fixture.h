/* A real lapwing-spawner in a child process, with the test as its agent.  For tests run as root. */
#ifndef TESTS_CLUSTER_SPAWNER_FIXTURE_H
#define TESTS_CLUSTER_SPAWNER_FIXTURE_H

#include <stdbool.h>
#include <sys/types.h>

#include "worker/spawner/spawner_client.h"
#include "worker/spawner/spawner_config.h"

enum { FIXTURE_OUTPUT_BYTES = 65536 };

struct fixture {
    struct spawner_config config;
    struct spawner_client client;
    pid_t spawner;
    char folder[64];         /* removed by fixture_stop() */
    char package[65];        /* holds `probe` */
    unsigned networks_ready; /* as the spawner told last, between other messages */
    unsigned groups_ready;
    unsigned environments_ready;
};

/* Why the tests of this file cannot run here, or NULL. */
const char *fixture_missing(void);
/* Before the first test, with a reason: say that none is run, and end. */
void fixture_skip_if(const char *missing);

/* Make folders and configuration, which the test may change, then start; `outbound` as [network]
 * outbound. */
void fixture_prepare(struct fixture *fixture, bool outbound);
void fixture_launch(struct fixture *fixture);
/* With a socket that listens, as of a service manager, in place of an agent; and become its agent.
 */
void fixture_launch_listening(struct fixture *fixture);
void fixture_connect(struct fixture *fixture);
/* Both. */
void fixture_start(struct fixture *fixture, bool outbound);
/* Close the agent's end and wait for the spawner; returns its exit status. */
int fixture_stop(struct fixture *fixture);
/* SIGKILL to the spawner, and nothing else. */
void fixture_kill(struct fixture *fixture);
/* The same, but its folder stays for the next fixture_launch(). */
void fixture_crash(struct fixture *fixture);
/* Run the real program with --clean; its exit status. */
int fixture_clean(const struct fixture *fixture);

/* The next message that is not about pools, waiting up to a minute.  False when there is none. */
bool fixture_receive(struct fixture *fixture, struct spawner_message *out);

/* Wait, up to a minute, until the spawner tells that its pools hold so many of each. */
bool fixture_pools(struct fixture *fixture, unsigned networks, unsigned groups);
/* The same for environments with an interpreter that waits. */
bool fixture_ready(struct fixture *fixture, unsigned environments);

/* Ask for an environment in `slot` that runs the probe with `arguments` (NULL-terminated). */
void fixture_ask(struct fixture *fixture, unsigned slot, const char *const *arguments);

/* All of one run: what the probe printed, and how it ended. */
struct run {
    unsigned status; /* of the reply */
    char text[256];  /* of the reply */
    char output[FIXTURE_OUTPUT_BYTES];
    bool signaled, out_of_memory, killed;
    int code;
    char start_error[64];
    uint64_t memory_peak_bytes;
};
void fixture_run(struct fixture *fixture, const char *const *arguments, struct run *out);

/* Unpack the zip that `fd` is; the answer is written to `out`, its texts as in struct run. */
struct conversion {
    unsigned status;
    char reason[32];
    uint64_t unzipped_bytes;
    unsigned files;
};
void fixture_convert(struct fixture *fixture, const char *package, int fd, struct conversion *out);

/* Send a request that has a number or a text, and wait for its reply; its status. */
unsigned fixture_request(struct fixture *fixture, const Lapwing__SpawnRequest *req);

/* Does `output` have the line "name value"? */
bool run_says(const struct run *run, const char *line);

/* How many processes, cgroup folders, interfaces are there of an instance. */
unsigned leftover_groups(const char *instance);
unsigned leftover_processes(uid_t first, uid_t last);
/* Which they are, the first `max` of them; how many there are. */
unsigned processes_of(uid_t first, uid_t last, pid_t *out, unsigned max);

#endif
