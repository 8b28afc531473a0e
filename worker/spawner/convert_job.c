/* Packages from what is a stranger's to what environments see.
 *
 *   FREE -> CONVERTING  lapwing-convert runs confined, writing to packages/.new-N
 *             '-tree---> OWNING    a child of ours gives the files to root; then renamed into
 * place, |                    answer
 *             '-image--> put in place under its name, answer, REMOVING
 *             '-no-----> answer, REMOVING   a child of ours removes .new-N
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
#include "worker/image/image_rules.h"
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
    close_quietly(&convert->image_fd);
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
    convert->reason[0] = convert->image[0] = '\0';
    convert->disk_bytes = 0;
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

/* `fd` goes with it, or is -1. */
static void answer_with(struct convert *convert, enum status st, const char *text, int fd)
{
    Lapwing__SpawnReply reply = LAPWING__SPAWN_REPLY__INIT;

    reply.status = st;
    reply.text = (char *)(uintptr_t)text; /* protobuf-c does not write to what it packs */
    reply.reason = convert->reason;
    if (st == ST_OK) {
        reply.unzipped_bytes = convert->unzipped_bytes;
        reply.files = convert->files;
        reply.disk_bytes = convert->disk_bytes;
        reply.image = convert->image;
    }
    spawner_reply(convert->spawner, convert->request, &reply, &fd, fd >= 0 ? 1 : 0);
}

