/* Checks of the spawner's messages; pure, any thread. */
#include "proto/spawner_check.h"

#include "base/check.h"
#include "proto/fields.h"
#include "proto/message_limits.h"

static enum status slot_check(uint32_t slot, struct err *err)
{
    return field_number_check("slot", slot, 0, SPAWN_SLOTS_MAX - 1, err);
}

static enum status packages_check(const Lapwing__SpawnReply *reply, struct err *err)
{
    if (reply->n_packages > SPAWN_PACKAGES_MAX)
        return err_set(err, ST_BAD_INPUT, "packages: %zu of them, want at most %d",
                       reply->n_packages, SPAWN_PACKAGES_MAX);
    for (size_t i = 0; i < reply->n_packages; i++)
        if (reply->packages[i]->sha256.len != 32)
            return err_set(err, ST_BAD_INPUT, "packages[%zu].sha256: %zu bytes, want 32", i,
                           reply->packages[i]->sha256.len);
    return ST_OK;
}

static enum status spawn_reply_check(const Lapwing__SpawnReply *reply, struct err *err)
{
    static const struct field_text rules[] = {
        { "text", FIELD_ANY, 0, PERSON_TEXT_BYTES_MAX },
        { "reason", FIELD_NAME, 0, REASON_BYTES_MAX },
        { "image", FIELD_NAME, 0, 64 },
    };
    const char *const values[] = { reply->text, reply->reason, reply->image };
    enum status st = field_status_check("status", reply->status, err);

    if (st == ST_OK)
        st = field_number_check("id", reply->id, 1, UINT64_MAX, err);
    if (st == ST_OK)
        st = field_texts_check(rules, values, ARRAY_LEN(rules), err);
    return st == ST_OK ? packages_check(reply, err) : st;
}

static enum status environment_exited_check(const Lapwing__EnvironmentExited *exited,
                                            struct err *err)
{
    static const struct field_text rule = { "start_error", FIELD_ANY, 0, PERSON_TEXT_BYTES_MAX };
    enum status st = slot_check(exited->slot, err);

    return st == ST_OK ? field_text_check(&rule, exited->start_error, err) : st;
}

enum status pools_check(const Lapwing__Pools *pools, struct err *err)
{
    enum status st = field_number_check("networks_max", pools->networks_max, 0, POOL_MAX, err);

    if (st == ST_OK)
        st = field_number_check("networks", pools->networks, 0, pools->networks_max, err);
    if (st == ST_OK)
        st = field_number_check("groups_max", pools->groups_max, 0, POOL_MAX, err);
    if (st == ST_OK)
        st = field_number_check("groups", pools->groups, 0, pools->groups_max, err);
    if (st == ST_OK)
        st = field_number_check("ready_max", pools->ready_max, 0, POOL_MAX, err);
    return st == ST_OK ? field_number_check("ready", pools->ready, 0, pools->ready_max, err) : st;
}

enum status spawner_message_check(const Lapwing__SpawnerMessage *message, struct err *err)
{
    switch (message->what_case) {
    case LAPWING__SPAWNER_MESSAGE__WHAT_REPLY:
        return spawn_reply_check(message->reply, err);
    case LAPWING__SPAWNER_MESSAGE__WHAT_EXITED:
        return environment_exited_check(message->exited, err);
    case LAPWING__SPAWNER_MESSAGE__WHAT_POOLS:
        return pools_check(message->pools, err);
    case LAPWING__SPAWNER_MESSAGE__WHAT__NOT_SET:
    case _LAPWING__SPAWNER_MESSAGE__WHAT__CASE_IS_INT_SIZE:
        break;
    }
    return err_set(err, ST_BAD_INPUT, "what: none that this release knows, want a message");
}
