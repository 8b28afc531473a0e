/* What must always hold, and what the committed entries ought to have made of the rows. */
#include <raft.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "controlplane/state/functions.h"
#include "proto/entry.h"
#include "tests/sim/sim.h"

/* ---- the oracle ---- */

/* Every update of the simulation brings other code, so epochs tell whether anything changed. */
static enum status oracle_publish(struct sim_row *row)
{
    if (!row->exists)
        return ST_NOT_FOUND;
    if (row->newest > 0 && row->newest_epoch == row->config_epoch)
        return ST_OK;
    row->newest = ++row->last_version;
    row->newest_epoch = row->config_epoch;
    return ST_OK;
}

/* What one command does to the row of its name. */
static enum status oracle_apply(struct sim *sim, struct sim_op *op)
{
    struct sim_row *row = &sim->rows[op->name];

    switch (op->type) {
    case LAPWING__COMMAND_TYPE__RAISE_CLUSTER_VERSION:
        return ST_OK;
    case LAPWING__COMMAND_TYPE__CREATE_FUNCTION:
        if (row->exists)
            return ST_EXISTS;
        row->exists = true;
        row->config_epoch = 1;
        break;
    case LAPWING__COMMAND_TYPE__UPDATE_FUNCTION_CODE:
        if (!row->exists)
            return ST_NOT_FOUND;
        row->config_epoch++;
        break;
    case LAPWING__COMMAND_TYPE__PUBLISH_VERSION:
        return oracle_publish(row);
    default:
        if (!row->exists)
            return ST_NOT_FOUND;
        row->exists = false;
        row->newest = 0;
        return ST_OK;
    }
    memcpy(row->revision, op->revision, sizeof row->revision);
    return ST_OK;
}

static void oracle_command(struct sim *sim, const Lapwing__Command *command)
{
    struct sim_client *client = &sim->clients[command->client.data[0] - 1];
    struct sim_op *op = client->of_sequence[command->sequence];

    if (op == NULL)
        sim_fail(sim, "committed a command that nobody proposed");
    if (command->acked > client->state_acked)
        client->state_acked = command->acked;
    if (command->sequence <= client->state_acked || client->seen[command->sequence])
        return; /* repeated, or given up: must change nothing */
    client->seen[command->sequence] = true;
    op->applied++;
    if (op->applied > 1)
        sim_fail(sim, "operation %u of client %u counts twice", op->number, op->client);
    op->want = oracle_apply(sim, op);
}

static void oracle_entry(struct sim *sim, const struct log_entry *entry)
{
    Lapwing__Entry *decoded;
    struct err err = { 0 };

    if (entry->type != LOG_COMMAND)
        return;
    if (entry_decode(bytes_of(entry->data->bytes, entry->data->len), &decoded, &err) != ST_OK)
        sim_fail(sim, "committed entry does not decode: %s", err.text);
    for (size_t i = 0; i < decoded->n_commands; i++)
        oracle_command(sim, decoded->commands[i]);
    entry_free(decoded);
}

/* ---- after each event ---- */

static void check_applied(struct sim *sim, struct sim_node *node, uint64_t index)
{
    const struct log_entry *entry = node_entry(node, index);
    uint64_t hash;

    if (entry == NULL)
        return; /* jumped over by a snapshot; its rows are compared */
    hash = hash_crc32c((uint32_t)entry->type, bytes_of(entry->data->bytes, entry->data->len));
    if (index >= SIM_LOG_MAX)
        sim_fail(sim, "log too long for the simulation");
    if (index > sim->committed) {
        if (index != sim->committed + 1)
            sim_fail(sim, "node %llu applied %llu, nobody %llu", (unsigned long long)node->id,
                     (unsigned long long)index, (unsigned long long)sim->committed + 1);
        sim->committed = index;
        sim->committed_term[index] = entry->term;
        sim->committed_hash[index] = hash;
        oracle_entry(sim, entry);
        members_committed(sim, entry);
    } else if (sim->committed_term[index] != entry->term || sim->committed_hash[index] != hash) {
        sim_fail(sim, "committed entry %llu changed: node %llu has one of term %llu, it was %llu",
                 (unsigned long long)index, (unsigned long long)node->id,
                 (unsigned long long)entry->term, (unsigned long long)sim->committed_term[index]);
    }
}

static void check_leader(struct sim *sim, struct sim_node *node, const struct core_view *view)
{
    if (view->raft_state != RAFT_LEADER)
        return;
    if (view->term >= SIM_LOG_MAX)
        sim_fail(sim, "terms without end");
    if (sim->leader_of_term[view->term] == 0)
        sim->counts.leaders++;
    else if (sim->leader_of_term[view->term] != node->id)
        sim_fail(sim, "two leaders in term %llu: %llu and %llu", (unsigned long long)view->term,
                 (unsigned long long)sim->leader_of_term[view->term], (unsigned long long)node->id);
    sim->leader_of_term[view->term] = node->id;
}

