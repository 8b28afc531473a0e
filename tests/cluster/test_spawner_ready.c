/* Environments that are kept ready: real interpreters under a real spawner, and what their
 * functions see compared with what such see whose process was started for them.  Needs root. */
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "tests/cluster/ready_wish.h"
#include "tests/cluster/spawner_fixture.h"
#include "tests/unit/check.h"
#include "worker/runtime/ready_rules.h"
#include "worker/spawner/request_check.h"

enum { POOL = 2, KINDS = 2, PATIENCE_MS = 20000, STEP_MS = 5, READ_MS = 60000, IDLE_MS = 600000 };

static struct fixture fixture;
static uint64_t fixture_idle_ms = IDLE_MS;

__attribute__((constructor)) static void skip_where_it_cannot_run(void)
{
    fixture_skip_if(fixture_missing());
}

static void start_fixture(uint32_t kinds, uint32_t pool)
{
    char command[1024];

    fixture_prepare(&fixture, false);
    fixture.config.ready = (struct ready_limits){ kinds, pool, fixture_idle_ms };
    (void)snprintf(fixture.config.runtime_dir, PATH_MAX, "%s", getenv("LAPWING_RUNTIME"));
    (void)snprintf(command, sizeof command, "cp %s/* %s/packages/%s/ && chmod 755 %s",
                   getenv("LAPWING_READY_SOURCES"), fixture.folder, fixture.package,
                   fixture.folder);
    CHECK(system(command) == 0);
    fixture_launch(&fixture);
}

static void ask(const struct wish *wish)
{
    Lapwing__SpawnEnvironment spawn = LAPWING__SPAWN_ENVIRONMENT__INIT;
    Lapwing__SpawnRequest req = LAPWING__SPAWN_REQUEST__INIT;
    struct wish_texts texts;
    struct err err = { 0 };

    wish_build(wish, &texts);
    spawn.slot = wish->slot;
    spawn.package = fixture.package;
    spawn.argv = texts.argv;
    spawn.n_argv = texts.argc;
    spawn.environment = texts.plain.list;
    spawn.n_environment = texts.plain.count;
    if (!wish->plain && ready_allowed(&texts.plain, &texts.ready)) {
        spawn.ready_environment = texts.ready.list;
        spawn.n_ready_environment = texts.ready.count;
    }
    spawn.memory_mb = wish->memory_mb;
    spawn.ephemeral_mb = 700;
    spawn.runtime = (char *)(uintptr_t)wish->runtime;
    req.id = spawner_client_id(&fixture.client);
    req.what_case = LAPWING__SPAWN_REQUEST__WHAT_SPAWN;
    req.spawn = &spawn;
    CHECK(spawner_client_send(&fixture.client, &req, -1, &err) == ST_OK);
    wish_done(&texts);
}

struct outcome {
    bool ready; /* its process waited for it */
    int code;   /* exit status, or -1: a signal */
    bool out_of_memory;
    char output[FIXTURE_OUTPUT_BYTES];
};

static void read_all(int fd, char out[FIXTURE_OUTPUT_BYTES])
{
    size_t len = 0;

    for (;;) {
        ssize_t got = read(fd, out + len, FIXTURE_OUTPUT_BYTES - 1 - len);

        if (got > 0)
            len += (size_t)got;
        if (got == 0 || len == FIXTURE_OUTPUT_BYTES - 1)
            break;
        if (got < 0 && poll(&(struct pollfd){ .fd = fd, .events = POLLIN }, 1, READ_MS) <= 0)
            break;
    }
    out[len] = '\0';
}

static void run(const struct wish *wish, struct outcome *out)
{
    struct spawner_message message;

    memset(out, 0, sizeof *out);
    ask(wish);
    CHECK(fixture_receive(&fixture, &message));
    EXPECT_EQ(message.message->reply->status, ST_OK);
    out->ready = message.message->reply->ready;
    read_all(message.fds[SPAWNER_FD_OUTPUT], out->output);
    spawner_message_done(&message);
    CHECK(fixture_receive(&fixture, &message));
    EXPECT_EQ(message.message->what_case, LAPWING__SPAWNER_MESSAGE__WHAT_EXITED);
    out->code = message.message->exited->signaled ? -1 : message.message->exited->code;
    out->out_of_memory = message.message->exited->out_of_memory;
    spawner_message_done(&message);
}

