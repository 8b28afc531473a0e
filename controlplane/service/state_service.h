/* The state service: other programs propose commands and read rows over framed streams
 * (STREAM_STATE, proto/state_service.proto).  On the thread of its loop. */
#ifndef CONTROLPLANE_SERVICE_STATE_SERVICE_H
#define CONTROLPLANE_SERVICE_STATE_SERVICE_H

#include "base/stream.h"

struct replica;
struct replica_client;
struct state_service;

enum {
    STATE_REQUESTS_MAX = 4096, /* waiting, one stream; the next is answered "limit" */
    STATE_REQUEST_MS = 10000,  /* a proposal or barrier that takes longer is answered so */
};

/* Everything is borrowed for the life of the service. */
struct state_service_config {
    uv_loop_t *loop;
    const char *address;
    const struct stream_identity *identity;
    struct replica_client *control;
    struct replica_client *storage;
    struct replica *storage_replica; /* whose rows are read */
};

/* Listen.  ST_IO: the address cannot be used, or the rows cannot be opened. */
enum status state_service_start(const struct state_service_config *config,
                                struct state_service **out,
                                struct err *err);
/* Closes every stream and forgets what waits; frees itself with the last stream.  The replica
 * clients must be closed after this and before the loop turns: closing drops their callbacks, which
 * would find nothing any more. */
void state_service_stop(struct state_service *service);

#endif
