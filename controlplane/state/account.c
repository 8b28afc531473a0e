/* See account.h. */
#include "controlplane/state/account.h"

#include "base/check.h"
#include "controlplane/state/connection.h"

enum status state_account_usage(struct state_reader *reader,
                                const char *account,
                                const char *region,
                                struct account_usage *out,
                                struct err *err)
{
    sqlite3_stmt *stmt = connection_statement(&reader->connection, STATEMENT_FUNCTION_USAGE);
    struct account_usage usage = { 0 };
    enum status st;

    CHECK(reader->group == STATE_GROUP_CONTROL);
    bind_text(stmt, 1, account);
    bind_text(stmt, 2, region);
    if (connection_row(&reader->connection, stmt)) {
        usage.functions = column_number(stmt, 0);
        usage.code_bytes = column_number(stmt, 1);
    }
    connection_end(stmt);
    st = connection_status(&reader->connection, err);
    if (st == ST_OK)
        *out = usage;
    return st;
}
