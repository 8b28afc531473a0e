#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/replica/raft_convert.h"
#include "controlplane/replica/raft_rules.h"
#include "tests/unit/check.h"

enum { NOW = 2000, ELECTION_MS = 300 };

/* A host that keeps the newest vote message and does disk work when told. */
struct host {
    struct disk_op *ops[16];
    unsigned op_count;
    struct raft_message vote;
    unsigned votes_answered;
};

static void set_vote(void *context, uint64_t term, uint64_t voted_for)
{
    (void)context;
    (void)term;
    (void)voted_for;
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
    if (message->type != RAFT_REQUEST_VOTE_RESULT)
        return;
    host->vote = *message;
    host->votes_answered++;
}

static bool apply(void *context, uint64_t index, const struct log_entry *entry)
{
    (void)context;
    (void)index;
    (void)entry;
    return true;
}

/* Member `id`, whose group was made of 1, 2 and 3. */
static struct rules *start(struct host *host, uint64_t id)
{
    static const struct snapshot_meta none;
    const uint64_t ids[] = { 1, 2, 3 };
    struct rules_host callbacks = {
        .set_vote = set_vote, .disk = disk, .send = send, .apply = apply, .context = host
    };
    struct log_entry entry = { 1, LOG_CHANGE, rules_bootstrap(ids, ARRAY_LEN(ids)) };
    struct rules_config config = { .id = id,
                                   .address = id == 1 ? "1" : "4",
                                   .election_ms = ELECTION_MS,
                                   .heartbeat_ms = 50,
                                   .install_ms = 1000,
                                   .random_seed = 1,
                                   .now_ms = 1000,
                                   .term = 1,
                                   .memory_bytes = 1 << 20,
                                   .snapshot = &none,
                                   .first = 1,
                                   .entries = &entry,
                                   .count = 1 };
    struct rules *rules;

    memset(host, 0, sizeof *host);
    rules = rules_new(&config, &callbacks);
    rules_apply_more(rules, UINT32_MAX); /* as much as comes */
    log_data_drop(entry.data);
    return rules;
}

static void disk_done(struct rules *rules, struct host *host)
{
    while (host->op_count > 0) {
        struct disk_op *op = host->ops[0];

        memmove(host->ops, host->ops + 1, --host->op_count * sizeof host->ops[0]);
        rules_disk_done(rules, NOW, op);
    }
}

static void acknowledge(struct rules *rules, uint64_t peer, uint64_t index)
{
    struct raft_message message = { .type = RAFT_APPEND_ENTRIES_RESULT };

    message.append_entries_result.term = rules_term(rules);
    message.append_entries_result.last_log_index = index;
    rules_receive(rules, NOW, peer, &message, NULL, NULL);
}

/* Member 1, elected by 2; its barrier is entry 2, durable here alone. */
static struct rules *start_leader(struct host *host)
{
    struct rules *rules = start(host, 1);
    struct raft_message vote = { .type = RAFT_REQUEST_VOTE_RESULT };

    rules_tick(rules, rules_timeout_ms(rules));
    vote.request_vote_result.term = 2;
    vote.request_vote_result.vote_granted = true;
    vote.request_vote_result.pre_vote = true;
    rules_receive(rules, NOW, 2, &vote, NULL, NULL);
    vote.request_vote_result.pre_vote = false;
    rules_receive(rules, NOW, 2, &vote, NULL, NULL);
    CHECK(rules_is_leader(rules));
    disk_done(rules, host);
    return rules;
}