/* Compare line by line, so that a difference says what it is about. */
static void expect_same(const char *plain, const char *ready)
{
    while (*plain != '\0' || *ready != '\0') {
        size_t a = strcspn(plain, "\n");
        size_t b = strcspn(ready, "\n");

        EXPECT(a == b && memcmp(plain, ready, a) == 0);
        if (a != b || memcmp(plain, ready, a) != 0)
            (void)fprintf(stderr, "# started: %.*s\n# ready:   %.*s\n", (int)a, plain, (int)b,
                          ready);
        plain += a + (plain[a] != '\0');
        ready += b + (ready[b] != '\0');
    }
}

static void compare(struct wish wish)
{
    static struct outcome plain, first, ready;

    start_fixture(KINDS, POOL);
    wish.plain = true;
    run(&wish, &plain);
    EXPECT(!plain.ready);
    EXPECT_EQ(plain.code, 7);
    wish.plain = false;
    run(&wish, &first); /* nothing is kept before a first start */
    EXPECT(!first.ready);
    expect_same(plain.output, first.output);
    EXPECT(fixture_ready(&fixture, POOL));
    run(&wish, &ready);
    EXPECT(ready.ready);
    EXPECT_EQ(ready.code, 7);
    EXPECT(strlen(ready.output) > 1000);
    expect_same(plain.output, ready.output);
    EXPECT_EQ(fixture_stop(&fixture), 0);
}

TEST(a_python_function_sees_the_same_in_a_process_that_waited_for_it)
{
    compare((struct wish){ wish_python(), "listing.handler", 192, .slot = 1 });
}

TEST(a_node_function_sees_the_same_in_a_process_that_waited_for_it)
{
    if (wish_node() != NULL)
        compare((struct wish){ wish_node(), "listing.handler", 192, .slot = 1 });
}

TEST(what_is_read_at_the_start_of_a_process_is_read_then)
{
    static struct outcome outcome;
    struct wish wish = { wish_python(), "listing.handler", 128 };

    start_fixture(KINDS, POOL);
    run(&wish, &outcome);
    EXPECT(fixture_ready(&fixture, POOL));
    wish.variable = "TZ";
    wish.value = "Asia/Tokyo";
    run(&wish, &outcome);
    EXPECT(!outcome.ready);
    EXPECT(strstr(outcome.output, "-32400") != NULL); /* seconds */
    wish.variable = "PYTHONOPTIMIZE";
    wish.value = "1";
    run(&wish, &outcome);
    EXPECT(!outcome.ready);
    EXPECT(strstr(outcome.output, "optimize=1") != NULL);
    wish.variable = NULL;
    run(&wish, &outcome);
    EXPECT(outcome.ready);
    EXPECT_EQ(fixture_stop(&fixture), 0);
}

TEST(the_memory_limit_of_the_function_holds)
{
    static struct outcome outcome;
    struct wish wish = { wish_python(), "eater.handler", 128 };

    start_fixture(KINDS, POOL);
    run(&wish, &outcome);
    EXPECT(!outcome.ready && outcome.out_of_memory && outcome.code == -1);
    EXPECT(fixture_ready(&fixture, POOL));
    run(&wish, &outcome);
    EXPECT(outcome.ready && outcome.out_of_memory && outcome.code == -1);
    EXPECT_EQ(fixture_stop(&fixture), 0);
}

/* Users of the pool: behind those of slots and converters. */
static uid_t pool_first(void)
{
    return fixture.config.uid_base + fixture.config.environments_max + CONVERTS_MAX;
}

static unsigned pool_processes(void)
{
    uid_t first = pool_first();

    return leftover_processes(first, first + 60);
}

static bool wait_for_processes(unsigned want)
{
    for (int waited = 0; pool_processes() != want && waited < PATIENCE_MS; waited += STEP_MS)
        (void)poll(NULL, 0, STEP_MS);
    return pool_processes() == want;
}

static bool is_init(pid_t pid)
{
    char path[64];
    char name[32] = "";
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/%d/comm", (int)pid);
    file = fopen(path, "re");
    if (file == NULL)
        return false;
    (void)fgets(name, sizeof name, file);
    (void)fclose(file);
    return strncmp(name, "lapwing-init", strlen("lapwing-init")) == 0;
}

