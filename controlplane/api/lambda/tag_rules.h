/* Tags as clients send them: which resource, which tags, which keys; with the refusals that AWS
 * gives.
 *
 * Pure but for memory.  What comes out is within every limit of the state's commands, but for the
 * number of tags that the resource has already: only the state knows it. */
#ifndef CONTROLPLANE_API_LAMBDA_TAG_RULES_H
#define CONTROLPLANE_API_LAMBDA_TAG_RULES_H

#include <jansson.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "base/status.h"
#include "controlplane/api/call/error_rules.h"
#include "controlplane/api/lambda/function_name.h"
#include "proto/command.pb-c.h"

/* Read the ARN in a path, decoded: it must be that of a function, without a qualifier.
 *
 * ST_BAD_INPUT: not an ARN of Lambda's, or one of what cannot be tagged.  ST_NOT_FOUND: of another
 * region, or of what this cluster never has.  ST_DENIED: of another account. */
enum status tag_resource_parse(const char *arn,
                               const struct function_scope *scope,
                               struct function_ref *out_ref,
                               struct api_error *error);

/* Check the member Tags of a request; NULL and JSON null are no tags. */
enum status tags_input_check(json_t *tags, struct api_error *error);

/* A checked list of tags.  Zero-initialise; tags_input_done() frees it in any state. */
struct tags_input {
    json_t *root; /* owned; the texts are views into it */
    size_t count;
    Lapwing__Tag *tags; /* owned, as the pointers to them */
    Lapwing__Tag **list;
};

/* Check the body of TagResource. */
enum status tag_body_read(struct bytes body, struct tags_input *out, struct api_error *error);
void tags_input_done(struct tags_input *input);

/* Keys to take away.  Zero-initialise; tag_keys_done() frees it in any state. */
struct tag_keys {
    size_t count;
    char *keys[TAGS_MAX]; /* owned, decoded */
};

/* Read every parameter tagKeys of an encoded query.  ST_BAD_INPUT without one, with more than
 * TAGS_MAX of them, or with one that is no key. */
enum status tag_keys_read(const char *query, struct tag_keys *out, struct api_error *error);
void tag_keys_done(struct tag_keys *keys);

#endif
