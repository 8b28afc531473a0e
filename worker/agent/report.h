/* The platform's own lines in a function's log: INIT_START, START, END, REPORT.  Pure; tabs and
 * trailing tab exactly as Lambda writes them.  Lines carry no newline. */
#ifndef WORKER_AGENT_REPORT_H
#define WORKER_AGENT_REPORT_H

#include <stdint.h>

#include "base/bytes.h"

struct report {
    const char *request_id;
    uint64_t duration_us;
    uint64_t init_us; /* 0: warm, no Init Duration */
    uint32_t memory_mb;
    uint32_t max_memory_mb;
    const char *status;     /* NULL when well, else "timeout" or "error" */
    const char *error_type; /* with status "error"; may be NULL */
};

void report_init_start(struct buf *out, const char *runtime, const char *region);
void report_start(struct buf *out, const char *request_id, const char *version);
void report_end(struct buf *out, const char *request_id);
void report_line(struct buf *out, const struct report *report);
/* "2026-01-05T10:12:44.031Z <id> Task timed out after 1.00 seconds" */
void report_timed_out(struct buf *out, const char *request_id, uint64_t now_ms, uint32_t timeout_s);

/* Which limit ended the processes, what it is, and which setting it has. */
void report_out_of_memory(struct buf *out, const char *request_id, uint32_t memory_mb);

#endif
