/* The unit test harness: TEST() registers, EXPECT*() reports and goes on, main() runs them all.
 *
 * A test's name is a sentence that is true when it passes.  `test_case` names the row of a table
 * and is printed by a failing EXPECT.  Output is TAP, which meson counts. */
#ifndef TESTS_UNIT_CHECK_H
#define TESTS_UNIT_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"

struct test {
    const char *name;
    void (*run)(void);
    struct test *next;
};

extern const char *test_case;

void test_register(struct test *test);
void test_expect(bool ok, const char *file, int line, const char *what);
void test_expect_eq(long long got, long long want, const char *file, int line, const char *what);
void test_expect_text(
    const char *got, const char *want, const char *file, int line, const char *what);

#define TEST(test_name)                                                                            \
    static void test_name(void);                                                                   \
    static struct test test_entry_##test_name = { #test_name, test_name, NULL };                   \
    __attribute__((constructor)) static void test_add_##test_name(void)                            \
    {                                                                                              \
        test_register(&test_entry_##test_name);                                                    \
    }                                                                                              \
    static void test_name(void)

#define EXPECT(condition) test_expect((condition), __FILE__, __LINE__, #condition)
#define EXPECT_EQ(got, want)                                                                       \
    test_expect_eq((long long)(got), (long long)(want), __FILE__, __LINE__, #got " == " #want)
#define EXPECT_TEXT(got, want)                                                                     \
    test_expect_text((got), (want), __FILE__, __LINE__, #got " is " #want)

#endif
