/* Functions that were invoked lately, so that an invocation need not read its row anew: that took a
 * sixth of the front door's time for it.
 *
 * Pure.  A row is good as long as the state's number of changes (replica_changes()) is the one it
 * was read under; any change makes all of them stale, which costs a read each.  One thread. */
#ifndef CONTROLPLANE_API_LAMBDA_FUNCTION_CACHE_H
#define CONTROLPLANE_API_LAMBDA_FUNCTION_CACHE_H

#include <stdint.h>

#include "proto/command.pb-c.h"

enum { FUNCTION_CACHE_ROWS = 1024 };

/* A row, shared by the cache and the invocations that use it; freed with the last of them. */
struct function_row {
    unsigned holders;
    Lapwing__Function *function; /* owned */
};

struct function_cache;

struct function_cache *function_cache_new(void);
void function_cache_free(struct function_cache *cache); /* accepts NULL */

/* The row of a version (0: $LATEST) as it is under `changes`, held for the caller; NULL: it must be
 * read. */
struct function_row *function_cache_find(struct function_cache *cache,
                                         const char *account,
                                         const char *region,
                                         const char *name,
                                         uint64_t version,
                                         uint64_t changes);

/* Keep a function (taken) that was read after `changes` was asked for; held for the caller. */
struct function_row *function_cache_add(struct function_cache *cache,
                                        Lapwing__Function *function,
                                        uint64_t changes);

void function_row_drop(struct function_row *row); /* accepts NULL */

#endif
