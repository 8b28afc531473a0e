/* The environment variables of a function that belong to Lambda: refused by the front door when a
 * user sets them, and never taken from a user by a worker. */
#ifndef PROTO_RESERVED_VARIABLES_H
#define PROTO_RESERVED_VARIABLES_H

#include <stdbool.h>

/* Exact, case included.  Source: AWS's page on Lambda environment variables, "reserved". */
bool variable_is_reserved(const char *name);

#endif
