/* The settings that CreateFunction and UpdateFunctionConfiguration share: checked, and filled in.
 *
 * Pure but for memory.  The texts of refusals are AWS's. */
#ifndef CONTROLPLANE_API_LAMBDA_SETTINGS_RULES_H
#define CONTROLPLANE_API_LAMBDA_SETTINGS_RULES_H

#include <jansson.h>
#include <stdbool.h>

#include "base/status.h"
#include "controlplane/api/call/error_rules.h"
#include "controlplane/api/lambda/form_rules.h"
#include "proto/command.pb-c.h"

/* The framework's pass: what is wrong with the form of the settings is added to `findings`.
 * all: those that a function cannot be without must be there. */
void settings_find(struct findings *findings, json_t *root, bool all);

/* The service's pass.  `operation` shows in the refusal of what is not built. */
enum status settings_check(json_t *root, const char *operation, struct api_error *error);

/* What settings_fill() had to allocate.  Zero-initialise; settings_done() frees it. */
struct settings {
    Lapwing__EnvironmentVariable *variables;
    Lapwing__EnvironmentVariable **list;
};

/* Put the checked settings that `root` has over those of `function`, as views into `root`. */
void settings_fill(json_t *root, struct settings *out, Lapwing__Function *function);
void settings_done(struct settings *settings);

/* The refusal of a member that AWS has and we do not. */
enum status settings_refuse_unbuilt(const char *operation,
                                    const char *member,
                                    struct api_error *error);

#endif
