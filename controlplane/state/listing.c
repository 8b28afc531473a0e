/* The walk of a listing: seeks past each common prefix and never walks the rows behind it. */
#include "controlplane/state/listing.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"

enum { KEY_COLUMN = 1 };

static bool starts_with(struct bytes text, struct bytes prefix)
{
    return text.len >= prefix.len &&
           (prefix.len == 0 || memcmp(text.data, prefix.data, prefix.len) == 0);
}

/* The length of the common prefix that `key` is rolled up to; 0: it stands for itself. */
static size_t rolled_up_bytes(const struct listing *listing, struct bytes key)
{
    struct bytes delimiter = listing->delimiter;

    if (delimiter.len == 0)
        return 0;
    for (size_t at = listing->prefix.len; at + delimiter.len <= key.len; at++)
        if (memcmp(key.data + at, delimiter.data, delimiter.len) == 0)
            return at + delimiter.len;
    return 0;
}

/* Want keys from `key` on. */
static void seek_to(struct listing *listing, struct bytes key)
{
    if (key.len > 0)
        memcpy(listing->from, key.data, key.len);
    listing->from_len = key.len;
    listing->upload_from = "";
}

/* Want keys behind all that begin with `prefix`.  Keys and delimiters are UTF-8, which has no byte
 * 0xff, so raising the last byte gives the first text behind them. */
static void seek_behind_prefix(struct listing *listing, struct bytes prefix)
{
    CHECK(prefix.len > 0);
    CHECK(prefix.data[prefix.len - 1] < 0xff);
    seek_to(listing, prefix);
    listing->from[prefix.len - 1]++;
}

static void seek_first(struct listing *listing)
{
    struct bytes after = bytes_of_text(listing->key_after);
    size_t shorter = after.len < listing->prefix.len ? after.len : listing->prefix.len;
    int order = shorter == 0 ? 0 : memcmp(after.data, listing->prefix.data, shorter);

    if (order < 0 || (order == 0 && after.len < listing->prefix.len) || after.len == 0) {
        seek_to(listing, listing->prefix);
        return;
    }
    /* A page that ended in a common prefix goes on behind all that it stands for. */
    if (starts_with(after, listing->prefix) && rolled_up_bytes(listing, after) == after.len) {
        seek_behind_prefix(listing, after);
        return;
    }
    seek_to(listing, after);
    if (listing->upload_after != NULL && listing->upload_after[0] != '\0') {
        listing->upload_from = listing->upload_after;
        return;
    }
    listing->from[listing->from_len++] = 0; /* the first text behind it */
}

static void add_prefix(struct listing *listing, struct bytes prefix)
{
    Lapwing__ReadReply *reply = listing->reply;
    char *copy = must_calloc(prefix.len + 1, 1);

    memcpy(copy, prefix.data, prefix.len);
    reply->common_prefixes[reply->n_common_prefixes++] = copy;
    listing->last = copy;
}

/* Walk from listing->from on to the end, to a full page, or to a common prefix, which is taken and
 * leaped over.  True when there is more to walk. */
static bool walk(struct listing *listing)
{
    sqlite3_stmt *stmt = connection_statement(listing->connection, listing->seek);
    bool leap = false;

    bind_text(stmt, 1, listing->bucket);
    bind_text_bytes(stmt, 2, (struct bytes){ listing->from, listing->from_len });
    if (listing->upload_after != NULL)
        bind_text(stmt, 3, listing->upload_from);
    while (!leap && connection_row(listing->connection, stmt)) {
        struct bytes key = column_bytes(stmt, KEY_COLUMN);
        size_t rolled_up = rolled_up_bytes(listing, key);

        if (!starts_with(key, listing->prefix))
            break;
        if (listing->room == 0) {
            listing->reply->truncated = true;
            break;
        }
        listing->room--;
        if (rolled_up == 0) {
            listing->last = listing->add(listing->reply, stmt);
            continue;
        }
        add_prefix(listing, (struct bytes){ key.data, rolled_up });
        leap = true;
    }
    connection_end(stmt);
    if (leap)
        seek_behind_prefix(listing, bytes_of_text(listing->last));
    return leap;
}

void listing_run(struct listing *listing)
{
    Lapwing__ReadReply *reply = listing->reply;

    CHECK(listing->room > 0);
    reply->common_prefixes = must_calloc(listing->room, sizeof(char *));
    listing->from = must_calloc(OBJECT_KEY_BYTES_MAX + 2, 1);
    seek_first(listing);
    while (walk(listing))
        continue;
    if (reply->truncated) {
        size_t len = strlen(listing->last);

        reply->next_start_after = must_calloc(len + 1, 1);
        memcpy(reply->next_start_after, listing->last, len);
    }
    free(listing->from);
}
