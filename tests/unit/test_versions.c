/* Published versions, and changes of configuration, which make a next one. */
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "controlplane/state/functions.h"
#include "tests/unit/check.h"
#include "tests/unit/state_fixture.h"

#define UID_1 "00000000000000000000000000000001"

enum {
    PENDING = LAPWING__FUNCTION_STATE__FUNCTION_PENDING,
    ACTIVE = LAPWING__FUNCTION_STATE__FUNCTION_ACTIVE,
    SUCCESSFUL = LAPWING__FUNCTION_UPDATE_STATUS__FUNCTION_UPDATE_SUCCESSFUL,
    IN_PROGRESS = LAPWING__FUNCTION_UPDATE_STATUS__FUNCTION_UPDATE_IN_PROGRESS,
};

/* A revision that depends on `number`; four static buffers that take turns. */
static char *revision(unsigned number)
{
    static char texts[4][37];
    static unsigned turn;
    char *text = texts[turn++ % 4];

    (void)snprintf(text, sizeof texts[0], "00000000-0000-4000-8000-%012u", number);
    return text;
}

/* The row, or NULL; free it. */
static Lapwing__Function *get(struct fixture *fixture, uint64_t version)
{
    const struct function_key key = { FIXTURE_ACCOUNT, FIXTURE_REGION, "one", version };
    Lapwing__Function *f = NULL;

    (void)state_get_version(fixture->reader, &key, &f, NULL);
    return f;
}

static enum status activate(struct fixture *fixture, unsigned to)
{
    Lapwing__ActivateFunction cmd = LAPWING__ACTIVATE_FUNCTION__INIT;
    Lapwing__Function *f = get(fixture, 0);
    enum status st;

    cmd.account = (char *)FIXTURE_ACCOUNT;
    cmd.region = (char *)FIXTURE_REGION;
    cmd.name = (char *)"one";
    cmd.uid = f->uid;
    cmd.from_revision_id = f->revision_id;
    cmd.revision_id = revision(to);
    st = fixture_apply(fixture, LAPWING__COMMAND_TYPE__ACTIVATE_FUNCTION, &cmd.base);
    lapwing__function__free_unpacked(f, NULL);
    return st;
}

static enum status create(struct fixture *fixture, const char *uid, bool publish)
{
    Lapwing__CreateFunction cmd = LAPWING__CREATE_FUNCTION__INIT;
    Lapwing__Function function;

    fixture_function(&function, "one", uid);
    cmd.function = &function;
    cmd.publish = publish;
    return fixture_apply(fixture, LAPWING__COMMAND_TYPE__CREATE_FUNCTION, &cmd.base);
}

static void open_with_one(struct fixture *fixture)
{
    fixture_open(fixture, ":memory:", STATE_GROUP_CONTROL);
    EXPECT_EQ(create(fixture, UID_1, false), ST_OK);
    EXPECT_EQ(activate(fixture, 100), ST_OK);
}

/* Which version the last outcome shows. */
static uint64_t shown(const struct fixture *fixture)
{
    Lapwing__Function *f =
        lapwing__function__unpack(NULL, fixture->last->body.len, fixture->last->body.data);
    uint64_t version = f->version;

    lapwing__function__free_unpacked(f, NULL);
    return version;
}

static enum status publish(struct fixture *fixture, const char *description)
{
    Lapwing__PublishVersion cmd = LAPWING__PUBLISH_VERSION__INIT;

    cmd.account = (char *)FIXTURE_ACCOUNT;
    cmd.region = (char *)FIXTURE_REGION;
    cmd.name = (char *)"one";
    cmd.revision_id = revision(200);
    cmd.description_present = description != NULL;
    cmd.description = (char *)(description == NULL ? "" : description);
    return fixture_apply(fixture, LAPWING__COMMAND_TYPE__PUBLISH_VERSION, &cmd.base);
}

static enum status update_code(struct fixture *fixture, uint8_t code, bool with_version)
{
    uint8_t sha256[32] = { code };
    Lapwing__UpdateFunctionCode cmd = LAPWING__UPDATE_FUNCTION_CODE__INIT;

    cmd.account = (char *)FIXTURE_ACCOUNT;
    cmd.region = (char *)FIXTURE_REGION;
    cmd.name = (char *)"one";
    cmd.code_sha256 = (ProtobufCBinaryData){ .len = sizeof sha256, .data = sha256 };
    cmd.code_bytes = 77;
    cmd.revision_id = revision(300 + code);
    cmd.publish = with_version;
    return fixture_apply(fixture, LAPWING__COMMAND_TYPE__UPDATE_FUNCTION_CODE, &cmd.base);
}

