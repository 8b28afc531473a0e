/* Function names, qualifiers and ARNs.  See function_name.h. */
#include "controlplane/api/lambda/function_name.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"

/* What FUNCTION_NAME_PLAIN and FUNCTION_NAME_NAMESPACED have in common. */
#define PATTERN_HEAD                                                                               \
    "(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?"    \
    "(\\d{12}:)?(function:)?"

static const struct {
    size_t bytes_max;
    const char *pattern;
} forms[] = {
    [FUNCTION_NAME_PLAIN] = { FUNCTION_PLAIN_BYTES_MAX,
                              PATTERN_HEAD "([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?" },
    [FUNCTION_NAME_NAMESPACED] = { FUNCTION_REFERENCE_BYTES_MAX,
                                   PATTERN_HEAD "([a-zA-Z0-9-_\\.]+)"
                                                "(:(\\$LATEST(\\.PUBLISHED)?|[a-zA-Z0-9-_]+))?" },
};

static const char qualifier_pattern[] = "\\$(LATEST(\\.PUBLISHED)?)|[a-zA-Z0-9-_$]+";

enum { PARTS_MAX = 8, VERSION_DIGITS_MAX = 18 }; /* FUNCTION_VERSION_MAX has as many */

struct part {
    const char *text;
    size_t len;
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static bool is_word(char c)
{
    return is_lower(c) || is_digit(c) || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
}

static bool part_is(struct part part, const char *text)
{
    return part.len == strlen(text) && strncmp(part.text, text, part.len) == 0;
}

static bool part_is_words(struct part part)
{
    for (size_t i = 0; i < part.len; i++)
        if (!is_word(part.text[i]))
            return false;
    return part.len > 0;
}

/* The namespaced form lets dots through, and then there is no such function. */
static bool part_is_name(struct part part, enum function_name_form form)
{
    for (size_t i = 0; i < part.len; i++)
        if (!is_word(part.text[i]) && (form == FUNCTION_NAME_PLAIN || part.text[i] != '.'))
            return false;
    return part.len > 0;
}

static bool part_is_account(struct part part)
{
    for (size_t i = 0; i < part.len; i++)
        if (!is_digit(part.text[i]))
            return false;
    return part.len == ACCOUNT_BYTES_MAX;
}

/* Regions look like xx-word-9, with more words in between in some partitions. */
static bool part_is_region(struct part part)
{
    unsigned hyphens = 0;

    if (part.len < 6 || part.len > REGION_BYTES_MAX || !is_digit(part.text[part.len - 1]) ||
        part.text[part.len - 2] != '-')
        return false;
    for (size_t i = 0; i + 1 < part.len; i++) {
        if (part.text[i] == '-')
            hyphens++;
        else if (!is_lower(part.text[i]))
            return false;
    }
    return hyphens >= 2 && part.text[0] != '-';
}

static bool part_is_qualifier(struct part part, enum function_name_form form)
{
    if (part_is(part, "$LATEST.PUBLISHED"))
        return form == FUNCTION_NAME_NAMESPACED;
    return part_is(part, "$LATEST") || part_is_words(part);
}

static unsigned split(const char *text, struct part *parts)
{
    unsigned count = 0;

    for (;;) {
        size_t len = strcspn(text, ":");

        if (count == PARTS_MAX)
            return PARTS_MAX + 1;
        parts[count].text = text;
        parts[count].len = len;
        count++;
        if (text[len] == '\0')
            return count;
        text += len + 1;
    }
}

/* The parts of a reference in their order; what is not there stays empty. */
struct reference {
    struct part region;
    struct part account;
    struct part name;
    struct part qualifier;
};

static bool reference_read(const char *text, enum function_name_form form, struct reference *ref)
{
    struct part parts[PARTS_MAX];
    unsigned count = split(text, parts);
    unsigned at = 0;

    if (count > PARTS_MAX)
        return false;
    if (count > 3 && part_is(parts[0], "arn") && strncmp(parts[1].text, "aws", 3) == 0 &&
        part_is(parts[2], "lambda"))
        at = 3;
    if (at + 1 < count && part_is_region(parts[at]))
        ref->region = parts[at++];
    if (at + 1 < count && part_is_account(parts[at]))
        ref->account = parts[at++];
    if (at + 1 < count && part_is(parts[at], "function"))
        at++;
    if (!part_is_name(parts[at], form))
        return false;
    ref->name = parts[at++];
    if (at < count && !part_is_qualifier(parts[at], form))
        return false;
    if (at < count)
        ref->qualifier = parts[at++];
    return at == count;
}

static enum status check_qualifier(const char *qualifier, struct api_error *error)
{
    size_t len = strlen(qualifier);

