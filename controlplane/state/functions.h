/* Functions: what can be asked about them.  Their commands are applied by state_apply_entry(). */
#ifndef CONTROLPLANE_STATE_FUNCTIONS_H
#define CONTROLPLANE_STATE_FUNCTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "proto/command.pb-c.h"

struct state_reader;

/* The function of that name.
 *
 * out  owned by the caller, written on ST_OK; free with lapwing__function__free_unpacked(out, NULL)
 *
 * ST_NOT_FOUND (err says which), ST_IO.  A few microseconds; the reader's thread. */
enum status state_get_function(struct state_reader *reader,
                               const char *account,
                               const char *region,
                               const char *name,
                               Lapwing__Function **out,
                               struct err *err);

/* The same by uid, 32 lower-case hexadecimal digits: whose key is this? */
enum status state_get_function_by_uid(struct state_reader *reader,
                                      const char *uid,
                                      Lapwing__Function **out,
                                      struct err *err);

enum { FUNCTION_LIST_MAX = 10000 };

/* Functions in the order of their names.  Zero-initialise; empty again with function_list_done().
 */
struct function_list {
    size_t count;
    Lapwing__Function **functions; /* owned, with what they hold */
    bool more;                     /* ask again after the last one's name */
};

/* Which functions: of one account and region, at most `max` (1 to FUNCTION_LIST_MAX), whose name is
 * behind `after` ("" for the first page). */
struct function_page {
    const char *account;
    const char *region;
    const char *after;
    size_t max;
};

/* List one page.  ST_IO. */
enum status state_list_functions(struct state_reader *reader,
                                 const struct function_page *page,
                                 struct function_list *out,
                                 struct err *err);
void function_list_done(struct function_list *list);

#endif
