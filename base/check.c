/* The end of the process when a CHECK fails or memory is refused.  Any thread. */
#include "base/check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Noreturn void check_failed(const char *file, int line, const char *expression)
{
    (void)fprintf(stderr, "CHECK failed: %s:%d: %s\n", file, line, expression);
    abort();
}

void *must_calloc(size_t count, size_t bytes)
{
    void *p = calloc(count == 0 ? 1 : count, bytes == 0 ? 1 : bytes);

    CHECK(p != NULL);
    return p;
}

void *must_realloc(void *old, size_t bytes)
{
    void *p = realloc(old, bytes == 0 ? 1 : bytes);

    CHECK(p != NULL);
    return p;
}

char *must_strdup(const char *text)
{
    char *copy = strdup(text);

    CHECK(copy != NULL);
    return copy;
}

#ifdef __SANITIZE_THREAD__
/* Asked by the thread sanitizer at the start, also of programs that a supervisor starts with a
 * clean environment.  libuv closes sockets by the raw system call, which the sanitizer does not
 * see: when another thread is given the same number and closes it, that looks like a race over the
 * descriptor. Releases differ in what they call their own close(). */
__attribute__((visibility("default"))) const char *__tsan_default_suppressions(void);

const char *__tsan_default_suppressions(void)
{
    return "race:^close$\nrace:^__interceptor_close$\n"
           "race:^closedir$\nrace:^__interceptor_closedir$\n";
}
#endif
