#include "controlplane/replica/wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/limits.h"
#include "proto/raft_check.h"

static void pack(const Lapwing__RaftMessage *message, struct buf *out)
{
    size_t len = lapwing__raft_message__get_packed_size(message);

    out->len += lapwing__raft_message__pack(message, buf_reserve(out, len));
}

/* ---- out ---- */

void wire_encode_append(const struct raft_message *raft,
                        const struct log_entry *entries,
                        uint64_t sent_ms,
                        struct buf *out)
{
    const struct raft_append_entries *args = &raft->append_entries;
    Lapwing__RaftMessage message = LAPWING__RAFT_MESSAGE__INIT;
    Lapwing__AppendEntries append = LAPWING__APPEND_ENTRIES__INIT;
    Lapwing__RaftEntry *list = must_calloc(args->n_entries + 1, sizeof *list);
    Lapwing__RaftEntry **pointers = must_calloc(args->n_entries + 1, sizeof *pointers);

    for (unsigned i = 0; i < args->n_entries; i++) {
        lapwing__raft_entry__init(&list[i]);
        list[i].term = entries[i].term;
        list[i].type = entries[i].type;
        list[i].data.data = entries[i].data->bytes;
        list[i].data.len = entries[i].data->len;
        pointers[i] = &list[i];
    }
    append.term = args->term;
    append.prev_index = args->prev_log_index;
    append.prev_term = args->prev_log_term;
    append.leader_commit = args->leader_commit;
    append.entries = pointers;
    append.n_entries = args->n_entries;
    append.sent_ms = sent_ms;
    message.what_case = LAPWING__RAFT_MESSAGE__WHAT_APPEND_ENTRIES;
    message.append_entries = &append;
    pack(&message, out);
    free(pointers);
    free(list);
}

void wire_encode_append_result(const struct raft_message *raft, uint64_t echo_ms, struct buf *out)
{
    const struct raft_append_entries_result *args = &raft->append_entries_result;
    Lapwing__RaftMessage message = LAPWING__RAFT_MESSAGE__INIT;
    Lapwing__AppendEntriesResult result = LAPWING__APPEND_ENTRIES_RESULT__INIT;

    result.term = args->term;
    result.rejected = args->rejected;
    result.last_index = args->last_log_index;
    result.features = args->features;
    result.capacity = args->capacity;
    result.echo_ms = echo_ms;
    message.what_case = LAPWING__RAFT_MESSAGE__WHAT_APPEND_ENTRIES_RESULT;
    message.append_entries_result = &result;
    pack(&message, out);
}

static void encode_vote(const struct raft_request_vote *args, struct buf *out)
{
    Lapwing__RaftMessage message = LAPWING__RAFT_MESSAGE__INIT;
    Lapwing__RequestVote vote = LAPWING__REQUEST_VOTE__INIT;

    vote.term = args->term;
    vote.candidate = args->candidate_id;
    vote.last_index = args->last_log_index;
    vote.last_term = args->last_log_term;
    vote.disrupt_leader = args->disrupt_leader;
    vote.pre_vote = args->pre_vote;
    message.what_case = LAPWING__RAFT_MESSAGE__WHAT_REQUEST_VOTE;
    message.request_vote = &vote;
    pack(&message, out);
}

static void encode_vote_result(const struct raft_request_vote_result *args, struct buf *out)
{
    Lapwing__RaftMessage message = LAPWING__RAFT_MESSAGE__INIT;
    Lapwing__RequestVoteResult result = LAPWING__REQUEST_VOTE_RESULT__INIT;

    result.term = args->term;
    result.granted = args->vote_granted;
    result.pre_vote = args->pre_vote;
    result.features = args->features;
    result.capacity = args->capacity;
    message.what_case = LAPWING__RAFT_MESSAGE__WHAT_REQUEST_VOTE_RESULT;
    message.request_vote_result = &result;
    pack(&message, out);
}

