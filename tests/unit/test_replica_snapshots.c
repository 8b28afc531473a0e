/* Stored snapshots as a replica reads them for a peer. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/replica/replica_internal.h"
#include "tests/unit/check.h"

enum { INDEX = 7 };

/* As snapshot_file_store() does: under the same name, another file. */
static void store(const char *dir, const char *text)
{
    char from[SNAPSHOT_PATH_BYTES];
    int fd;

    snapshot_file_tmp_path(dir, from);
    fd = open(from, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    CHECK(fd >= 0);
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    CHECK(close(fd) == 0);
    CHECK(snapshot_file_store(dir, from, INDEX, NULL) == ST_OK);
}

/* It is rotten, the peer says; so it is, and another one of the same entry takes its place. */
TEST(after_a_snapshot_was_found_rotten_the_one_in_its_place_is_read)
{
    struct replica *replica = must_calloc(1, sizeof *replica);
    struct snapshot_meta meta = { .index = INDEX, .bytes = 4 };
    char command[REPLICA_PATH_BYTES + 16];
    uint8_t got[4];

    (void)snprintf(replica->dir, sizeof replica->dir, "/tmp/test_replica_snapshots.XXXXXX");
    CHECK(mkdtemp(replica->dir) != NULL);
    CHECK(uv_loop_init(&replica->loop) == 0);
    replica->snapshot_fd = -1;

    store(replica->dir, "bad.");
    EXPECT_EQ(replica_snapshot_read(replica, INDEX, 0, got, sizeof got), ST_OK);
    EXPECT_EQ(memcmp(got, "bad.", sizeof got), 0);
    replica_snapshot_doubt(replica, &meta); /* of another hash */
    EXPECT_EQ(uv_run(&replica->loop, UV_RUN_DEFAULT), 0);
    EXPECT_EQ(replica->verify.st, ST_CORRUPT);

    store(replica->dir, "good");
    EXPECT_EQ(replica_snapshot_read(replica, INDEX, 0, got, sizeof got), ST_OK);
    EXPECT_EQ(memcmp(got, "good", sizeof got), 0);

    EXPECT_EQ(close(replica->snapshot_fd), 0);
    EXPECT_EQ(uv_loop_close(&replica->loop), 0);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", replica->dir);
    EXPECT_EQ(system(command), 0);
    free(replica);
}
