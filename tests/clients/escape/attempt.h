/* The table of the escape suite: what a function may try, and the words that say it was refused.
 *
 * Each attempt runs in a child of its own, so that a signal, a changed limit or a hang ends only
 * that.  Its result is one word: "ok", the name of an errno, the name of the signal that ended the
 * child, "slow", or a word of the attempt's own.  A result that is not among `refused` means that
 * it worked, or that the kernel was reached where the filter should have answered. */
#ifndef TESTS_CLIENTS_ESCAPE_ATTEMPT_H
#define TESTS_CLIENTS_ESCAPE_ATTEMPT_H

#include <stdbool.h>
#include <stddef.h>

enum { CALL_NONE = 0, CALL_ARGUMENTS = 6, WORD_BYTES = 96 };

struct attempt {
    const char *name;
    const char *what;    /* for a person */
    const char *refused; /* words, separated by spaces */
    const char *allowed; /* NULL, or why "ok" is no escape: allowed by design */
    long call;           /* a system call made as it is, with `arguments`; CALL_NONE: `try` */
    long arguments[CALL_ARGUMENTS];
    const char *(*try)(void);
    bool inside_only; /* would do harm on a host */
};

struct attempts {
    const struct attempt *list;
    size_t count;
};

extern const struct attempts attempts_on_kernel;
extern const struct attempts attempts_on_processes;
extern const struct attempts attempts_on_files;
extern const struct attempts attempts_on_network;

/* The word for what a system call returned. */
const char *word_of(long result);

/* Run one in a child; `out` has WORD_BYTES. */
void attempt_run(const struct attempt *attempt, char *out);

/* Is `word` one of `words`? */
bool word_listed(const char *words, const char *word);

/* Use up something until it is refused, or until this process is killed for it; what the limit let
 * through is the line that is returned.  NULL: no such bomb. */
const char *bomb_run(const char *name);

/* Find descriptors that this process was started with beside 0, 1 and 2.  Call first in main(). */
void inherited_look(void);
const char *inherited_found(void);

#endif
