/* What environments can reach, and what is left of their networks; needs root.
 *
 * The test's own network namespace plays the host, so nothing of the real host is touched:
 *
 *   environment -- router -- uplink -- this process ("host") -- out0/eth0 -- a child ("outside")
 *                                      198.51.100.1             198.51.100.2 and 203.0.113.9 */
#include <arpa/inet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/cluster/spawner_fixture.h"
#include "tests/unit/check.h"

#define REFUSED_ADDRESS "203.0.113.9"

static struct fixture fixture;
static struct run run;
static pid_t outside;

__attribute__((constructor)) static void skip_where_it_cannot_run(void)
{
    fixture_skip_if(fixture_missing());
    if (system("command -v nft >/dev/null && command -v ip >/dev/null") != 0)
        fixture_skip_if("needs nft and ip");
    if (unshare(CLONE_NEWNET) < 0)
        fixture_skip_if("needs network namespaces");
}

static void command(const char *format, int value)
{
    char text[512];

    (void)snprintf(text, sizeof text, format, value);
    CHECK(system(text) == 0);
}

static void listen_everywhere(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(8080) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(fd, 64) == 0);
}

static void run_outside(int said, int told)
{
    char byte;

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    CHECK(unshare(CLONE_NEWNET) == 0);
    CHECK(write(said, "1", 1) == 1);
    CHECK(read(told, &byte, 1) == 1);
    command("ip addr add 198.51.100.2/24 dev eth0; ip link set eth0 up; ip link set lo up; "
            "ip addr add " REFUSED_ADDRESS "/32 dev lo",
            0);
    listen_everywhere();
    CHECK(write(said, "2", 1) == 1);
    for (;;)
        (void)pause();
}

static void make_outside(void)
{
    int said[2];
    int told[2];
    char byte;

    if (outside > 0)
        return;
    CHECK(pipe(said) == 0 && pipe(told) == 0);
    outside = fork();
    if (outside == 0)
        run_outside(said[1], told[0]);
    CHECK(read(said[0], &byte, 1) == 1);
    command("ip link set lo up; ip link add out0 type veth peer name eth0 netns %d; "
            "ip addr add 198.51.100.1/24 dev out0; ip link set out0 up; "
            "ip route add default via 198.51.100.2",
            (int)outside);
    CHECK(write(told[1], "1", 1) == 1);
    CHECK(read(said[0], &byte, 1) == 1);
    listen_everywhere();
}

static const char *connect_from_inside(const char *address)
{
    fixture_run(&fixture, (const char *const[]){ "connect", address, "8080", NULL }, &run);
    run.output[strcspn(run.output, "\n")] = '\0';
    return run.output;
}

static bool table_there(void)
{
    char text[128];

    (void)snprintf(text, sizeof text, "nft list table inet lapwing-%s >/dev/null 2>&1",
                   fixture.config.instance);
    return system(text) == 0;
}

/* Interfaces of the uplink's kind; the kernel takes a namespace apart a little after its end. */
static unsigned uplinks(void)
{
    unsigned count = 0;

    for (int tries = 0; tries < 100; tries++) {
        struct if_nameindex *list = if_nameindex();

        count = 0;
        for (struct if_nameindex *one = list; one != NULL && one->if_index != 0; one++)
            count += strncmp(one->if_name, "lwu-", 4) == 0;
        if_freenameindex(list);
        if (count == 0)
            break;
        (void)poll(NULL, 0, 20);
    }
    return count;
}

static void start_with(const char *allow, const char *refuse)
{
    struct err err = { 0 };

    make_outside();
    fixture_prepare(&fixture, true);
    CHECK(ipv4_networks_parse(refuse, &fixture.config.refused, &err) == ST_OK);
    CHECK(ipv4_networks_parse(allow, &fixture.config.allowed, &err) == ST_OK);
    fixture_launch(&fixture);
}

static void start(void)
{
    start_with("0.0.0.0/0", REFUSED_ADDRESS);
}