TEST(a_change_waits_for_an_entry_of_the_own_term_and_for_the_change_before)
{
    struct host host;
    struct rules *rules = start_leader(&host);

    EXPECT_EQ(rules_change(rules, NOW, RULES_ADD, 4),
              ST_CONFLICT); /* the barrier is not committed */
    acknowledge(rules, 2, 2);
    EXPECT_EQ(rules_commit(rules), 2);
    EXPECT_EQ(rules_change(rules, NOW, RULES_ADD, 4), ST_OK);
    EXPECT(rules_change_pending(rules));
    EXPECT_EQ(rules_change(rules, NOW, RULES_ADD, 5), ST_CONFLICT);
    disk_done(rules, &host);
    EXPECT_EQ(rules_change(rules, NOW, RULES_ADD, 5), ST_CONFLICT);
    acknowledge(rules, 2, 3); /* member 3 never says anything: it may be dead */
    EXPECT(!rules_change_pending(rules));
    EXPECT_EQ(rules_change(rules, NOW, RULES_ADD, 5), ST_OK);
    rules_free(rules);
}

/* With 1, 2, 3 voting and 4 standing by with all of the log, 5 without. */
static const struct {
    const char *name;
    enum rules_change_kind kind;
    uint64_t id;
    enum status want;
} changes[] = {
    { "add a new one", RULES_ADD, 6, ST_OK },
    { "add a voter", RULES_ADD, 2, ST_EXISTS },
    { "add one that stands by", RULES_ADD, 4, ST_EXISTS },
    { "promote one that has the log", RULES_PROMOTE, 4, ST_OK },
    { "promote one that has not", RULES_PROMOTE, 5, ST_UNAVAILABLE },
    { "promote a voter", RULES_PROMOTE, 3, ST_EXISTS },
    { "promote a stranger", RULES_PROMOTE, 6, ST_NOT_FOUND },
    { "remove a voter", RULES_REMOVE, 3, ST_OK },
    { "remove one that stands by", RULES_REMOVE, 5, ST_OK },
    { "remove itself", RULES_REMOVE, 1, ST_DENIED },
    { "remove a stranger", RULES_REMOVE, 6, ST_NOT_FOUND },
};

TEST(a_change_that_makes_no_sense_is_refused)
{
    for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
        struct host host;
        struct rules *rules = start_leader(&host);

        test_case = changes[i].name;
        acknowledge(rules, 2, 2);
        for (uint64_t id = 4; id <= 5; id++) {
            EXPECT_EQ(rules_change(rules, NOW, RULES_ADD, id), ST_OK);
            disk_done(rules, &host);
            acknowledge(rules, 2, rules_last(rules));
        }
        acknowledge(rules, 4, rules_last(rules));
        EXPECT_EQ(rules_change(rules, NOW, changes[i].kind, changes[i].id), changes[i].want);
        rules_free(rules);
    }
}

TEST(a_group_has_no_more_than_nodes_max)
{
    struct host host;
    struct rules *rules = start_leader(&host);

    acknowledge(rules, 2, 2);
    for (uint64_t id = 4; id <= NODES_MAX; id++) {
        EXPECT_EQ(rules_change(rules, NOW, RULES_ADD, id), ST_OK);
        disk_done(rules, &host);
        acknowledge(rules, 2, rules_last(rules));
    }
    EXPECT_EQ(rules_change(rules, NOW, RULES_ADD, NODES_MAX + 1), ST_LIMIT);
    rules_free(rules);
}

/* A configuration: 1 to `voters` vote, 4 stands by if it does not vote. */
static struct log_data *configuration(unsigned voters)
{
    struct raft_configuration members;
    struct log_data *data;
    char name[8];

    raft_configuration_init(&members);
    for (unsigned id = 1; id <= 4; id++) {
        (void)snprintf(name, sizeof name, "%u", id);
        CHECK(raft_configuration_add(&members, id, name,
                                     id <= voters ? RAFT_VOTER : RAFT_STANDBY) == 0);
    }
    data = raft_convert_encode(&members);
    raft_configuration_close(&members);
    return data;
}

/* From member 2, leader of `term`: an entry behind `index` - 1, which is of prev_term.  Takes data.
 */
static void receive(struct rules *rules,
                    uint64_t term,
                    uint64_t index,
                    uint64_t prev_term,
                    enum log_entry_type type,
                    struct log_data *data)
{
    struct raft_message message = { .type = RAFT_APPEND_ENTRIES };
    struct log_entry entry = { term, type, data };