static void answer(struct convert *convert, enum status st, const char *text)
{
    answer_with(convert, st, text, -1);
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

bool convert_result_parse(const char *line, struct convert_result *out)
{
    static const char *const reasons[] = {
        "not_a_zip",      "too_large_unzipped", "path_escape", "link_escape",  "device",
        "too_many_files", "duplicate_name",     "too_slow",    "not_an_image",
    };
    int end = 0;

    *out = (struct convert_result){ .text = "" };
    if (sscanf(line, "ok %" SCNu64 " %" SCNu32 "%n", &out->bytes, &out->files, &end) == 2) {
        if (line[end] == ' ' && strspn(line + end + 1, "0123456789abcdef") == PACKAGE_NAME_BYTES) {
            memcpy(out->image, line + end + 1, PACKAGE_NAME_BYTES);
            end += 1 + PACKAGE_NAME_BYTES;
        }
        return strcmp(line + end, "\n") == 0 && out->bytes <= PACKAGE_UNZIPPED_BYTES_MAX &&
               out->files <= PACKAGE_FILES_MAX;
    }
    if (sscanf(line, "refused %31s %n", out->reason, &end) != 1 || end == 0)
        return false;
    for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
        if (strcmp(out->reason, reasons[i]) == 0) {
            out->text = line + end;
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

/* Of what is shown of the converter's output. */
static int line_length(const char *text)
{
    size_t len = strcspn(text, "\n");

    return len < 160 ? (int)len : 160;
}

/* What was said of a package, taken over. */
static enum status take_result(struct convert *convert,
                               const struct convert_result *result,
                               struct err *err)
{
    bool wants_image = convert->task == CONVERT_IMAGE || convert->task == CONVERT_VERIFY;

    if (result->reason[0] != '\0') {
        enum status st = strcmp(result->reason, "not_an_image") == 0 ? ST_CORRUPT : ST_BAD_INPUT;

        memcpy(convert->reason, result->reason, sizeof convert->reason);
        return err_set(err, st, "%.*s", (int)strcspn(result->text, "\n"), result->text);
    }
    if (wants_image != (result->image[0] != '\0'))
        return err_set(err, ST_IO, "the converter said '%.*s'", line_length(convert->result),
                       convert->result);
    if (convert->task == CONVERT_VERIFY && strcmp(result->image, convert->image) != 0)
        return err_set(err, ST_CORRUPT, "the image of package %.16s... has rotted",
                       convert->package);
    if (convert->task == CONVERT_IMAGE)
        memcpy(convert->image, result->image, sizeof convert->image);
    convert->unzipped_bytes = result->bytes;
    convert->files = result->files;
    if (convert->task == CONVERT_TREE)
        convert->disk_bytes = result->bytes;
    return ST_OK;
}

/* What the sandbox came to: ST_OK, ST_BAD_INPUT or ST_CORRUPT with a reason, or ST_IO. */
static enum status judge(struct convert *convert, int exit_code, struct err *err)
{
    struct sandbox_record record = { 0 };
    struct convert_result result;
    struct cgroup_usage usage;
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
    if (!convert_result_parse(convert->result, &result))
        return err_set(err, ST_IO, "the converter ended with %d and said '%.*s'", exit_code,
                       line_length(convert->result), convert->result);
    return take_result(convert, &result, err);
}

/* ---- images ---- */

/* The image that the converter has made becomes root's; nobody who could write to it is left. */
static enum status take_made(struct convert *convert, const char *to, int *out, struct err *err)
{
    char from[PACKAGE_PATH_BYTES];
    AUTO_CLOSE int fd = -1;
    struct stat info;

    (void)snprintf(from, sizeof from, ROOTFS_PACKAGES "/%s/image", convert->folder);
    fd = open(from, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) < 0 || !S_ISREG(info.st_mode) || info.st_nlink != 1)
        return err_set(err, ST_IO, "the converter has left no image");
    if (fchown(fd, 0, 0) < 0 || fchmod(fd, 0444) < 0 || rename(from, to) < 0)
        return err_set_errno(err, ST_IO, errno, "move an image into place");
    *out = fd;
    fd = -1;
    return ST_OK;
}

/* The image that was fetched gets a name, by way of /proc: AT_EMPTY_PATH would take a capability.
 */
static enum status take_fetched(struct convert *convert, const char *to, int *out, struct err *err)
{
    char from[32];

    (void)snprintf(from, sizeof from, "/proc/self/fd/%d", convert->image_fd);
    if (linkat(AT_FDCWD, from, AT_FDCWD, to, AT_SYMLINK_FOLLOW) < 0 && errno != EEXIST)
        return err_set_errno(err, ST_IO, errno, "put an image in place");
    *out = convert->image_fd;
    convert->image_fd = -1;
    return ST_OK;
}

/* Put an image that was made or checked in its place, and answer with it. */
static enum status place_image(struct convert *convert, struct err *err)
{
    struct package_store *store = &convert->spawner->packages;
    const struct package_image *there = package_store_find(store, convert->package);
    AUTO_CLOSE int image = -1;
    char to[PACKAGE_PATH_BYTES];
    struct stat info;
    enum status st;

    /* One of a former run that nobody asked to verify has been overtaken. */
    if (there != NULL && !there->is_checked) {
        (void)snprintf(to, sizeof to, ROOTFS_PACKAGES "/%s/former", convert->folder);
        (void)package_store_drop(store, convert->package, to, NULL);
        there = NULL;
    }
    /* Somebody else's conversion of the same bytes was first: theirs is as good. */
    if (there != NULL && strcmp(there->id, convert->image) != 0)
        return err_set(err, ST_CONFLICT, "package %.16s... is here as another image",
                       convert->package);
    package_store_file(convert->package, convert->image, to);
    if (there == NULL)
        (void)unlink(to); /* what nobody knows */
    st = convert->task == CONVERT_IMAGE ? take_made(convert, to, &image, err)
                                        : take_fetched(convert, to, &image, err);
    if (st == ST_OK && fstat(image, &info) < 0)
        st = err_set_errno(err, ST_IO, errno, "look at an image");
    if (st == ST_OK && there == NULL)
        st = package_store_add(store, convert->package, convert->image, true, err);
    if (st != ST_OK)
        return st;
    convert->disk_bytes = (uint64_t)info.st_size;
    answer_with(convert, ST_OK, "", convert->task == CONVERT_IMAGE ? image : -1);
    return ST_OK;
}

/* An image of a former run is as it was, or goes. */
static void verified(struct convert *convert, enum status st, const char *text)
{
    struct package_store *store = &convert->spawner->packages;
    struct package_image *image = package_store_find(store, convert->package);
    char to[PACKAGE_PATH_BYTES];

    if (image == NULL) {
        answer(convert, ST_NOT_FOUND, "the image was removed meanwhile");
        return;
    }
    if (st == ST_OK) {
        image->is_checked = true;
    } else if (st == ST_CORRUPT) {
        (void)snprintf(to, sizeof to, ROOTFS_PACKAGES "/%s/image", convert->folder);
        (void)package_store_drop(store, convert->package, to, NULL);
        log_event(LOG_WARN, "package_rotten", LS("package", convert->package), LS("why", text),
                  LS("then", "removed"));
    }
    answer(convert, st, text);
}

/* Ends in REMOVING: the converter's folder goes in any case. */
static void finish_image(struct convert *convert, enum status st, struct err *err)
{
    if (convert->task == CONVERT_VERIFY) {
        verified(convert, st, st == ST_OK ? "" : err->text);
    } else {
        if (st == ST_OK)
            st = place_image(convert, err);
        if (st != ST_OK)
            answer(convert, st, err->text);
    }
    close_all(convert);
    start_removal(convert);
}

/* ---- steps ---- */

static void converted(struct convert *convert, int exit_code)
{
    struct err err = { 0 };
    enum status st = judge(convert, exit_code, &err);

    if (cgroup_remove(&convert->spawner->groups, &convert->group, NULL) != ST_OK)
        log_event(LOG_WARN, "control_group_left", LS("then", "removed at the end"));
    if (convert->task != CONVERT_TREE) {
        finish_image(convert, st, &err);
        return;
    }
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
    case CONVERT_CONVERTING:
        converted(convert, code);
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
    convert->status = convert->output = convert->pidfd = convert->timer = convert->image_fd = -1;
    convert->pid_source.ready = pid_ready;
    convert->timer_source.ready = timer_ready;
    clear(convert);
}

static enum status check_file(int zip, uint64_t bytes, struct err *err)
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
        .memory_bytes = PACKAGE_UNZIPPED_BYTES_MAX + ((uint64_t)CONVERT_OVERHEAD_MB << 20) +
                        (convert->task == CONVERT_IMAGE ? IMAGE_BYTES_MAX : 0),
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
    static const char *const tasks[] = { "tree", "image", "check", "verify" };
    static char name[] = "lapwing-convert";
    static char folder[] = "/out";
    static char time_zone[] = "TZ=UTC";
    char *task = (char *)(uintptr_t)tasks[convert->task];
    char *package = convert->task == CONVERT_TREE ? NULL : convert->package;
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
            .file_bytes_max = IMAGE_BYTES_MAX,
            .cpu_seconds_max = CONVERT_CPU_SECONDS_MAX,
            .group = &convert->group,
            .filter = &spawner->filter,
            .spawner = spawner->self,
            .input = zip,
            .output = output,
            .status = status,
            .wait = -1,
            .program = spawner->convert,
            .argv = (char *const[]){ name, task, folder, package, NULL },
            .environment = (char *const[]){ time_zone, NULL },
        },
        &convert->pidfd, err);
}

