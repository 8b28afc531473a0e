/* Bombs: use something up until a limit says no, or kills.
 *
 * Those that fill the kernel's buffers do it in several processes at once, each up to its own limit
 * of descriptors, for that limit is one process' and memory is everybody's. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/clients/escape/attempt.h"

enum { BLOCK_BYTES = 1 << 20, PIECE_BYTES = 65536, FILLERS = 48, TREE_S = 2 };

static char block[BLOCK_BYTES];

/* What all processes of a bomb got through, in memory that they share. */
struct tally {
    atomic_ullong bytes;
    atomic_uint done;
};
static struct tally *tally;

/* Write as much as a descriptor takes without waiting. */
static void stuff(int fd)
{
    ssize_t got;

    while ((got = write(fd, block, PIECE_BYTES)) > 0)
        (void)atomic_fetch_add(&tally->bytes, (unsigned long long)got);
}

static bool fill_pipe(void)
{
    int fds[2];

    if (pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0)
        return false;
    (void)fcntl(fds[1], F_SETPIPE_SZ, BLOCK_BYTES);
    stuff(fds[1]);
    return true;
}

static bool fill_unix(void)
{
    int fds[2];
    int bytes = BLOCK_BYTES;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) < 0)
        return false;
    (void)setsockopt(fds[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    stuff(fds[0]);
    return true;
}

/* A connection to ourselves; what is sent and not read stays in the kernel. */
static bool fill_tcp(void)
{
    static struct sockaddr_in address = { .sin_family = AF_INET };
    static int listener = -1;
    socklen_t len = sizeof address;
    int from;

    if (listener < 0) {
        address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 ||
            listen(listener, 64) < 0 ||
            getsockname(listener, (struct sockaddr *)&address, &len) < 0)
            return false;
    }
    from = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (from < 0 || connect(from, (struct sockaddr *)&address, sizeof address) < 0 ||
        accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC) < 0)
        return false;
    (void)fcntl(from, F_SETFL, O_NONBLOCK);
    stuff(from);
    return true;
}

static bool fill_udp(void)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    socklen_t len = sizeof address;
    int to = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int from = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (to < 0 || from < 0 || bind(to, (struct sockaddr *)&address, sizeof address) < 0 ||
        getsockname(to, (struct sockaddr *)&address, &len) < 0)
        return false;
    for (int i = 0; i < 4; i++)
        if (sendto(from, block, 32768, 0, (struct sockaddr *)&address, sizeof address) > 0)
            (void)atomic_fetch_add(&tally->bytes, 32768);
    (void)close(from);
    return true;
}

/* Ask for everything and never read the answer. */
static bool fill_netlink(void)
{
    struct {
        struct nlmsghdr head;
        struct rtgenmsg message;
    } ask = { .head = { .nlmsg_len = sizeof ask,
                        .nlmsg_type = RTM_GETLINK,
                        .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP } };
    int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, NETLINK_ROUTE);

    if (fd < 0)
        return false;
    (void)!send(fd, &ask, sizeof ask, 0);
    (void)atomic_fetch_add(&tally->bytes, 8192);
    return true;
}

static bool fill_memfd(void)
{
    int fd = memfd_create("escape", MFD_CLOEXEC);

    for (int i = 0; fd >= 0 && i < 16; i++)
        if (write(fd, block, sizeof block) == (ssize_t)sizeof block)
            (void)atomic_fetch_add(&tally->bytes, sizeof block);
    return fd >= 0;
}

static bool fill_segments(void)
{
    int id = shmget(IPC_PRIVATE, 16 * BLOCK_BYTES, IPC_CREAT | 0600);
    void *at = id < 0 ? (void *)-1 : shmat(id, NULL, 0);

    if (at == (void *)-1)
        return false;
    memset(at, 1, (size_t)16 * BLOCK_BYTES);
    (void)shmdt(at); /* the segment stays */
    (void)atomic_fetch_add(&tally->bytes, 16 * BLOCK_BYTES);
    return true;
}

