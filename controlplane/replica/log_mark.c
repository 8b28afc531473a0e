#include "controlplane/replica/log_mark.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"

enum {
    HEAD_CRC_AT = 24,
    HEAD_BYTES = 28,
    TAIL_TERM_AT = HEAD_BYTES + 4, /* behind a copy of the head's checksum */
    TAIL_CRC_AT = TAIL_TERM_AT + 16,
    MARK_BYTES = TAIL_CRC_AT + 4,
    MARK_FORMAT = 1,
};
static const char magic[4] = { 'L', 'W', 'M', 'K' };

static void put_crc(uint8_t *bytes, size_t from, size_t at)
{
    uint32_t crc = htole32(hash_crc32c(0, bytes_of(bytes + from, at - from)));

    memcpy(bytes + at, &crc, sizeof crc);
}

static void put_number(uint8_t *bytes, size_t at, uint64_t number)
{
    number = htole64(number);
    memcpy(bytes + at, &number, sizeof number);
}

static uint64_t get_number(const uint8_t *bytes, size_t at)
{
    uint64_t number;

    memcpy(&number, bytes + at, sizeof number);
    return le64toh(number);
}

static void encode(const struct log_mark *mark, uint8_t out[MARK_BYTES])
{
    uint32_t format = htole32(MARK_FORMAT);

    memcpy(out, magic, 4);
    memcpy(out + 4, &format, 4);
    put_number(out, 8, mark->index);
    put_number(out, 16, mark->vote_term);
    put_crc(out, 0, HEAD_CRC_AT);
    memcpy(out + HEAD_BYTES, out + HEAD_CRC_AT, 4);
    put_number(out, TAIL_TERM_AT, mark->term);
    put_number(out, TAIL_TERM_AT + 8, mark->voted_for);
    put_crc(out, HEAD_BYTES, TAIL_CRC_AT);
}

/* The tail of another head was left by a release that writes heads alone: it says nothing. */
static bool decode(const uint8_t *in, ssize_t len, struct log_mark *mark)
{
    uint8_t again[MARK_BYTES];

    if (len != HEAD_BYTES && len != MARK_BYTES)
        return false;
    mark->index = get_number(in, 8);
    mark->vote_term = get_number(in, 16);
    mark->term = len == MARK_BYTES ? get_number(in, TAIL_TERM_AT) : 0;
    mark->voted_for = len == MARK_BYTES ? get_number(in, TAIL_TERM_AT + 8) : 0;
    encode(mark, again);
    if (memcmp(in, again, HEAD_BYTES) != 0)
        return false;
    if (len == HEAD_BYTES || memcmp(in, again, MARK_BYTES) == 0)
        return true;
    memcpy(again, in, MARK_BYTES);
    put_crc(again, HEAD_BYTES, TAIL_CRC_AT);
    mark->term = 0;
    mark->voted_for = 0;
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
    if (!decode(bytes, got, mark))
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
