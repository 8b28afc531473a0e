/* What a heartbeat says.  Loop thread. */
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "proto/worker.pb-c.h"
#include "worker/agent/heartbeat.h"

enum { WARM_MAX = 256, PACKAGES_TOLD_MAX = 64, UID_HEX_BYTES = 33 };

struct warm_list {
    size_t count;
    Lapwing__WarmFunction functions[WARM_MAX];
    Lapwing__WarmFunction *pointers[WARM_MAX];
    char uids[WARM_MAX][UID_HEX_BYTES];
    uint8_t raw[WARM_MAX][16];
};

static bool is_idle(const struct slot_view *slot)
{
    return (slot->state == ENVIRONMENT_IDLE || slot->state == ENVIRONMENT_FROZEN) && !slot->bound;
}

/* Versions of one function are told together: a front door prefers, the worker decides. */
static void warm_add(struct warm_list *list, const struct slot_view *slot)
{
    Lapwing__WarmFunction *function = NULL;

    for (size_t i = 0; i < list->count && function == NULL; i++)
        if (memcmp(list->raw[i], slot->identity.uid, 16) == 0 &&
            list->functions[i].config_epoch == slot->identity.config_epoch)
            function = &list->functions[i];
    if (function == NULL) {
        size_t at = list->count;

        if (at == WARM_MAX)
            return;
        list->count++;
        memcpy(list->raw[at], slot->identity.uid, 16);
        hex_encode(bytes_of(list->raw[at], 16), list->uids[at]);
        function = &list->functions[at];
        lapwing__warm_function__init(function);
        function->uid = list->uids[at];
        function->config_epoch = slot->identity.config_epoch;
        list->pointers[at] = function;
    }
    if (slot->start_us > 0 && (function->start_us == 0 || slot->start_us < function->start_us))
        function->start_us = slot->start_us;
    if (slot->run_us > 0 && (function->run_us == 0 || slot->run_us < function->run_us))
        function->run_us = slot->run_us;
    if (is_idle(slot))
        function->idle++;
    else
        function->busy++;
}

static size_t count_environments(const struct agent *agent, struct warm_list *warm)
{
    size_t count = 0;

    for (uint32_t i = 0; i < agent->settings->environments_max; i++) {
        const struct slot_view *slot = &agent->slots[i];

        if (!environment_counts(slot->state))
            continue;
        count++;
        if (slot->state != ENVIRONMENT_STOPPING && slot->state != ENVIRONMENT_DOOMED)
            warm_add(warm, slot);
    }
    return count;
}

void heartbeat_build(const struct agent *agent, uint64_t sequence, struct buf *out)
{
    const struct agent_settings *settings = agent->settings;
    const struct package_table *table = package_cache_table(agent->packages);
    Lapwing__Heartbeat message = LAPWING__HEARTBEAT__INIT;
    struct warm_list *warm = must_calloc(1, sizeof *warm);
    ProtobufCBinaryData packages[PACKAGES_TOLD_MAX];
    uint32_t newest[PACKAGES_TOLD_MAX];
    char *runtimes[RUNTIMES_MAX];
    uint64_t reserved = slots_reserved_mb(agent->slots, settings->environments_max);

    message.cluster = (char *)(uintptr_t)settings->identity.self.cluster;
    message.worker = (char *)(uintptr_t)settings->identity.self.node;
    message.zone = (char *)(uintptr_t)settings->identity.self.zone;
    message.address = (char *)(uintptr_t)settings->listen_address;
    message.epoch = settings->identity.self.epoch;
    message.sequence = sequence;
    message.memory_mb = settings->memory_mb;
    message.memory_free_mb = reserved >= settings->memory_mb ? 0 : settings->memory_mb - reserved;
    message.environments_max = settings->environments_max;
    message.environments = (uint32_t)count_environments(agent, warm);
    message.n_warm = warm->count;
    message.warm = warm->pointers;
    for (size_t i = 0; i < agent->runtimes.count; i++)
        runtimes[i] = (char *)(uintptr_t)agent->runtimes.list[i].name;
    message.n_runtimes = agent->runtimes.count;
    message.runtimes = runtimes;
    message.n_packages = package_newest(table, newest, PACKAGES_TOLD_MAX);
    for (size_t i = 0; i < message.n_packages; i++)
        packages[i] =
            (ProtobufCBinaryData){ .len = PACKAGE_HASH_BYTES,
                                   .data = (uint8_t *)(uintptr_t)table->entries[newest[i]].hash };
    message.packages = packages;
    message.pools = (Lapwing__Pools *)(uintptr_t)&agent->pools;
    out->len += lapwing__heartbeat__pack(
        &message, buf_reserve(out, lapwing__heartbeat__get_packed_size(&message)));
    free(warm);
}
