/* Control groups, what both back ends share: finding hierarchies, making, killing, freezing and
 * removing groups.  See cgroup.h. */
#include "worker/spawner/cgroup.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "worker/spawner/files.h"

static const char *const part_names[CGROUP_PARTS] = { "memory", "cpu", "pids" };

enum { FREEZE_MS_MAX = 100, EMPTY_MS_MAX = 2000, EMPTY_STEP_MS = 5 };

/* Where the hierarchies are mounted. */
struct mounts {
    char core[256];
    char parts[CGROUP_PARTS][256];
};

static bool option_listed(const char *options, const char *want)
{
    size_t len = strlen(want);

    for (const char *at = options; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, want, len) == 0 && (at[len] == ',' || at[len] == '\n' || at[len] == '\0'))
            return true;
    }
    return false;
}

/* One line of mountinfo: "ID PARENT DEV ROOT POINT OPTIONS... - TYPE SOURCE SUPEROPTIONS". */
static void mounts_add(struct mounts *mounts, const char *line)
{
    char point[256];
    char type[32];
    const char *rest = strstr(line, " - ");
    const char *options;

    if (rest == NULL || sscanf(line, "%*s %*s %*s %*s %255s", point) != 1 ||
        sscanf(rest, " - %31s", type) != 1)
        return;
    if (strcmp(type, "cgroup2") == 0)
        (void)snprintf(mounts->core, sizeof mounts->core, "%s", point);
    if (strcmp(type, "cgroup") != 0)
        return;
    options = strrchr(rest, ' ') + 1;
    for (int part = 0; part < CGROUP_PARTS; part++)
        if (option_listed(options, part_names[part]))
            (void)snprintf(mounts->parts[part], sizeof mounts->parts[part], "%s", point);
}

static enum status mounts_read(struct mounts *out, struct err *err)
{
    FILE *file = fopen("/proc/self/mountinfo", "re");
    char line[4096];

    *out = (struct mounts){ 0 };
    if (file == NULL)
        return err_set_errno(err, ST_IO, errno, "open /proc/self/mountinfo");
    while (fgets(line, sizeof line, file) != NULL)
        mounts_add(out, line);
    (void)fclose(file);
    if (out->core[0] == '\0')
        return err_set(err, ST_UNSUPPORTED,
                       "no cgroup v2 hierarchy is mounted: mount one at /sys/fs/cgroup");
    return ST_OK;
}

/* Open MOUNT/PARENT, then make and open our folder in it. */
static enum status open_folder(const char *mount,
                               const char *parent,
                               const char *name,
                               int *out_parent,
                               int *out,
                               struct err *err)
{
    char path[1024];

    (void)snprintf(path, sizeof path, "%s/%s", mount, parent);
    *out_parent = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*out_parent < 0)
        return err_set_errno(err, ST_IO, errno, "open cgroup folder %s", path);
    if (dir_make(*out_parent, name, out, err) != ST_OK)
        return err_set_errno(err, ST_DENIED, errno,
                             "make a control group in %s (run as root; in a container, mount the "
                             "hierarchy writable)",
                             path);
    return ST_OK;
}

/* Under v2 a group whose controllers are handed down may hold no process.  Where a service manager
 * delegated a group to us, we sit in it ourselves: go one level down. */
static enum status move_down(int dir, struct err *err)
{
    AUTO_CLOSE int leaf = -1;
    char pids[4096];
    enum status st = dir_make(dir, "supervisor", &leaf, err);

    if (st != ST_OK)
        return st;
    st = file_read(dir, "cgroup.procs", pids, sizeof pids, err);
    if (st != ST_OK)
        return st;
    for (char *rest = pids, *pid; (pid = strsep(&rest, "\n")) != NULL;)
        if (pid[0] != '\0')
            (void)file_write(leaf, "cgroup.procs", pid, NULL); /* it may have ended */
    return ST_OK;
}

static enum status hand_down(int dir, bool may_move, struct err *err)
{
    static const char *const controllers[] = { "+memory", "+pids", "+cpu" };
    enum status st = ST_OK;

    for (size_t i = 0; i < ARRAY_LEN(controllers) && st == ST_OK; i++) {
        st = file_write(dir, "cgroup.subtree_control", controllers[i], err);
        if (st == ST_OK || errno != EBUSY || !may_move)
            continue;
        st = move_down(dir, err);
        if (st == ST_OK)
            st = file_write(dir, "cgroup.subtree_control", controllers[i], err);
    }
    return st;
}

static enum status open_parts(struct cgroups *groups,
                              const struct mounts *mounts,
                              const char *parent,
                              struct err *err)
{
    char controllers[256];
    enum status st;

