/* Workers: what can be asked about them.  Their command is applied by state_apply_entry(). */
#ifndef CONTROLPLANE_STATE_WORKERS_H
#define CONTROLPLANE_STATE_WORKERS_H

#include <stddef.h>

#include "base/status.h"
#include "proto/command.pb-c.h"

struct state_reader;

/* Workers by name, each as it registered last.  Zero-initialise; empty with worker_list_done(). */
struct worker_list {
    size_t count;
    Lapwing__RegisterWorker **workers; /* owned, with what they hold */
};

/* All workers that ever registered.  ST_IO. */
enum status state_list_workers(struct state_reader *reader,
                               struct worker_list *out,
                               struct err *err);
void worker_list_done(struct worker_list *list);

#endif
