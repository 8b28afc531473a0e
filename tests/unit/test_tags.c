/* The commands and reads of tags. */
#include "controlplane/state/tags.h"

#include <stdio.h>
#include <string.h>

#include "base/limits.h"
#include "tests/unit/check.h"
#include "tests/unit/state_fixture.h"

#define UID_1 "00000000000000000000000000000001"

static void open_with_one(struct fixture *fixture)
{
    fixture_open(fixture, ":memory:", STATE_GROUP_CONTROL);
    EXPECT_EQ(fixture_create_function(fixture, "one", UID_1), ST_OK);
}

/* Set `count` tags, "PREFIX00" and on, to the value. */
static enum status tag(struct fixture *fixture,
                       const char *resource,
                       const char *prefix,
                       size_t count,
                       const char *value)
{
    static Lapwing__Tag tags[TAGS_MAX];
    static Lapwing__Tag *list[TAGS_MAX];
    static char keys[TAGS_MAX][32];
    Lapwing__TagResource cmd = LAPWING__TAG_RESOURCE__INIT;

    CHECK(count <= TAGS_MAX);
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(keys[i], sizeof keys[i], "%s%02u", prefix, (unsigned)i);
        lapwing__tag__init(&tags[i]);
        tags[i].key = keys[i];
        tags[i].value = (char *)value;
        list[i] = &tags[i];
    }
    cmd.account = (char *)FIXTURE_ACCOUNT;
    cmd.region = (char *)FIXTURE_REGION;
    cmd.resource = (char *)resource;
    cmd.tags = list;
    cmd.n_tags = count;
    return fixture_apply(fixture, LAPWING__COMMAND_TYPE__TAG_RESOURCE, &cmd.base);
}

static enum status untag(struct fixture *fixture, const char *resource, const char *key)
{
    Lapwing__UntagResource cmd = LAPWING__UNTAG_RESOURCE__INIT;
    char *keys[] = { (char *)key, (char *)"never set" };

    cmd.account = (char *)FIXTURE_ACCOUNT;
    cmd.region = (char *)FIXTURE_REGION;
    cmd.resource = (char *)resource;
    cmd.keys = keys;
    cmd.n_keys = ARRAY_LEN(keys);
    return fixture_apply(fixture, LAPWING__COMMAND_TYPE__UNTAG_RESOURCE, &cmd.base);
}

/* All tags of the function as "key=value,key=value"; a static buffer. */
static const char *tags_of(struct fixture *fixture, const char *name)
{
    static char text[4096];
    struct tag_list list = { 0 };
    size_t len = 0;

    text[0] = '\0';
    CHECK(state_list_function_tags(fixture->reader, FIXTURE_ACCOUNT, FIXTURE_REGION, name, &list,
                                   NULL) == ST_OK);
    for (size_t i = 0; i < list.count; i++)
        len += (size_t)snprintf(text + len, sizeof text - len, "%s%s=%s", i == 0 ? "" : ",",
                                list.tags[i]->key, list.tags[i]->value);
    tag_list_done(&list);
    return text;
}

TEST(tags_are_set_replaced_and_taken_away_by_key)
{
    struct fixture fixture = { 0 };

    open_with_one(&fixture);
    EXPECT_TEXT(tags_of(&fixture, "one"), "");
    EXPECT_EQ(tag(&fixture, "function:one", "k", 2, "v"), ST_OK);
    EXPECT_TEXT(tags_of(&fixture, "one"), "k00=v,k01=v");
    EXPECT_EQ(tag(&fixture, "function:one", "k", 1, "w"), ST_OK);
    EXPECT_EQ(tag(&fixture, "function:one", "a", 1, ""), ST_OK);
    EXPECT_TEXT(tags_of(&fixture, "one"), "a00=,k00=w,k01=v");
    EXPECT_EQ(untag(&fixture, "function:one", "k00"), ST_OK);
    EXPECT_TEXT(tags_of(&fixture, "one"), "a00=,k01=v");
    fixture_done(&fixture);
}

