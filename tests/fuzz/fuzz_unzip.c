/* Packages: whatever a file is, it is unpacked or refused, within its limits, and nothing is
 * written beside the folder that it is unpacked into. */
#include "worker/spawner/unzip.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "tests/fuzz/fuzz.h"
#include "worker/spawner/unzip_rules.h"

enum { BYTES_MAX = 65536, FILES_MAX = 50, WALK_FDS = 8 };

static char parent[] = "/tmp/lapwing-fuzz-unzip-XXXXXX";
static char folder[64];
static uint64_t bytes;
static unsigned entries;

static int count_entry(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    if (ftw->level == 0)
        return 0;
    entries++;
    CHECK(S_ISREG(info->st_mode) || S_ISDIR(info->st_mode) || S_ISLNK(info->st_mode));
    CHECK((info->st_mode & (S_ISUID | S_ISGID | S_IWOTH)) == 0 || S_ISLNK(info->st_mode));
    if (S_ISREG(info->st_mode))
        bytes += (uint64_t)info->st_size;
    return 0;
}

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *ftw)
{
    return remove(path);
}

static void remove_parent(void)
{
    (void)nftw(parent, remove_entry, WALK_FDS, FTW_DEPTH | FTW_PHYS);
}

static void prepare(void)
{
    if (folder[0] != '\0')
        return;
    CHECK(mkdtemp(parent) != NULL);
    (void)snprintf(folder, sizeof folder, "%s/into", parent);
    (void)atexit(remove_parent);
}

static unsigned beside(void)
{
    unsigned count = 0;
    DIR *dir = opendir(parent);

    CHECK(dir != NULL);
    while (readdir(dir) != NULL)
        count++;
    (void)closedir(dir);
    return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct unzip_result result = { 0 };
    struct err err = { 0 };
    enum status st;
    int zip = memfd_create("zip", MFD_CLOEXEC);
    int into;

    prepare();
    CHECK(zip >= 0 && write(zip, data, len) == (ssize_t)len);
    CHECK(mkdir(folder, 0755) == 0);
    into = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CHECK(into >= 0);
    st = unzip(zip, into, &(struct unzip_limits){ BYTES_MAX, FILES_MAX }, &result, &err);
    CHECK((st == ST_OK) == (err.text[0] == '\0'));
    CHECK(st == ST_OK || st == ST_BAD_INPUT || st == ST_IO);
    CHECK(beside() == 3); /* ".", ".." and the folder */
    bytes = 0;
    entries = 0;
    CHECK(nftw(folder, count_entry, WALK_FDS, FTW_PHYS) == 0);
    CHECK(bytes <= BYTES_MAX && entries <= FILES_MAX);
    if (st == ST_OK)
        CHECK(bytes == result.bytes && entries == result.files);
    (void)close(into);
    (void)close(zip);
    CHECK(nftw(folder, remove_entry, WALK_FDS, FTW_DEPTH | FTW_PHYS) == 0);
    return 0;
}
