#include "tests/lib/history.h"

#include "tests/unit/check.h"

/* A counter: ADD gives the sum after it, READ the sum, SET what was there before, PING nothing. */
enum { ADD, READ, SET, PING };
enum { ROW_OPS_MAX = 6, STEPS_MAX = 100000 };

static bool counter(struct history_state *state, const struct history_op *op)
{
    uint64_t before = state->words[0];
    uint64_t result = op->kind == PING ? 0 : before;

    if (op->kind == ADD)
        result = state->words[0] = before + op->argument;
    else if (op->kind == SET)
        state->words[0] = op->argument;
    return op->unknown || op->result == result;
}

static const struct {
    const char *name;
    enum history_verdict want;
    size_t count;
    struct history_op ops[ROW_OPS_MAX]; /* key, called, returned, unknown, kind, argument, result */
} rows[] = {
    { "nothing", HISTORY_LINEARIZABLE, 0, { { 0 } } },
    { "one after the other",
      HISTORY_LINEARIZABLE,
      3,
      { { 1, 1, 2, false, ADD, 5, 5 },
        { 1, 3, 4, false, READ, 0, 5 },
        { 1, 5, 6, false, SET, 9, 5 } } },
    { "a read beside a write sees the old",
      HISTORY_LINEARIZABLE,
      2,
      { { 1, 1, 4, false, ADD, 5, 5 }, { 1, 2, 3, false, READ, 0, 0 } } },
    { "a read beside a write sees the new",
      HISTORY_LINEARIZABLE,
      2,
      { { 1, 1, 4, false, ADD, 5, 5 }, { 1, 2, 3, false, READ, 0, 5 } } },
    { "a stale read",
      HISTORY_VIOLATED,
      2,
      { { 1, 1, 2, false, ADD, 5, 5 }, { 1, 3, 4, false, READ, 0, 0 } } },
    { "new, then old again, beside one write",
      HISTORY_VIOLATED,
      3,
      { { 1, 1, 9, false, ADD, 5, 5 },
        { 1, 2, 3, false, READ, 0, 5 },
        { 1, 4, 5, false, READ, 0, 0 } } },
    { "a read of what comes later",
      HISTORY_VIOLATED,
      2,
      { { 1, 1, 2, false, READ, 0, 5 }, { 1, 3, 4, false, ADD, 5, 5 } } },
    { "two writes at once in either order",
      HISTORY_LINEARIZABLE,
      3,
      { { 1, 1, 4, false, ADD, 1, 3 },
        { 1, 2, 3, false, ADD, 2, 2 },
        { 1, 5, 6, false, READ, 0, 3 } } },
    { "a lost update",
      HISTORY_VIOLATED,
      3,
      { { 1, 1, 4, false, ADD, 1, 1 },
        { 1, 2, 3, false, ADD, 2, 2 },
        { 1, 5, 6, false, READ, 0, 2 } } },
    { "applied twice",
      HISTORY_VIOLATED,
      2,
      { { 1, 1, 2, false, ADD, 5, 5 }, { 1, 3, 4, false, READ, 0, 10 } } },
    { "unknown, and never done",
      HISTORY_LINEARIZABLE,
      2,
      { { 1, 1, HISTORY_NO_END, true, ADD, 5, 0 }, { 1, 3, 4, false, READ, 0, 0 } } },
    { "unknown, and done late",
      HISTORY_LINEARIZABLE,
      4,
      { { 1, 1, HISTORY_NO_END, true, ADD, 5, 0 },
        { 1, 2, 3, false, READ, 0, 0 },
        { 1, 4, 5, false, ADD, 1, 1 },
        { 1, 6, 7, false, READ, 0, 6 } } },
    { "unknown, and done twice",
      HISTORY_VIOLATED,
      3,
      { { 1, 1, HISTORY_NO_END, true, ADD, 5, 0 },
        { 1, 2, 3, false, READ, 0, 5 },
        { 1, 4, 5, false, READ, 0, 10 } } },
    { "unknown, and done before its call",
      HISTORY_VIOLATED,
      2,
      { { 1, 1, 2, false, READ, 0, 5 }, { 1, 3, HISTORY_NO_END, true, ADD, 5, 0 } } },
    { "unknown, done, and undone",
      HISTORY_VIOLATED,
      3,
      { { 1, 1, HISTORY_NO_END, true, ADD, 5, 0 },
        { 1, 2, 3, false, READ, 0, 5 },
        { 1, 4, 5, false, READ, 0, 0 } } },
    { "unknown, and done before its end",
      HISTORY_LINEARIZABLE,
      2,
      { { 1, 1, 5, true, ADD, 5, 0 }, { 1, 4, 9, false, READ, 0, 5 } } },
    { "unknown, and done after its end",
      HISTORY_VIOLATED,
      3,
      { { 1, 1, 5, true, ADD, 5, 0 },
        { 1, 6, 7, false, READ, 0, 0 },
        { 1, 8, 9, false, READ, 0, 5 } } },
    { "unknown, ended, and never done",
      HISTORY_LINEARIZABLE,
      2,
      { { 1, 1, 5, true, ADD, 5, 0 }, { 1, 6, 7, false, READ, 0, 0 } } },
    { "unknown, ended, and before one that changes nothing and might come first",
      HISTORY_LINEARIZABLE,
      4,
      { { 1, 1, 20, false, ADD, 1, 1 },
        { 1, 2, 10, true, ADD, 2, 0 },
        { 1, 11, 12, false, PING, 0, 0 },
        { 1, 13, 14, false, READ, 0, 3 } } },
    { "two unknown ones, of which one was done",
      HISTORY_LINEARIZABLE,
      4,
      { { 1, 1, HISTORY_NO_END, true, SET, 7, 0 },
        { 1, 2, HISTORY_NO_END, true, SET, 8, 0 },
        { 1, 3, 4, false, READ, 0, 8 },
        { 1, 5, 6, false, READ, 0, 8 } } },
    { "keys know nothing of each other",
      HISTORY_LINEARIZABLE,
      3,
      { { 1, 1, 2, false, ADD, 5, 5 },
        { 2, 3, 4, false, READ, 0, 0 },
        { 1, 5, 6, false, READ, 0, 5 } } },
    { "the key that is wrong is found behind one that is right",
      HISTORY_VIOLATED,
      3,
      { { 2, 1, 2, false, READ, 0, 0 },
        { 2, 3, 4, false, READ, 0, 0 },
        { 3, 5, 6, false, READ, 0, 1 } } },
};

