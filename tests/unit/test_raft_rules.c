#include "controlplane/replica/raft_rules.h"

#include <stdlib.h>

#include "tests/unit/check.h"

/* A host that keeps what it is asked for. */
struct host {
    uint64_t term;
    uint64_t voted_for;
    unsigned votes;
    struct disk_op *ops[8];
    unsigned op_count;
    struct raft_message sent[16];
    unsigned sent_count;
    uint64_t applied;
    unsigned skipped; /* applied without their data */
    bool no_room;     /* for applying */
    unsigned reads;
};

static void set_vote(void *context, uint64_t term, uint64_t voted_for)
{
    struct host *host = context;

    host->term = term;
    host->voted_for = voted_for;
    host->votes++;
}

static void disk(void *context, struct disk_op *op)
{
    struct host *host = context;

    CHECK(host->op_count < ARRAY_LEN(host->ops));
    host->ops[host->op_count++] = op;
}

static void send(void *context, const struct raft_message *message, const struct log_entry *entries)
{
    struct host *host = context;

    (void)entries;
    CHECK(host->sent_count < ARRAY_LEN(host->sent));
    host->sent[host->sent_count++] = *message;
}

static bool apply(void *context, uint64_t index, const struct log_entry *entry)
{
    struct host *host = context;

    EXPECT_EQ(index, host->applied + 1);
    if (host->no_room)
        return false;
    host->applied = index;
    host->skipped += entry->data == NULL;
    return true;
}

/* What was evicted: every command of these tests has the same byte. */
static void read(void *context, uint64_t first, unsigned count, struct log_entry *out)
{
    struct host *host = context;

    host->reads++;
    (void)first;
    for (unsigned i = 0; i < count; i++)
        out[i] = (struct log_entry){ 2, LOG_COMMAND, log_data_new(bytes_of_text("x")), 1 };
}

/* What a start finds: a log of `count` entries, the first of which names the voters. */
struct found {
    unsigned voters;
    uint64_t term;
    unsigned count;
    uint64_t votes_from_ms;
    uint64_t memory_bytes;
    uint64_t state_index;
};

static struct rules *start_all(struct host *host, const struct found *found)
{
    static const struct snapshot_meta none;
    const uint64_t ids[] = { 1, 2, 3 };
    struct rules_host callbacks = { set_vote, disk, send, apply, read, host };
    struct log_entry entries[4] = { { 1, LOG_CHANGE, rules_bootstrap(ids, found->voters) } };
    struct rules_config config = { .id = 1,
                                   .address = "1",
                                   .election_ms = 300,
                                   .heartbeat_ms = 50,
                                   .install_ms = 1000,
                                   .random_seed = 1,
                                   .now_ms = 1000,
                                   .votes_from_ms = found->votes_from_ms,
                                   .term = found->term,
                                   .snapshot = &none,
                                   .first = 1,
                                   .entries = entries,
                                   .count = found->count,
                                   .state_index = found->state_index,
                                   .memory_bytes = found->memory_bytes };
    struct rules *rules;

    memset(host, 0, sizeof *host);
    for (unsigned i = 1; i < found->count; i++)
        entries[i] = (struct log_entry){ 1, LOG_COMMAND, log_data_new(bytes_of_text("x")) };
    rules = rules_new(&config, &callbacks);
    rules_apply_more(rules, 1 << 20);
    for (unsigned i = 0; i < found->count; i++)
        log_data_drop(entries[i].data);
    return rules;
}

static struct rules *start_with(
    struct host *host, unsigned voters, uint64_t term, unsigned count, uint64_t memory_bytes)
{
    return start_all(host, &(struct found){ voters, term, count, .memory_bytes = memory_bytes });
}

static struct rules *start_held(
    struct host *host, unsigned voters, uint64_t term, unsigned count, uint64_t votes_from_ms)
{
    return start_all(host, &(struct found){ voters, term, count, votes_from_ms, 1 << 20 });
}

static struct rules *start(struct host *host, unsigned voters, uint64_t term, unsigned count)
{
    return start_held(host, voters, term, count, 0);
}

