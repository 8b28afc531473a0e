/* Runs the registered tests in the order of their file and prints TAP. */
#include "tests/unit/check.h"

const char *test_case;

static struct test *first;
static struct test **last = &first;
static unsigned failures;

void test_register(struct test *test)
{
    *last = test;
    last = &test->next;
}

static void failed(const char *file, int line, const char *what)
{
    failures++;
    (void)printf("# %s:%d: %s%s%s\n", file, line, what,
                 test_case == NULL ? "" : "  in case: ", test_case == NULL ? "" : test_case);
}

void test_expect(bool ok, const char *file, int line, const char *what)
{
    if (!ok)
        failed(file, line, what);
}

void test_expect_eq(long long got, long long want, const char *file, int line, const char *what)
{
    if (got == want)
        return;
    failed(file, line, what);
    (void)printf("#   got %lld, want %lld\n", got, want);
}

void test_expect_text(
    const char *got, const char *want, const char *file, int line, const char *what)
{
    if (got == want || (got != NULL && want != NULL && strcmp(got, want) == 0))
        return;
    failed(file, line, what);
    (void)printf("#   got  %s\n#   want %s\n", got == NULL ? "(null)" : got,
                 want == NULL ? "(null)" : want);
}

int main(void)
{
    unsigned count = 0;
    unsigned bad = 0;

    for (struct test *test = first; test != NULL; test = test->next) {
        unsigned before = failures;

        test_case = NULL;
        test->run();
        count++;
        if (failures != before)
            bad++;
        (void)printf("%sok %u - %s\n", failures == before ? "" : "not ", count, test->name);
        (void)fflush(stdout);
    }
    (void)printf("1..%u\n", count);
    return bad == 0 ? 0 : 1;
}
