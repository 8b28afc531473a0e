#include "worker/spawner/request_check.h"

#include "tests/unit/check.h"
#include "worker/image/image_rules.h"

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

enum { SLOTS = 8 };

static char program[] = "/var/runtime/bootstrap";
static char relative[] = "bootstrap";
static char variable[] = "A=b";
static char no_variable[] = "A";
static char no_name[] = "=b";
static char hash[] = HASH;
static char upper[] = "0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef";
static char escape[] = "../../etc";
static char large[SPAWN_TEXT_BYTES_MAX];

static char *argv_ok[] = { program };
static char *argv_relative[] = { relative };
static char *argv_large[] = { program, large };
static char *environment_ok[] = { variable };
static char *environment_bad[] = { variable, no_variable };
static char *environment_no_name[] = { no_name };

static const Lapwing__SpawnEnvironment good = {
    PROTOBUF_C_MESSAGE_INIT(&lapwing__spawn_environment__descriptor),
    .slot = 7,
    .package = hash,
    .n_argv = 1,
    .argv = argv_ok,
    .n_environment = 1,
    .environment = environment_ok,
    .memory_mb = 128,
    .ephemeral_mb = 512,
};

static enum status check(const Lapwing__SpawnEnvironment *spawn)
{
    Lapwing__SpawnRequest req = LAPWING__SPAWN_REQUEST__INIT;
    struct err err = { 0 };
    enum status st;

    req.id = 1;
    req.what_case = LAPWING__SPAWN_REQUEST__WHAT_SPAWN;
    req.spawn = (Lapwing__SpawnEnvironment *)(uintptr_t)spawn;
    st = spawn_request_check(&req, SLOTS, 0, &err);
    EXPECT_EQ(err.text[0] == '\0', st == ST_OK);
    return st;
}

/* Each row is the good one with one thing wrong. */
#define EXPECT_REFUSED(field, value)                                                               \
    do {                                                                                           \
        Lapwing__SpawnEnvironment spawn = good;                                                    \
        test_case = #field " = " #value;                                                           \
        spawn.field = value;                                                                       \
        EXPECT_EQ(check(&spawn), ST_BAD_INPUT);                                                    \
    } while (0)

TEST(a_spawn_that_is_wrong_in_one_thing_is_refused)
{
    memset(large, 'x', sizeof large - 1);
    EXPECT_EQ(check(&good), ST_OK);
    EXPECT_REFUSED(slot, SLOTS);
    EXPECT_REFUSED(slot, UINT32_MAX);
    EXPECT_REFUSED(package, escape);
    EXPECT_REFUSED(package, upper);
    EXPECT_REFUSED(package, hash + 1);
    EXPECT_REFUSED(n_argv, 0);
    EXPECT_REFUSED(n_argv, SPAWN_ARGUMENTS_MAX + 1);
    EXPECT_REFUSED(argv, argv_relative);
    EXPECT_REFUSED(n_environment, SPAWN_VARIABLES_MAX + 1);
    EXPECT_REFUSED(environment, environment_no_name);
    EXPECT_REFUSED(n_ready_environment, 2); /* more than the function's own */
    EXPECT_REFUSED(memory_mb, 127);
    EXPECT_REFUSED(memory_mb, 10241);
    EXPECT_REFUSED(ephemeral_mb, 511);
    EXPECT_REFUSED(ephemeral_mb, 10241);
    EXPECT_REFUSED(processes_max, 1025);
    Lapwing__SpawnEnvironment spawn = good;
    spawn.environment = environment_bad;
    spawn.n_environment = 2;
    EXPECT_EQ(check(&spawn), ST_BAD_INPUT);
    spawn = good;
    spawn.argv = argv_large;
    spawn.n_argv = 2;
    EXPECT_EQ(check(&spawn), ST_BAD_INPUT);
}

TEST(what_a_waiting_process_starts_with_is_checked_like_the_rest)
{
    static char wide[SPAWN_TEXT_BYTES_MAX + 1];
    char *wide_list[] = { wide };
    char *many[SPAWN_VARIABLES_MAX];
    struct {
        const char *name;
        char **list;
        size_t count;
        enum status want;
    } rows[] = {
        { "one", environment_ok, 1, ST_OK },
        { "no name", environment_no_name, 1, ST_BAD_INPUT },
        { "no value", environment_bad + 1, 1, ST_BAD_INPUT },
        { "as many as may be", many, SPAWN_VARIABLES_MAX - 1, ST_OK },
        { "no room for ours", many, SPAWN_VARIABLES_MAX, ST_BAD_INPUT },
        { "as much as may be", wide_list, 1, ST_OK },
        { "too much", wide_list, 1, ST_BAD_INPUT },
    };

    for (size_t i = 0; i < SPAWN_VARIABLES_MAX; i++)
        many[i] = variable;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        Lapwing__SpawnEnvironment spawn = good;
        size_t len =
            strcmp(rows[i].name, "too much") == 0 ? SPAWN_TEXT_BYTES_MAX : SPAWN_TEXT_BYTES_MAX - 1;

        test_case = rows[i].name;
        memset(wide, 'x', len);
        wide[1] = '=';
        wide[len] = '\0';
        spawn.n_environment = SPAWN_VARIABLES_MAX;
        spawn.environment = many;
        spawn.ready_environment = rows[i].list;
        spawn.n_ready_environment = rows[i].count;
        EXPECT_EQ(check(&spawn), rows[i].want);
    }
    test_case = NULL;
}

