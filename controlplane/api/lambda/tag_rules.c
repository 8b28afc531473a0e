/* See tag_rules.h. */
#include "controlplane/api/lambda/tag_rules.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/http_message.h"
#include "proto/fields.h"

/* As AWS documents it for Resource and shows it in refusals. */
static const char resource_pattern[] =
    "arn:(aws[a-zA-Z-]*):lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:\\d{12}:"
    "(function:[a-zA-Z0-9-_]+(:(\\$LATEST|[a-zA-Z0-9-_]+))?|layer:([a-zA-Z0-9-_]+)|"
    "code-signing-config:csc-[a-z0-9]{17}|event-source-mapping:[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-"
    "[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}|capacity-provider:[a-zA-Z0-9-_]+)";
static const char key_pattern[] = "([\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*)";

#define WORDS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

static enum status refuse_pattern(const char *arn, struct api_error *error)
{
    return api_error_set(error, ST_BAD_INPUT, API_VALIDATION,
                         "1 validation error detected: Value '%s' at 'resource' failed to satisfy "
                         "constraint: Member must satisfy regular expression pattern: %s",
                         arn, resource_pattern);
}

/* What follows the fifth colon of an ARN of Lambda's; NULL if the text is none.  Region and account
 * have the right characters, no more: whose they are is looked at for functions. */
static const char *resource_of(const char *arn)
{
    const char *at = arn;

    if (strncmp(at, "arn:aws", 7) != 0)
        return NULL;
    at += 7 + strspn(at + 7, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-");
    if (strncmp(at, ":lambda:", 8) != 0)
        return NULL;
    at += 8;
    if (strspn(at, "abcdefghijklmnopqrstuvwxyz0123456789-") < 1)
        return NULL;
    at += strcspn(at, ":");
    if (*at != ':' || strspn(at + 1, "0123456789") != ACCOUNT_BYTES_MAX ||
        at[1 + ACCOUNT_BYTES_MAX] != ':')
        return NULL;
    return at + 1 + ACCOUNT_BYTES_MAX + 1;
}

static bool is_hex_and_hyphens(const char *text)
{
    static const char form[] = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";

    if (strlen(text) != strlen(form))
        return false;
    for (size_t i = 0; form[i] != '\0'; i++)
        if (form[i] == '-' ? text[i] != '-' : strchr("0123456789abcdefABCDEF", text[i]) == NULL)
            return false;
    return true;
}

/* What has tags with AWS, and is never here yet: a well-formed ARN of one names nothing. */
static enum status refuse_others(const char *arn, const char *resource, struct api_error *error)
{
    const char *colon = strchr(resource, ':');
    const char *id = colon == NULL ? "" : colon + 1;
    size_t type = strcspn(resource, ":");
    bool words = id[0] != '\0' && strspn(id, WORDS) == strlen(id);

    if (type == strlen("layer") && strncmp(resource, "layer", type) == 0 && words)
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                             "Unsupported resource type for tagging");
    if (type == strlen("event-source-mapping") &&
        strncmp(resource, "event-source-mapping", type) == 0 && is_hex_and_hyphens(id))
        return api_error_set(error, ST_NOT_FOUND, API_NOT_FOUND,
                             "Event source mapping not found: %s", arn);
    if (type == strlen("capacity-provider") && strncmp(resource, "capacity-provider", type) == 0 &&
        words)
        return api_error_set(error, ST_NOT_FOUND, API_NOT_FOUND, "Capacity provider not found: %s",
                             arn);
    if (type == strlen("code-signing-config") &&
        strncmp(resource, "code-signing-config", type) == 0 && strncmp(id, "csc-", 4) == 0 &&
        strlen(id) == 21 && strspn(id + 4, "abcdefghijklmnopqrstuvwxyz0123456789") == 17)
        return api_error_set(error, ST_NOT_FOUND, API_NOT_FOUND,
                             "The Lambda code signing configuration %s can not be found.", arn);
    return refuse_pattern(arn, error);
}

