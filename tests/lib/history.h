/* Is what clients saw linearizable?  For the simulation and for tests with real processes.
 *
 * A history is a list of operations with the moments of their call and their return.  It is
 * linearizable if, for each key, there is an order of its operations in which each takes effect at
 * once, somewhere between its call and its return, with the result that it had.  One whose outcome
 * nobody knows may take effect after its call and before the moment from when on it certainly does
 * not any more, if there is one; or never.
 *
 * The search is Wing and Gong's, with Lowe's memory of what was tried: it takes each operation that
 * could be next, the one that returned first before the others, and goes back where none fits. Keys
 * are independent, so each is searched alone.
 * Exponential at worst, and therefore bounded; histories of few open operations take a step or two
 * for each.  Single thread. */
#ifndef TESTS_LIB_HISTORY_H
#define TESTS_LIB_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTORY_NO_END UINT64_MAX /* as `returned`, with an unknown outcome */

enum { HISTORY_STATE_WORDS = 4 };

/* One key's state, as the model wishes; all zero at the beginning. */
struct history_state {
    uint64_t words[HISTORY_STATE_WORDS];
};

struct history_op {
    uint64_t key;
    uint64_t called;   /* moments on one clock that all clients share */
    uint64_t returned; /* above `called`; of an unknown outcome: not done later, if not before */
    bool unknown;      /* the outcome; then `result` means nothing */
    uint32_t kind;     /* the rest is the model's */
    uint64_t argument;
    uint64_t result;
};

/* The model: `op` takes effect in `state`, which is changed.  False if it would have had another
 * result; then state is not looked at again.  For an unknown outcome any result is right. */
typedef bool (*history_step)(struct history_state *state, const struct history_op *op);

enum history_verdict {
    HISTORY_LINEARIZABLE,
    HISTORY_VIOLATED,
    HISTORY_UNDECIDED, /* not within steps_max */
};

struct history;

struct history *history_new(void);
void history_free(struct history *history);
/* Copied.  In any order. */
void history_add(struct history *history, const struct history_op *op);
size_t history_count(const struct history *history);

/* Judge all keys; stops at the first that is not linearizable, or undecided, and names it.
 * steps_max  of the search, for each key */
enum history_verdict history_check(struct history *history,
                                   history_step step,
                                   uint64_t steps_max,
                                   uint64_t *out_key);

#endif
