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
    FUNCTION_REFERENCE_BYTES_MAX =
        256, /* what a client may send, decoded, with FUNCTION_NAME_NAMESPACED... */
    FUNCTION_PLAIN_BYTES_MAX = 140, /* ...and with FUNCTION_NAME_PLAIN */
    FUNCTION_QUALIFIER_BYTES_MAX = 128,
    FUNCTION_ARN_BYTES_MAX = 320,
    ACCOUNT_BYTES_MAX = 12,
};

/* A function as the client named it.  Unnamed parts are empty. */
struct function_ref {
    char name[FUNCTION_NAME_BYTES_MAX + 1];
    char qualifier[FUNCTION_QUALIFIER_BYTES_MAX + 1];
};

/* AWS's model has two forms of references; they differ in length and in what a refusal shows. */
enum function_name_form {
    FUNCTION_NAME_PLAIN,      /* of operations on $LATEST: at most 140 bytes */
    FUNCTION_NAME_NAMESPACED, /* of those that take versions and aliases: at most 256 */
};

/* The form that an operation takes. */
enum function_name_form function_name_form_of(const char *operation);

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
                               enum function_name_form form,
                               struct function_ref *out_ref,
                               struct api_error *error);

/* The version that a reference means: 0 for $LATEST, else a number.  False when its qualifier is
 * neither, so that only an alias could have the name. */
bool function_ref_version(const struct function_ref *ref, uint64_t *out_version);

/* Where a page of a list ended, a name and a version, as clients get it and send it back: base64,
 * so that nobody is tempted to write one.  Read: ST_BAD_INPUT for what no list gave. */
void function_marker_write(const char *name, uint64_t version, struct buf *out);
enum status function_marker_read(const char *marker,
                                 struct function_ref *out_ref,
                                 uint64_t *out_version,
                                 struct api_error *error);

/* A version as text, "$LATEST" or its number; out holds FUNCTION_VERSION_BYTES. */
enum { FUNCTION_VERSION_BYTES = 24 };
void function_version_text(uint64_t version, char *out);

/* Write the ARN; qualifier may be NULL or empty.  out holds FUNCTION_ARN_BYTES_MAX. */
void function_arn(const struct function_scope *scope,
                  const char *name,
                  const char *qualifier,
                  char *out);

#endif