static void check_rows(struct sim *sim, struct sim_node *node)
{
    uint64_t index;
    uint64_t term;
    uint64_t digest;

    state_applied(node->state, &index, &term);
    if (index == 0 || index >= SIM_LOG_MAX)
        return;
    if (state_digest(node->state, &digest, NULL) != ST_OK)
        sim_fail(sim, "digest of node %llu", (unsigned long long)node->id);
    if (!sim->digest_known[index]) {
        sim->digest_known[index] = true;
        sim->digest[index] = digest;
    } else if (sim->digest[index] != digest) {
        sim_fail(sim, "rows of node %llu at %llu are not those of others",
                 (unsigned long long)node->id, (unsigned long long)index);
    }
}

void checks_after_event(struct sim *sim)
{
    for (unsigned i = 0; i < SIM_NODES; i++) {
        struct sim_node *node = &sim->nodes[i];
        struct core_view view;

        if (!node->up)
            continue;
        core_view(node->core, &view);
        check_leader(sim, node, &view);
        if (view.applied > view.commit)
            sim_fail(sim, "node %llu applied what is not committed", (unsigned long long)node->id);
        if (view.applied == node->seen_applied)
            continue;
        for (uint64_t at = node->seen_applied + 1; at <= view.applied; at++)
            check_applied(sim, node, at);
        node->seen_applied = view.applied;
        check_rows(sim, node);
    }
    reads_check_leases(sim);
}

/* ---- the end ---- */

bool checks_settled(struct sim *sim)
{
    uint64_t applied = 0;

    if (sim->op_open > 0 || sim->reads_open > 0 || !members_settled(sim))
        return false;
    for (unsigned i = 0; i < SIM_NODES; i++) {
        struct core_view view;

        if (!members_present(sim, i) || sim->nodes[i].trouble.refused)
            continue;
        if (!sim->nodes[i].up)
            return false;
        core_view(sim->nodes[i].core, &view);
        if (view.applied != sim->committed || view.last != view.applied || view.leader_id == 0)
            return false;
        if (view.disk != DISK_FIT || (applied != 0 && view.applied != applied))
            return false;
    }
    return true;
}

/* The newest version is there as it was published, and no later one. */
static void check_versions(struct sim *sim, struct sim_node *node, unsigned name)
{
    const struct sim_row *row = &sim->rows[name];
    char text[16];
    struct function_key key = { "000000000000", "eu-west-1", text, row->newest };
    struct function_key next = { "000000000000", "eu-west-1", text, row->last_version + 1 };
    Lapwing__Function *function = NULL;

    (void)snprintf(text, sizeof text, "function-%u", name);
    if (state_get_version(state_reader_of(node->state), &next, &function, NULL) != ST_NOT_FOUND)
        sim_fail(sim, "node %llu: %s has version %llu", (unsigned long long)node->id, text,
                 (unsigned long long)next.version);
    if (row->newest == 0)
        return;
    if (state_get_version(state_reader_of(node->state), &key, &function, NULL) != ST_OK)
        sim_fail(sim, "node %llu: %s has no version %llu", (unsigned long long)node->id, text,
                 (unsigned long long)row->newest);
    if (function->config_epoch != row->newest_epoch)
        sim_fail(sim, "node %llu: %s version %llu is of epoch %llu, should be %llu",
                 (unsigned long long)node->id, text, (unsigned long long)row->newest,
                 (unsigned long long)function->config_epoch, (unsigned long long)row->newest_epoch);
    lapwing__function__free_unpacked(function, NULL);
}

static void check_row(struct sim *sim, struct sim_node *node, unsigned name)
{
    const struct sim_row *row = &sim->rows[name];
    Lapwing__Function *function = NULL;
    char text[16];
    enum status st;

    (void)snprintf(text, sizeof text, "function-%u", name);
    st = state_get_function(state_reader_of(node->state), "000000000000", "eu-west-1", text,
                            &function, NULL);
    if ((st == ST_OK) != row->exists)
        sim_fail(sim, "node %llu: %s is %s", (unsigned long long)node->id, text, status_name(st));
    if (st != ST_OK)
        return;
    if (strcmp(function->revision_id, row->revision) != 0 ||
        function->config_epoch != row->config_epoch)
        sim_fail(sim, "node %llu: %s is revision %s epoch %llu, should be %s %llu",
                 (unsigned long long)node->id, text, function->revision_id,
                 (unsigned long long)function->config_epoch, row->revision,
                 (unsigned long long)row->config_epoch);
    lapwing__function__free_unpacked(function, NULL);
    check_versions(sim, node, name);
}

void checks_final(struct sim *sim)
{
    for (unsigned i = 0; i < sim->op_count; i++) {
        const struct sim_op *op = sim->ops[i];

        if (op->given_up) {
            if (!op->maybe && op->applied != 0)
                sim_fail(sim, "operation %u was certainly not done, and was", op->number);
            continue;
        }
        if (op->applied != 1)
            sim_fail(sim, "operation %u was acknowledged and counts %u times", op->number,
                     op->applied);
        if (op->outcome != op->want)
            sim_fail(sim, "operation %u was answered %s, should be %s", op->number,
                     status_name(op->outcome), status_name(op->want));
    }
    for (unsigned i = 0; i < SIM_NODES; i++)
        for (unsigned name = 0;
             members_present(sim, i) && !sim->nodes[i].trouble.refused && name < SIM_NAMES; name++)
            check_row(sim, &sim->nodes[i], name);
    reads_check_history(sim);
}