TEST(what_clients_saw_is_judged)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct history *history = history_new();
        uint64_t key = 0;

        test_case = rows[i].name;
        /* The last first: the order of adding does not matter. */
        for (size_t k = rows[i].count; k > 0; k--)
            history_add(history, &rows[i].ops[k - 1]);
        EXPECT_EQ(history_count(history), rows[i].count);
        EXPECT_EQ(history_check(history, counter, STEPS_MAX, &key), rows[i].want);
        if (rows[i].want == HISTORY_VIOLATED)
            EXPECT_EQ(key, rows[i].ops[rows[i].count - 1].key);
        history_free(history);
    }
}

/* `writes` at once, whose sum a later read does or does not see. */
static enum history_verdict at_once(unsigned writes, uint64_t seen, uint64_t steps_max)
{
    struct history *history = history_new();
    struct history_op read = { 1, 1000, 1001, false, READ, 0, seen };
    enum history_verdict verdict;
    uint64_t key;

    for (unsigned i = 0; i < writes; i++) {
        struct history_op op = { 1, 1 + i, 500 + i, false, SET, i + 1, 0 };

        op.result = i == 0 ? 0 : i; /* each saw the one before */
        history_add(history, &op);
    }
    history_add(history, &read);
    verdict = history_check(history, counter, steps_max, &key);
    history_free(history);
    return verdict;
}

TEST(many_at_once_are_put_in_the_one_order_there_is)
{
    EXPECT_EQ(at_once(200, 200, STEPS_MAX), HISTORY_LINEARIZABLE);
    EXPECT_EQ(at_once(200, 199, STEPS_MAX), HISTORY_VIOLATED);
}

