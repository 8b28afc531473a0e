#include "controlplane/replica/snapshot_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/hash.h"

enum { READ_BYTES = 65536 };

static void close_quietly(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}
#define AUTO_CLOSE __attribute__((cleanup(close_quietly)))

void snapshot_file_path(const char *dir, uint64_t index, char out[SNAPSHOT_PATH_BYTES])
{
    (void)snprintf(out, SNAPSHOT_PATH_BYTES, "%s/snapshot-%llu.db", dir, (unsigned long long)index);
}

void snapshot_file_tmp_path(const char *dir, char out[SNAPSHOT_PATH_BYTES])
{
    (void)snprintf(out, SNAPSHOT_PATH_BYTES, "%s/snapshot.tmp", dir);
}

void snapshot_file_part_path(const char *dir, char out[SNAPSHOT_PATH_BYTES])
{
    (void)snprintf(out, SNAPSHOT_PATH_BYTES, "%s/snapshot.part", dir);
}

static enum status hash_file(int fd,
                             const char *path,
                             uint64_t *out_bytes,
                             uint8_t sha256[SNAPSHOT_HASH_BYTES],
                             struct err *err)
{
    struct hash hash = { 0 };
    uint8_t block[READ_BYTES];
    uint64_t bytes = 0;
    ssize_t got;

    hash_init(&hash, HASH_SHA256);
    while ((got = pread(fd, block, sizeof block, (off_t)bytes)) > 0) {
        hash_add(&hash, bytes_of(block, (size_t)got));
        bytes += (uint64_t)got;
    }
    if (got < 0) {
        hash_done(&hash);
        return err_set_errno(err, ST_IO, errno, "read %s", path);
    }
    hash_end(&hash, sha256);
    *out_bytes = bytes;
    return ST_OK;
}

enum status snapshot_file_describe(const char *path, struct snapshot_meta *meta, struct err *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return err_set_errno(err, ST_IO, errno, "open %s", path);
    return hash_file(fd, path, &meta->bytes, meta->sha256, err);
}

enum status snapshot_file_verify(const char *path,
                                 const struct snapshot_meta *meta,
                                 struct err *err)
{
    AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t sha256[SNAPSHOT_HASH_BYTES];
    uint64_t bytes = 0;
    enum status st;

    if (fd < 0)
        return err_set_errno(err, errno == ENOENT ? ST_CORRUPT : ST_IO, errno, "open %s", path);
    st = hash_file(fd, path, &bytes, sha256, err);
    if (st != ST_OK)
        return st;
    if (bytes != meta->bytes || memcmp(sha256, meta->sha256, sizeof sha256) != 0)
        return err_set(err, ST_CORRUPT, "%s does not match its hash", path);
    return ST_OK;
}

enum status snapshot_file_store(const char *dir, const char *from, uint64_t index, struct err *err)
{
    AUTO_CLOSE int fd = open(from, O_RDONLY | O_CLOEXEC);
    char to[SNAPSHOT_PATH_BYTES];

    if (fd < 0)
        return err_set_errno(err, ST_IO, errno, "open %s", from);
    if (fsync(fd) < 0)
        return err_set_errno(err, ST_IO, errno, "sync %s", from);
    snapshot_file_path(dir, index, to);
    if (rename(from, to) < 0)
        return err_set_errno(err, status_of_errno(errno), errno, "rename %s", from);
    return folder_sync(AT_FDCWD, dir, err);
}

static enum status copy_bytes(const char *from, const char *to, struct err *err)
{
    enum { PIECE_BYTES = 64 << 20 };
    AUTO_CLOSE int in = open(from, O_RDONLY | O_CLOEXEC);
    AUTO_CLOSE int out = -1;
    ssize_t got;

    if (in < 0)
        return err_set_errno(err, ST_IO, errno, "open %s", from);
    out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (out < 0)
        return err_set_errno(err, status_of_errno(errno), errno, "create %s", to);
    while ((got = copy_file_range(in, NULL, out, NULL, PIECE_BYTES, 0)) > 0)
        continue;
    if (got < 0)
        return err_set_errno(err, status_of_errno(errno), errno, "copy %s", from);
    return ST_OK;
}

enum status snapshot_file_copy(const char *from, const char *to, struct err *err)
{
    char temporary[SNAPSHOT_PATH_BYTES];
    enum status st;

    (void)snprintf(temporary, sizeof temporary, "%s.new", to);
    (void)unlink(temporary); /* of a start that was cut short */
    st = copy_bytes(from, temporary, err);
    if (st == ST_OK && rename(temporary, to) < 0)
        st = err_set_errno(err, status_of_errno(errno), errno, "rename %s", temporary);
    if (st != ST_OK)
        (void)unlink(temporary);
    return st;
}

void snapshot_file_sweep(const char *dir, uint64_t index)
{
    char keep[SNAPSHOT_PATH_BYTES];
    DIR *folder = opendir(dir);
    struct dirent *entry;

    if (folder == NULL)
        return;
    (void)snprintf(keep, sizeof keep, "snapshot-%llu.db", (unsigned long long)index);
    while ((entry = readdir(folder)) != NULL) {
        if (strncmp(entry->d_name, "snapshot-", 9) != 0)
            continue;
        if (index != 0 && strcmp(entry->d_name, keep) == 0)
            continue;
        (void)unlinkat(dirfd(folder), entry->d_name, 0); /* best effort: tried again next time */
    }
    (void)closedir(folder);
}
