/* The rules for driving raft_step() of libraft 0.22.1, in this file unless another is named.  Each
 * was found by simulation: left out, a seed fails.  Marked as [n] where it is kept.
 *
 *  [1] After each step, in this order: term and vote durable -> entries and truncation queued ->
 *      snapshot queued -> messages sent -> committed entries applied, each CHANGE fed back as
 *      RAFT_CONFIGURATION at once.  Timeout read anew and never in the past.  Commit: the maximum.
 *  [2] One FIFO of disk work; truncation and install cut what queued appends are still worth.
 *  [3] Who frees what.  While installing, an InstallSnapshot is dropped before it is fed.
 *  [4] Requests of an older term: the answer is patched to a rejection; InstallSnapshot dropped.
 *  [5] AppendEntries from below our snapshot is moved up to it; a CHANGE is first of its step.
 *  [6] Restart: the log counts only if it joins on to the snapshot; a sole voter raises its term.
 *  [7] Installing: nothing is applied until the snapshot is durable; then the state is it.
 *  [8] Own snapshot: of the applied index, not above the durable one, with its configuration.  In
 *      raft_snapshot.c.
 *  [9] Membership: a BARRIER at each election.  A CHANGE alone, when an entry of the own term and
 *      the change before are committed.  In raft_members.c, with what libraft needs for it.
 * [10] Leadership transfer: only to a voter that has all of the log.  In raft_members.c.
 * [11] SUBMIT's refusals are answers; anything else that fails stops the process, and what libraft
 *      built with NDEBUG does not check is checked here.
 * [12] One ordered connection a peer and direction: the links' job; `capacity` is always set.
 * [13] Votes are granted once a leader has been silent for two timeouts, see raft_disk.c.
 * [14] A pre-vote of a lower term is denied with our term, see raft_members.c. */
#include "controlplane/replica/raft_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "controlplane/replica/raft_convert.h"
#include "controlplane/replica/raft_rules_internal.h"

enum {
    TICK_MS_MIN = 5,       /* [1] between two RAFT_TIMEOUT events */
    INFLIGHT_ENTRIES = 64, /* sent to one peer and not acknowledged */
    BARRIER_BYTES = 8,
    APPLY_ENTRY_BYTES = 64, /* what an entry costs beside its bytes, as bytes of it */
};

/* [11] The process ends here; a restart recovers from what is durable. */
_Noreturn static void fail(const struct rules *rules, int rv)
{
    char text[RAFT_ERRMSG_BUF_SIZE + 64];

    (void)snprintf(text, sizeof text, "raft_step() of %llu in term %llu: %d %s",
                   (unsigned long long)rules->raft.id, (unsigned long long)rules->term, rv,
                   raft_errmsg((struct raft *)&rules->raft));
    check_failed(__FILE__, __LINE__, text);
}

/* ---- disk work, [2] ---- */

struct disk_op *rules_op_new(struct rules *rules, enum disk_op_kind kind)
{
    struct disk_op *op = must_calloc(1, sizeof *op);

    op->kind = kind;
    *rules->ops_end = op;
    rules->ops_end = &op->rules_next;
    return op;
}

static void op_free(struct disk_op *op)
{
    for (unsigned i = 0; i < op->count; i++)
        log_data_drop(op->entries[i].data);
    free(op->entries);
    free(op);
}

/* Queued appends are worth nothing from index `from` on. */
static void ops_cut(struct rules *rules, uint64_t from)
{
    for (struct disk_op *op = rules->ops; op != NULL; op = op->rules_next) {
        if (op->kind != DISK_APPEND)
            continue;
        if (op->first >= from)
            op->valid = 0;
        else if (op->first + op->valid > from)
            op->valid = (unsigned)(from - op->first);
    }
}

/* ---- what a step asks for, [1] ---- */

static void update_vote(struct rules *rules, const struct raft_update *update)
{
    uint64_t term = raft_current_term(&rules->raft);
    uint64_t voted_for = raft_voted_for(&rules->raft);

    if (update->flags & (RAFT_UPDATE_CURRENT_TERM | RAFT_UPDATE_VOTED_FOR)) {
        CHECK(term >= rules->term);
        rules->host.set_vote(rules->host.context, term, voted_for);
        rules->term = term;
        rules->voted_for = voted_for;
    }
    CHECK(rules->term == term); /* [11] changed without a flag */
    CHECK(rules->voted_for == voted_for);
}

