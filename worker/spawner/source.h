/* Something the spawner's loop waits for; embedded in what owns it. */
#ifndef WORKER_SPAWNER_SOURCE_H
#define WORKER_SPAWNER_SOURCE_H

#include <stdint.h>

struct source {
    void (*ready)(struct source *source, uint32_t events);
};

#endif
