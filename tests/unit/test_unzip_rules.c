#include "worker/spawner/unzip_rules.h"

#include "tests/unit/check.h"

static const struct {
    const char *name;
    const char *want; /* NULL: refused */
} paths[] = {
    { "a", "a" },
    { "a/b/c.py", "a/b/c.py" },
    { "./a//b/", "a/b" },
    { "...", "..." },
    { "..a/b..", "..a/b.." },
    { "", "" },
    { ".", "" },
    { "..", NULL },
    { "../a", NULL },
    { "a/../../b", NULL },
    { "a/..", NULL }, /* harmless, but no honest tool writes it */
    { "/etc/passwd", NULL },
    { "//a", NULL },
};

TEST(names_are_cleaned_or_refused)
{
    for (size_t i = 0; i < ARRAY_LEN(paths); i++) {
        char out[UNZIP_PATH_BYTES];
        bool ok;

        test_case = paths[i].name;
        ok = unzip_path_clean(paths[i].name, out);
        EXPECT_EQ(ok, paths[i].want != NULL);
        if (ok && paths[i].want != NULL)
            EXPECT_TEXT(out, paths[i].want);
    }
}

TEST(a_name_of_one_byte_too_many_is_refused)
{
    char name[UNZIP_PATH_BYTES + 2];
    char out[UNZIP_PATH_BYTES];

    memset(name, 'a', sizeof name);
    name[UNZIP_PATH_BYTES - 2] = '\0';
    EXPECT(unzip_path_clean(name, out));
    name[UNZIP_PATH_BYTES - 2] = 'a';
    name[UNZIP_PATH_BYTES - 1] = '\0';
    EXPECT(!unzip_path_clean(name, out));
}

static const struct {
    const char *path, *target;
    bool stays;
} links[] = {
    { "l", "a", true },           { "l", "a/b", true },          { "l", "..", false },
    { "l", "a/..", true },        { "l", "a/../..", false },     { "d/l", "..", true },
    { "d/l", "../e", true },      { "d/l", "../../e", false },   { "d/l", ".././../e", false },
    { "d/e/l", "../../x", true }, { "l", "/etc/passwd", false }, { "l", "", false },
};

TEST(links_stay_inside_or_are_refused)
{
    for (size_t i = 0; i < ARRAY_LEN(links); i++) {
        test_case = links[i].target;
        EXPECT_EQ(unzip_link_stays(links[i].path, links[i].target), links[i].stays);
    }
}

TEST(the_last_end_of_a_zip_says_how_many_entries_it_has)
{
    static uint8_t tail[2 * UNZIP_END_BYTES + UNZIP_LOCATOR_BYTES + 4];
    uint8_t large[UNZIP_END64_BYTES] = { 'P', 'K', 6, 6, [32] = 1, 2, 3, 0, 0, 0, 0, 4 };
    struct unzip_end end;
    uint64_t entries;
    size_t at = UNZIP_END_BYTES + UNZIP_LOCATOR_BYTES;

    EXPECT(!unzip_end_read(tail, sizeof tail, &end));
    memcpy(tail, "PK\005\006\0\0\0\0\0\0\007", 11);
    EXPECT(unzip_end_read(tail, sizeof tail, &end));
    EXPECT_EQ(end.entries, 7);
    EXPECT(!end.is_large);
    memcpy(tail + at, "PK\005\006\0\0\0\0\0\0\010\001", 12);
    EXPECT(unzip_end_read(tail, sizeof tail, &end));
    EXPECT_EQ(end.entries, 0x108);
    EXPECT(!end.is_large);
    memcpy(tail + at - UNZIP_LOCATOR_BYTES, "PK\006\007\0\0\0\0\011", 9);
    EXPECT(unzip_end_read(tail, sizeof tail, &end));
    EXPECT(end.is_large);
    EXPECT_EQ(end.large_at, 9);
    EXPECT(unzip_end64_read(large, &entries));
    EXPECT_EQ(entries, 0x0400000000030201ull);
    large[3] = 5;
    EXPECT(!unzip_end64_read(large, &entries));
    for (size_t len = 0; len < UNZIP_END_BYTES; len++)
        EXPECT(!unzip_end_read(tail + at, len, &end));
}
