/* Refusals as clients of AWS read them: a code, a status, a text, rendered in the service's
 * dialect.
 *
 * Pure.  A rest-json error carries its code in the header x-amzn-ErrorType and its text in the
 * body, under `message` or `Message` as the exception's shape has it; query services and S3 use
 * XML. */
#ifndef CONTROLPLANE_API_CALL_ERROR_RULES_H
#define CONTROLPLANE_API_CALL_ERROR_RULES_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/status.h"
#include "controlplane/api/call/route_rules.h"

enum { API_ERROR_TEXT_BYTES = 6144 };

/* One refusal.  Zero-initialised is "no error". */
struct api_error {
    unsigned http_status;
    const char *code;   /* "ResourceNotFoundException"; static */
    const char *reason; /* member Reason of throttles, or NULL; static */
    char text[API_ERROR_TEXT_BYTES];
};

/* Codes that are used in more than one place; each with its HTTP status. */
enum api_code {
    API_INVALID_PARAMETER,    /* 400 InvalidParameterValueException */
    API_INVALID_CONTENT,      /* 400 InvalidRequestContentException */
    API_VALIDATION,           /* 400 ValidationException */
    API_SERIALIZATION,        /* 400 SerializationException */
    API_MISSING_TOKEN,        /* 403 MissingAuthenticationTokenException */
    API_INCOMPLETE_SIGNATURE, /* 400 IncompleteSignatureException */
    API_UNRECOGNIZED_CLIENT,  /* 403 UnrecognizedClientException */
    API_INVALID_SIGNATURE,    /* 403 InvalidSignatureException */
    API_ACCESS_DENIED,        /* 403 AccessDeniedException */
    API_NOT_FOUND,            /* 404 ResourceNotFoundException */
    API_UNKNOWN_OPERATION,    /* 404 UnknownOperationException */
    API_CONFLICT,             /* 409 ResourceConflictException */
    API_PRECONDITION,         /* 412 PreconditionFailedException */
    API_ENTITY_TOO_LARGE,     /* 413 RequestEntityTooLargeException */
    API_TOO_MANY_REQUESTS,    /* 429 TooManyRequestsException */
    API_SERVICE,              /* 500 ServiceException */
    API_NOT_IMPLEMENTED,      /* 501 NotImplementedException: SDKs do not retry a 501 */
    API_INVALID_RUNTIME,      /* 502 InvalidRuntimeException */
    API_UNAVAILABLE, /* 503 ServiceUnavailableException: the text says whether it was done */
    API_CODES,
};

/* Fill `error` (may be NULL) and return `st`, which must not be ST_OK. */
enum status api_error_set(struct api_error *error,
                          enum status st,
                          enum api_code code,
                          const char *format,
                          ...) __attribute__((format(printf, 4, 5)));

/* Fill `error` for what the cluster did not carry out to an end that is known; returns `st`.
 *
 * what  "change the tags"
 * why   the cluster did not answer, if that is known and it was asked at all: not told of ST_LIMIT
 *       and of what fails here; or NULL: what the status says
 *
 * ST_UNKNOWN: 503, the text begins with "outcome unknown".  ST_UNAVAILABLE and the like: 503, the
 * text begins with "not done".  Anything else: 500. */
enum status api_error_not_answered(struct api_error *error,
                                   enum status st,
                                   const char *what,
                                   const char *why);

/* Append the body of `error` in the dialect to `out`.  request_id is what the header says. */
void api_error_render(const struct api_error *error,
                      enum route_dialect dialect,
                      const char *request_id,
                      struct buf *out);

/* The content type that goes with a dialect. */
const char *api_error_content_type(enum route_dialect dialect);

/* The refusal of something AWS has and we do not: names service and operation. */
enum status api_error_not_built(struct api_error *error, const char *service, const char *action);

/* Append text with what JSON or XML reserves escaped. */
void api_append_json_text(struct buf *out, const char *text);
void api_append_xml_text(struct buf *out, const char *text);

#endif
