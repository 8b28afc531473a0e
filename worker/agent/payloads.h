/* What a caller gets when its function failed in a way that its runtime could not report.
 *
 * Pure; texts and shapes are Lambda's, as recorded (worker/agent/README.md names the source). Every
 * function appends one JSON object to `out`. */
#ifndef WORKER_AGENT_PAYLOADS_H
#define WORKER_AGENT_PAYLOADS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"

/* How an environment's first process ended. */
struct exit_fact {
    bool signaled;
    bool out_of_memory; /* the kernel killed for memory: reported as a kill, whatever the code says
                         */
    int32_t code;       /* exit status, or the signal's number */
};

void payload_timed_out(struct buf *out, const char *request_id, uint32_t timeout_s);
void payload_exited(struct buf *out, const char *request_id, const struct exit_fact *fact);
void payload_too_large(struct buf *out);
/* Our own fault, after go: "Sandbox.Failure". */
void payload_failure(struct buf *out, const char *request_id, const char *text);

/* "Runtime.OutOfMemory" or "Runtime.ExitError": for the REPORT line and Result.error_type. */
const char *payload_exit_type(const struct exit_fact *fact);

/* A runtime's error type if it is one that may be shown, "(Runtime|Function).[A-Z][a-zA-Z]+", else
 * "Runtime.Unknown".  The answer is `type` itself or a constant. */
const char *payload_error_type(const char *type);

/* Append `text` as the inside of a JSON string: quotes, backslashes and control characters escaped.
 */
void payload_json_text(struct buf *out, const char *text);

#endif
