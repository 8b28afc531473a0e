/* The listing of nodes, for `lapwing nodes` and for who waits for a change. */
#ifndef CLI_NODES_H
#define CLI_NODES_H

#include <jansson.h>

#include "base/status.h"

/* GET nodes; the caller owns the answer. */
enum status nodes_get(json_t **out, struct err *err);
void nodes_print(const json_t *answer);
/* The node with this id, else with this name; NULL: none.  Borrowed from the answer. */
const json_t *nodes_find(const json_t *answer, const char *id_or_name);

#endif
