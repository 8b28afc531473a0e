#include "tests/lib/history.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

#define NOWHERE SIZE_MAX

struct history {
    struct history_op *ops;
    size_t count;
    size_t capacity;
};

/* One operation that was put in order, and what was before it. */
struct placed {
    size_t op;
    bool branch; /* others might be in its place */
    struct history_state before;
    uint64_t last_call_before;
};

/* What was tried: sets of placed operations with the state that they led to, each `words` long,
 * in an open hash table of offsets plus one. */
struct memory {
    size_t words;
    uint64_t *entries;
    size_t count;
    size_t capacity;
    size_t *slots;
    size_t slot_count; /* a power of two */
};

/* The search of one key.  Operations with a known outcome come first, by return; then the others.
 */
struct search {
    const struct history_op *ops;
    size_t count;
    size_t known;
    uint64_t *first_call; /* the first of ops[i] and all known ones behind it */
    history_step step;
    uint64_t *set; /* bits: placed */
    size_t set_words;
    struct history_state state;
    uint64_t last_call; /* of what is placed */
    struct placed *order;
    size_t depth;
    size_t known_left;
    size_t first; /* every known operation below is placed */
    struct memory memory;
};

struct history *history_new(void)
{
    return must_calloc(1, sizeof(struct history));
}

void history_free(struct history *history)
{
    if (history == NULL)
        return;
    free(history->ops);
    free(history);
}

void history_add(struct history *history, const struct history_op *op)
{
    CHECK(op->called < op->returned);
    if (history->count == history->capacity) {
        history->capacity = history->capacity * 2 + 64;
        history->ops = must_realloc(history->ops, history->capacity * sizeof *history->ops);
    }
    history->ops[history->count++] = *op;
}

size_t history_count(const struct history *history)
{
    return history->count;
}

/* ---- memory ---- */

static uint64_t hash_of(const uint64_t *words, size_t count)
{
    uint64_t hash = 0xcbf29ce484222325u;

    for (size_t i = 0; i < count; i++) {
        hash = (hash ^ words[i]) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
    }
    return hash;
}

static size_t slot_of(const struct memory *memory, const uint64_t *words)
{
    size_t at = (size_t)hash_of(words, memory->words) & (memory->slot_count - 1);

    while (memory->slots[at] != 0 &&
           memcmp(memory->entries + (memory->slots[at] - 1) * memory->words, words,
                  memory->words * sizeof *words) != 0)
        at = (at + 1) & (memory->slot_count - 1);
    return at;
}

static void memory_grow(struct memory *memory)
{
    memory->slot_count = memory->slot_count == 0 ? 1024 : memory->slot_count * 2;
    free(memory->slots);
    memory->slots = must_calloc(memory->slot_count, sizeof *memory->slots);
    memory->capacity = memory->slot_count / 2;
    memory->entries =
        must_realloc(memory->entries, memory->capacity * memory->words * sizeof *memory->entries);
    for (size_t i = 0; i < memory->count; i++)
        memory->slots[slot_of(memory, memory->entries + i * memory->words)] = i + 1;
}

/* False if it was there: whatever follows was tried. */
static bool memory_add(struct search *search)
{
    struct memory *memory = &search->memory;
    uint64_t *entry;
    size_t at;

    if (memory->count == memory->capacity)
        memory_grow(memory);
    entry = memory->entries + memory->count * memory->words;
    memcpy(entry, search->set, search->set_words * sizeof *entry);
    memcpy(entry + search->set_words, search->state.words, sizeof search->state.words);
    at = slot_of(memory, entry);
    if (memory->slots[at] != 0)
        return false;
    memory->slots[at] = ++memory->count;
    return true;
}

/* ---- the search ---- */

static bool is_placed(const struct search *search, size_t op)
{
    return (search->set[op / 64] >> (op % 64)) & 1;
}

/* The next operation at or behind `from` that may come next in the order, or `count`: one that was
 * called before the first return of what is not placed, and has not ended before something placed
 * was called.  Unknown outcomes come last: mostly they are not needed. */
static size_t candidate(const struct search *search, size_t from)
{
    uint64_t before = search->ops[search->first].returned; /* some known one is left */
    size_t at = from < search->first ? search->first : from;

    while (at < search->known && (is_placed(search, at) || search->ops[at].called > before) &&
           search->first_call[at] < before)
        at++;
    if (at < search->known && !is_placed(search, at) && search->ops[at].called < before)
        return at;
    if (at < search->known)
        at = search->known;
    while (at < search->count && (is_placed(search, at) || search->ops[at].called > before ||
                                  search->ops[at].returned < search->last_call))
        at++;
    return at;
}

static void push(struct search *search, size_t op, const struct history_state *after, bool branch)
{
    struct placed *placed = &search->order[search->depth++];

    placed->op = op;
    placed->branch = branch;
    placed->before = search->state;
    placed->last_call_before = search->last_call;
    search->set[op / 64] |= 1ull << (op % 64);
    search->state = *after;
    if (search->ops[op].called > search->last_call)
        search->last_call = search->ops[op].called;
    if (op < search->known)
        search->known_left--;
    while (search->first < search->known && is_placed(search, search->first))
        search->first++;
}