    st = file_read(groups->core_parent, "cgroup.controllers", controllers, sizeof controllers, err);
    if (st != ST_OK)
        return st;
    if (strstr(controllers, "memory") != NULL) {
        groups->limiter = &cgroup_v2;
        st = hand_down(groups->core_parent, parent[0] != '\0', err);
        return st != ST_OK ? st : hand_down(groups->core, false, err);
    }
    groups->limiter = &cgroup_v1;
    for (int part = 0; part < CGROUP_PARTS; part++) {
        if (mounts->parts[part][0] == '\0')
            return err_set(err, ST_UNSUPPORTED,
                           "this host has no %s controller, in cgroup v2 or v1: limits could not "
                           "be kept",
                           part_names[part]);
        st = open_folder(mounts->parts[part], parent, groups->name, &groups->part_parents[part],
                         &groups->parts[part], err);
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

/* Many environments full of processes must not take the last process id of the host, whose limit
 * may be as low as 32768. */
static enum status bound_processes(struct cgroups *groups, struct err *err)
{
    uint64_t ids = file_read_u64(AT_FDCWD, "/proc/sys/kernel/pid_max", 32768);
    uint64_t threads = file_read_u64(AT_FDCWD, "/proc/sys/kernel/threads-max", ids);
    int dir = groups->limiter == &cgroup_v2 ? groups->core : groups->parts[CGROUP_PIDS];

    groups->processes_max = (ids < threads ? ids : threads) / CGROUP_PROCESS_SHARE;
    return file_write_u64(dir, "pids.max", groups->processes_max, err);
}

enum status cgroups_open(struct cgroups *groups,
                         const char *instance,
                         const char *parent,
                         struct err *err)
{
    struct mounts mounts;
    enum status st = mounts_read(&mounts, err);

    *groups = (struct cgroups){ .core = -1, .core_parent = -1 };
    for (int part = 0; part < CGROUP_PARTS; part++)
        groups->parts[part] = groups->part_parents[part] = -1;
    if (st != ST_OK)
        return st;
    (void)snprintf(groups->name, sizeof groups->name, "lapwing-%s", instance);
    st = open_folder(mounts.core, parent, groups->name, &groups->core_parent, &groups->core, err);
    if (st != ST_OK)
        return st;
    st = open_parts(groups, &mounts, parent, err);
    return st == ST_OK ? bound_processes(groups, err) : st;
}

void cgroups_close(struct cgroups *groups)
{
    close_quietly(&groups->core);
    close_quietly(&groups->core_parent);
    for (int part = 0; part < CGROUP_PARTS; part++) {
        close_quietly(&groups->parts[part]);
        close_quietly(&groups->part_parents[part]);
    }
}

static void sleep_ms(long ms)
{
    (void)nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000 }, NULL);
}

static void kill_listed(int dir)
{
    char pids[4096];

    if (file_read(dir, "cgroup.procs", pids, sizeof pids, NULL) != ST_OK)
        return;
    for (char *rest = pids, *text; (text = strsep(&rest, "\n")) != NULL;) {
        pid_t pid = (pid_t)strtol(text, NULL, 10);

        if (pid > 1) /* 0: a process of another pid namespace, which we cannot name */
            (void)kill(pid, SIGKILL);
    }
}

/* Remove each group below `dir`; ST_TIMEOUT when one of them will not become empty. */
static enum status sweep(int dir, struct err *err)
{
    int copy = dup(dir);
    DIR *list = copy >= 0 ? fdopendir(copy) : NULL;
    enum status st = ST_OK;

    if (list == NULL)
        return err_set_errno(err, ST_IO, errno, "list control groups");
    rewinddir(list);
    for (struct dirent *entry; (entry = readdir(list)) != NULL;) {
        if (entry->d_type != DT_DIR || entry->d_name[0] == '.')
            continue;
        AUTO_CLOSE int group = openat(dir, entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (group < 0)
            continue;
        for (int waited = 0; unlinkat(dir, entry->d_name, AT_REMOVEDIR) < 0 && errno == EBUSY;) {
            kill_listed(group);
            sleep_ms(EMPTY_STEP_MS);
            waited += EMPTY_STEP_MS;
            if (waited < EMPTY_MS_MAX)
                continue;
            st = err_set(err, ST_TIMEOUT, "control group %s is still in use", entry->d_name);
            break;
        }
    }
    (void)closedir(list);
    return st;
}

static enum status remove_folder(int parent, int dir, const char *name, struct err *err)
{
    enum status st;

