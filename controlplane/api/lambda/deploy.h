/* The operations that make and change functions, while they run.  Internal to this folder. */
#ifndef CONTROLPLANE_API_LAMBDA_DEPLOY_H
#define CONTROLPLANE_API_LAMBDA_DEPLOY_H

#include "base/bytes.h"
#include "base/hash.h"
#include "controlplane/api/call/call.h"
#include "controlplane/api/lambda/deploy_plan.h"
#include "controlplane/api/lambda/function_rules.h"

enum deploy_kind {
    DEPLOY_KIND_CREATE,
    DEPLOY_KIND_CODE,
    DEPLOY_KIND_CONFIGURATION,
    DEPLOY_KIND_PUBLISH,
    DEPLOY_KINDS,
};

/* The operation's part of a call; owned by it.  Pool threads touch input, zip and errors only,
 * while the loop waits for them. */
struct deploy {
    struct api_call *call;
    enum deploy_kind kind;
    enum deploy_state state;
    struct function_ref ref;
    struct function_input input;
    struct buf zip;
    bool zip_is_text; /* it was no base64 */
    uint8_t sha256[SHA256_BYTES];
    enum status work_status;
    struct err work_err;
    Lapwing__Function *function; /* owned: the row, before and then after the change */
    Lapwing__Function *before;   /* owned: what input.function borrows from, once changed */
    char revision[UUID_TEXT_BYTES];
};

/* The zip that came with the request, decoded and hashed. */
enum status deploy_read_inline(struct deploy *deploy, struct api_error *error);

/* The zip from the client's bucket, read with the client's own key and hashed.  Blocks on the
 * network: on a pool thread. */
enum status deploy_read_bucket(struct deploy *deploy, struct api_error *error);

/* The command that makes the change: its type, and its body for buf_done(). */
Lapwing__CommandType deploy_command(struct deploy *deploy, struct buf *out_body);

#endif
