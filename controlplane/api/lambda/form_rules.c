/* Bodies of requests as the framework of AWS validates them.  See form_rules.h. */
#include "controlplane/api/lambda/form_rules.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

void form_find(struct findings *findings, const char *format, ...)
{
    char text[1024];
    va_list args;

    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (findings->count++ > 0)
        buf_append_text(&findings->text, "; ");
    buf_append_text(&findings->text, text);
}

void form_find_range(struct findings *findings,
                     const json_t *value,
                     const char *name,
                     json_int_t min,
                     json_int_t max)
{
    json_int_t number = json_integer_value(value);

    if (!json_is_integer(value))
        return;
    if (number < min)
        form_find(
            findings,
            "Value '%lld' at '%s' failed to satisfy constraint: Member must have value greater "
            "than or equal to %lld",
            (long long)number, name, (long long)min);
    if (number > max)
        form_find(
            findings,
            "Value '%lld' at '%s' failed to satisfy constraint: Member must have value less than "
            "or equal to %lld",
            (long long)number, name, (long long)max);
}

void form_find_length(
    struct findings *findings, const char *text, const char *name, size_t min, size_t max)
{
    size_t len = text == NULL ? min : strlen(text);

    if (len < min)
        form_find(findings,
                  "Value '%.256s' at '%s' failed to satisfy constraint: Member must have length "
                  "greater than or equal to %zu",
                  text, name, min);
    if (len > max)
        form_find(findings,
                  "Value '%.512s' at '%s' failed to satisfy constraint: Member must have length "
                  "less than or equal to %zu",
                  text, name, max);
}

enum status form_end(struct findings *findings, struct api_error *error)
{
    enum status st = ST_OK;

    if (findings->count > 0)
        st = api_error_set(error, ST_BAD_INPUT, API_VALIDATION,
                           "%u validation error%s detected: %s", findings->count,
                           findings->count == 1 ? "" : "s", buf_text(&findings->text));
    buf_done(&findings->text);
    return st;
}

enum status form_load(struct bytes body, json_t **out_root, struct api_error *error)
{
    json_error_t why;
    json_t *root;

    if (body.len == 0)
        body = bytes_of_text("{}");
    /* Jansson takes it for the end and passes over what follows. */
    if (memchr(body.data, '\0', body.len) != NULL)
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_CONTENT,
                             "Could not parse request body into json: Illegal character "
                             "((CTRL-CHAR, code 0))");
    root = json_loadb((const char *)body.data, body.len, 0, &why);
    if (root == NULL)
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_CONTENT,
                             "Could not parse request body into json: %s at line %d, column %d",
                             why.text, why.line, why.column);
    if (!json_is_object(root)) {
        json_decref(root);
        return api_error_set(error, ST_BAD_INPUT, API_SERIALIZATION,
                             "Start of structure or map found where not expected.");
    }
    *out_root = root;
    return ST_OK;
}

enum status form_check_types(const json_t *object,
                             const struct form_member *members,
                             size_t count,
                             struct api_error *error)
{
    static const char *const words[] = {
        [JSON_OBJECT] = "structure", [JSON_ARRAY] = "list",  [JSON_STRING] = "string",
        [JSON_INTEGER] = "integer",  [JSON_REAL] = "number", [JSON_TRUE] = "boolean",
        [JSON_FALSE] = "boolean",    [JSON_NULL] = "null"
    };

    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_object_get(object, members[i].name);
        json_type type;

        if (value == NULL || json_is_null(value))
            continue;
        type = json_typeof(value) == JSON_FALSE ? JSON_TRUE : json_typeof(value);
        if (type != members[i].type)
            return api_error_set(error, ST_BAD_INPUT, API_SERIALIZATION,
                                 "Member '%s' is a %s and must be a %s.", members[i].name,
                                 words[type], words[members[i].type]);
    }
    return ST_OK;
}

const char *form_text(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

bool form_asks_nothing(const json_t *value)
{
    if (value == NULL || json_is_null(value) || json_is_false(value))
        return true;
    if (json_is_string(value))
        return json_string_length(value) == 0;
    if (json_is_array(value))
        return json_array_size(value) == 0;
    return json_is_object(value) && json_object_size(value) == 0;
}

bool form_structure_asks_nothing(json_t *value)
{
    const char *name;
    json_t *member;

    if (!json_is_object(value))
        return form_asks_nothing(value);
    json_object_foreach(value, name, member) if (!form_asks_nothing(member)) return false;
    return true;
}
