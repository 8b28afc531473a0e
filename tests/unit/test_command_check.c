/* Checks of commands: each row is a valid command with one thing wrong. */
#include "proto/command_check.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "tests/unit/check.h"
#include "tests/unit/state_fixture.h"

#define UID_1 "00000000000000000000000000000001"

/* `len` times 'a' in one of two static buffers that take turns. */
static char *letters(size_t len)
{
    static char texts[2][16384];
    static unsigned turn;
    char *text = texts[turn++ % 2];

    CHECK(len < sizeof texts[0]);
    memset(text, 'a', len);
    text[len] = '\0';
    return text;
}

/* Pack `message` as the body of a command and check that. */
static enum status check(Lapwing__CommandType type,
                         const ProtobufCMessage *message,
                         struct err *err)
{
    static uint8_t client[16] = { 1 };
    Lapwing__Command command = LAPWING__COMMAND__INIT;
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = must_calloc(len + 1, 1);
    enum status st;

    (void)protobuf_c_message_pack(message, packed);
    command.type = type;
    command.version = 1;
    command.sequence = 1;
    command.client = (ProtobufCBinaryData){ .len = sizeof client, .data = client };
    command.body = (ProtobufCBinaryData){ .len = len, .data = packed };
    memset(err, 0, sizeof *err);
    st = command_check(&command, err);
    EXPECT_EQ(err->text[0] == '\0', st == ST_OK);
    free(packed);
    return st;
}

static enum status check_function(Lapwing__Function *f, struct err *err)
{
    Lapwing__CreateFunction create = LAPWING__CREATE_FUNCTION__INIT;

    create.function = f;
    return check(LAPWING__COMMAND_TYPE__CREATE_FUNCTION, &create.base, err);
}

/* A text field of Function, its longest and a byte too many; `bad` is what it may not be. */
static const struct {
    size_t offset;
    const char *name;
    size_t bytes_max;
    const char *bad;
} function_texts[] = {
    // clang-format off
    { offsetof(Lapwing__Function, region),      "region",      REGION_BYTES_MAX,        "a/b" },
    { offsetof(Lapwing__Function, region),      "region",      REGION_BYTES_MAX,        "" },
    { offsetof(Lapwing__Function, name),        "name",        FUNCTION_NAME_BYTES_MAX, "a.b" },
    { offsetof(Lapwing__Function, name),        "name",        FUNCTION_NAME_BYTES_MAX, "" },
    { offsetof(Lapwing__Function, runtime),     "runtime",     RUNTIME_BYTES_MAX,       "../x" },
    { offsetof(Lapwing__Function, role),        "role",        ROLE_BYTES_MAX,          "a\nb" },
    { offsetof(Lapwing__Function, handler),     "handler",     HANDLER_BYTES_MAX,       "a\x7f" },
    { offsetof(Lapwing__Function, description), "description", DESCRIPTION_BYTES_MAX,   "\xc3(" },
    // clang-format on
};

TEST(texts_of_a_function_are_held_to_length_and_characters)
{
    for (size_t i = 0; i < ARRAY_LEN(function_texts); i++) {
        Lapwing__Function f;
        char **field = (char **)(void *)((char *)&f + function_texts[i].offset);
        struct err err;

        test_case = function_texts[i].name;
        fixture_function(&f, "one", UID_1);
        *field = letters(function_texts[i].bytes_max);
        EXPECT_EQ(check_function(&f, &err), ST_OK);
        *field = letters(function_texts[i].bytes_max + 1);
        EXPECT_EQ(check_function(&f, &err), ST_BAD_INPUT);
        EXPECT(strncmp(err.text, test_case, strlen(test_case)) == 0);
        *field = (char *)function_texts[i].bad;
        EXPECT_EQ(check_function(&f, &err), ST_BAD_INPUT);
        EXPECT(strncmp(err.text, test_case, strlen(test_case)) == 0);
    }
    test_case = NULL;
}

static const struct {
    size_t offset;
    const char *name;
    const char *bad;
} function_words[] = {
    { offsetof(Lapwing__Function, account), "account", "00000000000" },
    { offsetof(Lapwing__Function, account), "account", "0000000000000" },
    { offsetof(Lapwing__Function, account), "account", "00000000000a" },
    { offsetof(Lapwing__Function, uid), "uid", "0000000000000000000000000000001" },
    { offsetof(Lapwing__Function, uid), "uid", "0000000000000000000000000000000A" },
    { offsetof(Lapwing__Function, revision_id), "revision_id", "x" },
    { offsetof(Lapwing__Function, architecture), "architecture", "" },
    { offsetof(Lapwing__Function, architecture), "architecture", "riscv64" },
    { offsetof(Lapwing__Function, tracing_mode), "tracing_mode", "passthrough" },
};

