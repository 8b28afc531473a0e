/* Checks of registration and heartbeats; pure, any thread. */
#include "proto/worker_check.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"
#include "base/stream.h"
#include "proto/fields.h"
#include "proto/message_limits.h"
#include "proto/spawner_check.h"

static enum status heartbeat_lists_check(const Lapwing__Heartbeat *heartbeat, struct err *err)
{
    static const struct field_text runtime_rule = { "runtimes", FIELD_DOTTED, 1,
                                                    RUNTIME_BYTES_MAX };
    static const struct field_text uid_rule = { "warm uid", FIELD_HEX, UID_DIGITS, UID_DIGITS };
    enum status st =
        field_count_check("runtimes", heartbeat->n_runtimes, HEARTBEAT_RUNTIMES_MAX, err);

    if (st == ST_OK)
        st = field_count_check("warm", heartbeat->n_warm, HEARTBEAT_WARM_MAX, err);
    if (st == ST_OK)
        st = field_count_check("packages", heartbeat->n_packages, HEARTBEAT_PACKAGES_MAX, err);
    for (size_t i = 0; st == ST_OK && i < heartbeat->n_runtimes; i++)
        st = field_text_check(&runtime_rule, heartbeat->runtimes[i], err);
    for (size_t i = 0; st == ST_OK && i < heartbeat->n_warm; i++)
        st = field_text_check(&uid_rule, heartbeat->warm[i]->uid, err);
    for (size_t i = 0; st == ST_OK && i < heartbeat->n_packages; i++)
        st =
            field_bytes_check("packages", &heartbeat->packages[i], SHA256_BYTES, SHA256_BYTES, err);
    return st;
}

enum status heartbeat_check(const Lapwing__Heartbeat *heartbeat, struct err *err)
{
    static const struct field_text rules[] = {
        { "cluster", FIELD_DOTTED, 1, CLUSTER_NAME_BYTES_MAX },
        { "worker", FIELD_DOTTED, 1, NODE_BYTES_MAX },
        { "zone", FIELD_DOTTED, 1, ZONE_BYTES_MAX },
        { "address", FIELD_ADDRESS, 1, ADDRESS_BYTES_MAX },
    };
    const char *const values[] = { heartbeat->cluster, heartbeat->worker, heartbeat->zone,
                                   heartbeat->address };
    enum status st = field_texts_check(rules, values, ARRAY_LEN(rules), err);

    if (st == ST_OK)
        st = field_number_check("epoch", heartbeat->epoch, 1, INT64_MAX, err);
    if (st == ST_OK)
        st = field_number_check("memory_free_mb", heartbeat->memory_free_mb, 0,
                                heartbeat->memory_mb, err);
    if (st == ST_OK && heartbeat->pools != NULL)
        st = pools_check(heartbeat->pools, err);
    return st == ST_OK ? heartbeat_lists_check(heartbeat, err) : st;
}

enum status heartbeat_sender_check(const Lapwing__Heartbeat *heartbeat,
                                   const struct stream_hello *peer,
                                   struct err *err)
{
    const struct {
        const char *name, *said, *is;
    } fields[] = {
        { "cluster", heartbeat->cluster, peer->cluster },
        { "worker", heartbeat->worker, peer->node },
        { "zone", heartbeat->zone, peer->zone },
    };

    for (size_t i = 0; i < ARRAY_LEN(fields); i++)
        if (strcmp(fields[i].said, fields[i].is) != 0)
            return err_set(err, ST_DENIED, "%s: %s, its stream is of %s", fields[i].name,
                           fields[i].said, fields[i].is);
    if (heartbeat->epoch != peer->epoch)
        return err_set(err, ST_DENIED, "epoch: %llu, its stream is of %llu",
                       (unsigned long long)heartbeat->epoch, (unsigned long long)peer->epoch);
    return ST_OK;
}

enum status heartbeat_reply_check(const Lapwing__HeartbeatReply *reply, struct err *err)
{
    static const struct field_text rules[] = {
        { "node", FIELD_DOTTED, 1, NODE_BYTES_MAX },
        { "text", FIELD_ANY, 0, PERSON_TEXT_BYTES_MAX },
    };
    const char *const values[] = { reply->node, reply->text };

    return field_texts_check(rules, values, ARRAY_LEN(rules), err);
}
