/* Workers: registered at each start of theirs, so that a new leader knows whom to ask. */
#include "controlplane/state/workers.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "controlplane/state/connection.h"
#include "controlplane/state/outcome.h"

/* The epoch the worker registered last, 0 for one never seen. */
static uint64_t worker_epoch(struct connection *connection, const char *worker)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_WORKER_EPOCH);
    uint64_t epoch = 0;

    bind_text(stmt, 1, worker);
    if (connection_row(connection, stmt))
        epoch = column_number(stmt, 0);
    connection_end(stmt);
    return epoch;
}

void workers_apply_register(struct apply *apply)
{
    Lapwing__RegisterWorker *cmd = apply_body(apply, &lapwing__register_worker__descriptor);
    uint64_t epoch = worker_epoch(apply->connection, cmd->worker);
    sqlite3_stmt *stmt;

    if (cmd->epoch < epoch) {
        /* A registration of the process before, overtaken on its way: the row is newer. */
        outcome_refuse(apply->out, "epoch_old",
                       err_set(&apply->out->text, ST_CONFLICT, "worker %s: epoch %llu, has %llu",
                               cmd->worker, (unsigned long long)cmd->epoch,
                               (unsigned long long)epoch));
    } else {
        stmt = connection_statement(apply->connection, STATEMENT_WORKER_PUT);
        bind_text(stmt, 1, cmd->worker);
        bind_text(stmt, 2, cmd->zone);
        bind_text(stmt, 3, cmd->address);
        bind_number(stmt, 4, cmd->epoch);
        bind_number(stmt, 5, apply->now_ms);
        connection_run(apply->connection, stmt);
    }
    lapwing__register_worker__free_unpacked(cmd, NULL);
}

static Lapwing__RegisterWorker *worker_of_row(sqlite3_stmt *stmt)
{
    Lapwing__RegisterWorker *worker = must_calloc(1, sizeof *worker);

    lapwing__register_worker__init(worker);
    worker->worker = column_text_copy(stmt, 0);
    worker->zone = column_text_copy(stmt, 1);
    worker->address = column_text_copy(stmt, 2);
    worker->epoch = column_number(stmt, 3);
    return worker;
}

enum status state_list_workers(struct state_reader *reader,
                               struct worker_list *out,
                               struct err *err)
{
    struct worker_list list = { 0 };
    sqlite3_stmt *stmt = connection_statement(&reader->connection, STATEMENT_WORKER_LIST);
    size_t room = 0;
    enum status st;

    CHECK(reader->group == STATE_GROUP_CONTROL);
    while (connection_row(&reader->connection, stmt)) {
        if (list.count == room) {
            room = room == 0 ? 16 : room * 2;
            list.workers = must_realloc(list.workers, room * sizeof(Lapwing__RegisterWorker *));
        }
        list.workers[list.count++] = worker_of_row(stmt);
    }
    st = connection_status(&reader->connection, err);
    if (st != ST_OK)
        worker_list_done(&list);
    else
        *out = list;
    return st;
}

void worker_list_done(struct worker_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        lapwing__register_worker__free_unpacked(list->workers[i], NULL);
    free(list->workers);
    memset(list, 0, sizeof *list);
}
