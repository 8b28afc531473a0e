/* Functions: their commands and what can be asked about them.
 *
 *                    CREATE            ACTIVATE                    UPDATE_CODE
 *     (none) ------------> pending -------------> active, update ------------> active, update
 *                             |                   successful <------------     in progress
 *                             |                                ACTIVATE            ^
 *                             +----------------------------------------------------+  UPDATE_CODE
 *
 * Every change makes a new revision, chosen by the proposer.  A change of code or configuration
 * raises config_epoch, so that no environment started before serves it; becoming active is none. */
#include "controlplane/state/functions.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "controlplane/state/connection.h"
#include "controlplane/state/outcome.h"
#include "controlplane/state/tags.h"

/* The columns of FUNCTION_COLUMNS in statements.c, in their order. */
enum {
    COLUMN_ACCOUNT,
    COLUMN_REGION,
    COLUMN_NAME,
    COLUMN_UID,
    COLUMN_RUNTIME,
    COLUMN_ROLE,
    COLUMN_HANDLER,
    COLUMN_HANDLER_PRESENT,
    COLUMN_DESCRIPTION,
    COLUMN_TIMEOUT_S,
    COLUMN_MEMORY_MB,
    COLUMN_EPHEMERAL_MB,
    COLUMN_ARCHITECTURE,
    COLUMN_TRACING_MODE,
    COLUMN_CODE_SHA256,
    COLUMN_CODE_BYTES,
    COLUMN_REVISION_ID,
    COLUMN_MODIFIED_MS,
    COLUMN_STATE,
    COLUMN_UPDATE_STATUS,
    COLUMN_CONFIG_EPOCH,
    COLUMN_ENVIRONMENT_PRESENT,
    COLUMN_LISTS,
};

/* Owned by the caller. */
static Lapwing__Function *function_of_row(sqlite3_stmt *stmt)
{
    struct bytes lists = column_bytes(stmt, COLUMN_LISTS);
    /* Of no bytes, too: a message of its own, allocated as free_unpacked() expects. */
    Lapwing__Function *f = lapwing__function__unpack(NULL, lists.len, lists.data);

    CHECK(f != NULL); /* packed by put_function() */
    f->account = column_text_copy(stmt, COLUMN_ACCOUNT);
    f->region = column_text_copy(stmt, COLUMN_REGION);
    f->name = column_text_copy(stmt, COLUMN_NAME);
    f->uid = column_text_copy(stmt, COLUMN_UID);
    f->runtime = column_text_copy(stmt, COLUMN_RUNTIME);
    f->role = column_text_copy(stmt, COLUMN_ROLE);
    f->handler = column_text_copy(stmt, COLUMN_HANDLER);
    f->handler_present = column_number(stmt, COLUMN_HANDLER_PRESENT) != 0;
    f->description = column_text_copy(stmt, COLUMN_DESCRIPTION);
    f->timeout_s = (uint32_t)column_number(stmt, COLUMN_TIMEOUT_S);
    f->memory_mb = (uint32_t)column_number(stmt, COLUMN_MEMORY_MB);
    f->ephemeral_mb = (uint32_t)column_number(stmt, COLUMN_EPHEMERAL_MB);
    f->architecture = column_text_copy(stmt, COLUMN_ARCHITECTURE);
    f->tracing_mode = column_text_copy(stmt, COLUMN_TRACING_MODE);
    f->code_sha256 = column_bytes_copy(stmt, COLUMN_CODE_SHA256);
    f->code_bytes = column_number(stmt, COLUMN_CODE_BYTES);
    f->revision_id = column_text_copy(stmt, COLUMN_REVISION_ID);
    f->modified_ms = column_number(stmt, COLUMN_MODIFIED_MS);
    f->state = (uint32_t)column_number(stmt, COLUMN_STATE);
    f->update_status = (uint32_t)column_number(stmt, COLUMN_UPDATE_STATUS);
    f->config_epoch = column_number(stmt, COLUMN_CONFIG_EPOCH);
    f->environment_present = column_number(stmt, COLUMN_ENVIRONMENT_PRESENT) != 0;
    return f;
}

/* The repeated fields that are no rows of their own, packed; free() it. */
static struct bytes pack_lists(const Lapwing__Function *f)
{
    Lapwing__Function lists = LAPWING__FUNCTION__INIT;
    size_t len;
    uint8_t *data;

