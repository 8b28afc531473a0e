#include "tests/unit/fault_disk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/check.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
    bool armed;
    bool lasting;
    bool failed;
    bool here; /* only calls of `thread` */
    pthread_t thread;
    const char *name; /* NULL: of any file */
    enum fault_kind kind;
    unsigned left; /* calls until the one that fails */
} fault;

static void arm(enum fault_kind kind, unsigned at, bool lasting, bool here, const char *name)
{
    CHECK(at > 0);
    pthread_mutex_lock(&mutex);
    fault.armed = true;
    fault.lasting = lasting;
    fault.failed = false;
    fault.here = here;
    fault.thread = pthread_self();
    fault.name = name;
    fault.kind = kind;
    fault.left = at;
    pthread_mutex_unlock(&mutex);
}

void fault_disk_arm(enum fault_kind kind, unsigned at, bool lasting)
{
    arm(kind, at, lasting, false, NULL);
}

void fault_disk_arm_here(enum fault_kind kind, unsigned at, bool lasting)
{
    arm(kind, at, lasting, true, NULL);
}

void fault_disk_arm_sync_of(const char *name)
{
    arm(FAULT_SYNC, 1, true, false, name);
}

bool fault_disk_heal(void)
{
    bool failed;

    pthread_mutex_lock(&mutex);
    fault.armed = false;
    failed = fault.failed;
    pthread_mutex_unlock(&mutex);
    return failed;
}

enum call { CALL_WRITE, CALL_GROW, CALL_OPEN, CALL_CHANGE, CALL_SYNC };

static bool concerned(enum call call)
{
    switch (fault.kind) {
    case FAULT_FULL:
    case FAULT_QUOTA:
        return call == CALL_WRITE || call == CALL_GROW || call == CALL_OPEN;
    case FAULT_BROKEN:
        return true;
    case FAULT_SYNC:
        return call == CALL_SYNC;
    }
    return false;
}

static bool is_the_one(enum call call)
{
    if (!fault.armed || !concerned(call) ||
        (fault.here && pthread_equal(fault.thread, pthread_self()) == 0))
        return false;
    if (fault.left > 1) {
        fault.left--;
        return false;
    }
    if (fault.left == 0 && !fault.lasting)
        return false;
    fault.left = fault.lasting ? 1 : 0;
    fault.failed = true;
    return true;
}

/* `name`: of the file that it is about, where that is known. */
static bool fails_of(enum call call, const char *name)
{
    bool fails_now;

    pthread_mutex_lock(&mutex);
    fails_now =
        (fault.name == NULL || (name != NULL && strcmp(fault.name, name) == 0)) && is_the_one(call);
    pthread_mutex_unlock(&mutex);
    return fails_now;
}

static bool fails(enum call call)
{
    return fails_of(call, NULL);
}

static bool sync_fails(int fd)
{
    char link[64];
    char path[512] = { 0 };

    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    if (readlink(link, path, sizeof path - 1) < 0)
        return fails(CALL_SYNC);
    return fails_of(CALL_SYNC, strrchr(path, '/') + 1);
}

/* Armed, and a call has failed. */
static bool is_failing(void)
{
    bool failing;

    pthread_mutex_lock(&mutex);
    failing = fault.armed && fault.failed;
    pthread_mutex_unlock(&mutex);
    return failing;
}

static enum fault_kind kind_now(void)
{
    enum fault_kind kind;

    pthread_mutex_lock(&mutex);
    kind = fault.kind;
    pthread_mutex_unlock(&mutex);
    return kind;
}

static int errnum_of(void)
{
    switch (kind_now()) {
    case FAULT_FULL:
        return ENOSPC;
    case FAULT_QUOTA:
        return EDQUOT;
    default:
        return EIO;
    }
}

/* ---- SQLite's files ---- */

struct fault_file {
    sqlite3_file base;
    sqlite3_file *real; /* behind this structure */
};

static sqlite3_vfs *real_vfs;
static sqlite3_vfs vfs;

static sqlite3_file *real_of(sqlite3_file *file)
{
    return ((struct fault_file *)file)->real;
}

static int file_close(sqlite3_file *file)
{
    return real_of(file)->pMethods->xClose(real_of(file));
}

static int file_read(sqlite3_file *file, void *out, int len, sqlite3_int64 at)
{
    return real_of(file)->pMethods->xRead(real_of(file), out, len, at);
}

