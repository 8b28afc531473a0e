/* Which refusals of peers are said in the log: each peer and reason once a minute, with how many
 * were left out.  A bounded table, so that strangers make neither log nor memory grow: who finds no
 * place in it shares one.
 *
 * Pure.  Owned by one listener or dialer, not shared between threads. */
#ifndef BASE_REFUSAL_RULES_H
#define BASE_REFUSAL_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/limits.h"

struct refusal {
    uint64_t key; /* a hash of peer and reason; 0 is free */
    uint64_t said_ms;
    uint32_t left_out;
};

struct refusals {
    struct refusal list[REFUSALS_MAX];
    struct refusal others;
};

/* May this one be said?
 *
 * peer, reason  what makes it the same as an earlier one
 * now_ms        of a clock that does not go back
 * out_left_out  how many like it (or, of a full table, how many others) went unsaid before it;
 *               written on true
 *
 * O(REFUSALS_MAX). */
bool refusal_is_said(struct refusals *refusals,
                     const char *peer,
                     const char *reason,
                     uint64_t now_ms,
                     uint32_t *out_left_out);

#endif
