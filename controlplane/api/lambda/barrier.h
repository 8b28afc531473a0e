/* Operations that read rows which must not be old: a linearizable read point, then the answer. */
#ifndef CONTROLPLANE_API_LAMBDA_BARRIER_H
#define CONTROLPLANE_API_LAMBDA_BARRIER_H

struct api_call;

/* Call `answer` once the rows show everything that was answered before; or answer the call with the
 * reason why that cannot be.  `what` (static) names the operation's aim in that answer. */
void lambda_after_barrier(struct api_call *call,
                          void (*answer)(struct api_call *call),
                          const char *what);

#endif