TEST(a_resource_that_is_not_there_has_no_tags)
{
    static const char *const resources[] = { "function:two", "function:", "layer:one", "one" };
    struct fixture fixture = { 0 };

    open_with_one(&fixture);
    for (size_t i = 0; i < ARRAY_LEN(resources); i++) {
        test_case = resources[i];
        EXPECT_EQ(tag(&fixture, resources[i], "k", 1, "v"), ST_NOT_FOUND);
        EXPECT_TEXT(fixture.last->reason, "resource_not_found");
        EXPECT_EQ(untag(&fixture, resources[i], "k00"), ST_NOT_FOUND);
    }
    test_case = NULL;
    EXPECT_EQ(tag(&fixture, "function:two", "k", 1, "v"), ST_NOT_FOUND);
    EXPECT_TEXT(fixture.last->text,
                "Function not found: arn:aws:lambda:eu-north-1:000000000000:function:two");
    fixture_done(&fixture);
}

TEST(a_resource_has_at_most_fifty_tags_in_any_order_of_commands)
{
    struct fixture fixture = { 0 };
    struct tag_list list = { 0 };

    open_with_one(&fixture);
    EXPECT_EQ(tag(&fixture, "function:one", "a", TAGS_MAX - 1, "v"), ST_OK);
    EXPECT_EQ(tag(&fixture, "function:one", "b", 2, "v"), ST_LIMIT);
    EXPECT_TEXT(fixture.last->reason, "too_many_tags");
    EXPECT_TEXT(fixture.last->text, "Number of tags exceeds resource tag limit.");
    EXPECT_EQ(tag(&fixture, "function:one", "b", 1, "v"), ST_OK);
    EXPECT_EQ(tag(&fixture, "function:one", "c", 1, "v"), ST_LIMIT);
    /* Those that are there may be set again: their number stays. */
    EXPECT_EQ(tag(&fixture, "function:one", "a", TAGS_MAX - 1, "w"), ST_OK);
    EXPECT_EQ(untag(&fixture, "function:one", "b00"), ST_OK);
    EXPECT_EQ(tag(&fixture, "function:one", "c", 1, "v"), ST_OK);
    EXPECT_EQ(state_list_function_tags(fixture.reader, FIXTURE_ACCOUNT, FIXTURE_REGION, "one",
                                       &list, NULL),
              ST_OK);
    EXPECT_EQ(list.count, TAGS_MAX);
    tag_list_done(&list);
    fixture_done(&fixture);
}

TEST(tags_come_and_go_with_their_function)
{
    struct fixture fixture = { 0 };
    Lapwing__CreateFunction create = LAPWING__CREATE_FUNCTION__INIT;
    Lapwing__DeleteFunction del = LAPWING__DELETE_FUNCTION__INIT;
    Lapwing__Function function;
    Lapwing__Tag team = LAPWING__TAG__INIT;
    Lapwing__Tag *tags[] = { &team };

    open_with_one(&fixture);
    team.key = (char *)"team";
    team.value = (char *)"birds";
    fixture_function(&function, "two", fixture_uid(2));
    function.tags = tags;
    function.n_tags = 1;
    create.function = &function;
    EXPECT_EQ(fixture_apply(&fixture, LAPWING__COMMAND_TYPE__CREATE_FUNCTION, &create.base), ST_OK);
    EXPECT_TEXT(tags_of(&fixture, "two"), "team=birds");
    EXPECT_TEXT(tags_of(&fixture, "one"), "");
    EXPECT_EQ(tag(&fixture, "function:one", "k", 1, "v"), ST_OK);

    del.account = (char *)FIXTURE_ACCOUNT;
    del.region = (char *)FIXTURE_REGION;
    del.name = (char *)"two";
    EXPECT_EQ(fixture_apply(&fixture, LAPWING__COMMAND_TYPE__DELETE_FUNCTION, &del.base), ST_OK);
    EXPECT_TEXT(tags_of(&fixture, "two"), "");
    EXPECT_TEXT(tags_of(&fixture, "one"), "k00=v");
    EXPECT_EQ(fixture_create_function(&fixture, "two", fixture_uid(3)), ST_OK);
    EXPECT_TEXT(tags_of(&fixture, "two"), "");
    fixture_done(&fixture);
}
