/* The ways to say which function: name, name:qualifier, partial ARN, full ARN; and back to ARNs.
 *
 * Pure.  The texts of refusals are those recorded from AWS. */
#ifndef CONTROLPLANE_API_LAMBDA_FUNCTION_NAME_H
#define CONTROLPLANE_API_LAMBDA_FUNCTION_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/status.h"
#include "controlplane/api/call/error_rules.h"
#include "controlplane/api/call/options.h"

enum {
    FUNCTION_REFERENCE_BYTES_MAX = 256, /* what a client may send, decoded */
    FUNCTION_QUALIFIER_BYTES_MAX = 128,
    FUNCTION_ARN_BYTES_MAX = 320,
    ACCOUNT_BYTES_MAX = 12,
};

/* A function as the client named it.  Unnamed parts are empty. */
struct function_ref {
    char name[FUNCTION_NAME_BYTES_MAX + 1];
    char qualifier[FUNCTION_QUALIFIER_BYTES_MAX + 1];
};

/* Read a reference.
 *
 * text        as the client wrote it, without URL-encoding
 * qualifier   parameter Qualifier, decoded, or NULL
 *
 * ST_BAD_INPUT: not a reference, too long, or two different qualifiers.  ST_NOT_FOUND: it names
 * another region.  ST_DENIED: it names another account.  `error` is what the client is told. */
enum status function_ref_parse(const char *text,
                               const char *qualifier,
                               const struct function_scope *scope,
                               struct function_ref *out_ref,
                               struct api_error *error);

/* The version that a reference means: 0 for $LATEST, else a number.  False when its qualifier is
 * neither, so that only an alias could have the name. */
bool function_ref_version(const struct function_ref *ref, uint64_t *out_version);

/* A version as text, "$LATEST" or its number; out holds FUNCTION_VERSION_BYTES. */
enum { FUNCTION_VERSION_BYTES = 24 };
void function_version_text(uint64_t version, char *out);

/* Write the ARN; qualifier may be NULL or empty.  out holds FUNCTION_ARN_BYTES_MAX. */
void function_arn(const struct function_scope *scope,
                  const char *name,
                  const char *qualifier,
                  char *out);

#endif
