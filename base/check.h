/* CHECK: our own mistakes stop the process, in every build.
 *
 * For what can only be wrong if this code is wrong.  Nothing that comes from a network, a client or
 * a file may reach a CHECK: that is ST_BAD_INPUT.  Also here: the few macros everybody needs. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#include <stddef.h>

/* Write file, line and expression to standard error and abort.  Never returns. */
_Noreturn void check_failed(const char *file, int line, const char *expression);

#define CHECK(expression)                                                                          \
    do {                                                                                           \
        if (__builtin_expect(!(expression), 0))                                                    \
            check_failed(__FILE__, __LINE__, #expression);                                         \
    } while (0)

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* The structure of type `type` whose `member` `pointer` points at. */
#define container_of(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))

/* Zeroed memory that cannot be refused: with bounded use a failed allocation means a wrong limit,
 * and a restart beats untested recovery.  Free with free(). */
void *must_calloc(size_t count, size_t bytes);
/* As realloc(), new bytes not zeroed. */
void *must_realloc(void *old, size_t bytes);
char *must_strdup(const char *text);

#endif