static struct disk_op *oldest(struct host *host)
{
    struct disk_op *op = host->ops[0];

    CHECK(host->op_count > 0);
    memmove(host->ops, host->ops + 1, --host->op_count * sizeof host->ops[0]);
    return op;
}

TEST(a_sole_voter_raises_its_term_before_it_leads)
{
    struct host host;
    struct rules *rules = start(&host, 1, 5, 2);

    EXPECT_EQ(host.term, 6);
    EXPECT_EQ(host.voted_for, 1);
    EXPECT(rules_is_leader(rules));
    EXPECT_EQ(rules_term(rules), 6);
    rules_free(rules);
}

TEST(a_sole_voter_commits_what_is_durable_and_not_before)
{
    struct host host;
    struct rules *rules = start(&host, 1, 1, 1);
    struct log_data *data = log_data_new(bytes_of_text("command"));
    uint64_t index = 0;

    rules_disk_done(rules, 1001, oldest(&host)); /* the barrier of its election */
    EXPECT_EQ(rules_submit(rules, 1001, LOG_COMMAND, data, &index), ST_OK);
    EXPECT_EQ(index, 3);
    EXPECT_EQ(host.applied, 2);
    rules_disk_done(rules, 1002, oldest(&host));
    EXPECT_EQ(host.applied, 3);
    log_data_drop(data);
    rules_free(rules);
}

TEST(a_follower_takes_nothing)
{
    struct host host;
    struct rules *rules = start(&host, 3, 1, 1);
    struct log_data *data = log_data_new(bytes_of_text("command"));
    uint64_t index = 0;

    EXPECT_EQ(rules_submit(rules, 1001, LOG_COMMAND, data, &index), ST_NOT_LEADER);
    log_data_drop(data);
    rules_free(rules);
}

/* F1: libraft answers these with rejected = 0 and an index that it never set. */
static const struct {
    const char *name;
    enum raft_message_type type;
    uint64_t term;
    unsigned answers;
    uint64_t rejected;
} requests[] = {
    { "entries of the term", RAFT_APPEND_ENTRIES, 7, 1, 0 },
    { "entries of an older term", RAFT_APPEND_ENTRIES, 6, 1, UINT64_MAX },
    { "a snapshot of an older term", RAFT_INSTALL_SNAPSHOT, 6, 0, 0 },
};

TEST(requests_of_an_older_term_acknowledge_nothing)
{
    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        struct raft_message message = { .type = requests[i].type };
        struct host host;
        struct rules *rules = start(&host, 3, 7, 2);

        test_case = requests[i].name;
        if (requests[i].type == RAFT_APPEND_ENTRIES) {
            message.append_entries.term = requests[i].term;
            message.append_entries.prev_log_index = 1;
            message.append_entries.prev_log_term = 1;
        } else {
            message.install_snapshot.term = requests[i].term;
            message.install_snapshot.last_index = 1;
            message.install_snapshot.last_term = 1;
        }
        rules_receive(rules, 1001, 2, &message, NULL, NULL);
        EXPECT_EQ(host.sent_count, requests[i].answers);
        if (host.sent_count > 0)
            EXPECT(host.sent[0].append_entries_result.rejected == requests[i].rejected);
        if (host.sent_count > 0 && requests[i].rejected != 0)
            EXPECT_EQ(host.sent[0].append_entries_result.last_log_index, 0);
        rules_free(rules);
    }
}

/* Feed an AppendEntries of one entry of `term` at `index` from node 2. */
static void receive_one(struct rules *rules, uint64_t term, uint64_t index, uint64_t prev_term)
{
    struct raft_message message = { .type = RAFT_APPEND_ENTRIES };
    struct log_entry entry = { term, LOG_COMMAND, log_data_new(bytes_of_text("y")) };

    message.append_entries.term = term;
    message.append_entries.prev_log_index = index - 1;
    message.append_entries.prev_log_term = prev_term;
    message.append_entries.n_entries = 1;
    rules_receive(rules, 1001, 2, &message, &entry, NULL);
    log_data_drop(entry.data);
}

