/* The system calls of functions and of the converter: compiled once to BPF at the start. */
#ifndef WORKER_SPAWNER_FILTER_H
#define WORKER_SPAWNER_FILTER_H

#include <linux/filter.h>

#include "base/status.h"

/* Compile the filter of environments.  `out->filter` is never freed.  See filter.c for the policy.
 * ST_UNSUPPORTED when libseccomp does not know this machine. */
enum status filter_compile(struct sock_fprog *out, struct err *err);

#endif
