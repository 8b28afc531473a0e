#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"
#include "worker/runtime/runtimes.h"

static const struct {
    const char *name;
    enum runtime_family family;
    unsigned version;
} names[] = {
    { "python3.11", RUNTIME_PYTHON, 11 },       { "python3.9", RUNTIME_PYTHON, 9 },
    { "python2.7", RUNTIME_OTHER, 0 },          { "python3.", RUNTIME_OTHER, 0 },
    { "python3.11x", RUNTIME_OTHER, 0 },        { "python3.1111", RUNTIME_OTHER, 0 },
    { "nodejs20.x", RUNTIME_NODE, 20 },         { "nodejs20", RUNTIME_OTHER, 0 },
    { "nodejs.x", RUNTIME_OTHER, 0 },           { "nodejs02.x", RUNTIME_OTHER, 0 },
    { "provided.al2023", RUNTIME_PROVIDED, 0 }, { "provided", RUNTIME_PROVIDED, 0 },
    { "providedx", RUNTIME_OTHER, 0 },          { "", RUNTIME_OTHER, 0 },
};

TEST(a_name_says_family_and_version)
{
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        unsigned version;

        test_case = names[i].name;
        EXPECT_EQ(runtime_family(names[i].name, &version), names[i].family);
        if (names[i].family != RUNTIME_OTHER)
            EXPECT_EQ(version, names[i].version);
    }
}

static void add(struct runtimes *runtimes, const char *name, const char *program)
{
    struct runtime runtime = { .name = "" };

    (void)snprintf(runtime.name, sizeof runtime.name, "%s", name);
    (void)snprintf(runtime.present, sizeof runtime.present, "%s", name);
    (void)snprintf(runtime.program, sizeof runtime.program, "%s", program);
    runtimes_add(runtimes, &runtime);
}

static const struct {
    const char *asked, *runs; /* NULL: refused */
} mapped[] = {
    { "python3.11", "python3.11" },
    { "python3.8", "python3.9" },
    { "python3.10", "python3.11" }, /* as near as 3.9, and newer */
    { "python3.14", "python3.11" },
    { "python2.7", NULL },
    { "nodejs22.x", "nodejs20.x" },
    { "nodejs", "nodejs20.x" },
    { "provided", "provided.al2023" },
    { "provided.al2", "provided.al2023" },
    { "ruby3.3", NULL },
    { "java21", NULL },
    { "cobol", NULL },
};

TEST(any_known_name_runs_the_nearest_of_its_family)
{
    struct runtimes runtimes = { 0 };

    add(&runtimes, "python3.9", "/usr/bin/python3.9");
    add(&runtimes, "python3.11", "/usr/bin/python3.11");
    add(&runtimes, "nodejs20.x", "/usr/bin/nodejs");
    add(&runtimes, "provided.al2023", "");
    EXPECT(runtimes_find(&runtimes, "python3.14") == NULL); /* not unless it is asked for */
    runtimes_add_any(&runtimes);
    for (size_t i = 0; i < ARRAY_LEN(mapped); i++) {
        const struct runtime *found = runtimes_find(&runtimes, mapped[i].asked);

        test_case = mapped[i].asked;
        EXPECT_TEXT(found == NULL ? NULL : found->present, mapped[i].runs);
    }
}

TEST(a_family_that_is_not_here_is_not_taken)
{
    struct runtimes runtimes = { 0 };

    add(&runtimes, "provided.al2023", "");
    runtimes_add_any(&runtimes);
    EXPECT(runtimes_find(&runtimes, "nodejs20.x") == NULL);
    EXPECT(runtimes_find(&runtimes, "python3.11") == NULL);
}

static void command_text(const char *name, const char *program, uint32_t mb, char out[512])
{
    struct runtimes runtimes = { 0 };
    struct runtime_command command;
    size_t len = 0;

    add(&runtimes, name, program);
    runtime_command(&runtimes.list[0], mb, &command);
    for (size_t i = 0; i < command.count; i++)
        len += (size_t)snprintf(out + len, 512 - len, "%s%s", i == 0 ? "" : " ", command.args[i]);
}

TEST(each_family_has_its_command_line)
{
    char text[512];

    command_text("python3.11", "/usr/bin/python3.11", 128, text);
    EXPECT_TEXT(text, "/usr/bin/python3.11 -S -u /var/runtime/bootstrap.py");
    command_text("nodejs20.x", "/usr/bin/nodejs", 10240, text);
    EXPECT_TEXT(text, "/usr/bin/nodejs --max-old-space-size=9216 --max-semi-space-size=512 "
                      "--max-http-header-size=81920 --expose-gc /var/runtime/bootstrap.cjs");
    command_text("provided.al2", "", 128, text);
    EXPECT_TEXT(text, "/var/task/bootstrap");
}
