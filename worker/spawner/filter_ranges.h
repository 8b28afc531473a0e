/* A system call filter made short.  Pure.
 *
 * libseccomp compares each number it knows; there are 450 of them, but only some 80 runs of
 * neighbours with the same answer.  The kernel translates, checks and compiles a filter each time
 * it is loaded, once a start, so its length is time: 458 instructions took 102 us, and 194 that
 * answer the same 53. */
#ifndef WORKER_SPAWNER_FILTER_RANGES_H
#define WORKER_SPAWNER_FILTER_RANGES_H

#include <linux/filter.h>

#include "base/status.h"

/* Write a program that answers as `in` does, by halving the runs of numbers; where the answer
 * depends on arguments, that part of `in` is copied.
 *
 * in    compares the machine and the number before any argument, as libseccomp's do
 * out   written only on ST_OK; `out->filter` is to be freed
 *
 * ST_UNSUPPORTED: `in` does something else.  ST_LIMIT: a jump would be too long.  Either way `in`
 * itself remains as good as it was. */
enum status filter_shorten(const struct sock_fprog *in, struct sock_fprog *out);

#endif
