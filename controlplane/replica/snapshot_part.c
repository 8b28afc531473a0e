#include "controlplane/replica/snapshot_part.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/replica/snapshot_file.h"

enum {
    NUMBERS = 4,
    NUMBERS_AT = 8,
    HASH_AT = NUMBERS_AT + NUMBERS * 8,
    CRC_AT = HASH_AT + SNAPSHOT_HASH_BYTES,
    MARK_BYTES = CRC_AT + 4,
    MARK_FORMAT = 1,
    READ_BYTES = 65536,
};
static const char magic[4] = { 'L', 'W', 'S', 'P' };

static void mark_path(const char *dir, const char *tail, char out[SNAPSHOT_PATH_BYTES])
{
    (void)snprintf(out, SNAPSHOT_PATH_BYTES, "%s/snapshot.part.mark%s", dir, tail);
}

static void encode(const struct snapshot_part_point *point, uint8_t out[MARK_BYTES])
{
    const struct snapshot_progress *progress = &point->progress;
    const uint64_t numbers[NUMBERS] = { htole64(progress->index), htole64(progress->term),
                                        htole64(progress->total), htole64(progress->offset) };
    uint32_t format = htole32(MARK_FORMAT);
    uint32_t crc;

    memcpy(out, magic, sizeof magic);
    memcpy(out + 4, &format, sizeof format);
    memcpy(out + NUMBERS_AT, numbers, sizeof numbers);
    memcpy(out + HASH_AT, point->sha256, SNAPSHOT_HASH_BYTES);
    crc = htole32(hash_crc32c(0, bytes_of(out, CRC_AT)));
    memcpy(out + CRC_AT, &crc, sizeof crc);
}

static bool decode(const uint8_t in[MARK_BYTES], struct snapshot_part_point *out)
{
    uint8_t again[MARK_BYTES];
    uint64_t numbers[NUMBERS];

    memcpy(numbers, in + NUMBERS_AT, sizeof numbers);
    out->progress = (struct snapshot_progress){
        .index = le64toh(numbers[0]),
        .term = le64toh(numbers[1]),
        .total = le64toh(numbers[2]),
        .offset = le64toh(numbers[3]),
    };
    memcpy(out->sha256, in + HASH_AT, SNAPSHOT_HASH_BYTES);
    encode(out, again);
    return memcmp(in, again, MARK_BYTES) == 0;
}

/* ---- receiving ---- */

enum status snapshot_part_reset(struct snapshot_part *part,
                                const char *dir,
                                const struct snapshot_progress *which,
                                struct err *err)
{
    char path[SNAPSHOT_PATH_BYTES];

    snapshot_part_close(part);
    mark_path(dir, "", path);
    (void)unlink(path);
    snapshot_file_part_path(dir, path);
    part->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (part->fd < 0)
        return err_set_errno(err, status_of_errno(errno), errno, "create %s", path);
    hash_init(&part->hash, HASH_SHA256);
    part->progress = *which;
    part->progress.offset = 0;
    return ST_OK;
}

enum status snapshot_part_append(struct snapshot_part *part, struct bytes data, struct err *err)
{
    size_t done = 0;

    if (part->fd < 0 || part->hashed)
        return err_set(err, ST_IO, "snapshot.part is not open");
    while (done < data.len) {
        ssize_t wrote = write(part->fd, data.data + done, data.len - done);

        if (wrote < 0)
            return err_set_errno(err, status_of_errno(errno), errno, "write snapshot.part");
        done += (size_t)wrote;
    }
    hash_add(&part->hash, data);
    part->progress.offset += data.len;
    return ST_OK;
}

void snapshot_part_hash(struct snapshot_part *part, uint8_t out[SNAPSHOT_HASH_BYTES])
{
    if (part->fd >= 0 && !part->hashed) {
        hash_end(&part->hash, part->sha256);
        part->hashed = true;
    }
    memcpy(out, part->sha256, SNAPSHOT_HASH_BYTES);
}

