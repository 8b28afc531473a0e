/* What a framed stream is for; both ends must name the same, and have a role that link_rules.c lets
 * on their side of it. */
#ifndef BASE_STREAM_SERVICE_H
#define BASE_STREAM_SERVICE_H

enum stream_service {
    STREAM_RAFT_CONTROL = 1,
    STREAM_RAFT_STORAGE = 2,
    STREAM_STATE = 3,    /* propose and read, proto/state_service.proto */
    STREAM_BLOB = 4,     /* object store to object store, proto/blob.proto */
    STREAM_INVOKE = 5,   /* front door to worker, proto/invoke.proto */
    STREAM_REGISTER = 6, /* worker to control plane, proto/worker.proto */
};

#endif