TEST(words_of_a_function_are_held_to_their_values)
{
    for (size_t i = 0; i < ARRAY_LEN(function_words); i++) {
        Lapwing__Function f;
        struct err err;

        test_case = function_words[i].name;
        fixture_function(&f, "one", UID_1);
        EXPECT_EQ(check_function(&f, &err), ST_OK);
        *(char **)(void *)((char *)&f + function_words[i].offset) = (char *)function_words[i].bad;
        EXPECT_EQ(check_function(&f, &err), ST_BAD_INPUT);
        EXPECT(strncmp(err.text, test_case, strlen(test_case)) == 0);
    }
    test_case = NULL;
}

static const struct {
    size_t offset;
    const char *name;
    uint32_t min, max;
} function_numbers[] = {
    { offsetof(Lapwing__Function, timeout_s), "timeout_s", 1, FUNCTION_TIMEOUT_S_MAX },
    { offsetof(Lapwing__Function, memory_mb), "memory_mb", FUNCTION_MEMORY_MB_MIN,
      FUNCTION_MEMORY_MB_MAX },
    { offsetof(Lapwing__Function, ephemeral_mb), "ephemeral_mb", FUNCTION_EPHEMERAL_MB_MIN,
      FUNCTION_EPHEMERAL_MB_MAX },
    { offsetof(Lapwing__Function, state), "state", 0, 2 },
    { offsetof(Lapwing__Function, update_status), "update_status", 0, 2 },
};

TEST(numbers_of_a_function_are_held_to_both_ends_of_their_range)
{
    for (size_t i = 0; i < ARRAY_LEN(function_numbers); i++) {
        Lapwing__Function f;
        uint32_t *field = (uint32_t *)(void *)((char *)&f + function_numbers[i].offset);
        struct err err;

        test_case = function_numbers[i].name;
        fixture_function(&f, "one", UID_1);
        *field = function_numbers[i].min;
        EXPECT_EQ(check_function(&f, &err), ST_OK);
        *field = function_numbers[i].max;
        EXPECT_EQ(check_function(&f, &err), ST_OK);
        *field = function_numbers[i].max + 1;
        EXPECT_EQ(check_function(&f, &err), ST_BAD_INPUT);
        EXPECT(strncmp(err.text, test_case, strlen(test_case)) == 0);
        if (function_numbers[i].min == 0)
            continue;
        *field = function_numbers[i].min - 1;
        EXPECT_EQ(check_function(&f, &err), ST_BAD_INPUT);
    }
    test_case = NULL;
}

TEST(the_code_of_a_function_is_held_to_its_limits)
{
    static const struct {
        const char *name;
        size_t hash_bytes;
        uint64_t code_bytes;
        enum status want;
    } rows[] = {
        { "one byte", 32, 1, ST_OK },
        { "the largest", 32, PACKAGE_ZIP_BYTES_MAX, ST_OK },
        { "one byte too large", 32, (uint64_t)PACKAGE_ZIP_BYTES_MAX + 1, ST_BAD_INPUT },
        { "empty", 32, 0, ST_BAD_INPUT },
        { "a short hash", 31, 1, ST_BAD_INPUT },
        { "no hash", 0, 1, ST_BAD_INPUT },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Lapwing__Function f;
        struct err err;

        test_case = rows[i].name;
        fixture_function(&f, "one", UID_1);
        f.code_sha256.len = rows[i].hash_bytes;
        f.code_bytes = rows[i].code_bytes;
        EXPECT_EQ(check_function(&f, &err), rows[i].want);
    }
    test_case = NULL;
}

