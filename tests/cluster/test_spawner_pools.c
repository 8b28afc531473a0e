/* What the spawner makes ahead: network namespaces, control groups, user namespaces; needs root. */
#include <dirent.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/cluster/spawner_fixture.h"
#include "tests/unit/check.h"
#include "worker/spawner/network_maker.h"

#ifndef SO_NETNS_COOKIE
#define SO_NETNS_COOKIE 71
#endif

enum { SLOTS = 16, STARTS_MAX = 64, PATIENCE_MS = 20000, STEP_MS = 5 };

static struct fixture fixture;

__attribute__((constructor)) static void skip_where_it_cannot_run(void)
{
    fixture_skip_if(fixture_missing());
}

/* The kernel's number for the network namespace that a socket is in; unlike the inode's, it is
 * never given out again. */
static uint64_t cookie_of(int fd)
{
    uint64_t cookie = 0;
    socklen_t len = sizeof cookie;

    EXPECT_EQ(getsockopt(fd, SOL_SOCKET, SO_NETNS_COOKIE, &cookie, &len), 0);
    return cookie;
}

/* The answer to a start: its namespace, or 0 with the reason in `text`. */
static uint64_t take_answer(char text[256])
{
    struct spawner_message message;
    uint64_t cookie = 0;

    if (!fixture_receive(&fixture, &message))
        return 0;
    EXPECT_EQ(message.message->what_case, LAPWING__SPAWNER_MESSAGE__WHAT_REPLY);
    if (text != NULL)
        (void)snprintf(text, 256, "%s", message.message->reply->text);
    if (message.message->reply->status == ST_OK)
        cookie = cookie_of(message.fds[SPAWNER_FD_RUNTIME]);
    spawner_message_done(&message);
    return cookie;
}

static void take_exit(void)
{
    struct spawner_message message;

    EXPECT(fixture_receive(&fixture, &message));
    EXPECT_EQ(message.message->what_case, LAPWING__SPAWNER_MESSAGE__WHAT_EXITED);
    spawner_message_done(&message);
}

static uint64_t start_in(unsigned slot, const char *what)
{
    fixture_ask(&fixture, slot, (const char *const[]){ what, NULL });
    return take_answer(NULL);
}

/* So many starts one after the other, then one in each slot at once, more than any pool holds. */
static size_t start_many(uint64_t cookies[STARTS_MAX])
{
    char *const what[] = { "exit", NULL };
    size_t count = 0;

    for (; count < SLOTS; count++) {
        cookies[count] = start_in(0, "exit");
        take_exit();
    }
    for (unsigned slot = 0; slot < SLOTS; slot++)
        fixture_ask(&fixture, slot, (const char *const *)what);
    for (unsigned messages = 0; messages < 2 * SLOTS; messages++) {
        struct spawner_message message;

        EXPECT(fixture_receive(&fixture, &message));
        if (message.message->what_case == LAPWING__SPAWNER_MESSAGE__WHAT_REPLY)
            cookies[count++] = cookie_of(message.fds[SPAWNER_FD_RUNTIME]);
        spawner_message_done(&message);
    }
    return count;
}

TEST(no_network_namespace_is_used_twice)
{
    static const struct {
        const char *name;
        uint32_t networks, groups;
    } rows[] = {
        { "no pools", 0, 0 },
        { "pools of one", 1, 1 },
        { "pools smaller than the burst", 4, 4 },
        { "the largest pools", NETNS_POOL_MAX, CGROUP_POOL_MAX },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        uint64_t cookies[STARTS_MAX];
        size_t count;

        test_case = rows[i].name;
        fixture_prepare(&fixture, false);
        fixture.config.netns_pool = rows[i].networks;
        fixture.config.group_pool = rows[i].groups;
        fixture_launch(&fixture);
        count = start_many(cookies);
        EXPECT_EQ(count, 2 * SLOTS);
        for (size_t a = 0; a < count; a++) {
            EXPECT(cookies[a] != 0);
            for (size_t b = 0; b < a; b++)
                EXPECT(cookies[a] != cookies[b]);
        }
        EXPECT_EQ(fixture_stop(&fixture), 0);
        EXPECT_EQ(leftover_groups(fixture.config.instance), 0);
    }
    test_case = NULL;
}

