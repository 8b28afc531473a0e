/* Packages from zip to tree.
 *
 *   FREE -> UNPACKING  lapwing-convert runs confined, writing packages/.new-N
 *             '-ok--> OWNING   a child of ours gives the files to root; then renamed into place,
 * answer
 *             '-no--> answer, REMOVING   a child of ours removes .new-N
 *   FREE -> REMOVING (a package that was renamed to .gone-N) -> FREE
 *
 * Owning and removing walk up to 100,000 files, so they run in a forked child beside the loop.  By
 * then no process of the converter exists, so nobody can exchange a file under their feet. */
#include "worker/spawner/convert_job.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/limits.h"
#include "base/log.h"
#include "worker/spawner/files.h"
#include "worker/spawner/rootfs.h"
#include "worker/spawner/sandbox.h"
#include "worker/spawner/spawner.h"

enum {
    CONVERT_SECONDS_MAX = 60, /* wall clock; 250 MB unpack in 1 s */
    CONVERT_CPU_SECONDS_MAX = 30,
    CONVERT_OVERHEAD_MB = 192, /* beside the files, which count where packages_dir is a tmpfs */
    CONVERT_CPU_WEIGHT = 885,  /* half a processor when others want it */
    WALK_FDS = 32,
};

static void close_all(struct convert *convert)
{
    close_quietly(&convert->status);
    close_quietly(&convert->output);
    spawner_close_watched(convert->spawner, &convert->pidfd);
    spawner_close_watched(convert->spawner, &convert->timer);
}

static void clear(struct convert *convert)
{
    close_all(convert);
    convert->state = CONVERT_FREE;
    convert->group = (struct cgroup){ .core = -1, .oom_event = -1 };
    convert->late = false;
    convert->result_len = 0;
    convert->reason[0] = '\0';
}

static void package_path(const char *name, char out[128])
{
    (void)snprintf(out, 128, ROOTFS_PACKAGES "/%s", name);
}

static int own_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    return lchown(path, 0, 0);
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *at)
{
    return remove(path);
}

static int walk_own(const char *path)
{
    return nftw(path, own_one, WALK_FDS, FTW_PHYS | FTW_MOUNT);
}

static int walk_remove(const char *path)
{
    return nftw(path, remove_one, WALK_FDS, FTW_PHYS | FTW_MOUNT | FTW_DEPTH);
}

/* Run `walk` over packages/<folder> in a child; pid_source tells its end. */
static enum status start_walk(struct convert *convert, int (*walk)(const char *), struct err *err)
{
    int pidfd = -1;
    struct clone_args args = { .flags = CLONE_PIDFD,
                               .pidfd = (uint64_t)(uintptr_t)&pidfd,
                               .exit_signal = SIGCHLD };
    char path[128];
    long pid;

    package_path(convert->folder, path);
    pid = syscall(SYS_clone3, &args, sizeof args);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        (void)close_range(3, ~0U, 0);
        _exit(walk(path) == 0 ? 0 : 1);
    }
    if (pid < 0)
        return err_set_errno(err, ST_IO, errno, "start a child for %s", convert->folder);
    convert->pidfd = pidfd;
    return spawner_watch(convert->spawner, pidfd, EPOLLIN, &convert->pid_source, err);
}

static void answer(struct convert *convert, enum status st, const char *text)
{
    Lapwing__SpawnReply reply = LAPWING__SPAWN_REPLY__INIT;

    reply.status = st;
    reply.text = (char *)(uintptr_t)text; /* protobuf-c does not write to what it packs */
    reply.reason = convert->reason;
    if (st == ST_OK) {
        reply.unzipped_bytes = convert->unzipped_bytes;
        reply.files = convert->files;
    }
    spawner_reply(convert->spawner, convert->request, &reply, NULL, 0);
}

static void start_removal(struct convert *convert)
{
    struct err err = { 0 };

    convert->state = CONVERT_REMOVING;
    if (start_walk(convert, walk_remove, &err) == ST_OK)
        return;
    log_event(LOG_WARN, "folder_left", LS("folder", convert->folder), LS("why", err.text),
              LS("then", "removed at the next start"));
    clear(convert);
}

