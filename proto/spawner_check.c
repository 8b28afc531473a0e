/* Checks of the messages between agent and spawner; pure, any thread. */
#include "proto/spawner_check.h"

#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"
#include "proto/fields.h"
#include "proto/message_limits.h"

static const struct field_text package_rule = { "package", FIELD_HEX, 2 * SHA256_BYTES,
                                                2 * SHA256_BYTES };

static enum status slot_check(uint32_t slot, struct err *err)
{
    return field_number_check("slot", slot, 0, SPAWN_SLOTS_MAX - 1, err);
}

static enum status argv_check(const Lapwing__SpawnEnvironment *spawn, struct err *err)
{
    static const struct field_text rule = { "argv", FIELD_ANY, 0, SPAWN_ARGUMENT_BYTES_MAX };
    enum status st = field_number_check("argv", spawn->n_argv, 1, SPAWN_ARGUMENTS_MAX, err);

    for (size_t i = 0; st == ST_OK && i < spawn->n_argv; i++)
        st = field_text_check(&rule, spawn->argv[i], err);
    if (st == ST_OK && spawn->argv[0][0] != '/')
        st = err_set(err, ST_BAD_INPUT, "argv: the first is not an absolute path");
    return st;
}

static enum status variables_check(const Lapwing__SpawnEnvironment *spawn, struct err *err)
{
    static const struct field_text rule = { "environment", FIELD_ANY, 2, SPAWN_VARIABLE_BYTES_MAX };
    enum status st =
        field_count_check("environment", spawn->n_environment, SPAWN_VARIABLES_MAX, err);

    for (size_t i = 0; st == ST_OK && i < spawn->n_environment; i++) {
        const char *variable = spawn->environment[i];

        st = field_text_check(&rule, variable, err);
        if (st == ST_OK && (variable[0] == '=' || strchr(variable, '=') == NULL))
            st = err_set(err, ST_BAD_INPUT, "environment: number %zu, want NAME=value", i);
    }
    return st;
}

static enum status spawn_environment_check(const Lapwing__SpawnEnvironment *spawn, struct err *err)
{
    static const struct field_text runtime_rule = { "runtime", FIELD_DOTTED, 1, RUNTIME_BYTES_MAX };
    enum status st = slot_check(spawn->slot, err);

    if (st == ST_OK)
        st = field_text_check(&package_rule, spawn->package, err);
    if (st == ST_OK)
        st = field_text_check(&runtime_rule, spawn->runtime, err);
    if (st == ST_OK)
        st = field_number_check("memory_mb", spawn->memory_mb, FUNCTION_MEMORY_MB_MIN,
                                FUNCTION_MEMORY_MB_MAX, err);
    if (st == ST_OK)
        st = field_number_check("ephemeral_mb", spawn->ephemeral_mb, FUNCTION_EPHEMERAL_MB_MIN,
                                FUNCTION_EPHEMERAL_MB_MAX, err);
    if (st == ST_OK)
        st = field_number_check("processes_max", spawn->processes_max, 0, SPAWN_PROCESSES_MAX, err);
    if (st == ST_OK)
        st = argv_check(spawn, err);
    return st == ST_OK ? variables_check(spawn, err) : st;
}

static enum status convert_check(const Lapwing__Convert *convert, struct err *err)
{
    enum status st = field_text_check(&package_rule, convert->package, err);

    if (st != ST_OK)
        return st;
    return field_number_check("zip_bytes", convert->zip_bytes, 1, PACKAGE_ZIP_BYTES_MAX, err);
}

enum status spawn_request_check(const Lapwing__SpawnRequest *request, struct err *err)
{
    enum status st = field_number_check("id", request->id, 1, UINT64_MAX, err);

    if (st != ST_OK)
        return st;
    switch (request->what_case) {
    case LAPWING__SPAWN_REQUEST__WHAT_SPAWN:
        return spawn_environment_check(request->spawn, err);
    case LAPWING__SPAWN_REQUEST__WHAT_KILL_SLOT:
        return slot_check(request->kill_slot, err);
    case LAPWING__SPAWN_REQUEST__WHAT_FREEZE_SLOT:
        return slot_check(request->freeze_slot, err);
    case LAPWING__SPAWN_REQUEST__WHAT_THAW_SLOT:
        return slot_check(request->thaw_slot, err);
    case LAPWING__SPAWN_REQUEST__WHAT_USAGE_SLOT:
        return slot_check(request->usage_slot, err);
    case LAPWING__SPAWN_REQUEST__WHAT_CONVERT:
        return convert_check(request->convert, err);
    case LAPWING__SPAWN_REQUEST__WHAT_REMOVE_PACKAGE:
        return field_text_check(&package_rule, request->remove_package, err);
    case LAPWING__SPAWN_REQUEST__WHAT__NOT_SET:
    case _LAPWING__SPAWN_REQUEST__WHAT__CASE_IS_INT_SIZE:
        break;
    }
    return err_set(err, ST_BAD_INPUT, "what: none that this release knows, want a request");
}

static enum status spawn_reply_check(const Lapwing__SpawnReply *reply, struct err *err)
{
    static const struct field_text rules[] = {
        { "text", FIELD_ANY, 0, PERSON_TEXT_BYTES_MAX },
        { "reason", FIELD_NAME, 0, REASON_BYTES_MAX },
    };
    const char *const values[] = { reply->text, reply->reason };
    enum status st = field_status_check("status", reply->status, err);

    if (st == ST_OK)
        st = field_number_check("id", reply->id, 1, UINT64_MAX, err);
    return st == ST_OK ? field_texts_check(rules, values, ARRAY_LEN(rules), err) : st;
}

static enum status environment_exited_check(const Lapwing__EnvironmentExited *exited,
                                            struct err *err)
{
    static const struct field_text rule = { "start_error", FIELD_ANY, 0, PERSON_TEXT_BYTES_MAX };
    enum status st = slot_check(exited->slot, err);

    return st == ST_OK ? field_text_check(&rule, exited->start_error, err) : st;
}

enum status spawner_message_check(const Lapwing__SpawnerMessage *message, struct err *err)
{
    switch (message->what_case) {
    case LAPWING__SPAWNER_MESSAGE__WHAT_REPLY:
        return spawn_reply_check(message->reply, err);
    case LAPWING__SPAWNER_MESSAGE__WHAT_EXITED:
        return environment_exited_check(message->exited, err);
    case LAPWING__SPAWNER_MESSAGE__WHAT__NOT_SET:
    case _LAPWING__SPAWNER_MESSAGE__WHAT__CASE_IS_INT_SIZE:
        break;
    }
    return err_set(err, ST_BAD_INPUT, "what: none that this release knows, want a message");
}
