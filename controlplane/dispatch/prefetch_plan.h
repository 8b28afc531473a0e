/* Prefetch: which workers get a package before anybody calls it.
 *
 * Pure.  One of each zone in which no worker has it yet: a function may be called in every zone,
 * and once one worker of a zone has a package, its neighbours get it in a moment, from the same
 * store, when they are called upon.  Of a zone's workers the one that an invocation would go to. */
#ifndef CONTROLPLANE_DISPATCH_PREFETCH_PLAN_H
#define CONTROLPLANE_DISPATCH_PREFETCH_PLAN_H

#include "controlplane/dispatch/worker_view.h"

/* Bit i: worker i of `count` (at most WORKERS_MAX) is to fetch the package of `function`. */
uint64_t prefetch_choose(const struct worker_view *const *workers,
                         size_t count,
                         const Lapwing__Function *function);

#endif