static const struct {
    const char *name;
    Lapwing__SpawnRequest__WhatCase what;
    uint64_t id;
    uint32_t slot;
    size_t fds;
    enum status want;
} slots[] = {
    { "kill", LAPWING__SPAWN_REQUEST__WHAT_KILL_SLOT, 1, SLOTS - 1, 0, ST_OK },
    { "kill, no id", LAPWING__SPAWN_REQUEST__WHAT_KILL_SLOT, 0, 0, 0, ST_BAD_INPUT },
    { "kill, slot", LAPWING__SPAWN_REQUEST__WHAT_KILL_SLOT, 1, SLOTS, 0, ST_BAD_INPUT },
    { "kill, descriptor", LAPWING__SPAWN_REQUEST__WHAT_KILL_SLOT, 1, 0, 1, ST_BAD_INPUT },
    { "freeze, slot", LAPWING__SPAWN_REQUEST__WHAT_FREEZE_SLOT, 1, SLOTS, 0, ST_BAD_INPUT },
    { "thaw, slot", LAPWING__SPAWN_REQUEST__WHAT_THAW_SLOT, 1, SLOTS, 0, ST_BAD_INPUT },
    { "usage, slot", LAPWING__SPAWN_REQUEST__WHAT_USAGE_SLOT, 1, SLOTS, 0, ST_BAD_INPUT },
    { "nothing", LAPWING__SPAWN_REQUEST__WHAT__NOT_SET, 1, 0, 0, ST_BAD_INPUT },
};

TEST(requests_about_a_slot_are_checked)
{
    for (size_t i = 0; i < ARRAY_LEN(slots); i++) {
        Lapwing__SpawnRequest req = LAPWING__SPAWN_REQUEST__INIT;

        test_case = slots[i].name;
        req.id = slots[i].id;
        req.what_case = slots[i].what;
        req.kill_slot = slots[i].slot; /* the alternatives share their memory */
        EXPECT_EQ(spawn_request_check(&req, SLOTS, slots[i].fds, NULL), slots[i].want);
    }
}

static const struct {
    const char *name;
    char *package;
    uint64_t bytes;
    size_t fds;
    enum status want;
    char *image;
} converts[] = {
    { "smallest", hash, 1, 1, ST_OK },
    { "largest", hash, 52428800, 1, ST_OK },
    { "a byte too many", hash, 52428801, 1, ST_BAD_INPUT },
    { "empty", hash, 0, 1, ST_BAD_INPUT },
    { "no zip", hash, 1, 0, ST_BAD_INPUT },
    { "two zips", hash, 1, 2, ST_BAD_INPUT },
    { "no hash", escape, 1, 1, ST_BAD_INPUT },
    { "an image", hash, 52428801, 1, ST_OK, hash },
    { "the largest image", hash, IMAGE_BYTES_MAX, 1, ST_OK, hash },
    { "too large an image", hash, IMAGE_BYTES_MAX + 1, 1, ST_BAD_INPUT, hash },
    { "an image without a hash", hash, 1, 1, ST_BAD_INPUT, escape },
};

TEST(a_convert_needs_a_hash_a_size_and_one_descriptor)
{
    for (size_t i = 0; i < ARRAY_LEN(converts); i++) {
        Lapwing__Convert convert = LAPWING__CONVERT__INIT;
        Lapwing__SpawnRequest req = LAPWING__SPAWN_REQUEST__INIT;

        test_case = converts[i].name;
        convert.package = converts[i].package;
        convert.zip_bytes = converts[i].bytes;
        if (converts[i].image != NULL)
            convert.image = converts[i].image;
        req.id = 1;
        req.what_case = LAPWING__SPAWN_REQUEST__WHAT_CONVERT;
        req.convert = &convert;
        EXPECT_EQ(spawn_request_check(&req, SLOTS, converts[i].fds, NULL), converts[i].want);
    }
}

TEST(requests_about_packages_are_checked)
{
    static const struct {
        const char *name;
        Lapwing__SpawnRequest__WhatCase what;
        char *package;
        enum status want;
    } rows[] = {
        { "verify", LAPWING__SPAWN_REQUEST__WHAT_VERIFY_PACKAGE, hash, ST_OK },
        { "verify, no hash", LAPWING__SPAWN_REQUEST__WHAT_VERIFY_PACKAGE, escape, ST_BAD_INPUT },
        { "remove", LAPWING__SPAWN_REQUEST__WHAT_REMOVE_PACKAGE, hash, ST_OK },
        { "remove, no hash", LAPWING__SPAWN_REQUEST__WHAT_REMOVE_PACKAGE, upper, ST_BAD_INPUT },
        { "list", LAPWING__SPAWN_REQUEST__WHAT_LIST_PACKAGES, hash, ST_OK },
        { "new image", LAPWING__SPAWN_REQUEST__WHAT_NEW_IMAGE, hash, ST_OK },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Lapwing__SpawnRequest req = LAPWING__SPAWN_REQUEST__INIT;

        test_case = rows[i].name;
        req.id = 1;
        req.what_case = rows[i].what;
        req.verify_package = rows[i].package; /* the alternatives share their memory */
        EXPECT_EQ(spawn_request_check(&req, SLOTS, 0, NULL), rows[i].want);
        EXPECT_EQ(spawn_request_check(&req, SLOTS, 1, NULL), ST_BAD_INPUT);
    }
    test_case = NULL;
}
