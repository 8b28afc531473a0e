#include "controlplane/replica/state_doubt.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"

#define DOUBT_DIR "/dev/shm"

/* For the handler of a signal: only ever added to, each path before it is counted. */
static char noted[STATE_DOUBTS_MAX][STATE_DOUBT_PATH_BYTES];
static _Atomic unsigned noted_count;
static pthread_mutex_t noting = PTHREAD_MUTEX_INITIALIZER;

static bool note(const char *path)
{
    unsigned count;
    bool found = false;

    pthread_mutex_lock(&noting);
    count = atomic_load(&noted_count);
    for (unsigned i = 0; i < count; i++)
        found = found || strcmp(noted[i], path) == 0;
    if (!found && count < STATE_DOUBTS_MAX) {
        memcpy(noted[count], path, strlen(path) + 1);
        atomic_store(&noted_count, count + 1);
        found = true;
    }
    pthread_mutex_unlock(&noting);
    return found;
}

void state_doubt_path(const char *dir, char out[STATE_DOUBT_PATH_BYTES])
{
    struct buf identity = { 0 };
    uint8_t sha256[SHA256_BYTES];
    struct stat info;

    out[0] = '\0';
    if (stat(dir, &info) < 0 || access(DOUBT_DIR, W_OK) < 0)
        return;
    buf_printf(&identity, "%llu %s", (unsigned long long)info.st_ino, dir);
    hash_sha256(buf_view(&identity), sha256);
    buf_done(&identity);
    (void)snprintf(out, STATE_DOUBT_PATH_BYTES,
                   DOUBT_DIR "/lapwing-doubt-%02x%02x%02x%02x%02x%02x%02x%02x", sha256[0],
                   sha256[1], sha256[2], sha256[3], sha256[4], sha256[5], sha256[6], sha256[7]);
    if (!note(out))
        out[0] = '\0';
}

/* Anybody may make a file there, which costs us time at a start and nothing else. */
bool state_doubt_stands(const char *path)
{
    struct stat info;

    return path[0] == '\0' || lstat(path, &info) == 0;
}

void state_doubt_clear(const char *path)
{
    if (path[0] != '\0')
        (void)unlink(path);
}

void state_doubt_raise_all(void)
{
    unsigned count = atomic_load(&noted_count);

    for (unsigned i = 0; i < count; i++) {
        int fd = open(noted[i], O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

        if (fd >= 0)
            (void)close(fd);
    }
}
