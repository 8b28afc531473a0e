#include "controlplane/state/members.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "tests/unit/check.h"
#include "tests/unit/state_fixture.h"

static enum status raise_version(struct fixture *fixture)
{
    Lapwing__RaiseClusterVersion raise = LAPWING__RAISE_CLUSTER_VERSION__INIT;

    raise.cluster_version = 2;
    return fixture_apply(fixture, LAPWING__COMMAND_TYPE__RAISE_CLUSTER_VERSION, &raise.base);
}

/* Texts of a member: its name, and addresses made of a number. */
struct texts {
    char node[32];
    char control[32];
    char storage[32];
};

static void fill(Lapwing__Member *member, struct texts *texts, const char *node, unsigned number)
{
    lapwing__member__init(member);
    (void)snprintf(texts->node, sizeof texts->node, "%s", node);
    (void)snprintf(texts->control, sizeof texts->control, "10.0.0.%u:1", number);
    (void)snprintf(texts->storage, sizeof texts->storage, "10.0.0.%u:2", number);
    member->node = texts->node;
    member->zone = "a";
    member->control_address = texts->control;
    member->storage_address = texts->storage;
}

static enum status bootstrap(struct fixture *fixture, unsigned count)
{
    Lapwing__MemberBootstrap cmd = LAPWING__MEMBER_BOOTSTRAP__INIT;
    Lapwing__Member members[NODES_MAX];
    Lapwing__Member *list[NODES_MAX];
    struct texts texts[NODES_MAX];
    char node[8];

    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(node, sizeof node, "n%u", i + 1);
        fill(&members[i], &texts[i], node, i + 1);
        members[i].id = i + 1;
        list[i] = &members[i];
    }
    cmd.members = list;
    cmd.n_members = count;
    return fixture_apply(fixture, LAPWING__COMMAND_TYPE__MEMBER_BOOTSTRAP, &cmd.base);
}

static enum status add(struct fixture *fixture,
                       const char *node,
                       unsigned number,
                       uint64_t replaces)
{
    Lapwing__MemberAdd cmd = LAPWING__MEMBER_ADD__INIT;
    Lapwing__Member member;
    struct texts texts;

    fill(&member, &texts, node, number);
    member.replaces = replaces;
    cmd.member = &member;
    return fixture_apply(fixture, LAPWING__COMMAND_TYPE__MEMBER_ADD, &cmd.base);
}

static enum status remove_member(struct fixture *fixture, uint64_t id)
{
    Lapwing__MemberRemove cmd = LAPWING__MEMBER_REMOVE__INIT;

    cmd.id = id;
    return fixture_apply(fixture, LAPWING__COMMAND_TYPE__MEMBER_REMOVE, &cmd.base);
}

static void start(struct fixture *fixture, unsigned count)
{
    fixture_open(fixture, ":memory:", STATE_GROUP_CONTROL);
    EXPECT_EQ(raise_version(fixture), ST_OK);
    EXPECT_EQ(bootstrap(fixture, count), ST_OK);
}

/* Ids of those that are there, as a number: 134 for 1, 3 and 4. */
static unsigned present(struct fixture *fixture)
{
    struct member_list list = { 0 };
    unsigned out = 0;

    EXPECT_EQ(state_list_members(fixture->reader, &list, NULL), ST_OK);
    for (size_t i = 0; i < list.count; i++)
        if (!list.members[i]->removed)
            out = out * 10 + (unsigned)list.members[i]->id;
    member_list_done(&list);
    return out;
}

static uint64_t answered_id(const struct fixture *fixture)
{
    Lapwing__Member *member =
        lapwing__member__unpack(NULL, fixture->last->body.len, fixture->last->body.data);
    uint64_t id = member == NULL ? 0 : member->id;

    if (member != NULL)
        lapwing__member__free_unpacked(member, NULL);
    return id;
}

