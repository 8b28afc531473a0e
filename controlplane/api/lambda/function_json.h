/* Functions as clients read them: FunctionConfiguration and the answers made of it.
 *
 * Pure but for memory.  Field names, defaults echoed and dates as recorded from AWS. */
#ifndef CONTROLPLANE_API_LAMBDA_FUNCTION_JSON_H
#define CONTROLPLANE_API_LAMBDA_FUNCTION_JSON_H

#include <jansson.h>
#include <stdint.h>

#include "base/bytes.h"
#include "proto/command.pb-c.h"

/* Which members there are: a listing shows less, and AWS leaves the state out of it. */
enum function_view { FUNCTION_VIEW_FULL, FUNCTION_VIEW_LISTED };

/* "2026-01-05T10:12:44.031+0000"; out holds FUNCTION_DATE_BYTES. */
enum { FUNCTION_DATE_BYTES = 48 };
void function_date(uint64_t ms, char *out);

/* FunctionConfiguration; the caller owns the reference.  `qualifier` is what the client asked for
 * ("" for none): it shows in the ARN. */
json_t *function_configuration(const Lapwing__Function *function,
                               const char *qualifier,
                               enum function_view view);

/* The answer of GetFunction; `location` is a URL that the zip can be fetched from. */
json_t *function_answer(const Lapwing__Function *function,
                        const char *qualifier,
                        const char *location);

/* Append compact JSON and let go of the value. */
void json_append(struct buf *out, json_t *value);

#endif