TEST(the_environment_of_a_function_is_held_to_its_bytes_and_names)
{
    static const struct {
        const char *name, *variable;
        size_t value_bytes;
        size_t count;
        enum status want;
    } rows[] = {
        { "all it may have", "ABCD", FUNCTION_ENVIRONMENT_BYTES_MAX - 4, 1, ST_OK },
        { "one byte more", "ABCD", FUNCTION_ENVIRONMENT_BYTES_MAX - 3, 1, ST_BAD_INPUT },
        { "many", "A", 1, FUNCTION_VARIABLES_MAX, ST_OK },
        { "one too many", "A", 0, FUNCTION_VARIABLES_MAX + 1, ST_BAD_INPUT },
        { "no name", "", 1, 1, ST_BAD_INPUT },
        { "an equals sign in the name", "A=B", 1, 1, ST_BAD_INPUT },
    };
    static Lapwing__EnvironmentVariable *list[FUNCTION_VARIABLES_MAX + 1];

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Lapwing__EnvironmentVariable variable = LAPWING__ENVIRONMENT_VARIABLE__INIT;
        Lapwing__Function f;
        struct err err;

        test_case = rows[i].name;
        fixture_function(&f, "one", UID_1);
        variable.name = (char *)rows[i].variable;
        variable.value = letters(rows[i].value_bytes);
        for (size_t k = 0; k < rows[i].count; k++)
            list[k] = &variable;
        f.n_environment = rows[i].count;
        f.environment = list;
        EXPECT_EQ(check_function(&f, &err), rows[i].want);
    }
    test_case = NULL;
}

TEST(versions_are_held_to_eighteen_digits)
{
    static const struct {
        const char *name;
        uint64_t version;
        uint64_t content_epoch;
        enum status want;
    } rows[] = {
        { "$LATEST", 0, 0, ST_OK },
        { "the highest", FUNCTION_VERSION_MAX, 5, ST_OK },
        { "one higher", FUNCTION_VERSION_MAX + 1, 0, ST_BAD_INPUT },
        { "content newer than the configuration", 1, 6, ST_BAD_INPUT },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Lapwing__DeleteFunction del = LAPWING__DELETE_FUNCTION__INIT;
        Lapwing__Function f;
        struct err err;

        test_case = rows[i].name;
        fixture_function(&f, "one", UID_1);
        f.version = rows[i].version;
        f.config_epoch = 5;
        f.content_epoch = rows[i].content_epoch;
        EXPECT_EQ(check_function(&f, &err), rows[i].want);
        del.account = f.account;
        del.region = f.region;
        del.name = f.name;
        del.version = rows[i].version;
        EXPECT_EQ(check(LAPWING__COMMAND_TYPE__DELETE_FUNCTION, &del.base, &err),
                  rows[i].version > FUNCTION_VERSION_MAX ? ST_BAD_INPUT : ST_OK);
    }
    test_case = NULL;
}

TEST(publishing_names_function_revision_and_a_description_of_bounded_length)
{
    static const struct {
        const char *name;
        const char *function, *revision;
        size_t description_bytes;
        enum status want;
    } rows[] = {
        { "all right", "one", "00000000-0000-4000-8000-000000000001", DESCRIPTION_BYTES_MAX,
          ST_OK },
        { "a byte more", "one", "00000000-0000-4000-8000-000000000001", DESCRIPTION_BYTES_MAX + 1,
          ST_BAD_INPUT },
        { "no function", "", "00000000-0000-4000-8000-000000000001", 0, ST_BAD_INPUT },
        { "no revision", "one", "", 0, ST_BAD_INPUT },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Lapwing__PublishVersion publish = LAPWING__PUBLISH_VERSION__INIT;
        struct err err;

        test_case = rows[i].name;
        publish.account = (char *)FIXTURE_ACCOUNT;
        publish.region = (char *)FIXTURE_REGION;
        publish.name = (char *)rows[i].function;
        publish.revision_id = (char *)rows[i].revision;
        publish.description = letters(rows[i].description_bytes);
        EXPECT_EQ(check(LAPWING__COMMAND_TYPE__PUBLISH_VERSION, &publish.base, &err), rows[i].want);
    }
    test_case = NULL;
}