    lists.n_environment = f->n_environment;
    lists.environment = f->environment;
    len = lapwing__function__get_packed_size(&lists);
    data = must_calloc(len + 1, 1);
    (void)lapwing__function__pack(&lists, data);
    return (struct bytes){ data, len };
}

/* Write the row by one of the two statements that take all columns: INSERT or UPDATE. */
static void put_function(struct connection *connection,
                         enum statement statement,
                         const Lapwing__Function *f)
{
    sqlite3_stmt *stmt = connection_statement(connection, statement);
    struct bytes lists = pack_lists(f);

    bind_text(stmt, COLUMN_ACCOUNT + 1, f->account);
    bind_text(stmt, COLUMN_REGION + 1, f->region);
    bind_text(stmt, COLUMN_NAME + 1, f->name);
    bind_text(stmt, COLUMN_UID + 1, f->uid);
    bind_text(stmt, COLUMN_RUNTIME + 1, f->runtime);
    bind_text(stmt, COLUMN_ROLE + 1, f->role);
    bind_text(stmt, COLUMN_HANDLER + 1, f->handler);
    bind_number(stmt, COLUMN_HANDLER_PRESENT + 1, f->handler_present ? 1 : 0);
    bind_text(stmt, COLUMN_DESCRIPTION + 1, f->description);
    bind_number(stmt, COLUMN_TIMEOUT_S + 1, f->timeout_s);
    bind_number(stmt, COLUMN_MEMORY_MB + 1, f->memory_mb);
    bind_number(stmt, COLUMN_EPHEMERAL_MB + 1, f->ephemeral_mb);
    bind_text(stmt, COLUMN_ARCHITECTURE + 1, f->architecture);
    bind_text(stmt, COLUMN_TRACING_MODE + 1, f->tracing_mode);
    bind_blob(stmt, COLUMN_CODE_SHA256 + 1,
              (struct bytes){ f->code_sha256.data, f->code_sha256.len });
    bind_number(stmt, COLUMN_CODE_BYTES + 1, f->code_bytes);
    bind_text(stmt, COLUMN_REVISION_ID + 1, f->revision_id);
    bind_number(stmt, COLUMN_MODIFIED_MS + 1, f->modified_ms);
    bind_number(stmt, COLUMN_STATE + 1, f->state);
    bind_number(stmt, COLUMN_UPDATE_STATUS + 1, f->update_status);
    bind_number(stmt, COLUMN_CONFIG_EPOCH + 1, f->config_epoch);
    bind_number(stmt, COLUMN_ENVIRONMENT_PRESENT + 1, f->environment_present ? 1 : 0);
    bind_blob(stmt, COLUMN_LISTS + 1, lists);
    connection_run(connection, stmt);
    free((void *)lists.data);
}

/* NULL when there is none; owned by the caller. */
static Lapwing__Function *find_function(struct connection *connection,
                                        const char *account,
                                        const char *region,
                                        const char *name)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_FUNCTION_GET);
    Lapwing__Function *f = NULL;

    bind_text(stmt, 1, account);
    bind_text(stmt, 2, region);
    bind_text(stmt, 3, name);
    if (connection_row(connection, stmt))
        f = function_of_row(stmt);
    connection_end(stmt);
    return f;
}

static Lapwing__Function *find_function_by_uid(struct connection *connection, const char *uid)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_FUNCTION_GET_BY_UID);
    Lapwing__Function *f = NULL;

    bind_text(stmt, 1, uid);
    if (connection_row(connection, stmt))
        f = function_of_row(stmt);
    connection_end(stmt);
    return f;
}

/* A text that a message owns, to replace `*field`. */
static void set_text(char **field, const char *text)
{
    size_t len = strlen(text);

    if (*field != protobuf_c_empty_string)
        free(*field);
    *field = must_calloc(len + 1, 1);
    memcpy(*field, text, len);
}

static void refuse_missing(struct outcome *out,
                           const char *account,
                           const char *region,
                           const char *name)
{
    outcome_refuse(out, "function_not_found",
                   err_set(&out->text, ST_NOT_FOUND,
                           "Function not found: arn:aws:lambda:%s:%s:function:%s", region, account,
                           name));
}