/* `fill` until it fails, in many processes that keep what they have until all are done. */
static const char *fill_in_many(bool (*fill)(void))
{
    static char said[WORD_BYTES];
    pid_t pids[FILLERS];
    unsigned made = 0;

    while (made < FILLERS && (pids[made] = fork()) > 0)
        made++;
    if (made < FILLERS && pids[made] == 0) {
        while (fill()) {
        }
        (void)atomic_fetch_add(&tally->done, 1);
        for (;;)
            (void)pause();
    }
    while (atomic_load(&tally->done) < made)
        (void)usleep(20000);
    (void)snprintf(said, sizeof said, "%llu MB in %u processes",
                   (unsigned long long)atomic_load(&tally->bytes) / BLOCK_BYTES, made);
    while (made > 0) {
        (void)kill(pids[--made], SIGKILL);
        (void)waitpid(pids[made], NULL, 0);
    }
    return said;
}

static const char *bomb_memory(void)
{
    for (;;) {
        char *more = malloc(BLOCK_BYTES);

        if (more == NULL)
            return "malloc refused";
        memset(more, 1, BLOCK_BYTES);
    }
}

static const char *write_until_refused(const char *path)
{
    static char said[WORD_BYTES];
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    unsigned long long bytes = 0;
    ssize_t got;

    while ((got = write(fd, block, sizeof block)) > 0)
        bytes += (unsigned long long)got;
    (void)snprintf(said, sizeof said, "%s after %llu MB", word_of(-1), bytes / BLOCK_BYTES);
    (void)unlink(path);
    return said;
}

static const char *bomb_tmp(void)
{
    return write_until_refused("/tmp/bomb");
}

static const char *bomb_shm(void)
{
    return write_until_refused("/dev/shm/bomb");
}

/* Names and empty files cost memory too. */
static const char *bomb_names(void)
{
    static char said[WORD_BYTES];
    char path[64];
    unsigned made = 0;

    do {
        (void)snprintf(path, sizeof path, "/tmp/n%u", made);
    } while (symlink(block, path) == 0 && ++made > 0);
    (void)snprintf(said, sizeof said, "%s after %u", word_of(-1), made);
    return said;
}

static const char *bomb_descriptors(void)
{
    static char said[WORD_BYTES];
    unsigned made = 0;

    while (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0)
        made++;
    (void)snprintf(said, sizeof said, "%s after %u", word_of(-1), made);
    return said;
}

static const char *bomb_forks(void)
{
    static char said[WORD_BYTES];
    unsigned made = 0;
    pid_t pid;

    while ((pid = fork()) > 0)
        made++;
    if (pid == 0)
        for (;;)
            (void)pause();
    (void)snprintf(said, sizeof said, "%s after %u", word_of(-1), made);
    return said;
}

/* Every process of the bomb forks, for ever, and is in nobody's group: only a limit ends it. */
static const char *bomb_tree(void)
{
    time_t end = time(NULL) + TREE_S;

    while (time(NULL) < end)
        if (fork() == 0)
            (void)setsid();
    return "the clock";
}

/* Ends the environment, and with it what earlier bombs have left. */
static const char *bomb_exit(void)
{
    exit(0);
}

const char *bomb_run(const char *name)
{
    static const struct {
        const char *name;
        const char *(*run)(void);
        bool (*fill)(void);
    } bombs[] = {
        { "memory", bomb_memory, NULL },
        { "tmp", bomb_tmp, NULL },
        { "shm", bomb_shm, NULL },
        { "names", bomb_names, NULL },
        { "descriptors", bomb_descriptors, NULL },
        { "forks", bomb_forks, NULL },
        { "tree", bomb_tree, NULL },
        { "exit", bomb_exit, NULL },
        { "memfd", NULL, fill_memfd },
        { "segments", NULL, fill_segments },
        { "pipes", NULL, fill_pipe },
        { "unix", NULL, fill_unix },
        { "tcp", NULL, fill_tcp },
        { "udp", NULL, fill_udp },
        { "netlink", NULL, fill_netlink },
    };

    memset(block, 'x', sizeof block);
    block[200] = '\0'; /* a target for symbolic links */
    tally = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < sizeof bombs / sizeof bombs[0]; i++)
        if (strcmp(bombs[i].name, name) == 0)
            return bombs[i].fill != NULL ? fill_in_many(bombs[i].fill) : bombs[i].run();
    return NULL;
}