static enum status start(
    struct convert *convert, uint64_t request, const char *package, int input, struct err *err)
{
    enum status st;

    convert->request = request;
    memcpy(convert->package, package, PACKAGE_NAME_BYTES + 1);
    st = prepare(convert, err);
    if (st == ST_OK)
        st = clone_child(convert, input, err);
    if (st == ST_OK)
        st = spawner_watch(convert->spawner, convert->pidfd, EPOLLIN, &convert->pid_source, err);
    if (st == ST_OK) {
        convert->state = CONVERT_CONVERTING;
        return ST_OK;
    }
    if (convert->group.core >= 0)
        (void)cgroup_remove(&convert->spawner->groups, &convert->group, NULL);
    clear(convert); /* the folder, if made, is swept at the next start */
    return st;
}

/* An image that was fetched: ours to keep, and nobody can write to it. */
static enum status take_image(struct convert *convert,
                              const Lapwing__Convert *req,
                              int fd,
                              struct err *err)
{
    enum status st;

    if (convert->spawner->packages.way == PACKAGE_MOUNT_FOLDER)
        return err_set(err, ST_UNSUPPORTED, "convert: packages are folders here, not images");
    st = package_store_sealed(fd, err);
    if (st != ST_OK)
        return st;
    convert->image_fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
    if (convert->image_fd < 0)
        return err_set_errno(err, ST_IO, errno, "keep an image");
    memcpy(convert->image, req->image, PACKAGE_NAME_BYTES + 1);
    return ST_OK;
}

enum status convert_start(
    struct convert *convert, uint64_t request, const Lapwing__Convert *req, int fd, struct err *err)
{
    bool folders = convert->spawner->packages.way == PACKAGE_MOUNT_FOLDER;
    enum status st = check_file(fd, req->zip_bytes, err);

    CHECK(convert->state == CONVERT_FREE);
    convert->task = folders ? CONVERT_TREE : CONVERT_IMAGE;
    if (st == ST_OK && req->image[0] != '\0') {
        convert->task = CONVERT_CHECK;
        st = take_image(convert, req, fd, err);
    }
    return st == ST_OK ? start(convert, request, req->package, fd, err) : st;
}

enum status convert_verify(struct convert *convert,
                           uint64_t request,
                           const char *package,
                           struct err *err)
{
    const struct package_image *image = package_store_find(&convert->spawner->packages, package);
    char path[PACKAGE_PATH_BYTES];
    AUTO_CLOSE int fd = -1;
    struct stat info;

    CHECK(convert->state == CONVERT_FREE);
    if (image == NULL)
        return err_set(err, ST_NOT_FOUND, "verify package %.16s...: it is not here", package);
    package_store_file(package, image->id, path);
    fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &info) < 0)
        return err_set_errno(err, ST_IO, errno, "open the image of package %.16s...", package);
    convert->disk_bytes = (uint64_t)info.st_size;
    convert->task = CONVERT_VERIFY;
    memcpy(convert->image, image->id, sizeof convert->image);
    return start(convert, request, package, fd, err);
}

static void name_removal(struct convert *convert, char out[128])
{
    CHECK(convert->state == CONVERT_FREE);
    (void)snprintf(convert->folder, sizeof convert->folder, ".gone-%s-%llu",
                   convert->spawner->config.instance,
                   (unsigned long long)++convert->spawner->serial);
    package_path(convert->folder, out);
}

enum status convert_remove_former(struct convert *convert, struct err *err)
{
    char folder[128];
    enum status st;

    name_removal(convert, folder);
    if (mkdir(folder, 0700) < 0)
        return err_set_errno(err, ST_IO, errno, "make folder %s", folder);
    st = package_store_sweep(&convert->spawner->packages, folder, err);
    start_removal(convert);
    return st;
}

enum status convert_remove(struct convert *convert, const char *package, struct err *err)
{
    char to[128];
    enum status st;

    name_removal(convert, to);
    st = package_store_drop(&convert->spawner->packages, package, to, err);
    if (st == ST_OK)
        start_removal(convert);
    return st;
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
