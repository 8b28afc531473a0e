/* The last LOG_TAIL_BYTES_MAX bytes of an invocation's log.  Pure. */
#ifndef WORKER_AGENT_TAIL_H
#define WORKER_AGENT_TAIL_H

#include "base/bytes.h"
#include "base/limits.h"

/* Zero-initialised is empty.  `data` is a ring. */
struct tail {
    uint64_t total; /* bytes ever added */
    uint8_t data[LOG_TAIL_BYTES_MAX];
};

void tail_add(struct tail *tail, struct bytes bytes);
/* Write what is held, in order, to `out` (LOG_TAIL_BYTES_MAX of room); returns how much. */
size_t tail_read(const struct tail *tail, uint8_t *out);

#endif