/* The i-th new entry, its data shared.  Mostly one that we fed; the barrier that libraft adds by
 * itself when it becomes leader over uncommitted entries is copied. */
static struct log_entry entry_of_update(const struct rules *rules,
                                        const struct raft_update *update,
                                        unsigned i)
{
    const struct raft_entry *own = &update->entries.batch[i];
    struct log_entry out;

    if (rules->fed != NULL) {
        out = rules->fed[update->entries.index - rules->fed_first + i];
        log_data_share(out.data);
        return out;
    }
    out.term = own->term;
    out.type = (enum log_entry_type)own->type;
    out.data = log_data_new(bytes_of(own->buf.base, own->buf.len));
    return out;
}

static void update_entries(struct rules *rules, const struct raft_update *update)
{
    uint64_t first = update->entries.index;
    unsigned count = update->entries.n;
    struct disk_op *op;

    CHECK(!rules->installing);
    CHECK(count > 0);
    CHECK(first > rules->applied); /* [11] what is applied is never taken back */
    CHECK(first >= rules->log.first);
    CHECK(first <= memory_log_last(&rules->log) + 1);
    if (rules->fed != NULL) {
        CHECK(first >= rules->fed_first);
        CHECK(first + count == rules->fed_first + rules->fed_count);
    }

    if (first <= memory_log_last(&rules->log)) {
        memory_log_truncate(&rules->log, first);
        rules_truncated(rules, first);
        rules_window_clear(rules);
        ops_cut(rules, first);
        if (rules->persisted >= first)
            rules->persisted = first - 1;
    }
    op = rules_op_new(rules, DISK_APPEND);
    op->first = first;
    op->count = op->valid = count;
    op->entries = must_calloc(count, sizeof *op->entries);
    for (unsigned i = 0; i < count; i++) {
        op->entries[i] = entry_of_update(rules, update, i);
        memory_log_append(&rules->log, &op->entries[i]);
    }
    raft_free(update->entries.batch[0].batch); /* [3] the batch is ours; the array the feeder's */
    rules->host.disk(rules->host.context, op);
}

static void update_snapshot(struct rules *rules, struct raft_update *update)
{
    struct raft_snapshot_metadata *metadata = &update->snapshot.metadata;
    struct disk_op *op;

    CHECK(!rules->installing);
    CHECK(metadata->index == rules->received.index);
    CHECK(metadata->term == rules->received.term);
    CHECK(metadata->index > rules->applied); /* [7] */
    raft_free(update->snapshot.chunk.base);  /* [3] handed over */
    raft_configuration_close(&metadata->configuration);

    ops_cut(rules, 0);
    rules->installing = true;
    rules->persisted = 0;
    memory_log_reset(&rules->log, rules->received.index + 1);
    rules_window_clear(rules);
    op = rules_op_new(rules, DISK_INSTALL);
    op->snapshot = rules->received;
    rules->host.disk(rules->host.context, op);
}

/* Entries of an AppendEntries: libraft fills in where they start and how many; its pointer is
 * garbage, they come from our log.  Bounded frames are the host's care. */
static void send_append(struct rules *rules, struct raft_message *message)
{
    struct raft_append_entries *args = &message->append_entries;
    unsigned count = args->n_entries;
    struct log_entry *entries = rules_gather(rules, args->prev_log_index + 1, count);

    args->entries = NULL;
    rules_told(rules, message->server_id,
               args->leader_commit < args->prev_log_index + args->n_entries
                   ? args->leader_commit
                   : args->prev_log_index + args->n_entries);
    rules->host.send(rules->host.context, message, entries);
    rules_give_back(entries, count);
}

