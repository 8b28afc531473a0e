/* Committed entries in, rows and outcomes out: the writer of one group's database.
 *
 *   BEGIN
 *     for each command    client known, outcome remembered? -> that one again
 *                         its domain decides, then writes, or refuses and has written nothing
 *                         the outcome is remembered
 *     meta: index, term, time
 *   COMMIT                -> only now are outcomes shown
 *
 * Thread: the replica's. */
#include "controlplane/state/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "controlplane/state/clients.h"
#include "controlplane/state/schema.h"
#include "controlplane/state/state_internal.h"
#include "proto/state_service.pb-c.h"

_Static_assert((int)STATE_GROUP_CONTROL == (int)LAPWING__STATE_GROUP__GROUP_CONTROL, "wire");
_Static_assert((int)STATE_GROUP_STORAGE == (int)LAPWING__STATE_GROUP__GROUP_STORAGE, "wire");

static void apply_raise_cluster_version(struct apply *apply);

/* Which commands there are, in which groups, and from which cluster version on.  A release that
 * knows a command refuses it below that version, because its neighbour of the release before must.
 */
static const struct command_kind {
    Lapwing__CommandType type;
    uint32_t version;
    unsigned groups; /* bits: 1 << enum state_group */
    uint32_t cluster_version;
    void (*apply)(struct apply *apply);
} kinds[] = {
    // clang-format off
    { LAPWING__COMMAND_TYPE__CREATE_FUNCTION,       1, 1 << STATE_GROUP_CONTROL, 1, functions_apply_create },
    { LAPWING__COMMAND_TYPE__UPDATE_FUNCTION_CODE,  1, 1 << STATE_GROUP_CONTROL, 1, functions_apply_update_code },
    { LAPWING__COMMAND_TYPE__DELETE_FUNCTION,       1, 1 << STATE_GROUP_CONTROL, 1, functions_apply_delete },
    { LAPWING__COMMAND_TYPE__ACTIVATE_FUNCTION,     1, 1 << STATE_GROUP_CONTROL, 1, functions_apply_activate },
    { LAPWING__COMMAND_TYPE__UPDATE_FUNCTION_CONFIGURATION, 1, 1 << STATE_GROUP_CONTROL, 1,
      functions_apply_update_configuration },
    { LAPWING__COMMAND_TYPE__PUBLISH_VERSION,       1, 1 << STATE_GROUP_CONTROL, 1, functions_apply_publish },
    { LAPWING__COMMAND_TYPE__REGISTER_WORKER,       1, 1 << STATE_GROUP_CONTROL, 1, workers_apply_register },
    { LAPWING__COMMAND_TYPE__MEMBER_BOOTSTRAP,      1, 1 << STATE_GROUP_CONTROL, 2, members_apply_bootstrap },
    { LAPWING__COMMAND_TYPE__MEMBER_ADD,            1, 1 << STATE_GROUP_CONTROL, 2, members_apply_add },
    { LAPWING__COMMAND_TYPE__MEMBER_REMOVE,         1, 1 << STATE_GROUP_CONTROL, 2, members_apply_remove },
    { LAPWING__COMMAND_TYPE__TAG_RESOURCE,          1, 1 << STATE_GROUP_CONTROL, 1, tags_apply_tag },
    { LAPWING__COMMAND_TYPE__UNTAG_RESOURCE,        1, 1 << STATE_GROUP_CONTROL, 1, tags_apply_untag },
    { LAPWING__COMMAND_TYPE__CREATE_BUCKET,         1, 1 << STATE_GROUP_STORAGE, 1, buckets_apply_create },
    { LAPWING__COMMAND_TYPE__DELETE_BUCKET,         1, 1 << STATE_GROUP_STORAGE, 1, buckets_apply_delete },
    { LAPWING__COMMAND_TYPE__PUT_OBJECT,            1, 1 << STATE_GROUP_STORAGE, 1, objects_apply_put },
    { LAPWING__COMMAND_TYPE__DELETE_OBJECT,         1, 1 << STATE_GROUP_STORAGE, 1, objects_apply_delete },
    { LAPWING__COMMAND_TYPE__DELETE_OBJECTS,        1, 1 << STATE_GROUP_STORAGE, 1, objects_apply_delete_many },
    { LAPWING__COMMAND_TYPE__CREATE_UPLOAD,         1, 1 << STATE_GROUP_STORAGE, 1, uploads_apply_create },
    { LAPWING__COMMAND_TYPE__PUT_PART,              1, 1 << STATE_GROUP_STORAGE, 1, uploads_apply_put_part },
    { LAPWING__COMMAND_TYPE__COMPLETE_UPLOAD,       1, 1 << STATE_GROUP_STORAGE, 1, uploads_apply_complete },
    { LAPWING__COMMAND_TYPE__ABORT_UPLOAD,          1, 1 << STATE_GROUP_STORAGE, 1, uploads_apply_abort },
    { LAPWING__COMMAND_TYPE__FORGET_CLIENTS,        1,
      1 << STATE_GROUP_CONTROL | 1 << STATE_GROUP_STORAGE, 1, clients_apply_forget },
    { LAPWING__COMMAND_TYPE__RAISE_CLUSTER_VERSION, 1,
      1 << STATE_GROUP_CONTROL | 1 << STATE_GROUP_STORAGE, 1, apply_raise_cluster_version },
    // clang-format on
};

