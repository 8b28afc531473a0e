/* See mapped_wal.h.
 *
 * Only xWrite differs from the file below: reading goes by pread(), which sees what was stored into
 * a shared mapping, so a disk that fails a reader fails it with an error.  Each connection has a
 * mapping of its own, of the part that it wrote to. */
#include "controlplane/replica/mapped_wal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"
#include "controlplane/replica/replica.h"
#include "controlplane/replica/state_doubt.h"

#define WAL_NAME "/state.db-wal"

enum {
    CHUNK_BYTES = 4 << 20,
    CHUNKS_MAX = 1024, /* 4 GiB: longer logs go by pwrite() */
    /* What a log that begins anew keeps mapped: the usual length between two checkpoints.  It is
     * longer while a snapshot of a large state is copied. */
    CHUNKS_KEPT = 16,
};

struct mapped_file {
    sqlite3_file base; /* first: SQLite sees this */
    sqlite3_file *real;
    int fd; /* of our own, on the same file; -1: nothing is mapped */
    uint8_t *chunks[CHUNKS_MAX];
};

static sqlite3_vfs *below;
static sqlite3_vfs mapped_vfs;
static sqlite3_io_methods mapped_methods;

static struct mapped_file *mapped_of(sqlite3_file *file)
{
    return (struct mapped_file *)file;
}

/* ---- what is handed on ---- */

static int real_read(sqlite3_file *file, void *out, int len, sqlite3_int64 at)
{
    sqlite3_file *real = mapped_of(file)->real;

    return real->pMethods->xRead(real, out, len, at);
}

/* Another connection may have the end mapped.  What is left behind the new end is of an older salt
 * and is not taken for a frame. */
static int real_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    (void)file;
    (void)size;
    return SQLITE_OK;
}

static int real_sync(sqlite3_file *file, int flags)
{
    sqlite3_file *real = mapped_of(file)->real;

    return real->pMethods->xSync(real, flags);
}

static int real_size(sqlite3_file *file, sqlite3_int64 *out)
{
    sqlite3_file *real = mapped_of(file)->real;

    return real->pMethods->xFileSize(real, out);
}

static int real_lock(sqlite3_file *file, int level)
{
    sqlite3_file *real = mapped_of(file)->real;

    return real->pMethods->xLock(real, level);
}

static int real_unlock(sqlite3_file *file, int level)
{
    sqlite3_file *real = mapped_of(file)->real;

    return real->pMethods->xUnlock(real, level);
}

static int real_reserved(sqlite3_file *file, int *out)
{
    sqlite3_file *real = mapped_of(file)->real;

    return real->pMethods->xCheckReservedLock(real, out);
}

/* The hints that there are (a size to come, a limit of chunks) are for files of another kind. */
static int no_control(sqlite3_file *file, int operation, void *argument)
{
    (void)file;
    (void)operation;
    (void)argument;
    return SQLITE_NOTFOUND;
}

static int real_sector_size(sqlite3_file *file)
{
    sqlite3_file *real = mapped_of(file)->real;

    return real->pMethods->xSectorSize(real);
}

static int real_characteristics(sqlite3_file *file)
{
    sqlite3_file *real = mapped_of(file)->real;

    return real->pMethods->xDeviceCharacteristics(real);
}

/* ---- the mapping ---- */

static void unmap_from(struct mapped_file *mapped, size_t first)
{
    for (size_t i = first; i < CHUNKS_MAX; i++) {
        if (mapped->chunks[i] != NULL)
            (void)munmap(mapped->chunks[i], CHUNK_BYTES);
        mapped->chunks[i] = NULL;
    }
}

static int mapped_close(sqlite3_file *file)
{
    struct mapped_file *mapped = mapped_of(file);
    int rc = mapped->real->pMethods->xClose(mapped->real);

    unmap_from(mapped, 0);
    if (mapped->fd >= 0)
        (void)close(mapped->fd);
    return rc;
}

/* Without the allocation a store into the mapping could find the disk full. */
static int map_chunk(struct mapped_file *mapped, size_t chunk)
{
    off_t at = (off_t)chunk * CHUNK_BYTES;
    void *map;

    if (fallocate(mapped->fd, 0, at, CHUNK_BYTES) < 0)
        return errno == ENOSPC || errno == EDQUOT ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    map = mmap(NULL, CHUNK_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, mapped->fd, at);
    if (map == MAP_FAILED)
        return SQLITE_IOERR_MMAP;
    mapped->chunks[chunk] = map;
    return SQLITE_OK;
}

