#include "controlplane/replica/log_mark.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"

enum { NUMBERS = 4, HEAD_BYTES = 8, MARK_BYTES = HEAD_BYTES + NUMBERS * 8 + 4, MARK_FORMAT = 2 };
static const char magic[4] = { 'L', 'W', 'M', 'K' };

static void encode(const struct log_mark *mark, uint8_t out[MARK_BYTES])
{
    const uint64_t numbers[NUMBERS] = { htole64(mark->index), htole64(mark->term),
                                        htole64(mark->vote_term), htole64(mark->voted_for) };
    uint32_t format = htole32(MARK_FORMAT);
    uint32_t crc;

    memcpy(out, magic, 4);
    memcpy(out + 4, &format, 4);
    memcpy(out + HEAD_BYTES, numbers, sizeof numbers);
    crc = htole32(hash_crc32c(0, bytes_of(out, MARK_BYTES - 4)));
    memcpy(out + MARK_BYTES - 4, &crc, 4);
}

static bool decode(const uint8_t in[MARK_BYTES], struct log_mark *mark)
{
    uint8_t again[MARK_BYTES];
    uint64_t numbers[NUMBERS];

    memcpy(numbers, in + HEAD_BYTES, sizeof numbers);
    mark->index = le64toh(numbers[0]);
    mark->term = le64toh(numbers[1]);
    mark->vote_term = le64toh(numbers[2]);
    mark->voted_for = le64toh(numbers[3]);
    encode(mark, again);
    return memcmp(in, again, MARK_BYTES) == 0;
}

enum status log_mark_write(struct log_mark *mark, bool synced, struct err *err)
{
    uint8_t bytes[MARK_BYTES];

    encode(mark, bytes);
    if (pwrite(mark->fd, bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return err_set_errno(err, ST_IO, errno, "write log.mark");
    if (synced && fdatasync(mark->fd) < 0)
        return err_set_errno(err, ST_IO, errno, "sync log.mark");
    return ST_OK;
}

/* A new log's.  One that a start was interrupted behind is made anew: log.db is not there yet. */
static enum status create_mark(struct log_mark *mark, const char *path, struct err *err)
{
    mark->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    if (mark->fd < 0)
        return err_set_errno(err, ST_IO, errno, "create %s", path);
    return log_mark_write(mark, true, err);
}

enum status log_mark_open(struct log_mark *mark, const char *dir, bool create, struct err *err)
{
    uint8_t bytes[MARK_BYTES + 1];
    char path[512];
    ssize_t got;

    *mark = (struct log_mark){ .fd = -1 };
    (void)snprintf(path, sizeof path, "%s/log.mark", dir);
    if (create)
        return create_mark(mark, path, err);
    mark->fd = open(path, O_RDWR | O_CLOEXEC);
    if (mark->fd < 0 && errno == ENOENT)
        return err_set(err, ST_CORRUPT,
                       "%s is missing beside log.db: what was durable is not known", path);
    if (mark->fd < 0)
        return err_set_errno(err, ST_IO, errno, "open %s", path);
    got = pread(mark->fd, bytes, sizeof bytes, 0);
    if (got < 0)
        return err_set_errno(err, ST_IO, errno, "read %s", path);
    if (got != MARK_BYTES || !decode(bytes, mark))
        return err_set(err, ST_CORRUPT, "%s: %zd bytes that do not match their checksum", path,
                       got);
    return ST_OK;
}

void log_mark_close(struct log_mark *mark)
{
    if (mark->fd >= 0)
        (void)close(mark->fd);
    mark->fd = -1;
}