TEST(an_append_that_was_truncated_while_queued_acknowledges_nothing)
{
    struct host host;
    struct rules *rules = start(&host, 3, 1, 1);

    receive_one(rules, 2, 2, 1); /* queued, then another leader's entry takes its place */
    receive_one(rules, 3, 2, 1);
    EXPECT_EQ(host.op_count, 2);
    EXPECT_EQ(host.ops[0]->valid, 0);
    host.sent_count = 0;
    rules_disk_done(rules, 1002, oldest(&host));
    EXPECT_EQ(host.sent_count, 0);
    EXPECT_EQ(rules_persisted(rules), 1);
    rules_disk_done(rules, 1003, oldest(&host));
    EXPECT_EQ(host.sent_count, 1);
    EXPECT_EQ(rules_persisted(rules), 2);
    rules_free(rules);
}

TEST(no_snapshot_of_what_is_applied_but_not_durable_here)
{
    struct host host;
    struct rules *rules = start(&host, 3, 1, 1);
    struct raft_message commit = { .type = RAFT_APPEND_ENTRIES };
    struct snapshot_meta meta;

    receive_one(rules, 2, 2, 1);
    commit.append_entries.term = 2;
    commit.append_entries.prev_log_index = 2;
    commit.append_entries.prev_log_term = 2;
    commit.append_entries.leader_commit = 2;
    rules_receive(rules, 1001, 2, &commit, NULL, NULL); /* two others have it */
    EXPECT_EQ(host.applied, 2);
    EXPECT(!rules_snapshot_ready(rules, false, &meta));
    rules_disk_done(rules, 1002, oldest(&host));
    EXPECT(rules_snapshot_ready(rules, false, &meta));
    EXPECT_EQ(meta.index, 2);
    EXPECT_EQ(meta.term, 2);
    EXPECT_EQ(meta.configuration_index, 1);
    rules_free(rules);
}

/* A leader alone: entries 1 (voters) and 2 (barrier), then `count` commands of a byte, all durable.
 */
static struct rules *leader_of(struct host *host, unsigned count, uint64_t memory_bytes)
{
    struct rules *rules = start_with(host, 1, 1, 1, memory_bytes);

    rules_disk_done(rules, 1001, oldest(host));
    for (unsigned i = 0; i < count; i++) {
        struct log_data *data = log_data_new(bytes_of_text("x"));
        uint64_t index;

        EXPECT_EQ(rules_submit(rules, 1001, LOG_COMMAND, data, &index), ST_OK);
        log_data_drop(data);
        rules_disk_done(rules, 1001, oldest(host));
    }
    return rules;
}

/* The barrier of the election has 8 bytes, the voters' entry is never evicted. */
static const struct {
    const char *name;
    uint64_t memory_bytes; /* beside the voters' entry */
    uint64_t first_held;
} evictions[] = {
    { "all fit", 8 + 4, 2 },
    { "one byte too many", 8 + 3, 3 },
    { "two newest fit", 2, 5 },
    { "none", 0, 7 },
};

TEST(durable_entries_leave_the_memory_above_the_limit_oldest_first)
{
    for (size_t i = 0; i < ARRAY_LEN(evictions); i++) {
        const uint64_t ids[] = { 1 };
        struct log_data *voters = rules_bootstrap(ids, 1);
        struct host host;
        struct rules *rules = leader_of(&host, 4, voters->len + evictions[i].memory_bytes);

        test_case = evictions[i].name;
        EXPECT(rules_entry_at(rules, 1)->data != NULL);
        for (uint64_t index = 2; index <= 6; index++)
            EXPECT_EQ(rules_entry_at(rules, index)->data != NULL, index >= evictions[i].first_held);
        EXPECT_EQ(rules_log_bytes(rules), voters->len + 8 + 4);
        EXPECT_EQ(host.reads, 0);
        log_data_drop(voters);
        rules_free(rules);
    }
}