static void create(struct apply *apply, Lapwing__Function *f)
{
    Lapwing__Function *other = find_function(apply->connection, f->account, f->region, f->name);
    struct outcome *out = apply->out;

    if (other != NULL) {
        outcome_refuse(out, "function_exists",
                       err_set(&out->text, ST_EXISTS, "Function already exist: %s", f->name));
        lapwing__function__free_unpacked(other, NULL);
        return;
    }
    other = find_function_by_uid(apply->connection, f->uid);
    if (other != NULL) {
        outcome_refuse(out, "uid_taken",
                       err_set(&out->text, ST_CONFLICT, "uid %s: taken, choose another", f->uid));
        lapwing__function__free_unpacked(other, NULL);
        return;
    }
    f->modified_ms = apply->now_ms;
    f->state = LAPWING__FUNCTION_STATE__FUNCTION_PENDING;
    f->update_status = LAPWING__FUNCTION_UPDATE_STATUS__FUNCTION_UPDATE_NONE;
    f->config_epoch = 1;
    put_function(apply->connection, STATEMENT_FUNCTION_INSERT, f);
    tags_put_of_function(apply->connection, f);
    outcome_answer(out, &f->base);
}

void functions_apply_create(struct apply *apply)
{
    Lapwing__CreateFunction *cmd = apply_body(apply, &lapwing__create_function__descriptor);

    CHECK(cmd->function != NULL);
    create(apply, cmd->function);
    lapwing__create_function__free_unpacked(cmd, NULL);
}

static void update_code(struct apply *apply,
                        Lapwing__Function *f,
                        const Lapwing__UpdateFunctionCode *cmd)
{
    CHECK(f->code_sha256.len == cmd->code_sha256.len);
    memcpy(f->code_sha256.data, cmd->code_sha256.data, cmd->code_sha256.len);
    f->code_bytes = cmd->code_bytes;
    if (cmd->architecture[0] != '\0')
        set_text(&f->architecture, cmd->architecture);
    set_text(&f->revision_id, cmd->revision_id);
    f->modified_ms = apply->now_ms;
    f->state = LAPWING__FUNCTION_STATE__FUNCTION_ACTIVE;
    f->update_status = LAPWING__FUNCTION_UPDATE_STATUS__FUNCTION_UPDATE_IN_PROGRESS;
    f->config_epoch++;
    put_function(apply->connection, STATEMENT_FUNCTION_UPDATE, f);
    outcome_answer(apply->out, &f->base);
}

void functions_apply_update_code(struct apply *apply)
{
    Lapwing__UpdateFunctionCode *cmd =
        apply_body(apply, &lapwing__update_function_code__descriptor);
    Lapwing__Function *f = find_function(apply->connection, cmd->account, cmd->region, cmd->name);
    struct outcome *out = apply->out;

    if (f == NULL)
        refuse_missing(out, cmd->account, cmd->region, cmd->name);
    else if (cmd->expected_revision_id[0] != '\0' &&
             strcmp(cmd->expected_revision_id, f->revision_id) != 0)
        outcome_refuse(
            out, "revision_mismatch",
            err_set(&out->text, ST_CONFLICT,
                    "The Revision Id provided does not match the latest Revision Id. Call "
                    "the GetFunction/GetAlias API to retrieve the latest Revision Id"));
    else
        update_code(apply, f, cmd);
    if (f != NULL)
        lapwing__function__free_unpacked(f, NULL);
    lapwing__update_function_code__free_unpacked(cmd, NULL);
}

static bool is_settled(const Lapwing__Function *f)
{
    return f->state == LAPWING__FUNCTION_STATE__FUNCTION_ACTIVE &&
           f->update_status == LAPWING__FUNCTION_UPDATE_STATUS__FUNCTION_UPDATE_SUCCESSFUL;
}