static void update_messages(struct rules *rules, const struct raft_update *update)
{
    for (unsigned i = 0; i < update->messages.n; i++) {
        struct raft_message message = update->messages.batch[i];

        switch (message.type) {
        case RAFT_APPEND_ENTRIES:
            send_append(rules, &message);
            continue;
        case RAFT_INSTALL_SNAPSHOT: /* [8] all of it from the one stored snapshot */
            CHECK(rules->snapshot.index == message.install_snapshot.last_index);
            CHECK(rules->snapshot.term == message.install_snapshot.last_term);
            break;
        case RAFT_REQUEST_VOTE_RESULT:
            rules_tell_term(rules, &message.request_vote_result);
            break;
        case RAFT_APPEND_ENTRIES_RESULT:
            if (rules->stale) { /* [4] else an uninitialised index would count as acknowledged */
                message.append_entries_result.rejected = UINT64_MAX;
                message.append_entries_result.last_log_index = 0;
            }
            break;
        case RAFT_REQUEST_VOTE:
            rules_limit_disruption(rules, &message);
            break;
        default:
            break;
        }
        rules->host.send(rules->host.context, &message, NULL);
    }
}

/* [11] */
static bool is_answer(enum raft_event_type type, int rv)
{
    if (type == RAFT_SUBMIT)
        return rv == RAFT_NOTLEADER || rv == RAFT_NOSPACE || rv == RAFT_CANTCHANGE;
    if (type == RAFT_TRANSFER)
        return rv == RAFT_NOTLEADER || rv == RAFT_BADID || rv == RAFT_NOTFOUND;
    return false;
}

/* One event through raft_step(), and what it asks for.  Returns libraft's refusal of a SUBMIT or
 * a TRANSFER. */
static int feed(struct rules *rules, struct raft_event *event)
{
    struct raft_update update;
    uint64_t commit;
    int rv;

    event->time = rules->now;
    event->capacity = RULES_CAPACITY;
    memset(&update, 0, sizeof update);
    raft_set_max_inflight_entries(&rules->raft, rules_inflight_max(rules, INFLIGHT_ENTRIES));
    rv = raft_step(&rules->raft, event, &update);
    if (rv != 0) {
        if (is_answer(event->type, rv))
            return rv;
        fail(rules, rv);
    }
    update_vote(rules, &update);
    if (update.flags & RAFT_UPDATE_ENTRIES)
        update_entries(rules, &update);
    if (update.flags & RAFT_UPDATE_SNAPSHOT)
        update_snapshot(rules, &update);
    if (update.flags & RAFT_UPDATE_MESSAGES)
        update_messages(rules, &update);
    commit = raft_commit_index(&rules->raft);
    if (commit > rules->commit)
        rules->commit = commit;
    return 0;
}

static void feed_configuration(struct rules *rules, uint64_t index, struct log_data *data)
{
    struct raft_event event = { .type = RAFT_CONFIGURATION };

    log_data_drop(rules->change_data);
    rules->change_data = log_data_share(data);
    rules->change_index = index;
    rules_committed_configuration(rules);
    event.configuration.index = index;
    raft_convert_configuration(data->bytes, data->len, &event.configuration.conf); /* handed over */
    (void)feed(rules, &event);
}

void rules_apply_committed(struct rules *rules)
{
    while (rules_apply_waits(rules) && rules->apply_left > 0) {
        uint64_t index = rules->applied + 1;
        const struct log_entry *held = memory_log_at(&rules->log, index);
        struct log_entry entry;
        uint64_t cost;

        CHECK(held != NULL);
        entry = index > rules->state_index ? *rules_entry_whole(rules, index) : *held;
        cost = index > rules->state_index ? held->bytes + APPLY_ENTRY_BYTES : APPLY_ENTRY_BYTES;
        rules->applied = index;
        if (!rules->host.apply(rules->host.context, index, &entry)) {
            rules->applied = index - 1;
            rules->apply_held = true;
            return;
        }
        rules->apply_left -= cost < rules->apply_left ? cost : rules->apply_left;
        if (entry.type == LOG_CHANGE)
            feed_configuration(rules, index, entry.data);
    }
}

void rules_apply_more(struct rules *rules, uint64_t bytes)
{
    CHECK(bytes > 0);
    rules->apply_left = bytes;
    rules_apply_committed(rules);
}

static void submit_barrier(struct rules *rules);

