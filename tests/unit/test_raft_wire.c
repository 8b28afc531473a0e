#include "controlplane/replica/raft_rules.h"
#include "controlplane/replica/wire.h"
#include "proto/message_limits.h"
#include "proto/raft.pb-c.h"
#include "tests/unit/check.h"

static void pack(const Lapwing__RaftMessage *message, struct buf *out)
{
    size_t len = lapwing__raft_message__get_packed_size(message);

    out->len += lapwing__raft_message__pack(message, buf_reserve(out, len));
}

TEST(append_entries_come_out_as_they_went_in)
{
    const uint64_t ids[] = { 1, 2, 3 };
    struct log_entry entries[] = {
        { 3, LOG_CHANGE, rules_bootstrap(ids, 3) },
        { 4, LOG_COMMAND, log_data_new(bytes_of_text("command")) },
        { 4, LOG_BARRIER, log_data_new(bytes_of_text("")) },
    };
    struct raft_message message = { .type = RAFT_APPEND_ENTRIES };
    struct wire_message out;
    struct buf body = { 0 };

    message.append_entries.term = 5;
    message.append_entries.prev_log_index = 9;
    message.append_entries.prev_log_term = 2;
    message.append_entries.leader_commit = 8;
    message.append_entries.n_entries = 3;
    wire_encode(&message, entries, NULL, &body);
    EXPECT_EQ(wire_decode(buf_view(&body), 1, &out, NULL), ST_OK);
    EXPECT_EQ(out.raft.append_entries.term, 5);
    EXPECT_EQ(out.raft.append_entries.prev_log_index, 9);
    EXPECT_EQ(out.raft.append_entries.prev_log_term, 2);
    EXPECT_EQ(out.raft.append_entries.leader_commit, 8);
    EXPECT_EQ(out.raft.append_entries.n_entries, 3);
    for (int i = 0; i < 3; i++) {
        EXPECT_EQ(out.entries[i].term, entries[i].term);
        EXPECT_EQ(out.entries[i].type, entries[i].type);
        EXPECT(bytes_equal(bytes_of(out.entries[i].data->bytes, out.entries[i].data->len),
                           bytes_of(entries[i].data->bytes, entries[i].data->len)));
        log_data_drop(entries[i].data);
    }
    wire_message_done(&out);
    buf_done(&body);
}

TEST(the_times_of_a_lease_come_out_as_they_went_in_and_are_zero_from_a_peer_without_them)
{
    struct raft_message append = { .type = RAFT_APPEND_ENTRIES, .append_entries = { .term = 5 } };
    struct raft_message result = { .type = RAFT_APPEND_ENTRIES_RESULT };
    const uint64_t times[] = { 0, 1, UINT64_MAX };

    for (size_t i = 0; i < ARRAY_LEN(times); i++) {
        struct wire_message out;
        struct buf body = { 0 };

        wire_encode_append(&append, NULL, times[i], &body);
        EXPECT_EQ(wire_decode(buf_view(&body), 1, &out, NULL), ST_OK);
        EXPECT_EQ(out.sent_ms, times[i]);
        EXPECT_EQ(out.echo_ms, 0);
        wire_message_done(&out);
        body.len = 0;
        wire_encode_append_result(&result, times[i], &body);
        EXPECT_EQ(wire_decode(buf_view(&body), 1, &out, NULL), ST_OK);
        EXPECT_EQ(out.echo_ms, times[i]);
        EXPECT_EQ(out.sent_ms, 0);
        body.len = 0;
        wire_encode(&append, NULL, NULL, &body);
        EXPECT_EQ(wire_decode(buf_view(&body), 1, &out, NULL), ST_OK);
        EXPECT_EQ(out.sent_ms, 0);
        wire_message_done(&out);
        buf_done(&body);
    }
}

TEST(a_snapshot_offer_comes_out_as_it_went_in)
{
    const uint64_t ids[] = { 1, 2, 3 };
    struct log_data *configuration = rules_bootstrap(ids, 3);
    struct snapshot_meta meta = { .index = 7, .term = 2, .configuration_index = 1, .bytes = 99 };
    struct raft_message message = { .type = RAFT_INSTALL_SNAPSHOT };
    struct wire_message out;
    struct buf body = { 0 };

    meta.sha256[31] = 8;
    meta.configuration_len = configuration->len;
    memcpy(meta.configuration, configuration->bytes, configuration->len);
    message.install_snapshot.term = 3;
    wire_encode(&message, NULL, &meta, &body);
    EXPECT_EQ(wire_decode(buf_view(&body), 1, &out, NULL), ST_OK);
    EXPECT_EQ(out.raft.install_snapshot.term, 3);
    EXPECT(memcmp(&out.snapshot, &meta, sizeof meta) == 0);
    wire_message_done(&out);
    buf_done(&body);
    log_data_drop(configuration);
}

