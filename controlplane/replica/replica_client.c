/* Callers on other loops: a request is a mail that goes to the group's thread and comes back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "controlplane/replica/replica_internal.h"
#include "proto/command_check.h"

_Static_assert((int)REPLICA_WANTED_MAX == (int)CORE_WANTS_MAX, "one limit");
_Static_assert((int)REPLICA_MEMBERS_MAX == (int)CORE_PEERS_MAX + 1, "one limit");

enum request_kind {
    REQUEST_PROPOSE,
    REQUEST_BARRIER,
    REQUEST_TRANSFER,
    REQUEST_MEMBERS,
    REQUEST_DISK_FAILED,
    REQUEST_STOP,
};

/* Made by a client, answered on the group's thread, freed when it is back on the client's loop. */
struct request {
    struct mail mail;
    enum request_kind kind;
    struct replica_client *client; /* NULL: of replica_stop(), replica_disk_is_failing() */
    Lapwing__Command *command;     /* owned until the core takes it */
    uint64_t deadline_ms;          /* on replica_now_ms() */
    enum status st;
    struct buf outcome; /* packed */
    replica_propose_cb propose_cb;
    replica_barrier_cb barrier_cb; /* of a transfer, too */
    uint64_t target;               /* of a transfer */
    struct replica_wanted *wanted; /* owned */
    unsigned wanted_count;
    void *context;

    uint64_t sequence; /* own commands only; else 0 */
    struct request *before;
    struct request *after;
};

/* Freed once closed and no request is out. */
struct replica_client {
    struct replica *replica;
    struct mailbox *mailbox;
    bool closed;
    bool calling; /* a callback runs, which may close us */
    unsigned proposals_out;
    unsigned barriers_out; /* and transfers */
    uint8_t id[REPLICA_CLIENT_ID_BYTES];
    uint64_t sequence;      /* last one given out */
    struct request *oldest; /* own commands without an answer, by sequence */
    struct request *newest;
};

/* ---- on the client's loop ---- */

static void request_free(struct request *request)
{
    if (request->command != NULL)
        lapwing__command__free_unpacked(request->command, NULL);
    buf_done(&request->outcome);
    free(request->wanted);
    free(request);
}

static void maybe_free(struct replica_client *client)
{
    if (!client->closed || client->calling || client->proposals_out > 0 || client->barriers_out > 0)
        return;
    mailbox_close(client->mailbox);
    free(client);
}

static void unlink_request(struct replica_client *client, struct request *request)
{
    if (request->sequence == 0)
        return;
    if (request->before != NULL)
        request->before->after = request->after;
    else
        client->oldest = request->after;
    if (request->after != NULL)
        request->after->before = request->before;
    else
        client->newest = request->before;
}

static void answer_propose(struct replica_client *client, struct request *request)
{
    Lapwing__Outcome *outcome = NULL;

    client->proposals_out--;
    unlink_request(client, request);
    if (client->closed)
        return;
    if (request->st == ST_OK) {
        outcome = lapwing__outcome__unpack(NULL, request->outcome.len, request->outcome.data);
        CHECK(outcome != NULL); /* packed a moment ago */
    }
    request->propose_cb(request->st, outcome, request->context);
    if (outcome != NULL)
        lapwing__outcome__free_unpacked(outcome, NULL);
}

static void deliver_answer(struct mail *mail, void *context)
{
    struct request *request = container_of(mail, struct request, mail);
    struct replica_client *client = context;

    client->calling = true;
    if (request->kind == REQUEST_PROPOSE) {
        answer_propose(client, request);
    } else {
        client->barriers_out--;
        if (!client->closed)
            request->barrier_cb(request->st, request->context);
    }
    client->calling = false;
    request_free(request);
    maybe_free(client);
}

struct replica_client *replica_client_new(struct replica *replica, uv_loop_t *loop)
{
    struct replica_client *client = must_calloc(1, sizeof *client);

    client->replica = replica;
    client->mailbox = mailbox_new(loop, deliver_answer, client);
    random_bytes(client->id, sizeof client->id);
    return client;
}

