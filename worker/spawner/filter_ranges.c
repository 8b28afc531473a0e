/* See filter_ranges.h.  Pure.
 *
 *   in                                       out
 *   load machine; other than ours: answer    the same
 *   load number                              the same
 *   compare it with one after the other      number >= start of the upper half?  ...  answer, or
 *                                            the part of `in` that looks at arguments
 *
 * Instructions are those of the kernel's Documentation/networking/filter.rst. */
#include "worker/spawner/filter_ranges.h"

#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

enum {
    INSTRUCTIONS_MAX = BPF_MAXINSNS,
    RUNS_MAX = 512,
    JUMP_MAX = 255,
    STACK_MAX = 32, /* halvings of RUNS_MAX, and room */
    STARTS_MAX = 2 * INSTRUCTIONS_MAX + 1,
};

static const uint32_t at_number = offsetof(struct seccomp_data, nr);
static const uint32_t at_machine = offsetof(struct seccomp_data, arch);

/* What the numbers from `start` up to the next run get. */
struct run {
    uint32_t start;
    bool asks;       /* the rest of `in` from `value` on, which loads an argument first */
    uint32_t value;  /* else the answer */
    uint32_t before; /* instructions that the leaves of earlier runs take */
};

struct runs {
    const struct sock_fprog *in;
    size_t count;
    struct run list[RUNS_MAX];
};

struct writer {
    size_t len;
    struct sock_filter code[INSTRUCTIONS_MAX];
};

/* Is the jump taken?  False also when it is none that we know; `known` tells. */
static bool jump_taken(const struct sock_filter *code, uint32_t a, bool *known)
{
    switch (code->code) {
    case BPF_JMP | BPF_JEQ | BPF_K:
        return a == code->k;
    case BPF_JMP | BPF_JGT | BPF_K:
        return a > code->k;
    case BPF_JMP | BPF_JGE | BPF_K:
        return a >= code->k;
    default:
        *known = false;
        return false;
    }
}

/* Follow `in` for this machine and number up to an answer or the first look at an argument. */
static enum status follow(const struct sock_fprog *in,
                          uint32_t machine,
                          uint32_t number,
                          struct run *out)
{
    uint32_t a = 0;
    bool known = true;

    /* Jumps only go forward, so this ends. */
    for (uint32_t at = 0; at < in->len && known; at++) {
        const struct sock_filter *code = &in->filter[at];

        if (code->code == (BPF_RET | BPF_K)) {
            *out = (struct run){ .start = number, .value = code->k };
            return ST_OK;
        }
        if (code->code == (BPF_LD | BPF_W | BPF_ABS)) {
            if (code->k != at_number && code->k != at_machine) {
                *out = (struct run){ .start = number, .asks = true, .value = at };
                return ST_OK;
            }
            a = code->k == at_number ? number : machine;
        } else if (code->code == (BPF_JMP | BPF_JA)) {
            at += code->k;
        } else {
            at += jump_taken(code, a, &known) ? code->jt : code->jf;
        }
    }
    return ST_UNSUPPORTED;
}