static void run(struct rules *rules, struct raft_event *event)
{
    (void)feed(rules, event);
    rules_apply_committed(rules);
    if (rules_is_leader(rules) && !rules->was_leader) {
        memset(rules->told, 0, sizeof rules->told);
        rules->was_leader = true;
        if (rules_term_at(rules, rules_last(rules)) != rules->term)
            submit_barrier(rules); /* libraft does so only over uncommitted entries */
    }
    rules->was_leader = rules_is_leader(rules);
}

/* [9] Entries of older terms are committed only under one of this term (Raft's figure 8). */
static void submit_barrier(struct rules *rules)
{
    static const uint8_t nothing[BARRIER_BYTES];
    struct log_data *data = log_data_new(bytes_of(nothing, sizeof nothing));
    uint64_t index;

    (void)rules_submit(rules, rules->now, LOG_BARRIER, data, &index);
    log_data_drop(data);
}

/* ---- start, [6] ---- */

static bool log_joins_snapshot(const struct rules_config *config)
{
    uint64_t index = config->snapshot->index;

    if (index == 0)
        return config->count > 0 && config->first == 1;
    if (config->first == index + 1)
        return true;
    return config->first <= index && index - config->first < config->count &&
           config->entries[index - config->first].term == config->snapshot->term;
}

/* A sole voter makes itself leader in RAFT_START without raising its term: an entry that it had
 * not synced before a crash and a new one would then have the same index and term. */
static void raise_term_if_sole_voter(struct rules *rules)
{
    struct bytes newest = rules_newest_configuration(rules);

    if (newest.len == 0 || !raft_convert_sole_voter(newest, rules->raft.id))
        return; /* len 0: a node that joins and has heard of nobody */
    rules->term++;
    rules->voted_for = rules->raft.id;
    rules->host.set_vote(rules->host.context, rules->term, rules->voted_for);
}

static void load(struct rules *rules, const struct rules_config *config)
{
    const struct snapshot_meta *snapshot = config->snapshot;

    rules->snapshot = *snapshot;
    rules->term = config->term;
    rules->voted_for = config->voted_for;
    if (log_joins_snapshot(config)) {
        memory_log_reset(&rules->log, config->first);
        for (unsigned i = 0; i < config->count; i++)
            memory_log_append(&rules->log, &config->entries[i]);
    } else {
        /* Without a snapshot the log must begin with the bootstrap entry, or be that of a node
         * that joins: log_store sees to it. */
        CHECK(snapshot->index > 0 || config->count == 0);
        memory_log_reset(&rules->log, snapshot->index + 1);
    }
    rules->applied = snapshot->index;
    rules->state_index = config->state_index;
    rules->memory_bytes = config->memory_bytes;
    rules->apply_left = 1; /* what START itself commits, if anything; the host asks for the rest */
    rules->commit = snapshot->index;
    rules->persisted = memory_log_last(&rules->log);
    if (snapshot->index > 0) {
        rules->change_index = snapshot->configuration_index;
        rules->change_data =
            log_data_new(bytes_of(snapshot->configuration, snapshot->configuration_len));
        rules_committed_configuration(rules);
    }
}

static void raft_setup(struct rules *rules, const struct rules_config *config)
{
    int rv;

    (void)snprintf(rules->address, sizeof rules->address, "%s", config->address);
    rv = raft_init(&rules->raft, NULL, NULL, config->id, rules->address);
    CHECK(rv == 0);
    /* The default tracer formats every step into one static buffer: time spent for nobody, and a
     * data race between the threads of two groups. */
    rules->raft.tracer = NULL;
    raft_seed(&rules->raft, config->random_seed);
    raft_set_pre_vote(&rules->raft, true);
    raft_set_election_timeout(&rules->raft, config->election_ms);
    raft_set_heartbeat_timeout(&rules->raft, config->heartbeat_ms);
    raft_set_install_snapshot_timeout(&rules->raft, config->install_ms);
    raft_set_max_inflight_entries(&rules->raft, INFLIGHT_ENTRIES);
}

struct rules *rules_new(const struct rules_config *config, const struct rules_host *host)
{
    struct rules *rules = must_calloc(1, sizeof *rules);
    struct raft_event event = { .type = RAFT_START };
    struct raft_snapshot_metadata metadata;
    struct log_entry *entries = NULL;
    unsigned count;