static const struct command_kind *kind_of(const struct state *state,
                                          const Lapwing__Command *command)
{
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (kinds[i].type == command->type && kinds[i].version == command->version &&
            (kinds[i].groups & 1u << state->reader.group) != 0 &&
            kinds[i].cluster_version <= state->now.cluster_version)
            return &kinds[i];
    return NULL;
}

static void raise_to(struct apply *apply, uint32_t from, uint32_t to)
{
    sqlite3_stmt *stmt;

    if (from == to)
        return;
    schema_raise(apply->connection, apply->group, from, to);
    stmt = connection_statement(apply->connection, STATEMENT_META_CLUSTER_VERSION);
    bind_number(stmt, 1, to);
    bind_number(stmt, 2, schema_version(to));
    connection_run(apply->connection, stmt);
}

/* A member that cannot follow must stop before it applies what it does not know: as a failure of
 * the database does, which takes the entry back and ends the replica with this sentence. */
static void cannot_follow(struct apply *apply, uint32_t version)
{
    struct connection *connection = apply->connection;

    if (connection->failure != ST_OK)
        return;
    connection->failure =
        err_set(&connection->failure_text, ST_UNSUPPORTED,
                "the cluster was raised to version %u, this release follows up to %d: "
                "start the newer release again",
                version, CLUSTER_VERSION_MAX);
}

static void apply_raise_cluster_version(struct apply *apply)
{
    Lapwing__RaiseClusterVersion *cmd =
        apply_body(apply, &lapwing__raise_cluster_version__descriptor);
    sqlite3_stmt *stmt = connection_statement(apply->connection, STATEMENT_META_GET);
    uint32_t now = connection_row(apply->connection, stmt) ? (uint32_t)column_number(stmt, 2) : 0;

    connection_end(stmt);
    if (cmd->cluster_version > CLUSTER_VERSION_MAX)
        cannot_follow(apply, cmd->cluster_version);
    else if (cmd->cluster_version < now)
        outcome_refuse(apply->out, "cluster_version_lower",
                       err_set(&apply->out->text, ST_CONFLICT, "cluster version %u: is %u already",
                               cmd->cluster_version, now));
    else if (apply->connection->failure == ST_OK)
        raise_to(apply, now, cmd->cluster_version);
    lapwing__raise_cluster_version__free_unpacked(cmd, NULL);
}

/* The next command may be of the new version.  The rest of the row is not to be believed in the
 * middle of an entry: its index and time are written at the end. */
static void take_cluster_version(struct state *state)
{
    struct meta meta = state->now;

    meta_read(&state->reader.connection, &meta);
    state->now.cluster_version = meta.cluster_version;
}

/* A savepoint around each command would allow for refusing after a write, and cost a third of the
 * whole: SQLite keeps a copy of every page first touched in it. */
static void apply_new(struct state *state,
                      const Lapwing__Command *command,
                      uint64_t now_ms,
                      struct outcome *out)
{
    struct connection *connection = &state->reader.connection;
    const struct command_kind *kind = kind_of(state, command);
    struct apply apply = {
        .connection = connection,
        .group = state->reader.group,
        .now_ms = now_ms,
        .body = { command->body.data, command->body.len },
        .out = out,
    };
    uint64_t writes;

    if (kind == NULL) {
        outcome_refuse(out, "unsupported",
                       err_set(&out->text, ST_UNSUPPORTED,
                               "command type %d version %u: unknown, or not at cluster version %u",
                               (int)command->type, command->version, state->now.cluster_version));
        return;
    }
    writes = connection_writes(connection);
    kind->apply(&apply);
    /* Behind a failure of the database rows look absent, and what was decided of them is nothing.
     */
    if (out->status != ST_OK && connection->failure == ST_OK)
        CHECK(connection_writes(connection) == writes);
    if (kind->type == LAPWING__COMMAND_TYPE__RAISE_CLUSTER_VERSION)
        take_cluster_version(state);
}