TEST(a_configuration_is_checked_like_a_function)
{
    Lapwing__UpdateFunctionConfiguration update = LAPWING__UPDATE_FUNCTION_CONFIGURATION__INIT;
    Lapwing__Function f;
    struct err err;

    EXPECT_EQ(check(LAPWING__COMMAND_TYPE__UPDATE_FUNCTION_CONFIGURATION, &update.base, &err),
              ST_BAD_INPUT);
    fixture_function(&f, "one", UID_1);
    update.function = &f;
    EXPECT_EQ(check(LAPWING__COMMAND_TYPE__UPDATE_FUNCTION_CONFIGURATION, &update.base, &err),
              ST_OK);
    update.expected_revision_id = letters(257);
    EXPECT_EQ(check(LAPWING__COMMAND_TYPE__UPDATE_FUNCTION_CONFIGURATION, &update.base, &err),
              ST_BAD_INPUT);
    update.expected_revision_id = letters(0);
    f.timeout_s = 0;
    EXPECT_EQ(check(LAPWING__COMMAND_TYPE__UPDATE_FUNCTION_CONFIGURATION, &update.base, &err),
              ST_BAD_INPUT);
}

TEST(an_object_is_held_to_its_limits)
{
    static const struct {
        const char *name;
        size_t key_bytes;
        uint64_t bytes;
        size_t hash_bytes;
        const char *etag, *bucket;
        size_t metadata_bytes;
        enum status want;
    } rows[] = {
        { "the longest key", OBJECT_KEY_BYTES_MAX, 0, 32, "a-1", "abc", 0, ST_OK },
        { "a key too long", OBJECT_KEY_BYTES_MAX + 1, 0, 32, "a", "abc", 0, ST_BAD_INPUT },
        { "no key", 0, 0, 32, "a", "abc", 0, ST_BAD_INPUT },
        { "the largest", 1, OBJECT_BYTES_MAX, 32, "a", "abc", 0, ST_OK },
        { "one byte too large", 1, OBJECT_BYTES_MAX + 1, 32, "a", "abc", 0, ST_BAD_INPUT },
        { "a short hash", 1, 1, 31, "a", "abc", 0, ST_BAD_INPUT },
        { "quotes in the etag", 1, 1, 32, "\"a\"", "abc", 0, ST_BAD_INPUT },
        { "no etag", 1, 1, 32, "", "abc", 0, ST_BAD_INPUT },
        { "a short bucket", 1, 1, 32, "a", "ab", 0, ST_BAD_INPUT },
        { "a path as bucket", 1, 1, 32, "a", "a/b", 0, ST_BAD_INPUT },
        { "all metadata it may have", 1, 1, 32, "a", "abc", OBJECT_METADATA_BYTES_MAX - 1, ST_OK },
        { "a byte more", 1, 1, 32, "a", "abc", OBJECT_METADATA_BYTES_MAX, ST_BAD_INPUT },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Lapwing__PutObject put = LAPWING__PUT_OBJECT__INIT;
        Lapwing__Object object;
        Lapwing__Metadata metadata = LAPWING__METADATA__INIT;
        Lapwing__Metadata *list[] = { &metadata };
        struct err err;

        test_case = rows[i].name;
        fixture_object(&object, rows[i].bucket, letters(rows[i].key_bytes));
        object.bytes = rows[i].bytes;
        object.blob.len = rows[i].hash_bytes;
        object.etag = (char *)rows[i].etag;
        metadata.name = (char *)"n";
        metadata.value = letters(rows[i].metadata_bytes);
        object.n_metadata = rows[i].metadata_bytes > 0;
        object.metadata = list;
        put.object = &object;
        EXPECT_EQ(check(LAPWING__COMMAND_TYPE__PUT_OBJECT, &put.base, &err), rows[i].want);
    }
    test_case = NULL;
}

TEST(a_command_without_its_row_is_refused)
{
    Lapwing__CreateFunction create = LAPWING__CREATE_FUNCTION__INIT;
    Lapwing__PutObject put = LAPWING__PUT_OBJECT__INIT;
    struct err err;

    EXPECT_EQ(check(LAPWING__COMMAND_TYPE__CREATE_FUNCTION, &create.base, &err), ST_BAD_INPUT);
    EXPECT_TEXT(err.text, "function: absent, want it");
    EXPECT_EQ(check(LAPWING__COMMAND_TYPE__PUT_OBJECT, &put.base, &err), ST_BAD_INPUT);
}

