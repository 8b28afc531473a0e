/* Checks of tags.  The front door has refused with AWS's words what is wrong with them before; here
 * only that stops which would harm the rows. */
#include "proto/tag_check.h"

#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "proto/fields.h"

static const struct field_text key_rule = { "tag key", FIELD_LINE, 1, TAG_KEY_BYTES_MAX };

enum status tags_check(Lapwing__Tag *const *tags, size_t count, struct err *err)
{
    static const struct field_text value_rule = { "tag value", FIELD_LINE, 0, TAG_VALUE_BYTES_MAX };
    size_t bytes = 0;
    enum status st = field_count_check("tags", count, TAGS_MAX, err);

    for (size_t i = 0; st == ST_OK && i < count; i++) {
        st = field_text_check(&key_rule, tags[i]->key, err);
        if (st == ST_OK)
            st = field_text_check(&value_rule, tags[i]->value, err);
        for (size_t other = 0; st == ST_OK && other < i; other++)
            if (strcmp(tags[other]->key, tags[i]->key) == 0)
                st = err_set(err, ST_BAD_INPUT, "tag key: %.64s twice, want it once", tags[i]->key);
        bytes += strlen(tags[i]->key) + strlen(tags[i]->value);
    }
    return st == ST_OK ? field_number_check("tags: bytes", bytes, 0, TAGS_BYTES_MAX, err) : st;
}

/* account, region and the end of the ARN: whose tags they are. */
static enum status resource_check(const char *account,
                                  const char *region,
                                  const char *resource,
                                  struct err *err)
{
    static const struct field_text rules[] = {
        { "account", FIELD_DIGITS, ACCOUNT_DIGITS, ACCOUNT_DIGITS },
        { "region", FIELD_NAME, 1, REGION_BYTES_MAX },
        { "resource", FIELD_PRINTABLE, 1, TAG_RESOURCE_BYTES_MAX },
    };
    const char *const values[] = { account, region, resource };

    return field_texts_check(rules, values, ARRAY_LEN(rules), err);
}

enum status tag_resource_check(const Lapwing__TagResource *tag, struct err *err)
{
    enum status st = resource_check(tag->account, tag->region, tag->resource, err);

    if (st == ST_OK)
        st = field_number_check("tags", tag->n_tags, 1, TAGS_MAX, err);
    return st == ST_OK ? tags_check(tag->tags, tag->n_tags, err) : st;
}

enum status untag_resource_check(const Lapwing__UntagResource *untag, struct err *err)
{
    enum status st = resource_check(untag->account, untag->region, untag->resource, err);

    if (st == ST_OK)
        st = field_number_check("keys", untag->n_keys, 1, TAGS_MAX, err);
    for (size_t i = 0; st == ST_OK && i < untag->n_keys; i++)
        st = field_text_check(&key_rule, untag->keys[i], err);
    return st;
}
