/* Commands of functions and of their versions.
 *
 *                    CREATE            ACTIVATE                    UPDATE_...
 *     (none) ------------> pending -------------> active, update ------------> active, update
 *                             |                   successful <------------     in progress
 *                             |                                ACTIVATE            ^
 *                             +----------------------------------------------------+  UPDATE_...
 *
 * Every change makes a new revision, chosen by the proposer.  A change of code or configuration
 * raises config_epoch, so that no environment started before serves it; becoming active is none.
 * A version is a copy of $LATEST that nothing changes any more, but for becoming active with it. */
#include "controlplane/state/functions.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "controlplane/state/connection.h"
#include "controlplane/state/function_rows.h"
#include "controlplane/state/outcome.h"
#include "controlplane/state/tags.h"

enum {
    PENDING = LAPWING__FUNCTION_STATE__FUNCTION_PENDING,
    ACTIVE = LAPWING__FUNCTION_STATE__FUNCTION_ACTIVE,
    UPDATE_NONE = LAPWING__FUNCTION_UPDATE_STATUS__FUNCTION_UPDATE_NONE,
    UPDATE_SUCCESSFUL = LAPWING__FUNCTION_UPDATE_STATUS__FUNCTION_UPDATE_SUCCESSFUL,
    UPDATE_IN_PROGRESS = LAPWING__FUNCTION_UPDATE_STATUS__FUNCTION_UPDATE_IN_PROGRESS,
};

/* A text that a message owns, to replace `*field`. */
static void set_text(char **field, const char *text)
{
    size_t len = strlen(text);
    char *copy = must_calloc(len + 1, 1);

    memcpy(copy, text, len);
    if (*field != protobuf_c_empty_string)
        free(*field);
    *field = copy;
}

static void free_function(Lapwing__Function *f)
{
    if (f != NULL)
        lapwing__function__free_unpacked(f, NULL);
}

static struct function_key key_of(const Lapwing__Function *f, uint64_t version)
{
    return (struct function_key){ f->account, f->region, f->name, version };
}

static void refuse_missing(struct outcome *out, const struct function_key *key)
{
    outcome_refuse(out, "function_not_found",
                   err_set(&out->text, ST_NOT_FOUND,
                           "Function not found: arn:aws:lambda:%s:%s:function:%s", key->region,
                           key->account, key->name));
}

/* $LATEST, if it is there and of the revision that is expected ("": any); NULL is refused. */
static Lapwing__Function *find_expected(struct apply *apply,
                                        const struct function_key *key,
                                        const char *expected_revision_id)
{
    Lapwing__Function *f = function_row_find(apply->connection, key);
    struct outcome *out = apply->out;

    if (f == NULL) {
        refuse_missing(out, key);
        return NULL;
    }
    if (expected_revision_id[0] == '\0' || strcmp(expected_revision_id, f->revision_id) == 0)
        return f;
    outcome_refuse(out, "revision_mismatch",
                   err_set(&out->text, ST_CONFLICT,
                           "The Revision Id provided does not match the latest Revision Id. Call "
                           "the GetFunction/GetAlias API to retrieve the latest Revision Id"));
    free_function(f);
    return NULL;
}

/* ---- versions ---- */

/* The number of the next version of this name, which from now on is taken. */
static uint64_t take_number(struct connection *connection, const struct function_key *key)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_VERSION_NUMBER_GET);
    uint64_t number = 1;

    function_key_bind(stmt, key);
    if (connection_row(connection, stmt))
        number = column_number(stmt, 0) + 1;
    connection_end(stmt);
    stmt = connection_statement(connection, STATEMENT_VERSION_NUMBER_PUT);
    function_key_bind(stmt, key);
    bind_number(stmt, 4, number);
    connection_run(connection, stmt);
    return number;
}

static Lapwing__Function *find_newest(struct connection *connection, const struct function_key *key)
{
    sqlite3_stmt *stmt = connection_statement(connection, STATEMENT_VERSION_NEWEST);
    Lapwing__Function *f = NULL;

    function_key_bind(stmt, key);
    if (connection_row(connection, stmt))
        f = function_of_row(stmt);
    connection_end(stmt);
    return f;
}

/* Answer with the version that is a copy of $LATEST: the newest one if nothing has changed since,
 * else a new one.  `latest` becomes the version's row. */
static void publish(struct apply *apply, Lapwing__Function *latest)
{
    struct function_key key = key_of(latest, 0);
    Lapwing__Function *newest = find_newest(apply->connection, &key);

    if (newest != NULL && newest->content_epoch == latest->content_epoch &&
        strcmp(newest->uid, latest->uid) == 0) {
        outcome_answer(apply->out, &newest->base);
        free_function(newest);
        return;
    }
    latest->version = take_number(apply->connection, &key);
    CHECK(newest == NULL || newest->version < latest->version);
    if (latest->state != PENDING) {
        latest->state = ACTIVE;
        latest->update_status = UPDATE_SUCCESSFUL;
    }
    function_row_put(apply->connection, STATEMENT_FUNCTION_INSERT, latest);
    outcome_answer(apply->out, &latest->base);
    free_function(newest);
}

