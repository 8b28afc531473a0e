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

/* Where a process that is kept ready waits for its function: a SOCK_SEQPACKET socket.  It says one
 * byte when it is ready, and gets the function's variables, each ended by a zero byte but the last,
 * in one message; the end of the socket: nobody will come.  The number is out of the way of those
 * that an interpreter opens at its start, and the last for which the kernel needs no larger table:
 * once it is closed, all descriptors are as they would be without it. */
enum { SANDBOX_WAIT_FD = 63 };

/* One write each. */
struct sandbox_record {
    int32_t kind; /* enum sandbox_event */
    int32_t value;
};

#endif
