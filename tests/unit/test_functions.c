/* The commands and reads of functions and workers. */
#include <string.h>

#include "controlplane/state/functions.h"
#include "controlplane/state/workers.h"
#include "tests/unit/check.h"
#include "tests/unit/state_fixture.h"

#define REVISION_1 "00000000-0000-4000-8000-000000000001" /* fixture_function()'s */
#define REVISION_2 "00000000-0000-4000-8000-000000000002"
#define REVISION_3 "00000000-0000-4000-8000-000000000003"
#define UID_1      "00000000000000000000000000000001"

static void open_with_one(struct fixture *fixture)
{
    fixture_open(fixture, ":memory:", STATE_GROUP_CONTROL);
    EXPECT_EQ(fixture_create_function(fixture, "one", UID_1), ST_OK);
}

/* The row; free it. */
static Lapwing__Function *get(struct fixture *fixture, const char *name)
{
    Lapwing__Function *f = NULL;

    CHECK(state_get_function(fixture->reader, FIXTURE_ACCOUNT, FIXTURE_REGION, name, &f, NULL) ==
          ST_OK);
    return f;
}

static enum status update(struct fixture *fixture,
                          const char *name,
                          const char *expected,
                          const char *revision)
{
    static uint8_t sha256[32] = { 7 };
    Lapwing__UpdateFunctionCode cmd = LAPWING__UPDATE_FUNCTION_CODE__INIT;

    cmd.account = (char *)FIXTURE_ACCOUNT;
    cmd.region = (char *)FIXTURE_REGION;
    cmd.name = (char *)name;
    cmd.code_sha256 = (ProtobufCBinaryData){ .len = sizeof sha256, .data = sha256 };
    cmd.code_bytes = 77;
    cmd.expected_revision_id = (char *)expected;
    cmd.revision_id = (char *)revision;
    return fixture_apply(fixture, LAPWING__COMMAND_TYPE__UPDATE_FUNCTION_CODE, &cmd.base);
}

static enum status activate(struct fixture *fixture,
                            const char *name,
                            const char *uid,
                            const char *from)
{
    Lapwing__ActivateFunction cmd = LAPWING__ACTIVATE_FUNCTION__INIT;

    cmd.account = (char *)FIXTURE_ACCOUNT;
    cmd.region = (char *)FIXTURE_REGION;
    cmd.name = (char *)name;
    cmd.uid = (char *)uid;
    cmd.from_revision_id = (char *)from;
    cmd.revision_id = (char *)REVISION_3;
    return fixture_apply(fixture, LAPWING__COMMAND_TYPE__ACTIVATE_FUNCTION, &cmd.base);
}

static enum status delete_function(struct fixture *fixture, const char *name)
{
    Lapwing__DeleteFunction cmd = LAPWING__DELETE_FUNCTION__INIT;

    cmd.account = (char *)FIXTURE_ACCOUNT;
    cmd.region = (char *)FIXTURE_REGION;
    cmd.name = (char *)name;
    return fixture_apply(fixture, LAPWING__COMMAND_TYPE__DELETE_FUNCTION, &cmd.base);
}

