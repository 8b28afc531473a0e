/* Whether workers are there: performs what base/failure_rules.h decides.  Internal to dispatch/. */
#ifndef CONTROLPLANE_DISPATCH_WORKER_HEALTH_H
#define CONTROLPLANE_DISPATCH_WORKER_HEALTH_H

#include <stdint.h>

struct dispatch;
struct failure_limits;
struct worker;

/* The watch over all workers of a dispatch, until worker_health_stop(). */
void worker_health_start(struct dispatch *dispatch, const struct failure_limits *limits);
void worker_health_stop(struct dispatch *dispatch);

/* A worker that was not known before. */
void worker_health_add(struct worker *worker);
/* It sent a heartbeat: dials it when that makes it one that is used. */
void worker_heard(struct worker *worker);
/* Its process is gone, or a link to it: out at once. */
void worker_lost(struct worker *worker, const char *why);
/* What placement and people see follows from registration, link and health. */
void worker_refresh(struct worker *worker);

#endif