/* Descriptors of the spawner that are network namespaces: its own, and the pool. */
static unsigned networks_held(void)
{
    char path[64];
    unsigned count = 0;
    DIR *list;

    (void)snprintf(path, sizeof path, "/proc/%d/fd", (int)fixture.spawner);
    list = opendir(path);
    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        char target[64];
        ssize_t len = readlinkat(dirfd(list), entry->d_name, target, sizeof target - 1);

        target[len > 0 ? len : 0] = '\0';
        count += strncmp(target, "net:[", 5) == 0;
    }
    if (list != NULL)
        (void)closedir(list);
    return count;
}

static unsigned groups_held(void)
{
    static const char *const tops[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
    const char *parent = getenv("LAPWING_CGROUP_PARENT");
    unsigned count = 0;

    for (size_t i = 0; i < ARRAY_LEN(tops); i++) {
        char pattern[PATH_MAX];
        glob_t found = { 0 };

        (void)snprintf(pattern, sizeof pattern, "%s/%s/lapwing-%s/e.*", tops[i],
                       parent == NULL ? "" : parent, fixture.config.instance);
        if (glob(pattern, 0, NULL, &found) == 0)
            count += (unsigned)found.gl_pathc;
        globfree(&found);
    }
    return count;
}

/* The process that makes namespaces, 0 when there is none. */
static pid_t maker(void)
{
    DIR *list = opendir("/proc");
    pid_t found = 0;

    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;) {
        char path[300];
        char name[32] = "";
        char state = '?';
        int parent = 0;
        FILE *file;

        (void)snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
        file = fopen(path, "re");
        if (file != NULL && fscanf(file, "%*d (%31[^)]) %c %d", name, &state, &parent) == 3 &&
            strcmp(name, "lapwing-netns") == 0 && parent == fixture.spawner && state != 'Z')
            found = (pid_t)atoi(entry->d_name);
        if (file != NULL)
            (void)fclose(file);
    }
    if (list != NULL)
        (void)closedir(list);
    return found;
}

/* Wait until `held` says `want`; what it said last. */
static unsigned wait_until(unsigned (*held)(void), unsigned want)
{
    unsigned now = held();

    for (int waited = 0; now != want && waited < PATIENCE_MS; waited += STEP_MS) {
        (void)poll(NULL, 0, STEP_MS);
        now = held();
    }
    return now;
}

TEST(pools_fill_after_the_first_start_and_not_before)
{
    fixture_start(&fixture, false);
    (void)start_in(SLOTS, "wait"); /* refused: there is no such slot */
    EXPECT_EQ(networks_held(), 1);
    EXPECT_EQ(groups_held(), 0);
    EXPECT_EQ(maker(), 0);
    EXPECT(start_in(3, "wait") != 0);
    EXPECT(fixture_pools(&fixture, 4, 4));
    EXPECT_EQ(networks_held(), 1 + 4);
    EXPECT_EQ(groups_held(), 1 + 4);
    EXPECT_EQ(fixture_stop(&fixture), 0);
    EXPECT_EQ(leftover_groups(fixture.config.instance), 0);
}

/* A shell gives 1024 descriptors; full pools alone have more than 800. */
TEST(a_small_soft_limit_of_descriptors_is_raised)
{
    struct rlimit before;
    struct rlimit small;

    EXPECT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    small = (struct rlimit){ .rlim_cur = 256, .rlim_max = before.rlim_max };
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &small), 0);
    fixture_prepare(&fixture, false);
    fixture.config.netns_pool = NETNS_POOL_MAX;
    fixture.config.group_pool = CGROUP_POOL_MAX;
    fixture_launch(&fixture);
    EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    EXPECT(start_in(0, "wait") != 0);
    EXPECT(fixture_pools(&fixture, NETNS_POOL_MAX, CGROUP_POOL_MAX));
    EXPECT_EQ(fixture_stop(&fixture), 0);
}

static bool is_gone(pid_t pid)
{
    char path[64];
    char state = 'Z';
    FILE *file;

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    file = fopen(path, "re");
    if (file == NULL)
        return true;
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = 'Z';
    (void)fclose(file);
    return state == 'Z' || state == 'X';
}

static pid_t wait_for_maker(pid_t other_than)
{
    pid_t now = maker();

    for (int waited = 0; (now == 0 || now == other_than) && waited < PATIENCE_MS;
         waited += STEP_MS) {
        (void)poll(NULL, 0, STEP_MS);
        now = maker();
    }
    return now;
}