/* Adding commutes: without a memory of what was tried, 12 at once are 12! orders. */
TEST(orders_that_come_to_the_same_are_tried_once)
{
    struct history *history = history_new();
    struct history_op read = { 1, 1000, 1001, false, READ, 0, 1 };
    uint64_t key;

    for (unsigned i = 0; i < 12; i++) {
        struct history_op op = { 1, 1 + i, HISTORY_NO_END, true, ADD, 2, 0 };

        history_add(history, &op);
    }
    history_add(history, &read);
    EXPECT_EQ(history_check(history, counter, STEPS_MAX, &key), HISTORY_VIOLATED);
    EXPECT_EQ(history_check(history, counter, 100, &key), HISTORY_UNDECIDED);
    history_free(history);
}

TEST(the_bound_is_the_number_of_steps)
{
    /* One for each change; reads go along. */
    EXPECT_EQ(at_once(5, 5, 5), HISTORY_LINEARIZABLE);
    EXPECT_EQ(at_once(5, 5, 4), HISTORY_UNDECIDED);
}

/* ---- against a judge that is too simple to be wrong ---- */

enum { TINY_MAX = 5, TINY_HISTORIES = 20000 };

static uint64_t chance = 12345;

static unsigned below(unsigned bound)
{
    chance ^= chance << 13;
    chance ^= chance >> 7;
    chance ^= chance << 17;
    return (unsigned)((chance * 2685821657736338717u >> 33) % bound);
}

/* Does this order of some of the operations explain what was seen? */
static bool explains(const struct history_op *ops, size_t count, const size_t *order, size_t len)
{
    struct history_state state = { { 0 } };
    bool placed[TINY_MAX] = { false };

    for (size_t i = 0; i < len; i++) {
        if (placed[order[i]] || !counter(&state, &ops[order[i]]))
            return false;
        placed[order[i]] = true;
        for (size_t k = 0; k < i; k++) /* what came before was not called after this ended */
            if (ops[order[k]].called > ops[order[i]].returned)
                return false;
    }
    for (size_t i = 0; i < count; i++)
        if (!placed[i] && !ops[i].unknown)
            return false;
    return true;
}

/* All orders of all subsets: numbers of `len` digits to the base `count`. */
static enum history_verdict judge_simply(const struct history_op *ops, size_t count)
{
    for (size_t len = 0; len <= count; len++) {
        size_t orders = 1;

        for (size_t i = 0; i < len; i++)
            orders *= count;
        for (size_t number = 0; number < orders; number++) {
            size_t order[TINY_MAX] = { 0 };
            size_t rest = number;

            for (size_t i = 0; i < len; i++, rest /= count)
                order[i] = rest % count;
            if (explains(ops, count, order, len))
                return HISTORY_LINEARIZABLE;
        }
    }
    return HISTORY_VIOLATED;
}

static void make_tiny(struct history_op *ops, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned called = below(8);

        ops[i] = (struct history_op){ .key = 1,
                                      .called = 16 * called + i,
                                      .returned = 16 * (called + 1 + below(5)) + 8 + i,
                                      .unknown = below(3) == 0,
                                      .kind = below(4),
                                      .argument = 1 + below(2),
                                      .result = below(3) };
        if (ops[i].kind == PING)
            ops[i].result = 0;
        if (ops[i].unknown && (ops[i].kind == READ || ops[i].kind == PING))
            ops[i].kind = ADD;
        if (ops[i].unknown && below(2) == 0)
            ops[i].returned = HISTORY_NO_END;
    }
}

TEST(small_histories_are_judged_as_by_trying_every_order)
{
    unsigned violated = 0;

    for (unsigned i = 0; i < TINY_HISTORIES; i++) {
        struct history *history = history_new();
        struct history_op ops[TINY_MAX];
        size_t count = 1 + below(TINY_MAX);
        enum history_verdict want;
        uint64_t key;

        make_tiny(ops, count);
        want = judge_simply(ops, count);
        for (size_t k = 0; k < count; k++)
            history_add(history, &ops[k]);
        EXPECT_EQ(history_check(history, counter, STEPS_MAX, &key), want);
        violated += want == HISTORY_VIOLATED;
        history_free(history);
    }
    EXPECT(violated > TINY_HISTORIES / 20); /* both verdicts are common */
    EXPECT(violated < TINY_HISTORIES - TINY_HISTORIES / 20);
}
