/* Clients that create, change, publish and delete functions through any node, and ask again under
 * the same (client, sequence) until they know. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "proto/command_check.h"
#include "tests/sim/sim.h"

enum {
    OPEN_MAX = 3, /* operations of one client at a time */
    STEP_MS_MAX = 30,
    DEADLINE_MS_MIN = 100,
    DEADLINE_MS_RANGE = 3000,
    RAISE_IN = 300, /* operations: about the middle of a run */
};

static void pack_body(struct sim_op *op, const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);

    op->body.len = protobuf_c_message_pack(message, buf_reserve(&op->body, len));
}

static void make_create(struct sim *sim, struct sim_op *op, char *name, ProtobufCBinaryData code)
{
    Lapwing__CreateFunction create = LAPWING__CREATE_FUNCTION__INIT;
    Lapwing__Function function = LAPWING__FUNCTION__INIT;
    char uid[33];

    (void)snprintf(uid, sizeof uid, "%08x%08x%016llx", op->client, op->number,
                   (unsigned long long)sim_random(sim));
    function.account = "000000000000";
    function.region = "eu-west-1";
    function.name = name;
    function.uid = uid;
    function.runtime = "provided.al2023";
    function.role = "arn:aws:iam::000000000000:role/sim";
    function.handler = "bootstrap";
    function.handler_present = true;
    function.timeout_s = 3;
    function.memory_mb = 128;
    function.ephemeral_mb = 512;
    function.architecture = "x86_64";
    function.tracing_mode = "PassThrough";
    function.code_sha256 = code;
    function.code_bytes = 1000;
    function.revision_id = op->revision;
    create.function = &function;
    pack_body(op, &create.base);
}

static void make_body(struct sim *sim, struct sim_op *op)
{
    Lapwing__UpdateFunctionCode update = LAPWING__UPDATE_FUNCTION_CODE__INIT;
    Lapwing__PublishVersion publish = LAPWING__PUBLISH_VERSION__INIT;
    Lapwing__DeleteFunction del = LAPWING__DELETE_FUNCTION__INIT;
    Lapwing__RaiseClusterVersion raise = LAPWING__RAISE_CLUSTER_VERSION__INIT;
    uint8_t hash[32] = { 0 };
    ProtobufCBinaryData code = { .data = hash, .len = sizeof hash };
    char name[16];

    hash[0] = (uint8_t)op->client;
    hash[1] = (uint8_t)op->number;
    hash[2] = (uint8_t)(op->number >> 8);
    (void)snprintf(name, sizeof name, "function-%u", op->name);
    (void)snprintf(op->revision, sizeof op->revision, "%08x-0000-4000-8000-%012x", op->client,
                   op->number);
    switch (op->type) {
    case LAPWING__COMMAND_TYPE__RAISE_CLUSTER_VERSION:
        raise.cluster_version = CLUSTER_VERSION_MAX;
        pack_body(op, &raise.base);
        return;
    case LAPWING__COMMAND_TYPE__CREATE_FUNCTION:
        make_create(sim, op, name, code);
        return;
    case LAPWING__COMMAND_TYPE__UPDATE_FUNCTION_CODE:
        update.account = "000000000000";
        update.region = "eu-west-1";
        update.name = name;
        update.code_sha256 = code;
        update.code_bytes = 2000;
        update.revision_id = op->revision;
        pack_body(op, &update.base);
        return;
    case LAPWING__COMMAND_TYPE__PUBLISH_VERSION:
        publish.account = "000000000000";
        publish.region = "eu-west-1";
        publish.name = name;
        publish.revision_id = op->revision;
        pack_body(op, &publish.base);
        return;
    default:
        del.account = "000000000000";
        del.region = "eu-west-1";
        del.name = name;
        pack_body(op, &del.base);
        return;
    }
}

/* Every sequence below was answered or given up. */
static uint64_t acked_of(const struct sim *sim, unsigned client)
{
    uint64_t acked = sim->clients[client].next_sequence;

    for (unsigned i = 0; i < sim->op_count; i++) {
        const struct sim_op *op = sim->ops[i];

        if (op->client == client && op->state != OP_ANSWERED && op->sequence <= acked)
            acked = op->sequence - 1;
    }
    return acked;
}

static struct sim_op *op_new(struct sim *sim, unsigned client)
{
    static const Lapwing__CommandType types[] = {
        LAPWING__COMMAND_TYPE__CREATE_FUNCTION,      LAPWING__COMMAND_TYPE__CREATE_FUNCTION,
        LAPWING__COMMAND_TYPE__UPDATE_FUNCTION_CODE, LAPWING__COMMAND_TYPE__UPDATE_FUNCTION_CODE,
        LAPWING__COMMAND_TYPE__DELETE_FUNCTION,      LAPWING__COMMAND_TYPE__PUBLISH_VERSION,
    };
    struct sim_op *op = must_calloc(1, sizeof *op);

    CHECK(sim->op_count < SIM_OPS_MAX);
    op->client = client;
    op->number = sim->op_count;
    op->type = types[sim_below(sim, ARRAY_LEN(types))];
    if (sim_below(sim, RAISE_IN) == 0)
        op->type = LAPWING__COMMAND_TYPE__RAISE_CLUSTER_VERSION;
    op->name = sim_below(sim, SIM_NAMES);
    op->called = ++sim->moment;
    op->sequence = ++sim->clients[client].next_sequence;
    sim->clients[client].of_sequence[op->sequence] = op;
    make_body(sim, op);
    sim->ops[sim->op_count++] = op;
    sim->op_open++;
    op->acked = acked_of(sim, client);
    return op;
}

