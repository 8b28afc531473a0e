#include "proto/member_check.h"

#include <stdlib.h>
#include <string.h>

#include "base/limits.h"
#include "tests/unit/check.h"

/* Each row is a valid member with one thing wrong. */
static const struct {
    const char *name;
    const char *node;
    const char *zone;
    const char *control;
    const char *storage;
    uint64_t id;
    bool removed;
    enum status want;
    enum status want_bootstrap; /* as the second of two */
} rows[] = {
    { "one to be added", "node-4", "b", "10.0.0.4:1", "10.0.0.4:2", 0, false, ST_OK, ST_BAD_INPUT },
    { "one with an id", "node-4", "b", "10.0.0.4:1", "10.0.0.4:2", 4, false, ST_BAD_INPUT, ST_OK },
    { "no name", "", "b", "10.0.0.4:1", "10.0.0.4:2", 0, false, ST_BAD_INPUT, ST_BAD_INPUT },
    { "a name with a space", "node 4", "b", "h:1", "h:2", 0, false, ST_BAD_INPUT, ST_BAD_INPUT },
    { "the longest name", "1234567890123456789012345678901", "b", "h:1", "h:2", 0, false, ST_OK,
      ST_BAD_INPUT },
    { "a name too long", "12345678901234567890123456789012", "b", "h:1", "h:2", 0, false,
      ST_BAD_INPUT, ST_BAD_INPUT },
    { "no zone", "node-4", "", "h:1", "h:2", 0, false, ST_BAD_INPUT, ST_BAD_INPUT },
    { "the longest zone", "node-4", "123456789012345", "h:1", "h:2", 0, false, ST_OK,
      ST_BAD_INPUT },
    { "a zone too long", "node-4", "1234567890123456", "h:1", "h:2", 0, false, ST_BAD_INPUT,
      ST_BAD_INPUT },
    { "no address", "node-4", "b", "", "h:2", 0, false, ST_BAD_INPUT, ST_BAD_INPUT },
    { "an address with a path", "node-4", "b", "h:1/x", "h:2", 0, false, ST_BAD_INPUT,
      ST_BAD_INPUT },
    { "one address for both", "node-4", "b", "h:1", "h:1", 0, false, ST_BAD_INPUT, ST_BAD_INPUT },
    { "removed", "node-4", "b", "h:1", "h:2", 0, true, ST_BAD_INPUT, ST_BAD_INPUT },
    { "the first one's id", "node-4", "b", "h:1", "h:2", 1, false, ST_BAD_INPUT, ST_BAD_INPUT },
    { "the first one's name", "node-1", "b", "h:1", "h:2", 4, false, ST_BAD_INPUT, ST_BAD_INPUT },
    { "the first one's address", "node-4", "b", "h:1", "1:2", 4, false, ST_BAD_INPUT,
      ST_BAD_INPUT },
};

TEST(a_member_that_is_wrong_is_refused)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Lapwing__Member first = LAPWING__MEMBER__INIT;
        Lapwing__Member member = LAPWING__MEMBER__INIT;
        Lapwing__Member *both[] = { &first, &member };
        Lapwing__MemberAdd add = LAPWING__MEMBER_ADD__INIT;
        Lapwing__MemberBootstrap bootstrap = LAPWING__MEMBER_BOOTSTRAP__INIT;
        struct err err = { 0 };

        test_case = rows[i].name;
        first.id = 1;
        first.node = "node-1";
        first.zone = "a";
        first.control_address = "1:1";
        first.storage_address = "1:2";
        member.id = rows[i].id;
        member.node = (char *)rows[i].node;
        member.zone = (char *)rows[i].zone;
        member.control_address = (char *)rows[i].control;
        member.storage_address = (char *)rows[i].storage;
        member.removed = rows[i].removed;
        add.member = &member;
        bootstrap.members = both;
        bootstrap.n_members = 2;
        EXPECT_EQ(member_add_check(&add, &err), rows[i].want);
        EXPECT_EQ(err.text[0] == '\0', rows[i].want == ST_OK);
        EXPECT_EQ(member_bootstrap_check(&bootstrap, NULL), rows[i].want_bootstrap);
    }
}

TEST(a_group_may_be_made_with_as_many_as_fit)
{
    char nodes[NODES_MAX][8];
    char addresses[2][NODES_MAX][8];
    Lapwing__Member members[NODES_MAX];
    Lapwing__Member *list[NODES_MAX];
    Lapwing__MemberBootstrap bootstrap = LAPWING__MEMBER_BOOTSTRAP__INIT;

    for (int i = 0; i < NODES_MAX; i++) {
        lapwing__member__init(&members[i]);
        (void)snprintf(nodes[i], sizeof nodes[i], "n%d", i);
        (void)snprintf(addresses[0][i], sizeof addresses[0][i], "c:%d", i);
        (void)snprintf(addresses[1][i], sizeof addresses[1][i], "s:%d", i);
        members[i].id = (uint64_t)i + 1;
        members[i].node = nodes[i];
        members[i].zone = "a";
        members[i].control_address = addresses[0][i];
        members[i].storage_address = addresses[1][i];
        list[i] = &members[i];
    }
    bootstrap.members = list;
    bootstrap.n_members = NODES_MAX;
    EXPECT_EQ(member_bootstrap_check(&bootstrap, NULL), ST_OK);
}

TEST(nobody_and_too_many_are_refused)
{
    Lapwing__MemberAdd add = LAPWING__MEMBER_ADD__INIT;
    Lapwing__MemberBootstrap bootstrap = LAPWING__MEMBER_BOOTSTRAP__INIT;
    Lapwing__MemberRemove remove = LAPWING__MEMBER_REMOVE__INIT;

    EXPECT_EQ(member_add_check(&add, NULL), ST_BAD_INPUT);
    EXPECT_EQ(member_bootstrap_check(&bootstrap, NULL), ST_BAD_INPUT);
    bootstrap.n_members = NODES_MAX + 1;
    EXPECT_EQ(member_bootstrap_check(&bootstrap, NULL), ST_BAD_INPUT);
    EXPECT_EQ(member_remove_check(&remove, NULL), ST_BAD_INPUT);
    remove.id = 1;
    EXPECT_EQ(member_remove_check(&remove, NULL), ST_OK);
}
