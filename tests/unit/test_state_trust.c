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
