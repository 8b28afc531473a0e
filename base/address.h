/* Socket addresses as text, "127.0.0.1:4566" or "[::1]:4566".  Numeric only: a cluster that must go
 * on when other things fail does not wait for a name server. */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include <netinet/in.h>

#include "base/status.h"

/* ST_BAD_INPUT names what is wrong.  Port 0 is allowed (the kernel chooses). */
enum status address_parse(const char *text, struct sockaddr_storage *out, struct err *err);

#endif