static void pop(struct search *search)
{
    const struct placed *placed = &search->order[--search->depth];

    search->set[placed->op / 64] &= ~(1ull << (placed->op % 64));
    search->state = placed->before;
    search->last_call = placed->last_call_before;
    if (placed->op < search->known)
        search->known_left++;
    if (placed->op < search->first)
        search->first = placed->op;
}

static bool is_same(const struct history_state *a, const struct history_state *b)
{
    return memcmp(a, b, sizeof *a) == 0;
}

/* Would some unknown operation, once `op` is placed, have ended too early to come behind it? */
static bool ends_another(const struct search *search, size_t op)
{
    for (size_t i = search->known; i < search->count; i++)
        if (!is_placed(search, i) && search->ops[i].returned >= search->last_call &&
            search->ops[i].returned < search->ops[op].called)
            return true;
    return false;
}

/* What fits now and changes nothing may as well be next: wherever it stood in an order, it can be
 * moved here.  But for an unknown operation that would have to come before it: so the one that was
 * called first goes first, for it ends the fewest of those, and if any, the search may come back.
 */
static bool place_idle(struct search *search)
{
    size_t best = search->count;

    for (size_t at = candidate(search, 0); at < search->known; at = candidate(search, at + 1)) {
        struct history_state after = search->state;

        if (search->step(&after, &search->ops[at]) && is_same(&after, &search->state) &&
            (best == search->count || search->ops[at].called < search->ops[best].called))
            best = at;
    }
    if (best == search->count)
        return false;
    push(search, best, &search->state, ends_another(search, best));
    return true;
}

/* Back to before the newest operation in whose place another one might be; returns where to look
 * for that, or NOWHERE. */
static size_t go_back(struct search *search)
{
    while (search->depth > 0) {
        const struct placed *placed = &search->order[search->depth - 1];
        bool changed = !is_same(&placed->before, &search->state);
        size_t op = placed->op;
        bool branch = placed->branch;

        pop(search);
        if (branch)
            return changed ? op + 1 : 0;
    }
    return NOWHERE;
}

/* Put `op`, which changes the state, next in the order, and all that fits behind it and changes
 * nothing.  False if it does not fit. */
static bool place(struct search *search, size_t op)
{
    struct history_state after = search->state;

    if (!search->step(&after, &search->ops[op]) || is_same(&after, &search->state))
        return false;
    push(search, op, &after, true);
    while (search->known_left > 0 && place_idle(search))
        ;
    return true;
}

static enum history_verdict run(struct search *search, uint64_t steps_max)
{
    size_t next = 0;

    while (search->known_left > 0 && place_idle(search))
        ;
    for (uint64_t steps = 0; search->known_left > 0; steps++) {
        if (steps == steps_max)
            return HISTORY_UNDECIDED;
        next = candidate(search, next);
        if (next < search->count && !place(search, next)) {
            next++;
            continue;
        }
        /* Going back stops where something else might come before what fitted behind `next`. */
        next = next < search->count && memory_add(search) ? 0 : go_back(search);
        if (next == NOWHERE)
            return HISTORY_VIOLATED;
    }
    return HISTORY_LINEARIZABLE;
}

static enum history_verdict check_key(const struct history_op *ops,
                                      size_t count,
                                      history_step step,
                                      uint64_t steps_max)
{
    struct search search = { .ops = ops, .count = count, .step = step };
    enum history_verdict verdict;

    while (search.known < count && !ops[search.known].unknown)
        search.known++;
    search.first_call = must_calloc(search.known + 1, sizeof *search.first_call);
    search.first_call[search.known] = UINT64_MAX;
    for (size_t i = search.known; i > 0; i--)
        search.first_call[i - 1] =
            ops[i - 1].called < search.first_call[i] ? ops[i - 1].called : search.first_call[i];
    search.known_left = search.known;
    search.set_words = count / 64 + 1;
    search.set = must_calloc(search.set_words, sizeof *search.set);
    search.order = must_calloc(count, sizeof *search.order);
    search.memory.words = search.set_words + HISTORY_STATE_WORDS;
    verdict = run(&search, steps_max);
    free(search.memory.entries);
    free(search.memory.slots);
    free(search.order);
    free(search.first_call);
    free(search.set);
    return verdict;
}

/* By key; those with a known outcome first; by return. */
static int compare(const void *a, const void *b)
{
    const struct history_op *left = a;
    const struct history_op *right = b;

    if (left->key != right->key)
        return left->key < right->key ? -1 : 1;
    if (left->unknown != right->unknown)
        return left->unknown ? 1 : -1;
    if (left->returned != right->returned)
        return left->returned < right->returned ? -1 : 1;
    return 0;
}

enum history_verdict history_check(struct history *history,
                                   history_step step,
                                   uint64_t steps_max,
                                   uint64_t *out_key)
{
    size_t first = 0;

    if (history->count > 0)
        qsort(history->ops, history->count, sizeof *history->ops, compare);
    while (first < history->count) {
        size_t end = first;
        enum history_verdict verdict;

        while (end < history->count && history->ops[end].key == history->ops[first].key)
            end++;
        verdict = check_key(history->ops + first, end - first, step, steps_max);
        if (verdict != HISTORY_LINEARIZABLE) {
            *out_key = history->ops[first].key;
            return verdict;
        }
        first = end;
    }
    return HISTORY_LINEARIZABLE;
}