TEST(what_is_committed_is_applied_in_pieces_and_not_while_held)
{
    struct host host;
    struct rules *rules = leader_of(&host, 0, 0);

    rules_hold(rules, true);
    rules_apply_more(rules, 1);
    for (unsigned i = 0; i < 3; i++) {
        struct log_data *data = log_data_new(bytes_of_text("x"));
        uint64_t index;

        EXPECT_EQ(rules_submit(rules, 1001, LOG_COMMAND, data, &index), ST_OK);
        log_data_drop(data);
        rules_disk_done(rules, 1001, oldest(&host));
    }
    EXPECT_EQ(rules_commit(rules), 5);
    EXPECT_EQ(host.applied, 2);
    EXPECT(!rules_apply_waits(rules));
    rules_hold(rules, false);
    EXPECT(rules_apply_waits(rules));
    rules_apply_more(rules, 1); /* one at least */
    EXPECT_EQ(host.applied, 3);
    rules_apply_more(rules, 66); /* an entry costs 64 and its bytes: one more begins */
    EXPECT_EQ(host.applied, 5);
    EXPECT(!rules_apply_waits(rules));
    EXPECT(host.reads > 0);
    rules_free(rules);
}

TEST(entries_below_a_snapshot_go_in_pieces_and_never_all_at_once)
{
    struct host host;
    struct rules *rules = leader_of(&host, 0, 1 << 20);
    static const uint8_t bytes[700000];
    struct log_data *large = log_data_new(bytes_of(bytes, sizeof bytes));
    struct snapshot_meta meta;
    struct disk_op *op;
    uint64_t index;

    for (unsigned i = 0; i < 4; i++) {
        EXPECT_EQ(rules_submit(rules, 1001, LOG_COMMAND, large, &index), ST_OK);
        rules_disk_done(rules, 1001, oldest(&host));
        rules_apply_more(rules, 1 << 20);
    }
    EXPECT(rules_snapshot_ready(rules, false, &meta));
    EXPECT_EQ(meta.index, 6);
    rules_snapshot_written(rules, &meta, 0);
    op = oldest(&host);
    EXPECT_EQ(op->kind, DISK_TAKE);
    rules_disk_done(rules, 1002, op);
    op = oldest(&host); /* the piece ends with the entry that makes it a MiB */
    EXPECT_EQ(op->kind, DISK_DROP);
    EXPECT_EQ(op->first, 5);
    rules_disk_done(rules, 1003, op);
    op = oldest(&host);
    EXPECT_EQ(op->first, 7);
    rules_disk_done(rules, 1004, op);
    EXPECT_EQ(host.op_count, 0);
    log_data_drop(large);
    rules_free(rules);
}

TEST(a_rotten_snapshot_is_taken_again_at_the_same_entry)
{
    struct host host;
    struct rules *rules = leader_of(&host, 0, 1 << 20);
    struct snapshot_meta meta;

    EXPECT(rules_snapshot_ready(rules, false, &meta));
    meta.bytes = 4096;
    rules_snapshot_written(rules, &meta, 0);
    rules_disk_done(rules, 1002, oldest(&host));
    rules_disk_done(rules, 1003, oldest(&host)); /* what is before it dropped */
    EXPECT(!rules_snapshot_ready(rules, false, &meta));

    EXPECT(rules_snapshot_ready(rules, true, &meta));
    EXPECT_EQ(meta.index, rules_snapshot(rules)->index);
    EXPECT_EQ(meta.term, rules_snapshot(rules)->term);
    meta.bytes = 8192;
    rules_snapshot_written(rules, &meta, 0);
    rules_disk_done(rules, 1004, oldest(&host));
    EXPECT_EQ(host.op_count, 0);
    EXPECT_EQ(rules_snapshot(rules)->bytes, 8192);
    EXPECT(!rules_snapshot_ready(rules, false, &meta));
    rules_free(rules);
}