static int compare_numbers(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

/* Numbers at which an answer may change: those that are compared, and their next ones. */
static size_t collect_starts(const struct sock_fprog *in, uint32_t starts[STARTS_MAX])
{
    size_t count = 0;

    starts[count++] = 0;
    for (size_t i = 0; i < in->len; i++) {
        if (BPF_CLASS(in->filter[i].code) != BPF_JMP || in->filter[i].code == (BPF_JMP | BPF_JA))
            continue;
        starts[count++] = in->filter[i].k;
        starts[count++] = in->filter[i].k + 1; /* 0 after the last: there already */
    }
    qsort(starts, count, sizeof *starts, compare_numbers);
    return count;
}

static bool run_equal(const struct run *a, const struct run *b)
{
    return a->asks == b->asks && a->value == b->value;
}

static enum status collect_runs(struct runs *runs, uint32_t machine)
{
    static uint32_t starts[STARTS_MAX];
    size_t count = collect_starts(runs->in, starts);

    runs->count = 0;
    for (size_t i = 0; i < count; i++) {
        struct run run;
        enum status st = follow(runs->in, machine, starts[i], &run);

        if (st != ST_OK)
            return st;
        if (runs->count > 0 && run_equal(&runs->list[runs->count - 1], &run))
            continue;
        if (runs->count == RUNS_MAX)
            return ST_LIMIT;
        runs->list[runs->count++] = run;
    }
    return ST_OK;
}

/* Which instructions can be reached from `from`: `in` jumps forward only. */
static size_t mark_reached(const struct sock_fprog *in, uint32_t from, bool reached[])
{
    size_t count = 0;

    memset(reached, 0, in->len * sizeof *reached);
    reached[from] = true;
    for (size_t at = from; at < in->len; at++) {
        const struct sock_filter *code = &in->filter[at];

        if (!reached[at])
            continue;
        count++;
        if (BPF_CLASS(code->code) == BPF_RET)
            continue;
        if (code->code == (BPF_JMP | BPF_JA)) {
            reached[at + 1 + code->k] = true;
        } else if (BPF_CLASS(code->code) == BPF_JMP) {
            reached[at + 1 + code->jt] = true;
            reached[at + 1 + code->jf] = true;
        } else {
            reached[at + 1] = true;
        }
    }
    return count;
}

static uint32_t leaf_length(const struct runs *runs, const struct run *run)
{
    static bool reached[INSTRUCTIONS_MAX + 1];

    return run->asks ? (uint32_t)mark_reached(runs->in, run->value, reached) : 1;
}

/* How far the copy of `to` is from the one behind `at`: what lies between and is copied. */
static uint32_t copied_between(const bool reached[], size_t at, size_t to)
{
    uint32_t count = 0;

    for (size_t i = at + 1; i < to; i++)
        count += reached[i];
    return count;
}

/* The part of `in` that looks at arguments, without what cannot be reached.  Jumps only get
 * shorter. */
static void write_rest(struct writer *writer, const struct sock_fprog *in, uint32_t from)
{
    static bool reached[INSTRUCTIONS_MAX + 1];

    (void)mark_reached(in, from, reached);
    for (size_t at = from; at < in->len; at++) {
        struct sock_filter code = in->filter[at];

        if (!reached[at])
            continue;
        if (code.code == (BPF_JMP | BPF_JA)) {
            code.k = copied_between(reached, at, at + 1 + code.k);
        } else if (BPF_CLASS(code.code) == BPF_JMP) {
            code.jt = (uint8_t)copied_between(reached, at, at + 1 + code.jt);
            code.jf = (uint8_t)copied_between(reached, at, at + 1 + code.jf);
        }
        writer->code[writer->len++] = code;
    }
}

static void write_leaf(struct writer *writer, const struct runs *runs, const struct run *run)
{
    if (run->asks)
        write_rest(writer, runs->in, run->value);
    else
        writer->code[writer->len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, run->value);
}

/* Runs from `first` to before `end`: a comparison, the lower half, the upper half. */
struct part {
    size_t first, end;
};

static enum status write_tree(struct writer *writer, const struct runs *runs)
{
    struct part stack[STACK_MAX] = { { 0, runs->count } };
    size_t depth = 1;

    while (depth > 0) {
        struct part part = stack[--depth];
        size_t middle = part.first + (part.end - part.first) / 2;
        uint32_t lower;

        if (part.end - part.first == 1) {
            write_leaf(writer, runs, &runs->list[part.first]);
            continue;
        }
        lower = runs->list[middle].before - runs->list[part.first].before +
                (uint32_t)(middle - part.first - 1);
        if (lower > JUMP_MAX)
            return ST_LIMIT;
        writer->code[writer->len++] = (struct sock_filter)BPF_JUMP(
            BPF_JMP | BPF_JGE | BPF_K, runs->list[middle].start, (uint8_t)lower, 0);
        CHECK(depth + 2 <= STACK_MAX);
        stack[depth++] = (struct part){ middle, part.end };
        stack[depth++] = (struct part){ part.first, middle }; /* next */
    }
    return ST_OK;
}

/* Does every jump stay inside, as the kernel demands? */
static bool jumps_inside(const struct sock_fprog *in)
{
    for (uint32_t at = 0; at < in->len; at++) {
        const struct sock_filter *code = &in->filter[at];
        uint32_t left = in->len - at - 1; /* behind it */
        uint32_t far = code->jt > code->jf ? code->jt : code->jf;

        if (BPF_CLASS(code->code) != BPF_JMP)
            continue;
        if ((code->code == (BPF_JMP | BPF_JA) ? code->k : far) >= left)
            return false;
    }
    return true;
}

/* The machine that `in` is for: the first comparison after its load.  Others get one answer. */
static enum status find_machine(const struct sock_fprog *in,
                                uint32_t *out_machine,
                                uint32_t *out_others)
{
    struct run others;

    if (in->len < 3 || in->len > INSTRUCTIONS_MAX ||
        in->filter[0].code != (BPF_LD | BPF_W | BPF_ABS) || in->filter[0].k != at_machine ||
        in->filter[1].code != (BPF_JMP | BPF_JEQ | BPF_K) || !jumps_inside(in))
        return ST_UNSUPPORTED;
    if (follow(in, ~in->filter[1].k, 0, &others) != ST_OK || others.asks)
        return ST_UNSUPPORTED;
    *out_machine = in->filter[1].k;
    *out_others = others.value;
    return ST_OK;
}

enum status filter_shorten(const struct sock_fprog *in, struct sock_fprog *out)
{
    static struct writer writer; /* large, and used once */
    static struct runs runs;
    uint32_t machine;
    uint32_t others;
    uint32_t leaves = 0;
    enum status st = find_machine(in, &machine, &others);

    runs.in = in;
    if (st == ST_OK)
        st = collect_runs(&runs, machine);
    if (st != ST_OK)
        return st;
    for (size_t i = 0; i < runs.count; i++) {
        runs.list[i].before = leaves;
        leaves += leaf_length(&runs, &runs.list[i]);
    }
    if (leaves + runs.count + 4 > INSTRUCTIONS_MAX)
        return ST_LIMIT;
    writer = (struct writer){
        .len = 4,
        .code = { BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at_machine),
                  BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, machine, 1, 0),
                  BPF_STMT(BPF_RET | BPF_K, others),
                  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at_number) },
    };
    st = write_tree(&writer, &runs);
    if (st != ST_OK)
        return st;
    out->filter = must_calloc(writer.len, sizeof *writer.code);
    memcpy(out->filter, writer.code, writer.len * sizeof *writer.code);
    out->len = (unsigned short)writer.len;
    return ST_OK;
}
