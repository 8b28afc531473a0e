/* Files of the blob store:
 *
 *   DIR/blobs/aa/bb/<64 hexadecimal digits>   a blob, whole and synced
 *   DIR/tmp/<number>                          being written; swept at start
 *   DIR/bad/<64 hexadecimal digits>           found corrupt; for the operator to look at
 *
 * Owned by struct blob_store; pool threads share it without a lock (see blob_disk.h). */
#include "objstore/blobs/blob_disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"
#include "base/folder.h"
#include "base/hash.h"

static void close_quietly(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
}
#define AUTO_CLOSE __attribute__((cleanup(close_quietly)))

/* "blobs/aa/bb/<hex>"; `depth` cuts it: 1 blobs/aa, 2 blobs/aa/bb, 3 all. */
static void blob_path(const struct blob_id *id, int depth, char out[BLOB_PATH_BYTES])
{
    char hex[BLOB_ID_BYTES * 2 + 1];

    hex_encode(bytes_of(id->sha256, BLOB_ID_BYTES), hex);
    if (depth == 1)
        (void)snprintf(out, BLOB_PATH_BYTES, "blobs/%.2s", hex);
    else if (depth == 2)
        (void)snprintf(out, BLOB_PATH_BYTES, "blobs/%.2s/%.2s", hex, hex + 2);
    else
        (void)snprintf(out, BLOB_PATH_BYTES, "blobs/%.2s/%.2s/%s", hex, hex + 2, hex);
}

static enum status make_folder(int dir_fd, const char *path, struct err *err)
{
    if (mkdirat(dir_fd, path, 0750) < 0 && errno != EEXIST)
        return err_set_errno(err, errno == ENOSPC ? ST_LIMIT : ST_IO, errno, "make folder %s",
                             path);
    return ST_OK;
}

/* The folder of a blob, made and known to be on disk. */
static enum status ensure_folder(struct blob_disk *disk, const struct blob_id *id, struct err *err)
{
    unsigned slot = (unsigned)id->sha256[0] << 8 | id->sha256[1];
    char path[BLOB_PATH_BYTES];
    enum status st;

    if (atomic_load(&disk->synced[slot]))
        return ST_OK;
    blob_path(id, 1, path);
    st = make_folder(disk->dir_fd, path, err);
    if (st == ST_OK)
        st = folder_sync(disk->dir_fd, "blobs", err);
    if (st != ST_OK)
        return st;
    blob_path(id, 2, path);
    st = make_folder(disk->dir_fd, path, err);
    if (st != ST_OK)
        return st;
    blob_path(id, 1, path);
    st = folder_sync(disk->dir_fd, path, err);
    if (st == ST_OK)
        atomic_store(&disk->synced[slot], true);
    return st;
}

static enum status sweep(int dir_fd, struct err *err)
{
    int fd = openat(dir_fd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const struct dirent *entry;
    DIR *dir;

    if (fd < 0)
        return err_set_errno(err, ST_IO, errno, "open folder tmp");
    dir = fdopendir(fd);
    if (dir == NULL) {
        (void)close(fd);
        return err_set_errno(err, ST_IO, errno, "read folder tmp");
    }
    while ((entry = readdir(dir)) != NULL)
        if (entry->d_name[0] != '.')
            (void)unlinkat(fd, entry->d_name, 0);
    (void)closedir(dir);
    return ST_OK;
}

enum status blob_disk_open(struct blob_disk *disk, const char *dir, struct err *err)
{
    static const char *const folders[] = { "blobs", "tmp", "bad" };
    enum status st;

    st = folder_make(dir, 0750, 1, err);
    if (st != ST_OK)
        return st;
    disk->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (disk->dir_fd < 0)
        return err_set_errno(err, ST_IO, errno, "open folder %s", dir);
    for (size_t i = 0; i < ARRAY_LEN(folders); i++) {
        st = make_folder(disk->dir_fd, folders[i], err);
        if (st != ST_OK)
            return st;
    }
    st = folder_sync(disk->dir_fd, ".", err);
    if (st != ST_OK)
        return st;
    return sweep(disk->dir_fd, err);
}

void blob_disk_close(struct blob_disk *disk)
{
    close_quietly(&disk->dir_fd);
    disk->dir_fd = -1;
}

enum status blob_disk_create(struct blob_disk *disk,
                             char out_name[BLOB_PATH_BYTES],
                             int *out_fd,
                             struct err *err)
{
    int fd;