void snapshot_part_close(struct snapshot_part *part)
{
    if (part->fd >= 0)
        (void)close(part->fd);
    hash_done(&part->hash);
    *part = (struct snapshot_part){ .fd = -1 };
}

/* ---- what is on the disk of it ---- */

bool snapshot_part_point(struct snapshot_part *part, struct snapshot_part_point *out)
{
    if (part->fd < 0 || part->hashed ||
        part->progress.offset - part->noted < SNAPSHOT_PART_SYNC_BYTES)
        return false;
    out->fd = fcntl(part->fd, F_DUPFD_CLOEXEC, 0);
    if (out->fd < 0)
        return false; /* later, then */
    out->progress = part->progress;
    hash_peek(&part->hash, out->sha256);
    part->noted = part->progress.offset;
    return true;
}

enum status snapshot_part_note(struct snapshot_part_point *point, const char *dir, struct err *err)
{
    char new_path[SNAPSHOT_PATH_BYTES];
    char path[SNAPSHOT_PATH_BYTES];
    uint8_t bytes[MARK_BYTES];
    enum status st = ST_OK;
    int fd;

    if (fdatasync(point->fd) < 0)
        st = err_set_errno(err, ST_IO, errno, "sync snapshot.part");
    (void)close(point->fd);
    if (st != ST_OK)
        return st;
    encode(point, bytes);
    mark_path(dir, ".new", new_path);
    mark_path(dir, "", path);
    fd = open(new_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (fd < 0)
        return ST_OK;
    if (write(fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes) {
        if (fdatasync(fd) < 0)
            st = err_set_errno(err, ST_IO, errno, "sync %s", new_path);
        else
            (void)rename(new_path, path);
    }
    (void)close(fd);
    return st;
}

void snapshot_part_remove(const char *dir)
{
    char path[SNAPSHOT_PATH_BYTES];

    snapshot_file_part_path(dir, path);
    (void)unlink(path);
    mark_path(dir, "", path);
    (void)unlink(path);
    mark_path(dir, ".new", path);
    (void)unlink(path);
}

/* Hash the first progress.offset bytes, and leave the file cut and positioned there. */
static bool read_again(struct snapshot_part *part)
{
    uint8_t block[READ_BYTES];
    uint64_t at = 0;

    hash_init(&part->hash, HASH_SHA256);
    while (at < part->progress.offset) {
        uint64_t left = part->progress.offset - at;
        ssize_t got =
            pread(part->fd, block, left < sizeof block ? (size_t)left : sizeof block, (off_t)at);

        if (got <= 0)
            return false;
        hash_add(&part->hash, bytes_of(block, (size_t)got));
        at += (uint64_t)got;
    }
    return ftruncate(part->fd, (off_t)at) == 0 && lseek(part->fd, (off_t)at, SEEK_SET) == (off_t)at;
}

static bool read_mark(const char *dir, struct snapshot_part_point *out)
{
    uint8_t bytes[MARK_BYTES + 1];
    char path[SNAPSHOT_PATH_BYTES];
    ssize_t got = -1;
    int fd;

    mark_path(dir, "", path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    got = read(fd, bytes, sizeof bytes);
    (void)close(fd);
    return got == MARK_BYTES && decode(bytes, out);
}

void snapshot_part_resume(struct snapshot_part *part, const char *dir, uint64_t above)
{
    uint8_t sha256[SNAPSHOT_HASH_BYTES];
    struct snapshot_part_point point;
    char path[SNAPSHOT_PATH_BYTES];

    snapshot_part_close(part);
    if (read_mark(dir, &point) && point.progress.index > above &&
        point.progress.offset <= point.progress.total) {
        snapshot_file_part_path(dir, path);
        part->fd = open(path, O_RDWR | O_CLOEXEC);
        part->progress = point.progress;
        part->noted = point.progress.offset;
    }
    if (part->fd >= 0 && read_again(part)) {
        hash_peek(&part->hash, sha256);
        if (memcmp(sha256, point.sha256, sizeof sha256) == 0)
            return;
    }
    snapshot_part_close(part);
    snapshot_part_remove(dir);
}
