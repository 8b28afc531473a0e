/* Single fields; pure, any thread. */
#include "proto/fields.h"

#include <string.h>

#include "base/check.h"

/* The length of the character at `at`, or 0 if it is none. */
static size_t utf8_character(const uint8_t *at, size_t left)
{
    uint32_t code;
    size_t len;

    if (at[0] < 0x80)
        return 1;
    if (at[0] < 0xc2 || at[0] > 0xf4)
        return 0; /* a continuation, an overlong two-byte form, or above U+10FFFF */
    len = at[0] < 0xe0 ? 2 : at[0] < 0xf0 ? 3 : 4;
    if (left < len)
        return 0;
    code = at[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((at[i] & 0xc0) != 0x80)
            return 0;
        code = code << 6 | (at[i] & 0x3f);
    }
    if (len == 3 && (code < 0x800 || (code >= 0xd800 && code <= 0xdfff)))
        return 0;
    if (len == 4 && (code < 0x10000 || code > 0x10ffff))
        return 0;
    return len;
}

bool utf8_valid(const char *text, size_t len)
{
    const uint8_t *at = (const uint8_t *)text;
    size_t step;

    for (size_t i = 0; i < len; i += step) {
        step = at[i] < 0x80 ? 1 : utf8_character(at + i, len - i);
        if (step == 0)
            return false;
    }
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_hex_either(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool allowed(enum field_kind kind, char c)
{
    switch (kind) {
    case FIELD_ANY:
    case FIELD_TEXT:
        return true;
    case FIELD_LINE:
        return (unsigned char)c >= ' ' && c != 0x7f;
    case FIELD_NAME:
        return is_letter(c) || is_digit(c) || c == '-' || c == '_';
    case FIELD_LOWER:
        return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-';
    case FIELD_DOTTED:
        return is_letter(c) || is_digit(c) || c == '-' || c == '_' || c == '.';
    case FIELD_DIGITS:
        return is_digit(c);
    case FIELD_HEX:
        return is_digit(c) || (c >= 'a' && c <= 'f');
    case FIELD_UUID:
        return is_hex_either(c) || c == '-';
    case FIELD_ADDRESS:
        return is_letter(c) || is_digit(c) || strchr("-.:[]", c) != NULL;
    case FIELD_PRINTABLE:
        return c >= ' ' && c <= '~';
    }
    CHECK(!"field kind");
}

static const char *allowed_text(enum field_kind kind)
{
    static const char *const texts[] = {
        [FIELD_ANY] = "anything",
        [FIELD_TEXT] = "UTF-8",
        [FIELD_LINE] = "UTF-8 without control characters",
        [FIELD_NAME] = "letters, digits, - and _",
        [FIELD_LOWER] = "lower-case letters, digits and -",
        [FIELD_DOTTED] = "letters, digits, - _ and .",
        [FIELD_DIGITS] = "digits",
        [FIELD_HEX] = "lower-case hexadecimal digits",
        [FIELD_UUID] = "hexadecimal digits and -",
        [FIELD_ADDRESS] = "a host and a port",
        [FIELD_PRINTABLE] = "visible ASCII",
    };

    CHECK((size_t)kind < ARRAY_LEN(texts));
    return texts[kind];
}

enum status field_text_check(const struct field_text *rule, const char *value, struct err *err)
{
    size_t len = strlen(value);

    if (len < rule->bytes_min || len > rule->bytes_max)
        return err_set(err, ST_BAD_INPUT, "%s: %zu bytes, want %zu to %zu", rule->name, len,
                       rule->bytes_min, rule->bytes_max);
    if (rule->kind != FIELD_ANY && !utf8_valid(value, len))
        return err_set(err, ST_BAD_INPUT, "%s: not UTF-8", rule->name);
    if (rule->kind == FIELD_ANY || rule->kind == FIELD_TEXT)
        return ST_OK;
    for (size_t i = 0; i < len; i++)
        if (!allowed(rule->kind, value[i]))
            return err_set(err, ST_BAD_INPUT, "%s: byte 0x%02x at %zu, want %s", rule->name,
                           (unsigned)(unsigned char)value[i], i, allowed_text(rule->kind));
    return ST_OK;
}

enum status field_texts_check(const struct field_text *rules,
                              const char *const *values,
                              size_t count,
                              struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        enum status st = field_text_check(&rules[i], values[i], err);

        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

enum status field_number_check(
    const char *name, uint64_t value, uint64_t min, uint64_t max, struct err *err)
{
    if (value >= min && value <= max)
        return ST_OK;
    return err_set(err, ST_BAD_INPUT, "%s: %llu, want %llu to %llu", name,
                   (unsigned long long)value, (unsigned long long)min, (unsigned long long)max);
}

enum status field_bytes_check(const char *name,
                              const ProtobufCBinaryData *value,
                              size_t bytes_min,
                              size_t bytes_max,
                              struct err *err)
{
    if (value->len >= bytes_min && value->len <= bytes_max)
        return ST_OK;
    return err_set(err, ST_BAD_INPUT, "%s: %zu bytes, want %zu to %zu", name, value->len, bytes_min,
                   bytes_max);
}

enum status field_count_check(const char *name, size_t count, size_t max, struct err *err)
{
    if (count <= max)
        return ST_OK;
    return err_set(err, ST_BAD_INPUT, "%s: %zu of them, want at most %zu", name, count, max);
}

enum status field_present_check(const char *name, const void *message, struct err *err)
{
    if (message != NULL)
        return ST_OK;
    return err_set(err, ST_BAD_INPUT, "%s: absent, want it", name);
}

enum status field_status_check(const char *name, uint32_t value, struct err *err)
{
    return field_number_check(name, value, ST_OK, STATUS_COUNT - 1, err);
}