void functions_apply_publish(struct apply *apply)
{
    Lapwing__PublishVersion *cmd = apply_body(apply, &lapwing__publish_version__descriptor);
    const struct function_key key = { cmd->account, cmd->region, cmd->name, 0 };
    Lapwing__Function *f = find_expected(apply, &key, cmd->expected_revision_id);

    if (f != NULL) {
        set_text(&f->revision_id, cmd->revision_id);
        if (cmd->description_present)
            set_text(&f->description, cmd->description);
        publish(apply, f);
    }
    free_function(f);
    lapwing__publish_version__free_unpacked(cmd, NULL);
}

/* The versions that were published while $LATEST was pending become active with it. */
static void activate_versions(struct apply *apply, const Lapwing__Function *latest)
{
    struct function_key key = key_of(latest, 0);
    Lapwing__Function *newest = find_newest(apply->connection, &key);

    /* Only a creation publishes while pending, so there is at most this one. */
    if (newest != NULL && newest->state == PENDING) {
        set_text(&newest->revision_id, latest->revision_id);
        newest->state = ACTIVE;
        newest->update_status = UPDATE_SUCCESSFUL;
        function_row_put(apply->connection, STATEMENT_FUNCTION_UPDATE, newest);
    }
    free_function(newest);
}

/* ---- $LATEST ---- */

static void create(struct apply *apply, Lapwing__Function *f, bool with_version)
{
    struct function_key key = key_of(f, 0);
    Lapwing__Function *other = function_row_find(apply->connection, &key);
    struct outcome *out = apply->out;

    if (other != NULL) {
        outcome_refuse(out, "function_exists",
                       err_set(&out->text, ST_EXISTS, "Function already exist: %s", f->name));
        free_function(other);
        return;
    }
    other = function_row_find_by_uid(apply->connection, f->uid);
    if (other != NULL) {
        outcome_refuse(out, "uid_taken",
                       err_set(&out->text, ST_CONFLICT, "uid %s: taken, choose another", f->uid));
        free_function(other);
        return;
    }
    f->version = 0;
    f->modified_ms = apply->now_ms;
    f->state = PENDING;
    f->update_status = UPDATE_NONE;
    f->config_epoch = 1;
    f->content_epoch = 1;
    function_row_put(apply->connection, STATEMENT_FUNCTION_INSERT, f);
    tags_put_of_function(apply->connection, f);
    if (with_version)
        publish(apply, f);
    else
        outcome_answer(out, &f->base);
}

void functions_apply_create(struct apply *apply)
{
    Lapwing__CreateFunction *cmd = apply_body(apply, &lapwing__create_function__descriptor);

    CHECK(cmd->function != NULL);
    create(apply, cmd->function, cmd->publish);
    lapwing__create_function__free_unpacked(cmd, NULL);
}

/* Write $LATEST as changed by a command.  `same`: what it was told is what it had. */
static void put_changed(struct apply *apply,
                        Lapwing__Function *f,
                        const char *revision_id,
                        bool same)
{
    set_text(&f->revision_id, revision_id);
    f->modified_ms = apply->now_ms;
    f->state = ACTIVE;
    f->update_status = UPDATE_IN_PROGRESS;
    f->config_epoch++;
    if (!same)
        f->content_epoch = f->config_epoch;
    CHECK(f->content_epoch <= f->config_epoch);
    function_row_put(apply->connection, STATEMENT_FUNCTION_UPDATE, f);
}

static void update_code(struct apply *apply,
                        Lapwing__Function *f,
                        const Lapwing__UpdateFunctionCode *cmd)
{
    bool same = memcmp(f->code_sha256.data, cmd->code_sha256.data, cmd->code_sha256.len) == 0;

    CHECK(f->code_sha256.len == cmd->code_sha256.len);
    memcpy(f->code_sha256.data, cmd->code_sha256.data, cmd->code_sha256.len);
    f->code_bytes = cmd->code_bytes;
    if (cmd->architecture[0] != '\0' && strcmp(cmd->architecture, f->architecture) != 0) {
        same = false;
        set_text(&f->architecture, cmd->architecture);
    }
    put_changed(apply, f, cmd->revision_id, same);
    if (cmd->publish)
        publish(apply, f);
    else
        outcome_answer(apply->out, &f->base);
}

void functions_apply_update_code(struct apply *apply)
{
    Lapwing__UpdateFunctionCode *cmd =
        apply_body(apply, &lapwing__update_function_code__descriptor);
    const struct function_key key = { cmd->account, cmd->region, cmd->name, 0 };
    Lapwing__Function *f = find_expected(apply, &key, cmd->expected_revision_id);

    if (f != NULL)
        update_code(apply, f, cmd);
    free_function(f);
    lapwing__update_function_code__free_unpacked(cmd, NULL);
}

/* Are the settings of both the same, as bytes?  Makes the rest of `to` that of `from` first, so
 * that afterwards it is the row with new settings. */
