/* What the first process of a sandbox writes to its status pipe, before and after it became
 * lapwing-init.  No other header: lapwing-init includes it. */
#ifndef WORKER_SPAWNER_SANDBOX_RECORD_H
#define WORKER_SPAWNER_SANDBOX_RECORD_H

#include <stdint.h>

enum sandbox_event {
    SANDBOX_FAILED =
        1,           /* before the program was executed: step << 16 | errno; see sandbox_step() */
    SANDBOX_STARTED, /* set up; the next thing is the execution */
    SANDBOX_NO_PROGRAM, /* lapwing-init could not execute argv[0]: errno */
    SANDBOX_EXITED,     /* exit status of the program */
    SANDBOX_SIGNALED,   /* the signal that ended it */
};

/* One write each. */
struct sandbox_record {
    int32_t kind; /* enum sandbox_event */
    int32_t value;
};

#endif
