#include "controlplane/replica/state_trust.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"

void state_trust_path(const char *dir, char out[STATE_TRUST_PATH_BYTES])
{
    struct buf identity = { 0 };
    uint8_t sha256[SHA256_BYTES];
    struct stat info;

    out[0] = '\0';
    if (stat(dir, &info) < 0)
        return;
    buf_printf(&identity, "%llu %llu %s", (unsigned long long)info.st_dev,
               (unsigned long long)info.st_ino, dir);
    hash_sha256(buf_view(&identity), sha256);
    buf_done(&identity);
    (void)snprintf(out, STATE_TRUST_PATH_BYTES,
                   "/dev/shm/lapwing-state-%02x%02x%02x%02x%02x%02x%02x%02x", sha256[0], sha256[1],
                   sha256[2], sha256[3], sha256[4], sha256[5], sha256[6], sha256[7]);
}

bool state_trust_given(const char *path)
{
    struct stat info;

    /* Anybody may make files there: only our own counts. */
    return path[0] != '\0' && lstat(path, &info) == 0 && S_ISREG(info.st_mode) &&
           info.st_uid == geteuid();
}

/* Those given, for the handler of a signal: only ever added to, each path before it is counted. */
static char given[STATE_TRUST_MAX][STATE_TRUST_PATH_BYTES];
static _Atomic unsigned given_count;
static pthread_mutex_t giving = PTHREAD_MUTEX_INITIALIZER;

static bool note(const char *path)
{
    unsigned count;
    bool noted = false;

    pthread_mutex_lock(&giving);
    count = atomic_load(&given_count);
    for (unsigned i = 0; i < count; i++)
        noted = noted || strcmp(given[i], path) == 0;
    if (!noted && count < STATE_TRUST_MAX) {
        memcpy(given[count], path, strlen(path) + 1);
        atomic_store(&given_count, count + 1);
        noted = true;
    }
    pthread_mutex_unlock(&giving);
    return noted;
}

void state_trust_withdraw_all(void)
{
    unsigned count = atomic_load(&given_count);

    for (unsigned i = 0; i < count; i++)
        (void)unlink(given[i]);
}

void state_trust_give(const char *path)
{
    int fd;

    if (path[0] == '\0' || !note(path))
        return;
    fd = open(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0)
        (void)close(fd);
}

void state_trust_withdraw(const char *path)
{
    if (path[0] != '\0')
        (void)unlink(path);
}
