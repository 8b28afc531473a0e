#include "base/file_stamp.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/check.h"

static char folder[] = "/tmp/file-stamp-XXXXXX";
static char path[64];
static char other[64];

static void write_text(const char *where, const char *text)
{
    int fd = open(where, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    EXPECT(fd >= 0);
    EXPECT_EQ(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    EXPECT_EQ(close(fd), 0);
}

static void do_nothing(void)
{
}

static void grow(void)
{
    write_text(path, "longer than before");
}

/* A renewal that keeps length and modification time, as cp -p and mv do. */
static void replace(void)
{
    struct stat info;
    struct timespec times[2];

    EXPECT_EQ(stat(path, &info), 0);
    times[0] = info.st_atim;
    times[1] = info.st_mtim;
    write_text(other, "other");
    EXPECT_EQ(utimensat(AT_FDCWD, other, times, 0), 0);
    EXPECT_EQ(rename(other, path), 0);
}

static void take_away(void)
{
    EXPECT_EQ(unlink(path), 0);
}

static const struct {
    const char *name;
    void (*change)(void);
    bool same;
} rows[] = {
    { "nothing", do_nothing, true },
    { "other bytes in place", grow, false },
    { "another file of that name", replace, false },
    { "none of that name", take_away, false },
};

TEST(a_file_looks_different_after_each_change)
{
    EXPECT(mkdtemp(folder) != NULL);
    (void)snprintf(path, sizeof path, "%s/file", folder);
    (void)snprintf(other, sizeof other, "%s/other", folder);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct file_stamp before;
        struct file_stamp after;

        test_case = rows[i].name;
        write_text(path, "first");
        file_stamp_take(path, &before);
        rows[i].change();
        file_stamp_take(path, &after);
        EXPECT_EQ(file_stamp_equal(&before, &after), rows[i].same);
    }
    EXPECT_EQ(rmdir(folder), 0);
}
