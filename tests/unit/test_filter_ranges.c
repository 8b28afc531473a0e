#include "worker/spawner/filter_ranges.h"

#include <linux/audit.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/check.h"
#include "worker/spawner/filter.h"

enum { UNKNOWN_INSTRUCTION = 0xdead };

static bool jumps(const struct sock_filter *code, uint32_t a)
{
    switch (BPF_OP(code->code)) {
    case BPF_JEQ:
        return a == code->k;
    case BPF_JGT:
        return a > code->k;
    case BPF_JGE:
        return a >= code->k;
    default:
        return (a & code->k) != 0;
    }
}

/* What the kernel would answer. */
static uint32_t answer(const struct sock_fprog *program, const struct seccomp_data *data)
{
    uint32_t a = 0;

    for (size_t at = 0; at < program->len; at++) {
        const struct sock_filter *code = &program->filter[at];

        if (code->code == (BPF_RET | BPF_K))
            return code->k;
        if (code->code == (BPF_LD | BPF_W | BPF_ABS))
            memcpy(&a, (const char *)data + code->k, sizeof a);
        else if (code->code == (BPF_ALU | BPF_AND | BPF_K))
            a &= code->k;
        else if (code->code == (BPF_JMP | BPF_JA))
            at += code->k;
        else if (BPF_CLASS(code->code) == BPF_JMP)
            at += jumps(code, a) ? code->jt : code->jf;
        else
            return UNKNOWN_INSTRUCTION;
    }
    return UNKNOWN_INSTRUCTION;
}

/* Arguments at which the policy's conditions change: socket families, flags of clone(), high
 * halves. */
static const uint64_t arguments[] = { 0,          1,          2,          10,          16,
                                      17,         0x11,       0x00020000, 0x02000000,  0x10000000,
                                      0x20000000, 0x40000000, 0x7c020000, 0x100000002, UINT64_MAX };

static void compare_number(const struct sock_fprog *plain,
                           const struct sock_fprog *shorter,
                           uint32_t number)
{
    static const uint32_t machines[] = { AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64, AUDIT_ARCH_I386, 0,
                                         UINT32_MAX };

    for (size_t m = 0; m < ARRAY_LEN(machines); m++)
        for (size_t i = 0; i < ARRAY_LEN(arguments); i++) {
            struct seccomp_data data = { .nr = (int)number, .arch = machines[m] };

            for (size_t a = 0; a < ARRAY_LEN(data.args); a++)
                data.args[a] = arguments[i];
            EXPECT_EQ(answer(shorter, &data), answer(plain, &data));
        }
}

TEST(the_short_filter_answers_as_the_long_one)
{
    static const uint32_t far[] = { 0x3fffffff, 0x40000000, 0x40000001, 0x40000029,
                                    0x7fffffff, 0x80000000, 0xfffffffe, 0xffffffff };
    struct sock_fprog plain;
    struct sock_fprog shorter;
    struct err err = { 0 };

    EXPECT_EQ(filter_compile(&plain, &err), ST_OK);
    EXPECT_EQ(filter_shorten(&plain, &shorter), ST_OK);
    EXPECT(shorter.len * 3 < plain.len * 2);
    for (uint32_t number = 0; number < 2048; number++)
        compare_number(&plain, &shorter, number);
    for (size_t i = 0; i < ARRAY_LEN(far); i++)
        compare_number(&plain, &shorter, far[i]);
    free(shorter.filter);
    free(plain.filter);
}

#define MACHINE   BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 4)
#define NUMBER    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0)
#define ARGUMENT  BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 16)
#define OURS(n)   BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 0, n)
#define ANSWER(k) BPF_STMT(BPF_RET | BPF_K, k)

/* Programs that are not what it is made for. */
static struct sock_filter without_machine[] = { NUMBER, ANSWER(1), ANSWER(2) };
static struct sock_filter too_short[] = { MACHINE, ANSWER(1) };
static struct sock_filter masked[] = { MACHINE,
                                       OURS(4),
                                       NUMBER,
                                       BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 1),
                                       BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0),
                                       ANSWER(1),
                                       ANSWER(2) };
static struct sock_filter without_end[] = { MACHINE, OURS(0), NUMBER };
static struct sock_filter jump_outside[] = { MACHINE, OURS(200), NUMBER, ANSWER(1) };
static struct sock_filter others_ask[] = { MACHINE, OURS(1), ANSWER(1), ARGUMENT, ANSWER(2) };

static const struct {
    const char *name;
    struct sock_fprog program;
} strange[] = {
    { "the machine is not looked at first", { ARRAY_LEN(without_machine), without_machine } },
    { "hardly anything", { ARRAY_LEN(too_short), too_short } },
    { "the number is changed", { ARRAY_LEN(masked), masked } },
    { "there is no answer", { ARRAY_LEN(without_end), without_end } },
    { "a jump leads outside", { ARRAY_LEN(jump_outside), jump_outside } },
    { "other machines' arguments count", { ARRAY_LEN(others_ask), others_ask } },
};

TEST(another_kind_of_program_is_left_as_it_is)
{
    for (size_t i = 0; i < ARRAY_LEN(strange); i++) {
        struct sock_fprog out = { 7, NULL };

        test_case = strange[i].name;
        EXPECT_EQ(filter_shorten(&strange[i].program, &out), ST_UNSUPPORTED);
        EXPECT_EQ(out.len, 7);
    }
    test_case = NULL;
}

/* Every second number gets another answer, so that each is a run of its own. */
static enum status shorten_runs(uint32_t compared)
{
    static struct sock_filter code[BPF_MAXINSNS];
    struct sock_fprog out = { 0, NULL };
    size_t len = 0;

    code[len++] = (struct sock_filter)MACHINE;
    code[len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
    code[len++] = (struct sock_filter)ANSWER(9);
    code[len++] = (struct sock_filter)NUMBER;
    for (uint32_t i = 0; i < compared; i++) {
        code[len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 2 * i, 0, 1);
        code[len++] = (struct sock_filter)ANSWER(1);
    }
    code[len++] = (struct sock_filter)ANSWER(2);
    enum status st = filter_shorten(&(struct sock_fprog){ (unsigned short)len, code }, &out);
    free(out.filter);
    return st;
}

TEST(what_would_need_a_longer_jump_is_left_as_it_is)
{
    EXPECT_EQ(shorten_runs(1), ST_OK);
    EXPECT_EQ(shorten_runs(128), ST_OK);    /* 256 runs: the lower half are 255 instructions */
    EXPECT_EQ(shorten_runs(129), ST_LIMIT); /* one more on the lower side */
    EXPECT_EQ(shorten_runs(300), ST_LIMIT);
}
