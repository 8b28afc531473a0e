/* A pool: a bounded number of equal objects, so that load cannot grow memory without end. */
#ifndef BASE_POOL_H
#define BASE_POOL_H

#include <stddef.h>

struct pool;

/* Objects of `bytes` each, at most `count_max` out at once; memory is taken as it is first needed.
 */
struct pool *pool_new(size_t bytes, size_t count_max);
/* A zeroed object, or NULL when count_max are out: the caller answers ST_LIMIT. */
void *pool_take(struct pool *pool);
/* Takes back what pool_take gave; NULL is harmless. */
void pool_give(struct pool *pool, void *object);
size_t pool_out(const struct pool *pool);
/* Every object must be back. */
void pool_free(struct pool *pool);

#endif