    rules->host = *host;
    rules->now = config->now_ms;
    rules->heard_leader = config->now_ms;
    rules->election_ms = config->election_ms;
    rules->votes_from_ms = config->votes_from_ms;
    rules->ops_end = &rules->ops;
    raft_setup(rules, config);
    load(rules, config);
    raise_term_if_sole_voter(rules);

    event.start.term = rules->term;
    event.start.voted_for = rules->voted_for;
    if (rules->snapshot.index > 0) {
        raft_convert_metadata(&rules->snapshot, &metadata); /* [3] handed over */
        event.start.metadata = &metadata;
    }
    count = (unsigned)rules->log.count;
    event.start.start_index = rules->log.first;
    event.start.n_entries = count;
    if (count > 0) {
        entries = must_calloc(count, sizeof *entries);
        for (unsigned i = 0; i < count; i++)
            entries[i] = *memory_log_at(&rules->log, rules->log.first + i);
        event.start.entries = raft_convert_entries(entries, count);
    }
    run(rules, &event);
    if (count > 0) {
        raft_free(event.start.entries[0].batch); /* [3] START's entries stay ours */
        raft_free(event.start.entries);
    }
    free(entries);
    return rules;
}

void rules_free(struct rules *rules)
{
    if (rules == NULL)
        return;
    while (rules->ops != NULL) {
        struct disk_op *op = rules->ops;

        rules->ops = op->rules_next;
        op_free(op);
    }
    raft_close(&rules->raft, NULL);
    memory_log_done(&rules->log);
    rules_window_clear(rules);
    log_data_drop(rules->change_data);
    free(rules);
}

/* ---- time ---- */

static void set_now(struct rules *rules, uint64_t now_ms)
{
    if (now_ms > rules->now)
        rules->now = now_ms;
}

int rules_feed(struct rules *rules, uint64_t now_ms, struct raft_event *event)
{
    int rv;

    set_now(rules, now_ms);
    rv = feed(rules, event);
    if (rv == 0)
        rules_apply_committed(rules);
    return rv;
}

void rules_tick(struct rules *rules, uint64_t now_ms)
{
    struct raft_event event = { .type = RAFT_TIMEOUT };

    set_now(rules, now_ms);
    rules->last_tick = rules->now;
    run(rules, &event);
}

uint64_t rules_timeout_ms(const struct rules *rules)
{
    uint64_t at = raft_timeout(&rules->raft);

    return at > rules->last_tick + TICK_MS_MIN ? at : rules->last_tick + TICK_MS_MIN;
}

/* ---- messages in ---- */

static void receive_append_part(struct rules *rules,
                                const struct raft_message *message,
                                uint64_t prev,
                                uint64_t prev_term,
                                const struct log_entry *entries,
                                unsigned count)
{
    struct raft_message part = *message;
    struct raft_event event = { .type = RAFT_RECEIVE };
    struct raft_entry *array = count > 0 ? raft_convert_entries(entries, count) : NULL;

    part.append_entries.prev_log_index = prev;
    part.append_entries.prev_log_term = prev_term;
    part.append_entries.entries = array;
    part.append_entries.n_entries = count;
    event.receive.message = &part;
    rules->fed = entries;
    rules->fed_first = prev + 1;
    rules->fed_count = count;
    run(rules, &event);
    rules->fed = NULL;
    raft_free(array); /* [3] */
}

static bool holds(const struct rules *rules, uint64_t index, uint64_t term)
{
    return !rules->installing && rules_term_at(rules, index) == term;
}