static bool take_settings(const Lapwing__Function *from, Lapwing__Function *to)
{
    size_t from_len;
    size_t to_len;
    uint8_t *packed;
    bool same;

    set_text(&to->uid, from->uid);
    set_text(&to->architecture, from->architecture);
    set_text(&to->revision_id, from->revision_id);
    CHECK(to->code_sha256.len == from->code_sha256.len);
    memcpy(to->code_sha256.data, from->code_sha256.data, from->code_sha256.len);
    to->code_bytes = from->code_bytes;
    to->modified_ms = from->modified_ms;
    to->state = from->state;
    to->update_status = from->update_status;
    to->config_epoch = from->config_epoch;
    to->content_epoch = from->content_epoch;
    to->version = from->version;
    to_len = lapwing__function__get_packed_size(to);
    from_len = lapwing__function__get_packed_size(from);
    if (to_len != from_len)
        return false;
    packed = must_calloc(to_len + from_len, 1);
    (void)lapwing__function__pack(to, packed);
    (void)lapwing__function__pack(from, packed + to_len);
    same = memcmp(packed, packed + to_len, to_len) == 0;
    free(packed);
    return same;
}

/* The command's function has the settings, the row everything else. */
static void update_configuration(struct apply *apply, Lapwing__Function *row, Lapwing__Function *f)
{
    size_t n_tags = f->n_tags;
    char *revision_id = f->revision_id;
    bool same;

    f->revision_id = (char *)protobuf_c_empty_string;
    f->n_tags = 0; /* tags are rows of their own */
    same = take_settings(row, f);
    put_changed(apply, f, revision_id, same);
    outcome_answer(apply->out, &f->base);
    f->n_tags = n_tags;
    free(revision_id);
}

void functions_apply_update_configuration(struct apply *apply)
{
    Lapwing__UpdateFunctionConfiguration *cmd =
        apply_body(apply, &lapwing__update_function_configuration__descriptor);
    struct function_key key;
    Lapwing__Function *row;

    CHECK(cmd->function != NULL);
    key = key_of(cmd->function, 0);
    row = find_expected(apply, &key, cmd->expected_revision_id);
    if (row != NULL)
        update_configuration(apply, row, cmd->function);
    free_function(row);
    lapwing__update_function_configuration__free_unpacked(cmd, NULL);
}

static bool is_settled(const Lapwing__Function *f)
{
    return f->state == ACTIVE && f->update_status == UPDATE_SUCCESSFUL;
}

void functions_apply_activate(struct apply *apply)
{
    Lapwing__ActivateFunction *cmd = apply_body(apply, &lapwing__activate_function__descriptor);
    const struct function_key key = { cmd->account, cmd->region, cmd->name, 0 };
    Lapwing__Function *f = function_row_find(apply->connection, &key);
    struct outcome *out = apply->out;

    if (f == NULL) {
        refuse_missing(out, &key);
    } else if (strcmp(cmd->uid, f->uid) != 0 ||
               strcmp(cmd->from_revision_id, f->revision_id) != 0 || is_settled(f)) {
        outcome_refuse(out, "revision_moved",
                       err_set(&out->text, ST_CONFLICT, "function %s: revision %s is not waiting",
                               cmd->name, cmd->from_revision_id));
    } else {
        bool was_pending = f->state == PENDING;

        set_text(&f->revision_id, cmd->revision_id);
        f->state = ACTIVE;
        f->update_status = UPDATE_SUCCESSFUL;
        function_row_put(apply->connection, STATEMENT_FUNCTION_UPDATE, f);
        if (was_pending)
            activate_versions(apply, f);
        outcome_answer(out, &f->base);
    }
    free_function(f);
    lapwing__activate_function__free_unpacked(cmd, NULL);
}

/* All of it, or one version; that a version is not there any more is what was asked for. */
static void delete_rows(struct apply *apply, const struct function_key *key)
{
    enum statement statement =
        key->version == 0 ? STATEMENT_FUNCTION_DELETE : STATEMENT_VERSION_DELETE;
    sqlite3_stmt *stmt = connection_statement(apply->connection, statement);

    function_key_bind(stmt, key);
    if (key->version > 0)
        bind_number(stmt, 4, key->version);
    connection_run(apply->connection, stmt);
}

void functions_apply_delete(struct apply *apply)
{
    Lapwing__DeleteFunction *cmd = apply_body(apply, &lapwing__delete_function__descriptor);
    const struct function_key latest = { cmd->account, cmd->region, cmd->name, 0 };
    struct function_key key = latest;
    Lapwing__Function *f = function_row_find(apply->connection, &latest);

    key.version = cmd->version;
    if (f == NULL) {
        refuse_missing(apply->out, &key);
    } else {
        delete_rows(apply, &key);
        if (key.version == 0)
            tags_drop_of_function(apply->connection, f);
        outcome_answer(apply->out, &f->base);
    }
    free_function(f);
    lapwing__delete_function__free_unpacked(cmd, NULL);
}