static void install_from_leader(struct rules *rules, struct host *host, uint64_t index)
{
    const uint64_t ids[] = { 1, 2, 3 };
    struct log_data *members = rules_bootstrap(ids, ARRAY_LEN(ids));
    struct raft_message message = { .type = RAFT_INSTALL_SNAPSHOT };
    struct snapshot_meta meta = { .index = index, .term = 2, .configuration_index = 1 };

    meta.configuration_len = members->len;
    memcpy(meta.configuration, members->bytes, members->len);
    log_data_drop(members);
    message.install_snapshot.term = 2;
    message.install_snapshot.last_index = index;
    message.install_snapshot.last_term = 2;
    rules_receive(rules, 1005, 2, &message, NULL, &meta);
    EXPECT(rules_installing(rules));
    while (host->op_count > 0)
        rules_disk_done(rules, 1006, oldest(host));
    EXPECT(!rules_installing(rules));
    host->applied = index;
}

/* Killed with its log behind its rows (a full disk), a node may be sent a snapshot that is older
 * than the rows were: then they are not that far any more. */
TEST(what_the_rows_had_before_a_snapshot_took_their_place_is_applied_again)
{
    struct host host;
    struct rules *rules = start_all(
        &host,
        &(struct found){ .voters = 3, .term = 1, .count = 1, .memory_bytes = 1, .state_index = 8 });
    struct raft_message commit = { .type = RAFT_APPEND_ENTRIES };

    install_from_leader(rules, &host, 4);
    for (uint64_t index = 5; index <= 7; index++) {
        receive_one(rules, 2, index, 2);
        rules_disk_done(rules, 1010, oldest(&host)); /* out of memory before it is committed */
    }
    commit.append_entries.term = 2;
    commit.append_entries.prev_log_index = 7;
    commit.append_entries.prev_log_term = 2;
    commit.append_entries.leader_commit = 7;
    rules_receive(rules, 1020, 2, &commit, NULL, NULL);
    rules_apply_more(rules, 1 << 20);
    EXPECT_EQ(host.applied, 7);
    EXPECT(host.reads > 0);
    EXPECT_EQ(host.skipped, 0);
    rules_free(rules);
}

TEST(the_timer_never_spins)
{
    struct host host;
    struct rules *rules = start(&host, 3, 1, 1);
    uint64_t now = 1000;

    for (int i = 0; i < 5; i++) {
        uint64_t at = rules_timeout_ms(rules);

        EXPECT(at > now);
        now = at;
        host.sent_count = 0;
        rules_tick(rules, now);
    }
    rules_free(rules);
}

/* ---- transfer, [10] ---- */

static void acknowledge(struct rules *rules, uint64_t peer, uint64_t index)
{
    struct raft_message message = { .type = RAFT_APPEND_ENTRIES_RESULT };

    message.append_entries_result.term = rules_term(rules);
    message.append_entries_result.last_log_index = index;
    rules_receive(rules, 2000, peer, &message, NULL, NULL);
}

/* Node 1 of three, elected by node 2; its barrier is entry 2. */
static struct rules *start_leader(struct host *host)
{
    struct rules *rules = start(host, 3, 1, 1);
    struct raft_message vote = { .type = RAFT_REQUEST_VOTE_RESULT };

    for (unsigned i = 0; i < 2; i++) { /* before the vote, and the vote */
        if (i == 0)
            rules_tick(rules, rules_timeout_ms(rules));
        vote.request_vote_result.term = 2;
        vote.request_vote_result.pre_vote = i == 0;
        vote.request_vote_result.vote_granted = true;
        rules_receive(rules, 2000, 2, &vote, NULL, NULL);
    }
    CHECK(rules_is_leader(rules));
    rules_disk_done(rules, 2000, oldest(host));
    return rules;
}

static const struct {
    const char *name;
    uint64_t target;
    uint64_t match; /* of the target */
    enum status want;
} transfers[] = {
    { "a voter that has everything", 2, 2, ST_OK },
    { "a voter that lacks an entry", 2, 1, ST_UNAVAILABLE },
    { "a voter that never said anything", 3, 0, ST_UNAVAILABLE },
    { "itself", 1, 2, ST_NOT_FOUND },
    { "a stranger", 7, 0, ST_NOT_FOUND },
};

