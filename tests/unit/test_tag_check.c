/* Checks of tags and their commands: each row is a valid one with one thing wrong. */
#include "proto/tag_check.h"

#include <string.h>

#include "base/limits.h"
#include "tests/unit/check.h"

static Lapwing__Tag tags[TAGS_MAX + 1];
static Lapwing__Tag *list[TAGS_MAX + 1];
static char *key_list[TAGS_MAX + 1];
static char keys[TAGS_MAX + 1][TAG_KEY_BYTES_MAX + 2];
static char value[TAG_VALUE_BYTES_MAX + 2];

/* `count` tags: keys of `key_bytes` that differ in their last two bytes, values of `value_bytes`.
 */
static void fill(size_t count, size_t key_bytes, size_t value_bytes)
{
    CHECK(count <= ARRAY_LEN(tags));
    memset(value, 'v', sizeof value);
    value[value_bytes] = '\0';
    for (size_t i = 0; i < count; i++) {
        memset(keys[i], 'k', key_bytes);
        keys[i][key_bytes] = '\0';
        if (key_bytes >= 2) {
            keys[i][key_bytes - 1] = (char)('a' + i % 26);
            keys[i][key_bytes - 2] = (char)('a' + i / 26);
        }
        lapwing__tag__init(&tags[i]);
        tags[i].key = keys[i];
        tags[i].value = value;
        list[i] = &tags[i];
        key_list[i] = keys[i];
    }
}

static const struct {
    const char *name;
    size_t count, key_bytes, value_bytes;
    enum status want;
} rows[] = {
    { "none", 0, 2, 1, ST_BAD_INPUT },
    { "one", 1, 2, 0, ST_OK },
    { "all that a resource may have", TAGS_MAX, 2, 1, ST_OK },
    { "one more", TAGS_MAX + 1, 2, 1, ST_BAD_INPUT },
    { "no key", 1, 0, 1, ST_BAD_INPUT },
    { "the longest key", 1, TAG_KEY_BYTES_MAX, 1, ST_OK },
    { "a key too long", 1, TAG_KEY_BYTES_MAX + 1, 1, ST_BAD_INPUT },
    { "the longest value", 1, 2, TAG_VALUE_BYTES_MAX, ST_OK },
    { "a value too long", 1, 2, TAG_VALUE_BYTES_MAX + 1, ST_BAD_INPUT },
    { "all bytes that a request may have", 32, 2, TAGS_BYTES_MAX / 32 - 2, ST_OK },
    { "more bytes", 32, 3, TAGS_BYTES_MAX / 32 - 2, ST_BAD_INPUT },
};

TEST(tags_of_one_command_are_held_to_number_and_lengths)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Lapwing__TagResource tag = LAPWING__TAG_RESOURCE__INIT;
        struct err err = { 0 };

        test_case = rows[i].name;
        fill(rows[i].count, rows[i].key_bytes, rows[i].value_bytes);
        tag.account = (char *)"000000000000";
        tag.region = (char *)"eu-west-1";
        tag.resource = (char *)"function:f";
        tag.tags = list;
        tag.n_tags = rows[i].count;
        EXPECT_EQ(tag_resource_check(&tag, &err), rows[i].want);
        EXPECT_EQ(err.text[0] == '\0', rows[i].want == ST_OK);
    }
    test_case = NULL;
}

TEST(a_key_stands_once_in_a_command)
{
    struct err err = { 0 };

    fill(2, 2, 1);
    EXPECT_EQ(tags_check(list, 2, &err), ST_OK);
    keys[1][1] = keys[0][1];
    EXPECT_EQ(tags_check(list, 2, &err), ST_BAD_INPUT);
}

TEST(texts_of_tags_have_no_control_characters)
{
    struct err err = { 0 };

    fill(1, 2, 3);
    keys[0][1] = '\n';
    EXPECT_EQ(tags_check(list, 1, &err), ST_BAD_INPUT);
    fill(1, 2, 3);
    value[1] = '\x7f';
    EXPECT_EQ(tags_check(list, 1, &err), ST_BAD_INPUT);
    (void)strcpy(value, "l\xc3\xa4");
    EXPECT_EQ(tags_check(list, 1, &err), ST_OK);
    value[2] = '(';
    EXPECT_EQ(tags_check(list, 1, &err), ST_BAD_INPUT);
}

static const struct {
    const char *name, *account, *region, *resource;
    size_t count;
    enum status want;
} untags[] = {
    { "one key", "000000000000", "eu-west-1", "function:f", 1, ST_OK },
    { "no key", "000000000000", "eu-west-1", "function:f", 0, ST_BAD_INPUT },
    { "as many as there can be", "000000000000", "eu-west-1", "function:f", TAGS_MAX, ST_OK },
    { "one more", "000000000000", "eu-west-1", "function:f", TAGS_MAX + 1, ST_BAD_INPUT },
    { "a short account", "00000000000", "eu-west-1", "function:f", 1, ST_BAD_INPUT },
    { "no region", "000000000000", "", "function:f", 1, ST_BAD_INPUT },
    { "no resource", "000000000000", "eu-west-1", "", 1, ST_BAD_INPUT },
};

TEST(an_untag_names_its_resource_and_its_keys)
{
    for (size_t i = 0; i < ARRAY_LEN(untags); i++) {
        Lapwing__UntagResource untag = LAPWING__UNTAG_RESOURCE__INIT;
        struct err err = { 0 };

        test_case = untags[i].name;
        fill(untags[i].count, 2, 1);
        untag.account = (char *)untags[i].account;
        untag.region = (char *)untags[i].region;
        untag.resource = (char *)untags[i].resource;
        untag.keys = key_list;
        untag.n_keys = untags[i].count;
        EXPECT_EQ(untag_resource_check(&untag, &err), untags[i].want);
    }
    test_case = NULL;
}
