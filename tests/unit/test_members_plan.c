#include "controlplane/replica/members_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

/* A group as text, a word a member: its id, then a letter for each thing that is so.
 *
 *   V votes   S stands by   - is not in the group
 *   d is not there   f has a full disk   b lacks most of the log   x shall be a member no more   ?
 * has no row a zone "a", else "z"
 *
 * Member 1 leads. */
static const struct {
    const char *name;
    const char *group;
    enum members_step step;
    uint64_t id;
} rows[] = {
    { "three of three", "1V 2V 3V", MEMBERS_SETTLED, 0 },
    { "a fourth is added", "1V 2V 3V 4-", MEMBERS_ADD, 4 },
    { "the lowest first", "1V 2V 3V 4- 5-", MEMBERS_ADD, 4 },
    { "one that is not there is added all the same", "1V 2V 3V 4-d", MEMBERS_ADD, 4 },
    { "a fourth does not vote", "1V 2V 3V 4S", MEMBERS_SETTLED, 0 },
    { "a fifth makes two more voters", "1V 2V 3V 4S 5S", MEMBERS_PROMOTE, 4 },
    { "and the second", "1V 2V 3V 4V 5S", MEMBERS_PROMOTE, 5 },
    { "a sixth and seventh do not vote", "1V 2V 3V 4V 5V 6S 7S", MEMBERS_SETTLED, 0 },
    { "not before it has the log", "1V 2V 3V 4Sb 5Sb", MEMBERS_SETTLED, 0 },
    { "the one that has it", "1V 2V 3V 4Sb 5S", MEMBERS_PROMOTE, 5 },
    { "not one that is not there", "1V 2V 3V 4Sd 5S", MEMBERS_PROMOTE, 5 },
    { "the zone with fewest voters first", "1Va 2Va 3V 4Sa 5S", MEMBERS_PROMOTE, 5 },
    { "not when too few would be there", "1V 2Vd 3Vd 4S 5S", MEMBERS_SETTLED, 0 },
    { "four voters with one lost stand no more loss, but five do", "1V 2V 3Vd 4S 5S",
      MEMBERS_PROMOTE, 4 },

    { "a voter of five goes", "1V 2V 3V 4V 5Vx", MEMBERS_REMOVE, 5 },
    { "and four stay voters", "1V 2V 3V 4V", MEMBERS_SETTLED, 0 },
    { "then another", "1V 2V 3V 4Vx", MEMBERS_REMOVE, 4 },
    { "one that stands by goes first", "1V 2V 3V 4Vx 5Sx", MEMBERS_REMOVE, 5 },
    { "one that is not there goes before one that is", "1V 2V 3V 4Vx 5Vxd", MEMBERS_REMOVE, 5 },
    { "the leader hands over", "1Vx 2V 3V 4V", MEMBERS_HAND_OVER, 2 },
    { "and goes last", "1Vx 2V 3V 4Vx 5V", MEMBERS_REMOVE, 4 },
    { "not to one that goes or is not there", "1Vx 2Vd 3V 4V 5V", MEMBERS_HAND_OVER, 3 },
    { "not to one that would hand it back", "1Vx 2Vf 3Vb 4V 5V", MEMBERS_HAND_OVER, 4 },
    { "rather to one that lacks much", "1Vx 2Vf 3Vb 4Vf", MEMBERS_HAND_OVER, 3 },
    { "waits while its own disk alone is fit", "1Vx 2Vf 3Vf 4Vf", MEMBERS_SETTLED, 0 },
    { "does not when none is", "1Vxf 2Vfb 3Vf 4Vf", MEMBERS_HAND_OVER, 3 },
    { "not when too few would be there", "1V 2Vd 3Vx", MEMBERS_SETTLED, 0 },
    { "a spare one takes the place before", "1V 2V 3Vx 4S", MEMBERS_PROMOTE, 4 },

    { "replaced: the new one is added", "1V 2V 3Vx 4-", MEMBERS_ADD, 4 },
    { "replaced: nothing goes before the new one has the log", "1V 2V 3Vx 4Sb", MEMBERS_SETTLED,
      0 },
    { "replaced: the new one votes", "1V 2V 3Vx 4S", MEMBERS_PROMOTE, 4 },
    { "replaced: the old one goes", "1V 2V 3Vx 4V", MEMBERS_REMOVE, 3 },
    { "replaced when dead: the new one is added", "1V 2V 3Vxd 4-", MEMBERS_ADD, 4 },
    { "replaced when dead: not before the new one has the log", "1V 2V 3Vxd 4Sb", MEMBERS_SETTLED,
      0 },
    { "replaced when dead: the old one goes", "1V 2V 3Vxd 4S", MEMBERS_REMOVE, 3 },
    { "replaced when dead: the new one votes", "1V 2V 4S", MEMBERS_PROMOTE, 4 },
    { "replaced when dead, of five", "1V 2V 3V 4V 5Vxd 6S", MEMBERS_REMOVE, 5 },

    { "a group of one stays one with two", "1V 2S", MEMBERS_SETTLED, 0 },
    { "a group of one grows with three", "1V 2S 3S", MEMBERS_PROMOTE, 2 },
    { "nobody is known: nothing is changed", "1V? 2V? 3V?", MEMBERS_SETTLED, 0 },
    { "a member without a row is left alone", "1V 2V 3V 4V?", MEMBERS_SETTLED, 0 },
    { "a full group makes room first", "1V 2Vx 3Vx 4Vx 5Vx 6Vx 7S 8Sb 9Sb 10-", MEMBERS_PROMOTE,
      7 },
    { "though nobody can vote instead yet", "1V 2Vx 3Vx 4Vx 5Vx 6V 7Sb 8Sb 9Sb 10-", MEMBERS_REMOVE,
      2 },
};