/* Kill every interpreter that belongs to a user of the pool; lapwing-init follows by itself. */
static unsigned kill_interpreters(void)
{
    pid_t pids[64];
    unsigned found = processes_of(pool_first(), pool_first() + 60, pids, ARRAY_LEN(pids));
    unsigned count = 0;

    CHECK(found <= ARRAY_LEN(pids));
    for (unsigned i = 0; i < found; i++)
        if (!is_init(pids[i]))
            count += kill(pids[i], SIGKILL) == 0;
    return count;
}

TEST(one_that_died_is_not_given_to_anybody)
{
    static struct outcome outcome;
    struct wish wish = { wish_python(), "listing.handler", 128, .slot = 3 };

    start_fixture(KINDS, POOL);
    run(&wish, &outcome);
    EXPECT(fixture_ready(&fixture, POOL));
    /* They die, and the spawner hears of that and of a function at the same time. */
    EXPECT_EQ(kill(fixture.spawner, SIGSTOP), 0);
    EXPECT_EQ(kill_interpreters(), POOL);
    EXPECT(wait_for_processes(0));
    ask(&wish);
    EXPECT_EQ(kill(fixture.spawner, SIGCONT), 0);
    struct spawner_message message;
    CHECK(fixture_receive(&fixture, &message));
    EXPECT_EQ(message.message->reply->status, ST_OK);
    EXPECT(!message.message->reply->ready);
    read_all(message.fds[SPAWNER_FD_OUTPUT], outcome.output);
    EXPECT(strstr(outcome.output, "environment: ") != NULL);
    spawner_message_done(&message);
    CHECK(fixture_receive(&fixture, &message));
    spawner_message_done(&message);
    EXPECT(wait_for_processes(2 * POOL)); /* each with its lapwing-init; and others came */
    EXPECT_EQ(fixture_stop(&fixture), 0);
    EXPECT_EQ(leftover_groups(fixture.config.instance), 0);
}

TEST(more_functions_than_there_are_ready_get_processes_of_their_own)
{
    enum { MANY = 6 };
    static struct outcome outcome;
    struct wish wish = { wish_python(), "listing.handler", 128 };
    unsigned ready = 0;

    start_fixture(KINDS, POOL);
    run(&wish, &outcome);
    EXPECT(fixture_ready(&fixture, POOL));
    wish.handler = "absent.handler";
    /* All at once: another cannot have become ready before the last is looked at. */
    EXPECT_EQ(kill(fixture.spawner, SIGSTOP), 0);
    for (wish.slot = 0; wish.slot < MANY; wish.slot++)
        ask(&wish);
    EXPECT_EQ(kill(fixture.spawner, SIGCONT), 0);
    for (unsigned replies = 0; replies < MANY;) {
        struct spawner_message message;

        CHECK(fixture_receive(&fixture, &message));
        if (message.message->what_case == LAPWING__SPAWNER_MESSAGE__WHAT_REPLY) {
            EXPECT_EQ(message.message->reply->status, ST_OK);
            ready += message.message->reply->ready;
            replies++;
        }
        spawner_message_done(&message);
    }
    EXPECT_EQ(ready, POOL);
    EXPECT_EQ(fixture_stop(&fixture), 0);
    EXPECT_EQ(leftover_processes(fixture.config.uid_base, fixture.config.uid_base + 100), 0);
    EXPECT_EQ(leftover_groups(fixture.config.instance), 0);
}

TEST(each_that_is_ready_has_a_user_of_its_own)
{
    static struct outcome outcome;
    struct wish wish = { wish_python(), "listing.handler", 128 };

    start_fixture(KINDS, POOL);
    run(&wish, &outcome);
    EXPECT(fixture_ready(&fixture, POOL));
    for (uid_t uid = pool_first(); uid < pool_first() + POOL; uid++)
        EXPECT_EQ(leftover_processes(uid, uid), 2); /* lapwing-init and the interpreter */
    EXPECT_EQ(fixture_stop(&fixture), 0);
}