    message.append_entries.term = term;
    message.append_entries.prev_log_index = index - 1;
    message.append_entries.prev_log_term = prev_term;
    message.append_entries.n_entries = 1;
    message.append_entries.leader_commit = 1;
    rules_receive(rules, NOW, 2, &message, &entry, NULL);
    log_data_drop(data);
}

static unsigned voters_of(const struct rules *rules)
{
    struct rules_member members[NODES_MAX];
    unsigned count = rules_members(rules, members);
    unsigned voters = 0;

    for (unsigned i = 0; i < count; i++)
        voters += members[i].voter;
    return count * 10 + voters;
}

/* From a leader that restarted and does not know yet that the first is committed. */
TEST(of_two_uncommitted_changes_the_first_stays_when_the_second_is_cut_off)
{
    struct host host;
    struct rules *rules = start(&host, 4);

    receive(rules, 2, 2, 1, LOG_CHANGE, configuration(3));
    EXPECT_EQ(voters_of(rules), 43);
    receive(rules, 2, 3, 2, LOG_CHANGE, configuration(4));
    EXPECT_EQ(voters_of(rules), 44);
    receive(rules, 3, 3, 2, LOG_COMMAND, log_data_new(bytes_of_text("x")));
    EXPECT_EQ(voters_of(rules), 43); /* libraft alone: 33, of the group's first entry */
    EXPECT(rules_change_pending(rules));
    rules_free(rules);
}

static bool asks_for_vote(struct rules *rules, struct host *host, uint64_t now_ms)
{
    struct raft_message message = { .type = RAFT_REQUEST_VOTE };
    unsigned before = host->votes_answered;

    message.request_vote.term = 3;
    message.request_vote.candidate_id = 3;
    message.request_vote.last_log_index = 5;
    message.request_vote.last_log_term = 2;
    rules_receive(rules, now_ms, 3, &message, NULL, NULL);
    CHECK(host->votes_answered == before + 1);
    return host->vote.request_vote_result.vote_granted;
}

/* It may lack just the change that promoted it.  libraft denies, and remembers its leader for ever.
 */
TEST(one_that_stands_by_votes_when_its_leader_is_silent)
{
    struct host host;
    struct rules *rules = start(&host, 4);

    receive(rules, 2, 2, 1, LOG_CHANGE, configuration(3));
    disk_done(rules, &host);
    EXPECT(!asks_for_vote(rules, &host, NOW + ELECTION_MS - 1));
    EXPECT(asks_for_vote(rules, &host, NOW + ELECTION_MS));
    EXPECT_EQ(voters_of(rules), 43); /* and stands by as before */
    rules_free(rules);
}

static const struct {
    const char *name;
    uint64_t term; /* asked for; ours is 2 */
    uint64_t want; /* in the answer */
} pre_votes[] = {
    { "of a term that is over", 1, 2 },
    { "of our term", 2, 2 },
    { "of the next term", 3, 3 },
};

/* Or who has the best log and a low term never learns why it is denied. */
TEST(a_denied_pre_vote_tells_the_term)
{
    for (size_t i = 0; i < ARRAY_LEN(pre_votes); i++) {
        struct raft_message message = { .type = RAFT_REQUEST_VOTE };
        struct host host;
        struct rules *rules = start(&host, 1);

        test_case = pre_votes[i].name;
        receive(rules, 2, 2, 1, LOG_COMMAND, log_data_new(bytes_of_text("x")));
        message.request_vote.term = pre_votes[i].term;
        message.request_vote.pre_vote = true;
        message.request_vote.candidate_id = 3;
        message.request_vote.last_log_index = 1;
        message.request_vote.last_log_term = 1;
        rules_receive(rules, NOW, 3, &message, NULL, NULL);
        EXPECT_EQ(host.votes_answered, 1);
        EXPECT(!host.vote.request_vote_result.vote_granted);
        EXPECT_EQ(host.vote.request_vote_result.term, pre_votes[i].want);
        rules_free(rules);
    }
}