TEST(leadership_goes_to_a_voter_that_has_all_of_the_log)
{
    for (size_t i = 0; i < ARRAY_LEN(transfers); i++) {
        struct host host;
        struct rules *rules = start_leader(&host);

        test_case = transfers[i].name;
        acknowledge(rules, 2, transfers[i].match);
        host.sent_count = 0;
        EXPECT_EQ(rules_transfer(rules, 2001, transfers[i].target), transfers[i].want);
        EXPECT_EQ(rules_transferring(rules), transfers[i].want == ST_OK);
        EXPECT_EQ(rules_transfer_sent_in_term(rules), transfers[i].want == ST_OK);
        EXPECT_EQ(host.sent_count, transfers[i].want == ST_OK ? 1 : 0);
        if (host.sent_count > 0)
            EXPECT_EQ(host.sent[0].type, RAFT_TIMEOUT_NOW);
        rules_free(rules);
    }
}

TEST(nothing_is_submitted_while_leadership_is_handed_over)
{
    struct host host;
    struct rules *rules = start_leader(&host);
    struct log_data *data = log_data_new(bytes_of_text("command"));
    uint64_t index = 0;

    acknowledge(rules, 2, 2);
    EXPECT_EQ(rules_transfer(rules, 2001, 2), ST_OK);
    EXPECT_EQ(rules_transfer(rules, 2001, 2), ST_NOT_LEADER);
    EXPECT_EQ(rules_submit(rules, 2001, LOG_COMMAND, data, &index), ST_NOT_LEADER);
    acknowledge(rules, 2, 2); /* the target lives, and does not take over */
    rules_tick(rules, 2400);
    EXPECT(!rules_transferring(rules)); /* given up after an election time-out */
    EXPECT(rules_transfer_sent_in_term(rules));
    EXPECT_EQ(rules_submit(rules, 2400, LOG_COMMAND, data, &index), ST_OK);
    log_data_drop(data);
    rules_free(rules);
}

TEST(an_entry_without_room_is_applied_when_there_is_and_not_before)
{
    struct host host;
    struct rules *rules = start(&host, 1, 1, 1);
    struct log_data *data = log_data_new(bytes_of_text("command"));
    uint64_t index = 0;

    host.no_room = true;
    rules_disk_done(rules, 1001, oldest(&host)); /* the barrier of its election */
    EXPECT_EQ(rules_applied(rules), 1);
    EXPECT_EQ(rules_commit(rules), 2);
    host.no_room = false;
    EXPECT_EQ(rules_submit(rules, 1001, LOG_COMMAND, data, &index), ST_OK);
    rules_disk_done(rules, 1002, oldest(&host));
    EXPECT_EQ(rules_commit(rules), 3);
    EXPECT_EQ(host.applied, 1); /* nobody said that there is room */
    rules_apply_again(rules, 1003);
    EXPECT_EQ(host.applied, 3);
    EXPECT_EQ(rules_applied(rules), 3);
    log_data_drop(data);
    rules_free(rules);
}

static void hear_from_leader(struct rules *rules, uint64_t now, struct log_data *data)
{
    struct raft_message message = { .type = RAFT_APPEND_ENTRIES };
    struct log_entry entry = { 2, LOG_COMMAND, data };

    message.append_entries.term = 2;
    message.append_entries.prev_log_index = 1;
    message.append_entries.prev_log_term = 1;
    message.append_entries.n_entries = 1;
    rules_receive(rules, now, 2, &message, &entry, NULL);
}

/* Rule 13: each row asks at another time whether the vote of a follower whose disk hangs is
 * granted. */
static const struct {
    const char *name;
    uint64_t after_ms;
    bool granted;
} silent_votes[] = {
    { "the leader was heard just now", 10, false },
    { "just less than two timeouts", 599, false },
    { "two timeouts", 600, true },
};