/* [5] */
static void receive_append(struct rules *rules,
                           const struct raft_message *message,
                           const struct log_entry *entries)
{
    const struct raft_append_entries *args = &message->append_entries;
    unsigned count = args->n_entries;
    uint64_t prev = args->prev_log_index;
    uint64_t prev_term = args->prev_log_term;
    unsigned from = 0;
    bool go_on = true;

    if (!rules->installing && prev < rules->snapshot.index &&
        rules->snapshot.index == rules->raft.trail.snapshot.index) {
        uint64_t skip = rules->snapshot.index - prev;

        from = skip >= count ? count : (unsigned)skip;
        prev = rules->snapshot.index;
        prev_term = rules->snapshot.term;
    }
    if (from == count) {
        receive_append_part(rules, message, prev, prev_term, NULL, 0);
        return;
    }
    /* A CHANGE right behind what is known to be committed elsewhere: let the commit index move up
     * to it first, so that the one before it is committed here too. */
    if (entries[from].type == LOG_CHANGE && prev > 0 &&
        args->leader_commit > raft_commit_index(&rules->raft) &&
        raft_commit_index(&rules->raft) < prev) {
        receive_append_part(rules, message, prev, prev_term, NULL, 0);
        go_on = args->term == raft_current_term(&rules->raft) && holds(rules, prev, prev_term);
    }
    while (go_on && from < count) {
        unsigned to = from + 1;

        while (to < count && entries[to].type != LOG_CHANGE)
            to++;
        receive_append_part(rules, message, prev, prev_term, entries + from, to - from);
        prev += to - from;
        prev_term = entries[to - 1].term;
        from = to;
        go_on = holds(rules, prev, prev_term);
    }
}

/* Data that libraft carries for us: nothing, the bytes are in the host's hands already. */
static void receive_install(struct rules *rules,
                            const struct raft_message *message,
                            const struct snapshot_meta *received)
{
    struct raft_message copy = *message;
    struct raft_install_snapshot *args = &copy.install_snapshot;
    struct raft_event event = { .type = RAFT_RECEIVE };
    bool held = rules_term_at(rules, args->last_index) == args->last_term ||
                rules->snapshot.index >= args->last_index;

    if (rules->stale || rules->installing) /* [4] [3] */
        return;
    if (!held && received == NULL)
        return; /* the sender will offer it again */
    if (received != NULL)
        rules->received = *received;
    args->data.len = 1;
    args->data.base = raft_malloc(1);
    CHECK(args->data.base != NULL);
    if (received != NULL) {
        raft_convert_configuration(received->configuration, received->configuration_len,
                                   &args->conf);
        args->conf_index = received->configuration_index;
    } else {
        raft_configuration_init(&args->conf);
    }
    event.receive.message = &copy;
    run(rules, &event);
}

void rules_receive(struct rules *rules,
                   uint64_t now_ms,
                   uint64_t peer,
                   const struct raft_message *message,
                   const struct log_entry *entries,
                   const struct snapshot_meta *received)
{
    uint64_t term = raft_current_term(&rules->raft);
    struct raft_message copy = *message;
    struct raft_event event = { .type = RAFT_RECEIVE };
    char address[24];
    int role;

    set_now(rules, now_ms);
    (void)snprintf(address, sizeof address, "%llu", (unsigned long long)peer);
    copy.server_id = peer;
    copy.server_address = address;
    switch (copy.type) {
    case RAFT_APPEND_ENTRIES:
        rules->stale = copy.append_entries.term < term;
        receive_append(rules, &copy, entries);
        break;
    case RAFT_INSTALL_SNAPSHOT:
        rules->stale = copy.install_snapshot.term < term;
        receive_install(rules, &copy, received);
        break;
    case RAFT_REQUEST_VOTE:
        if (rules_vote_is_held(rules, &copy))
            return;
        copy.request_vote.disrupt_leader |= rules_leader_is_silent(rules);
        event.receive.message = &copy;
        role = rules_role_for_vote(rules);
        rules->asked_term = copy.request_vote.term;
        run(rules, &event);
        rules_role_back(rules, role);
        return;
    case RAFT_TIMEOUT_NOW:
        rules_leave_given(rules, &copy.timeout_now);
        event.receive.message = &copy;
        run(rules, &event);
        return;
    default:
        event.receive.message = &copy;
        run(rules, &event);
        return;
    }
    if (!rules->stale)
        rules->heard_leader = rules->now;
    rules->stale = false;
}

/* ---- submitting ---- */

