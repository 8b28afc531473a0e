/* The agent's link to its spawner.  Loop thread. */
#include "worker/agent/spawner_link.h"

#include <stdbool.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/log.h"

/* Requests whose answers matter; a slot request's answer is counted only for USAGE. */
enum request_kind { REQUEST_SPAWN = 1, REQUEST_USAGE, REQUEST_PACKAGE };

struct request {
    struct request *next;
    uint64_t id;
    enum request_kind kind;
    uint32_t slot;
    struct spawner_waiter waiter;
};

struct owed {
    struct owed *next;
    enum spawner_slot_request what;
    uint32_t slot;
};

struct spawner_link {
    uv_poll_t poll;
    struct spawner_client client;
    const struct spawner_handler *handler;
    void *context;
    struct request *requests;
    struct owed *owed, **owed_last;
    bool lost;
};

static void poll_cb(uv_poll_t *poll, int status, int events);

static void lose(struct spawner_link *link, const struct err *err)
{
    if (link->lost)
        return;
    link->lost = true;
    (void)uv_poll_stop(&link->poll);
    link->handler->on_lost(err, link->context);
}

static struct request *request_add(struct spawner_link *link, enum request_kind kind)
{
    struct request *request = must_calloc(1, sizeof *request);

    request->id = spawner_client_id(&link->client);
    request->kind = kind;
    request->next = link->requests;
    link->requests = request;
    return request;
}

/* Take a request off the list; NULL for an id that nobody waits for. */
static struct request *request_take(struct spawner_link *link, uint64_t id)
{
    for (struct request **at = &link->requests; *at != NULL; at = &(*at)->next) {
        struct request *request = *at;

        if (request->id != id)
            continue;
        *at = request->next;
        return request;
    }
    return NULL;
}

/* Send for `request`; on failure it is forgotten. */
static enum status request_send(struct spawner_link *link,
                                struct request *request,
                                Lapwing__SpawnRequest *message,
                                int fd,
                                struct err *err)
{
    enum status st;

    message->id = request->id;
    st = link->lost ? err_set(err, ST_UNAVAILABLE, "spawner: gone")
                    : spawner_client_send(&link->client, message, fd, err);
    if (st != ST_OK)
        free(request_take(link, request->id));
    return st;
}

enum status spawner_link_spawn(struct spawner_link *link,
                               Lapwing__SpawnEnvironment *spawn,
                               struct err *err)
{
    Lapwing__SpawnRequest message = LAPWING__SPAWN_REQUEST__INIT;
    struct request *request = request_add(link, REQUEST_SPAWN);

    request->slot = spawn->slot;
    message.what_case = LAPWING__SPAWN_REQUEST__WHAT_SPAWN;
    message.spawn = spawn;
    return request_send(link, request, &message, -1, err);
}

enum status spawner_link_package(struct spawner_link *link,
                                 Lapwing__SpawnRequest *message,
                                 int fd,
                                 struct spawner_waiter waiter,
                                 struct err *err)
{
    struct request *request = request_add(link, REQUEST_PACKAGE);

    request->waiter = waiter;
    return request_send(link, request, message, fd, err);
}

/* ST_LIMIT when the socket is full. */
static enum status slot_send(struct spawner_link *link,
                             enum spawner_slot_request what,
                             uint32_t slot)
{
    Lapwing__SpawnRequest message = LAPWING__SPAWN_REQUEST__INIT;
    struct request *request;
    struct err err;

    switch (what) {
    case SPAWNER_KILL:
        message.what_case = LAPWING__SPAWN_REQUEST__WHAT_KILL_SLOT;
        message.kill_slot = slot;
        break;
    case SPAWNER_FREEZE:
        message.what_case = LAPWING__SPAWN_REQUEST__WHAT_FREEZE_SLOT;
        message.freeze_slot = slot;
        break;
    case SPAWNER_THAW:
        message.what_case = LAPWING__SPAWN_REQUEST__WHAT_THAW_SLOT;
        message.thaw_slot = slot;
        break;
    case SPAWNER_USAGE:
        request = request_add(link, REQUEST_USAGE);
        request->slot = slot;
        message.what_case = LAPWING__SPAWN_REQUEST__WHAT_USAGE_SLOT;
        message.usage_slot = slot;
        return request_send(link, request, &message, -1, &err);
    }
    message.id = spawner_client_id(&link->client);
    return spawner_client_send(&link->client, &message, -1, &err);
}

