#include "controlplane/replica/state_doubt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/unit/check.h"

/* The folders of earlier tests are noted still: what is raised is raised for them, too. */
static char paths[3][STATE_DOUBT_PATH_BYTES];

static void clear_all(void)
{
    for (size_t i = 0; i < ARRAY_LEN(paths); i++)
        state_doubt_clear(paths[i]);
}

TEST(rows_are_doubted_from_a_failure_until_they_are_made_anew)
{
    char one[] = "/tmp/test_doubt.XXXXXX";
    char two[] = "/tmp/test_doubt.XXXXXX";
    const char *path = paths[0];
    const char *other = paths[1];

    CHECK(mkdtemp(one) != NULL && mkdtemp(two) != NULL);
    state_doubt_path(one, paths[0]);
    state_doubt_path(two, paths[1]);
    EXPECT(strcmp(path, other) != 0);
    EXPECT(!state_doubt_stands(path));
    state_doubt_raise_all();
    EXPECT(state_doubt_stands(path));
    EXPECT(state_doubt_stands(other)); /* its disk is the same most likely */
    state_doubt_clear(path);
    EXPECT(!state_doubt_stands(path));
    EXPECT(state_doubt_stands(other));
    clear_all();
    EXPECT_EQ(rmdir(one), 0);
    EXPECT_EQ(rmdir(two), 0);
}

TEST(rows_of_a_folder_that_cannot_be_named_are_always_doubted)
{
    char path[STATE_DOUBT_PATH_BYTES];

    state_doubt_path("/tmp/test_doubt.is-not-there", path);
    EXPECT_EQ(path[0], '\0');
    EXPECT(state_doubt_stands(path));
    state_doubt_clear(path);
    EXPECT(state_doubt_stands(path));
}

TEST(what_somebody_else_put_there_is_a_doubt_and_is_not_followed)
{
    char dir[] = "/tmp/test_doubt.XXXXXX";
    const char *path = paths[2];

    CHECK(mkdtemp(dir) != NULL);
    state_doubt_path(dir, paths[2]);
    EXPECT_EQ(symlink("/tmp/test_doubt.is-not-there", path), 0);
    EXPECT(state_doubt_stands(path));
    state_doubt_raise_all();
    EXPECT(access("/tmp/test_doubt.is-not-there", F_OK) < 0);
    clear_all();
    EXPECT(!state_doubt_stands(path));
    EXPECT_EQ(rmdir(dir), 0);
}

TEST(folders_beyond_those_that_are_noted_are_always_doubted)
{
    char dirs[STATE_DOUBTS_MAX + 1][32];
    char path[STATE_DOUBT_PATH_BYTES] = "";
    unsigned named = 0;

    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        (void)snprintf(dirs[i], sizeof dirs[i], "/tmp/test_doubt.XXXXXX");
        CHECK(mkdtemp(dirs[i]) != NULL);
        state_doubt_path(dirs[i], path);
        named += path[0] != '\0';
    }
    EXPECT(named > 0 && named < STATE_DOUBTS_MAX + 1);
    EXPECT(state_doubt_stands(path));
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++)
        EXPECT_EQ(rmdir(dirs[i]), 0);
}
