/* The front door: one HTTP endpoint for all services.
 *
 *   request ─► route ─► key known? ─► body ─► signature ─► operation ─► answer
 *                 └► S3: handed to the object store as it is
 *
 * All of it on the main loop's thread; what takes long goes to the pool of threads or waits for a
 * callback. */
#ifndef CONTROLPLANE_API_API_H
#define CONTROLPLANE_API_API_H

#include <stdbool.h>

#include "base/status.h"
#include "controlplane/api/call/options.h"

struct https_certificate;
struct api; /* freed by api_free() */
/* ST_IO: the rows cannot be opened.  ST_BAD_INPUT: the object store's address. */
enum status api_new(const struct api_options *options, struct api **out, struct err *err);
/* Listen on one address; several times.
 *
 * certificate   of an HTTPS port, borrowed for the life of the front door; NULL for plain HTTP
 *
 * Statuses as http_server_listen(). */
enum status api_listen(struct api *api,
                       const char *address,
                       struct https_certificate *certificate,
                       bool share_port,
                       struct err *err);
/* Until then /_lapwing/v1/health answers 503. */
void api_set_ready(struct api *api, bool ready);
/* Cut every connection.  What is on its way still finds its structs: free once the loop has run
 * dry. */
void api_close(struct api *api);
void api_free(struct api *api);

#endif