bool convert_result_parse(const char *line,
                          uint64_t *out_bytes,
                          uint32_t *out_files,
                          char out_reason[32],
                          const char **out_text)
{
    static const char *const reasons[] = { "not_a_zip",      "too_large_unzipped",
                                           "path_escape",    "link_escape",
                                           "device",         "too_many_files",
                                           "duplicate_name", "too_slow" };
    uint64_t bytes;
    uint32_t files;
    int end = 0;

    if (sscanf(line, "ok %" SCNu64 " %" SCNu32 "\n%n", &bytes, &files, &end) == 2) {
        if (end == 0 || line[end] != '\0' || bytes > PACKAGE_UNZIPPED_BYTES_MAX ||
            files > PACKAGE_FILES_MAX)
            return false;
        *out_bytes = bytes;
        *out_files = files;
        out_reason[0] = '\0';
        *out_text = "";
        return true;
    }
    if (sscanf(line, "refused %31s %n", out_reason, &end) != 1 || end == 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (strcmp(out_reason, reasons[i]) == 0) {
            *out_text = line + end;
            return true;
        }
    return false;
}

static void read_result(struct convert *convert)
{
    ssize_t got;

    do {
        size_t room = sizeof convert->result - 1 - convert->result_len;

        got = room > 0 ? read(convert->output, convert->result + convert->result_len, room) : 0;
        convert->result_len += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    convert->result[convert->result_len] = '\0';
    for (size_t i = 0; i < convert->result_len; i++) /* it is copied to logs and answers */
        if ((unsigned char)convert->result[i] < ' ' && convert->result[i] != '\n')
            convert->result[i] = '?';
}

/* What the sandbox came to: ST_OK, ST_BAD_INPUT with a reason, or ST_IO. */
static enum status judge(struct convert *convert, int exit_code, struct err *err)
{
    struct sandbox_record record = { 0 };
    struct cgroup_usage usage;
    const char *text = "";
    int errnum;

    read_result(convert);
    cgroup_usage(&convert->spawner->groups, &convert->group, &usage);
    if (read(convert->status, &record, sizeof record) == sizeof record &&
        record.kind == SANDBOX_FAILED) {
        const char *step = sandbox_step(record.value, &errnum);
        return err_set_errno(err, ST_IO, errnum, "start the converter: %s", step);
    }
    if (convert->late || usage.oom_kills > 0) {
        (void)snprintf(convert->reason, sizeof convert->reason, "too_slow");
        return err_set(err, ST_BAD_INPUT, "the package needs more than %d s or %d MB to unpack",
                       CONVERT_SECONDS_MAX, CONVERT_OVERHEAD_MB);
    }
    if (!convert_result_parse(convert->result, &convert->unzipped_bytes, &convert->files,
                              convert->reason, &text)) {
        convert->reason[0] = '\0';
        return err_set(err, ST_IO, "the converter ended with %d and said '%.120s'", exit_code,
                       convert->result);
    }
    if (convert->reason[0] != '\0')
        return err_set(err, ST_BAD_INPUT, "%.*s", (int)strcspn(text, "\n"), text);
    return ST_OK;
}

static void unpacked(struct convert *convert, int exit_code)
{
    struct err err = { 0 };
    enum status st = judge(convert, exit_code, &err);

    if (cgroup_remove(&convert->spawner->groups, &convert->group, NULL) != ST_OK)
        log_event(LOG_WARN, "control_group_left", LS("then", "removed at the end"));
    close_all(convert);
    if (st == ST_OK) {
        st = start_walk(convert, walk_own, &err);
        if (st == ST_OK) {
            convert->state = CONVERT_OWNING;
            return;
        }
    }
    answer(convert, st, err.text);
    start_removal(convert);
}

static void owned(struct convert *convert, int exit_code)
{
    char from[128];
    char to[128];

    close_all(convert);
    package_path(convert->folder, from);
    package_path(convert->package, to);
    if (exit_code != 0) {
        answer(convert, ST_IO, "give the unpacked files to root");
        start_removal(convert);
        return;
    }
    if (rename(from, to) == 0) {
        answer(convert, ST_OK, "");
        clear(convert);
        return;
    }
    /* Somebody else's conversion of the same bytes was first: theirs is as good. */
    if (errno == EEXIST || errno == ENOTEMPTY)
        answer(convert, ST_OK, "");
    else
        answer(convert, ST_IO, "move the unpacked package into place");
    start_removal(convert);
}

static void pid_ready(struct source *source, uint32_t events)
{
    struct convert *convert = container_of(source, struct convert, pid_source);
    siginfo_t info = { 0 };
    int code;

    CHECK(waitid(P_PIDFD, (id_t)convert->pidfd, &info, WEXITED | WNOHANG) == 0);
    CHECK(info.si_pid != 0); /* the descriptor said that it has ended */
    code = info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
    switch (convert->state) {
    case CONVERT_UNPACKING:
        unpacked(convert, code);
        return;
    case CONVERT_OWNING:
        owned(convert, code);
        return;
    case CONVERT_REMOVING:
        if (code != 0)
            log_event(LOG_WARN, "folder_left", LS("folder", convert->folder),
                      LS("then", "removed at the next start"));
        clear(convert);
        return;
    case CONVERT_FREE:
        break;
    }
    CHECK(!"convert: a child ended while free");
}

static void timer_ready(struct source *source, uint32_t events)
{
    struct convert *convert = container_of(source, struct convert, timer_source);

    convert->late = true;
    spawner_close_watched(convert->spawner, &convert->timer);
    (void)cgroup_kill(&convert->group, NULL);
}

void convert_init(struct convert *convert, struct spawner *spawner, uint32_t number)
{
    *convert = (struct convert){ .spawner = spawner, .number = number };
    convert->status = convert->output = convert->pidfd = convert->timer = -1;
    convert->pid_source.ready = pid_ready;
    convert->timer_source.ready = timer_ready;
    clear(convert);
}

static enum status check_zip(int zip, uint64_t bytes, struct err *err)
{
    struct stat info;

    if (fstat(zip, &info) < 0 || !S_ISREG(info.st_mode))
        return err_set(err, ST_BAD_INPUT, "convert: the descriptor is no regular file");
    if ((uint64_t)info.st_size != bytes)
        return err_set(err, ST_BAD_INPUT, "convert: the file has %lld bytes, not %llu",
                       (long long)info.st_size, (unsigned long long)bytes);
    return ST_OK;
}

/* Control group, folder and time limit. */
static enum status prepare(struct convert *convert, struct err *err)
{
    struct spawner *spawner = convert->spawner;
    uid_t uid = spawner->config.uid_base + spawner->config.environments_max + convert->number;
    struct cgroup_limits limits = {
        .memory_bytes = PACKAGE_UNZIPPED_BYTES_MAX + ((uint64_t)CONVERT_OVERHEAD_MB << 20),
        .processes_max = 4,
        .cpu_weight = CONVERT_CPU_WEIGHT,
    };
    struct itimerspec when = { .it_value.tv_sec = CONVERT_SECONDS_MAX };
    char name[CGROUP_NAME_BYTES];
    char path[128];
    enum status st;

    (void)snprintf(name, sizeof name, "c%u.%llu", convert->number,
                   (unsigned long long)++spawner->serial);
    (void)snprintf(convert->folder, sizeof convert->folder, ".new-%s-%llu",
                   spawner->config.instance, (unsigned long long)spawner->serial);
    package_path(convert->folder, path);
    st = cgroup_create(&spawner->groups, name, &limits, &convert->group, err);
    if (st != ST_OK)
        return st;
    if (mkdir(path, 0755) < 0 || chown(path, uid, uid) < 0)
        return err_set_errno(err, ST_IO, errno, "make folder %s", path);
    convert->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (convert->timer < 0 || timerfd_settime(convert->timer, 0, &when, NULL) < 0)
        return err_set_errno(err, ST_IO, errno, "make a timer");
    return spawner_watch(spawner, convert->timer, EPOLLIN, &convert->timer_source, err);
}

static enum status clone_child(struct convert *convert, int zip, struct err *err)
{
    static char name[] = "lapwing-convert";
    static char folder[] = "/out";
    static char time_zone[] = "TZ=UTC";
    struct spawner *spawner = convert->spawner;
    AUTO_CLOSE int output = -1;
    AUTO_CLOSE int status = -1;
    char path[128];
    enum status st;
    int pipe_fds[2];
    int user;

    st = user_namespace_of(&spawner->users, spawner->config.environments_max + convert->number,
                           &user, err);
    if (st != ST_OK)
        return st;
    if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_set_errno(err, ST_IO, errno, "make a pipe");
    convert->output = pipe_fds[0];
    output = pipe_fds[1];
    if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
        return err_set_errno(err, ST_IO, errno, "make a pipe");
    convert->status = pipe_fds[0];
    status = pipe_fds[1];
    package_path(convert->folder, path);
    return sandbox_start(
        &(struct sandbox){
            .mounts = -1,
            .root = ROOTFS_CONVERT,
            .bind_from = path,
            .bind_to = ROOTFS_CONVERT "/out",
            .bind_writable = true,
            .directory = "/",
            .host_name = "convert",
            .network = -1,
            .user = user,
            .file_bytes_max = PACKAGE_UNZIPPED_BYTES_MAX,
            .cpu_seconds_max = CONVERT_CPU_SECONDS_MAX,
            .group = &convert->group,
            .filter = &spawner->filter,
            .spawner = spawner->self,
            .input = zip,
            .output = output,
            .status = status,
            .wait = -1,
            .program = spawner->convert,
            .argv = (char *const[]){ name, folder, NULL },
            .environment = (char *const[]){ time_zone, NULL },
        },
        &convert->pidfd, err);
}

enum status convert_start(struct convert *convert,
                          uint64_t request,
                          const Lapwing__Convert *req,
                          int zip,
                          struct err *err)
{
    enum status st = check_zip(zip, req->zip_bytes, err);

    CHECK(convert->state == CONVERT_FREE);
    if (st != ST_OK)
        return st;
    convert->request = request;
    memcpy(convert->package, req->package, PACKAGE_NAME_BYTES + 1);
    st = prepare(convert, err);
    if (st == ST_OK)
        st = clone_child(convert, zip, err);
    if (st == ST_OK)
        st = spawner_watch(convert->spawner, convert->pidfd, EPOLLIN, &convert->pid_source, err);
    if (st == ST_OK) {
        convert->state = CONVERT_UNPACKING;
        return ST_OK;
    }
    if (convert->group.core >= 0)
        (void)cgroup_remove(&convert->spawner->groups, &convert->group, NULL);
    clear(convert); /* the folder, if made, is swept at the next start */
    return st;
}

enum status convert_remove(struct convert *convert, const char *package, struct err *err)
{
    char from[128];
    char to[128];

    CHECK(convert->state == CONVERT_FREE);
    (void)snprintf(convert->folder, sizeof convert->folder, ".gone-%s-%llu",
                   convert->spawner->config.instance,
                   (unsigned long long)++convert->spawner->serial);
    package_path(package, from);
    package_path(convert->folder, to);
    if (rename(from, to) < 0)
        return err_set_errno(err, errno == ENOENT ? ST_NOT_FOUND : ST_IO, errno,
                             "remove package %.16s...", package);
    start_removal(convert);
    return ST_OK;
}

void convert_sweep(void)
{
    DIR *list = opendir(ROOTFS_PACKAGES);
    char path[512];

    if (list == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        if (strncmp(entry->d_name, ".new-", 5) != 0 && strncmp(entry->d_name, ".gone-", 6) != 0)
            continue;
        (void)snprintf(path, sizeof path, ROOTFS_PACKAGES "/%s", entry->d_name);
        (void)walk_remove(path);
    }
    (void)closedir(list);
}
