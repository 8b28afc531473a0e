/* Requests to the spawner, which is root: the first byte is how many descriptors came along, the
 * rest is packed.  What passes the check keeps every bound that the spawner relies on. */
#include <string.h>

#include "base/check.h"
#include "proto/canonical.h"
#include "tests/fuzz/fuzz.h"
#include "worker/spawner/request_check.h"

enum { ENVIRONMENTS_MAX = 100 };

static void passed(const Lapwing__SpawnRequest *req)
{
    if (req->what_case == LAPWING__SPAWN_REQUEST__WHAT_SPAWN) {
        const Lapwing__SpawnEnvironment *spawn = req->spawn;
        size_t bytes = 0;

        CHECK(spawn->slot < ENVIRONMENTS_MAX);
        CHECK(spawn->n_argv > 0 && spawn->n_argv <= SPAWN_ARGUMENTS_MAX);
        CHECK(spawn->n_environment <= SPAWN_VARIABLES_MAX);
        CHECK(package_name_valid(spawn->package));
        for (size_t i = 0; i < spawn->n_argv; i++)
            bytes += strlen(spawn->argv[i]);
        for (size_t i = 0; i < spawn->n_environment; i++)
            bytes += strlen(spawn->environment[i]);
        CHECK(bytes <= SPAWN_TEXT_BYTES_MAX);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct err err = { 0 };
    ProtobufCMessage *message;
    enum status st;

    if (len == 0)
        return 0;
    message = message_decode(&lapwing__spawn_request__descriptor, bytes_of(data + 1, len - 1));
    if (message == NULL)
        return 0;
    CHECK(message_packs_to(message, bytes_of(data + 1, len - 1)));
    st = spawn_request_check((const Lapwing__SpawnRequest *)message, ENVIRONMENTS_MAX, data[0] % 4,
                             &err);
    CHECK((st == ST_OK) == (err.text[0] == '\0'));
    if (st == ST_OK)
        passed((const Lapwing__SpawnRequest *)message);
    protobuf_c_message_free_unpacked(message, NULL);
    return 0;
}