static struct sim_node *some_node(struct sim *sim)
{
    unsigned at = members_some(sim);
    struct sim_node *node = &sim->nodes[at];

    if (!sim->faults_on && !members_present(sim, at))
        return NULL; /* in the end everybody knows who is no member (seed 47) */
    return node->up && !clock_is_frozen(node) ? node : NULL;
}

static void ask_at(struct sim *sim, struct sim_op *op, struct sim_node *node)
{
    Lapwing__Command command = LAPWING__COMMAND__INIT;
    Lapwing__Command *copy;
    struct err err = { 0 };

    op->state = OP_RETRY;
    op->retry_at = sim->now_ms + 10 + sim_below(sim, 100);
    if (node == NULL)
        return;
    command.type = op->type;
    command.version = 1;
    command.client.data = sim->clients[op->client].id;
    command.client.len = sizeof sim->clients[op->client].id;
    command.sequence = op->sequence;
    command.acked = acked_of(sim, op->client);
    command.body.data = op->body.data;
    command.body.len = op->body.len;
    if (command_check(&command, &err) != ST_OK)
        sim_fail(sim, "the simulation's own command: %s", err.text);
    op->state = OP_WAITING;
    copy = core_command_copy(&command);
    if (core_propose(node->core, clock_now(node), copy,
                     clock_now(node) + DEADLINE_MS_MIN + sim_below(sim, DEADLINE_MS_RANGE),
                     op) != ST_OK) {
        op->state = OP_RETRY;
        lapwing__command__free_unpacked(copy, NULL);
    }
    node_after(node);
}

static void ask(struct sim *sim, struct sim_op *op)
{
    ask_at(sim, op, some_node(sim));
}

void clients_ask_at(struct sim *sim, unsigned node)
{
    ask_at(sim, op_new(sim, sim_below(sim, SIM_CLIENTS)), &sim->nodes[node]);
}

/* What a client gave up is not done later than the success of a command that acknowledged it. */
static void settle_given_up(struct sim *sim, const struct sim_op *done)
{
    for (unsigned i = 0; i < sim->op_count; i++) {
        struct sim_op *op = sim->ops[i];

        if (op->client == done->client && op->given_up && op->returned == 0 &&
            op->sequence <= done->acked)
            op->returned = sim->moment;
    }
}

void clients_answered(struct sim *sim,
                      struct sim_op *op,
                      enum status st,
                      const Lapwing__Outcome *outcome)
{
    CHECK(op->state == OP_WAITING);
    if (st == ST_OK) {
        op->state = OP_ANSWERED;
        op->outcome = (enum status)outcome->status;
        op->returned = ++sim->moment;
        settle_given_up(sim, op);
        sim->op_open--;
        sim->counts.acks++;
        return;
    }
    if (st != ST_UNKNOWN && st != ST_UNAVAILABLE)
        sim_fail(sim, "operation %u: answered %s", op->number, status_name(st));
    op->maybe = op->maybe || st == ST_UNKNOWN;
    if (st == ST_UNKNOWN)
        sim->counts.unknown++;
    if (sim->faults_on && sim_below(sim, 6) == 0) {
        op->state = OP_ANSWERED;
        op->given_up = true;
        sim->op_open--;
        return;
    }
    sim->counts.retries++;
    op->state = OP_RETRY;
    op->retry_at = sim->now_ms + sim_below(sim, 200);
}

void clients_init(struct sim *sim)
{
    for (unsigned i = 0; i < SIM_CLIENTS; i++) {
        memset(sim->clients[i].id, 0x40, sizeof sim->clients[i].id);
        sim->clients[i].id[0] = (uint8_t)(i + 1);
    }
}

static void retry_due(struct sim *sim)
{
    for (unsigned i = 0; i < sim->op_count; i++) {
        struct sim_op *op = sim->ops[i];

        if (op->state != OP_RETRY || op->retry_at > sim->now_ms)
            continue;
        if (sim->broken == BREAK_SEQUENCE) {
            op->sequence = ++sim->clients[op->client].next_sequence;
            sim->clients[op->client].of_sequence[op->sequence] = op;
        }
        ask(sim, op);
    }
}

void clients_step(struct sim *sim)
{
    unsigned client = sim_below(sim, SIM_CLIENTS);
    unsigned open = 0;

    if (sim->now_ms >= sim->quiet_until)
        retry_due(sim);
    for (unsigned i = 0; i < sim->op_count; i++)
        if (sim->ops[i]->client == client && sim->ops[i]->state != OP_ANSWERED)
            open++;
    if (sim->faults_on && open < OPEN_MAX && sim->now_ms >= sim->quiet_until)
        ask(sim, op_new(sim, client));
    if (sim->faults_on && sim_below(sim, 3) == 0)
        reads_start_somewhere(sim);
    sim_at(sim, (struct sim_event){ .at_ms = sim->now_ms + sim_below(sim, STEP_MS_MAX),
                                    .kind = EVENT_CLIENT });
}
