/* What a function sees: run as a static program inside an environment, it prints facts or
 * misbehaves as its first argument says.  Facts are lines "name value" on standard output. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void fact_call(const char *name, long result)
{
    (void)printf("%s %s\n", name, result < 0 ? strerrorname_np(errno) : "ok");
}

static void fact_status_line(const char *name, const char *key)
{
    char line[256];
    FILE *file = fopen("/proc/self/status", "re");

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, key, strlen(key)) == 0)
            (void)printf("%s %s", name, line + strlen(key) + 1);
    if (file != NULL)
        (void)fclose(file);
}

static int create(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    if (fd >= 0)
        (void)close(fd);
    return fd;
}

static unsigned processes(void)
{
    DIR *list = opendir("/proc");
    unsigned count = 0;

    for (struct dirent *entry; list != NULL && (entry = readdir(list)) != NULL;)
        count += entry->d_name[0] >= '1' && entry->d_name[0] <= '9';
    if (list != NULL)
        (void)closedir(list);
    return count;
}

static int facts(void)
{
    char text[256];
    struct stat info;

    (void)printf("uid %d\ngid %d\npid %d\nprocesses %u\n", (int)getuid(), (int)getgid(),
                 (int)getpid(), processes());
    fact_status_line("capabilities", "CapEff:");
    fact_status_line("bounding", "CapBnd:");
    fact_status_line("seccomp", "Seccomp:");
    fact_status_line("no_new_privs", "NoNewPrivs:");
    (void)printf("directory %s\n", getcwd(text, sizeof text));
    fact_call("write_root", create("/x"));
    fact_call("write_task", create("/var/task/x"));
    fact_call("write_usr", create("/usr/x"));
    fact_call("write_etc", create("/etc/passwd"));
    fact_call("write_tmp", create("/tmp/x"));
    fact_call("write_shm", create("/dev/shm/x"));
    fact_call("write_null", create("/dev/null"));
    fact_call("usr_there", stat("/usr/bin", &info));
    fact_call("certificates", stat("/etc/ssl/certs", &info));
    fact_call("resolver", stat("/etc/resolv.conf", &info));
    fact_call("host_root", stat("/root/.bashrc", &info));
    fact_call("cgroup_folder", stat("/sys/fs/cgroup", &info));
    fact_call("init_descriptors", open("/proc/1/fd/3", O_WRONLY));
    fact_call("mount", mount("x", "/tmp", "tmpfs", 0, NULL));
    fact_call("unshare", unshare(CLONE_NEWUSER));
    fact_call("ptrace", ptrace(PTRACE_TRACEME, 0, NULL, NULL));
    fact_call("packet_socket", socket(AF_PACKET, SOCK_RAW, 0));
    fact_call("raw_socket", socket(AF_INET, SOCK_RAW, 1));
    fact_call("set_uid", setuid(0));
    return 0;
}

/* connect HOST PORT: "ok", or why not, within two seconds. */
static int connect_to(const char *host, const char *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int error = 0;
    socklen_t len = sizeof error;

    (void)inet_pton(AF_INET, host, &address.sin_addr);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0 && errno != EINPROGRESS)
        error = errno;
    else if (poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, 2000) == 0)
        error = ETIMEDOUT;
    else
        (void)getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len);
    (void)printf("connect %s\n", error == 0 ? "ok" : strerrorname_np(error));
    return 0;
}

/* datagrams HOST COUNT: one to each of so many ports. */
static int send_datagrams(const char *host, const char *count)
{
    struct sockaddr_in address = { .sin_family = AF_INET };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int sent = 0;

    (void)inet_pton(AF_INET, host, &address.sin_addr);
    for (int port = 10000; port < 10000 + atoi(count); port++) {
        address.sin_port = htons((uint16_t)port);
        sent += sendto(fd, "x", 1, 0, (struct sockaddr *)&address, sizeof address) == 1;
    }
    (void)printf("sent %d\n", sent);
    return 0;
}

/* listen PORT on all addresses, for ever. */
static int listen_on(const char *port)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 8) < 0)
        return 4;
    for (;;)
        (void)pause();
}

static int eat_memory(void)
{
    for (;;) {
        char *block = malloc(1 << 20);

        if (block == NULL)
            return 3;
        memset(block, 1, 1 << 20);
        __asm__ volatile("" : : "r"(block) : "memory"); /* or a compiler leaves both away */
    }
}

/* Fork until it is refused; children wait, so that all of them count. */
static int fork_bomb(void)
{
    unsigned made = 0;

    for (;;) {
        pid_t pid = fork();

        if (pid == 0) {
            (void)pause();
            _exit(0);
        }
        if (pid < 0)
            break;
        made++;
    }
    (void)printf("forked %u\nrefused %s\n", made, strerrorname_np(errno));
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "facts";

    if (strcmp(what, "facts") == 0)
        return facts();
    if (strcmp(what, "connect") == 0 && argc > 3)
        return connect_to(argv[2], argv[3]);
    if (strcmp(what, "datagrams") == 0 && argc > 3)
        return send_datagrams(argv[2], argv[3]);
    if (strcmp(what, "listen") == 0 && argc > 2)
        return listen_on(argv[2]);
    if (strcmp(what, "memory") == 0)
        return eat_memory();
    if (strcmp(what, "fork") == 0)
        return fork_bomb();
    if (strcmp(what, "abort") == 0)
        abort();
    if (strcmp(what, "exit") == 0)
        return argc > 2 ? atoi(argv[2]) : 0;
    if (strcmp(what, "wait") == 0)
        for (;;)
            (void)pause();
    return 99;
}
