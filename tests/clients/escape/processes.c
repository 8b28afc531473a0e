/* Attempts on other processes, on rights, on the first process, and on what the host shares among
 * all.  What would harm a host that is not protected is tried inside only. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/clients/escape/attempt.h"

enum { PIDS_TRIED = 32768, IPC_KEY = 0x1a91a91 };

static const char *become_root(void)
{
    return word_of(setuid(0));
}

static const char *become_another(void)
{
    return word_of(setresuid(1000, 1000, 1000));
}

static const char *take_groups(void)
{
    gid_t group = 0;

    return word_of(setgroups(1, &group));
}

static const char *raise_capability(void)
{
    struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
    struct __user_cap_data_struct data[2] = { { 1u << CAP_SYS_ADMIN, 1u << CAP_SYS_ADMIN, 0 },
                                              { 0 } };

    return word_of(syscall(SYS_capset, &head, data));
}

static const char *clear_no_new_privs(void)
{
    return word_of(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 ||
                           prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0
                       ? 0
                       : -1);
}

/* The filter stays, whatever filter is added to it. */
static const char *leave_seccomp(void)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[128];
    int mode = 0;

    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        (void)sscanf(line, "Seccomp: %d", &mode);
    if (file != NULL)
        (void)fclose(file);
    if (mode == 0)
        return "ok";
    return prctl(PR_SET_SECCOMP, 0, 0, 0, 0) == 0 ? "ok" : "kept";
}

static const char *map_more_users(void)
{
    int fd = open("/proc/self/uid_map", O_WRONLY | O_CLOEXEC);

    return word_of(fd < 0 ? -1 : write(fd, "0 0 1", 5));
}

#ifdef __x86_64__
/* getpid() of 32-bit programs: another table of calls, which the filter does not list. */
static const char *call_as_32_bit(void)
{
    long result;

    __asm__ volatile("int $0x80" : "=a"(result) : "a"(20) : "memory", "r8", "r9", "r10", "r11");
    return result > 0 ? "ok" : "none";
}

static const char *call_as_x32(void)
{
    return word_of(syscall(0x40000000 | SYS_getpid));
}
#endif

/* The first process of the namespace is our own lapwing-init: others have rows for it. */
static const char *signal_others(void)
{
    for (pid_t pid = 2; pid < PIDS_TRIED; pid++)
        if (pid != getpid() && pid != getppid() && kill(pid, 0) == 0)
            return "ok";
    return "none";
}

/* A signal to the first process must have no effect: it has no handler, and no signal but those
 * from outside ends or stops it. */
static const char *first_is_untouched(int rv)
{
    FILE *file;
    char state = '?';

    if (rv < 0)
        return word_of(rv);
    file = fopen("/proc/1/stat", "re");
    if (file == NULL || fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
        state = '?';
    if (file != NULL)
        (void)fclose(file);
    return state == 'S' ? "ignored" : "ok";
}

static const char *kill_first(void)
{
    return first_is_untouched(kill(1, SIGKILL));
}

static const char *stop_first(void)
{
    return first_is_untouched(kill(1, SIGSTOP));
}

static const char *all_signals_to_first(void)
{
    int rv = 0;

    for (int number = 1; number <= SIGRTMAX && rv == 0; number++)
        rv = number == 32 || number == 33 ? 0 : kill(1, number);
    return first_is_untouched(rv);
}

static const char *kill_first_by_descriptor(void)
{
    int fd = (int)syscall(SYS_pidfd_open, 1, 0);

    return first_is_untouched(fd < 0 ? -1
                                     : (int)syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0));
}

static const char *limit_first(void)
{
    struct rlimit limit = { 0, 0 };

    return word_of(prlimit(1, RLIMIT_NOFILE, &limit, NULL));
}

static const char *read_file_of_first(const char *name, int flags)
{
    char path[64];
    char text[16];
    int fd;

    (void)snprintf(path, sizeof path, "/proc/1/%s", name);
    fd = open(path, flags | O_CLOEXEC);
    if (fd < 0 || (flags & O_ACCMODE) != O_RDONLY)
        return word_of(fd);
    return word_of(read(fd, text, sizeof text));
}

