/* The SQL of this folder in one place, so that it can be read, and linted, as a whole.
 *
 * Plain and deterministic: what a statement writes follows from its parameters and the rows alone.
 */
#include "controlplane/state/statements.h"

#include <stddef.h>

#include "base/check.h"

/* functions.c reads and binds these columns by position. */
#define FUNCTION_COLUMNS                                                                           \
    "account, region, name, version, uid, runtime, role, handler, handler_present, description, "  \
    "timeout_s, memory_mb, ephemeral_mb, architecture, tracing_mode, code_sha256, code_bytes, "    \
    "revision_id, modified_ms, function_state, update_status, config_epoch, content_epoch, "       \
    "environment_present, lists"

/* objects.c does so with these. */
#define OBJECT_COLUMNS                                                                             \
    "bucket, key, bytes, etag, blob, content_type, owner, modified_ms, metadata, upload"

/* uploads.c does so with these. */
#define UPLOAD_COLUMNS "bucket, key, upload, created_ms, revision, checksum, checksum_whole, object"
#define PART_COLUMNS   "upload, number, bytes, md5, blob, checksum, modified_ms"

// clang-format off
static const char *const texts[STATEMENT_COUNT] = {
    [STATEMENT_BEGIN_READ]  = "BEGIN DEFERRED",
    [STATEMENT_BEGIN]       = "BEGIN IMMEDIATE",
    [STATEMENT_COMMIT]      = "COMMIT",
    [STATEMENT_ROLLBACK]    = "ROLLBACK",

    [STATEMENT_TABLES] =
        "SELECT t.name, (SELECT count(*) FROM pragma_table_info(t.name) WHERE pk > 0) "
        "FROM sqlite_schema AS t WHERE t.type = 'table' ORDER BY t.name",
    [STATEMENT_META_INSERT] =
        "INSERT INTO meta (only_row, state_group, schema_version, cluster_version, applied_index, "
        "applied_term, leader_ms, boot_id) VALUES (1, ?1, ?2, 1, 0, 0, 0, '')",
    [STATEMENT_META_GET] =
        "SELECT state_group, schema_version, cluster_version, applied_index, applied_term, "
        "leader_ms, boot_id FROM meta WHERE only_row = 1",
    [STATEMENT_META_APPLIED] =
        "UPDATE meta SET applied_index = ?1, applied_term = ?2, leader_ms = ?3 WHERE only_row = 1",
    [STATEMENT_META_CLUSTER_VERSION] =
        "UPDATE meta SET cluster_version = ?1, schema_version = ?2 WHERE only_row = 1",
    [STATEMENT_META_BOOT_ID] = "UPDATE meta SET boot_id = ?1 WHERE only_row = 1",

    [STATEMENT_CLIENT_GET] = "SELECT acked FROM clients WHERE client = ?1",
    [STATEMENT_CLIENT_PUT] =
        "INSERT INTO clients (client, acked, seen_ms) VALUES (?1, ?2, ?3) "
        "ON CONFLICT (client) DO UPDATE SET acked = excluded.acked, seen_ms = excluded.seen_ms",
    [STATEMENT_CLIENTS_FORGET] = "DELETE FROM clients WHERE seen_ms < ?1",
    [STATEMENT_OUTCOME_GET] =
        "SELECT status, reason, text, body FROM outcomes WHERE client = ?1 AND sequence = ?2",
    [STATEMENT_OUTCOME_NEWEST] = "SELECT max(sequence) FROM outcomes WHERE client = ?1",
    [STATEMENT_OUTCOME_PUT] =
        "INSERT INTO outcomes (client, sequence, status, reason, text, body) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    [STATEMENT_OUTCOMES_DROP] = "DELETE FROM outcomes WHERE client = ?1 AND sequence <= ?2",
    [STATEMENT_OUTCOMES_FORGET] =
        "DELETE FROM outcomes WHERE client IN (SELECT client FROM clients WHERE seen_ms < ?1)",

    /* "+?4": SQLite looks at the value of a plain parameter to see whether an index WHERE version = 0
     * would do, and from then on parses the statement anew at each binding: four times the cost. */
    [STATEMENT_FUNCTION_GET] =
        "SELECT " FUNCTION_COLUMNS " FROM functions "
        "WHERE account = ?1 AND region = ?2 AND name = ?3 AND version = +?4",
    [STATEMENT_FUNCTION_GET_BY_UID] =
        "SELECT " FUNCTION_COLUMNS " FROM functions WHERE uid = ?1 AND version = 0",
    [STATEMENT_FUNCTION_LIST] =
        "SELECT " FUNCTION_COLUMNS " FROM functions INDEXED BY functions_latest "
        "WHERE account = ?1 AND region = ?2 AND name > ?3 AND version = 0 ORDER BY name LIMIT ?4",
    [STATEMENT_FUNCTION_LIST_ALL] =
        "SELECT " FUNCTION_COLUMNS " FROM functions "
        "WHERE account = ?1 AND region = ?2 AND (name, version) > (?3, ?5) "
        "ORDER BY name, version LIMIT ?4",
    [STATEMENT_FUNCTION_INSERT] =
        "INSERT INTO functions (" FUNCTION_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, "
        "?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25)",
    /* The same parameters.  The uid (?5) stays: setting it would write its index as well. */
    [STATEMENT_FUNCTION_UPDATE] =
        "UPDATE functions SET runtime = ?6, role = ?7, handler = ?8, handler_present = ?9, "
        "description = ?10, timeout_s = ?11, memory_mb = ?12, ephemeral_mb = ?13, "
        "architecture = ?14, tracing_mode = ?15, code_sha256 = ?16, code_bytes = ?17, "
        "revision_id = ?18, modified_ms = ?19, function_state = ?20, update_status = ?21, "
        "config_epoch = ?22, content_epoch = ?23, environment_present = ?24, lists = ?25 "
        "WHERE account = ?1 AND region = ?2 AND name = ?3 AND version = +?4 AND uid = ?5",
    /* With all its versions. */
    [STATEMENT_FUNCTION_DELETE] =
        "DELETE FROM functions WHERE account = ?1 AND region = ?2 AND name = ?3",

    [STATEMENT_FUNCTION_EXISTS] =
        "SELECT 1 FROM functions WHERE account = ?1 AND region = ?2 AND name = ?3 LIMIT 1",
    [STATEMENT_FUNCTION_USAGE] =
        "SELECT coalesce(sum(version = 0), 0), coalesce(sum(code_bytes), 0) FROM functions "
        "WHERE account = ?1 AND region = ?2",

    [STATEMENT_TAG_HAS] =
        "SELECT 1 FROM tags WHERE account = ?1 AND region = ?2 AND resource = ?3 AND key = ?4",
    [STATEMENT_TAG_PUT] =
        "INSERT INTO tags (account, region, resource, key, value) VALUES (?1, ?2, ?3, ?4, ?5) "
        "ON CONFLICT (account, region, resource, key) DO UPDATE SET value = excluded.value",
    [STATEMENT_TAG_LIST] =
        "SELECT key, value FROM tags WHERE account = ?1 AND region = ?2 AND resource = ?3 "
        "ORDER BY key",
    [STATEMENT_TAG_DELETE] =
        "DELETE FROM tags WHERE account = ?1 AND region = ?2 AND resource = ?3 AND key = ?4",
    [STATEMENT_TAGS_DROP] =
        "DELETE FROM tags WHERE account = ?1 AND region = ?2 AND resource = ?3",
    [STATEMENT_VERSION_NEWEST] =
        "SELECT " FUNCTION_COLUMNS " FROM functions "
        "WHERE account = ?1 AND region = ?2 AND name = ?3 AND version > 0 "
        "ORDER BY version DESC LIMIT 1",
    [STATEMENT_VERSION_LIST] =
        "SELECT " FUNCTION_COLUMNS " FROM functions "
        "WHERE account = ?1 AND region = ?2 AND name = ?3 AND version >= ?5 "
        "ORDER BY version LIMIT ?4",
    [STATEMENT_VERSION_DELETE] =
        "DELETE FROM functions "
        "WHERE account = ?1 AND region = ?2 AND name = ?3 AND version = +?4 AND version > 0",
    [STATEMENT_VERSION_NUMBER_GET] =
        "SELECT last FROM version_numbers WHERE account = ?1 AND region = ?2 AND name = ?3",
    [STATEMENT_VERSION_NUMBER_PUT] =
        "INSERT OR REPLACE INTO version_numbers (account, region, name, last) "
        "VALUES (?1, ?2, ?3, ?4)",

    [STATEMENT_WORKER_EPOCH] = "SELECT epoch FROM workers WHERE worker = ?1",
    [STATEMENT_WORKER_PUT] =
        "INSERT OR REPLACE INTO workers (worker, zone, address, epoch, registered_ms) "
        "VALUES (?1, ?2, ?3, ?4, ?5)",
    [STATEMENT_WORKER_LIST] =
        "SELECT worker, zone, address, epoch FROM workers ORDER BY worker",

    [STATEMENT_MEMBER_LIST] =
        "SELECT id, node, zone, control_address, storage_address, replaces, removed FROM members "
        "ORDER BY id",
    [STATEMENT_MEMBER_PUT] =
        "INSERT INTO members (id, node, zone, control_address, storage_address, replaces, removed) "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0)",
    [STATEMENT_MEMBER_REMOVE] = "UPDATE members SET removed = 1 WHERE id = ?1",

    [STATEMENT_BUCKET_GET] =
        "SELECT name, account, region, created_ms FROM buckets WHERE name = ?1",
    [STATEMENT_BUCKET_LIST] =
        "SELECT name, account, region, created_ms FROM buckets WHERE account = ?1 ORDER BY name",
    [STATEMENT_BUCKET_INSERT] =
        "INSERT INTO buckets (name, account, region, created_ms) VALUES (?1, ?2, ?3, ?4)",
    [STATEMENT_BUCKET_DELETE] = "DELETE FROM buckets WHERE name = ?1",
    [STATEMENT_BUCKET_HAS_OBJECTS] = "SELECT 1 FROM objects WHERE bucket = ?1 LIMIT 1",
    [STATEMENT_OBJECT_GET] =
        "SELECT " OBJECT_COLUMNS " FROM objects WHERE bucket = ?1 AND key = ?2",
    [STATEMENT_OBJECT_SEEK] =
        "SELECT " OBJECT_COLUMNS " FROM objects WHERE bucket = ?1 AND key >= ?2 ORDER BY key",
    [STATEMENT_OBJECT_PUT] =
        "INSERT OR REPLACE INTO objects (" OBJECT_COLUMNS ") "
        "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [STATEMENT_OBJECT_DELETE] = "DELETE FROM objects WHERE bucket = ?1 AND key = ?2",
    /* The second condition is the index's own, without which SQLite does not use it. */
    [STATEMENT_OBJECT_BY_UPLOAD] =
        "SELECT 1 FROM objects WHERE upload = ?1 AND upload <> '' LIMIT 1",

    [STATEMENT_UPLOAD_GET] =
        "SELECT " UPLOAD_COLUMNS " FROM uploads WHERE bucket = ?1 AND key = ?2 AND upload = ?3",
    [STATEMENT_UPLOAD_ANY] = "SELECT 1 FROM uploads WHERE upload = ?1",
    [STATEMENT_UPLOAD_SEEK] =
        "SELECT " UPLOAD_COLUMNS " FROM uploads "
        "WHERE bucket = ?1 AND (key, upload) > (?2, ?3) ORDER BY key, upload",
    [STATEMENT_UPLOAD_INSERT] =
        "INSERT INTO uploads (" UPLOAD_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [STATEMENT_UPLOAD_RAISE] =
        "UPDATE uploads SET revision = revision + 1 "
        "WHERE bucket = ?1 AND key = ?2 AND upload = ?3",
    [STATEMENT_UPLOAD_DELETE] =
        "DELETE FROM uploads WHERE bucket = ?1 AND key = ?2 AND upload = ?3",
    [STATEMENT_UPLOADS_DELETE] = "DELETE FROM uploads WHERE bucket = ?1",
    [STATEMENT_PART_GET] =
        "SELECT " PART_COLUMNS " FROM parts WHERE upload = ?1 AND number = ?2",
    [STATEMENT_PART_SEEK] =
        "SELECT " PART_COLUMNS " FROM parts WHERE upload = ?1 AND number > ?2 ORDER BY number",
    [STATEMENT_PART_PUT] =
        "INSERT OR REPLACE INTO parts (" PART_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [STATEMENT_PART_DELETE] = "DELETE FROM parts WHERE upload = ?1 AND number = ?2",
    [STATEMENT_PARTS_DELETE] = "DELETE FROM parts WHERE upload = ?1",
    [STATEMENT_PARTS_DELETE_OF_BUCKET] =
        "DELETE FROM parts WHERE upload IN (SELECT upload FROM uploads WHERE bucket = ?1)",
};
// clang-format on

const char *statement_text(enum statement statement)
{
    CHECK(statement < STATEMENT_COUNT);
    CHECK(texts[statement] != NULL);
    return texts[statement];
}