static int file_write(sqlite3_file *file, const void *data, int len, sqlite3_int64 at)
{
    if (fails(CALL_WRITE))
        return kind_now() == FAULT_FULL ? SQLITE_FULL : SQLITE_IOERR_WRITE;
    return real_of(file)->pMethods->xWrite(real_of(file), data, len, at);
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 len)
{
    if (fails(CALL_CHANGE))
        return SQLITE_IOERR_TRUNCATE;
    return real_of(file)->pMethods->xTruncate(real_of(file), len);
}

static int file_sync(sqlite3_file *file, int flags)
{
    if (fails(CALL_SYNC))
        return SQLITE_IOERR_FSYNC;
    return real_of(file)->pMethods->xSync(real_of(file), flags);
}

static int file_size(sqlite3_file *file, sqlite3_int64 *out)
{
    return real_of(file)->pMethods->xFileSize(real_of(file), out);
}

static int file_lock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xLock(real_of(file), level);
}

static int file_unlock(sqlite3_file *file, int level)
{
    return real_of(file)->pMethods->xUnlock(real_of(file), level);
}

static int file_check_lock(sqlite3_file *file, int *out)
{
    return real_of(file)->pMethods->xCheckReservedLock(real_of(file), out);
}

static int file_control(sqlite3_file *file, int op, void *arg)
{
    if (op == SQLITE_FCNTL_LAST_ERRNO && is_failing()) {
        *(int *)arg = errnum_of();
        return SQLITE_OK;
    }
    return real_of(file)->pMethods->xFileControl(real_of(file), op, arg);
}

static int file_sector(sqlite3_file *file)
{
    return real_of(file)->pMethods->xSectorSize(real_of(file));
}

static int file_traits(sqlite3_file *file)
{
    return real_of(file)->pMethods->xDeviceCharacteristics(real_of(file));
}

static int file_shm_map(sqlite3_file *file, int page, int bytes, int grow, void volatile **out)
{
    if (grow && fails(CALL_GROW))
        return SQLITE_IOERR_SHMSIZE;
    return real_of(file)->pMethods->xShmMap(real_of(file), page, bytes, grow, out);
}

static int file_shm_lock(sqlite3_file *file, int at, int count, int flags)
{
    return real_of(file)->pMethods->xShmLock(real_of(file), at, count, flags);
}

static void file_shm_barrier(sqlite3_file *file)
{
    real_of(file)->pMethods->xShmBarrier(real_of(file));
}

static int file_shm_unmap(sqlite3_file *file, int remove)
{
    return real_of(file)->pMethods->xShmUnmap(real_of(file), remove);
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_lock,
    .xFileControl = file_control,
    .xSectorSize = file_sector,
    .xDeviceCharacteristics = file_traits,
    .xShmMap = file_shm_map,
    .xShmLock = file_shm_lock,
    .xShmBarrier = file_shm_barrier,
    .xShmUnmap = file_shm_unmap,
};

static int vfs_open(sqlite3_vfs *self, const char *name, sqlite3_file *file, int flags, int *out)
{
    struct fault_file *ours = (struct fault_file *)file;
    int rc;

    (void)self;
    file->pMethods = NULL;
    if ((flags & SQLITE_OPEN_CREATE) != 0 && access(name == NULL ? "" : name, F_OK) != 0 &&
        fails(CALL_OPEN)) {
        errno = errnum_of();
        return SQLITE_CANTOPEN;
    }
    ours->real = (sqlite3_file *)(ours + 1);
    rc = real_vfs->xOpen(real_vfs, name, ours->real, flags, out);
    if (ours->real->pMethods != NULL)
        file->pMethods = &methods;
    return rc;
}

static int vfs_last_error(sqlite3_vfs *self, int len, char *text)
{
    (void)self;
    if (is_failing())
        return errnum_of();
    return real_vfs->xGetLastError(real_vfs, len, text);
}

void fault_disk_folder(char out[64])
{
    (void)snprintf(out, 64, "/dev/shm/test_fault.XXXXXX");
    if (mkdtemp(out) != NULL)
        return;
    (void)snprintf(out, 64, "/tmp/test_fault.XXXXXX");
    CHECK(mkdtemp(out) != NULL);
}

void fault_disk_install(void)
{
    int rc;

    if (real_vfs != NULL)
        return;
    real_vfs = sqlite3_vfs_find(NULL);
    CHECK(real_vfs != NULL);
    vfs = *real_vfs;
    vfs.zName = "fault";
    vfs.pNext = NULL;
    vfs.szOsFile = (int)sizeof(struct fault_file) + real_vfs->szOsFile;
    vfs.xOpen = vfs_open;
    vfs.xGetLastError = vfs_last_error;
    rc = sqlite3_vfs_register(&vfs, 1);
    CHECK(rc == SQLITE_OK);
}

