/* See nodes_rules.h. */
#include "controlplane/api/admin/nodes_rules.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "controlplane/replica/members_plan.h"
#include "proto/member_check.h"

static const struct replica_member_status *member_of(const struct replica_status *group,
                                                     uint64_t id)
{
    for (unsigned i = 0; i < group->member_count; i++)
        if (group->members[i].member.id == id)
            return &group->members[i];
    return NULL;
}

static enum replica_membership membership_of(const struct replica_status *group, uint64_t id)
{
    const struct replica_member_status *member = member_of(group, id);

    return member == NULL ? REPLICA_OUTSIDE : member->membership;
}

static bool is_out(const struct replica_status *group, uint64_t id)
{
    return membership_of(group, id) == REPLICA_OUTSIDE;
}

static bool votes(const struct replica_status *group, uint64_t id)
{
    return membership_of(group, id) == REPLICA_VOTER;
}

static bool group_settled(const struct member_list *rows, const struct replica_status *group)
{
    unsigned wanted = 0;
    unsigned voting = 0;

    for (size_t i = 0; i < rows->count; i++) {
        const Lapwing__Member *row = rows->members[i];

        if (row->removed != is_out(group, row->id))
            return false;
        wanted += !row->removed;
        voting += votes(group, row->id);
    }
    return voting >= members_voters_wanted(wanted);
}

bool nodes_settled(const struct member_list *rows,
                   const struct replica_status *control,
                   const struct replica_status *storage)
{
    return rows->count > 0 && group_settled(rows, control) && group_settled(rows, storage);
}

const char *nodes_state(const Lapwing__Member *row,
                        const struct replica_status *control,
                        const struct replica_status *storage)
{
    if (row->removed)
        return is_out(control, row->id) && is_out(storage, row->id) ? "removed" : "leaving";
    if (votes(control, row->id) && votes(storage, row->id))
        return "voter";
    return is_out(control, row->id) || is_out(storage, row->id) ? "joining" : "standby";
}

static json_t *place_json(const struct replica_status *group, uint64_t id)
{
    static const char *const texts[] = { "outside", "standby", "voter" };
    const struct replica_member_status *member = member_of(group, id);
    json_t *out = json_pack("{s:s, s:b, s:b}", "membership", texts[membership_of(group, id)],
                            "leader", (int)(group->leader_id == id), "connected",
                            (int)(member != NULL && member->connected));

    if (member != NULL && group->role == REPLICA_LEADER) /* nobody else knows */
        (void)json_object_set_new(
            out, "lag",
            json_integer(
                (json_int_t)(group->last - (id == group->self_id ? group->last : member->match))));
    return out;
}

json_t *nodes_json(const struct member_list *rows,
                   const struct replica_status *control,
                   const struct replica_status *storage,
                   bool fresh)
{
    json_t *nodes = json_array();

    for (size_t i = 0; i < rows->count; i++) {
        const Lapwing__Member *row = rows->members[i];
        const char *state = nodes_state(row, control, storage);

        if (strcmp(state, "removed") == 0)
            continue;
        json_array_append_new(nodes,
                              json_pack("{s:I, s:s, s:s, s:s, s:s, s:I, s:s, s:o, s:o}", "id",
                                        (json_int_t)row->id, "node", row->node, "zone", row->zone,
                                        "control_address", row->control_address, "storage_address",
                                        row->storage_address, "replaces", (json_int_t)row->replaces,
                                        "state", state, "control", place_json(control, row->id),
                                        "storage", place_json(storage, row->id)));
    }
    return json_pack("{s:o, s:b, s:b}", "nodes", nodes, "settled",
                     (int)nodes_settled(rows, control, storage), "fresh", (int)fresh);
}

/* ---- what is asked ---- */

static bool is_one_of(const char *name, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

/* A name that is not ours is a slip: with "replace" for "replaces" a node would be added and none
 * would go. */
static enum status names_check(json_t *root,
                               const char *const *names,
                               size_t count,
                               struct err *err)
{
    const char *name;
    json_t *value;

    json_object_foreach(root, name, value)
    {
        struct buf list = { 0 };

        if (is_one_of(name, names, count))
            continue;
        for (size_t i = 0; i < count; i++)
            buf_printf(&list, "%s%s", i > 0 ? ", " : "", names[i]);
        (void)err_set(err, ST_BAD_INPUT, "%.64s: no such field, want %s", name, buf_text(&list));
        buf_done(&list);
        return ST_BAD_INPUT;
    }
    return ST_OK;
}

static json_t *read_object(struct bytes body,
                           const char *const *names,
                           size_t count,
                           struct err *err)
{
    json_t *root = json_loadb((const char *)body.data, body.len, JSON_REJECT_DUPLICATES, NULL);

    if (!json_is_object(root))
        (void)err_set(err, ST_BAD_INPUT, "body: want a JSON object, each name once");
    else if (names_check(root, names, count, err) == ST_OK)
        return root;
    json_decref(root);
    return NULL;
}

static enum status read_text(const json_t *root, const char *name, char **out, struct err *err)
{
    const json_t *value = json_object_get(root, name);

    if (!json_is_string(value))
        return err_set(err, ST_BAD_INPUT, "%s: want a text", name);
    *out = (char *)json_string_value(value);
    return ST_OK;
}

static enum status read_number(
    const json_t *root, const char *name, bool optional, uint64_t *out, struct err *err)
{
    const json_t *value = json_object_get(root, name);

    if (value == NULL && optional) {
        *out = 0;
        return ST_OK;
    }
    if (!json_is_integer(value) || json_integer_value(value) < (optional ? 0 : 1))
        return err_set(err, ST_BAD_INPUT, "%s: want a member's id, a whole number from %d", name,
                       optional ? 0 : 1);
    *out = (uint64_t)json_integer_value(value);
    return ST_OK;
}

static enum status read_member(const json_t *root, Lapwing__Member *member, struct err *err)
{
    enum status st = read_text(root, "node", &member->node, err);

    if (st == ST_OK)
        st = read_text(root, "zone", &member->zone, err);
    if (st == ST_OK)
        st = read_text(root, "control_address", &member->control_address, err);
    if (st == ST_OK)
        st = read_text(root, "storage_address", &member->storage_address, err);
    if (st == ST_OK)
        st = read_number(root, "replaces", true, &member->replaces, err);
    return st;
}

enum status nodes_read_add(struct bytes body, struct buf *out, struct err *err)
{
    static const char *const names[] = { "node", "zone", "control_address", "storage_address",
                                         "replaces" };
    json_t *root = read_object(body, names, ARRAY_LEN(names), err);
    Lapwing__MemberAdd add = LAPWING__MEMBER_ADD__INIT;
    Lapwing__Member member = LAPWING__MEMBER__INIT;
    enum status st;
    size_t len;

    if (root == NULL)
        return ST_BAD_INPUT;
    add.member = &member;
    st = read_member(root, &member, err);
    if (st == ST_OK)
        st = member_add_check(&add, err);
    if (st == ST_OK) {
        len = lapwing__member_add__get_packed_size(&add);
        out->len = lapwing__member_add__pack(&add, buf_reserve(out, len));
    }
    json_decref(root);
    return st;
}

enum status nodes_read_id(struct bytes body, bool optional, uint64_t *out, struct err *err)
{
    static const char *const names[] = { "id" };
    json_t *root = read_object(body, names, ARRAY_LEN(names), err);
    enum status st = root == NULL ? ST_BAD_INPUT : read_number(root, "id", optional, out, err);

    json_decref(root);
    return st;
}
