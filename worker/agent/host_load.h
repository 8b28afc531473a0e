/* Are the processors of this host busy?  Asked before an environment is started only to have more
 * of a function: where they are, it would take from the others what it gives. Loop thread. */
#ifndef WORKER_AGENT_HOST_LOAD_H
#define WORKER_AGENT_HOST_LOAD_H

#include <stdbool.h>
#include <stdint.h>

enum {
    HOST_LOAD_WINDOW_MS = 50, /* the kernel tells hundredths of a second of all processors */
    HOST_LOAD_IDLE_PERCENT = 15,
};

struct host_load {
    int fd; /* of /proc/uptime, -1 if there is none: then never busy */
    uint32_t processors;
    uint64_t looked_ns;
    uint64_t idle_ms;
    bool busy;
};

void host_load_init(struct host_load *load);
void host_load_done(struct host_load *load);

/* What the last window of at least HOST_LOAD_WINDOW_MS was like.  A call costs a comparison, and a
 * read of 3 us where a window ends. */
bool host_load_busy(struct host_load *load, uint64_t now_ns);

/* The second number of /proc/uptime, idle seconds of all processors together, in milliseconds.
 * False for a text that is none. */
bool host_load_parse(const char *text, uint64_t *out_idle_ms);

#endif