static int mapped_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
    struct mapped_file *mapped = mapped_of(file);
    const uint8_t *from = data;
    size_t left = (size_t)len;

    if (at == 0) /* the header of a log that begins anew */
        unmap_from(mapped, CHUNKS_KEPT);
    if (mapped->fd < 0 || at + len > (sqlite3_int64)CHUNKS_MAX * CHUNK_BYTES)
        return mapped->real->pMethods->xWrite(mapped->real, data, len, at);
    while (left > 0) {
        size_t chunk = (size_t)(at / CHUNK_BYTES);
        size_t offset = (size_t)(at % CHUNK_BYTES);
        size_t fits = CHUNK_BYTES - offset < left ? CHUNK_BYTES - offset : left;
        int rc = mapped->chunks[chunk] == NULL ? map_chunk(mapped, chunk) : SQLITE_OK;

        if (rc != SQLITE_OK)
            return rc;
        memcpy(mapped->chunks[chunk] + offset, from, fits);
        from += fits;
        left -= fits;
        at += (sqlite3_int64)fits;
    }
    return SQLITE_OK;
}

static bool can_allocate(int fd)
{
    /* Some file systems have no fallocate(): they are written to as ever. */
    return fallocate(fd, 0, 0, CHUNK_BYTES) == 0 || errno == ENOSPC || errno == EDQUOT;
}

static bool is_ours(const char *name)
{
    size_t len = name == NULL ? 0 : strlen(name);

    return len > strlen(WAL_NAME) && strcmp(name + len - strlen(WAL_NAME), WAL_NAME) == 0;
}

static int mapped_open(
    sqlite3_vfs *vfs, sqlite3_filename name, sqlite3_file *file, int flags, int *out_flags)
{
    struct mapped_file *mapped = mapped_of(file);
    int rc;

    (void)vfs;
    if ((flags & SQLITE_OPEN_WAL) == 0 || !is_ours(name))
        return below->xOpen(below, name, file, flags, out_flags);
    memset(mapped, 0, sizeof *mapped);
    mapped->real = (sqlite3_file *)(mapped + 1);
    mapped->fd = -1;
    rc = below->xOpen(below, name, mapped->real, flags, out_flags);
    if (rc != SQLITE_OK)
        return rc;
    if ((flags & SQLITE_OPEN_READWRITE) != 0)
        mapped->fd = open(name, O_RDWR | O_CLOEXEC);
    if (mapped->fd >= 0 && !can_allocate(mapped->fd)) {
        (void)close(mapped->fd);
        mapped->fd = -1;
    }
    mapped->base.pMethods = &mapped_methods;
    return SQLITE_OK;
}

/* ---- a disk that fails ---- */

static void bus_error(int number, siginfo_t *info, void *context)
{
    static const char line[] =
        "error disk_failed file=state.db-wal error=\"a page could not be written or read "
        "(SIGBUS)\" exit_code=74 then=\"stopping: look at the disk and its mount\"\n";
    ssize_t written;

    (void)context;
    if (info->si_code != BUS_ADRERR) { /* no page of a file: our own mistake */
        (void)signal(number, SIG_DFL);
        (void)raise(number);
        return;
    }
    state_doubt_raise_all();
    written = write(STDERR_FILENO, line, sizeof line - 1); /* last: who reads it may be stuck */
    (void)written;
    _exit(REPLICA_EXIT_DISK_FAILED);
}

/* ---- life ---- */

static void register_once(void)
{
    struct sigaction action = { .sa_sigaction = bus_error, .sa_flags = SA_SIGINFO };
    int rc;

    /* A mutex each allocation for statistics that nobody asks for.  Refused, and no loss, where
     * SQLite is in use already. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    below = sqlite3_vfs_find(NULL);
    CHECK(below != NULL);
    mapped_methods = (sqlite3_io_methods){
        .iVersion = 1, /* a log is neither mapped nor shared by SQLite itself */
        .xClose = mapped_close,
        .xRead = real_read,
        .xWrite = mapped_write,
        .xTruncate = real_truncate,
        .xSync = real_sync,
        .xFileSize = real_size,
        .xLock = real_lock,
        .xUnlock = real_unlock,
        .xCheckReservedLock = real_reserved,
        .xFileControl = no_control,
        .xSectorSize = real_sector_size,
        .xDeviceCharacteristics = real_characteristics,
    };
    mapped_vfs = *below;
    mapped_vfs.zName = "lapwing-mapped-wal";
    mapped_vfs.pNext = NULL;
    mapped_vfs.szOsFile = (int)sizeof(struct mapped_file) + below->szOsFile;
    mapped_vfs.xOpen = mapped_open;
    rc = sqlite3_vfs_register(&mapped_vfs, 1);
    CHECK(rc == SQLITE_OK);
    rc = sigaction(SIGBUS, &action, NULL);
    CHECK(rc == 0);
}

void mapped_wal_register(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int rv = pthread_once(&once, register_once);

    CHECK(rv == 0);
}
