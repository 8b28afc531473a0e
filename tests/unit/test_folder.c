/* What a power cut would take is told by the syncs of folders, which the linker hands to us. */
#include "base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"
#include "tests/unit/check.h"

static struct buf synced; /* the paths, in their order, each behind a space */
static int fails_with;    /* errno of the next sync; 0: it works */

int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    char link[64];
    char path[PATH_MAX];
    ssize_t len;

    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    len = readlink(link, path, sizeof path);
    CHECK(len > 0);
    buf_printf(&synced, " %.*s", (int)len, path);
    errno = fails_with;
    return fails_with == 0 ? 0 : -1;
}

static void begin(char dir[64])
{
    (void)snprintf(dir, 64, "/tmp/test_folder.XXXXXX");
    CHECK(mkdtemp(dir) != NULL);
    CHECK(chdir(dir) == 0);
    synced.len = 0;
    fails_with = 0;
}

static void end(const char *dir)
{
    char command[128];

    CHECK(chdir("/") == 0);
    (void)snprintf(command, sizeof command, "chmod -R 700 '%s' && rm -rf '%s'", dir, dir);
    EXPECT_EQ(system(command), 0);
    buf_done(&synced);
}

/* Each row: what is there, what is made, and which folders are synced: DIR stands for the test's.
 */
static const struct {
    const char *name;
    const char *there; /* NULL: nothing */
    const char *path;
    unsigned levels;
    const char *want;
    enum status status;
} rows[] = {
    { "a new one", NULL, "a", 1, " DIR", ST_OK },
    { "one of a start that was cut short", "a", "a", 1, " DIR", ST_OK },
    { "two new ones, from above", NULL, "a/b", 2, " DIR DIR/a", ST_OK },
    { "one in one that is there", "a", "a/b", 2, " DIR DIR/a", ST_OK },
    { "what is above is not ours", "a", "a/b", 1, " DIR/a", ST_OK },
    { "more levels than the path has", NULL, "a", 3, " DIR", ST_OK },
    { "slashes that say nothing", NULL, "a//b/", 2, " DIR DIR/a", ST_OK },
    { "nothing above it", NULL, "a/b", 1, "", ST_IO },
};

TEST(a_folder_is_made_and_every_name_of_it_that_is_ours_is_synced)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf want = { 0 };
        struct stat info;
        struct err err = { 0 };
        char dir[64];

        test_case = rows[i].name;
        begin(dir);
        if (rows[i].there != NULL)
            CHECK(mkdir(rows[i].there, 0700) == 0);
        for (const char *c = rows[i].want; *c != '\0'; c++) {
            buf_append(&want, c, strncmp(c, "DIR", 3) == 0 ? 0 : 1);
            if (strncmp(c, "DIR", 3) == 0) {
                buf_append_text(&want, dir);
                c += 2;
            }
        }
        EXPECT_EQ(folder_make(rows[i].path, 0750, rows[i].levels, &err), rows[i].status);
        EXPECT_TEXT(buf_text(&synced), buf_text(&want));
        EXPECT_EQ(stat(rows[i].path, &info) == 0 && S_ISDIR(info.st_mode), rows[i].status == ST_OK);
        EXPECT_EQ(err.text[0] == '\0', rows[i].status == ST_OK);
        buf_done(&want);
        end(dir);
    }
}

TEST(an_absolute_path_is_made_like_any_other)
{
    char path[128];
    char dir[64];

    begin(dir);
    (void)snprintf(path, sizeof path, "%s/a/b", dir);
    EXPECT_EQ(folder_make(path, 0750, 2, NULL), ST_OK);
    EXPECT_EQ(access("a/b", F_OK), 0);
    end(dir);
}

TEST(a_path_is_taken_up_to_the_longest_of_the_kernel)
{
    char *path = must_calloc(1, PATH_MAX + 1);
    struct err err = { 0 };
    char dir[64];

    begin(dir);
    memset(path, '/', PATH_MAX);
    path[0] = 'a';
    EXPECT_EQ(folder_make(path, 0750, 1, &err), ST_IO);
    EXPECT(strstr(err.text, "path too long") != NULL);
    memset(path, 0, PATH_MAX);
    memset(path, '/', PATH_MAX - 2);
    memcpy(path, dir, strlen(dir));
    path[PATH_MAX - 2] = 'a';
    EXPECT_EQ(folder_make(path, 0750, 1, &err), ST_OK);
    free(path);
    end(dir);
}

TEST(a_failed_sync_is_a_failed_disk_whatever_its_number_says)
{
    static const int numbers[] = { EIO, ENOSPC };

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++) {
        struct err err = { 0 };
        char dir[64];

        begin(dir);
        fails_with = numbers[i];
        EXPECT_EQ(folder_make("a", 0750, 1, &err), ST_IO);
        EXPECT(strstr(err.text, "sync folder .") != NULL);
        EXPECT_EQ(folder_sync(AT_FDCWD, "a", &err), ST_IO);
        fails_with = 0;
        EXPECT_EQ(folder_sync(AT_FDCWD, "a", &err), ST_OK);
        end(dir);
    }
}

TEST(what_is_no_folder_is_not_synced)
{
    struct err err = { 0 };
    char dir[64];
    int fd;

    begin(dir);
    fd = open("file", O_WRONLY | O_CREAT, 0600);
    CHECK(fd >= 0 && close(fd) == 0);
    EXPECT_EQ(folder_sync(AT_FDCWD, "file", &err), ST_IO);
    EXPECT_TEXT(buf_text(&synced), "");
    end(dir);
}
