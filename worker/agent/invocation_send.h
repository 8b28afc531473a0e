/* What an invocation says on its link, and how its failures are worded. */
#ifndef WORKER_AGENT_INVOCATION_SEND_H
#define WORKER_AGENT_INVOCATION_SEND_H

#include "worker/agent/invocation.h"

struct invocation_outcome {
    bool failed; /* a function error */
    bool timed_out;
    bool out_of_memory;
    struct bytes payload;
    const char *error_type;    /* NULL when well */
    const char *report_status; /* of the REPORT line; NULL when well */
    const char *report_type;
    uint64_t duration_us;
};

void invocation_send_ready(struct invocation *inv);
void invocation_send_result(struct invocation *inv, const struct invocation_outcome *outcome);

/* How its environment ended, as payload (appended to `payload`, which `outcome` then views). */
void invocation_failure_outcome(struct invocation *inv,
                                struct buf *payload,
                                struct invocation_outcome *outcome);

#endif
