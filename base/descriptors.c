/* See descriptors.h. */
#include "base/descriptors.h"

#include <limits.h>
#include <sys/resource.h>

void descriptors_raise(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    /* Refused only where somebody holds us to less on purpose: servers ask how much there is. */
    (void)setrlimit(RLIMIT_NOFILE, &limit);
}

unsigned descriptors_max(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur > UINT_MAX)
        return UINT_MAX;
    return (unsigned)limit.rlim_cur;
}
