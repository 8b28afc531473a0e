/* Which object store is asked, for how long, and what follows when it fails.
 *
 *   connecting ──► sending ──► waiting ──► answering ──► done
 *     1 s            10 s        3 or 25 s    60 s
 *       └──── failed ──┴───────────┴────────────┴──► the next store | 503 | cut
 *
 * Pure.  Stores are places in the configured list, the own zone's first.  Any store can serve any
 * request, for each gets from its peers what it lacks. */
#ifndef CONTROLPLANE_API_S3_S3_FAILOVER_RULES_H
#define CONTROLPLANE_API_S3_S3_FAILOVER_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/http_message.h"

enum {
    S3_STORES_MAX = 8,
    /* Of a put's body, kept until it is answered. */
    S3_HELD_BYTES_MAX = 262144,
    S3_SHUN_MS = 5000, /* a store that failed is tried last for so long */
    /* One that took a body and said nothing cost its client S3_ANSWER_MS: whether it is back is
     * tried with requests that can be asked again elsewhere, and with others only later. */
    S3_SHUN_SILENT_MS = 30000,
    S3_CONNECT_MS = 1000,
    S3_HEAD_MS = 3000,   /* for the answer to a request that can be asked of the next store */
    S3_STALL_MS = 10000, /* a store that takes nothing of what is there for it */
    S3_ANSWER_MS =
        25000, /* for the answer when there is no other way: longer than a put may take */
    S3_SILENCE_MS = 60000, /* in the middle of an answer, also while the client does not read */
};

/* ---- the stores ---- */

/* Set `count`, the rest zero: none has failed. */
struct s3_stores {
    size_t count;
    struct {
        bool failed;
        bool silent; /* it was connected and did not answer */
        uint64_t at_ms;
    } list[S3_STORES_MAX];
};

/* The store to ask: the first that has not failed lately, else the one whose failure is the oldest.
 *
 * tried  bit i: store i is out of the question for this request
 * body   the request has one
 *
 * Returns stores->count when all were tried. */
size_t s3_stores_choose(const struct s3_stores *stores, unsigned tried, bool body, uint64_t now_ms);

/* A request goes there.  If it has failed before, this one finds out for all others, which shun it
 * meanwhile. */
void s3_stores_ask(struct s3_stores *stores, size_t store, uint64_t now_ms);
void s3_stores_fail(struct s3_stores *stores, size_t store, bool silent, uint64_t now_ms);
/* The head of an answer came. */
void s3_stores_answer(struct s3_stores *stores, size_t store);

/* ---- one request at one store ---- */

enum s3_phase { S3_CONNECTING, S3_SENDING, S3_WAITING, S3_ANSWERING };

struct s3_try {
    enum s3_phase phase;
    struct bytes method;
    bool body;      /* the request has one */
    bool sent_body; /* some of it has left: it can be sent again only if it was held */
    bool held;      /* s3_is_held() */
    bool others;    /* there is a store that was not tried */
    bool kept;      /* on a connection that was used before */
    bool timed_out; /* s3_try_wait_ms() passed; else the connection broke */
};

/* Is the request's body held, so that it can be sent again to another store?  A put of an object
 * that is small and unconditional: done twice it does no more than done once, as clients that
 * repeat a 503 count on.  A conditional one would fail on its own first success, and so would one
 * of a bucket. */
bool s3_is_held(const struct http_head *head, uint64_t content_length);

/* How long the phase may last without progress. */
unsigned s3_try_wait_ms(const struct s3_try *try);

enum s3_then {
    S3_THEN_AGAIN, /* the same store on a new connection: it may have closed an idle one */
    S3_THEN_NEXT,
    S3_THEN_REFUSE, /* 503 */
    S3_THEN_CUT,
};

/* The try has failed: what now? */
enum s3_then s3_try_then(const struct s3_try *try);

#endif