TEST(nobody_is_known_before_cluster_version_2)
{
    struct fixture fixture = { 0 };

    fixture_open(&fixture, ":memory:", STATE_GROUP_CONTROL);
    EXPECT_EQ(present(&fixture), 0);
    EXPECT_EQ(bootstrap(&fixture, 3), ST_UNSUPPORTED);
    EXPECT_EQ(raise_version(&fixture), ST_OK);
    EXPECT_EQ(present(&fixture), 0);
    EXPECT_EQ(add(&fixture, "n4", 4, 0), ST_CONFLICT);
    EXPECT_TEXT(fixture.last->reason, "members_unknown");
    fixture_done(&fixture);
}

TEST(the_first_members_are_said_once)
{
    struct fixture fixture = { 0 };

    start(&fixture, 3);
    EXPECT_EQ(present(&fixture), 123);
    EXPECT_EQ(bootstrap(&fixture, 5), ST_EXISTS);
    EXPECT_EQ(present(&fixture), 123);
    fixture_done(&fixture);
}

TEST(an_id_is_never_given_twice)
{
    struct fixture fixture = { 0 };

    start(&fixture, 3);
    EXPECT_EQ(add(&fixture, "n4", 4, 0), ST_OK);
    EXPECT_EQ(answered_id(&fixture), 4);
    EXPECT_EQ(remove_member(&fixture, 4), ST_OK);
    EXPECT_EQ(answered_id(&fixture), 4);
    EXPECT_EQ(add(&fixture, "n4", 4, 0), ST_OK); /* its name and addresses may be taken again */
    EXPECT_EQ(answered_id(&fixture), 5);
    EXPECT_EQ(present(&fixture), 1235);
    fixture_done(&fixture);
}

TEST(who_is_replaced_goes_in_the_same_step_and_leaves_its_name)
{
    struct fixture fixture = { 0 };

    start(&fixture, 3);
    EXPECT_EQ(add(&fixture, "n2", 2, 2), ST_OK);
    EXPECT_EQ(answered_id(&fixture), 4);
    EXPECT_EQ(present(&fixture), 134);
    EXPECT_EQ(add(&fixture, "n5", 5, 2), ST_CONFLICT);
    EXPECT_TEXT(fixture.last->reason, "member_removed");
    EXPECT_EQ(add(&fixture, "n5", 5, 9), ST_NOT_FOUND);
    EXPECT_TEXT(fixture.last->reason, "member_unknown");
    fixture_done(&fixture);
}

TEST(no_two_members_share_a_name_or_an_address)
{
    struct fixture fixture = { 0 };

    start(&fixture, 3);
    EXPECT_EQ(add(&fixture, "n2", 7, 0), ST_EXISTS);
    EXPECT_EQ(add(&fixture, "n2", 7, 1), ST_EXISTS); /* of another than the replaced one */
    EXPECT_EQ(add(&fixture, "n7", 3, 0), ST_EXISTS);
    EXPECT_TEXT(fixture.last->reason, "member_exists");
    EXPECT_EQ(present(&fixture), 123);
    fixture_done(&fixture);
}

TEST(three_members_stay_and_seven_is_the_most)
{
    struct fixture fixture = { 0 };
    char node[8];

    start(&fixture, 3);
    EXPECT_EQ(remove_member(&fixture, 1), ST_LIMIT);
    EXPECT_TEXT(fixture.last->reason, "members_min");
    for (unsigned i = 4; i <= MEMBERS_MAX; i++) {
        (void)snprintf(node, sizeof node, "n%u", i);
        EXPECT_EQ(add(&fixture, node, i, 0), ST_OK);
    }
    EXPECT_EQ(add(&fixture, "n8", 8, 0), ST_LIMIT);
    EXPECT_TEXT(fixture.last->reason, "members_max");
    EXPECT_EQ(add(&fixture, "n8", 8, 1), ST_OK); /* one for another */
    EXPECT_EQ(remove_member(&fixture, 2), ST_OK);
    EXPECT_EQ(remove_member(&fixture, 2), ST_CONFLICT);
    EXPECT_EQ(remove_member(&fixture, 99), ST_NOT_FOUND);
    for (unsigned i = 3; i <= MEMBERS_MAX + 1 - MEMBERS_MIN; i++)
        EXPECT_EQ(remove_member(&fixture, i), ST_OK);
    EXPECT_EQ(present(&fixture), 678);
    EXPECT_EQ(remove_member(&fixture, 6), ST_LIMIT);
    fixture_done(&fixture);
}
