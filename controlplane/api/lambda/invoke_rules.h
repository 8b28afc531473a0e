/* Invoke: its headers, and how its ends are told.
 *
 * Pure. */
#ifndef CONTROLPLANE_API_LAMBDA_INVOKE_RULES_H
#define CONTROLPLANE_API_LAMBDA_INVOKE_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/status.h"
#include "controlplane/api/call/error_rules.h"

enum invoke_type { INVOKE_REQUEST_RESPONSE, INVOKE_EVENT, INVOKE_DRY_RUN };

enum { CLIENT_CONTEXT_BASE64_BYTES_MAX = 3583 };

/* Headers as sent; NULL where there is none. */
struct invoke_headers {
    const char *invocation_type;
    const char *log_type;
    const char *client_context; /* base64 */
};

struct invoke_settings {
    enum invoke_type type;
    bool log_tail;
    struct buf client_context; /* decoded JSON, or empty; buf_done() it */
};

/* ST_BAD_INPUT with the text of AWS; ST_UNSUPPORTED for what is not built yet, by name. */
enum status invoke_settings_read(const struct invoke_headers *headers,
                                 struct invoke_settings *out,
                                 struct api_error *error);

/* May a client's X-Amzn-Trace-Id (NULL: none) go on to the function as it is?  If not, the front
 * door makes one of its own: a header that is no trace must not cost anybody the invocation. */
bool invoke_trace_is_usable(const char *given);

/* Write a new trace id, of which nothing is sampled.
 *
 * out   holds TRACE_ID_BYTES_MAX + 1 */
enum { TRACE_ROOT_BYTES = 12, TRACE_PARENT_BYTES = 8 };
void invoke_trace_write(uint32_t now_s,
                        const uint8_t random[TRACE_ROOT_BYTES + TRACE_PARENT_BYTES],
                        char *out);

/* The refusal for an invocation that has no result.
 *
 * st     as dispatch.h lists them, not ST_OK
 * name   of the function;  text  what dispatch said */
void invoke_failure(enum status st, const char *name, const char *text, struct api_error *error);

#endif