TEST(a_created_function_reads_back_whole)
{
    struct fixture fixture = { 0 };
    Lapwing__CreateFunction create = LAPWING__CREATE_FUNCTION__INIT;
    Lapwing__Function function;
    Lapwing__EnvironmentVariable variable = LAPWING__ENVIRONMENT_VARIABLE__INIT;
    Lapwing__EnvironmentVariable *variables[] = { &variable };
    Lapwing__Tag tag = LAPWING__TAG__INIT;
    Lapwing__Tag *tags[] = { &tag };
    Lapwing__Function *row;
    uint8_t sent[2048];
    uint8_t got[2048];
    size_t len;

    fixture_open(&fixture, ":memory:", STATE_GROUP_CONTROL);
    fixture_function(&function, "whole", UID_1);
    variable.name = (char *)"NAME";
    variable.value = (char *)"a value";
    tag.key = (char *)"team";
    tag.value = (char *)"birds";
    function.n_environment = 1;
    function.environment = variables;
    function.environment_present = true;
    function.n_tags = 1;
    function.tags = tags;
    function.description = (char *)"l\xc3\xa4rm";
    function.state = LAPWING__FUNCTION_STATE__FUNCTION_ACTIVE; /* not for the proposer to say */
    function.modified_ms = 5;
    function.config_epoch = 9;
    create.function = &function;
    EXPECT_EQ(fixture_apply(&fixture, LAPWING__COMMAND_TYPE__CREATE_FUNCTION, &create.base), ST_OK);

    row = get(&fixture, "whole");
    EXPECT_EQ(row->modified_ms, 1000);
    EXPECT_EQ(row->state, LAPWING__FUNCTION_STATE__FUNCTION_PENDING);
    EXPECT_EQ(row->update_status, 0);
    EXPECT_EQ(row->config_epoch, 1);
    function.state = row->state;
    function.modified_ms = row->modified_ms;
    function.config_epoch = row->config_epoch;
    function.content_epoch = row->content_epoch;
    len = lapwing__function__pack(&function, sent);
    EXPECT_EQ(fixture.last->body.len, len);
    EXPECT_EQ(memcmp(fixture.last->body.data, sent, len), 0);
    function.n_tags = 0; /* they are rows of their own: test_tags.c */
    len = lapwing__function__pack(&function, sent);
    EXPECT_EQ(lapwing__function__pack(row, got), len);
    EXPECT_EQ(memcmp(sent, got, len), 0);
    lapwing__function__free_unpacked(row, NULL);
    fixture_done(&fixture);
}

