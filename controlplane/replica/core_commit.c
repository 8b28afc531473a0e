/* Proposals: from a caller here to an entry of the leader, and back when it is applied here.
 *
 *   proposed -> (no leader: waits) -> at the leader: queue -> entry -> applied -> answered
 *                                 \-> elsewhere: RAFT_FORWARD -> leader's queue -> ...
 *
 * The answer is given when this node applies the command, so that its rows already show it, and so
 * that no message has to carry an outcome.  An attempt that left no sign (leader changed, link
 * broken, time) is repeated under the same (client, sequence); the state counts it once. */
#include "controlplane/replica/core_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "controlplane/state/state.h"
#include "proto/entry.h"
#include "proto/raft_check.h"

static struct proposal **bucket(struct core *core, const Lapwing__Command *command)
{
    uint64_t hash = command->sequence * 0x9e3779b97f4a7c15u;

    for (size_t i = 0; i < command->client.len; i++)
        hash = (hash ^ command->client.data[i]) * 0x100000001b3u;
    return &core->buckets[(hash >> 20) & (PROPOSAL_BUCKETS - 1)];
}

static bool same_command(const Lapwing__Command *a, const Lapwing__Command *b)
{
    return a->sequence == b->sequence && bytes_equal(bytes_of(a->client.data, a->client.len),
                                                     bytes_of(b->client.data, b->client.len));
}

static void proposal_free(struct proposal *proposal)
{
    lapwing__command__free_unpacked(proposal->command, NULL);
    free(proposal);
}

/* Answer and forget; `link` is where the table holds it. */
static void answer(struct core *core,
                   struct proposal **link,
                   enum status st,
                   const Lapwing__Outcome *outcome)
{
    struct proposal *proposal = *link;

    CHECK(!proposal->answered);
    *link = proposal->bucket_next;
    core->proposal_count--;
    proposal->answered = true;
    core->io.proposed(core->io.context, proposal->token, st, outcome);
    if (!proposal->queued)
        proposal_free(proposal);
}

/* ---- queue of the leader ---- */

static void enqueue(struct core *core, struct proposal *proposal)
{
    CHECK(!proposal->queued);
    proposal->queued = true;
    proposal->queue_next = NULL;
    *core->queue_end = proposal;
    core->queue_end = &proposal->queue_next;
    core->queue_count++;
}

static struct proposal *dequeue(struct core *core)
{
    struct proposal *proposal = core->queue;

    core->queue = proposal->queue_next;
    if (core->queue == NULL)
        core->queue_end = &core->queue;
    core->queue_count--;
    proposal->queued = false;
    return proposal;
}

static void send_forwarded(struct core *core, uint64_t peer, uint64_t request, enum status st)
{
    Lapwing__Forwarded message = LAPWING__FORWARDED__INIT;
    struct buf body = { 0 };
    size_t len;

    message.id = request;
    message.status = st;
    len = lapwing__forwarded__get_packed_size(&message);
    body.len = lapwing__forwarded__pack(&message, buf_reserve(&body, len));
    core->io.send(core->io.context, peer, LAPWING__RAFT_FRAME__RAFT_FORWARDED, buf_view(&body));
    buf_done(&body);
}

void commit_drop_queue(struct core *core)
{
    while (core->queue != NULL) {
        struct proposal *proposal = dequeue(core);

        if (proposal->peer != 0)
            send_forwarded(core, proposal->peer, proposal->peer_request, ST_NOT_LEADER);
        if (proposal->peer != 0 || proposal->answered)
            proposal_free(proposal);
        else
            proposal->sent_to = 0;
    }
}

/* Take as many queued commands as one entry holds.  Local ones stay in the table. */
static size_t take_batch(struct core *core, struct proposal **out, size_t max)
{
    size_t bytes = ENTRY_BASE_BYTES + ENTRY_CRC_BYTES;
    size_t count = 0;

    while (core->queue != NULL && count < max) {
        size_t more = entry_command_bytes(core->queue->command);

        if (core->queue->answered) {
            proposal_free(dequeue(core));
            continue;
        }
        if (count > 0 && bytes + more > ENTRY_BYTES_MAX)
            break;
        bytes += more;
        out[count++] = dequeue(core);
    }
    return count;
}

static uint64_t submit(struct core *core, enum log_entry_type type, struct bytes content)
{
    struct log_data *data = log_data_new(content);
    uint64_t index = 0;
    enum status st = rules_submit(core->rules, core->now, type, data, &index);

    log_data_drop(data);
    CHECK(st == ST_OK); /* core->leading was just looked at, and room is always claimed */
    if (index > rules_applied(core->rules)) {
        CHECK(core->in_flight_count < CORE_ENTRIES_IN_FLIGHT_MAX);
        core->in_flight[core->in_flight_count++] = index;
    }
    barrier_attach(core, index);
    return index;
}