void replica_client_close(struct replica_client *client)
{
    if (client == NULL)
        return;
    CHECK(!client->closed);
    client->closed = true;
    maybe_free(client);
}

static struct request *request_new(struct replica_client *client,
                                   enum request_kind kind,
                                   uint32_t deadline_ms,
                                   void *context)
{
    struct request *request = must_calloc(1, sizeof *request);

    request->kind = kind;
    request->client = client;
    request->deadline_ms = replica_now_ms() + deadline_ms;
    request->context = context;
    return request;
}

static struct request *post_propose(struct replica_client *client,
                                    const Lapwing__Command *command,
                                    uint32_t deadline_ms,
                                    replica_propose_cb cb,
                                    void *context)
{
    struct request *request = request_new(client, REQUEST_PROPOSE, deadline_ms, context);

    request->command = core_command_copy(command);
    request->propose_cb = cb;
    client->proposals_out++;
    mailbox_post(client->replica->mailbox, &request->mail);
    return request;
}

static enum status may_propose(const struct replica_client *client, const Lapwing__Command *command)
{
    CHECK(!client->closed);
    if (client->proposals_out >= REPLICA_PROPOSALS_MAX || command->body.len > COMMAND_BYTES_MAX)
        return ST_LIMIT;
    return command_check(command, NULL);
}

enum status replica_propose(struct replica_client *client,
                            Lapwing__CommandType type,
                            struct bytes body,
                            uint32_t deadline_ms,
                            replica_propose_cb cb,
                            void *context)
{
    Lapwing__Command command = LAPWING__COMMAND__INIT;
    struct request *request;
    enum status st;

    command.type = type;
    command.version = 1;
    command.client.data = client->id;
    command.client.len = sizeof client->id;
    command.sequence = client->sequence + 1;
    /* All below the oldest that waits were answered, or given up: they shall not count later. */
    command.acked = client->oldest == NULL ? client->sequence : client->oldest->sequence - 1;
    command.body.data = (uint8_t *)body.data;
    command.body.len = body.len;
    st = may_propose(client, &command);
    if (st != ST_OK)
        return st;
    client->sequence++;
    request = post_propose(client, &command, deadline_ms, cb, context);
    request->sequence = client->sequence;
    request->before = client->newest;
    if (client->newest != NULL)
        client->newest->after = request;
    else
        client->oldest = request;
    client->newest = request;
    return ST_OK;
}

enum status replica_propose_command(struct replica_client *client,
                                    const Lapwing__Command *command,
                                    uint32_t deadline_ms,
                                    replica_propose_cb cb,
                                    void *context)
{
    enum status st = may_propose(client, command);

    if (st == ST_OK)
        (void)post_propose(client, command, deadline_ms, cb, context);
    return st;
}

enum status replica_barrier(struct replica_client *client,
                            uint32_t deadline_ms,
                            replica_barrier_cb cb,
                            void *context)
{
    struct request *request;

    CHECK(!client->closed);
    if (client->barriers_out >= REPLICA_BARRIERS_MAX)
        return ST_LIMIT;
    request = request_new(client, REQUEST_BARRIER, deadline_ms, context);
    request->barrier_cb = cb;
    client->barriers_out++;
    if (replica_rows_are_current(client->replica))
        mailbox_post(client->mailbox, &request->mail); /* answered: ST_OK is zero */
    else
        mailbox_post(client->replica->mailbox, &request->mail);
    return ST_OK;
}

enum status replica_transfer(struct replica_client *client,
                             uint64_t target,
                             uint32_t deadline_ms,
                             replica_transfer_cb cb,
                             void *context)
{
    struct request *request;

    CHECK(!client->closed);
    if (client->barriers_out >= REPLICA_BARRIERS_MAX)
        return ST_LIMIT;
    request = request_new(client, REQUEST_TRANSFER, deadline_ms, context);
    request->barrier_cb = cb;
    request->target = target;
    client->barriers_out++;
    mailbox_post(client->replica->mailbox, &request->mail);
    return ST_OK;
}

