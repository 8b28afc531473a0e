/* What a client may ask of CreateFunction, UpdateFunctionCode, UpdateFunctionConfiguration and
 * PublishVersion: the JSON body checked completely, with the refusals that AWS gives.
 *
 * Pure but for memory.  A body passes here once; what comes out is within every limit.  Members
 * that AWS has and we do not are refused by name when they ask for something; unknown ones are
 * ignored, as the SDKs of tomorrow need it. */
#ifndef CONTROLPLANE_API_LAMBDA_FUNCTION_RULES_H
#define CONTROLPLANE_API_LAMBDA_FUNCTION_RULES_H

#include <jansson.h>
#include <stdbool.h>

#include "base/bytes.h"
#include "base/status.h"
#include "controlplane/api/call/error_rules.h"
#include "controlplane/api/lambda/function_name.h"
#include "controlplane/api/lambda/settings_rules.h"
#include "proto/command.pb-c.h"

/* A checked request.  Zero-initialise; function_input_done() frees it in any state. */
struct function_input {
    json_t *root;               /* owned; every text below is a view into it */
    Lapwing__Function function; /* settings of CreateFunction, defaults filled in, without account,
                                   region, uid, code and revision; for UpdateFunctionCode the
                                   architecture or ""; for UpdateFunctionConfiguration filled by
                                   function_configuration_merge() */
    char name[FUNCTION_NAME_BYTES_MAX + 1];
    struct settings settings; /* owned, as the tags and the pointers to them */
    Lapwing__Tag *tags;
    Lapwing__Tag **tag_list;
    struct bytes zip_base64; /* empty: the code is in a bucket */
    const char *s3_bucket;
    const char *s3_key;
    const char *expected_revision_id; /* NULL: any */
    const char *code_sha256;          /* PublishVersion: that $LATEST must have; NULL: any */
    const char *description;          /* PublishVersion: of the version; NULL: that of $LATEST */
    bool dry_run;
    bool publish;
};

/* ST_BAD_INPUT when the reference names a version or an alias. */
enum status function_check_unqualified(const struct function_ref *ref, struct api_error *error);

/* Check the body of CreateFunction.  `machine` is what workers run on, "x86_64". */
enum status function_create_check(struct bytes body,
                                  const struct function_scope *scope,
                                  const char *machine,
                                  struct function_input *out_input,
                                  struct api_error *error);

/* Check the body of UpdateFunctionCode. */
enum status function_update_code_check(struct bytes body,
                                       const char *machine,
                                       struct function_input *out_input,
                                       struct api_error *error);

/* Check the body of UpdateFunctionConfiguration. */
enum status function_update_configuration_check(struct bytes body,
                                                struct function_input *out_input,
                                                struct api_error *error);
/* Fill input->function with the function as it is, changed as the body asks.  Views into both. */
void function_configuration_merge(const Lapwing__Function *row, struct function_input *input);

/* Check the body of PublishVersion. */
enum status function_publish_check(struct bytes body,
                                   struct function_input *out_input,
                                   struct api_error *error);

/* Let go of the text of the zip once it is decoded: it is as large as the body. */
void function_input_drop_zip(struct function_input *input);
void function_input_done(struct function_input *input);

#endif
