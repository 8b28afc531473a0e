/* What the check functions of this folder are made of: one field, one sentence when it is wrong. */
#ifndef PROTO_FIELDS_H
#define PROTO_FIELDS_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/* Which characters a text may have. */
enum field_kind {
    FIELD_ANY,       /* anything: a sentence for a person, which may quote bytes of a stranger */
    FIELD_TEXT,      /* UTF-8, no NUL */
    FIELD_LINE,      /* UTF-8, no control character */
    FIELD_NAME,      /* letters, digits, - and _ */
    FIELD_LOWER,     /* lower-case letters, digits and - */
    FIELD_DOTTED,    /* letters, digits, - _ and . */
    FIELD_DIGITS,    /* 0 to 9 */
    FIELD_HEX,       /* 0 to 9, a to f */
    FIELD_UUID,      /* hexadecimal in either case, and - */
    FIELD_ADDRESS,   /* letters, digits, - . : [ ] */
    FIELD_PRINTABLE, /* visible ASCII and space */
};

struct field_text {
    const char *name; /* of the field, for the sentence */
    enum field_kind kind;
    size_t bytes_min;
    size_t bytes_max;
};

/* Each returns ST_OK, or ST_BAD_INPUT with field, value and what is allowed in `err`. */
enum status field_text_check(const struct field_text *rule, const char *value, struct err *err);
/* A table of rules and, beside it, the values. */
enum status field_texts_check(const struct field_text *rules,
                              const char *const *values,
                              size_t count,
                              struct err *err);
enum status field_number_check(
    const char *name, uint64_t value, uint64_t min, uint64_t max, struct err *err);
enum status field_bytes_check(const char *name,
                              const ProtobufCBinaryData *value,
                              size_t bytes_min,
                              size_t bytes_max,
                              struct err *err);
enum status field_count_check(const char *name, size_t count, size_t max, struct err *err);
/* A submessage that must be there. */
enum status field_present_check(const char *name, const void *message, struct err *err);
/* An enum status as it travels. */
enum status field_status_check(const char *name, uint32_t value, struct err *err);

/* Well-formed UTF-8: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool utf8_valid(const char *text, size_t len);

#endif
