/* One question to a worker and its one answer: package checks and log reads. */
#ifndef CONTROLPLANE_DISPATCH_WORKER_QUESTION_H
#define CONTROLPLANE_DISPATCH_WORKER_QUESTION_H

#include <stddef.h>

enum { WORKER_QUESTIONS_MAX = 256 };

/* The size of its objects, for the pool. */
size_t worker_question_bytes(void);

#endif