static void encode_install(const struct raft_install_snapshot *args,
                           const struct snapshot_meta *snapshot,
                           struct buf *out)
{
    Lapwing__RaftMessage message = LAPWING__RAFT_MESSAGE__INIT;
    Lapwing__InstallSnapshot install = LAPWING__INSTALL_SNAPSHOT__INIT;
    Lapwing__RaftServer servers[NODES_MAX];
    Lapwing__RaftServer *pointers[NODES_MAX];
    struct raft_configuration members;
    struct raft_buffer buffer = { .base = (void *)snapshot->configuration,
                                  .len = snapshot->configuration_len };
    int rv = raft_configuration_decode(&buffer, &members);

    CHECK(rv == 0);
    CHECK(members.n <= NODES_MAX);
    for (unsigned i = 0; i < members.n; i++) {
        lapwing__raft_server__init(&servers[i]);
        servers[i].id = members.servers[i].id;
        servers[i].address = members.servers[i].address;
        servers[i].role = (uint32_t)members.servers[i].role;
        pointers[i] = &servers[i];
    }
    install.term = args->term;
    install.last_index = snapshot->index;
    install.last_term = snapshot->term;
    install.configuration_index = snapshot->configuration_index;
    install.configuration = pointers;
    install.n_configuration = members.n;
    install.bytes = snapshot->bytes;
    install.sha256.data = (uint8_t *)snapshot->sha256;
    install.sha256.len = SNAPSHOT_HASH_BYTES;
    message.what_case = LAPWING__RAFT_MESSAGE__WHAT_INSTALL_SNAPSHOT;
    message.install_snapshot = &install;
    pack(&message, out);
    raft_configuration_close(&members);
}

static void encode_timeout_now(const struct raft_timeout_now *args, struct buf *out)
{
    Lapwing__RaftMessage message = LAPWING__RAFT_MESSAGE__INIT;
    Lapwing__TimeoutNow now = LAPWING__TIMEOUT_NOW__INIT;

    now.term = args->term;
    now.last_index = args->last_log_index;
    now.last_term = args->last_log_term;
    message.what_case = LAPWING__RAFT_MESSAGE__WHAT_TIMEOUT_NOW;
    message.timeout_now = &now;
    pack(&message, out);
}

void wire_encode(const struct raft_message *message,
                 const struct log_entry *entries,
                 const struct snapshot_meta *snapshot,
                 struct buf *out)
{
    switch (message->type) {
    case RAFT_APPEND_ENTRIES:
        wire_encode_append(message, entries, 0, out);
        return;
    case RAFT_APPEND_ENTRIES_RESULT:
        wire_encode_append_result(message, 0, out);
        return;
    case RAFT_REQUEST_VOTE:
        encode_vote(&message->request_vote, out);
        return;
    case RAFT_REQUEST_VOTE_RESULT:
        encode_vote_result(&message->request_vote_result, out);
        return;
    case RAFT_INSTALL_SNAPSHOT:
        encode_install(&message->install_snapshot, snapshot, out);
        return;
    case RAFT_TIMEOUT_NOW:
        encode_timeout_now(&message->timeout_now, out);
        return;
    }
    CHECK(!"a message type that libraft does not have");
}

/* ---- in ---- */

static enum status bad(struct err *err, const char *field)
{
    return err_set(err, ST_BAD_INPUT, "raft message: %s is not allowed", field);
}

/* A CHANGE must decode, or a CHECK further in would fall to a peer's bytes.  libraft's decoder
 * reads on behind the end of bytes that are cut short, so it gets a copy with zeros behind: they
 * end every text, and NODES_MAX servers cannot read further than that. */
