/* The S3 API over HTTP.  Everything belongs to the loop's thread. */
#ifndef OBJSTORE_S3_S3_SERVER_H
#define OBJSTORE_S3_S3_SERVER_H

#include <uv.h>

#include "base/status.h"
#include "objstore/s3/s3_auth.h"

struct blob_store;
struct clock;
struct peers;
struct state_link;
struct https_certificate;
struct s3_server; /* owned by main() */

struct s3_options {
    uv_loop_t *loop;
    struct https_certificate *certificate; /* NULL for plain HTTP; borrowed */
    const char *listen;                    /* "127.0.0.1:4580"; port 0: the kernel's choice */
    /* All of these are borrowed for life. */
    const struct s3_keys *keys;
    const char *domain; /* buckets are hosts under it (base/s3_host.h); NULL: none */
    const struct clock *clock;
    struct blob_store *store;
    struct peers *peers;
    struct state_link *link;
};

enum status s3_server_open(const struct s3_options *options,
                           struct s3_server **out_server,
                           struct err *err);
unsigned s3_server_port(const struct s3_server *server);
/* Take no more connections; those that are open go on. */
void s3_server_stop_listening(struct s3_server *server);
/* Requests under way. */
unsigned s3_server_requests(const struct s3_server *server);
/* Cut every request; `closed` runs from the loop, then the server is freed once the state has
 * answered what is under way (state_link_close() makes it). */
void s3_server_close(struct s3_server *server, void (*closed)(void *context), void *context);

#endif