void replica_set_members(struct replica *replica,
                         const struct replica_wanted *wanted,
                         unsigned count)
{
    struct request *request = must_calloc(1, sizeof *request);

    CHECK(count <= REPLICA_WANTED_MAX);
    request->kind = REQUEST_MEMBERS;
    request->wanted = must_calloc(count + 1, sizeof *wanted);
    request->wanted_count = count;
    memcpy(request->wanted, wanted, count * sizeof *wanted);
    mailbox_post(replica->mailbox, &request->mail);
}

void replica_client_post_stop(struct replica *replica)
{
    struct request *request = must_calloc(1, sizeof *request);

    request->kind = REQUEST_STOP;
    mailbox_post(replica->mailbox, &request->mail);
}

void replica_disk_is_failing(struct replica *replica)
{
    struct request *request = must_calloc(1, sizeof *request);

    request->kind = REQUEST_DISK_FAILED;
    mailbox_post(replica->mailbox, &request->mail);
}

/* ---- on the group's thread ---- */

static void send_back(struct request *request, enum status st)
{
    request->st = st;
    mailbox_post(request->client->mailbox, &request->mail);
}

static enum status propose(struct replica *replica, struct request *request, uint64_t now)
{
    Lapwing__Command *command = request->command;
    enum status st;

    request->command = NULL; /* the answer may come, and free the request, within the call */
    st = core_propose(replica->core, now, command, request->deadline_ms, request);
    if (st != ST_OK)
        lapwing__command__free_unpacked(command, NULL);
    return st;
}

static void take_members(struct replica *replica, const struct request *request, uint64_t now)
{
    struct member_want wants[CORE_WANTS_MAX] = { 0 };

    if (replica->core == NULL)
        return;
    replica->wanted_count = request->wanted_count;
    for (unsigned i = 0; i < request->wanted_count; i++) {
        const struct replica_wanted *wanted = &request->wanted[i];

        replica->wanted[i] = *wanted;
        wants[i].id = wanted->member.id;
        wants[i].removed = wanted->removed;
        (void)snprintf(wants[i].zone, sizeof wants[i].zone, "%s", wanted->member.zone);
    }
    core_set_wanted(replica->core, now, wants, request->wanted_count);
    replica_book_update(replica);
}

void replica_client_deliver(struct mail *mail, void *context)
{
    struct request *request = container_of(mail, struct request, mail);
    struct replica *replica = context;
    uint64_t now = replica_now_ms();
    enum status st = ST_OK;

    if (request->kind == REQUEST_STOP) {
        request_free(request);
        replica_stop_now(replica);
        return;
    }
    if (request->kind == REQUEST_MEMBERS) {
        take_members(replica, request, now);
        request_free(request);
        return;
    }
    if (request->kind == REQUEST_DISK_FAILED) {
        request_free(request);
        if (replica->core != NULL)
            core_set_disk(replica->core, now, DISK_FAILED);
        return;
    }
    if (replica->core == NULL)
        st = ST_UNAVAILABLE;
    else if (request->kind == REQUEST_BARRIER)
        st = core_barrier(replica->core, now, request->deadline_ms, request);
    else if (request->kind == REQUEST_TRANSFER)
        st = core_transfer(replica->core, now, request->target, request->deadline_ms, request);
    else
        st = propose(replica, request, now);
    /* Too many are waiting in the group: certainly not done. */
    if (st == ST_LIMIT)
        st = ST_UNAVAILABLE;
    if (st != ST_OK)
        send_back(request, st);
}

void replica_client_proposed(void *token, enum status st, const Lapwing__Outcome *outcome)
{
    struct request *request = token;

    if (st == ST_OK) {
        size_t len = lapwing__outcome__get_packed_size(outcome);

        request->outcome.len = lapwing__outcome__pack(outcome, buf_reserve(&request->outcome, len));
    }
    send_back(request, st);
}

void replica_client_barrier_done(void *token, enum status st)
{
    send_back(token, st);
}

void replica_client_transferred(void *token, enum status st)
{
    send_back(token, st);
}