static bool configuration_is_sound(struct bytes bytes)
{
    uint8_t padded[CONFIGURATION_BYTES_MAX + 32 * NODES_MAX] = { 0 };
    struct raft_configuration members;
    struct raft_buffer buffer = { .base = padded, .len = bytes.len };
    struct raft_buffer again;
    bool sound;

    if (bytes.len < 9 || bytes.len > CONFIGURATION_BYTES_MAX)
        return false;
    memcpy(padded, bytes.data, bytes.len);
    if (padded[1] == 0 || padded[1] > NODES_MAX)
        return false;
    for (size_t i = 2; i < 9; i++)
        if (padded[i] != 0) /* the rest of the number of servers, little endian */
            return false;
    if (raft_configuration_decode(&buffer, &members) != 0)
        return false;
    sound = raft_configuration_encode(&members, &again) == 0;
    raft_configuration_close(&members);
    if (!sound)
        return false;
    sound = bytes_equal(bytes_of(again.base, again.len), bytes);
    raft_free(again.base);
    return sound;
}

static enum status decode_append(const Lapwing__AppendEntries *in,
                                 struct wire_message *out,
                                 struct err *err)
{
    struct raft_append_entries *args = &out->raft.append_entries;

    for (size_t i = 0; i < in->n_entries; i++)
        if (in->entries[i]->type == LOG_CHANGE &&
            !configuration_is_sound(bytes_of(in->entries[i]->data.data, in->entries[i]->data.len)))
            return bad(err, "entries.data of a change");
    out->raft.type = RAFT_APPEND_ENTRIES;
    args->version = 0;
    args->term = in->term;
    args->prev_log_index = in->prev_index;
    args->prev_log_term = in->prev_term;
    args->leader_commit = in->leader_commit;
    args->n_entries = (unsigned)in->n_entries;
    out->sent_ms = in->sent_ms;
    out->entries = must_calloc(in->n_entries + 1, sizeof *out->entries);
    for (size_t i = 0; i < in->n_entries; i++) {
        out->entries[i] = (struct log_entry){
            .term = in->entries[i]->term,
            .type = (enum log_entry_type)in->entries[i]->type,
            .data = log_data_new(bytes_of(in->entries[i]->data.data, in->entries[i]->data.len)),
        };
    }
    return ST_OK;
}

static enum status decode_vote(const Lapwing__RequestVote *in,
                               uint64_t peer,
                               struct wire_message *out,
                               struct err *err)
{
    if (in->candidate != peer)
        return bad(err, "candidate");
    out->raft.type = RAFT_REQUEST_VOTE;
    out->raft.request_vote = (struct raft_request_vote){
        .version = 2,
        .term = in->term,
        .candidate_id = in->candidate,
        .last_log_index = in->last_index,
        .last_log_term = in->last_term,
        .disrupt_leader = in->disrupt_leader,
        .pre_vote = in->pre_vote,
    };
    return ST_OK;
}

static enum status decode_install(const Lapwing__InstallSnapshot *in,
                                  struct wire_message *out,
                                  struct err *err)
{
    struct snapshot_meta *meta = &out->snapshot;
    struct raft_configuration members;
    struct raft_buffer buffer;
    int rv = 0;

    raft_configuration_init(&members);
    for (size_t i = 0; i < in->n_configuration && rv == 0; i++)
        rv = raft_configuration_add(&members, in->configuration[i]->id,
                                    in->configuration[i]->address, (int)in->configuration[i]->role);
    if (rv == 0)
        rv = raft_configuration_encode(&members, &buffer);
    raft_configuration_close(&members);
    if (rv != 0)
        return bad(err, "snapshot configuration");
    if (buffer.len > CONFIGURATION_BYTES_MAX) {
        raft_free(buffer.base);
        return bad(err, "snapshot configuration");
    }
    meta->index = in->last_index;
    meta->term = in->last_term;
    meta->configuration_index = in->configuration_index;
    meta->bytes = in->bytes;
    memcpy(meta->sha256, in->sha256.data, SNAPSHOT_HASH_BYTES);
    memcpy(meta->configuration, buffer.base, buffer.len);
    meta->configuration_len = (uint32_t)buffer.len;
    raft_free(buffer.base);
    out->raft.type = RAFT_INSTALL_SNAPSHOT;
    out->raft.install_snapshot.term = in->term;
    out->raft.install_snapshot.last_index = in->last_index;
    out->raft.install_snapshot.last_term = in->last_term;
    out->raft.install_snapshot.conf_index = in->configuration_index;
    return ST_OK;
}

