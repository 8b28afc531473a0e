/* Requests over persistent connections to an HTTP server on loopback, and how long each took.
 *
 * Connections are shared out over at most one thread a core, each with an epoll loop, so that 64
 * clients cost the machine no 64 threads.  What an object holds follows from its number, so an
 * answer to a GET is compared byte by byte and no PUT has the bytes of another: a store that keeps
 * equal bytes once gains nothing. */
#ifndef TESTS_BENCH_HTTP_LOAD_H
#define TESTS_BENCH_HTTP_LOAD_H

#include <stdint.h>

enum {
    LOAD_CLIENTS_MAX = 1024,
    LOAD_OBJECTS_MAX = 65536,
    LOAD_BYTES_MIN = 16, /* number and seed stand at the end of each body */
    LOAD_BYTES_MAX = 1 << 30,
    LOAD_ETCD_KEYS = 10000,
};

enum load_kind {
    LOAD_GET,
    LOAD_PUT,
    LOAD_ETCD, /* a put through the JSON gateway of etcd: `bytes` of a value under one of
                  LOAD_ETCD_KEYS */
};

struct load_settings {
    enum load_kind kind;
    unsigned port;
    const char *target; /* the object's number is appended */
    const char *key;    /* access key and secret of an S3 signature; NULL: not signed */
    const char *secret;
    uint64_t bytes;   /* of a body */
    uint64_t seed;    /* of what bodies hold: a GET's is that of the PUT before */
    unsigned objects; /* GET: numbers go round from 0; PUT: each request has its own */
    unsigned clients;
    unsigned threads;
    double seconds; /* no request is started afterwards */
    double drain_s; /* for the answers that are due then */
    uint64_t requests;
};

struct load_result {
    float *us; /* of each request that succeeded, ascending; free() it */
    uint64_t count;
    uint64_t failed;
    uint64_t unfinished; /* asked, and not answered when the draining was over */
    double elapsed_s;    /* from the first request to the last answer */
    char failure[160];   /* what the first failure looked like */
};

/* Run one load; blocks.  Stops the process with a sentence when nobody listens. */
void load_run(const struct load_settings *settings, struct load_result *out);

#endif
