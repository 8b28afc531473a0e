/* Control-plane nodes, as an operator adds, removes and replaces them.  A row stays for ever, so
 * that no id is given twice; what the groups' members are meanwhile is the replicas' business. */
#include "controlplane/state/members.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "controlplane/state/connection.h"
#include "controlplane/state/outcome.h"
#include "controlplane/state/state_internal.h"

static Lapwing__Member *member_of_row(sqlite3_stmt *stmt)
{
    Lapwing__Member *member = must_calloc(1, sizeof *member);

    lapwing__member__init(member);
    member->id = column_number(stmt, 0);
    member->node = column_text_copy(stmt, 1);
    member->zone = column_text_copy(stmt, 2);
    member->control_address = column_text_copy(stmt, 3);
    member->storage_address = column_text_copy(stmt, 4);
    member->replaces = column_number(stmt, 5);
    member->removed = column_number(stmt, 6) != 0;
    return member;
}

static void read_list(struct connection *connection, struct member_list *list)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_MEMBER_LIST);
    size_t room = 0;

    while (connection_row(connection, stmt)) {
        if (list->count == room) {
            room = room == 0 ? 16 : room * 2;
            list->members = must_realloc(list->members, room * sizeof(Lapwing__Member *));
        }
        list->members[list->count++] = member_of_row(stmt);
    }
}

void member_list_done(struct member_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        lapwing__member__free_unpacked(list->members[i], NULL);
    free(list->members);
    memset(list, 0, sizeof *list);
}

enum status state_list_members(struct state_reader *reader,
                               struct member_list *out,
                               struct err *err)
{
    struct member_list list = { 0 };
    struct meta meta = { 0 };
    enum status st;

    CHECK(reader->group == STATE_GROUP_CONTROL);
    meta_read(&reader->connection, &meta);
    if (meta.cluster_version >= 2)
        read_list(&reader->connection, &list);
    st = connection_status(&reader->connection, err);
    if (st != ST_OK)
        member_list_done(&list);
    else
        *out = list;
    return st;
}

/* ---- deciding ---- */

static const Lapwing__Member *find(const struct member_list *list, uint64_t id)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->members[i]->id == id)
            return list->members[i];
    return NULL;
}

static unsigned present(const struct member_list *list)
{
    unsigned count = 0;

    for (size_t i = 0; i < list->count; i++)
        count += !list->members[i]->removed;
    return count;
}

static void put(struct apply *apply, const Lapwing__Member *member)
{
    sqlite3_stmt *stmt = connection_statement(apply->connection, STATEMENT_MEMBER_PUT);

    bind_number(stmt, 1, member->id);
    bind_text(stmt, 2, member->node);
    bind_text(stmt, 3, member->zone);
    bind_text(stmt, 4, member->control_address);
    bind_text(stmt, 5, member->storage_address);
    bind_number(stmt, 6, member->replaces);
    connection_run(apply->connection, stmt);
}

static void mark_removed(struct apply *apply, uint64_t id)
{
    sqlite3_stmt *stmt = connection_statement(apply->connection, STATEMENT_MEMBER_REMOVE);

    bind_number(stmt, 1, id);
    connection_run(apply->connection, stmt);
}

void members_apply_bootstrap(struct apply *apply)
{
    Lapwing__MemberBootstrap *cmd = apply_body(apply, &lapwing__member_bootstrap__descriptor);
    struct member_list list = { 0 };

    read_list(apply->connection, &list);
    if (list.count > 0)
        outcome_refuse(
            apply->out, "members_known",
            err_set(&apply->out->text, ST_EXISTS, "%zu members are known already", list.count));
    else
        for (size_t i = 0; i < cmd->n_members; i++)
            put(apply, cmd->members[i]);
    member_list_done(&list);
    lapwing__member_bootstrap__free_unpacked(cmd, NULL);
}