static const char *environment_of_first(void)
{
    return read_file_of_first("environ", O_RDONLY);
}

static const char *memory_of_first(void)
{
    return read_file_of_first("mem", O_RDWR);
}

static const char *program_of_first(void)
{
    return read_file_of_first("exe", O_RDONLY);
}

static const char *maps_of_first(void)
{
    return read_file_of_first("maps", O_RDONLY);
}

static const char *descriptors_of_first(void)
{
    return read_file_of_first("fd/3", O_WRONLY);
}

static const char *root_of_first(void)
{
    return word_of(open("/proc/1/root/etc/passwd", O_RDONLY | O_CLOEXEC));
}

static const char *namespaces_of_first(void)
{
    return word_of(open("/proc/1/ns/net", O_RDONLY | O_CLOEXEC));
}

static const char *see_others(void)
{
    char path[32];
    unsigned seen = 0;

    for (pid_t pid = 1; pid < PIDS_TRIED; pid++) {
        (void)snprintf(path, sizeof path, "/proc/%d", (int)pid);
        seen += access(path, F_OK) == 0;
    }
    return seen <= 3 ? "none" : "ok"; /* lapwing-init, the function, this child of it */
}

static const char *own_place_in_groups(void)
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    char line[512];
    const char *said = "hidden";

    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *path = strrchr(line, ':');

        if (path != NULL && strcmp(path, ":/\n") != 0)
            said = "ok";
    }
    if (file != NULL)
        (void)fclose(file);
    return said;
}

static const char *more_descriptors(void)
{
    struct rlimit limit = { 1 << 20, 1 << 20 };

    return word_of(setrlimit(RLIMIT_NOFILE, &limit));
}

/* A host whose core pattern is a pipe runs its handler, as root and outside, whenever a process
 * dies, also with a limit of 0; a limit of 1 alone keeps the kernel from it. */
static const char *core_limit_of_zero(void)
{
    struct rlimit limit = { 0, 0 };

    (void)setrlimit(RLIMIT_CORE, &limit);
    (void)prlimit(0, RLIMIT_CORE, &limit, NULL);
    /* A number of 64 bits of which the kernel looks at 32. */
    (void)syscall(SYS_setrlimit, 1L << 32 | RLIMIT_CORE, &limit);
    (void)syscall(SYS_prlimit64, 0, 1L << 32 | RLIMIT_CORE, &limit, NULL);
    (void)getrlimit(RLIMIT_CORE, &limit);
    return limit.rlim_cur == 1 && limit.rlim_max == 1 ? "kept" : "ok";
}

static const char *be_preferred(void)
{
    return word_of(setpriority(PRIO_PROCESS, 0, -5));
}

static const char *be_real_time(void)
{
    struct sched_param param = { .sched_priority = 1 };

    return word_of(sched_setscheduler(0, SCHED_FIFO, &param));
}

static const char *real_time_disk(void)
{
    return word_of(
        syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_PRIO_VALUE(IOPRIO_CLASS_RT, 0)));
}

/* When the host has no memory left, functions go before its services. */
static const char *outlive_services(void)
{
    int fd = open("/proc/self/oom_score_adj", O_RDWR | O_CLOEXEC);
    char text[16] = "";

    if (fd < 0 || write(fd, "0", 1) < 0)
        return word_of(-1);
    return pread(fd, text, sizeof text - 1, 0) > 0 && atoi(text) > 0 ? "kept" : "ok";
}

static const char *shared_memory_of_host(void)
{
    return word_of(shmget(IPC_KEY, 0, 0));
}

static const char *message_queue_of_host(void)
{
    return word_of(syscall(SYS_mq_open, "lapwing-escape", O_RDONLY, 0, NULL));
}

static const char *type_into_terminal(void)
{
    char letter = 'x';

    return word_of(ioctl(0, TIOCSTI, &letter));
}

static const char *inherited_descriptors(void)
{
    return inherited_found();
}

#define ROW(name, what, refused, function)                                                         \
    {                                                                                              \
        name, what, refused, NULL, CALL_NONE, { 0 }, function, false                               \
    }
