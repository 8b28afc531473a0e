/* The control plane's nodes: listed, added, removed, and which of them leads. */
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/check.h"
#include "controlplane/api/admin/admin.h"
#include "controlplane/api/admin/nodes_rules.h"
#include "controlplane/replica/replica.h"
#include "controlplane/state/members.h"

enum { FRESH_MS = 1000, LEAD_MS = 3000 };

/* ---- listing ---- */

static void answer_nodes(struct api_call *call, bool fresh)
{
    struct replica_status control;
    struct replica_status storage;
    struct member_list rows = { 0 };
    enum status st = state_list_members(call->api->reader, &rows, NULL);

    if (st != ST_OK) {
        api_fail_status(call, st, "list the nodes");
        return;
    }
    replica_status(call->api->options.control, &control);
    replica_status(call->api->options.storage, &storage);
    api_answer_json(call, 200, nodes_json(&rows, &control, &storage, fresh));
    member_list_done(&rows);
}

/* Without a quorum it is all the more wanted who is there: then as this node knows it. */
static void list_barrier_cb(enum status st, void *context)
{
    struct api_call *call = context;

    answer_nodes(call, st == ST_OK);
    api_call_drop(call);
}

void admin_nodes(struct api_call *call)
{
    api_call_hold(call);
    if (replica_barrier(call->api->options.control_client, FRESH_MS, list_barrier_cb, call) ==
        ST_OK)
        return;
    answer_nodes(call, false);
    api_call_drop(call);
}

/* ---- changing ---- */

static void fail_input(struct api_call *call, const struct err *err)
{
    (void)api_error_set(&call->error, ST_BAD_INPUT, API_INVALID_PARAMETER, "%s", err->text);
    api_fail(call, &call->error);
}

static void answer_member(struct api_call *call, const Lapwing__Outcome *outcome)
{
    Lapwing__Member *member = lapwing__member__unpack(NULL, outcome->body.len, outcome->body.data);

    CHECK(member != NULL); /* our own state made it */
    api_answer_json(call, 200,
                    json_pack("{s:I, s:s, s:s, s:s, s:s, s:I}", "id", (json_int_t)member->id,
                              "node", member->node, "zone", member->zone, "control_address",
                              member->control_address, "storage_address", member->storage_address,
                              "replaces", (json_int_t)member->replaces));
    lapwing__member__free_unpacked(member, NULL);
}

static void refuse(struct api_call *call, const Lapwing__Outcome *outcome)
{
    enum status st = (enum status)outcome->status;

    if (st == ST_UNSUPPORTED)
        (void)api_error_set(&call->error, st, API_CONFLICT,
                            "The cluster is not at version 2 yet: every node must run this "
                            "release and be connected.");
    else
        (void)api_error_set(&call->error, st, st == ST_NOT_FOUND ? API_NOT_FOUND : API_CONFLICT,
                            "%s", outcome->text);
    api_fail(call, &call->error);
}

static void changed_cb(enum status st, const Lapwing__Outcome *outcome, void *context)
{
    struct api_call *call = context;

    if (st != ST_OK)
        api_fail_status(call, st, "change the nodes");
    else if (outcome->status == ST_OK)
        answer_member(call, outcome);
    else
        refuse(call, outcome);
    api_call_drop(call);
}

static void propose(struct api_call *call, Lapwing__CommandType type, const struct buf *body)
{
    enum status st;

    api_call_hold(call);
    st = replica_propose(call->api->options.control_client, type, buf_view(body), API_PROPOSE_MS,
                         changed_cb, call);
    if (st == ST_OK)
        return;
    api_fail_status(call, st, "change the nodes");
    api_call_drop(call);
}

/* Other nodes dial these: a name that only this one can resolve would be of no use. */
static enum status addresses_check(const struct buf *body, struct err *err)
{
    Lapwing__MemberAdd *add = lapwing__member_add__unpack(NULL, body->len, body->data);
    struct sockaddr_storage parsed;
    enum status st;

    CHECK(add != NULL); /* packed a moment ago */
    st = address_parse(add->member->control_address, &parsed, err);
    if (st == ST_OK)
        st = address_parse(add->member->storage_address, &parsed, err);
    lapwing__member_add__free_unpacked(add, NULL);
    return st;
}

void admin_node_add(struct api_call *call)
{
    struct buf body = { 0 };
    struct err err = { 0 };

    if (nodes_read_add(buf_view(&call->body), &body, &err) == ST_OK &&
        addresses_check(&body, &err) == ST_OK)
        propose(call, LAPWING__COMMAND_TYPE__MEMBER_ADD, &body);
    else
        fail_input(call, &err);
    buf_done(&body);
}

void admin_node_remove(struct api_call *call)
{
    Lapwing__MemberRemove remove = LAPWING__MEMBER_REMOVE__INIT;
    struct buf body = { 0 };
    struct err err = { 0 };
    size_t len;

    if (nodes_read_id(buf_view(&call->body), false, &remove.id, &err) != ST_OK) {
        fail_input(call, &err);
        return;
    }
    len = lapwing__member_remove__get_packed_size(&remove);
    body.len = lapwing__member_remove__pack(&remove, buf_reserve(&body, len));
    propose(call, LAPWING__COMMAND_TYPE__MEMBER_REMOVE, &body);
    buf_done(&body);
}

/* ---- leading ---- */

/* Both groups, one after the other.  Owned by its call. */
struct lead {
    struct api_call *call;
    uint64_t target;
    bool storage; /* which of them it is about now */
};

static void lead_next(struct lead *lead);

static void led_cb(enum status st, void *context)
{
    struct lead *lead = context;
    struct api_call *call = lead->call;
    const char *group = lead->storage ? "storage" : "control";

    if (st == ST_OK && !lead->storage) {
        lead->storage = true;
        lead_next(lead);
        return;
    }
    if (st == ST_OK) {
        api_answer_json(call, 200, json_pack("{s:b}", "handed_over", 1));
    } else if (st == ST_NOT_FOUND) {
        (void)api_error_set(&call->error, st, API_NOT_FOUND,
                            "Group %s: no such other voter to lead.", group);
        api_fail(call, &call->error);
    } else {
        (void)api_error_set(&call->error, st, API_UNAVAILABLE,
                            "Group %s: leadership was not handed over (%s).", group,
                            status_name(st));
        api_fail(call, &call->error);
    }
    api_call_drop(call);
}

/* A group that the target leads already has nothing to hand over. */
static void lead_next(struct lead *lead)
{
    const struct api_options *options = &lead->call->api->options;
    struct replica *replica = lead->storage ? options->storage : options->control;
    struct replica_client *client =
        lead->storage ? options->storage_client : options->control_client;
    struct replica_status status;
    enum status st;

    replica_status(replica, &status);
    if (lead->target != 0 && status.leader_id == lead->target)
        st = ST_EXISTS;
    else
        st = replica_transfer(client, lead->target, LEAD_MS, led_cb, lead);
    if (st != ST_OK)
        led_cb(st == ST_EXISTS ? ST_OK : st, lead);
}

void admin_node_lead(struct api_call *call)
{
    struct err err = { 0 };
    struct lead *lead;
    uint64_t target;

    if (nodes_read_id(buf_view(&call->body), true, &target, &err) != ST_OK) {
        fail_input(call, &err);
        return;
    }
    lead = must_calloc(1, sizeof *lead);
    lead->call = call;
    lead->target = target;
    call->data = lead;
    call->data_free = free;
    api_call_hold(call);
    lead_next(lead);
}
