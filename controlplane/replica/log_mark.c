#include "controlplane/replica/log_mark.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"

enum { MARK_BYTES = 28, MARK_FORMAT = 1 };
static const char magic[4] = { 'L', 'W', 'M', 'K' };

static void encode(const struct log_mark *mark, uint8_t out[MARK_BYTES])
{
    uint32_t format = htole32(MARK_FORMAT);
    uint64_t index = htole64(mark->index);
    uint64_t term = htole64(mark->vote_term);
    uint32_t crc;

    memcpy(out, magic, 4);
    memcpy(out + 4, &format, 4);
    memcpy(out + 8, &index, 8);
    memcpy(out + 16, &term, 8);
    crc = htole32(hash_crc32c(0, bytes_of(out, 24)));
    memcpy(out + 24, &crc, 4);
}

static bool decode(const uint8_t in[MARK_BYTES], struct log_mark *mark)
{
    uint8_t again[MARK_BYTES];
    uint64_t index;
    uint64_t term;

    memcpy(&index, in + 8, 8);
    memcpy(&term, in + 16, 8);
    mark->index = le64toh(index);
    mark->vote_term = le64toh(term);
    encode(mark, again);
    return memcmp(in, again, MARK_BYTES) == 0;
}

enum status log_mark_write(struct log_mark *mark, bool synced, struct err *err)
{
    uint8_t bytes[MARK_BYTES];

    encode(mark, bytes);
    errno = EIO; /* a write of some of the bytes does not set it */
    if (pwrite(mark->fd, bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
        return err_set_errno(err, status_of_errno(errno), errno, "write log.mark");
    if (synced && fdatasync(mark->fd) < 0)
        return err_set_errno(err, ST_IO, errno, "sync log.mark");
    return ST_OK;
}

static enum status create_mark(struct log_mark *mark, const char *path, struct err *err)
{
    uint8_t bytes[MARK_BYTES];

    mark->fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (mark->fd < 0)
        return err_set_errno(err, status_of_errno(errno), errno, "create %s", path);
    /* A log that is gone while its mark is there has lost votes and entries. */
    if (pread(mark->fd, bytes, sizeof bytes, 0) == (ssize_t)sizeof bytes && decode(bytes, mark) &&
        mark->index > 1)
        return err_set(err, ST_CORRUPT, "%s is there without log.db", path);
    mark->index = 0;
    mark->vote_term = 0;
    return log_mark_write(mark, true, err);
}

enum status log_mark_open(struct log_mark *mark, const char *dir, bool create, struct err *err)
{
    uint8_t bytes[MARK_BYTES];
    char path[512];

    *mark = (struct log_mark){ .fd = -1 };
    (void)snprintf(path, sizeof path, "%s/log.mark", dir);
    if (create)
        return create_mark(mark, path, err);
    mark->fd = open(path, O_RDWR | O_CLOEXEC);
    if (mark->fd < 0 && errno == ENOENT)
        return err_set(err, ST_CORRUPT, "%s is missing beside log.db", path);
    if (mark->fd < 0)
        return err_set_errno(err, ST_IO, errno, "open %s", path);
    if (pread(mark->fd, bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes || !decode(bytes, mark))
        return err_set(err, ST_CORRUPT, "%s does not match its checksum", path);
    return ST_OK;
}

void log_mark_close(struct log_mark *mark)
{
    if (mark->fd >= 0)
        (void)close(mark->fd);
    mark->fd = -1;
}
