/* What the front door stands on, and for whom a call acts. */
#ifndef CONTROLPLANE_API_CALL_OPTIONS_H
#define CONTROLPLANE_API_CALL_OPTIONS_H

#include <stdint.h>
#include <uv.h>

struct config;
struct dispatch;
struct https_files;
struct objstore;
struct replica;
struct replica_client;
struct tls_context;

/* Everything is borrowed for the life of the front door. */
struct api_options {
    uv_loop_t *loop;
    const struct config *config; /* section [keys]: access key id = secret */
    const char *cluster;
    const char *node;
    const char *zone;
    const char *account;
    const uint8_t *cluster_key;     /* 32 bytes */
    const char *objstore_addresses; /* comma separated, the own zone's first */
    const char *s3_domain;          /* buckets are hosts under it (base/s3_host.h), or NULL */
    struct replica *control;
    struct replica *storage;
    struct replica_client *control_client;
    struct replica_client *storage_client;
    struct dispatch *dispatch;
    struct tls_context *tls;         /* whose certificates run out when */
    const struct https_files *https; /* the same for what HTTPS clients see; NULL without HTTPS */
};

/* Whose things, and where: from the key and the signature's scope. */
struct function_scope {
    const char *account;
    const char *region;
};

#endif