TEST(a_name_is_taken_once_an_account_and_region)
{
    static const struct {
        const char *name, *account, *region, *function, *uid;
        enum status want;
        const char *reason;
    } rows[] = {
        { "the same", FIXTURE_ACCOUNT, FIXTURE_REGION, "one", "2", ST_EXISTS, "function_exists" },
        { "another name", FIXTURE_ACCOUNT, FIXTURE_REGION, "One", "2", ST_OK, "" },
        { "another account", "000000000001", FIXTURE_REGION, "one", "2", ST_OK, "" },
        { "another region", FIXTURE_ACCOUNT, "eu-north-2", "one", "2", ST_OK, "" },
        { "a taken uid", FIXTURE_ACCOUNT, FIXTURE_REGION, "two", "1", ST_CONFLICT, "uid_taken" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture fixture = { 0 };
        Lapwing__CreateFunction create = LAPWING__CREATE_FUNCTION__INIT;
        Lapwing__Function function;

        test_case = rows[i].name;
        open_with_one(&fixture);
        fixture_function(&function, rows[i].function,
                         fixture_uid((uint64_t)(rows[i].uid[0] - '0')));
        function.account = (char *)rows[i].account;
        function.region = (char *)rows[i].region;
        create.function = &function;
        EXPECT_EQ(fixture_apply(&fixture, LAPWING__COMMAND_TYPE__CREATE_FUNCTION, &create.base),
                  rows[i].want);
        EXPECT_TEXT(fixture.last->reason, rows[i].reason);
        if (rows[i].want == ST_EXISTS)
            EXPECT_TEXT(fixture.last->text, "Function already exist: one");
        fixture_done(&fixture);
    }
    test_case = NULL;
}

TEST(an_update_of_code_names_what_it_expects)
{
    static const struct {
        const char *name, *function, *expected;
        enum status want;
        const char *reason;
    } rows[] = {
        { "any revision", "one", "", ST_OK, "" },
        { "the revision", "one", REVISION_1, ST_OK, "" },
        { "another revision", "one", REVISION_3, ST_CONFLICT, "revision_mismatch" },
        { "no revision at all", "one", "x", ST_CONFLICT, "revision_mismatch" },
        { "no function", "two", "", ST_NOT_FOUND, "function_not_found" },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct fixture fixture = { 0 };
        Lapwing__Function *row;
        bool updated = rows[i].want == ST_OK;

        test_case = rows[i].name;
        open_with_one(&fixture);
        fixture.now_ms = 3000;
        EXPECT_EQ(update(&fixture, rows[i].function, rows[i].expected, REVISION_2), rows[i].want);
        EXPECT_TEXT(fixture.last->reason, rows[i].reason);
        row = get(&fixture, "one");
        EXPECT_EQ(row->code_bytes, updated ? 77 : 1000);
        EXPECT_EQ(row->code_sha256.data[0], updated ? 7 : 1);
        EXPECT_EQ(row->modified_ms, updated ? 3000 : 1000);
        EXPECT_EQ(row->config_epoch, updated ? 2 : 1);
        EXPECT_EQ(row->state, updated ? 2 : 1);
        EXPECT_EQ(row->update_status, updated ? 2 : 0);
        EXPECT_TEXT(row->revision_id, updated ? REVISION_2 : REVISION_1);
        EXPECT_TEXT(row->architecture, "x86_64");
        lapwing__function__free_unpacked(row, NULL);
        fixture_done(&fixture);
    }
    test_case = NULL;
}

TEST(a_missing_function_is_named_by_its_arn)
{
    struct fixture fixture = { 0 };
    Lapwing__Function *f = NULL;
    struct err err = { 0 };

    open_with_one(&fixture);
    EXPECT_EQ(delete_function(&fixture, "two"), ST_NOT_FOUND);
    EXPECT_TEXT(fixture.last->text,
                "Function not found: arn:aws:lambda:eu-north-1:000000000000:function:two");
    EXPECT_EQ(state_get_function(fixture.reader, FIXTURE_ACCOUNT, FIXTURE_REGION, "two", &f, &err),
              ST_NOT_FOUND);
    EXPECT_TEXT(err.text,
                "Function not found: arn:aws:lambda:eu-north-1:000000000000:function:two");
    fixture_done(&fixture);
}

TEST(a_function_becomes_active_once_and_only_at_the_revision_that_waits)
{
    struct fixture fixture = { 0 };
    Lapwing__Function *row;

    open_with_one(&fixture);
    fixture.now_ms = 2000;
    EXPECT_EQ(activate(&fixture, "two", UID_1, REVISION_1), ST_NOT_FOUND);
    EXPECT_EQ(activate(&fixture, "one", fixture_uid(5), REVISION_1), ST_CONFLICT);
    EXPECT_TEXT(fixture.last->reason, "revision_moved");
    EXPECT_EQ(activate(&fixture, "one", UID_1, REVISION_2), ST_CONFLICT);
    EXPECT_EQ(activate(&fixture, "one", UID_1, REVISION_1), ST_OK);
    row = get(&fixture, "one");
    EXPECT_EQ(row->state, LAPWING__FUNCTION_STATE__FUNCTION_ACTIVE);
    EXPECT_EQ(row->update_status, LAPWING__FUNCTION_UPDATE_STATUS__FUNCTION_UPDATE_SUCCESSFUL);
    EXPECT_TEXT(row->revision_id, REVISION_3);
    EXPECT_EQ(row->modified_ms, 1000);
    EXPECT_EQ(row->config_epoch, 1);
    lapwing__function__free_unpacked(row, NULL);
    EXPECT_EQ(activate(&fixture, "one", UID_1, REVISION_3), ST_CONFLICT);

    EXPECT_EQ(update(&fixture, "one", "", REVISION_2), ST_OK);
    EXPECT_EQ(activate(&fixture, "one", UID_1, REVISION_2), ST_OK);
    fixture_done(&fixture);
}

TEST(a_deleted_function_is_gone_and_its_name_is_free)
{
    struct fixture fixture = { 0 };
    Lapwing__Function *f = NULL;
    Lapwing__Function *deleted;

    open_with_one(&fixture);
    EXPECT_EQ(delete_function(&fixture, "one"), ST_OK);
    deleted = lapwing__function__unpack(NULL, fixture.last->body.len, fixture.last->body.data);
    EXPECT_TEXT(deleted->uid, UID_1);
    lapwing__function__free_unpacked(deleted, NULL);
    EXPECT_EQ(state_get_function_by_uid(fixture.reader, UID_1, &f, NULL), ST_NOT_FOUND);
    EXPECT_EQ(delete_function(&fixture, "one"), ST_NOT_FOUND);
    EXPECT_EQ(fixture_create_function(&fixture, "one", fixture_uid(2)), ST_OK);
    EXPECT_EQ(state_get_function_by_uid(fixture.reader, fixture_uid(2), &f, NULL), ST_OK);
    EXPECT_TEXT(f->name, "one");
    lapwing__function__free_unpacked(f, NULL);
    fixture_done(&fixture);
}

TEST(functions_are_listed_by_name_in_pages)
{
    static const char *const names[] = { "b", "a", "c", "B", "a-1" };
    static const struct {
        const char *after;
        size_t max;
        size_t want;
        const char *first;
        bool more;
    } rows[] = {
        { "", 10, 5, "B", false }, { "", 5, 5, "B", false },   { "", 4, 4, "B", true },
        { "B", 1, 1, "a", true },  { "a", 2, 2, "a-1", true }, { "b", 2, 1, "c", false },
        { "c", 2, 0, "", false },
    };
    struct fixture fixture = { 0 };

    fixture_open(&fixture, ":memory:", STATE_GROUP_CONTROL);
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        EXPECT_EQ(fixture_create_function(&fixture, names[i], fixture_uid(i)), ST_OK);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct function_list list = { 0 };
        struct function_page page = { FIXTURE_ACCOUNT, FIXTURE_REGION, rows[i].after, rows[i].max };

        test_case = rows[i].after;
        EXPECT_EQ(state_list_functions(fixture.reader, &page, &list, NULL), ST_OK);
        EXPECT_EQ(list.count, rows[i].want);
        EXPECT_EQ(list.more, rows[i].more);
        if (list.count > 0)
            EXPECT_TEXT(list.functions[0]->name, rows[i].first);
        function_list_done(&list);
        page.region = "eu-north-2";
        EXPECT_EQ(state_list_functions(fixture.reader, &page, &list, NULL), ST_OK);
        EXPECT_EQ(list.count, 0);
        function_list_done(&list);
    }
    test_case = NULL;
    fixture_done(&fixture);
}

