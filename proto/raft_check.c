/* Checks of the messages between replicas; pure, any thread. */
#include "proto/raft_check.h"

#include <stdbool.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"
#include "proto/command_check.h"
#include "proto/fields.h"
#include "proto/message_limits.h"

/* As libraft numbers them. */
enum { RAFT_ENTRY_TYPE_MIN = 1, RAFT_ENTRY_TYPE_MAX = 3, RAFT_ROLE_MAX = 2 };

struct field_number {
    const char *name;
    uint64_t value;
    uint64_t min;
    uint64_t max;
};

static enum status numbers_check(const struct field_number *numbers, size_t count, struct err *err)
{
    enum status st = ST_OK;

    for (size_t i = 0; st == ST_OK && i < count; i++)
        st = field_number_check(numbers[i].name, numbers[i].value, numbers[i].min, numbers[i].max,
                                err);
    return st;
}

static enum status request_vote_check(const Lapwing__RequestVote *m, struct err *err)
{
    const struct field_number numbers[] = {
        { "term", m->term, 1, RAFT_NUMBER_MAX },
        { "candidate", m->candidate, 1, INT64_MAX },
        { "last_index", m->last_index, 0, RAFT_NUMBER_MAX },
        { "last_term", m->last_term, 0, m->term },
    };

    return numbers_check(numbers, ARRAY_LEN(numbers), err);
}

static enum status entry_check(const Lapwing__RaftEntry *entry,
                               uint64_t term_before,
                               uint64_t term,
                               struct err *err)
{
    const struct field_number numbers[] = {
        { "entry term", entry->term, term_before > 0 ? term_before : 1, term },
        { "entry type", entry->type, RAFT_ENTRY_TYPE_MIN, RAFT_ENTRY_TYPE_MAX },
    };
    enum status st = numbers_check(numbers, ARRAY_LEN(numbers), err);

    return st == ST_OK ? field_bytes_check("entry data", &entry->data, 0, ENTRY_BYTES_MAX, err)
                       : st;
}

/* Before the first entry there is none, of no term. */
static enum status append_entries_check(const Lapwing__AppendEntries *m, struct err *err)
{
    bool first = m->prev_index == 0;
    const struct field_number numbers[] = {
        { "term", m->term, 1, RAFT_NUMBER_MAX },
        { "prev_index", m->prev_index, 0, RAFT_NUMBER_MAX },
        { "prev_term", m->prev_term, first ? 0 : 1, first ? 0 : m->term },
        { "leader_commit", m->leader_commit, 0, INT64_MAX },
    };
    uint64_t term_before = m->prev_term;
    enum status st = numbers_check(numbers, ARRAY_LEN(numbers), err);

    if (st == ST_OK)
        st = field_count_check("entries", m->n_entries, RAFT_ENTRIES_MAX, err);
    for (size_t i = 0; st == ST_OK && i < m->n_entries; i++) {
        st = entry_check(m->entries[i], term_before, m->term, err);
        term_before = m->entries[i]->term;
    }
    return st;
}

static enum status server_check(const Lapwing__RaftServer *server, struct err *err)
{
    static const struct field_text address_rule = { "server address", FIELD_ADDRESS, 1,
                                                    RAFT_SERVER_NAME_BYTES_MAX };
    const struct field_number numbers[] = {
        { "server id", server->id, 1, INT64_MAX },
        { "server role", server->role, 0, RAFT_ROLE_MAX },
    };
    enum status st = numbers_check(numbers, ARRAY_LEN(numbers), err);

    return st == ST_OK ? field_text_check(&address_rule, server->address, err) : st;
}

static enum status install_snapshot_check(const Lapwing__InstallSnapshot *m, struct err *err)
{
    const struct field_number numbers[] = {
        { "term", m->term, 1, RAFT_NUMBER_MAX },
        { "last_index", m->last_index, 1, RAFT_NUMBER_MAX },
        { "last_term", m->last_term, 1, m->term },
        { "configuration_index", m->configuration_index, 0, m->last_index },
        { "servers", m->n_configuration, 1, NODES_MAX },
        { "bytes", m->bytes, 1, INT64_MAX },
    };
    enum status st = numbers_check(numbers, ARRAY_LEN(numbers), err);

    if (st == ST_OK)
        st = field_bytes_check("sha256", &m->sha256, SHA256_BYTES, SHA256_BYTES, err);
    for (size_t i = 0; st == ST_OK && i < m->n_configuration; i++)
        st = server_check(m->configuration[i], err);
    return st;
}

static enum status timeout_now_check(const Lapwing__TimeoutNow *m, struct err *err)
{
    const struct field_number numbers[] = {
        { "term", m->term, 1, RAFT_NUMBER_MAX },
        { "last_index", m->last_index, 0, RAFT_NUMBER_MAX },
        { "last_term", m->last_term, 0, m->term },
    };

    return numbers_check(numbers, ARRAY_LEN(numbers), err);
}

