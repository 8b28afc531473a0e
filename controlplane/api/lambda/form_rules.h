/* The form of JSON bodies: what AWS's framework looks at before the service does.
 *
 * Pure but for memory.  The framework collects everything that is wrong into one
 * ValidationException; the service, which comes after it, stops at the first thing. */
#ifndef CONTROLPLANE_API_LAMBDA_FORM_RULES_H
#define CONTROLPLANE_API_LAMBDA_FORM_RULES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"
#include "base/status.h"
#include "controlplane/api/call/error_rules.h"

/* What was found; its text is the list behind "N validation errors detected: ".  Zero-initialise;
 * form_end() frees it. */
struct findings {
    unsigned count;
    struct buf text;
};

/* One more thing that is wrong. */
void form_find(struct findings *findings, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* A number that is out of its range. */
void form_find_range(struct findings *findings,
                     const json_t *value,
                     const char *name,
                     json_int_t min,
                     json_int_t max);
/* A text whose length is out of its range. */
void form_find_length(
    struct findings *findings, const char *text, const char *name, size_t min, size_t max);
/* ST_OK when nothing was found, else the refusal. */
enum status form_end(struct findings *findings, struct api_error *error);

/* Parse a body, which is an object; an empty one is {}.  The caller owns the reference. */
enum status form_load(struct bytes body, json_t **out_root, struct api_error *error);

/* A member of a JSON type that its name always has. */
struct form_member {
    const char *name;
    json_type type; /* JSON_TRUE stands for both booleans */
};
enum status form_check_types(const json_t *object,
                             const struct form_member *members,
                             size_t count,
                             struct api_error *error);

/* The text of a member, or NULL. */
const char *form_text(const json_t *object, const char *name);

/* Does the value ask for nothing: absent, null, false, "", or a list or structure of such? */
bool form_asks_nothing(const json_t *value);
bool form_structure_asks_nothing(json_t *value);

#endif
