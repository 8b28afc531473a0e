#include "controlplane/replica/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/check.h"

enum { BLOCK_BYTES = 512 }; /* the unit of st_blocks */

/* What is allocated counts: a file that was copied may be all hole. */
static void take_stock(struct reserve *reserve)
{
    struct stat info;
    uint64_t size;
    uint64_t allocated;
    uint64_t bytes;

    if (fstat(reserve->fd, &info) < 0)
        return;
    size = (uint64_t)info.st_size;
    allocated = (uint64_t)info.st_blocks * BLOCK_BYTES;
    bytes = allocated < size ? 0 : size;
    if (bytes > reserve->target)
        bytes = reserve->target;
    if (bytes != size && ftruncate(reserve->fd, (off_t)bytes) < 0)
        bytes = 0; /* fallocate() will say what is wrong */
    atomic_store(&reserve->bytes, bytes);
}

void reserve_open(struct reserve *reserve, const char *dir, uint64_t target)
{
    int rv = uv_mutex_init(&reserve->mutex);

    CHECK(rv == 0);
    reserve->target = target;
    (void)snprintf(reserve->path, sizeof reserve->path, "%s/log.reserve", dir);
    reserve->fd = open(reserve->path, O_RDWR | O_CLOEXEC);
    if (reserve->fd >= 0)
        take_stock(reserve);
}

void reserve_done(struct reserve *reserve)
{
    if (reserve->path[0] == '\0')
        return; /* never opened */
    if (reserve->fd >= 0)
        (void)close(reserve->fd);
    uv_mutex_destroy(&reserve->mutex);
    reserve->path[0] = '\0';
}

static enum status fill(struct reserve *reserve, struct err *err)
{
    if (reserve->fd < 0)
        reserve->fd = open(reserve->path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    if (reserve->fd < 0)
        return err_set_errno(err, status_of_errno(errno), errno, "create %s", reserve->path);
    while (reserve_missing(reserve) > 0) {
        uint64_t left = reserve_missing(reserve);
        uint64_t step = left < RESERVE_ROUND_BYTES ? left : RESERVE_ROUND_BYTES;
        off_t at = (off_t)(reserve->target - left);

        if (fallocate(reserve->fd, 0, at, (off_t)step) < 0) {
            if (errno == EOPNOTSUPP)
                return err_set_errno(err, ST_UNSUPPORTED, errno, "preallocate %s", reserve->path);
            return err_set_errno(err, status_of_errno(errno), errno, "preallocate %s",
                                 reserve->path);
        }
        atomic_fetch_add(&reserve->bytes, step);
    }
    return ST_OK;
}

enum status reserve_fill(struct reserve *reserve, struct err *err)
{
    enum status st;

    uv_mutex_lock(&reserve->mutex);
    st = fill(reserve, err);
    uv_mutex_unlock(&reserve->mutex);
    return st;
}

bool reserve_give(struct reserve *reserve, uint64_t bytes, bool vote)
{
    uint64_t keep = vote ? 0 : reserve->target / RESERVE_VOTES_PART;
    uint64_t give = bytes + RESERVE_ROUND_BYTES;
    bool given = false;
    uint64_t have;

    uv_mutex_lock(&reserve->mutex);
    have = atomic_load(&reserve->bytes);
    if (have > keep) {
        uint64_t left = have - keep > give ? have - give : keep;

        given = ftruncate(reserve->fd, (off_t)left) == 0;
        if (given)
            atomic_store(&reserve->bytes, left);
    }
    uv_mutex_unlock(&reserve->mutex);
    return given;
}

bool reserve_give_for(struct reserve *reserve, uint64_t bytes)
{
    uint64_t held = reserve->target - reserve_missing(reserve);
    uint64_t keep = reserve->target / RESERVE_VOTES_PART;
    uint64_t free_bytes = 0;
    struct statvfs info;

    if (reserve->fd >= 0 && fstatvfs(reserve->fd, &info) == 0)
        free_bytes = (uint64_t)info.f_bavail * info.f_frsize;
    if (held <= keep || free_bytes + (held - keep) < bytes)
        return false;
    return reserve_give(reserve, bytes > free_bytes ? bytes - free_bytes : 0, false);
}

uint64_t reserve_missing(const struct reserve *reserve)
{
    return reserve->target - atomic_load(&reserve->bytes);
}
