/* Tags: their commands and what can be asked about them.
 *
 * A command sees the number of tags that the resource would have, so that no order of requests
 * through however many front doors brings it over the limit. */
#include "controlplane/state/tags.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "controlplane/state/connection.h"
#include "controlplane/state/outcome.h"

#define FUNCTION_PREFIX "function:"

/* Whose tags.  All borrowed. */
struct owner {
    const char *account;
    const char *region;
    const char *resource;
};

/* "function:NAME"; out holds TAG_RESOURCE_BYTES_MAX + 1. */
static void function_resource(const char *name, char *out)
{
    size_t len = strlen(name);

    CHECK(len <= FUNCTION_NAME_BYTES_MAX);
    memcpy(out, FUNCTION_PREFIX, strlen(FUNCTION_PREFIX));
    memcpy(out + strlen(FUNCTION_PREFIX), name, len + 1);
}

static sqlite3_stmt *statement_of(struct connection *connection,
                                  enum statement statement,
                                  const struct owner *owner)
{
    sqlite3_stmt *stmt = connection_statement(connection, statement);

    bind_text(stmt, 1, owner->account);
    bind_text(stmt, 2, owner->region);
    bind_text(stmt, 3, owner->resource);
    return stmt;
}

static void put(struct connection *connection, const struct owner *owner, const Lapwing__Tag *tag)
{
    sqlite3_stmt *stmt = statement_of(connection, STATEMENT_TAG_PUT, owner);

    bind_text(stmt, 4, tag->key);
    bind_text(stmt, 5, tag->value);
    connection_run(connection, stmt);
}

static bool has(struct connection *connection, const struct owner *owner, const char *key)
{
    sqlite3_stmt *stmt = statement_of(connection, STATEMENT_TAG_HAS, owner);
    bool found;

    bind_text(stmt, 4, key);
    found = connection_row(connection, stmt);
    connection_end(stmt);
    return found;
}

static size_t count_of(struct connection *connection, const struct owner *owner)
{
    sqlite3_stmt *stmt = statement_of(connection, STATEMENT_TAG_LIST, owner);
    size_t count = 0;

    while (connection_row(connection, stmt))
        count++;
    connection_end(stmt);
    return count;
}

static bool owner_exists(struct connection *connection, const struct owner *owner)
{
    size_t prefix = strlen(FUNCTION_PREFIX);
    sqlite3_stmt *stmt;
    bool found;

    if (strncmp(owner->resource, FUNCTION_PREFIX, prefix) != 0)
        return false;
    stmt = connection_statement(connection, STATEMENT_FUNCTION_EXISTS);
    bind_text(stmt, 1, owner->account);
    bind_text(stmt, 2, owner->region);
    bind_text(stmt, 3, owner->resource + prefix);
    found = connection_row(connection, stmt);
    connection_end(stmt);
    return found;
}

static void refuse_missing(struct outcome *out, const struct owner *owner)
{
    outcome_refuse(out, "resource_not_found",
                   err_set(&out->text, ST_NOT_FOUND, "Function not found: arn:aws:lambda:%s:%s:%s",
                           owner->region, owner->account, owner->resource));
}

void tags_apply_tag(struct apply *apply)
{
    Lapwing__TagResource *cmd = apply_body(apply, &lapwing__tag_resource__descriptor);
    const struct owner owner = { cmd->account, cmd->region, cmd->resource };
    size_t count = count_of(apply->connection, &owner);
    struct outcome *out = apply->out;

    for (size_t i = 0; i < cmd->n_tags; i++)
        count += has(apply->connection, &owner, cmd->tags[i]->key) ? 0 : 1;
    if (!owner_exists(apply->connection, &owner))
        refuse_missing(out, &owner);
    else if (count > TAGS_MAX)
        outcome_refuse(out, "too_many_tags",
                       err_set(&out->text, ST_LIMIT, "Number of tags exceeds resource tag limit."));
    else
        for (size_t i = 0; i < cmd->n_tags; i++)
            put(apply->connection, &owner, cmd->tags[i]);
    lapwing__tag_resource__free_unpacked(cmd, NULL);
}

void tags_apply_untag(struct apply *apply)
{
    Lapwing__UntagResource *cmd = apply_body(apply, &lapwing__untag_resource__descriptor);
    const struct owner owner = { cmd->account, cmd->region, cmd->resource };

    if (!owner_exists(apply->connection, &owner)) {
        refuse_missing(apply->out, &owner);
    } else {
        for (size_t i = 0; i < cmd->n_keys; i++) {
            sqlite3_stmt *stmt = statement_of(apply->connection, STATEMENT_TAG_DELETE, &owner);

            bind_text(stmt, 4, cmd->keys[i]);
            connection_run(apply->connection, stmt);
        }
    }
    lapwing__untag_resource__free_unpacked(cmd, NULL);
}

void tags_put_of_function(struct connection *connection, const Lapwing__Function *f)
{
    char resource[TAG_RESOURCE_BYTES_MAX + 1];
    const struct owner owner = { f->account, f->region, resource };

    CHECK(f->n_tags <= TAGS_MAX);
    function_resource(f->name, resource);
    for (size_t i = 0; i < f->n_tags; i++)
        put(connection, &owner, f->tags[i]);
}

void tags_drop_of_function(struct connection *connection, const Lapwing__Function *f)
{
    char resource[TAG_RESOURCE_BYTES_MAX + 1];
    const struct owner owner = { f->account, f->region, resource };

    function_resource(f->name, resource);
    connection_run(connection, statement_of(connection, STATEMENT_TAGS_DROP, &owner));
}

enum status state_list_function_tags(struct state_reader *reader,
                                     const char *account,
                                     const char *region,
                                     const char *name,
                                     struct tag_list *out,
                                     struct err *err)
{
    char resource[TAG_RESOURCE_BYTES_MAX + 1];
    const struct owner owner = { account, region, resource };
    struct tag_list list = { 0 };
    sqlite3_stmt *stmt;
    enum status st;

    CHECK(reader->group == STATE_GROUP_CONTROL);
    function_resource(name, resource);
    stmt = statement_of(&reader->connection, STATEMENT_TAG_LIST, &owner);
    while (connection_row(&reader->connection, stmt)) {
        Lapwing__Tag *tag = must_calloc(1, sizeof *tag);

        CHECK(list.count < TAGS_MAX);
        if (list.tags == NULL)
            list.tags = must_calloc(TAGS_MAX, sizeof(Lapwing__Tag *));
        lapwing__tag__init(tag);
        tag->key = column_text_copy(stmt, 0);
        tag->value = column_text_copy(stmt, 1);
        list.tags[list.count++] = tag;
    }
    connection_end(stmt);
    st = connection_status(&reader->connection, err);
    if (st == ST_OK)
        *out = list;
    else
        tag_list_done(&list);
    return st;
}

void tag_list_done(struct tag_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        lapwing__tag__free_unpacked(list->tags[i], NULL);
    free(list->tags);
    memset(list, 0, sizeof *list);
}
