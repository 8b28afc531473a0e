/* S3 requests of the front door, handed on to an object store: the own zone's, else another's.
 *
 * The request goes through as it came (target and fields untouched, so its signature stays right)
 * and the answer comes back the same way; bodies stream in both directions under back-pressure. The
 * object store checks the signature.  All on the thread of the front door's loop. */
#ifndef CONTROLPLANE_API_S3_S3_PROXY_H
#define CONTROLPLANE_API_S3_S3_PROXY_H

#include "base/http_server.h"

struct s3_proxy;
struct s3_exchange; /* one request on its way; freed by itself some time after s3_exchange_done() */

/* addresses: of the stores' HTTP ports, comma separated, the own zone's first; S3_STORES_MAX at
 * most.  ST_BAD_INPUT when one is none. */
enum status s3_proxy_new(uv_loop_t *loop,
                         const char *addresses,
                         struct s3_proxy **out,
                         struct err *err);
/* Every exchange must be done.  Frees itself once its connections are closed. */
void s3_proxy_close(struct s3_proxy *proxy);

/* Take a request over.  It is answered whatever happens: 503 as S3's XML when no store can
 * be asked, or one was and did not answer. */
struct s3_exchange *s3_proxy_start(struct s3_proxy *proxy, struct http_request *req);

/* The front door passes on what its http_handler is told of that request. */
size_t s3_exchange_body(struct s3_exchange *exchange, struct bytes chunk);
void s3_exchange_body_end(struct s3_exchange *exchange);
void s3_exchange_drain(struct s3_exchange *exchange);
/* on_done: the request is gone, the exchange must not be used any more. */
void s3_exchange_done(struct s3_exchange *exchange);

#endif