TEST(a_follower_whose_disk_hangs_still_votes_when_its_leader_is_gone)
{
    for (size_t i = 0; i < ARRAY_LEN(silent_votes); i++) {
        struct host host;
        struct rules *rules = start(&host, 3, 1, 1);
        struct log_data *data = log_data_new(bytes_of_text("command"));
        struct raft_message request = { .type = RAFT_REQUEST_VOTE };
        uint64_t now = 2000;

        test_case = silent_votes[i].name;
        hear_from_leader(rules, now, data);
        EXPECT_EQ(host.op_count, 1); /* and it is never done */
        for (; now < 2000 + silent_votes[i].after_ms; now++)
            if (now >= rules_timeout_ms(rules))
                rules_tick(rules, now);
        EXPECT_EQ(rules_state(rules), RAFT_FOLLOWER);
        host.sent_count = 0;
        request.request_vote.term = 3;
        request.request_vote.candidate_id = 3;
        request.request_vote.last_log_index = 2;
        request.request_vote.last_log_term = 2;
        request.request_vote.pre_vote = true;
        rules_receive(rules, now, 3, &request, NULL, NULL);
        EXPECT_EQ(host.sent_count, 1);
        EXPECT_EQ(host.sent[0].type, RAFT_REQUEST_VOTE_RESULT);
        EXPECT_EQ(host.sent[0].request_vote_result.vote_granted, silent_votes[i].granted);
        log_data_drop(data);
        rules_free(rules);
    }
}

/* ---- what a lease counts on ---- */

/* It was started at 1000 and holds its vote until 1301. */
static const struct {
    const char *name;
    uint64_t at_ms;
    uint64_t asked_term;
    bool pre_vote;
    bool disrupt;
    bool granted;
    uint64_t answer_term;
    uint64_t term_after;
} votes[] = {
    { "a vote, too early", 1300, 6, false, false, false, 5, 5 },
    { "a vote", 1301, 6, false, false, true, 6, 6 },
    { "a pre-vote, too early", 1300, 6, true, false, false, 6, 5 },
    { "a pre-vote of a lower term, too early", 1300, 3, true, false, false, 5, 5 },
    { "a pre-vote", 1301, 6, true, false, true, 6, 5 },
    { "a vote that its leader gave leave for", 1300, 6, false, true, true, 6, 6 },
};

TEST(a_member_that_was_just_started_denies_votes)
{
    for (size_t i = 0; i < ARRAY_LEN(votes); i++) {
        struct raft_message message = { .type = RAFT_REQUEST_VOTE };
        const struct raft_request_vote_result *result;
        struct host host;
        struct rules *rules = start_held(&host, 3, 5, 1, 1301);

        test_case = votes[i].name;
        message.request_vote.version = 2;
        message.request_vote.term = votes[i].asked_term;
        message.request_vote.candidate_id = 2;
        message.request_vote.last_log_index = 1;
        message.request_vote.last_log_term = 1;
        message.request_vote.pre_vote = votes[i].pre_vote;
        message.request_vote.disrupt_leader = votes[i].disrupt;
        rules_receive(rules, votes[i].at_ms, 2, &message, NULL, NULL);
        CHECK(host.sent_count == 1);
        EXPECT_EQ(host.sent[0].type, RAFT_REQUEST_VOTE_RESULT);
        EXPECT_EQ(host.sent[0].server_id, 2);
        result = &host.sent[0].request_vote_result;
        EXPECT_EQ(result->vote_granted, votes[i].granted);
        EXPECT_EQ(result->pre_vote, votes[i].pre_vote);
        EXPECT_EQ(result->term, votes[i].answer_term);
        EXPECT_EQ(result->features, 1);
        EXPECT_EQ(result->capacity, 60000);
        EXPECT_EQ(rules_term(rules), votes[i].term_after);
        rules_free(rules);
    }
}

/* Rule 14: our term is 8, and 2 asks for a pre-vote. */
static const struct {
    const char *name;
    uint64_t asked_term;
    bool granted;
    uint64_t answer_term;
} pre_votes[] = {
    { "far behind", 5, false, 8 },
    { "just behind", 7, false, 8 },
    { "as high", 8, true, 8 },
    { "the next", 9, true, 9 },
};

