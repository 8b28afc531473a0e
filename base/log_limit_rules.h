/* How many lines of one kind may a second bring?  For events that anybody can cause as often as
 * they like: a stranger must not be able to fill the disk by being refused.
 *
 * Pure.  One of these for each kind of line; not shared between threads. */
#ifndef BASE_LOG_LIMIT_RULES_H
#define BASE_LOG_LIMIT_RULES_H

#include <stdbool.h>
#include <stdint.h>

struct log_limit {
    uint64_t second;
    uint32_t written;  /* in that second */
    uint32_t left_out; /* since a line was last written */
};

/* May the line be written?
 *
 * now_ms        of any clock that does not go back; zero-initialised limits are ready at once
 * out_left_out  how many lines before this one were left out, to be told beside it; written on true
 *
 * False: the line counts as left out.  At most LOG_LIMIT_LINES_MAX a second are allowed. */
bool log_limit_allows(struct log_limit *limit, uint64_t now_ms, uint32_t *out_left_out);

#endif