TEST(every_type_has_a_check_that_refuses_an_empty_body_or_takes_it)
{
    static const struct {
        Lapwing__CommandType type;
        enum status want;
    } rows[] = {
        { LAPWING__COMMAND_TYPE__COMMAND_NONE, ST_UNSUPPORTED },
        { LAPWING__COMMAND_TYPE__CREATE_FUNCTION, ST_BAD_INPUT },
        { LAPWING__COMMAND_TYPE__UPDATE_FUNCTION_CODE, ST_BAD_INPUT },
        { LAPWING__COMMAND_TYPE__DELETE_FUNCTION, ST_BAD_INPUT },
        { LAPWING__COMMAND_TYPE__ACTIVATE_FUNCTION, ST_BAD_INPUT },
        { LAPWING__COMMAND_TYPE__REGISTER_WORKER, ST_BAD_INPUT },
        { LAPWING__COMMAND_TYPE__MEMBER_BOOTSTRAP, ST_BAD_INPUT },
        { LAPWING__COMMAND_TYPE__MEMBER_ADD, ST_BAD_INPUT },
        { LAPWING__COMMAND_TYPE__MEMBER_REMOVE, ST_BAD_INPUT },
        { LAPWING__COMMAND_TYPE__CREATE_BUCKET, ST_BAD_INPUT },
        { LAPWING__COMMAND_TYPE__DELETE_BUCKET, ST_BAD_INPUT },
        { LAPWING__COMMAND_TYPE__PUT_OBJECT, ST_BAD_INPUT },
        { LAPWING__COMMAND_TYPE__DELETE_OBJECT, ST_BAD_INPUT },
        { LAPWING__COMMAND_TYPE__DELETE_OBJECTS, ST_BAD_INPUT },
        { LAPWING__COMMAND_TYPE__CREATE_UPLOAD, ST_BAD_INPUT },
        { LAPWING__COMMAND_TYPE__PUT_PART, ST_BAD_INPUT },
        { LAPWING__COMMAND_TYPE__COMPLETE_UPLOAD, ST_BAD_INPUT },
        { LAPWING__COMMAND_TYPE__ABORT_UPLOAD, ST_BAD_INPUT },
        { LAPWING__COMMAND_TYPE__FORGET_CLIENTS, ST_OK },
        { LAPWING__COMMAND_TYPE__RAISE_CLUSTER_VERSION, ST_BAD_INPUT },
        { (Lapwing__CommandType)999, ST_UNSUPPORTED },
    };
    Lapwing__Outcome empty = LAPWING__OUTCOME__INIT;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct err err;

        EXPECT_EQ(check(rows[i].type, &empty.base, &err), rows[i].want);
    }
}

TEST(a_cluster_version_that_this_release_cannot_follow_is_not_proposed)
{
    Lapwing__RaiseClusterVersion raise = LAPWING__RAISE_CLUSTER_VERSION__INIT;
    struct err err;

    raise.cluster_version = CLUSTER_VERSION_MAX;
    EXPECT_EQ(check(LAPWING__COMMAND_TYPE__RAISE_CLUSTER_VERSION, &raise.base, &err), ST_OK);
    raise.cluster_version++;
    EXPECT_EQ(check(LAPWING__COMMAND_TYPE__RAISE_CLUSTER_VERSION, &raise.base, &err), ST_BAD_INPUT);
}

TEST(a_body_that_is_not_canonical_is_refused)
{
    static uint8_t client[16];
    /* DeleteBucket whose name has a NUL inside: a C text would end there. */
    static uint8_t with_nul[] = { 0x0a, 0x05, 'a', 'b', 'c', 0, 'd' };
    static uint8_t twice[] = { 0x0a, 0x03, 'a', 'b', 'c', 0x0a, 0x03, 'a', 'b', 'c' };
    static uint8_t once[] = { 0x0a, 0x03, 'a', 'b', 'c' };
    Lapwing__Command command = LAPWING__COMMAND__INIT;
    struct err err = { 0 };

    command.type = LAPWING__COMMAND_TYPE__DELETE_BUCKET;
    command.version = 1;
    command.sequence = 1;
    command.client = (ProtobufCBinaryData){ .len = sizeof client, .data = client };
    command.body = (ProtobufCBinaryData){ .len = sizeof once, .data = once };
    EXPECT_EQ(command_check(&command, &err), ST_OK);
    command.body = (ProtobufCBinaryData){ .len = sizeof with_nul, .data = with_nul };
    EXPECT_EQ(command_check(&command, &err), ST_BAD_INPUT);
    command.body = (ProtobufCBinaryData){ .len = sizeof twice, .data = twice };
    EXPECT_EQ(command_check(&command, &err), ST_BAD_INPUT);
}
