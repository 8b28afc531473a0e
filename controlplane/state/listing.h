/* Listings by key, with a prefix and a delimiter: of objects, and of uploads under way. */
#ifndef CONTROLPLANE_STATE_LISTING_H
#define CONTROLPLANE_STATE_LISTING_H

#include "controlplane/state/connection.h"
#include "proto/state_service.pb-c.h"

/* One page while it is made; zero what is not said. */
struct listing {
    struct connection *connection;
    /* Rows with the key in column 1, by parameters bucket, key and, for uploads, upload. */
    enum statement seek;
    /* Append the row to the reply; returns its key, borrowed from the reply. */
    char *(*add)(Lapwing__ReadReply *reply, sqlite3_stmt *stmt);
    Lapwing__ReadReply *reply;
    const char *bucket;
    struct bytes prefix;
    struct bytes delimiter;
    const char *key_after;
    const char *upload_after; /* uploads only, NULL else: goes on inside the rows of key_after */
    size_t room;              /* entries that still fit; more than 0 */

    /* Its own. */
    uint8_t *from; /* owned: keys before this are not wanted... */
    size_t from_len;
    const char *upload_from; /* ...nor uploads of that key up to this */
    char *last;              /* borrowed from the reply: the last entry */
};

/* Fill the page: the reply's rows, common_prefixes, truncated and next_start_after.  The array that
 * `add` fills is the caller's to make.  The bucket exists. */
void listing_run(struct listing *listing);

#endif