enum status raft_message_check(const Lapwing__RaftMessage *message, struct err *err)
{
    switch (message->what_case) {
    case LAPWING__RAFT_MESSAGE__WHAT_REQUEST_VOTE:
        return request_vote_check(message->request_vote, err);
    case LAPWING__RAFT_MESSAGE__WHAT_REQUEST_VOTE_RESULT:
        return field_number_check("term", message->request_vote_result->term, 0, RAFT_NUMBER_MAX,
                                  err);
    case LAPWING__RAFT_MESSAGE__WHAT_APPEND_ENTRIES:
        return append_entries_check(message->append_entries, err);
    case LAPWING__RAFT_MESSAGE__WHAT_APPEND_ENTRIES_RESULT:
        /* `rejected` may be all ones: rule 4 of the driver says so. */
        return field_number_check("term", message->append_entries_result->term, 0, RAFT_NUMBER_MAX,
                                  err);
    case LAPWING__RAFT_MESSAGE__WHAT_INSTALL_SNAPSHOT:
        return install_snapshot_check(message->install_snapshot, err);
    case LAPWING__RAFT_MESSAGE__WHAT_TIMEOUT_NOW:
        return timeout_now_check(message->timeout_now, err);
    case LAPWING__RAFT_MESSAGE__WHAT__NOT_SET:
    case _LAPWING__RAFT_MESSAGE__WHAT__CASE_IS_INT_SIZE:
        break;
    }
    return err_set(err, ST_BAD_INPUT, "what: none that this release knows, want a message");
}

enum status raft_snapshot_chunk_check(const Lapwing__RaftSnapshotChunk *chunk, struct err *err)
{
    const struct field_number numbers[] = {
        { "last_index", chunk->last_index, 1, INT64_MAX },
        { "last_term", chunk->last_term, 1, INT64_MAX },
        { "bytes_total", chunk->bytes_total, 1, INT64_MAX },
        { "offset", chunk->offset, 0, chunk->bytes_total },
        { "data bytes", chunk->data.len, 0, RAFT_CHUNK_BYTES_MAX }, /* none: how far are you? */
        { "end", chunk->offset + chunk->data.len, 0, chunk->bytes_total },
    };
    enum status st = numbers_check(numbers, ARRAY_LEN(numbers), err);

    if (st == ST_OK &&
        hash_crc32c(0, (struct bytes){ chunk->data.data, chunk->data.len }) != chunk->crc32c)
        st = err_set(err, ST_CORRUPT, "data: %zu bytes do not match their checksum",
                     chunk->data.len);
    return st;
}

enum status raft_snapshot_ack_check(const Lapwing__RaftSnapshotAck *ack, struct err *err)
{
    const struct field_number numbers[] = {
        { "last_index", ack->last_index, 1, INT64_MAX },
        { "last_term", ack->last_term, 1, INT64_MAX },
        { "offset", ack->offset, 0, INT64_MAX },
    };

    return numbers_check(numbers, ARRAY_LEN(numbers), err);
}

enum status forward_check(const Lapwing__Forward *forward, struct err *err)
{
    enum status st = field_present_check("command", forward->command, err);

    return st == ST_OK ? command_check(forward->command, err) : st;
}

enum status forwarded_check(const Lapwing__Forwarded *forwarded, struct err *err)
{
    enum status st = field_status_check("status", forwarded->status, err);

    if (st != ST_OK)
        return st;
    if ((forwarded->status == ST_OK) != (forwarded->outcome != NULL))
        return err_set(err, ST_BAD_INPUT, "outcome: %s with status %u, want one exactly with ok",
                       forwarded->outcome != NULL ? "present" : "absent", forwarded->status);
    return forwarded->outcome != NULL ? outcome_check(forwarded->outcome, err) : ST_OK;
}

enum status barrier_done_check(const Lapwing__BarrierDone *done, struct err *err)
{
    enum status st = field_status_check("status", done->status, err);

    return st == ST_OK ? field_number_check("index", done->index, 0, INT64_MAX, err) : st;
}

enum status raft_known_check(Lapwing__RaftKnown *const *known, size_t count, struct err *err)
{
    enum status st = field_count_check("known", count, RAFT_KNOWN_MAX, err);

    for (size_t i = 0; st == ST_OK && i < count; i++) {
        const struct field_number numbers[] = {
            { "known id", known[i]->id, 1, INT64_MAX },
            { "known incarnation", known[i]->incarnation, 1, UINT64_MAX },
        };

        st = numbers_check(numbers, ARRAY_LEN(numbers), err);
    }
    return st;
}

enum status raft_hello_check(const Lapwing__RaftHello *hello, struct err *err)
{
    static const struct field_text address_rule = { "address", FIELD_ADDRESS, 1,
                                                    ADDRESS_BYTES_MAX };
    const struct field_number numbers[] = {
        { "from", hello->from, 1, INT64_MAX },
        { "to", hello->to, 1, INT64_MAX },
    };
    enum status st = numbers_check(numbers, ARRAY_LEN(numbers), err);

    if (st == ST_OK && hello->from == hello->to)
        st = err_set(err, ST_BAD_INPUT, "from: %llu, want another than to",
                     (unsigned long long)hello->from);
    if (st == ST_OK)
        st = raft_known_check(hello->known, hello->n_known, err);
    return st == ST_OK ? field_text_check(&address_rule, hello->address, err) : st;
}