enum status tag_resource_parse(const char *arn,
                               const struct function_scope *scope,
                               struct function_ref *out_ref,
                               struct api_error *error)
{
    const char *resource;
    enum status st;

    if (strlen(arn) > FUNCTION_REFERENCE_BYTES_MAX)
        return api_error_set(error, ST_BAD_INPUT, API_VALIDATION,
                             "1 validation error detected: Value at 'resource' failed to satisfy "
                             "constraint: Member must have length less than or equal to %d",
                             FUNCTION_REFERENCE_BYTES_MAX);
    resource = resource_of(arn);
    if (resource == NULL)
        return refuse_pattern(arn, error);
    if (strncmp(resource, "function:", strlen("function:")) != 0)
        return refuse_others(arn, resource, error);
    st = function_ref_parse(arn, NULL, scope, FUNCTION_NAME_PLAIN, out_ref, error);
    if (st == ST_BAD_INPUT)
        return refuse_pattern(arn, error);
    if (st != ST_OK)
        return st;
    if (out_ref->qualifier[0] != '\0')
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                             "Tags on function aliases and versions are not supported. Please "
                             "specify a function ARN.");
    return ST_OK;
}

/* Characters of UTF-8 that jansson or utf8_valid() has looked at. */
static size_t characters_of(const char *text)
{
    size_t count = 0;

    for (; *text != '\0'; text++)
        count += ((unsigned char)*text & 0xc0) != 0x80;
    return count;
}

/* AWS's pattern, but for letters beyond ASCII, which are all taken. */
static bool has_allowed_characters(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x80 && strchr(WORDS " .:/=+@", *text) == NULL)
            return false;
    return true;
}

static enum status check_key(const char *key, struct api_error *error)
{
    size_t characters = characters_of(key);

    if (characters < 1 || characters > TAG_KEY_CHARACTERS_MAX || !has_allowed_characters(key))
        return api_error_set(error, ST_BAD_INPUT, API_VALIDATION,
                             "1 validation error detected: Value at 'tags' failed to satisfy "
                             "constraint: Map keys must satisfy constraint: [Member must have "
                             "length less than or equal to %d, Member must have length greater "
                             "than or equal to 1, Member must satisfy regular expression pattern: "
                             "%s]",
                             TAG_KEY_CHARACTERS_MAX, key_pattern);
    if (strncmp(key, "aws:", 4) == 0)
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                             "aws: prefixed tag key names are not allowed for external use.");
    return ST_OK;
}

static enum status check_value(const char *value, struct api_error *error)
{
    if (characters_of(value) <= TAG_VALUE_CHARACTERS_MAX && has_allowed_characters(value))
        return ST_OK;
    return api_error_set(error, ST_BAD_INPUT, API_VALIDATION,
                         "1 validation error detected: Value at 'tags' failed to satisfy "
                         "constraint: Map value must satisfy constraint: [Member must have length "
                         "less than or equal to %d, Member must have length greater than or equal "
                         "to 0, Member must satisfy regular expression pattern: %s]",
                         TAG_VALUE_CHARACTERS_MAX, key_pattern);
}

enum status tags_input_check(json_t *tags, struct api_error *error)
{
    const char *key;
    json_t *value;
    size_t bytes = 0;

    if (json_object_size(tags) > TAGS_MAX)
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                             "Number of tags exceeds resource tag limit.");
    json_object_foreach(tags, key, value)
    {
        enum status st = check_key(key, error);

        if (st == ST_OK && !json_is_string(value))
            st = api_error_set(error, ST_BAD_INPUT, API_SERIALIZATION,
                               "The value of a member of 'Tags' must be a string.");
        if (st == ST_OK)
            st = check_value(json_string_value(value), error);
        if (st != ST_OK)
            return st;
        bytes += strlen(key) + json_string_length(value);
    }
    if (bytes > TAGS_BYTES_MAX)
        return api_error_set(error, ST_LIMIT, API_INVALID_PARAMETER,
                             "The tags of one request have %zu bytes together; Lapwing takes at "
                             "most %d.",
                             bytes, TAGS_BYTES_MAX);
    return ST_OK;
}

