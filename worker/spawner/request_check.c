/* Checks of what the agent asks, see request_check.h.  Pure. */
#include "worker/spawner/request_check.h"

#include <string.h>

#include "base/limits.h"
#include "worker/image/image_rules.h"

bool package_name_valid(const char *text)
{
    return strlen(text) == PACKAGE_NAME_BYTES &&
           strspn(text, "0123456789abcdef") == PACKAGE_NAME_BYTES;
}

static enum status check_slot(const char *field,
                              uint32_t slot,
                              uint32_t environments_max,
                              struct err *err)
{
    if (slot >= environments_max)
        return err_set(err, ST_BAD_INPUT, "%s: %u, want below %u", field, slot, environments_max);
    return ST_OK;
}

static enum status check_range(
    const char *field, uint32_t value, uint32_t min, uint32_t max, struct err *err)
{
    if (value < min || value > max)
        return err_set(err, ST_BAD_INPUT, "%s: %u, want %u to %u", field, value, min, max);
    return ST_OK;
}

/* "NAME=value" each; their bytes are added to `bytes`. */
static enum status check_variables(
    const char *field, char *const *list, size_t count, size_t *bytes, struct err *err)
{
    for (size_t i = 0; i < count; i++) {
        const char *equals = strchr(list[i], '=');

        if (equals == NULL || equals == list[i])
            return err_set(err, ST_BAD_INPUT, "%s[%zu]: not NAME=value", field, i);
        *bytes += strlen(list[i]) + 1;
    }
    return ST_OK;
}

/* To these goes one of ours, see ready_pool.c. */
static enum status check_ready(const Lapwing__SpawnEnvironment *spawn, struct err *err)
{
    size_t bytes = 0;
    enum status st;

    if (spawn->n_ready_environment > spawn->n_environment ||
        spawn->n_ready_environment >= SPAWN_VARIABLES_MAX)
        return err_set(
            err, ST_BAD_INPUT,
            "ready_environment: %zu variables, want at most the %zu of the function, and "
            "less than %d",
            spawn->n_ready_environment, spawn->n_environment, SPAWN_VARIABLES_MAX);
    st = check_variables("ready_environment", spawn->ready_environment, spawn->n_ready_environment,
                         &bytes, err);
    if (st == ST_OK && bytes > SPAWN_TEXT_BYTES_MAX)
        return err_set(err, ST_BAD_INPUT, "ready_environment: %zu bytes, at most %d are allowed",
                       bytes, SPAWN_TEXT_BYTES_MAX);
    return st;
}

static enum status check_texts(const Lapwing__SpawnEnvironment *spawn, struct err *err)
{
    enum status st;
    size_t bytes = 0;

    if (spawn->n_argv == 0 || spawn->n_argv > SPAWN_ARGUMENTS_MAX)
        return err_set(err, ST_BAD_INPUT, "argv: %zu of them, want 1 to %d", spawn->n_argv,
                       SPAWN_ARGUMENTS_MAX);
    if (spawn->argv[0][0] != '/')
        return err_set(err, ST_BAD_INPUT, "argv[0]: '%.100s', want an absolute path",
                       spawn->argv[0]);
    if (spawn->n_environment > SPAWN_VARIABLES_MAX)
        return err_set(err, ST_BAD_INPUT, "environment: %zu variables, at most %d are allowed",
                       spawn->n_environment, SPAWN_VARIABLES_MAX);
    for (size_t i = 0; i < spawn->n_argv; i++)
        bytes += strlen(spawn->argv[i]) + 1;
    st = check_variables("environment", spawn->environment, spawn->n_environment, &bytes, err);
    if (st != ST_OK)
        return st;
    if (bytes > SPAWN_TEXT_BYTES_MAX)
        return err_set(err, ST_BAD_INPUT, "argv and environment: %zu bytes, at most %d are allowed",
                       bytes, SPAWN_TEXT_BYTES_MAX);
    return check_ready(spawn, err);
}

static enum status check_package(const char *field, const char *package, struct err *err)
{
    if (!package_name_valid(package))
        return err_set(err, ST_BAD_INPUT, "%s: want 64 lower-case hexadecimal digits", field);
    return ST_OK;
}

