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

/* ---- rows ---- */

static uint64_t number_of(struct connection *connection,
                          enum statement statement,
                          struct bytes client)
{
    sqlite3_stmt *stmt = connection_statement(connection, statement);
    uint64_t number = 0;

    bind_blob(stmt, 1, client);
    if (connection_row(connection, stmt))
        number = column_number(stmt, 0);
    connection_end(stmt);
    return number;
}

static void put_client(struct connection *connection,
                       const struct client_memo *memo,
                       uint64_t now_ms)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_CLIENT_PUT);

    bind_blob(stmt, 1, bytes_of(memo->client, memo->len));
    bind_number(stmt, 2, memo->acked);
    bind_number(stmt, 3, now_ms);
    connection_run(connection, stmt);
}

static void drop_outcomes(struct connection *connection, const struct client_memo *memo)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_OUTCOMES_DROP);

    bind_blob(stmt, 1, bytes_of(memo->client, memo->len));
    bind_number(stmt, 2, memo->acked);
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

/* ---- memos ---- */

static void write_memo(struct connection *connection, struct client_memo *memo, uint64_t now_ms)
{
    if (memo->seen)
        put_client(connection, memo, now_ms);
    if (memo->moved)
        drop_outcomes(connection, memo);
    memo->seen = false;
    memo->moved = false;
}

void clients_write(struct connection *connection, struct client_memos *memos, uint64_t now_ms)
{
    for (size_t i = 0; i < CLIENT_MEMOS; i++)
        write_memo(connection, &memos->list[i], now_ms);
}

static struct client_memo *find_memo(struct client_memos *memos, struct bytes client)
{
    for (size_t i = 0; i < CLIENT_MEMOS; i++) {
        struct client_memo *memo = &memos->list[i];

        if (memo->len > 0 && bytes_equal(bytes_of(memo->client, memo->len), client))
            return memo;
    }
    return NULL;
}

static struct client_memo *take_memo(struct connection *connection,
                                     struct client_memos *memos,
                                     struct bytes client,
                                     uint64_t now_ms)
{
    struct client_memo *memo = &memos->list[memos->next];

    CHECK(client.len > 0);
    CHECK(client.len <= sizeof memo->client);
    write_memo(connection, memo, now_ms);
    memos->next = (memos->next + 1) % CLIENT_MEMOS;
    *memo = (struct client_memo){ .len = client.len };
    memcpy(memo->client, client.data, client.len);
    memo->acked = number_of(connection, STATEMENT_CLIENT_GET, client);
    memo->newest = number_of(connection, STATEMENT_OUTCOME_NEWEST, client);
    return memo;
}

/* ---- one command ---- */

bool clients_admit(struct connection *connection,
                   struct client_memos *memos,
                   const Lapwing__Command *command,
                   uint64_t now_ms,
                   struct outcome *out)
{
    struct client_memo *memo = find_memo(memos, client_of(command));

    if (memo == NULL)
        memo = take_memo(connection, memos, client_of(command), now_ms);
    memo->seen = true;
    if (command->acked > memo->acked) {
        memo->acked = command->acked;
        memo->moved = true;
    }
    if (command->sequence <= memo->acked) {
        outcome_refuse(out, "sequence_forgotten",
                       err_set(&out->text, ST_CONFLICT,
                               "sequence %llu: answered before, acknowledged up to %llu",
                               (unsigned long long)command->sequence,
                               (unsigned long long)memo->acked));
        return false;
    }
    if (command->sequence <= memo->newest && recall(connection, command, out))
        return false;
    if (command->sequence - memo->acked > STATE_CLIENT_WINDOW_MAX) {
        outcome_refuse(out, "window_full",
                       err_set(&out->text, ST_LIMIT,
                               "sequence %llu: acknowledged up to %llu, want at most %d ahead",
                               (unsigned long long)command->sequence,
                               (unsigned long long)memo->acked, STATE_CLIENT_WINDOW_MAX));
        return false;
    }
    return true;
}

void clients_remember(struct connection *connection,
                      struct client_memos *memos,
                      const Lapwing__Command *command,
                      const struct outcome *out)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_OUTCOME_PUT);
    struct client_memo *memo = find_memo(memos, client_of(command));

    /* None after FORGET_CLIENTS: what is remembered is looked at when the next command comes. */
    if (memo != NULL && command->sequence > memo->newest)
        memo->newest = command->sequence;
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