/* protobuf-c wants char * for what it only reads. */
static void fill(json_t *tags, struct tags_input *out)
{
    const char *key;
    json_t *value;

    out->tags = must_calloc(TAGS_MAX, sizeof *out->tags);
    out->list = must_calloc(TAGS_MAX, sizeof(Lapwing__Tag *));
    json_object_foreach(tags, key, value)
    {
        Lapwing__Tag *tag = &out->tags[out->count];

        lapwing__tag__init(tag);
        tag->key = (char *)(uintptr_t)key;
        tag->value = (char *)(uintptr_t)json_string_value(value);
        out->list[out->count++] = tag;
    }
}

enum status tag_body_read(struct bytes body, struct tags_input *out, struct api_error *error)
{
    json_error_t why;
    json_t *tags;
    enum status st;

    out->root = json_loadb((const char *)body.data, body.len, 0, &why);
    if (out->root == NULL)
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_CONTENT,
                             "Could not parse request body into json: %s at line %d, column %d",
                             why.text, why.line, why.column);
    tags = json_object_get(out->root, "Tags");
    if (!json_is_object(out->root) ||
        (tags != NULL && !json_is_null(tags) && !json_is_object(tags)))
        return api_error_set(error, ST_BAD_INPUT, API_SERIALIZATION,
                             "Start of structure or map found where not expected.");
    if (!json_is_object(tags))
        return api_error_set(error, ST_BAD_INPUT, API_VALIDATION,
                             "1 validation error detected: Value null at 'tags' failed to satisfy "
                             "constraint: Member must not be null");
    if (json_object_size(tags) == 0)
        return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                             "An error occurred and the request cannot be processed.");
    st = tags_input_check(tags, error);
    if (st == ST_OK)
        fill(tags, out);
    return st;
}

void tags_input_done(struct tags_input *input)
{
    free(input->tags);
    free(input->list);
    json_decref(input->root);
    memset(input, 0, sizeof *input);
}

/* One parameter's value onto the list. */
static enum status add_key(struct bytes encoded, struct tag_keys *out, struct api_error *error)
{
    struct buf key = { 0 };
    enum status st = http_percent_decode(encoded, true, &key);
    const char *text = buf_text(&key);
    size_t characters = characters_of(text);

    if (st != ST_OK || !utf8_valid(text, key.len) || characters < 1 ||
        characters > TAG_KEY_CHARACTERS_MAX || !has_allowed_characters(text))
        st = api_error_set(error, ST_BAD_INPUT, API_VALIDATION,
                           "1 validation error detected: Value at 'tagKeys' failed to satisfy "
                           "constraint: Member must satisfy constraint: [Member must have length "
                           "less than or equal to %d, Member must have length greater than or "
                           "equal to 1, Member must satisfy regular expression pattern: %s]",
                           TAG_KEY_CHARACTERS_MAX, key_pattern);
    else if (out->count == TAGS_MAX)
        st = api_error_set(error, ST_LIMIT, API_VALIDATION,
                           "1 validation error detected: Value at 'tagKeys' failed to satisfy "
                           "constraint: Member must have length less than or equal to %d",
                           TAGS_MAX);
    else
        out->keys[out->count++] = must_strdup(text);
    buf_done(&key);
    return st;
}

enum status tag_keys_read(const char *query, struct tag_keys *out, struct api_error *error)
{
    struct http_query walk = { .rest = bytes_of_text(query == NULL ? "" : query) };
    enum status st = ST_OK;

    while (st == ST_OK && http_query_next(&walk))
        if (bytes_equal(walk.name, bytes_of_text("tagKeys")))
            st = add_key(walk.value, out, error);
    if (st == ST_OK && out->count == 0)
        st = api_error_set(error, ST_BAD_INPUT, API_VALIDATION,
                           "1 validation error detected: Value null at 'tagKeys' failed to satisfy "
                           "constraint: Member must not be null");
    return st;
}

void tag_keys_done(struct tag_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        free(keys->keys[i]);
    keys->count = 0;
}