    if (len > FUNCTION_QUALIFIER_BYTES_MAX)
        return api_error_set(error, ST_BAD_INPUT, API_VALIDATION,
                             "1 validation error detected: Value '%s' at 'qualifier' failed to "
                             "satisfy constraint: Member must have length less than or equal to "
                             "%d",
                             qualifier, FUNCTION_QUALIFIER_BYTES_MAX);
    for (size_t i = 0; i < len; i++)
        if (!is_word(qualifier[i]) && qualifier[i] != '$' &&
            strcmp(qualifier, "$LATEST.PUBLISHED") != 0)
            return api_error_set(error, ST_BAD_INPUT, API_VALIDATION,
                                 "1 validation error detected: Value '%s' at 'qualifier' failed "
                                 "to satisfy constraint: Member must satisfy regular expression "
                                 "pattern: %s",
                                 qualifier, qualifier_pattern);
    return ST_OK;
}

static enum status check_scope(const struct reference *ref,
                               const struct function_scope *scope,
                               struct api_error *error)
{
    if (ref->region.len > 0 && !part_is(ref->region, scope->region))
        return api_error_set(error, ST_NOT_FOUND, API_NOT_FOUND,
                             "Functions from '%.*s' are not reachable in this region ('%s')",
                             (int)ref->region.len, ref->region.text, scope->region);
    if (ref->account.len > 0 && !part_is(ref->account, scope->account))
        return api_error_set(error, ST_DENIED, API_ACCESS_DENIED,
                             "Account %s may not reach functions of account %.*s.", scope->account,
                             (int)ref->account.len, ref->account.text);
    return ST_OK;
}

static enum status refuse_pattern(const char *text,
                                  enum function_name_form form,
                                  struct api_error *error)
{
    return api_error_set(error, ST_BAD_INPUT, API_VALIDATION,
                         "1 validation error detected: Value '%s' at 'functionName' failed to "
                         "satisfy constraint: Member must satisfy regular expression pattern: %s",
                         text, forms[form].pattern);
}

static enum status refuse_length(const char *text,
                                 int max,
                                 enum api_code code,
                                 struct api_error *error)
{
    return api_error_set(error, ST_BAD_INPUT, code,
                         "1 validation error detected: Value '%s' at 'functionName' failed to "
                         "satisfy constraint: Member must have length less than or equal to %d",
                         text, max);
}

enum function_name_form function_name_form_of(const char *operation)
{
    static const char *const namespaced[] = {
        "AddPermission",
        "CreateEventSourceMapping",
        "DeleteFunction",
        "DeleteFunctionCodeSigningConfig",
        "DeleteFunctionEventInvokeConfig",
        "GetFunction",
        "GetFunctionCodeSigningConfig",
        "GetFunctionConfiguration",
        "GetFunctionEventInvokeConfig",
        "GetPolicy",
        "GetRuntimeManagementConfig",
        "Invoke",
        "InvokeAsync",
        "InvokeWithResponseStream",
        "ListDurableExecutionsByFunction",
        "ListEventSourceMappings",
        "ListFunctionEventInvokeConfigs",
        "ListVersionsByFunction",
        "PutFunctionCodeSigningConfig",
        "PutFunctionEventInvokeConfig",
        "PutRuntimeManagementConfig",
        "RemovePermission",
        "UpdateEventSourceMapping",
        "UpdateFunctionEventInvokeConfig",
    };

    for (size_t i = 0; i < ARRAY_LEN(namespaced); i++)
        if (strcmp(namespaced[i], operation) == 0)
            return FUNCTION_NAME_NAMESPACED;
    return FUNCTION_NAME_PLAIN;
}

enum status function_ref_parse(const char *text,
                               const char *qualifier,
                               const struct function_scope *scope,
                               enum function_name_form form,
                               struct function_ref *out_ref,
                               struct api_error *error)
{
    char name[FUNCTION_REFERENCE_BYTES_MAX + 1];
    struct reference ref = { 0 };
    struct function_ref found = { 0 };
    enum status st;