void functions_apply_activate(struct apply *apply)
{
    Lapwing__ActivateFunction *cmd = apply_body(apply, &lapwing__activate_function__descriptor);
    Lapwing__Function *f = find_function(apply->connection, cmd->account, cmd->region, cmd->name);
    struct outcome *out = apply->out;

    if (f == NULL) {
        refuse_missing(out, cmd->account, cmd->region, cmd->name);
    } else if (strcmp(cmd->uid, f->uid) != 0 ||
               strcmp(cmd->from_revision_id, f->revision_id) != 0 || is_settled(f)) {
        outcome_refuse(out, "revision_moved",
                       err_set(&out->text, ST_CONFLICT, "function %s: revision %s is not waiting",
                               cmd->name, cmd->from_revision_id));
    } else {
        set_text(&f->revision_id, cmd->revision_id);
        f->state = LAPWING__FUNCTION_STATE__FUNCTION_ACTIVE;
        f->update_status = LAPWING__FUNCTION_UPDATE_STATUS__FUNCTION_UPDATE_SUCCESSFUL;
        put_function(apply->connection, STATEMENT_FUNCTION_UPDATE, f);
        outcome_answer(out, &f->base);
    }
    if (f != NULL)
        lapwing__function__free_unpacked(f, NULL);
    lapwing__activate_function__free_unpacked(cmd, NULL);
}

void functions_apply_delete(struct apply *apply)
{
    Lapwing__DeleteFunction *cmd = apply_body(apply, &lapwing__delete_function__descriptor);
    Lapwing__Function *f = find_function(apply->connection, cmd->account, cmd->region, cmd->name);

    if (f == NULL) {
        refuse_missing(apply->out, cmd->account, cmd->region, cmd->name);
    } else {
        sqlite3_stmt *stmt = connection_statement(apply->connection, STATEMENT_FUNCTION_DELETE);

        bind_text(stmt, 1, cmd->account);
        bind_text(stmt, 2, cmd->region);
        bind_text(stmt, 3, cmd->name);
        connection_run(apply->connection, stmt);
        tags_drop_of_function(apply->connection, f);
        outcome_answer(apply->out, &f->base);
        lapwing__function__free_unpacked(f, NULL);
    }
    lapwing__delete_function__free_unpacked(cmd, NULL);
}

enum status state_get_function(struct state_reader *reader,
                               const char *account,
                               const char *region,
                               const char *name,
                               Lapwing__Function **out,
                               struct err *err)
{
    Lapwing__Function *f = find_function(&reader->connection, account, region, name);
    enum status st = connection_status(&reader->connection, err);

    CHECK(reader->group == STATE_GROUP_CONTROL);
    if (st != ST_OK)
        return st;
    if (f == NULL)
        return err_set(err, ST_NOT_FOUND, "Function not found: arn:aws:lambda:%s:%s:function:%s",
                       region, account, name);
    *out = f;
    return ST_OK;
}

enum status state_get_function_by_uid(struct state_reader *reader,
                                      const char *uid,
                                      Lapwing__Function **out,
                                      struct err *err)
{
    Lapwing__Function *f = find_function_by_uid(&reader->connection, uid);
    enum status st = connection_status(&reader->connection, err);

    CHECK(reader->group == STATE_GROUP_CONTROL);
    if (st != ST_OK)
        return st;
    if (f == NULL)
        return err_set(err, ST_NOT_FOUND, "function with uid %s", uid);
    *out = f;
    return ST_OK;
}

enum status state_list_functions(struct state_reader *reader,
                                 const struct function_page *page,
                                 struct function_list *out,
                                 struct err *err)
{
    struct function_list list = { 0 };
    sqlite3_stmt *stmt = connection_statement(&reader->connection, STATEMENT_FUNCTION_LIST);
    enum status st;

    CHECK(reader->group == STATE_GROUP_CONTROL);
    CHECK(page->max > 0 && page->max <= FUNCTION_LIST_MAX);
    list.functions = must_calloc(page->max, sizeof(Lapwing__Function *));
    bind_text(stmt, 1, page->account);
    bind_text(stmt, 2, page->region);
    bind_text(stmt, 3, page->after);
    bind_number(stmt, 4, page->max + 1); /* one more tells whether there is a next page */
    while (connection_row(&reader->connection, stmt)) {
        if (list.count == page->max) {
            list.more = true;
            break;
        }
        list.functions[list.count++] = function_of_row(stmt);
    }
    connection_end(stmt);
    st = connection_status(&reader->connection, err);
    if (st != ST_OK)
        function_list_done(&list);
    else
        *out = list;
    return st;
}

void function_list_done(struct function_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        lapwing__function__free_unpacked(list->functions[i], NULL);
    free(list->functions);
    memset(list, 0, sizeof *list);
}
