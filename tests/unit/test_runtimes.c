/* Probing of folders that the test makes, with a program that says any version. */
#include "worker/runtime/runtimes.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/check.h"

static void make_interpreter(const char *root, const char *program, const char *version)
{
    char path[PATH_MAX];
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/usr", root);
    (void)mkdir(path, 0755);
    (void)snprintf(path, sizeof path, "%s/usr/bin", root);
    (void)mkdir(path, 0755);
    (void)snprintf(path, sizeof path, "%s/usr/bin/%s", root, program);
    EXPECT_EQ(symlink(getenv("LAPWING_FAKE_INTERPRETER"), path), 0);
    (void)snprintf(path, sizeof path, "%s/usr/bin/%s.version", root, program);
    file = fopen(path, "we");
    EXPECT(file != NULL);
    (void)fputs(version, file);
    (void)fclose(file);
}

static void remove_folder(const char *root)
{
    char command[PATH_MAX];

    (void)snprintf(command, sizeof command, "rm -r '%s'", root);
    EXPECT_EQ(system(command), 0); /* NOLINT: a path of ours */
}

static const struct {
    const char *name, *program, *version;
    enum status want;
} roots[] = {
    { "nodejs22.x", "node", "v22.4.0", ST_OK },
    { "nodejs22.x", "nodejs", "v22.4.0", ST_OK },
    { "nodejs22.x", "node", "v20.20.2", ST_BAD_INPUT },
    { "nodejs22.x", "node", "Node 22", ST_BAD_INPUT },
    { "nodejs22.x", "node", "", ST_BAD_INPUT },
    { "nodejs22.x", "python3.11", "Python 3.11.1", ST_BAD_INPUT },
    { "python3.14", "python3.14", "Python 3.14.0", ST_OK },
    { "python3.14", "python3.14", "Python 3.11.2", ST_BAD_INPUT },
    { "provided.al2", "nothing", "", ST_OK },
    { "ruby3.3", "ruby3.3", "ruby 3.3", ST_BAD_INPUT },
    { "nodejs", "node", "v22.4.0", ST_BAD_INPUT },
};

TEST(a_root_holds_the_version_that_it_is_said_to_or_is_refused)
{
    for (size_t i = 0; i < ARRAY_LEN(roots); i++) {
        char root[] = "/tmp/lapwing-runtimes-XXXXXX";
        struct runtime_sources sources = { .root = "/nowhere", .count = 1 };
        struct runtimes found;
        struct err err = { 0 };

        test_case = roots[i].version;
        EXPECT(mkdtemp(root) != NULL);
        make_interpreter(root, roots[i].program, roots[i].version);
        sources.list[0].name = roots[i].name;
        sources.list[0].root = root;
        EXPECT_EQ(runtimes_probe(&sources, &found, &err), roots[i].want);
        if (roots[i].want == ST_OK)
            EXPECT(runtimes_find(&found, roots[i].name) != NULL);
        else
            EXPECT(strstr(err.text, roots[i].name) != NULL);
        remove_folder(root);
    }
}

TEST(a_root_that_is_no_folder_is_refused)
{
    static const char *const paths[] = { "/nowhere", "relative", "/dev/null", "" };

    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        struct runtime_sources sources = { .root = "/", .count = 1 };
        struct runtimes found;
        struct err err = { 0 };

        test_case = paths[i];
        sources.list[0].name = "provided.al2";
        sources.list[0].root = paths[i];
        EXPECT_EQ(runtimes_probe(&sources, &found, &err), ST_BAD_INPUT);
    }
}

TEST(the_hosts_node_is_the_package_not_the_first_in_path)
{
    char root[] = "/tmp/lapwing-runtimes-XXXXXX";
    struct runtime_sources sources = { .root = root };
    struct runtimes found;
    struct err err = { 0 };

    EXPECT(mkdtemp(root) != NULL);
    make_interpreter(root, "node", "v24.0.0");
    make_interpreter(root, "nodejs", "v18.20.4");
    make_interpreter(root, "python3.12", "not asked");
    EXPECT_EQ(runtimes_probe(&sources, &found, &err), ST_OK);
    EXPECT_TEXT(runtimes_find(&found, "nodejs18.x")->program, "/usr/bin/nodejs");
    EXPECT(runtimes_find(&found, "nodejs24.x") == NULL);
    EXPECT(runtimes_find(&found, "python3.12") != NULL);
    EXPECT(runtimes_find(&found, "python3.11") == NULL);
    EXPECT(runtimes_find(&found, "provided.al2023") != NULL);
    remove_folder(root);
}