    if (strlen(text) > forms[form].bytes_max)
        return refuse_length(text, (int)forms[form].bytes_max, API_VALIDATION, error);
    if (!reference_read(text, form, &ref))
        return refuse_pattern(text, form, error);
    if (ref.name.len > FUNCTION_NAME_BYTES_MAX) {
        /* The recorded text shows the name alone, as the second validator sees it. */
        (void)snprintf(name, sizeof name, "%.*s", (int)ref.name.len, ref.name.text);
        return refuse_length(name, FUNCTION_NAME_BYTES_MAX, API_INVALID_PARAMETER, error);
    }
    if (ref.qualifier.len > FUNCTION_QUALIFIER_BYTES_MAX)
        return refuse_pattern(text, form, error);
    st = check_scope(&ref, scope, error);
    if (st != ST_OK)
        return st;
    memcpy(found.name, ref.name.text, ref.name.len);
    if (ref.qualifier.len > 0)
        memcpy(found.qualifier, ref.qualifier.text, ref.qualifier.len);
    if (qualifier != NULL && qualifier[0] != '\0') {
        st = check_qualifier(qualifier, error);
        if (st != ST_OK)
            return st;
        if (found.qualifier[0] != '\0' && strcmp(found.qualifier, qualifier) != 0)
            return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                                 "The derived qualifier from the function name does not match "
                                 "the specified qualifier.");
        (void)snprintf(found.qualifier, sizeof found.qualifier, "%s", qualifier);
    }
    *out_ref = found;
    return ST_OK;
}

bool function_ref_version(const struct function_ref *ref, uint64_t *out_version)
{
    const char *text = ref->qualifier;
    size_t len = strlen(text);
    uint64_t number = 0;

    if (len == 0 || strcmp(text, "$LATEST") == 0) {
        *out_version = 0;
        return true;
    }
    if (text[0] == '0' || len > VERSION_DIGITS_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (!is_digit(text[i]))
            return false;
        number = number * 10 + (uint64_t)(text[i] - '0');
    }
    *out_version = number;
    return true;
}

void function_marker_write(const char *name, uint64_t version, struct buf *out)
{
    struct buf text = { 0 };

    buf_printf(&text, "%s:%llu", name, (unsigned long long)version);
    base64_encode(buf_view(&text), out);
    buf_done(&text);
}

/* "name:version", in which 0 stands for $LATEST. */
static bool marker_split(const char *text, struct function_ref *out_ref, uint64_t *out_version)
{
    struct part name = { text, strcspn(text, ":") };
    struct function_ref found = { 0 };
    const char *version = text + name.len + 1;

    if (name.len > FUNCTION_NAME_BYTES_MAX || !part_is_words(name) || text[name.len] == '\0')
        return false;
    memcpy(found.name, name.text, name.len);
    if (strlen(version) > VERSION_DIGITS_MAX || version[0] == '\0')
        return false;
    if (strcmp(version, "0") != 0)
        (void)snprintf(found.qualifier, sizeof found.qualifier, "%s", version);
    if (!function_ref_version(&found, out_version))
        return false;
    *out_ref = found;
    return true;
}

enum status function_marker_read(const char *marker,
                                 struct function_ref *out_ref,
                                 uint64_t *out_version,
                                 struct api_error *error)
{
    struct buf text = { 0 };
    bool good = base64_decode(bytes_of_text(marker), &text) == ST_OK &&
                marker_split(buf_text(&text), out_ref, out_version);

    buf_done(&text);
    if (good)
        return ST_OK;
    return api_error_set(error, ST_BAD_INPUT, API_INVALID_PARAMETER,
                         "Marker is not one that a list gave.");
}

void function_version_text(uint64_t version, char *out)
{
    if (version == 0)
        (void)snprintf(out, FUNCTION_VERSION_BYTES, "$LATEST");
    else
        (void)snprintf(out, FUNCTION_VERSION_BYTES, "%llu", (unsigned long long)version);
}

void function_arn(const struct function_scope *scope,
                  const char *name,
                  const char *qualifier,
                  char *out)
{
    bool qualified = qualifier != NULL && qualifier[0] != '\0';

    (void)snprintf(out, FUNCTION_ARN_BYTES_MAX, "arn:aws:lambda:%s:%s:function:%s%s%s",
                   scope->region, scope->account, name, qualified ? ":" : "",
                   qualified ? qualifier : "");
}