/* ---- our own calls ---- */

/* With 64-bit offsets the C library has other names for some of them. */
ssize_t __real_pwrite64(int fd, const void *data, size_t len, off_t at);
ssize_t __wrap_pwrite64(int fd, const void *data, size_t len, off_t at);
ssize_t __real_write(int fd, const void *data, size_t len);
ssize_t __wrap_write(int fd, const void *data, size_t len);
int __real_openat64(int dir, const char *path, int flags, ...);
int __wrap_openat64(int dir, const char *path, int flags, ...);
int __real_mkdirat(int dir, const char *path, mode_t mode);
int __wrap_mkdirat(int dir, const char *path, mode_t mode);
int __real_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to);
int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
ssize_t __real_copy_file_range(
    int in, off_t *in_at, int out, off_t *out_at, size_t len, unsigned flags);
ssize_t __wrap_copy_file_range(
    int in, off_t *in_at, int out, off_t *out_at, size_t len, unsigned flags);
int __real_fallocate64(int fd, int mode, off_t at, off_t len);
int __wrap_fallocate64(int fd, int mode, off_t at, off_t len);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);

ssize_t __wrap_pwrite64(int fd, const void *data, size_t len, off_t at)
{
    if (!fails(CALL_WRITE))
        return __real_pwrite64(fd, data, len, at);
    errno = errnum_of();
    return -1;
}

/* Those of at least a block: what is shorter may be a test's own, to a pipe. */
ssize_t __wrap_write(int fd, const void *data, size_t len)
{
    if (len < 512 || !fails(CALL_WRITE))
        return __real_write(fd, data, len);
    errno = errnum_of();
    return -1;
}

int __wrap_openat64(int dir, const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list args;

    va_start(args, flags);
    if ((flags & O_CREAT) != 0)
        mode = va_arg(args, mode_t);
    va_end(args);
    if ((flags & O_CREAT) == 0 || !fails(CALL_OPEN))
        return __real_openat64(dir, path, flags, mode);
    errno = errnum_of();
    return -1;
}

int __wrap_mkdirat(int dir, const char *path, mode_t mode)
{
    if (!fails(CALL_OPEN))
        return __real_mkdirat(dir, path, mode);
    errno = errnum_of();
    return -1;
}

int __wrap_renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    if (!fails(CALL_GROW))
        return __real_renameat(from_dir, from, to_dir, to);
    errno = errnum_of();
    return -1;
}

int __wrap_fdatasync(int fd)
{
    if (!sync_fails(fd))
        return __real_fdatasync(fd);
    errno = errnum_of();
    return -1;
}

int __wrap_fsync(int fd)
{
    if (!sync_fails(fd))
        return __real_fsync(fd);
    errno = errnum_of();
    return -1;
}

int __wrap_rename(const char *from, const char *to)
{
    if (!fails(CALL_GROW))
        return __real_rename(from, to);
    errno = errnum_of();
    return -1;
}

int __wrap_open64(const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list args;

    va_start(args, flags);
    if ((flags & O_CREAT) != 0)
        mode = va_arg(args, mode_t);
    va_end(args);
    if ((flags & O_CREAT) == 0 || access(path, F_OK) == 0 || !fails(CALL_OPEN))
        return __real_open64(path, flags, mode);
    errno = errnum_of();
    return -1;
}

int __wrap_mkdir(const char *path, mode_t mode)
{
    if (access(path, F_OK) == 0 || !fails(CALL_OPEN))
        return __real_mkdir(path, mode);
    errno = errnum_of();
    return -1;
}

/* A full disk takes what there is room for first. */
ssize_t __wrap_copy_file_range(
    int in, off_t *in_at, int out, off_t *out_at, size_t len, unsigned flags)
{
    enum { ROOM_BYTES = 4096 };

    if (!fails(CALL_WRITE))
        return __real_copy_file_range(in, in_at, out, out_at, len, flags);
    (void)__real_copy_file_range(in, in_at, out, out_at, len < ROOM_BYTES ? len : ROOM_BYTES,
                                 flags);
    errno = errnum_of();
    return -1;
}

int __wrap_fallocate64(int fd, int mode, off_t at, off_t len)
{
    if (!fails(CALL_GROW))
        return __real_fallocate64(fd, mode, at, len);
    errno = errnum_of();
    return -1;
}