TEST(a_pre_vote_of_a_lower_term_is_denied_with_ours)
{
    for (size_t i = 0; i < ARRAY_LEN(pre_votes); i++) {
        struct raft_message message = { .type = RAFT_REQUEST_VOTE };
        struct host host;
        struct rules *rules = start(&host, 3, 8, 1);

        test_case = pre_votes[i].name;
        message.request_vote.version = 2;
        message.request_vote.term = pre_votes[i].asked_term;
        message.request_vote.candidate_id = 2;
        message.request_vote.last_log_index = 1;
        message.request_vote.last_log_term = 1;
        message.request_vote.pre_vote = true;
        rules_receive(rules, 1001, 2, &message, NULL, NULL);
        CHECK(host.sent_count == 1);
        EXPECT_EQ(host.sent[0].request_vote_result.vote_granted, pre_votes[i].granted);
        EXPECT_EQ(host.sent[0].request_vote_result.term, pre_votes[i].answer_term);
        EXPECT_EQ(rules_term(rules), 8);
        rules_free(rules);
    }
}

/* libraft itself would go on with the flag for as long as it is a candidate. */
TEST(leave_to_disrupt_is_for_one_election)
{
    struct raft_message heartbeat = { .type = RAFT_APPEND_ENTRIES };
    struct raft_message leave = { .type = RAFT_TIMEOUT_NOW };
    struct host host;
    struct rules *rules = start(&host, 3, 1, 1);

    heartbeat.append_entries.term = 2;
    heartbeat.append_entries.prev_log_index = 1;
    heartbeat.append_entries.prev_log_term = 1;
    rules_receive(rules, 1001, 2, &heartbeat, NULL, NULL);
    leave.timeout_now.term = 2;
    leave.timeout_now.last_log_index = 1;
    leave.timeout_now.last_log_term = 1;
    host.sent_count = 0;
    rules_receive(rules, 1002, 2, &leave, NULL, NULL);
    EXPECT_EQ(host.sent_count, 2);
    EXPECT_EQ(host.sent[0].request_vote.term, 3);
    EXPECT(host.sent[0].request_vote.disrupt_leader);
    EXPECT(host.sent[1].request_vote.disrupt_leader);
    host.sent_count = 0;
    rules_tick(rules, rules_timeout_ms(rules));
    EXPECT_EQ(host.sent_count, 2);
    EXPECT_EQ(host.sent[0].request_vote.term, 4);
    EXPECT(!host.sent[0].request_vote.disrupt_leader);
    EXPECT(!host.sent[1].request_vote.disrupt_leader);
    rules_free(rules);
}

/* The bytes of a configuration in which 3 only listens. */
static struct log_data *with_standby(void)
{
    struct raft_configuration configuration;
    struct raft_buffer buffer;
    struct log_data *data;

    raft_configuration_init(&configuration);
    CHECK(raft_configuration_add(&configuration, 1, "1", RAFT_VOTER) == 0);
    CHECK(raft_configuration_add(&configuration, 2, "2", RAFT_VOTER) == 0);
    CHECK(raft_configuration_add(&configuration, 3, "3", RAFT_STANDBY) == 0);
    CHECK(raft_configuration_encode(&configuration, &buffer) == 0);
    data = log_data_new(bytes_of(buffer.base, buffer.len));
    raft_free(buffer.base);
    raft_configuration_close(&configuration);
    return data;
}

TEST(voters_are_those_of_the_newest_configuration_and_no_standbys)
{
    struct raft_message message = { .type = RAFT_APPEND_ENTRIES };
    struct log_entry entry = { 2, LOG_CHANGE, with_standby() };
    uint64_t ids[NODES_MAX] = { 0 };
    struct host host;
    struct rules *rules = start(&host, 3, 1, 1);

    EXPECT_EQ(rules_all_voters(rules, ids), 3);
    EXPECT_EQ(ids[2], 3);
    message.append_entries.term = 2;
    message.append_entries.prev_log_index = 1;
    message.append_entries.prev_log_term = 1;
    message.append_entries.n_entries = 1;
    rules_receive(rules, 1001, 2, &message, &entry, NULL);
    log_data_drop(entry.data);
    rules_disk_done(rules, 1002, oldest(&host));
    EXPECT_EQ(rules_all_voters(rules, ids), 2);
    EXPECT_EQ(ids[0], 1);
    EXPECT_EQ(ids[1], 2);
    rules_free(rules);
}