    if (dir < 0)
        return ST_OK;
    st = sweep(dir, err);
    if (st != ST_OK)
        return st;
    if (unlinkat(parent, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        return err_set_errno(err, ST_IO, errno, "remove control group %s", name);
    return ST_OK;
}

enum status cgroups_remove(struct cgroups *groups, struct err *err)
{
    enum status st = ST_OK;
    enum status one;

    if (groups->core < 0)
        return ST_OK;
    (void)file_write(groups->core, "cgroup.kill", "1", NULL); /* kernel 5.14; sweep() kills too */
    for (int part = 0; part < CGROUP_PARTS; part++) {
        one = remove_folder(groups->part_parents[part], groups->parts[part], groups->name, err);
        st = st == ST_OK ? one : st;
    }
    one = remove_folder(groups->core_parent, groups->core, groups->name, err);
    return st == ST_OK ? one : st;
}

static void group_init(struct cgroup *group, const char *name)
{
    *group = (struct cgroup){ .core = -1, .oom_event = -1 };
    (void)snprintf(group->name, sizeof group->name, "%s", name);
    for (int part = 0; part < CGROUP_PARTS; part++)
        group->parts[part] = group->tasks[part] = -1;
}

static enum status make_folders(const struct cgroups *groups, struct cgroup *group, struct err *err)
{
    enum status st = dir_make(groups->core, group->name, &group->core, err);

    for (int part = 0; part < CGROUP_PARTS && st == ST_OK; part++) {
        if (groups->parts[part] < 0)
            continue;
        st = dir_make(groups->parts[part], group->name, &group->parts[part], err);
        if (st != ST_OK)
            break;
        group->tasks[part] = openat(group->parts[part], "tasks", O_WRONLY | O_CLOEXEC);
        if (group->tasks[part] < 0)
            st = err_set_errno(err, ST_IO, errno, "open tasks of %s", group->name);
    }
    return st;
}

enum status cgroup_prepare(const struct cgroups *groups,
                           const char *name,
                           struct cgroup *out,
                           struct err *err)
{
    struct cgroup group;
    enum status st;

    CHECK(strlen(name) < CGROUP_NAME_BYTES);
    group_init(&group, name);
    st = make_folders(groups, &group, err);
    if (st == ST_OK)
        st = groups->limiter->prepare(&group, err);
    if (st != ST_OK) {
        (void)cgroup_remove(groups, &group, NULL);
        return st;
    }
    *out = group;
    return ST_OK;
}

enum status cgroup_limit(const struct cgroups *groups,
                         struct cgroup *group,
                         const struct cgroup_limits *limits,
                         struct err *err)
{
    return groups->limiter->limit(group, limits, err);
}

enum status cgroup_create(const struct cgroups *groups,
                          const char *name,
                          const struct cgroup_limits *limits,
                          struct cgroup *out,
                          struct err *err)
{
    struct cgroup group;
    enum status st = cgroup_prepare(groups, name, &group, err);

    if (st != ST_OK)
        return st;
    st = cgroup_limit(groups, &group, limits, err);
    if (st != ST_OK) {
        (void)cgroup_remove(groups, &group, NULL);
        return st;
    }
    *out = group;
    return ST_OK;
}

enum status cgroup_kill(const struct cgroup *group, struct err *err)
{
    return file_write(group->core, "cgroup.kill", "1", err);
}

enum status cgroup_freeze(const struct cgroup *group, bool frozen, struct err *err)
{
    AUTO_CLOSE int events = openat(group->core, "cgroup.events", O_RDONLY | O_CLOEXEC);
    const char *want = frozen ? "frozen 1" : "frozen 0";
    char text[128];
    enum status st;

    if (events < 0)
        return err_set_errno(err, ST_IO, errno, "open cgroup.events of %s", group->name);
    st = file_write(group->core, "cgroup.freeze", frozen ? "1" : "0", err);
    if (st != ST_OK)
        return st;
    for (int waits = 0; waits < 4; waits++) {
        ssize_t got = pread(events, text, sizeof text - 1, 0);

        text[got > 0 ? got : 0] = '\0';
        if (strstr(text, want) != NULL)
            return ST_OK;
        (void)poll(&(struct pollfd){ .fd = events, .events = POLLPRI }, 1, FREEZE_MS_MAX / 4);
    }
    return err_set(err, ST_TIMEOUT, "%s group %s: not done after %d ms", frozen ? "freeze" : "thaw",
                   group->name, FREEZE_MS_MAX);
}

void cgroup_usage(const struct cgroups *groups,
                  const struct cgroup *group,
                  struct cgroup_usage *out)
{
    *out = (struct cgroup_usage){ 0 };
    out->cpu_us = file_read_key(group->core, "cpu.stat", "usage_usec", 0);
    groups->limiter->usage(group, out);
}

bool cgroup_guards_sockets(const struct cgroups *groups)
{
    return groups->limiter->sockets_full != NULL;
}

bool cgroup_sockets_full(const struct cgroups *groups, const struct cgroup *group)
{
    return cgroup_guards_sockets(groups) && groups->limiter->sockets_full(group);
}

enum status cgroup_remove(const struct cgroups *groups, struct cgroup *group, struct err *err)
{
    enum status st = ST_OK;

    close_quietly(&group->core);
    if (unlinkat(groups->core, group->name, AT_REMOVEDIR) < 0 && errno != ENOENT)
        st = err_set_errno(err, ST_IO, errno, "remove control group %s", group->name);
    for (int part = 0; part < CGROUP_PARTS; part++) {
        close_quietly(&group->tasks[part]);
        if (group->parts[part] < 0)
            continue;
        close_quietly(&group->parts[part]);
        if (unlinkat(groups->parts[part], group->name, AT_REMOVEDIR) < 0 && errno != ENOENT)
            st = err_set_errno(err, ST_IO, errno, "remove control group %s", group->name);
    }
    close_quietly(&group->oom_event);
    return st;
}
