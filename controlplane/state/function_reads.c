/* What can be asked about functions and their versions.  See functions.h. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "controlplane/state/function_rows.h"

enum status state_get_function(struct state_reader *reader,
                               const char *account,
                               const char *region,
                               const char *name,
                               Lapwing__Function **out,
                               struct err *err)
{
    return state_get_version(reader, &(struct function_key){ account, region, name, 0 }, out, err);
}

enum status state_get_version(struct state_reader *reader,
                              const struct function_key *key,
                              Lapwing__Function **out,
                              struct err *err)
{
    Lapwing__Function *f = function_row_find(&reader->connection, key);
    enum status st = connection_status(&reader->connection, err);

    CHECK(reader->group == STATE_GROUP_CONTROL);
    if (st != ST_OK)
        return st;
    if (f == NULL)
        return err_set(err, ST_NOT_FOUND, "Function not found: arn:aws:lambda:%s:%s:function:%s",
                       key->region, key->account, key->name);
    *out = f;
    return ST_OK;
}

enum status state_get_function_by_uid(struct state_reader *reader,
                                      const char *uid,
                                      Lapwing__Function **out,
                                      struct err *err)
{
    Lapwing__Function *f = function_row_find_by_uid(&reader->connection, uid);
    enum status st = connection_status(&reader->connection, err);

    CHECK(reader->group == STATE_GROUP_CONTROL);
    if (st != ST_OK)
        return st;
    if (f == NULL)
        return err_set(err, ST_NOT_FOUND, "function with uid %s", uid);
    *out = f;
    return ST_OK;
}

/* The statement that yields the page's rows and one more, which tells whether there is a next. */
static sqlite3_stmt *page_statement(struct connection *connection, const struct function_page *page)
{
    static const enum statement statements[] = {
        [FUNCTION_PAGE_LATEST] = STATEMENT_FUNCTION_LIST,
        [FUNCTION_PAGE_ALL] = STATEMENT_FUNCTION_LIST_ALL,
        [FUNCTION_PAGE_VERSIONS] = STATEMENT_VERSION_LIST,
    };
    bool of_one = page->what == FUNCTION_PAGE_VERSIONS;
    sqlite3_stmt *stmt = connection_statement(connection, statements[page->what]);

    bind_text(stmt, 1, page->account);
    bind_text(stmt, 2, page->region);
    bind_text(stmt, 3, of_one ? page->name : page->after);
    bind_number(stmt, 4, page->max + 1);
    if (of_one)
        bind_number(stmt, 5, page->after[0] == '\0' ? 0 : page->after_version + 1);
    if (page->what == FUNCTION_PAGE_ALL)
        bind_number(stmt, 5, page->after_version);
    return stmt;
}

enum status state_list_functions(struct state_reader *reader,
                                 const struct function_page *page,
                                 struct function_list *out,
                                 struct err *err)
{
    struct function_list list = { 0 };
    sqlite3_stmt *stmt;
    enum status st;

    CHECK(reader->group == STATE_GROUP_CONTROL);
    CHECK(page->max > 0 && page->max <= FUNCTION_LIST_MAX);
    list.functions = must_calloc(page->max, sizeof(Lapwing__Function *));
    stmt = page_statement(&reader->connection, page);
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
