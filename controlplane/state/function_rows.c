/* Rows of functions and of their versions: read, written, found.  See function_rows.h. */
#include "controlplane/state/function_rows.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* The columns of FUNCTION_COLUMNS in statements.c, in their order. */
enum {
    COLUMN_ACCOUNT,
    COLUMN_REGION,
    COLUMN_NAME,
    COLUMN_VERSION,
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
    COLUMN_CONTENT_EPOCH,
    COLUMN_ENVIRONMENT_PRESENT,
    COLUMN_LISTS,
};

Lapwing__Function *function_of_row(sqlite3_stmt *stmt)
{
    struct bytes lists = column_bytes(stmt, COLUMN_LISTS);
    /* Of no bytes, too: a message of its own, allocated as free_unpacked() expects. */
    Lapwing__Function *f = lapwing__function__unpack(NULL, lists.len, lists.data);

    CHECK(f != NULL); /* packed by function_row_put() */
    f->account = column_text_copy(stmt, COLUMN_ACCOUNT);
    f->region = column_text_copy(stmt, COLUMN_REGION);
    f->name = column_text_copy(stmt, COLUMN_NAME);
    f->version = column_number(stmt, COLUMN_VERSION);
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
    f->content_epoch = column_number(stmt, COLUMN_CONTENT_EPOCH);
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

void function_row_put(struct connection *connection,
                      enum statement statement,
                      const Lapwing__Function *f)
{
    sqlite3_stmt *stmt = connection_statement(connection, statement);
    struct bytes lists = pack_lists(f);

    bind_text(stmt, COLUMN_ACCOUNT + 1, f->account);
    bind_text(stmt, COLUMN_REGION + 1, f->region);
    bind_text(stmt, COLUMN_NAME + 1, f->name);
    bind_number(stmt, COLUMN_VERSION + 1, f->version);
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
    bind_number(stmt, COLUMN_CONTENT_EPOCH + 1, f->content_epoch);
    bind_number(stmt, COLUMN_ENVIRONMENT_PRESENT + 1, f->environment_present ? 1 : 0);
    bind_blob(stmt, COLUMN_LISTS + 1, lists);
    connection_run(connection, stmt);
    free((void *)lists.data);
}

void function_key_bind(sqlite3_stmt *stmt, const struct function_key *key)
{
    bind_text(stmt, 1, key->account);
    bind_text(stmt, 2, key->region);
    bind_text(stmt, 3, key->name);
}

Lapwing__Function *function_row_find(struct connection *connection, const struct function_key *key)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_FUNCTION_GET);
    Lapwing__Function *f = NULL;

    function_key_bind(stmt, key);
    bind_number(stmt, 4, key->version);
    if (connection_row(connection, stmt))
        f = function_of_row(stmt);
    connection_end(stmt);
    return f;
}

Lapwing__Function *function_row_find_by_uid(struct connection *connection, const char *uid)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_FUNCTION_GET_BY_UID);
    Lapwing__Function *f = NULL;

    bind_text(stmt, 1, uid);
    if (connection_row(connection, stmt))
        f = function_of_row(stmt);
    connection_end(stmt);
    return f;
}