void spawner_link_slot(struct spawner_link *link, enum spawner_slot_request what, uint32_t slot)
{
    struct owed *owed;

    if (link->lost)
        return;
    if (link->owed == NULL && slot_send(link, what, slot) != ST_LIMIT)
        return; /* sent, or the spawner is gone, which the poll will tell */
    owed = must_calloc(1, sizeof *owed);
    owed->what = what;
    owed->slot = slot;
    *link->owed_last = owed;
    link->owed_last = &owed->next;
    (void)uv_poll_start(&link->poll, UV_READABLE | UV_WRITABLE, poll_cb);
}

static void pay_owed(struct spawner_link *link)
{
    while (link->owed != NULL) {
        struct owed *owed = link->owed;

        if (slot_send(link, owed->what, owed->slot) == ST_LIMIT)
            return;
        link->owed = owed->next;
        if (link->owed == NULL)
            link->owed_last = &link->owed;
        free(owed);
    }
    (void)uv_poll_start(&link->poll, UV_READABLE, poll_cb);
}

static void on_reply(struct spawner_link *link, struct spawner_message *message)
{
    const Lapwing__SpawnReply *reply = message->message->reply;
    struct request *request = request_take(link, reply->id);

    if (request == NULL) {
        if (reply->status != ST_OK)
            log_event(LOG_WARN, "spawner_refused", LS("error", reply->text));
        return;
    }
    switch (request->kind) {
    case REQUEST_SPAWN:
        link->handler->on_spawned(request->slot, message, link->context);
        break;
    case REQUEST_USAGE:
        if (reply->status == ST_OK)
            link->handler->on_usage(request->slot, reply, link->context);
        break;
    case REQUEST_PACKAGE:
        request->waiter.done(message, request->waiter.context);
        break;
    }
    free(request);
}

static void receive(struct spawner_link *link)
{
    /* Bounded, so that a burst of exits does not hold up the invocations. */
    for (int i = 0; i < 64 && !link->lost; i++) {
        struct spawner_message message;
        struct err err = { 0 };
        enum status st = spawner_client_receive(&link->client, &message, &err);

        if (st == ST_NOT_FOUND)
            return;
        if (st == ST_UNAVAILABLE || st == ST_IO) {
            lose(link, &err);
            return;
        }
        if (st != ST_OK) {
            log_event(LOG_WARN, "spawner_message_bad", LS("error", err.text));
            continue;
        }
        if (message.message->what_case == LAPWING__SPAWNER_MESSAGE__WHAT_REPLY)
            on_reply(link, &message);
        if (message.message->what_case == LAPWING__SPAWNER_MESSAGE__WHAT_EXITED)
            link->handler->on_exited(message.message->exited, link->context);
        if (message.message->what_case == LAPWING__SPAWNER_MESSAGE__WHAT_POOLS)
            link->handler->on_pools(message.message->pools, link->context);
        spawner_message_done(&message);
    }
}

static void poll_cb(uv_poll_t *poll, int status, int events)
{
    struct spawner_link *link = container_of(poll, struct spawner_link, poll);
    struct err err;

    if (status < 0) {
        (void)err_set(&err, ST_IO, "spawner: %s", uv_strerror(status));
        lose(link, &err);
        return;
    }
    if ((events & UV_WRITABLE) != 0)
        pay_owed(link);
    if ((events & UV_READABLE) != 0)
        receive(link);
}

enum status spawner_link_new(uv_loop_t *loop,
                             int fd,
                             const struct spawner_handler *handler,
                             void *context,
                             struct spawner_link **out,
                             struct err *err)
{
    struct spawner_link *link = must_calloc(1, sizeof *link);
    enum status st = spawner_client_init(&link->client, fd, err);
    int rv;

    if (st != ST_OK) {
        free(link);
        return st;
    }
    link->handler = handler;
    link->context = context;
    link->owed_last = &link->owed;
    rv = uv_poll_init(loop, &link->poll, fd);
    if (rv == 0)
        rv = uv_poll_start(&link->poll, UV_READABLE, poll_cb);
    if (rv < 0) {
        spawner_client_done(&link->client);
        free(link);
        return err_set(err, ST_IO, "watch the spawner's socket: %s", uv_strerror(rv));
    }
    *out = link;
    return ST_OK;
}

static void close_cb(uv_handle_t *handle)
{
    struct spawner_link *link = container_of((uv_poll_t *)handle, struct spawner_link, poll);

    spawner_client_done(&link->client);
    while (link->requests != NULL)
        free(request_take(link, link->requests->id));
    while (link->owed != NULL) {
        struct owed *owed = link->owed;

        link->owed = owed->next;
        free(owed);
    }
    free(link);
}

void spawner_link_free(struct spawner_link *link)
{
    if (link != NULL && !uv_is_closing((uv_handle_t *)&link->poll))
        uv_close((uv_handle_t *)&link->poll, close_cb);
}
