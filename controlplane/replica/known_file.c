/* See known_file.h. */
#include "controlplane/replica/known_file.h"

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/folder.h"
#include "base/hash.h"
#include "proto/raft.pb-c.h"
#include "proto/raft_check.h"

enum {
    CRC_AT = 8,
    HEAD_BYTES = 12,
    FILE_BYTES_MAX = 8192, /* RAFT_KNOWN_MAX logs of at most 22 bytes, and the rest */
    FILE_FORMAT = 1,
    KNOWN_PATH_BYTES = 512,
};
static const char magic[4] = { 'L', 'W', 'I', 'N' };

/* ---- bytes ---- */

static uint32_t crc_of(struct bytes bytes)
{
    uint32_t crc = hash_crc32c(0, bytes_of(bytes.data, CRC_AT));

    return htole32(hash_crc32c(crc, bytes_of(bytes.data + HEAD_BYTES, bytes.len - HEAD_BYTES)));
}

void known_file_encode(const struct known *known, struct buf *out)
{
    Lapwing__RaftMemory memory = LAPWING__RAFT_MEMORY__INIT;
    Lapwing__RaftKnown logs[RAFT_KNOWN_MAX];
    Lapwing__RaftKnown *list[RAFT_KNOWN_MAX];
    uint32_t format = htole32(FILE_FORMAT);
    uint32_t crc = 0;
    size_t len;

    known_messages(known, logs, list);
    memory.incarnation = known->incarnation;
    memory.takes_part = known->takes_part;
    memory.refused = known->refused;
    memory.known = list;
    memory.n_known = known->count;
    out->len = 0;
    buf_append(out, magic, sizeof magic);
    buf_append(out, &format, sizeof format);
    buf_append(out, &crc, sizeof crc);
    len = lapwing__raft_memory__get_packed_size(&memory);
    out->len += lapwing__raft_memory__pack(&memory, buf_reserve(out, len));
    crc = crc_of(buf_view(out));
    memcpy(out->data + CRC_AT, &crc, sizeof crc);
}

static enum status take(const Lapwing__RaftMemory *memory, struct known *out, struct err *err)
{
    enum status st = raft_known_check(memory->known, memory->n_known, err);

    if (st != ST_OK || memory->incarnation == 0)
        return err_set(err, ST_CORRUPT, "incarnation: no number, or members that are none");
    *out = (struct known){ .incarnation = memory->incarnation,
                           .takes_part = memory->takes_part,
                           .refused = memory->refused,
                           .count = (unsigned)memory->n_known };
    for (unsigned i = 0; i < out->count; i++)
        out->logs[i] = (struct known_log){ .id = memory->known[i]->id,
                                           .incarnation = memory->known[i]->incarnation,
                                           .early = memory->known[i]->early };
    return ST_OK;
}

enum status known_file_decode(struct bytes bytes, struct known *out, struct err *err)
{
    uint32_t format = htole32(FILE_FORMAT);
    Lapwing__RaftMemory *memory;
    uint32_t crc;
    enum status st;

    if (bytes.len < HEAD_BYTES || memcmp(bytes.data, magic, sizeof magic) != 0 ||
        memcmp(bytes.data + sizeof magic, &format, sizeof format) != 0)
        return err_set(err, ST_CORRUPT, "incarnation: %zu bytes that are not ours", bytes.len);
    memcpy(&crc, bytes.data + CRC_AT, sizeof crc);
    if (crc != crc_of(bytes))
        return err_set(err, ST_CORRUPT, "incarnation: %zu bytes do not match their checksum",
                       bytes.len);
    memory = lapwing__raft_memory__unpack(NULL, bytes.len - HEAD_BYTES, bytes.data + HEAD_BYTES);
    if (memory == NULL)
        return err_set(err, ST_CORRUPT, "incarnation: does not decode");
    st = take(memory, out, err);
    lapwing__raft_memory__free_unpacked(memory, NULL);
    return st;
}

/* ---- the file ---- */

static void path_of(const char *dir, const char *tail, char out[KNOWN_PATH_BYTES])
{
    (void)snprintf(out, KNOWN_PATH_BYTES, "%s/incarnation%s", dir, tail);
}

static enum status write_synced(const char *path, struct bytes bytes, struct err *err)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640);
    enum status st = ST_OK;

    if (fd < 0)
        return err_set_errno(err, status_of_errno(errno), errno, "create %s", path);
    errno = ENOSPC; /* a write of some of the bytes does not set it */
    if (write(fd, bytes.data, bytes.len) != (ssize_t)bytes.len)
        st = err_set_errno(err, status_of_errno(errno), errno, "write %s", path);
    else if (fsync(fd) < 0)
        st = err_set_errno(err, ST_IO, errno, "sync %s", path);
    if (close(fd) < 0 && st == ST_OK)
        st = err_set_errno(err, ST_IO, errno, "close %s", path);
    return st;
}

enum status known_file_write(const char *dir, const struct known *known, struct err *err)
{
    struct buf bytes = { 0 };
    char new_path[KNOWN_PATH_BYTES];
    char path[KNOWN_PATH_BYTES];
    enum status st;

    path_of(dir, ".new", new_path);
    path_of(dir, "", path);
    known_file_encode(known, &bytes);
    st = write_synced(new_path, buf_view(&bytes), err);
    buf_done(&bytes);
    if (st == ST_OK && rename(new_path, path) < 0)
        st = err_set_errno(err, status_of_errno(errno), errno, "rename %s", new_path);
    if (st != ST_OK) {
        (void)unlink(new_path);
        return st;
    }
    return folder_sync(AT_FDCWD, dir, err);
}

static enum status make(const char *dir, bool takes_part, struct known *out, struct err *err)
{
    struct known known = { .takes_part = takes_part };
    enum status st;

    while (known.incarnation == 0)
        random_bytes(&known.incarnation, sizeof known.incarnation);
    st = known_file_write(dir, &known, err);
    if (st == ST_OK)
        *out = known;
    return st;
}

enum status known_file_open(
    const char *dir, bool log_made, bool silent, struct known *out, struct err *err)
{
    uint8_t bytes[FILE_BYTES_MAX];
    char path[KNOWN_PATH_BYTES];
    ssize_t got;
    int fd;

    path_of(dir, "", path);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno == ENOENT)
        return make(dir, log_made || !silent, out, err);
    if (fd < 0)
        return err_set_errno(err, ST_IO, errno, "open %s", path);
    got = read(fd, bytes, sizeof bytes);
    (void)close(fd);
    if (got < 0)
        return err_set_errno(err, ST_IO, errno, "read %s", path);
    return known_file_decode(bytes_of(bytes, (size_t)got), out, err);
}
