/* Clients and their remembered outcomes.
 *
 *   sequence <= acked                 its outcome was dropped: refused, "sequence_forgotten"
 *   an outcome is remembered          that one again, nothing is applied
 *   sequence > acked + window         refused, "window_full": the client must acknowledge
 *   else                              new: applied, its outcome remembered
 *
 * A refused command is remembered as well. */
#include "controlplane/state/clients.h"

#include <string.h>

#include "base/check.h"
#include "controlplane/state/state.h"

static struct bytes client_of(const Lapwing__Command *command)
{
    return (struct bytes){ command->client.data, command->client.len };
}

/* The client's mark before this command; 0 for one not known. */
static uint64_t acked_before(struct connection *connection, const Lapwing__Command *command)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_CLIENT_GET);
    uint64_t acked = 0;

    bind_blob(stmt, 1, client_of(command));
    if (connection_row(connection, stmt))
        acked = column_number(stmt, 0);
    connection_end(stmt);
    return acked;
}

static void put_client(struct connection *connection,
                       const Lapwing__Command *command,
                       uint64_t acked,
                       uint64_t now_ms)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_CLIENT_PUT);

    bind_blob(stmt, 1, client_of(command));
    bind_number(stmt, 2, acked);
    bind_number(stmt, 3, now_ms);
    connection_run(connection, stmt);
}

static void drop_outcomes(struct connection *connection,
                          const Lapwing__Command *command,
                          uint64_t acked)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_OUTCOMES_DROP);

    bind_blob(stmt, 1, client_of(command));
    bind_number(stmt, 2, acked);
    connection_run(connection, stmt);
}

static bool recall(struct connection *connection,
                   const Lapwing__Command *command,
                   struct outcome *out)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_OUTCOME_GET);
    bool found;

    bind_blob(stmt, 1, client_of(command));
    bind_number(stmt, 2, command->sequence);
    found = connection_row(connection, stmt);
    if (found)
        outcome_from_row(out, stmt);
    connection_end(stmt);
    return found;
}

static bool is_in_memo(const struct client_memo *memo, const Lapwing__Command *command)
{
    return memo->len > 0 && bytes_equal(bytes_of(memo->client, memo->len), client_of(command));
}

static void put_in_memo(struct client_memo *memo, const Lapwing__Command *command, uint64_t acked)
{
    CHECK(command->client.len > 0);
    CHECK(command->client.len <= sizeof memo->client);
    memcpy(memo->client, command->client.data, command->client.len);
    memo->len = command->client.len;
    memo->acked = acked;
}

bool clients_admit(struct connection *connection,
                   const Lapwing__Command *command,
                   uint64_t now_ms,
                   struct client_memo *memo,
                   struct outcome *out)
{
    bool known = is_in_memo(memo, command);
    uint64_t before = known ? memo->acked : acked_before(connection, command);
    uint64_t acked = command->acked > before ? command->acked : before;

    if (!known || acked > before)
        put_client(connection, command, acked, now_ms);
    put_in_memo(memo, command, acked);
    if (acked > before)
        drop_outcomes(connection, command, acked);
    if (command->sequence <= acked) {
        outcome_refuse(out, "sequence_forgotten",
                       err_set(&out->text, ST_CONFLICT,
                               "sequence %llu: answered before, acknowledged up to %llu",
                               (unsigned long long)command->sequence, (unsigned long long)acked));
        return false;
    }
    if (recall(connection, command, out))
        return false;
    if (command->sequence - acked > STATE_CLIENT_WINDOW_MAX) {
        outcome_refuse(out, "window_full",
                       err_set(&out->text, ST_LIMIT,
                               "sequence %llu: acknowledged up to %llu, want at most %d ahead",
                               (unsigned long long)command->sequence, (unsigned long long)acked,
                               STATE_CLIENT_WINDOW_MAX));
        return false;
    }
    return true;
}

void clients_remember(struct connection *connection,
                      const Lapwing__Command *command,
                      const struct outcome *out)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_OUTCOME_PUT);

    CHECK((out->status == ST_OK) == (out->reason[0] == '\0'));
    bind_blob(stmt, 1, client_of(command));
    bind_number(stmt, 2, command->sequence);
    bind_number(stmt, 3, out->status);
    bind_text(stmt, 4, out->reason);
    bind_text(stmt, 5, out->text.text);
    bind_blob(stmt, 6, (struct bytes){ out->body, out->body_len });
    connection_run(connection, stmt);
}

void clients_apply_forget(struct apply *apply)
{
    Lapwing__ForgetClients *forget = apply_body(apply, &lapwing__forget_clients__descriptor);
    static const enum statement statements[] = { STATEMENT_OUTCOMES_FORGET,
                                                 STATEMENT_CLIENTS_FORGET };

    for (size_t i = 0; i < ARRAY_LEN(statements); i++) {
        sqlite3_stmt *stmt = connection_statement(apply->connection, statements[i]);

        bind_number(stmt, 1, forget->idle_before_ms);
        connection_run(apply->connection, stmt);
    }
    lapwing__forget_clients__free_unpacked(forget, NULL);
}