static enum status update_configuration(struct fixture *fixture,
                                        const char *description,
                                        const char *expected)
{
    Lapwing__UpdateFunctionConfiguration cmd = LAPWING__UPDATE_FUNCTION_CONFIGURATION__INIT;
    Lapwing__Function function;

    fixture_function(&function, "one", fixture_uid(9)); /* not for the proposer to say */
    function.description = (char *)description;
    function.revision_id = revision(400);
    cmd.function = &function;
    cmd.expected_revision_id = (char *)expected;
    return fixture_apply(fixture, LAPWING__COMMAND_TYPE__UPDATE_FUNCTION_CONFIGURATION, &cmd.base);
}

static enum status delete_version(struct fixture *fixture, uint64_t version)
{
    Lapwing__DeleteFunction cmd = LAPWING__DELETE_FUNCTION__INIT;

    cmd.account = (char *)FIXTURE_ACCOUNT;
    cmd.region = (char *)FIXTURE_REGION;
    cmd.name = (char *)"one";
    cmd.version = version;
    return fixture_apply(fixture, LAPWING__COMMAND_TYPE__DELETE_FUNCTION, &cmd.base);
}

TEST(a_configuration_takes_the_place_of_the_settings_and_of_nothing_else)
{
    struct fixture fixture = { 0 };
    Lapwing__Function *row;

    open_with_one(&fixture);
    fixture.now_ms = 5000;
    EXPECT_EQ(update_configuration(&fixture, "new", ""), ST_OK);
    row = get(&fixture, 0);
    EXPECT_TEXT(row->description, "new");
    EXPECT_TEXT(row->uid, UID_1);
    EXPECT_TEXT(row->revision_id, revision(400));
    EXPECT_EQ(row->code_bytes, 1000);
    EXPECT_EQ(row->modified_ms, 5000);
    EXPECT_EQ(row->state, ACTIVE);
    EXPECT_EQ(row->update_status, IN_PROGRESS);
    EXPECT_EQ(row->config_epoch, 2);
    EXPECT_EQ(row->content_epoch, 2);
    lapwing__function__free_unpacked(row, NULL);
    fixture_done(&fixture);
}