static enum status check_spawn(const Lapwing__SpawnEnvironment *spawn,
                               uint32_t environments_max,
                               struct err *err)
{
    enum status st = check_slot("slot", spawn->slot, environments_max, err);

    if (st != ST_OK)
        return st;
    st = check_package("package", spawn->package, err);
    if (st != ST_OK)
        return st;
    st = check_range("memory_mb", spawn->memory_mb, FUNCTION_MEMORY_MB_MIN, FUNCTION_MEMORY_MB_MAX,
                     err);
    if (st != ST_OK)
        return st;
    st = check_range("ephemeral_mb", spawn->ephemeral_mb, FUNCTION_EPHEMERAL_MB_MIN,
                     FUNCTION_EPHEMERAL_MB_MAX, err);
    if (st != ST_OK)
        return st;
    st = check_range("processes_max", spawn->processes_max, 0, SPAWN_PROCESSES_MAX, err);
    if (st != ST_OK)
        return st;
    return check_texts(spawn, err);
}

static enum status check_convert(const Lapwing__Convert *convert, struct err *err)
{
    bool is_image = convert->image[0] != '\0';
    uint64_t max = is_image ? IMAGE_BYTES_MAX : PACKAGE_ZIP_BYTES_MAX;
    enum status st = check_package("package", convert->package, err);

    if (st != ST_OK)
        return st;
    if (is_image && check_package("image", convert->image, err) != ST_OK)
        return ST_BAD_INPUT;
    if (convert->zip_bytes == 0 || convert->zip_bytes > max)
        return err_set(err, ST_BAD_INPUT, "zip_bytes: %llu, want 1 to %llu",
                       (unsigned long long)convert->zip_bytes, (unsigned long long)max);
    return ST_OK;
}

static enum status check_what(const Lapwing__SpawnRequest *req,
                              uint32_t environments_max,
                              struct err *err)
{
    switch (req->what_case) {
    case LAPWING__SPAWN_REQUEST__WHAT_SPAWN:
        return check_spawn(req->spawn, environments_max, err);
    case LAPWING__SPAWN_REQUEST__WHAT_KILL_SLOT:
        return check_slot("kill_slot", req->kill_slot, environments_max, err);
    case LAPWING__SPAWN_REQUEST__WHAT_FREEZE_SLOT:
        return check_slot("freeze_slot", req->freeze_slot, environments_max, err);
    case LAPWING__SPAWN_REQUEST__WHAT_THAW_SLOT:
        return check_slot("thaw_slot", req->thaw_slot, environments_max, err);
    case LAPWING__SPAWN_REQUEST__WHAT_USAGE_SLOT:
        return check_slot("usage_slot", req->usage_slot, environments_max, err);
    case LAPWING__SPAWN_REQUEST__WHAT_CONVERT:
        return check_convert(req->convert, err);
    case LAPWING__SPAWN_REQUEST__WHAT_REMOVE_PACKAGE:
        return check_package("remove_package", req->remove_package, err);
    case LAPWING__SPAWN_REQUEST__WHAT_VERIFY_PACKAGE:
        return check_package("verify_package", req->verify_package, err);
    case LAPWING__SPAWN_REQUEST__WHAT_NEW_IMAGE:
    case LAPWING__SPAWN_REQUEST__WHAT_LIST_PACKAGES:
        return ST_OK;
    case LAPWING__SPAWN_REQUEST__WHAT__NOT_SET:
    case _LAPWING__SPAWN_REQUEST__WHAT__CASE_IS_INT_SIZE:
        break;
    }
    return err_set(err, ST_BAD_INPUT, "request: no operation that this release knows");
}

enum status spawn_request_check(const Lapwing__SpawnRequest *req,
                                uint32_t environments_max,
                                size_t fd_count,
                                struct err *err)
{
    size_t want_fds = req->what_case == LAPWING__SPAWN_REQUEST__WHAT_CONVERT ? 1 : 0;

    if (req->id == 0)
        return err_set(err, ST_BAD_INPUT, "id: 0 is not allowed");
    if (fd_count != want_fds)
        return err_set(err, ST_BAD_INPUT, "descriptors: %zu, want %zu", fd_count, want_fds);
    return check_what(req, environments_max, err);
}
