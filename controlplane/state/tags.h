/* Tags of resources: what can be asked about them, and how they live and die with a function.
 *
 * A resource is named by account, region and what follows them in its ARN: "function:NAME". */
#ifndef CONTROLPLANE_STATE_TAGS_H
#define CONTROLPLANE_STATE_TAGS_H

#include <stddef.h>

#include "base/status.h"
#include "proto/command.pb-c.h"

struct connection;
struct state_reader;

/* In the order of their keys' bytes.  Zero-initialise; empty again with tag_list_done(). */
struct tag_list {
    size_t count;
    Lapwing__Tag **tags; /* owned, with what they hold; NULL when there are none */
};

/* The tags of a function; of one that is not there, none.  ST_IO.  The reader's thread. */
enum status state_list_function_tags(struct state_reader *reader,
                                     const char *account,
                                     const char *region,
                                     const char *name,
                                     struct tag_list *out,
                                     struct err *err);
void tag_list_done(struct tag_list *list);

/* For the commands of functions: put the tags that a new one brings, drop those of one that goes.
 */
void tags_put_of_function(struct connection *connection, const Lapwing__Function *f);
void tags_drop_of_function(struct connection *connection, const Lapwing__Function *f);

#endif
