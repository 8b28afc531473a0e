/* See ready_rules.h.  Pure. */
#include "worker/runtime/ready_rules.h"

#include <string.h>

#include "base/check.h"

/* Read before or while an interpreter starts.  Sources: ld.so(8), environ of glibc's manual,
 * python3(1), node(1), and what of OpenSSL, libuv and ICU is read when they are set up. */
static const char *const read_at_start[] = {
    "PYTHON*",
    "NODE_*",
    "LD_*",
    "LC_*",
    "MALLOC_*",
    "GLIBC_*",
    "OPENSSL*",
    "SSL_*",
    "UV_*",
    "ICU_*",
    "AWS_LAMBDA_EXEC_WRAPPER",
    "LANG",
    "LANGUAGE",
    "LOCPATH",
    "NLSPATH",
    "GCONV_PATH",
    "GETCONF_DIR",
    "TZ",
    "TZDIR",
    "HOME",
    "RES_OPTIONS",
    "LOCALDOMAIN",
    "HOSTALIASES",
    "RESOLV_*",
    "LAMBDA_*",
    "AWS_LAMBDA_RUNTIME_API",
};

static bool is_read_at_start(const char *variable)
{
    size_t len = strcspn(variable, "=");

    for (size_t i = 0; i < ARRAY_LEN(read_at_start); i++) {
        const char *name = read_at_start[i];
        size_t fixed = strcspn(name, "*");

        if (strncmp(variable, name, fixed) == 0 && (name[fixed] == '*' || len == fixed))
            return true;
    }
    return false;
}

static bool holds(const struct variables *variables, const char *variable)
{
    for (size_t i = 0; i < variables->count; i++)
        if (strcmp(variables->list[i], variable) == 0)
            return true;
    return false;
}

bool ready_allowed(const struct variables *plain, const struct variables *ready)
{
    if (ready->count == 0)
        return false;
    for (size_t i = 0; i < plain->count; i++)
        if (is_read_at_start(plain->list[i]) && !holds(ready, plain->list[i]))
            return false;
    for (size_t i = 0; i < ready->count; i++)
        if (is_read_at_start(ready->list[i]) && !holds(plain, ready->list[i]))
            return false;
    return true;
}