/* Those of other nodes, which nobody else holds, moved to the front; how many. */
static size_t keep_of_peers(struct proposal **batch, size_t count)
{
    size_t kept = 0;

    for (size_t i = 0; i < count; i++) {
        if (batch[i]->peer != 0)
            batch[kept++] = batch[i];
        else
            batch[i]->ever_sent = true;
    }
    return kept;
}

static void submit_batch(struct core *core)
{
    struct proposal *batch[ENTRY_COMMANDS_MAX];
    Lapwing__Command *commands[ENTRY_COMMANDS_MAX];
    Lapwing__Entry entry = LAPWING__ENTRY__INIT;
    size_t count = take_batch(core, batch, ENTRY_COMMANDS_MAX);
    struct buf encoded = { 0 };
    uint64_t stamp = core->io.stamp_ms(core->io.context);
    uint64_t index;
    size_t of_peers;
    enum status st;

    if (count == 0)
        return;
    if (stamp > core->leader_ms) /* stamped time never goes back */
        core->leader_ms = stamp;
    for (size_t i = 0; i < count; i++)
        commands[i] = batch[i]->command;
    entry.format = ENTRY_FORMAT;
    entry.leader_ms = core->leader_ms;
    entry.commands = commands;
    entry.n_commands = count;
    st = entry_encode(&entry, &encoded, NULL);
    CHECK(st == ST_OK);
    of_peers = keep_of_peers(batch, count);
    index = submit(core, LOG_COMMAND, buf_view(&encoded)); /* may answer local ones at once */
    buf_done(&encoded);
    for (size_t i = 0; i < of_peers; i++) {
        tell_wanted(core, batch[i]->peer, index);
        proposal_free(batch[i]);
    }
}

void commit_flush(struct core *core)
{
    static const uint8_t nothing[8];

    while (core->leading && !transfer_holds(core) && !members_hold(core) &&
           core->in_flight_count < CORE_ENTRIES_IN_FLIGHT_MAX) {
        if (core->queue != NULL)
            submit_batch(core);
        else if (barrier_wants_entry(core))
            (void)submit(core, LOG_BARRIER, bytes_of(nothing, sizeof nothing));
        else
            break;
    }
}

/* ---- attempts ---- */

static void forward(struct core *core, struct proposal *proposal)
{
    Lapwing__Forward message = LAPWING__FORWARD__INIT;
    struct buf body = { 0 };
    size_t len;

    proposal->peer_request = ++core->next_request;
    proposal->sent_before = proposal->ever_sent;
    proposal->ever_sent = true;
    message.id = proposal->peer_request;
    message.command = proposal->command;
    len = lapwing__forward__get_packed_size(&message);
    body.len = lapwing__forward__pack(&message, buf_reserve(&body, len));
    core->io.send(core->io.context, proposal->sent_to, LAPWING__RAFT_FRAME__RAFT_FORWARD,
                  buf_view(&body));
    buf_done(&body);
}

static void attempt(struct core *core, struct proposal *proposal)
{
    uint64_t leader = rules_leader(core->rules);
    struct peer *peer = core_peer(core, leader);

    proposal->sent_to = 0;
    proposal->refused = false;
    if (leader == core->config.self_id) {
        if (!disk_takes_commands(core)) {
            proposal->refused = disk_refuses_commands(core);
            return; /* the next leader takes it, or it is refused */
        }
        if (!proposal->queued && core->queue_count < CORE_QUEUE_MAX)
            enqueue(core, proposal);
    } else if (peer == NULL || !peer->up) {
        return;
    }
    proposal->sent_to = leader;
    proposal->sent_term = rules_term(core->rules);
    proposal->sent_ms = core->now;
    if (leader != core->config.self_id)
        forward(core, proposal);
}

static bool attempt_is_lost(const struct core *core, const struct proposal *proposal)
{
    if (proposal->queued)
        return false;
    if (proposal->sent_to == 0)
        return true;
    return proposal->sent_term != core->seen_term || proposal->sent_to != core->seen_leader ||
           core->now - proposal->sent_ms >= CORE_ATTEMPT_MS;
}

void commit_scan(struct core *core, bool leader_changed)
{
    for (size_t i = 0; core->proposal_count > 0 && i < PROPOSAL_BUCKETS; i++) {
        struct proposal **link = &core->buckets[i];

        while (*link != NULL) {
            struct proposal *proposal = *link;

            if (core->now >= proposal->deadline_ms || (proposal->refused && !proposal->ever_sent)) {
                answer(core, link, proposal->ever_sent ? ST_UNKNOWN : ST_UNAVAILABLE, NULL);
                continue;
            }
            if (attempt_is_lost(core, proposal) && (!leader_changed || core->seen_leader != 0))
                attempt(core, proposal);
            link = &proposal->bucket_next;
        }
    }
    if (core->proposal_count > 0)
        core_wait_scan(core);
}

void commit_link_down(struct core *core, uint64_t peer)
{
    for (size_t i = 0; core->proposal_count > 0 && i < PROPOSAL_BUCKETS; i++)
        for (struct proposal *p = core->buckets[i]; p != NULL; p = p->bucket_next)
            if (p->sent_to == peer)
                p->sent_to = 0;
}

