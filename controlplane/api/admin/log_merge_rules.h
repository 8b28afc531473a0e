/* Log lines of many workers as one listing, and the token that continues it.
 *
 *   token   worker-a:17,worker-b:3     where each worker's lines go on
 *
 * Pure. */
#ifndef CONTROLPLANE_API_ADMIN_LOG_MERGE_RULES_H
#define CONTROLPLANE_API_ADMIN_LOG_MERGE_RULES_H

#include <jansson.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/status.h"
#include "proto/invoke.pb-c.h"

enum { LOG_CURSORS_MAX = 64 };

struct log_cursor {
    char worker[NODE_BYTES_MAX + 1];
    uint64_t after;
};

/* Zero-initialised is the beginning everywhere. */
struct log_cursors {
    size_t count;
    struct log_cursor list[LOG_CURSORS_MAX];
};

/* Read a token; "" is the beginning.  ST_BAD_INPUT: not one that a listing gave. */
enum status log_cursors_read(const char *token, struct log_cursors *out);
void log_cursors_write(const struct log_cursors *cursors, struct buf *out);
uint64_t log_cursors_get(const struct log_cursors *cursors, const char *worker);
/* Set one; quietly nothing when LOG_CURSORS_MAX workers are known. */
void log_cursors_set(struct log_cursors *cursors, const char *worker, uint64_t after);

/* What one worker answered; borrowed. */
struct log_part {
    const char *worker;
    const Lapwing__Logs *logs;
};

/* {"lines":[{"at_ms":..,"worker":..,"text":..}],"next":token}: lines in order of time, then worker.
 * Moves the cursors of the parts on.  The caller owns the reference. */
json_t *log_merge(const struct log_part *parts, size_t count, struct log_cursors *cursors);

#endif