/* Each row is an AppendEntries of one entry with one thing wrong. */
static const struct {
    const char *name;
    uint64_t term, prev, prev_term, entry_term;
    uint32_t type;
    const char *data;
    enum status want;
} appends[] = {
    { "the smallest allowed", 1, 0, 0, 1, LOG_COMMAND, "", ST_OK },
    { "no term", 0, 0, 0, 1, LOG_COMMAND, "", ST_BAD_INPUT },
    { "an index before without its term", 2, 5, 0, 1, LOG_COMMAND, "", ST_BAD_INPUT },
    { "a term before without its index", 2, 0, 1, 1, LOG_COMMAND, "", ST_BAD_INPUT },
    { "a term before above the leader's", 2, 5, 3, 3, LOG_COMMAND, "", ST_BAD_INPUT },
    { "an entry without a term", 2, 5, 1, 0, LOG_COMMAND, "", ST_BAD_INPUT },
    { "an entry older than the one before", 3, 5, 2, 1, LOG_COMMAND, "", ST_BAD_INPUT },
    { "an entry newer than the leader", 3, 5, 2, 4, LOG_COMMAND, "", ST_BAD_INPUT },
    { "type zero", 3, 5, 2, 2, 0, "", ST_BAD_INPUT },
    { "an unknown type", 3, 5, 2, 2, 4, "", ST_BAD_INPUT },
    { "an empty change", 3, 5, 2, 2, LOG_CHANGE, "", ST_BAD_INPUT },
    { "a change that is cut short", 3, 5, 2, 2, LOG_CHANGE, "\1\3\0\0\0\0\0\0\0", ST_BAD_INPUT },
};

TEST(what_no_peer_sends_is_refused_before_libraft_sees_it)
{
    for (size_t i = 0; i < ARRAY_LEN(appends); i++) {
        Lapwing__RaftMessage message = LAPWING__RAFT_MESSAGE__INIT;
        Lapwing__AppendEntries append = LAPWING__APPEND_ENTRIES__INIT;
        Lapwing__RaftEntry entry = LAPWING__RAFT_ENTRY__INIT;
        Lapwing__RaftEntry *list[] = { &entry };
        struct wire_message out = { 0 };
        struct buf body = { 0 };
        struct err err = { 0 };

        test_case = appends[i].name;
        append.term = appends[i].term;
        append.prev_index = appends[i].prev;
        append.prev_term = appends[i].prev_term;
        entry.term = appends[i].entry_term;
        entry.type = appends[i].type;
        entry.data.data = (uint8_t *)appends[i].data;
        entry.data.len = appends[i].type == LOG_CHANGE && appends[i].data[0] != '\0' ? 9 : 0;
        append.entries = list;
        append.n_entries = 1;
        message.what_case = LAPWING__RAFT_MESSAGE__WHAT_APPEND_ENTRIES;
        message.append_entries = &append;
        pack(&message, &body);
        EXPECT_EQ(wire_decode(buf_view(&body), 1, &out, &err), appends[i].want);
        EXPECT_EQ(err.text[0] == '\0', appends[i].want == ST_OK);
        wire_message_done(&out);
        buf_done(&body);
    }
}

TEST(a_vote_is_asked_for_by_the_candidate_alone)
{
    struct raft_message message = { .type = RAFT_REQUEST_VOTE };
    struct wire_message out;
    struct buf body = { 0 };

    message.request_vote.term = 2;
    message.request_vote.candidate_id = 3;
    message.request_vote.pre_vote = true;
    wire_encode(&message, NULL, NULL, &body);
    EXPECT_EQ(wire_decode(buf_view(&body), 3, &out, NULL), ST_OK);
    EXPECT_EQ(out.raft.request_vote.pre_vote, true);
    EXPECT_EQ(wire_decode(buf_view(&body), 2, &out, NULL), ST_BAD_INPUT);
    buf_done(&body);
}

static enum status decode(const Lapwing__RaftMessage *message)
{
    struct wire_message out = { 0 };
    struct buf body = { 0 };
    enum status st;

    pack(message, &body);
    st = wire_decode(buf_view(&body), 1, &out, NULL);
    wire_message_done(&out);
    buf_done(&body);
    return st;
}

TEST(terms_and_indexes_leave_room_to_count_on)
{
    Lapwing__AppendEntries append = LAPWING__APPEND_ENTRIES__INIT;
    Lapwing__AppendEntriesResult appended = LAPWING__APPEND_ENTRIES_RESULT__INIT;
    Lapwing__RequestVote vote = LAPWING__REQUEST_VOTE__INIT;
    Lapwing__RequestVoteResult voted = LAPWING__REQUEST_VOTE_RESULT__INIT;
    Lapwing__TimeoutNow now = LAPWING__TIMEOUT_NOW__INIT;

    vote.candidate = 1;
    for (uint64_t over = 0; over < 2; over++) {
        enum status want = over == 0 ? ST_OK : ST_BAD_INPUT;
        Lapwing__RaftMessage message = LAPWING__RAFT_MESSAGE__INIT;

        append.term = appended.term = vote.term = voted.term = now.term = RAFT_NUMBER_MAX + over;
        message.what_case = LAPWING__RAFT_MESSAGE__WHAT_APPEND_ENTRIES;
        message.append_entries = &append;
        EXPECT_EQ(decode(&message), want);
        message.what_case = LAPWING__RAFT_MESSAGE__WHAT_APPEND_ENTRIES_RESULT;
        message.append_entries_result = &appended;
        EXPECT_EQ(decode(&message), want);
        message.what_case = LAPWING__RAFT_MESSAGE__WHAT_REQUEST_VOTE;
        message.request_vote = &vote;
        EXPECT_EQ(decode(&message), want);
        message.what_case = LAPWING__RAFT_MESSAGE__WHAT_REQUEST_VOTE_RESULT;
        message.request_vote_result = &voted;
        EXPECT_EQ(decode(&message), want);
        message.what_case = LAPWING__RAFT_MESSAGE__WHAT_TIMEOUT_NOW;
        message.timeout_now = &now;
        EXPECT_EQ(decode(&message), want);

        append.term = append.prev_term = 1;
        append.prev_index = RAFT_NUMBER_MAX + over;
        message.what_case = LAPWING__RAFT_MESSAGE__WHAT_APPEND_ENTRIES;
        message.append_entries = &append;
        EXPECT_EQ(decode(&message), want);
        append.prev_term = append.prev_index = 0;
    }
}