/* A snapshot jumped over entries, ours perhaps among them: repeated, they are answered from what
 * the state remembers. */
void commit_after_install(struct core *core)
{
    for (size_t i = 0; core->proposal_count > 0 && i < PROPOSAL_BUCKETS; i++)
        for (struct proposal *p = core->buckets[i]; p != NULL; p = p->bucket_next)
            if (!p->queued)
                p->sent_to = 0;
}

void commit_outcome(struct core *core,
                    const Lapwing__Command *command,
                    const Lapwing__Outcome *outcome)
{
    struct proposal **link = bucket(core, command);

    while (*link != NULL) {
        if (same_command((*link)->command, command))
            answer(core, link, ST_OK, outcome);
        else
            link = &(*link)->bucket_next;
    }
}

void commit_done(struct core *core)
{
    for (size_t i = 0; i < PROPOSAL_BUCKETS; i++)
        while (core->buckets[i] != NULL)
            answer(core, &core->buckets[i],
                   core->buckets[i]->ever_sent ? ST_UNKNOWN : ST_UNAVAILABLE, NULL);
    while (core->queue != NULL)
        proposal_free(dequeue(core));
}

/* ---- doors ---- */

static ProtobufCBinaryData copy_of(const ProtobufCBinaryData *data)
{
    ProtobufCBinaryData copy = { .len = data->len, .data = must_calloc(1, data->len + 1) };

    if (data->len > 0)
        memcpy(copy.data, data->data, data->len);
    return copy;
}

Lapwing__Command *core_command_copy(const Lapwing__Command *command)
{
    Lapwing__Command *copy = must_calloc(1, sizeof *copy);

    lapwing__command__init(copy);
    copy->type = command->type;
    copy->version = command->version;
    copy->client = copy_of(&command->client);
    copy->sequence = command->sequence;
    copy->acked = command->acked;
    copy->body = copy_of(&command->body);
    return copy;
}

enum status core_propose(struct core *core,
                         uint64_t now_ms,
                         Lapwing__Command *command,
                         uint64_t deadline_ms,
                         void *token)
{
    struct proposal *proposal;
    struct proposal **link;

    if (core->proposal_count >= CORE_PROPOSALS_MAX)
        return ST_LIMIT;
    if (now_ms > core->now)
        core->now = now_ms;
    proposal = must_calloc(1, sizeof *proposal);
    proposal->command = command;
    proposal->deadline_ms = deadline_ms;
    proposal->token = token;
    link = bucket(core, command);
    proposal->bucket_next = *link;
    *link = proposal;
    core->proposal_count++;
    attempt(core, proposal);
    core_wait_scan(core);
    return ST_OK;
}

enum status commit_forward(struct core *core, uint64_t peer, struct bytes body, struct err *err)
{
    Lapwing__Forward *message = lapwing__forward__unpack(NULL, body.len, body.data);
    struct proposal *proposal;
    enum status refused = ST_OK;

    if (message == NULL)
        return err_set(err, ST_BAD_INPUT, "forward: does not decode");
    if (!rules_is_leader(core->rules))
        refused = ST_NOT_LEADER;
    else if (!disk_takes_commands(core))
        refused = disk_refuses_commands(core) ? ST_UNAVAILABLE : ST_NOT_LEADER;
    else if (core->queue_count >= CORE_QUEUE_MAX)
        refused = ST_LIMIT;
    else
        refused = forward_check(message, err);
    if (refused != ST_OK) {
        send_forwarded(core, peer, message->id, refused);
        lapwing__forward__free_unpacked(message, NULL);
        return ST_OK;
    }
    proposal = must_calloc(1, sizeof *proposal);
    proposal->command = message->command; /* taken out of the message */
    message->command = NULL;
    proposal->peer = peer;
    proposal->peer_request = message->id;
    lapwing__forward__free_unpacked(message, NULL);
    enqueue(core, proposal);
    return ST_OK;
}

/* The leader says that it did not take it; being tried again is the scan's business. */
enum status commit_forwarded(struct core *core, uint64_t peer, struct bytes body, struct err *err)
{
    Lapwing__Forwarded *message = lapwing__forwarded__unpack(NULL, body.len, body.data);

    if (message == NULL)
        return err_set(err, ST_BAD_INPUT, "forwarded: does not decode");
    if (forwarded_check(message, err) != ST_OK) {
        lapwing__forwarded__free_unpacked(message, NULL);
        return ST_BAD_INPUT;
    }
    for (size_t i = 0; core->proposal_count > 0 && i < PROPOSAL_BUCKETS; i++)
        for (struct proposal *p = core->buckets[i]; p != NULL; p = p->bucket_next)
            if (p->sent_to == peer && p->peer_request == message->id) {
                p->sent_to = 0;
                p->ever_sent = p->sent_before; /* this attempt was certainly not done */
                p->refused = message->status == ST_UNAVAILABLE;
            }
    lapwing__forwarded__free_unpacked(message, NULL);
    return ST_OK;
}
