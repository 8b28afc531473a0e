#include "controlplane/api/admin/nodes_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"

enum { IDS_MAX = 6 };

/* Members as text, a word each: v, s or - for voter, standby or outside in group control, the same
 * in group storage, and x for one that is to go. */
static const struct {
    const char *members;
    const char *states; /* a letter each: j s v l r */
    bool settled;
} rows[] = {
    { "vv vv vv", "vvv", true },          { "vv vv vv --", "vvvj", false },
    { "vv vv vv s-", "vvvj", false },     { "vv vv vv ss", "vvvs", true },
    { "vv vv vv ss ss", "vvvss", false }, { "vv vv vv vs ss", "vvvss", false },
    { "vv vv vv vv vv", "vvvvv", true },  { "vv vv vv vvx", "vvvl", false },
    { "vv vv vv -vx", "vvvl", false },    { "vv vv vv --x", "vvvr", true },
    { "vv vv vvx", "vvl", false },        { "vv vv vvx ss", "vvls", false },
    { "vv vv --x vv", "vvrv", true },     { "vv vv vv sv", "vvvs", true },
};

struct cluster {
    struct member_list list;
    Lapwing__Member members[IDS_MAX];
    Lapwing__Member *pointers[IDS_MAX];
    struct replica_status control;
    struct replica_status storage;
};

static void put(struct replica_status *group, uint64_t id, char letter)
{
    struct replica_member_status *member = &group->members[group->member_count++];

    member->member.id = id;
    member->membership = letter == 'v'   ? REPLICA_VOTER
                         : letter == 's' ? REPLICA_STANDBY
                                         : REPLICA_OUTSIDE;
}

static void read_cluster(struct cluster *cluster, const char *text)
{
    memset(cluster, 0, sizeof *cluster);
    cluster->list.members = cluster->pointers;
    for (size_t i = 0; *text != '\0'; i++) {
        size_t len = strcspn(text, " ");

        CHECK(i < IDS_MAX);
        lapwing__member__init(&cluster->members[i]);
        cluster->members[i].id = i + 1;
        cluster->members[i].removed = len == 3;
        cluster->pointers[i] = &cluster->members[i];
        cluster->list.count = i + 1;
        put(&cluster->control, i + 1, text[0]);
        put(&cluster->storage, i + 1, text[1]);
        text += len + strspn(text + len, " ");
    }
}

TEST(a_node_is_what_both_groups_make_of_it)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct cluster cluster;

        test_case = rows[i].members;
        read_cluster(&cluster, rows[i].members);
        EXPECT_EQ(cluster.list.count, strlen(rows[i].states));
        for (size_t k = 0; k < cluster.list.count; k++)
            EXPECT_EQ(nodes_state(&cluster.members[k], &cluster.control, &cluster.storage)[0],
                      rows[i].states[k]);
        EXPECT_EQ(nodes_settled(&cluster.list, &cluster.control, &cluster.storage),
                  rows[i].settled);
    }
}

TEST(who_is_out_is_not_listed_and_the_leader_tells_how_far_others_are)
{
    struct cluster cluster;
    json_t *answer;
    json_t *node;

    read_cluster(&cluster, "vv vv vv --x");
    cluster.control.role = REPLICA_LEADER;
    cluster.control.self_id = cluster.control.leader_id = 1;
    cluster.control.last = 100;
    cluster.control.members[1].match = 90;
    answer = nodes_json(&cluster.list, &cluster.control, &cluster.storage, true);
    EXPECT_EQ(json_array_size(json_object_get(answer, "nodes")), 3);
    node = json_array_get(json_object_get(answer, "nodes"), 1);
    EXPECT_EQ(json_integer_value(json_object_get(json_object_get(node, "control"), "lag")), 10);
    EXPECT(json_object_get(json_object_get(node, "storage"), "lag") == NULL);
    EXPECT(json_is_true(json_object_get(answer, "settled")));
    json_decref(answer);
}

static const struct {
    const char *body;
    enum status want;
    const char *says;
} bodies[] = {
    { "{\"node\":\"d\",\"zone\":\"a\",\"control_address\":\"1.1.1.1:1\","
      "\"storage_address\":\"1.1.1.1:2\"}",
      ST_OK, "" },
    { "{\"node\":\"d\",\"zone\":\"a\",\"control_address\":\"1.1.1.1:1\","
      "\"storage_address\":\"1.1.1.1:2\",\"replaces\":2}",
      ST_OK, "" },
    { "{\"node\":\"d\",\"zone\":\"a\",\"control_address\":\"1.1.1.1:1\","
      "\"storage_address\":\"1.1.1.1:2\",\"replaces\":-2}",
      ST_BAD_INPUT, "replaces" },
    { "{\"node\":\"d\",\"zone\":\"a\",\"control_address\":\"1.1.1.1:1\"}", ST_BAD_INPUT,
      "storage_address" },
    { "{\"node\":\"d d\",\"zone\":\"a\",\"control_address\":\"1.1.1.1:1\","
      "\"storage_address\":\"1.1.1.1:2\"}",
      ST_BAD_INPUT, "node" },
    { "{\"node\":4}", ST_BAD_INPUT, "node" },
    { "{\"node\":\"d\",\"zone\":\"a\",\"control_address\":\"1.1.1.1:1\","
      "\"storage_address\":\"1.1.1.1:2\",\"replace\":2}",
      ST_BAD_INPUT,
      "replace: no such field, want node, zone, control_address, storage_address, replaces" },
    { "{\"node\":\"d\",\"node\":\"e\"}", ST_BAD_INPUT, "body: want a JSON object, each name once" },
    { "[]", ST_BAD_INPUT, "body" },
    { "", ST_BAD_INPUT, "body" },
};

TEST(a_node_to_be_added_is_read_or_refused_with_the_field_that_is_wrong)
{
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct buf out = { 0 };
        struct err err = { 0 };

        test_case = bodies[i].body;
        EXPECT_EQ(nodes_read_add(bytes_of_text(bodies[i].body), &out, &err), bodies[i].want);
        EXPECT_EQ(strncmp(err.text, bodies[i].says, strlen(bodies[i].says)), 0);
        EXPECT_EQ(out.len > 0, bodies[i].want == ST_OK);
        buf_done(&out);
    }
}

TEST(an_id_may_be_left_out_only_where_it_says_so)
{
    uint64_t id = 9;

    EXPECT_EQ(nodes_read_id(bytes_of_text("{\"id\":3}"), false, &id, NULL), ST_OK);
    EXPECT_EQ(id, 3);
    EXPECT_EQ(nodes_read_id(bytes_of_text("{}"), true, &id, NULL), ST_OK);
    EXPECT_EQ(id, 0);
    EXPECT_EQ(nodes_read_id(bytes_of_text("{}"), false, &id, NULL), ST_BAD_INPUT);
    EXPECT_EQ(nodes_read_id(bytes_of_text("{\"id\":0}"), false, &id, NULL), ST_BAD_INPUT);
    EXPECT_EQ(nodes_read_id(bytes_of_text("{\"id\":\"3\"}"), false, &id, NULL), ST_BAD_INPUT);
    EXPECT_EQ(nodes_read_id(bytes_of_text("{\"node\":3}"), true, &id, NULL), ST_BAD_INPUT);
}