static void apply_command(struct state *state,
                          const Lapwing__Command *command,
                          uint64_t now_ms,
                          struct outcome *out)
{
    struct connection *connection = &state->reader.connection;
    struct client_memos *memos = &state->memos;
    bool forgets = command->type == LAPWING__COMMAND_TYPE__FORGET_CLIENTS;

    if (!clients_admit(connection, memos, command, now_ms, out))
        return;
    if (forgets)
        clients_write(connection, memos, now_ms);
    apply_new(state, command, now_ms, out);
    if (forgets)
        *memos = (struct client_memos){ 0 };
    clients_remember(connection, memos, command, out);
}

static void show_outcomes(const Lapwing__Entry *entry,
                          const struct outcome *outcomes,
                          state_outcome_fn on_outcome,
                          void *context)
{
    for (size_t i = 0; i < entry->n_commands; i++) {
        Lapwing__Outcome view;

        outcome_view(&outcomes[i], &view);
        on_outcome(context, i, entry->commands[i], &view);
    }
}

static void put_applied(struct connection *connection, const struct meta *meta)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_META_APPLIED);

    bind_number(stmt, 1, meta->applied_index);
    bind_number(stmt, 2, meta->applied_term);
    bind_number(stmt, 3, meta->leader_ms);
    connection_run(connection, stmt);
}

/* End the transaction: commit, or after a failure take everything back, what is in memory included.
 */
static enum status finish(struct state *state, const struct meta *before, struct err *err)
{
    struct connection *connection = &state->reader.connection;
    enum status st;

    connection_do(connection, STATEMENT_COMMIT);
    st = connection_status(connection, err);
    if (st == ST_OK)
        return ST_OK;
    if (!sqlite3_get_autocommit(connection->db))
        connection_do(connection, STATEMENT_ROLLBACK);
    state->now = *before;
    state->memos = (struct client_memos){ 0 };
    connection->failure =
        ST_OK; /* the first failure is reported; that of the rollback adds nothing */
    return st;
}

enum status state_apply_entry(struct state *state,
                              const Lapwing__Entry *entry,
                              struct state_position at,
                              state_outcome_fn on_outcome,
                              void *context,
                              struct err *err)
{
    struct meta before = state->now;
    size_t count = entry != NULL ? entry->n_commands : 0;
    struct outcome *outcomes;
    enum status st;

    if (at.index <= before.applied_index)
        return ST_OK;
    CHECK(at.term >= before.applied_term);
    outcomes = must_calloc(count + 1, sizeof *outcomes);
    if (entry != NULL && entry->leader_ms > before.leader_ms)
        state->now.leader_ms = entry->leader_ms;
    state->now.applied_index = at.index;
    state->now.applied_term = at.term;

    connection_do(&state->reader.connection, STATEMENT_BEGIN);
    for (size_t i = 0; i < count; i++)
        apply_command(state, entry->commands[i], state->now.leader_ms, &outcomes[i]);
    clients_write(&state->reader.connection, &state->memos, state->now.leader_ms);
    put_applied(&state->reader.connection, &state->now);
    st = finish(state, &before, err);
    if (st == ST_OK && on_outcome != NULL && entry != NULL)
        show_outcomes(entry, outcomes, on_outcome, context);

    for (size_t i = 0; i < count; i++)
        outcome_done(&outcomes[i]);
    free(outcomes);
    return st;
}

void state_applied(const struct state *state, uint64_t *out_index, uint64_t *out_term)
{
    *out_index = state->now.applied_index;
    *out_term = state->now.applied_term;
}

uint64_t state_leader_ms(const struct state *state)
{
    return state->now.leader_ms;
}

uint32_t state_cluster_version(const struct state *state)
{
    return state->now.cluster_version;
}

const char *state_boot_id(const struct state *state)
{
    return state->now.boot_id;
}

enum status state_set_boot_id(struct state *state, const char *boot_id, struct err *err)
{
    struct connection *connection = &state->reader.connection;
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_META_BOOT_ID);
    size_t len = strlen(boot_id);
    enum status st;

    CHECK(len <= STATE_BOOT_ID_BYTES_MAX);
    bind_text(stmt, 1, boot_id);
    connection_run(connection, stmt);
    st = connection_status(connection, err);
    if (st == ST_OK)
        memcpy(state->now.boot_id, boot_id, len + 1);
    return st;
}

struct state_reader *state_reader_of(struct state *state)
{
    return &state->reader;
}

enum status state_reader_applied(struct state_reader *reader,
                                 uint64_t *out_index,
                                 uint64_t *out_term,
                                 struct err *err)
{
    struct meta meta = { 0 };
    enum status st;

    meta_read(&reader->connection, &meta);
    st = connection_status(&reader->connection, err);
    if (st != ST_OK)
        return st;
    *out_index = meta.applied_index;
    *out_term = meta.applied_term;
    return ST_OK;
}