TEST(a_configuration_names_what_it_expects)
{
    static const struct {
        const char *name;
        const char *expected;
        enum status want;
        const char *reason;
    } rows[] = {
        { "any", "", ST_OK, "" },
        { "the revision", "00000000-0000-4000-8000-000000000100", ST_OK, "" },
        { "another", "00000000-0000-4000-8000-000000000001", ST_CONFLICT, "revision_mismatch" },
        { "no revision at all", "x", ST_CONFLICT, "revision_mismatch" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture fixture = { 0 };

        test_case = rows[i].name;
        open_with_one(&fixture);
        EXPECT_EQ(update_configuration(&fixture, "new", rows[i].expected), rows[i].want);
        EXPECT_TEXT(fixture.last->reason, rows[i].reason);
        EXPECT_EQ(delete_version(&fixture, 0), ST_OK);
        EXPECT_EQ(update_configuration(&fixture, "new", rows[i].expected), ST_NOT_FOUND);
        fixture_done(&fixture);
    }
    test_case = NULL;
}

TEST(telling_a_function_what_it_is_ends_its_environments_but_makes_no_other_content)
{
    struct fixture fixture = { 0 };
    Lapwing__Function *row;

    open_with_one(&fixture);
    row = get(&fixture, 0);
    EXPECT_EQ(update_configuration(&fixture, row->description, ""), ST_OK);
    lapwing__function__free_unpacked(row, NULL);
    row = get(&fixture, 0);
    EXPECT_EQ(row->config_epoch, 2);
    EXPECT_EQ(row->content_epoch, 1);
    lapwing__function__free_unpacked(row, NULL);
    EXPECT_EQ(update_code(&fixture, 7, false), ST_OK);
    EXPECT_EQ(update_code(&fixture, 7, false), ST_OK);
    row = get(&fixture, 0);
    EXPECT_EQ(row->config_epoch, 4);
    EXPECT_EQ(row->content_epoch, 3);
    lapwing__function__free_unpacked(row, NULL);
    fixture_done(&fixture);
}

TEST(a_version_is_a_copy_that_later_changes_do_not_reach)
{
    struct fixture fixture = { 0 };
    Lapwing__Function *row;

    open_with_one(&fixture);
    EXPECT_EQ(publish(&fixture, "first"), ST_OK);
    EXPECT_EQ(shown(&fixture), 1);
    EXPECT_EQ(update_code(&fixture, 7, false), ST_OK);
    EXPECT_EQ(activate(&fixture, 101), ST_OK);
    row = get(&fixture, 1);
    EXPECT_EQ(row->version, 1);
    EXPECT_EQ(row->state, ACTIVE);
    EXPECT_EQ(row->update_status, SUCCESSFUL);
    EXPECT_EQ(row->config_epoch, 1);
    EXPECT_EQ(row->code_sha256.data[0], 1);
    EXPECT_TEXT(row->description, "first");
    EXPECT_TEXT(row->uid, UID_1);
    EXPECT_TEXT(row->revision_id, revision(200));
    lapwing__function__free_unpacked(row, NULL);
    row = get(&fixture, 0);
    EXPECT_EQ(row->version, 0);
    EXPECT_TEXT(row->revision_id, revision(101));
    EXPECT_EQ(row->code_sha256.data[0], 7);
    lapwing__function__free_unpacked(row, NULL);
    EXPECT(get(&fixture, 2) == NULL);
    fixture_done(&fixture);
}

TEST(numbers_rise_for_ever)
{
    enum what { PUBLISH, CODE, CODE_AND_PUBLISH, SETTINGS, DELETE_1, DELETE_2, RECREATE };
    static const struct {
        const char *name;
        enum what what;
        uint8_t code;
        uint64_t want; /* the version that is shown */
    } steps[] = {
        { "the first", PUBLISH, 0, 1 },
        { "unchanged: the one that there is", PUBLISH, 0, 1 },
        { "other code", CODE, 7, 0 },
        { "a second", PUBLISH, 0, 2 },
        { "the same code", CODE, 7, 0 },
        { "still the second", PUBLISH, 0, 2 },
        { "the same code, publishing", CODE_AND_PUBLISH, 7, 2 },
        { "another description", SETTINGS, 0, 0 },
        { "a third", PUBLISH, 0, 3 },
        { "the first goes", DELETE_1, 0, 0 },
        { "which is no change", PUBLISH, 0, 3 },
        { "code and version at once", CODE_AND_PUBLISH, 8, 4 },
        { "deleted and made again", RECREATE, 0, 5 },
        { "the second had gone before", DELETE_2, 0, 0 },
        { "unchanged since its creation", PUBLISH, 0, 5 },
    };
    struct fixture fixture = { 0 };

    open_with_one(&fixture);
    for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
        enum status st = ST_OK;

        test_case = steps[i].name;
        if (steps[i].what == PUBLISH)
            st = publish(&fixture, NULL);
        else if (steps[i].what == CODE || steps[i].what == CODE_AND_PUBLISH)
            st = update_code(&fixture, steps[i].code, steps[i].what == CODE_AND_PUBLISH);
        else if (steps[i].what == SETTINGS)
            st = update_configuration(&fixture, "other", "");
        else if (steps[i].what == DELETE_1 || steps[i].what == DELETE_2)
            st = delete_version(&fixture, steps[i].what == DELETE_1 ? 1 : 2);
        else if (delete_version(&fixture, 0) == ST_OK)
            st = create(&fixture, fixture_uid(2), true);
        EXPECT_EQ(st, ST_OK);
        EXPECT_EQ(shown(&fixture), steps[i].want);
    }
    test_case = NULL;
    fixture_done(&fixture);
}

TEST(a_deleted_newest_version_is_published_again_under_the_next_number)
{
    struct fixture fixture = { 0 };

    open_with_one(&fixture);
    EXPECT_EQ(publish(&fixture, NULL), ST_OK);
    EXPECT_EQ(delete_version(&fixture, 1), ST_OK);
    EXPECT(get(&fixture, 1) == NULL);
    EXPECT_EQ(publish(&fixture, NULL), ST_OK);
    EXPECT_EQ(shown(&fixture), 2);
    fixture_done(&fixture);
}

