/* Names of statuses and formatting of error texts.  Any thread. */
#include "base/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

static const char *const names[STATUS_COUNT] = {
    [ST_OK] = "ok",
    [ST_BAD_INPUT] = "bad_input",
    [ST_IO] = "io",
    [ST_LIMIT] = "limit",
    [ST_NOT_FOUND] = "not_found",
    [ST_EXISTS] = "exists",
    [ST_CONFLICT] = "conflict",
    [ST_DENIED] = "denied",
    [ST_TIMEOUT] = "timeout",
    [ST_UNAVAILABLE] = "unavailable",
    [ST_NOT_LEADER] = "not_leader",
    [ST_UNKNOWN] = "outcome_unknown",
    [ST_CORRUPT] = "corrupt",
    [ST_CANCELLED] = "cancelled",
    [ST_UNSUPPORTED] = "unsupported",
    [ST_NO_SPACE] = "no_space",
};

const char *status_name(enum status st)
{
    CHECK((unsigned)st < STATUS_COUNT);
    return names[st];
}

enum status status_of_errno(int errnum)
{
    return errnum == ENOSPC || errnum == EDQUOT ? ST_NO_SPACE : ST_IO;
}

enum status err_set(struct err *err, enum status st, const char *format, ...)
{
    va_list args;

    if (err == NULL)
        return st;
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    return st;
}

enum status err_set_errno(struct err *err, enum status st, int errnum, const char *format, ...)
{
    va_list args;
    size_t len;
    char reason[80];

    if (err == NULL)
        return st;
    va_start(args, format);
    (void)vsnprintf(err->text, sizeof err->text, format, args);
    va_end(args);
    len = strlen(err->text);
    (void)snprintf(err->text + len, sizeof err->text - len, ": %s",
                   strerror_r(errnum, reason, sizeof reason));
    return st;
}
