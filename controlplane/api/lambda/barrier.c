/* See barrier.h. */
#include "controlplane/api/lambda/barrier.h"

#include <stdlib.h>

#include "base/check.h"
#include "controlplane/api/call/call.h"
#include "controlplane/replica/replica.h"

/* A call that waits for its read point; freed by the callback. */
struct waiting {
    struct api_call *call; /* held */
    void (*answer)(struct api_call *call);
    const char *what;
};

static void barrier_cb(enum status st, void *context)
{
    struct waiting *waiting = context;
    struct api_call *call = waiting->call;

    if (st == ST_OK)
        waiting->answer(call);
    else
        api_fail_status(call, st, waiting->what);
    free(waiting);
    api_call_drop(call);
}

void lambda_after_barrier(struct api_call *call,
                          void (*answer)(struct api_call *call),
                          const char *what)
{
    struct waiting *waiting = must_calloc(1, sizeof *waiting);
    enum status st;

    *waiting = (struct waiting){ .call = call, .answer = answer, .what = what };
    st = replica_barrier(call->api->options.control_client, API_READ_MS, barrier_cb, waiting);
    if (st == ST_OK) {
        api_call_hold(call);
        return;
    }
    free(waiting);
    api_fail_status(call, st, what);
}
