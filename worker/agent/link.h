/* The agent's side of the invoke stream: frames of front doors in, answers out.  Loop thread. */
#ifndef WORKER_AGENT_LINK_H
#define WORKER_AGENT_LINK_H

#include "worker/agent/agent.h"

enum status link_listen(struct agent *agent, struct err *err);

#endif