TEST(a_maker_that_is_killed_is_replaced_so_often_and_starts_go_on)
{
    pid_t last = 0;

    fixture_start(&fixture, false);
    for (unsigned lost = 0; lost < MAKER_STARTS_MAX; lost++) {
        EXPECT(start_in(0, "exit") != 0);
        take_exit();
        pid_t now = wait_for_maker(last);
        EXPECT(now != 0 && now != last);
        if (now == 0)
            break; /* never kill(0) */
        EXPECT_EQ(wait_until(networks_held, 1 + 4), 1 + 4);
        EXPECT_EQ(kill(now, SIGKILL), 0);
        last = now;
    }
    for (unsigned i = 0; i < SLOTS; i++) { /* the pool is empty after four of them, and stays so */
        EXPECT(start_in(0, "exit") != 0);
        take_exit();
    }
    EXPECT_EQ(maker(), 0);
    EXPECT_EQ(networks_held(), 1);
    EXPECT_EQ(fixture_stop(&fixture), 0);
}

/* Allow so many groups below the instance's. */
static void allow_groups(const char *count)
{
    char command[PATH_MAX];
    const char *parent = getenv("LAPWING_CGROUP_PARENT");

    (void)snprintf(command, sizeof command,
                   "for f in /sys/fs/cgroup/%s /sys/fs/cgroup/unified/%s; do "
                   "f=$f/lapwing-%s/cgroup.max.descendants; [ ! -e $f ] || echo %s >$f; done",
                   parent == NULL ? "" : parent, parent == NULL ? "" : parent,
                   fixture.config.instance, count);
    CHECK(system(command) == 0);
}

TEST(where_no_control_group_can_be_made_a_start_says_so_and_the_rest_goes_on)
{
    Lapwing__SpawnRequest usage = LAPWING__SPAWN_REQUEST__INIT;
    char text[256];

    fixture_start(&fixture, false);
    EXPECT(start_in(0, "wait") != 0);
    EXPECT(fixture_pools(&fixture, 4, 4));
    allow_groups("5");
    for (unsigned slot = 1; slot <= 4; slot++) /* those of the pool, which cannot be filled again */
        EXPECT(start_in(slot, "wait") != 0);
    fixture_ask(&fixture, 5, (const char *const[]){ "wait", NULL });
    EXPECT_EQ(take_answer(text), 0);
    EXPECT(strstr(text, "e.") != NULL);
    usage.what_case = LAPWING__SPAWN_REQUEST__WHAT_USAGE_SLOT;
    usage.usage_slot = 4;
    EXPECT_EQ(fixture_request(&fixture, &usage), ST_OK);
    EXPECT(fixture_pools(&fixture, 4, 0)); /* so an operator sees it, too */
    allow_groups("max");
    EXPECT(start_in(5, "wait") != 0);
    EXPECT(fixture_pools(&fixture, 4, 4));
    EXPECT_EQ(groups_held(), 6 + 4);
    EXPECT_EQ(fixture_stop(&fixture), 0);
    EXPECT_EQ(leftover_groups(fixture.config.instance), 0);
}

TEST(each_slot_has_a_user_of_its_own)
{
    static const unsigned slots[] = { 15, 0, 7 };
    uid_t base;

    fixture_start(&fixture, false);
    base = fixture.config.uid_base;
    for (size_t i = 0; i < ARRAY_LEN(slots); i++)
        EXPECT(start_in(slots[i], "wait") != 0);
    for (size_t i = 0; i < ARRAY_LEN(slots); i++) {
        uid_t uid = base + slots[i];

        for (int tries = 0; tries < 1000 && leftover_processes(uid, uid) < 2; tries++)
            (void)poll(NULL, 0, STEP_MS);
        EXPECT_EQ(leftover_processes(uid, uid), 2); /* init and the probe */
    }
    EXPECT_EQ(leftover_processes(base + 1, base + 6), 0);
    EXPECT_EQ(fixture_stop(&fixture), 0);
}

TEST(nothing_is_left_of_full_pools_after_kill_9)
{
    pid_t made_by;

    fixture_start(&fixture, false);
    EXPECT(start_in(0, "wait") != 0);
    EXPECT(fixture_pools(&fixture, 4, 4));
    made_by = maker();
    EXPECT(made_by != 0);
    fixture_kill(&fixture);
    for (int waited = 0; !is_gone(made_by) && waited < PATIENCE_MS; waited += STEP_MS)
        (void)poll(NULL, 0, STEP_MS);
    EXPECT(is_gone(made_by)); /* it held the namespaces under way; the others were the spawner's */
    EXPECT_EQ(fixture_clean(&fixture), 0);
    EXPECT_EQ(leftover_groups(fixture.config.instance), 0);
}
