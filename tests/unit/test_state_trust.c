#include "controlplane/replica/state_trust.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/check.h"

TEST(trust_is_given_to_one_folder_until_it_is_withdrawn)
{
    char one[] = "/tmp/test_trust.XXXXXX";
    char two[] = "/tmp/test_trust.XXXXXX";
    char path[STATE_TRUST_PATH_BYTES];
    char other[STATE_TRUST_PATH_BYTES];

    CHECK(mkdtemp(one) != NULL && mkdtemp(two) != NULL);
    state_trust_path(one, path);
    state_trust_path(two, other);
    EXPECT(strcmp(path, other) != 0);
    EXPECT(!state_trust_given(path));
    state_trust_give(path);
    EXPECT(state_trust_given(path));
    EXPECT(!state_trust_given(other));
    state_trust_withdraw(path);
    EXPECT(!state_trust_given(path));
    EXPECT_EQ(rmdir(one), 0);
    state_trust_path(one, path);
    EXPECT_EQ(path[0], '\0'); /* no folder, no trust */
    state_trust_give(path);
    EXPECT(!state_trust_given(path));
    EXPECT_EQ(rmdir(two), 0);
}

TEST(what_somebody_else_put_there_is_no_trust)
{
    char dir[] = "/tmp/test_trust.XXXXXX";
    char path[STATE_TRUST_PATH_BYTES];

    CHECK(mkdtemp(dir) != NULL);
    state_trust_path(dir, path);
    EXPECT_EQ(symlink("/dev/null", path), 0);
    EXPECT(!state_trust_given(path));
    state_trust_withdraw(path);
    if (geteuid() == 0) {
        state_trust_give(path);
        EXPECT_EQ(chown(path, 12345, 12345), 0);
        EXPECT(!state_trust_given(path));
        state_trust_withdraw(path);
    }
    EXPECT_EQ(rmdir(dir), 0);
}

TEST(all_is_withdrawn_at_once_and_no_more_folders_are_trusted_than_can_be)
{
    char dirs[STATE_TRUST_MAX + 4][32];
    char paths[ARRAY_LEN(dirs)][STATE_TRUST_PATH_BYTES];
    unsigned trusted = 0;

    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        (void)snprintf(dirs[i], sizeof dirs[i], "/tmp/test_trust.XXXXXX");
        CHECK(mkdtemp(dirs[i]) != NULL);
        state_trust_path(dirs[i], paths[i]);
        state_trust_give(paths[i]);
        trusted += state_trust_given(paths[i]);
    }
    EXPECT(trusted > 0 && trusted <= STATE_TRUST_MAX);
    EXPECT(!state_trust_given(paths[ARRAY_LEN(dirs) - 1]));
    state_trust_withdraw_all();
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        EXPECT(!state_trust_given(paths[i]));
        EXPECT_EQ(rmdir(dirs[i]), 0);
    }
}