enum { LAST = 1000, IDS_MAX = 10 };

struct group {
    struct members_view view;
    struct member_want wants[IDS_MAX];
    struct member_server servers[IDS_MAX];
};

static void read_member(struct group *group, const char *word)
{
    char *rest;
    uint64_t id = strtoull(word, &rest, 10);
    const char *end = rest + strcspn(rest, " ");
    size_t len = (size_t)(end - rest);

    if (memchr(rest, '?', len) == NULL) {
        struct member_want *want = &group->wants[group->view.want_count++];

        want->id = id;
        want->removed = memchr(rest, 'x', len) != NULL;
        (void)snprintf(want->zone, sizeof want->zone, "%c", memchr(rest, 'a', len) ? 'a' : 'z');
    }
    if (memchr(rest, '-', len) != NULL)
        return;
    group->servers[group->view.server_count++] = (struct member_server){
        .id = id,
        .voter = memchr(rest, 'V', len) != NULL,
        .up = memchr(rest, 'd', len) == NULL,
        .fit = memchr(rest, 'f', len) == NULL,
        .match = memchr(rest, 'b', len) != NULL ? 10 : LAST,
    };
}

static void read_group(struct group *group, const char *text)
{
    memset(group, 0, sizeof *group);
    group->view.self = 1;
    group->view.last = LAST;
    group->view.wants = group->wants;
    group->view.servers = group->servers;
    while (*text != '\0') {
        read_member(group, text);
        text += strcspn(text, " ");
        text += strspn(text, " ");
    }
}

TEST(the_next_change_is_the_one_that_is_wanted_and_leaves_a_majority)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct members_change change;
        struct group group;

        test_case = rows[i].name;
        read_group(&group, rows[i].group);
        change = members_plan(&group.view);
        EXPECT_EQ(change.step, rows[i].step);
        EXPECT_EQ(change.id, rows[i].id);
    }
}

/* By members that are wanted. */
static const unsigned voters[] = { 0, 1, 1, 3, 3, 5, 5, 5, 5, 5 };

TEST(an_odd_number_votes_and_five_at_most)
{
    for (unsigned i = 0; i < ARRAY_LEN(voters); i++)
        EXPECT_EQ(members_voters_wanted(i), voters[i]);
}