TEST(a_kind_gives_way_to_another_when_there_may_be_no_more)
{
    static struct outcome outcome;
    struct wish python = { wish_python(), "listing.handler", 128 };
    struct wish node = { wish_node(), "listing.handler", 128 };

    if (node.runtime == NULL)
        return;
    start_fixture(1, 1);
    run(&python, &outcome);
    EXPECT(fixture_ready(&fixture, 1));
    run(&node, &outcome);
    EXPECT(!outcome.ready);
    for (int waited = 0; !outcome.ready && waited < PATIENCE_MS; waited += STEP_MS) {
        (void)poll(NULL, 0, STEP_MS);
        run(&node, &outcome);
    }
    EXPECT(outcome.ready);
    run(&python, &outcome);
    EXPECT(!outcome.ready);
    EXPECT_EQ(fixture_stop(&fixture), 0);
}

TEST(what_nobody_asks_for_is_dropped_and_made_again_when_somebody_does)
{
    static struct outcome outcome;
    struct wish wish = { wish_python(), "listing.handler", 128 };

    fixture_idle_ms = 3000;
    start_fixture(KINDS, POOL);
    fixture_idle_ms = IDLE_MS;
    run(&wish, &outcome);
    EXPECT(fixture_ready(&fixture, POOL));
    EXPECT(fixture_ready(&fixture, 0));
    EXPECT(wait_for_processes(0));
    run(&wish, &outcome);
    EXPECT(!outcome.ready);
    EXPECT(fixture_ready(&fixture, POOL));
    EXPECT_EQ(fixture_stop(&fixture), 0);
    EXPECT_EQ(leftover_groups(fixture.config.instance), 0);
}

/* A program that knows nothing of waiting: it ends with "no command", and then nobody waits. */
TEST(what_cannot_wait_is_tried_so_often_and_functions_start)
{
    static char program[] = "/var/task/probe";
    static char word[] = "exit";
    static char variable[] = "PATH=/usr/bin";
    char *argv[] = { program, word };
    char *environment[] = { variable };

    start_fixture(KINDS, POOL);
    for (unsigned i = 0; i < 2 * READY_FAILURES_MAX; i++) {
        Lapwing__SpawnEnvironment spawn = LAPWING__SPAWN_ENVIRONMENT__INIT;
        Lapwing__SpawnRequest req = LAPWING__SPAWN_REQUEST__INIT;
        struct spawner_message message;
        struct err err = { 0 };

        spawn.package = fixture.package;
        spawn.argv = argv;
        spawn.n_argv = ARRAY_LEN(argv);
        spawn.environment = spawn.ready_environment = environment;
        spawn.n_environment = spawn.n_ready_environment = 1;
        spawn.memory_mb = 128;
        spawn.ephemeral_mb = 512;
        req.id = spawner_client_id(&fixture.client);
        req.what_case = LAPWING__SPAWN_REQUEST__WHAT_SPAWN;
        req.spawn = &spawn;
        CHECK(spawner_client_send(&fixture.client, &req, -1, &err) == ST_OK);
        CHECK(fixture_receive(&fixture, &message));
        EXPECT_EQ(message.message->reply->status, ST_OK);
        EXPECT(!message.message->reply->ready);
        spawner_message_done(&message);
        CHECK(fixture_receive(&fixture, &message));
        EXPECT_EQ(message.message->what_case, LAPWING__SPAWNER_MESSAGE__WHAT_EXITED);
        spawner_message_done(&message);
    }
    EXPECT(fixture_pools(&fixture, 4, 4));
    EXPECT(wait_for_processes(0));
    EXPECT_EQ(fixture_stop(&fixture), 0);
    EXPECT_EQ(leftover_groups(fixture.config.instance), 0);
}

TEST(nothing_is_left_of_those_that_wait_after_kill_9)
{
    static struct outcome outcome;
    struct wish wish = { wish_python(), "listing.handler", 128 };

    start_fixture(KINDS, POOL);
    run(&wish, &outcome);
    EXPECT(fixture_ready(&fixture, POOL));
    EXPECT_EQ(pool_processes(), 2 * POOL);
    fixture_kill(&fixture);
    EXPECT(wait_for_processes(0));
    EXPECT_EQ(fixture_clean(&fixture), 0);
    EXPECT_EQ(leftover_groups(fixture.config.instance), 0);
}