enum status rules_submit_any(struct rules *rules,
                             uint64_t now_ms,
                             enum log_entry_type type,
                             struct log_data *data,
                             uint64_t *out_index)
{
    struct log_entry entry = { .type = type, .data = data };
    struct raft_event event = { .type = RAFT_SUBMIT };
    struct raft_entry *array;
    uint64_t index = memory_log_last(&rules->log) + 1;
    int rv;

    set_now(rules, now_ms);
    if (!rules_is_leader(rules))
        return ST_NOT_LEADER;
    entry.term = raft_current_term(&rules->raft);
    array = raft_convert_entries(&entry, 1);
    event.submit.entries = array;
    event.submit.n = 1;
    rules->fed = &entry;
    rules->fed_first = index;
    rules->fed_count = 1;
    rv = feed(rules, &event);
    rules->fed = NULL;
    if (rv != 0) {
        raft_free(array[0].batch); /* [3] refused: all stays ours */
        raft_free(array);
        if (rv == RAFT_CANTCHANGE)
            return ST_CONFLICT;
        return rv == RAFT_NOTLEADER ? ST_NOT_LEADER : ST_LIMIT; /* [11] */
    }
    raft_free(array);
    CHECK(memory_log_last(&rules->log) == index);
    *out_index = index;
    rules_apply_committed(rules);
    return ST_OK;
}

/* ---- disk done ---- */

static void append_done(struct rules *rules, const struct disk_op *op)
{
    struct raft_event event = { .type = RAFT_PERSISTED_ENTRIES };

    if (op->valid == 0 || rules->installing)
        return;
    rules->persisted = op->first + op->valid - 1;
    event.persisted_entries.index = rules->persisted;
    run(rules, &event);
    rules_evict(rules); /* now that what could be applied at once is */
}

static void take_done(struct rules *rules, const struct disk_op *op)
{
    const struct snapshot_meta *meta = &op->snapshot;
    struct raft_event event = { .type = RAFT_SNAPSHOT };

    rules->taking = false;
    if (meta->index >= rules->snapshot.index) /* the same one, taken again, has other bytes */
        rules->snapshot = *meta;
    if (rules->installing || meta->index <= rules->raft.trail.snapshot.index) /* [8] */
        return;
    CHECK(op->first >= rules->log.first);
    CHECK(op->first <= meta->index + 1);
    if (op->first > rules->drop_below)
        rules->drop_below = op->first;
    raft_convert_metadata(meta, &event.snapshot.metadata); /* [3] handed over */
    event.snapshot.trailing = (unsigned)(meta->index + 1 - op->first);
    run(rules, &event);
    rules_drop_more(rules);
}

static void drop_done(struct rules *rules)
{
    rules->dropping = false;
    rules_drop_more(rules);
}

static void install_done(struct rules *rules, const struct disk_op *op) /* [7] */
{
    const struct snapshot_meta *meta = &op->snapshot;
    struct raft_event event = { .type = RAFT_PERSISTED_SNAPSHOT };

    CHECK(rules->installing);
    rules->installing = false;
    rules->snapshot = *meta;
    rules->persisted = meta->index;
    rules->applied = meta->index;
    rules->state_index = meta->index; /* though they may have been further before */
    if (rules->commit < meta->index)
        rules->commit = meta->index;
    rules->change_index = meta->configuration_index;
    log_data_drop(rules->change_data);
    rules->change_data = log_data_new(bytes_of(meta->configuration, meta->configuration_len));
    rules_committed_configuration(rules);
    raft_convert_metadata(meta, &event.persisted_snapshot.metadata); /* [3] handed over */
    event.persisted_snapshot.last = true;
    run(rules, &event);
}

void rules_disk_done(struct rules *rules, uint64_t now_ms, struct disk_op *op)
{
    CHECK(op == rules->ops);
    set_now(rules, now_ms);
    rules->ops = op->rules_next;
    if (rules->ops == NULL)
        rules->ops_end = &rules->ops;
    switch (op->kind) {
    case DISK_APPEND:
        append_done(rules, op);
        break;
    case DISK_TAKE:
        take_done(rules, op);
        break;
    case DISK_DROP:
        drop_done(rules);
        break;
    case DISK_INSTALL:
        install_done(rules, op);
        break;
    }
    op_free(op);
}