static enum status register_worker(struct fixture *fixture,
                                   const char *worker,
                                   const char *address,
                                   uint64_t epoch)
{
    Lapwing__RegisterWorker cmd = LAPWING__REGISTER_WORKER__INIT;

    cmd.worker = (char *)worker;
    cmd.zone = (char *)"a";
    cmd.address = (char *)address;
    cmd.epoch = epoch;
    return fixture_apply(fixture, LAPWING__COMMAND_TYPE__REGISTER_WORKER, &cmd.base);
}

TEST(a_worker_is_one_row_with_its_newest_epoch)
{
    struct fixture fixture = { 0 };
    struct worker_list list = { 0 };

    fixture_open(&fixture, ":memory:", STATE_GROUP_CONTROL);
    EXPECT_EQ(register_worker(&fixture, "worker-b", "127.0.0.1:1", 1), ST_OK);
    EXPECT_EQ(register_worker(&fixture, "worker-a", "127.0.0.1:2", 5), ST_OK);
    EXPECT_EQ(register_worker(&fixture, "worker-b", "127.0.0.1:3", 7), ST_OK);
    EXPECT_EQ(register_worker(&fixture, "worker-b", "127.0.0.1:4", 7), ST_OK);
    EXPECT_EQ(register_worker(&fixture, "worker-b", "127.0.0.1:5", 6), ST_CONFLICT);
    EXPECT_TEXT(fixture.last->reason, "epoch_old");
    EXPECT_EQ(state_list_workers(fixture.reader, &list, NULL), ST_OK);
    EXPECT_EQ(list.count, 2);
    EXPECT_TEXT(list.workers[0]->worker, "worker-a");
    EXPECT_TEXT(list.workers[1]->address, "127.0.0.1:4");
    EXPECT_EQ(list.workers[1]->epoch, 7);
    worker_list_done(&list);
    fixture_done(&fixture);
}