#define INSIDE(name, what, refused, function)                                                      \
    {                                                                                              \
        name, what, refused, NULL, CALL_NONE, { 0 }, function, true                                \
    }
#define ALLOWED(name, what, why, function)                                                         \
    {                                                                                              \
        name, what, "EPERM EACCES", why, CALL_NONE, { 0 }, function, true                          \
    }

// clang-format off
static const struct attempt list[] = {
    ROW("set_uid", "become root", "EINVAL EPERM", become_root),
    ROW("set_other_uid", "become somebody else", "EINVAL EPERM", become_another),
    ROW("set_groups", "join root's group", "EPERM", take_groups),
    ROW("raise_capability", "take CAP_SYS_ADMIN", "EPERM", raise_capability),
    ROW("clear_no_new_privs", "let setuid programs count again", "EINVAL", clear_no_new_privs),
    ROW("leave_seccomp", "leave the filter", "kept", leave_seccomp),
    ROW("map_more_users", "map root of the host", "EPERM EACCES", map_more_users),
#ifdef __x86_64__
    ROW("call_as_32_bit", "call as a 32-bit program does, past the filter", "SIGSYS", call_as_32_bit),
    ROW("call_as_x32", "call as an x32 program does", "SIGSYS", call_as_x32),
#endif
    ROW("signal_others", "signal each process id that there may be", "none", signal_others),
    ROW("see_others", "look for other processes in /proc", "none", see_others),
    INSIDE("kill_first", "kill the first process", "ignored EPERM", kill_first),
    INSIDE("stop_first", "stop it", "ignored EPERM", stop_first),
    INSIDE("all_signals_to_first", "send it every signal", "ignored EPERM", all_signals_to_first),
    INSIDE("kill_first_by_descriptor", "kill it by a descriptor", "ignored EPERM", kill_first_by_descriptor),
    ALLOWED("limit_first", "set limits of the first process",
            "it has the function's own uid, nothing to lose but its end, and ends with it", limit_first),
    ROW("environment_of_first", "read its environment", "EACCES EPERM", environment_of_first),
    ROW("memory_of_first", "open its memory", "EACCES EPERM", memory_of_first),
    ROW("program_of_first", "open the file that it runs, of the host", "EACCES EPERM", program_of_first),
    ROW("maps_of_first", "read its layout", "EACCES EPERM", maps_of_first),
    ROW("descriptors_of_first", "write to its status pipe", "EACCES EPERM ENOENT", descriptors_of_first),
    ROW("root_of_first", "go through its root", "EACCES EPERM", root_of_first),
    ROW("namespaces_of_first", "hold one of its namespaces", "EACCES EPERM", namespaces_of_first),
    ROW("inherited_descriptors", "use descriptors that somebody forgot", "none", inherited_descriptors),
    ROW("own_place_in_groups", "learn the host's control groups", "hidden", own_place_in_groups),
    ROW("more_descriptors", "raise the limit of descriptors", "EPERM", more_descriptors),
    ROW("core_limit_of_zero", "have the host's core handler run, as root", "kept", core_limit_of_zero),
    ROW("be_preferred", "raise our priority", "EACCES EPERM", be_preferred),
    ROW("be_real_time", "run in real time", "EPERM", be_real_time),
    ROW("real_time_disk", "read before everybody else", "EPERM", real_time_disk),
    ALLOWED("outlive_services", "outlive the host's services when memory is out",
            "kept where the spawner has CAP_SYS_RESOURCE; elsewhere the memory limit alone holds", outlive_services),
    ROW("shared_memory_of_host", "System V shared memory of the host", "ENOENT ENOSYS", shared_memory_of_host),
    ROW("message_queue_of_host", "a POSIX message queue of the host", "ENOENT ENOSYS EACCES", message_queue_of_host),
    ROW("type_into_terminal", "type into a terminal (TIOCSTI)", "ENOTTY EPERM EIO EACCES", type_into_terminal),
};
// clang-format on

const struct attempts attempts_on_processes = { list, sizeof list / sizeof list[0] };
