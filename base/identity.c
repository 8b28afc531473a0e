/* A program's name, zone, cluster, key and certificate.  At start. */
#include "base/identity.h"

#include <stdio.h>

#include <openssl/crypto.h>

#include "base/clock.h"
#include "base/cluster_key.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/tls_files.h"

enum { EPOCH_RANDOM_BITS = 12 };

/* The bounds of IDENTITY_OPTIONS are those of the fields: nothing is cut. */
static void copy(char *out, size_t size, const char *text)
{
    (void)snprintf(out, size, "%s", text);
}

/* Rises with each start unless the clock went back.  Two processes that start as one node in the
 * same millisecond must not have the same, or each would take the other's links for its own old
 * ones. */
static uint64_t new_epoch(void)
{
    uint16_t random;

    random_bytes(&random, sizeof random);
    return clock_stamp_ms(&clock_system) << EPOCH_RANDOM_BITS |
           (random & ((1u << EPOCH_RANDOM_BITS) - 1));
}

static void say_plain_links(void)
{
    if (tls_records_are_plain())
        log_event(LOG_ERROR, "links_in_the_clear",
                  LS("why", "built with the option plain_links, for measuring only"),
                  LS("then", "whoever can listen on the network reads and changes everything"));
}

enum status identity_read(const struct config *config,
                          const char *role,
                          struct stream_identity *out,
                          struct err *err)
{
    const struct tls_files files = { config_text(config, "tls", "ca_file"),
                                     config_text(config, "tls", "cert_file"),
                                     config_text(config, "tls", "key_file") };
    struct stream_hello *self = &out->self;
    struct node_identity named;
    enum status st;

    copy(self->cluster, sizeof self->cluster, config_text(config, "node", "cluster"));
    copy(self->node, sizeof self->node, config_text(config, "node", "name"));
    copy(self->zone, sizeof self->zone, config_text(config, "node", "zone"));
    copy(self->role, sizeof self->role, role);
    self->epoch = new_epoch();
    self->version = CLUSTER_VERSION_MAX;
    say_plain_links();
    st = cluster_key_read(config_text(config, "cluster", "key_file"), out->key, err);
    if (st != ST_OK)
        return st;
    stream_hello_identity(self, &named);
    return tls_files_open(&files, &named, &out->tls, err);
}

static enum status load(const char *const paths[CERTIFICATE_WATCH_FILES],
                        void *context,
                        struct err *err)
{
    const struct tls_files files = {
        .certificate = paths[0],
        .key = paths[1],
        .authorities = paths[2],
    };

    return tls_files_reload(&files, context, err);
}

static int64_t expires_s(void *context)
{
    return tls_context_expires_s(context);
}

struct certificate_watch *identity_watch(uv_loop_t *loop,
                                         const struct config *config,
                                         const struct stream_identity *identity)
{
    return certificate_watch_start(&(struct certificate_watch_spec){
        .loop = loop,
        .use = "links",
        .paths = { config_text(config, "tls", "cert_file"), config_text(config, "tls", "key_file"),
                   config_text(config, "tls", "ca_file") },
        .says_end = true,
        .load = load,
        .expires_s = expires_s,
        .context = identity->tls,
    });
}

void identity_done(struct stream_identity *identity)
{
    tls_context_free(identity->tls);
    identity->tls = NULL;
    OPENSSL_cleanse(identity->key, sizeof identity->key);
}