    (void)snprintf(out_name, BLOB_PATH_BYTES, "tmp/%llu",
                   (unsigned long long)atomic_fetch_add(&disk->next_tmp, 1));
    fd = openat(disk->dir_fd, out_name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
    if (fd < 0)
        return err_set_errno(err, errno == ENOSPC ? ST_LIMIT : ST_IO, errno, "create %s", out_name);
    *out_fd = fd;
    return ST_OK;
}

enum status blob_disk_write(int fd, struct bytes data, struct err *err)
{
    while (data.len > 0) {
        ssize_t rv = write(fd, data.data, data.len);

        if (rv < 0 && errno == EINTR)
            continue;
        if (rv < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
            return err_set_errno(err, ST_LIMIT, errno, "write a blob");
        if (rv < 0)
            return err_set_errno(err, ST_IO, errno, "write a blob");
        data = bytes_of(data.data + rv, data.len - (size_t)rv);
    }
    return ST_OK;
}

enum status blob_disk_publish(
    struct blob_disk *disk, int fd, const char *tmp_name, const struct blob_id *id, struct err *err)
{
    char path[BLOB_PATH_BYTES];
    enum status st = ensure_folder(disk, id, err);

    if (st != ST_OK)
        return st;
    /* After a failed sync the kernel may have dropped the pages and call a second sync a success:
     * the caller throws the file away instead. */
    if (fdatasync(fd) < 0)
        return err_set_errno(err, errno == ENOSPC ? ST_LIMIT : ST_IO, errno, "sync %s", tmp_name);
    blob_path(id, 3, path);
    if (renameat(disk->dir_fd, tmp_name, disk->dir_fd, path) < 0)
        return err_set_errno(err, errno == ENOSPC ? ST_LIMIT : ST_IO, errno, "rename %s to %s",
                             tmp_name, path);
    /* The rename is only in the folder's cache until the folder itself is synced. */
    blob_path(id, 2, path);
    return folder_sync(disk->dir_fd, path, err);
}

void blob_disk_drop(struct blob_disk *disk, const char *tmp_name)
{
    (void)unlinkat(disk->dir_fd, tmp_name, 0);
}

enum status blob_disk_find(struct blob_disk *disk,
                           const struct blob_id *id,
                           int *out_fd,
                           uint64_t *out_bytes,
                           struct err *err)
{
    char path[BLOB_PATH_BYTES];
    struct stat info;
    int fd;

    blob_path(id, 3, path);
    fd = openat(disk->dir_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, errno == ENOENT ? ST_NOT_FOUND : ST_IO, errno, "open %s", path);
    if (fstat(fd, &info) < 0) {
        int errnum = errno;

        (void)close(fd);
        return err_set_errno(err, ST_IO, errnum, "look at %s", path);
    }
    *out_fd = fd;
    *out_bytes = (uint64_t)info.st_size;
    return ST_OK;
}

enum status blob_disk_read(int fd, uint64_t offset, uint8_t *out, size_t len, struct err *err)
{
    size_t done = 0;

    while (done < len) {
        ssize_t rv = pread(fd, out + done, len - done, (off_t)(offset + done));

        if (rv < 0 && errno == EINTR)
            continue;
        if (rv < 0)
            return err_set_errno(err, ST_IO, errno, "read a blob");
        if (rv == 0)
            return err_set(err, ST_CORRUPT, "a blob ends at %llu bytes",
                           (unsigned long long)(offset + done));
        done += (size_t)rv;
    }
    return ST_OK;
}

enum status blob_disk_verify(int fd, uint64_t bytes, const struct blob_id *id, struct err *err)
{
    uint8_t *piece = must_calloc(1, BLOB_PIECE_BYTES);
    uint8_t digest[SHA256_BYTES];
    enum status st = ST_OK;
    struct hash hash = { 0 };
    uint64_t offset = 0;

    hash_init(&hash, HASH_SHA256);
    while (offset < bytes && st == ST_OK) {
        uint64_t left = bytes - offset;
        size_t len = left < BLOB_PIECE_BYTES ? (size_t)left : BLOB_PIECE_BYTES;

        st = blob_disk_read(fd, offset, piece, len, err);
        if (st == ST_OK)
            hash_add(&hash, bytes_of(piece, len));
        offset += len;
    }
    hash_end(&hash, digest);
    free(piece);
    if (st == ST_OK && memcmp(digest, id->sha256, sizeof digest) != 0)
        st = err_set(err, ST_CORRUPT, "a blob of %llu bytes is not what its name says",
                     (unsigned long long)bytes);
    return st;
}

void blob_disk_set_aside(struct blob_disk *disk, const struct blob_id *id)
{
    char hex[BLOB_ID_BYTES * 2 + 1];
    char path[BLOB_PATH_BYTES];
    char bad[BLOB_PATH_BYTES];

    hex_encode(bytes_of(id->sha256, BLOB_ID_BYTES), hex);
    blob_path(id, 3, path);
    (void)snprintf(bad, sizeof bad, "bad/%s", hex);
    (void)renameat(disk->dir_fd, path, disk->dir_fd, bad);
}
