/* The package cache's way to the spawner. */
#ifndef WORKER_AGENT_PACKAGE_LINK_H
#define WORKER_AGENT_PACKAGE_LINK_H

#include "worker/packages/package_cache.h"

/* Ask the spawner of the agent `self`; see struct package_spawner. */
enum status package_link_ask(void *self, const struct package_question *question, struct err *err);

#endif