TEST(a_version_made_with_its_function_becomes_active_with_it)
{
    struct fixture fixture = { 0 };
    Lapwing__Function *row;

    fixture_open(&fixture, ":memory:", STATE_GROUP_CONTROL);
    EXPECT_EQ(create(&fixture, UID_1, true), ST_OK);
    EXPECT_EQ(shown(&fixture), 1);
    row = get(&fixture, 1);
    EXPECT_EQ(row->state, PENDING);
    lapwing__function__free_unpacked(row, NULL);
    EXPECT_EQ(activate(&fixture, 100), ST_OK);
    for (uint64_t version = 0; version < 2; version++) {
        row = get(&fixture, version);
        EXPECT_EQ(row->state, ACTIVE);
        EXPECT_EQ(row->update_status, SUCCESSFUL);
        EXPECT_TEXT(row->revision_id, revision(100));
        lapwing__function__free_unpacked(row, NULL);
    }
    fixture_done(&fixture);
}

TEST(a_deleted_function_takes_its_versions_along)
{
    struct fixture fixture = { 0 };

    open_with_one(&fixture);
    EXPECT_EQ(publish(&fixture, NULL), ST_OK);
    EXPECT_EQ(delete_version(&fixture, 5), ST_OK); /* what is not there stays away */
    EXPECT_EQ(delete_version(&fixture, 0), ST_OK);
    EXPECT(get(&fixture, 0) == NULL);
    EXPECT(get(&fixture, 1) == NULL);
    EXPECT_EQ(delete_version(&fixture, 1), ST_NOT_FOUND);
    EXPECT_EQ(publish(&fixture, NULL), ST_NOT_FOUND);
    fixture_done(&fixture);
}

TEST(versions_are_listed_latest_first_in_pages)
{
    static const struct {
        const char *name;
        enum function_page_kind what;
        const char *after;
        uint64_t after_version;
        size_t max;
        const char *want; /* names and versions */
        bool more;
    } rows[] = {
        { "of one", FUNCTION_PAGE_VERSIONS, "", 0, 9, "one0 one1 one2 ", false },
        { "as many as there are", FUNCTION_PAGE_VERSIONS, "", 0, 3, "one0 one1 one2 ", false },
        { "one fewer", FUNCTION_PAGE_VERSIONS, "", 0, 2, "one0 one1 ", true },
        { "the first alone", FUNCTION_PAGE_VERSIONS, "", 0, 1, "one0 ", true },
        { "behind $LATEST", FUNCTION_PAGE_VERSIONS, "one", 0, 1, "one1 ", true },
        { "the rest", FUNCTION_PAGE_VERSIONS, "one", 1, 9, "one2 ", false },
        { "of all", FUNCTION_PAGE_ALL, "", 0, 9, "a0 one0 one1 one2 z0 ", false },
        { "within a function", FUNCTION_PAGE_ALL, "one", 1, 1, "one2 ", true },
        { "from one to the next", FUNCTION_PAGE_ALL, "one", 1, 9, "one2 z0 ", false },
        { "functions alone", FUNCTION_PAGE_LATEST, "a", 0, 9, "one0 z0 ", false },
    };
    struct fixture fixture = { 0 };

    open_with_one(&fixture);
    EXPECT_EQ(publish(&fixture, NULL), ST_OK);
    EXPECT_EQ(update_code(&fixture, 7, true), ST_OK);
    EXPECT_EQ(fixture_create_function(&fixture, "a", fixture_uid(2)), ST_OK);
    EXPECT_EQ(fixture_create_function(&fixture, "z", fixture_uid(3)), ST_OK);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct function_list list = { 0 };
        struct function_page page = { .account = FIXTURE_ACCOUNT, .region = FIXTURE_REGION };
        char got[128] = "";

        test_case = rows[i].name;
        page.name = "one";
        page.what = rows[i].what;
        page.after = rows[i].after;
        page.after_version = rows[i].after_version;
        page.max = rows[i].max;
        EXPECT_EQ(state_list_functions(fixture.reader, &page, &list, NULL), ST_OK);
        for (size_t at = 0; at < list.count; at++)
            (void)snprintf(got + strlen(got), sizeof got - strlen(got), "%s%d ",
                           list.functions[at]->name, (int)list.functions[at]->version);
        EXPECT_TEXT(got, rows[i].want);
        EXPECT_EQ(list.more, rows[i].more);
        function_list_done(&list);
    }
    test_case = NULL;
    fixture_done(&fixture);
}