/* A present member, other than the replaced one, that has the name or an address. */
static const Lapwing__Member *rival(const struct member_list *list, const Lapwing__Member *member)
{
    for (size_t i = 0; i < list->count; i++) {
        const Lapwing__Member *other = list->members[i];

        if (other->removed || other->id == member->replaces)
            continue;
        if (strcmp(other->node, member->node) == 0 ||
            strcmp(other->control_address, member->control_address) == 0 ||
            strcmp(other->storage_address, member->storage_address) == 0)
            return other;
    }
    return NULL;
}

static enum status refuse_not_there(struct apply *apply, const Lapwing__Member *member, uint64_t id)
{
    enum status st = member == NULL ? err_set(&apply->out->text, ST_NOT_FOUND,
                                              "no member has id %llu", (unsigned long long)id)
                                    : err_set(&apply->out->text, ST_CONFLICT,
                                              "member %llu (%s) is removed already",
                                              (unsigned long long)id, member->node);

    outcome_refuse(apply->out, member == NULL ? "member_unknown" : "member_removed", st);
    return st;
}

static enum status may_add(struct apply *apply,
                           const struct member_list *list,
                           const Lapwing__Member *member)
{
    const Lapwing__Member *replaced = find(list, member->replaces);
    const Lapwing__Member *other = rival(list, member);
    enum status st = ST_OK;

    if (list->count == 0) {
        st = err_set(&apply->out->text, ST_CONFLICT,
                     "the first members are not known yet: ask again in a moment");
        outcome_refuse(apply->out, "members_unknown", st);
    } else if (member->replaces != 0 && (replaced == NULL || replaced->removed)) {
        st = refuse_not_there(apply, replaced, member->replaces);
    } else if (other != NULL) {
        st = err_set(&apply->out->text, ST_EXISTS,
                     "member %llu (%s) has this name or one of these addresses",
                     (unsigned long long)other->id, other->node);
        outcome_refuse(apply->out, "member_exists", st);
    } else if (member->replaces == 0 && present(list) >= MEMBERS_MAX) {
        st = err_set(&apply->out->text, ST_LIMIT, "%d members are there, which is the most",
                     MEMBERS_MAX);
        outcome_refuse(apply->out, "members_max", st);
    }
    return st;
}

void members_apply_add(struct apply *apply)
{
    Lapwing__MemberAdd *cmd = apply_body(apply, &lapwing__member_add__descriptor);
    Lapwing__Member *member = cmd->member;
    struct member_list list = { 0 };

    read_list(apply->connection, &list);
    if (may_add(apply, &list, member) == ST_OK && list.count > 0) {
        member->id = list.members[list.count - 1]->id + 1;
        put(apply, member);
        if (member->replaces != 0)
            mark_removed(apply, member->replaces);
        outcome_answer(apply->out, &member->base);
    }
    member_list_done(&list);
    lapwing__member_add__free_unpacked(cmd, NULL);
}

void members_apply_remove(struct apply *apply)
{
    Lapwing__MemberRemove *cmd = apply_body(apply, &lapwing__member_remove__descriptor);
    struct member_list list = { 0 };
    const Lapwing__Member *member;

    read_list(apply->connection, &list);
    member = find(&list, cmd->id);
    if (member == NULL || member->removed) {
        (void)refuse_not_there(apply, member, cmd->id);
    } else if (present(&list) <= MEMBERS_MIN) {
        outcome_refuse(apply->out, "members_min",
                       err_set(&apply->out->text, ST_LIMIT,
                               "%u members are there, and %d must stay so that one may fail: "
                               "replace it, or add one first",
                               present(&list), MEMBERS_MIN));
    } else {
        Lapwing__Member gone = *member;

        mark_removed(apply, cmd->id);
        gone.removed = true;
        outcome_answer(apply->out, &gone.base);
    }
    member_list_done(&list);
    lapwing__member_remove__free_unpacked(cmd, NULL);
}
