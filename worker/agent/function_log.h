/* Functions' logs on this worker: two files of at most LOG_FILE_BYTES_MAX a function.
 *
 *   DIR/<account>/<region>/<function>.0   the newer lines
 *   DIR/<account>/<region>/<function>.1   the older ones; replaced when .0 is full
 *   a line: "<cursor> <ms since the epoch> <text>\n"
 *
 * Cursors rise on a worker, over its restarts too: microseconds since the epoch, forced upwards.
 * Lines wait in memory (at most LOG_PENDING_BYTES_MAX; beyond it they are dropped and counted)
 * until a pool thread writes them.  All calls on the loop's thread. */
#ifndef WORKER_AGENT_FUNCTION_LOG_H
#define WORKER_AGENT_FUNCTION_LOG_H

#include <stdint.h>
#include <uv.h>

#include "base/bytes.h"
#include "base/status.h"

enum {
    LOG_FILE_BYTES_MAX = 4 << 20,
    LOG_PENDING_BYTES_MAX = 4 << 20,
    LOG_KEY_BYTES = 200,
    LOG_READS_MAX = 64,
    LOG_FLUSH_MS = 20,
};

struct function_log;

/* `dir` exists and is copied. */
struct function_log *function_log_new(uv_loop_t *loop, const char *dir);
/* Writes what is pending and frees; blocks, and runs the loop until the last read has called back.
 */
void function_log_free(struct function_log *store);

/* Add a line to the log `key`, "account/region/function", whose parts were checked. */
void function_log_append(struct function_log *store,
                         const char *key,
                         uint64_t at_ms,
                         struct bytes text);

struct log_read_line {
    uint64_t cursor, at_ms;
    struct bytes text;
};
/* The lines, oldest first; borrowed for the call.  `next` is the cursor to read after next time. */
typedef void (*log_read_fn)(const struct log_read_line *lines,
                            size_t count,
                            uint64_t next,
                            void *context);

/* Read lines with a cursor over `after`, up to `max_bytes` of text, including all that were
 * appended before this call.  Calls back exactly once, later.  ST_LIMIT: LOG_READS_MAX are waiting.
 */
enum status function_log_read(struct function_log *store,
                              const char *key,
                              uint64_t after,
                              uint32_t max_bytes,
                              log_read_fn done,
                              void *context);

#endif