TEST(outside_is_reached_and_host_cluster_metadata_and_neighbours_are_not)
{
    static const char *const refused[] = {
        REFUSED_ADDRESS,                    /* a node of the cluster */
        "198.51.100.1",                     /* the host */
        "10.254.240.3",                     /* the host's end of the uplink */
        "10.254.240.1",                     /* the router */
        "10.254.240.2",  "169.254.169.254", /* metadata */
    };
    struct spawner_message message;

    start();
    EXPECT_TEXT(connect_from_inside("198.51.100.2"), "connect ok");
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        test_case = refused[i];
        EXPECT(strncmp(connect_from_inside(refused[i]), "connect E", 9) == 0);
        if (getenv("LAPWING_TEST_SHOW") != NULL)
            (void)fprintf(stderr, "%s: %s\n", refused[i], run.output);
    }
    fixture_ask(&fixture, 1, (const char *const[]){ "listen", "8080", NULL });
    EXPECT(fixture_receive(&fixture, &message));
    for (int place = 16; place < 40; place++) {
        char address[32];

        (void)snprintf(address, sizeof address, "10.254.240.%d", place);
        test_case = address;
        const char *said = connect_from_inside(address);
        EXPECT(strncmp(said, "connect E", 9) == 0);
        test_case = NULL;
    }
    spawner_message_done(&message);
    EXPECT_EQ(fixture_stop(&fixture), 0);
}

/* Lists as people write them: networks within networks, and within the environments' own. */
TEST(only_allowed_networks_are_reached_and_refused_ones_never)
{
    static const struct {
        const char *name, *allow, *refuse;
        bool outside, refused;
    } lists[] = {
        { "all", "0.0.0.0/0", "", true, true },
        { "some", "192.0.2.0/24, 198.51.100.0/24", "", true, false },
        { "others", "192.0.2.0/24", "", false, false },
        { "refuse goes first", "198.51.100.0/24, 203.0.113.0/24", "203.0.113.9", true, false },
        { "one holds another", "0.0.0.0/0, 198.51.100.0/24",
          "203.0.113.0/24, 203.0.113.9, 10.0.0.0/8", true, false },
    };

    for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
        start_with(lists[i].allow, lists[i].refuse);
        test_case = lists[i].name;
        EXPECT_EQ(strcmp(connect_from_inside("198.51.100.2"), "connect ok") == 0, lists[i].outside);
        EXPECT_EQ(strcmp(connect_from_inside(REFUSED_ADDRESS), "connect ok") == 0,
                  lists[i].refused);
        test_case = NULL;
        EXPECT_EQ(fixture_stop(&fixture), 0);
    }
}

/* Of this namespace, which is the host here. */
static unsigned connections_tracked(void)
{
    FILE *file = fopen("/proc/sys/net/netfilter/nf_conntrack_count", "re");
    unsigned count = 0;

    CHECK(file != NULL && fscanf(file, "%u", &count) == 1);
    (void)fclose(file);
    return count;
}

TEST(an_environment_cannot_fill_the_hosts_table_of_connections)
{
    unsigned before;

    start();
    before = connections_tracked();
    fixture_run(&fixture, (const char *const[]){ "datagrams", "198.51.100.2", "3000", NULL }, &run);
    EXPECT(connections_tracked() - before > 1900); /* what is allowed is */
    EXPECT(connections_tracked() - before <= 2048);
    EXPECT_TEXT(connect_from_inside("198.51.100.2"), "connect ok"); /* another's address */
    EXPECT_EQ(fixture_stop(&fixture), 0);
}

TEST(nothing_is_left_after_an_orderly_end)
{
    start();
    EXPECT_TEXT(connect_from_inside("198.51.100.2"), "connect ok");
    EXPECT(table_there());
    EXPECT_EQ(fixture_stop(&fixture), 0);
    EXPECT(!table_there());
    EXPECT_EQ(uplinks(), 0);
    EXPECT_EQ(leftover_groups(fixture.config.instance), 0);
}

TEST(after_kill_9_of_the_spawner_environments_die_and_clean_removes_the_rest)
{
    uid_t uid = fixture.config.uid_base;
    struct spawner_message message;

    start();
    for (unsigned slot = 0; slot < 3; slot++) {
        fixture_ask(&fixture, slot, (const char *const[]){ "wait", NULL });
        EXPECT(fixture_receive(&fixture, &message));
        EXPECT_EQ(message.message->reply->status, ST_OK);
        spawner_message_done(&message);
    }
    /* Each with its init, which may not have got to its fork yet. */
    for (int tries = 0; tries < 100 && leftover_processes(uid, uid + 100) < 6; tries++)
        (void)poll(NULL, 0, 10);
    EXPECT_EQ(leftover_processes(uid, uid + 100), 6);
    fixture_kill(&fixture);
    for (int tries = 0; tries < 100 && leftover_processes(uid, uid + 100) > 0; tries++)
        (void)poll(NULL, 0, 10);
    EXPECT_EQ(leftover_processes(uid, uid + 100), 0);
    EXPECT_EQ(fixture_clean(&fixture), 0);
    EXPECT_EQ(leftover_groups(fixture.config.instance), 0);
    EXPECT(!table_there());
    EXPECT_EQ(uplinks(), 0);
}
