#include "base/config.h"

#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/check.h"

static const struct config_option options[] = {
    { "node", "name", NULL, "name of this node", CONFIG_TEXT, .min = 1, .max = 5 },
    { "node", "zone", "a", "its zone", CONFIG_TEXT },
    { "raft", "listen", "127.0.0.1:4576", "where the other members connect", CONFIG_ADDRESS },
    { "raft", "batch", "16", "commands an entry", CONFIG_UNSIGNED, .min = 1, .max = 64 },
    { "raft", "sync", "yes", "sync the log", CONFIG_BOOLEAN },
    { "raft", "peer", NULL, "another member", CONFIG_ADDRESS, .optional = true },
    { "keys", "access key", NULL, "its secret", CONFIG_ENTRIES },
    { 0 },
};

static char path[64];
static char config_flag[] = "--config";
static char program[] = "program";

static enum status load(const char *file, const char *flags, struct config **out, struct err *err)
{
    char text[512];
    char *argv[16] = { program };
    int argc = 1;
    char *rest = NULL;

    (void)snprintf(text, sizeof text, "%s", flags);
    for (char *flag = strtok_r(text, " ", &rest); flag != NULL; flag = strtok_r(NULL, " ", &rest))
        argv[argc++] = flag;
    if (file != NULL) {
        int fd;

        (void)snprintf(path, sizeof path, "/tmp/test_config.XXXXXX");
        fd = mkstemp(path);
        CHECK(fd >= 0);
        CHECK(write(fd, file, strlen(file)) == (ssize_t)strlen(file));
        (void)close(fd);
        argv[argc++] = config_flag;
        argv[argc++] = path;
    }
    {
        enum status st = config_load(options, argc, argv, out, err);

        if (file != NULL)
            (void)unlink(path);
        return st;
    }
}

TEST(flags_win_over_the_file_and_the_file_over_defaults)
{
    struct config *config = NULL;
    struct err err = { 0 };
    const char *key;
    const char *value;

    EXPECT_EQ(load("# comment\n[node]\nname = n1\n[raft]\nbatch=32 ; why\nsync = off\n"
                   "[keys]\ntest = test\nother = a=b c\n",
                   "--raft.batch=64 --keys.more=x --keys.test=flag", &config, &err),
              ST_OK);
    EXPECT_TEXT(err.text, "");
    EXPECT_TEXT(config_text(config, "node", "name"), "n1");
    EXPECT(config_declares(config, "node", "name"));
    EXPECT(!config_declares(config, "node", "nickname") &&
           !config_declares(config, "name", "node"));
    EXPECT_TEXT(config_text(config, "node", "zone"), "a");
    EXPECT_TEXT(config_text(config, "raft", "listen"), "127.0.0.1:4576");
    EXPECT_EQ(config_unsigned(config, "raft", "batch"), 64);
    EXPECT(!config_boolean(config, "raft", "sync"));
    EXPECT(config_text(config, "raft", "peer") == NULL);
    EXPECT_EQ(config_entry_count(config, "keys"), 3);
    EXPECT_TEXT(config_entry(config, "keys", "test"), "flag");
    EXPECT_TEXT(config_entry(config, "keys", "other"), "a=b c");
    EXPECT(config_entry(config, "keys", "none") == NULL);
    config_entry_at(config, "keys", 2, &key, &value);
    EXPECT_TEXT(key, "other");
    config_free(config);
}

static const struct {
    const char *name;
    const char *file; /* NULL: none */
    const char *flags;
    const char *want; /* in the error */
} wrong_rows[] = {
    // clang-format off
    { "unknown key", "[node]\nname=a\n[raft]\nlisen=1\n", "", ":4: unknown option \"raft.lisen\"; the nearest is \"raft.listen\"" },
    { "unknown section", "[rafft]\nlisten=1\n", "", ":2: unknown option \"rafft.listen\"; the nearest is \"raft.listen\"" },
    { "unknown flag", NULL, "--node.nam=a", "--node.nam: unknown option \"node.nam\"; the nearest is \"node.name\"" },
    { "before any section", "name=a\n", "", ":1: unknown option \".name\"; the nearest is \"node.name\"" },
    { "twice in the file", "[node]\nname=a\nname=b\n", "", ":3: node.name is set twice, first in line 2" },
    { "twice by flag", NULL, "--node.name=a --node.name=b", "--node.name: given twice" },
    { "an entry twice", "[keys]\na=1\na=2\n", "--node.name=a", ":3: keys.a is set twice" },
    { "a continued line", "[node]\nname=a\n zone\n", "", ":3: node.name is set twice" },
    { "not a setting", "[node]\nname\n", "", ":2: want [section] or key = value" },
    { "missing", "[raft]\nbatch=1\n", "", "option node.name is missing: name of this node" },
    { "text too long", NULL, "--node.name=abcdef", "6 bytes, want 1 to 5" },
    { "text too short", NULL, "--node.name=", "0 bytes, want 1 to 5" },
    { "number too small", NULL, "--node.name=a --raft.batch=0", "--raft.batch: 0 is not within 1 to 64" },
    { "number too large", NULL, "--node.name=a --raft.batch=65", "65 is not within 1 to 64" },
    { "negative", NULL, "--node.name=a --raft.batch=-1", "\"-1\" is not a whole number" },
    { "overflow", NULL, "--node.name=a --raft.batch=99999999999999999999", "is not a whole number" },
    { "not a number", NULL, "--node.name=a --raft.batch=1x", "\"1x\" is not a whole number" },
    { "not a boolean", NULL, "--node.name=a --raft.sync=maybe", "neither yes nor no" },
    { "not an address", NULL, "--node.name=a --raft.listen=localhost", "--raft.listen: address \"localhost\"" },
    { "not a flag", NULL, "node.name=a", "want --config FILE or --section.key=value" },
    { "no value", NULL, "--node.name", "want --config FILE or --section.key=value" },
    { "no file", NULL, "--config=/nonexistent/x", "open configuration /nonexistent/x: No such file" },
    // clang-format on
};

TEST(what_is_wrong_is_named_with_its_place)
{
    for (size_t i = 0; i < ARRAY_LEN(wrong_rows); i++) {
        struct config *config = NULL;
        struct err err = { 0 };

        test_case = wrong_rows[i].name;
        EXPECT(load(wrong_rows[i].file, wrong_rows[i].flags, &config, &err) != ST_OK);
        EXPECT(config == NULL);
        if (strstr(err.text, wrong_rows[i].want) == NULL)
            EXPECT_TEXT(err.text, wrong_rows[i].want);
    }
}

TEST(a_line_longer_than_the_reader_takes_is_refused_not_cut)
{
    struct config *config = NULL;
    struct err err = { 0 };
    char file[6000] = "[node]\nname=a\nzone=";

    memset(file + strlen(file), 'x', 5000);
    EXPECT_EQ(load(file, "", &config, &err), ST_BAD_INPUT);
    EXPECT(strstr(err.text, ":3: the line is longer than") != NULL);
}

TEST(help_lists_every_option_with_its_default)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    config_print_help(options, "program", "does it", out);
    (void)fclose(out);
    EXPECT(strstr(text, "program: does it") != NULL);
    EXPECT(strstr(text, "--node.name=TEXT\n      name of this node (required)") != NULL);
    EXPECT(strstr(text, "--raft.batch=NUMBER\n      commands an entry (default 16)") != NULL);
    EXPECT(strstr(text, "--keys.<access key>=TEXT") != NULL);
    free(text);
}
