/* The package cache's way to the spawner: questions to messages, answers to results.  Loop thread.
 */
#include "worker/agent/package_link.h"

#include <stdlib.h>

#include "base/check.h"
#include "worker/agent/agent.h"

struct package_request {
    void (*done)(void *context, const struct package_result *result);
    void *context;
};

static void replied(struct spawner_message *message, void *context)
{
    struct package_request *request = context;
    const Lapwing__SpawnReply *reply = message->message->reply;
    struct package_here *here = must_calloc(reply->n_packages + 1, sizeof *here);
    int none[PACKAGE_ANSWER_FDS] = { -1, -1 };
    struct package_result result = {
        .status = reply->status < STATUS_COUNT ? (enum status)reply->status : ST_UNAVAILABLE,
        .reason = reply->reason,
        .text = reply->text,
        .unzipped_bytes = reply->unzipped_bytes,
        .disk_bytes = reply->disk_bytes,
        .fds = message->fd_count > 0 ? message->fds : none,
        .images = reply->images,
        .here_count = reply->n_packages,
        .here = here,
    };

    for (size_t i = 0; i < reply->n_packages; i++)
        here[i] =
            (struct package_here){ reply->packages[i]->sha256.data, reply->packages[i]->bytes };
    request->done(request->context, &result);
    free(here);
    free(request);
}

enum status package_link_ask(void *self, const struct package_question *question, struct err *err)
{
    struct agent *agent = self;
    Lapwing__SpawnRequest message = LAPWING__SPAWN_REQUEST__INIT;
    Lapwing__Convert convert = LAPWING__CONVERT__INIT;
    struct package_request *request;
    char *hex = (char *)(uintptr_t)question->hex; /* protobuf-c does not write to what it packs */
    enum status st;

    if (agent->spawner == NULL)
        return err_set(err, ST_UNAVAILABLE, "spawner: this worker has stopped");
    request = must_calloc(1, sizeof *request);
    request->done = question->done;
    request->context = question->context;
    convert.package = hex;
    convert.zip_bytes = question->bytes;
    message.convert = &convert;
    message.what_case = LAPWING__SPAWN_REQUEST__WHAT_CONVERT;
    switch (question->ask) {
    case PACKAGE_ASK_CONVERT:
        break;
    case PACKAGE_ASK_ADD_IMAGE:
        convert.image = (char *)(uintptr_t)question->image;
        break;
    case PACKAGE_ASK_LIST:
        message.what_case = LAPWING__SPAWN_REQUEST__WHAT_LIST_PACKAGES;
        message.list_packages = true;
        break;
    case PACKAGE_ASK_NEW_IMAGE:
        message.what_case = LAPWING__SPAWN_REQUEST__WHAT_NEW_IMAGE;
        message.new_image = true;
        break;
    case PACKAGE_ASK_VERIFY:
        message.what_case = LAPWING__SPAWN_REQUEST__WHAT_VERIFY_PACKAGE;
        message.verify_package = hex;
        break;
    case PACKAGE_ASK_REMOVE:
        message.what_case = LAPWING__SPAWN_REQUEST__WHAT_REMOVE_PACKAGE;
        message.remove_package = hex;
        break;
    }
    st = spawner_link_package(agent->spawner, &message, question->fd,
                              (struct spawner_waiter){ replied, request }, err);
    if (st != ST_OK)
        free(request);
    return st;
}