static enum status decode_any(const Lapwing__RaftMessage *in,
                              uint64_t peer,
                              struct wire_message *out,
                              struct err *err)
{
    struct raft_append_entries_result *appended = &out->raft.append_entries_result;
    struct raft_request_vote_result *voted = &out->raft.request_vote_result;

    switch (in->what_case) {
    case LAPWING__RAFT_MESSAGE__WHAT_APPEND_ENTRIES:
        return decode_append(in->append_entries, out, err);
    case LAPWING__RAFT_MESSAGE__WHAT_APPEND_ENTRIES_RESULT:
        out->raft.type = RAFT_APPEND_ENTRIES_RESULT;
        appended->version = 2;
        appended->term = in->append_entries_result->term;
        appended->rejected = in->append_entries_result->rejected;
        appended->last_log_index = in->append_entries_result->last_index;
        appended->features = (unsigned short)in->append_entries_result->features;
        appended->capacity = (unsigned short)in->append_entries_result->capacity;
        out->echo_ms = in->append_entries_result->echo_ms;
        return ST_OK;
    case LAPWING__RAFT_MESSAGE__WHAT_REQUEST_VOTE:
        return decode_vote(in->request_vote, peer, out, err);
    case LAPWING__RAFT_MESSAGE__WHAT_REQUEST_VOTE_RESULT:
        out->raft.type = RAFT_REQUEST_VOTE_RESULT;
        voted->version = 2;
        voted->term = in->request_vote_result->term;
        voted->vote_granted = in->request_vote_result->granted;
        voted->pre_vote = in->request_vote_result->pre_vote;
        voted->features = (unsigned short)in->request_vote_result->features;
        voted->capacity = (unsigned short)in->request_vote_result->capacity;
        return ST_OK;
    case LAPWING__RAFT_MESSAGE__WHAT_INSTALL_SNAPSHOT:
        return decode_install(in->install_snapshot, out, err);
    case LAPWING__RAFT_MESSAGE__WHAT_TIMEOUT_NOW:
        out->raft.type = RAFT_TIMEOUT_NOW;
        out->raft.timeout_now.term = in->timeout_now->term;
        out->raft.timeout_now.last_log_index = in->timeout_now->last_index;
        out->raft.timeout_now.last_log_term = in->timeout_now->last_term;
        return ST_OK;
    default:
        return bad(err, "kind");
    }
}

enum status wire_decode(struct bytes body, uint64_t peer, struct wire_message *out, struct err *err)
{
    Lapwing__RaftMessage *in = lapwing__raft_message__unpack(NULL, body.len, body.data);
    struct wire_message decoded;
    enum status st;

    if (in == NULL)
        return err_set(err, ST_BAD_INPUT, "raft message: does not decode");
    memset(&decoded, 0, sizeof decoded);
    st = raft_message_check(in, err);
    if (st == ST_OK) /* what a check of fields cannot see: who sent it, and libraft's own formats */
        st = decode_any(in, peer, &decoded, err);
    lapwing__raft_message__free_unpacked(in, NULL);
    if (st != ST_OK)
        return st;
    *out = decoded;
    return ST_OK;
}

void wire_message_done(struct wire_message *message)
{
    if (message->entries == NULL)
        return;
    for (unsigned i = 0; i < message->raft.append_entries.n_entries; i++)
        log_data_drop(message->entries[i].data);
    free(message->entries);
    message->entries = NULL;
}
