/* Execution environments, see environment.h. */
#include "worker/spawner/environment.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "worker/spawner/files.h"
#include "worker/spawner/ready_pool.h"
#include "worker/spawner/rootfs.h"
#include "worker/spawner/sandbox.h"
#include "worker/spawner/spawner.h"
#include "worker/spawner/spawner_client.h"

enum { SHM_MB = 64 };

static void clear(struct environment *env)
{
    env->state = ENVIRONMENT_FREE;
    env->request = 0;
    env->package[0] = '\0';
    env->group = (struct cgroup){ .core = -1, .oom_event = -1 };
    env->netns.fd = env->output = env->status = env->pidfd = -1;
    for (int i = 0; i < NETWORK_SOCKETS; i++)
        env->netns.sockets[i] = -1;
    env->user = env->slot;
    env->cpu_before_us = 0;
    env->ready = env->killed = env->out_of_memory = env->frozen = false;
    env->last = (struct sandbox_record){ 0 };
}

void environment_release(struct environment *env)
{
    struct err err = { 0 };

    network_drop(&env->netns);
    close_quietly(&env->output);
    spawner_close_watched(env->spawner, &env->status);
    spawner_close_watched(env->spawner, &env->pidfd);
    if (env->group.core >= 0) {
        spawner_close_watched(env->spawner, &env->group.oom_event);
        if (cgroup_remove(&env->spawner->groups, &env->group, &err) != ST_OK)
            log_event(LOG_WARN, "control_group_left", LS("why", err.text),
                      LS("then", "removed at the end"));
    }
    ready_pool_give_user(&env->spawner->ready, env->user);
    clear(env);
}

static void answer_start(struct environment *env, enum status st, char *text)
{
    Lapwing__SpawnReply reply = LAPWING__SPAWN_REPLY__INIT;
    int fds[SPAWNER_FDS_MAX] = { 0 };

    fds[SPAWNER_FD_RUNTIME] = env->netns.sockets[0];
    fds[SPAWNER_FD_RELAY] = env->netns.sockets[1];
    fds[SPAWNER_FD_DNS] = env->netns.sockets[2];
    fds[SPAWNER_FD_OUTPUT] = env->output;
    fds[SPAWNER_FD_DNS_TCP] = env->netns.sockets[3];
    reply.status = st;
    reply.text = text;
    reply.ready = env->ready;
    spawner_reply(env->spawner, env->request, &reply, fds, st == ST_OK ? SPAWNER_FDS_MAX : 0);
    network_drop(&env->netns); /* the agent has its own copies */
    close_quietly(&env->output);
}

/* Take in what the child has reported so far. */
static void read_records(struct environment *env)
{
    struct sandbox_record record;

    while (env->status >= 0) {
        ssize_t got = read(env->status, &record, sizeof record);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 && errno == EAGAIN)
            return;
        if (got != sizeof record) {
            spawner_close_watched(env->spawner, &env->status);
            return;
        }
        if (record.kind == SANDBOX_STARTED && env->state == ENVIRONMENT_STARTING) {
            env->state = ENVIRONMENT_RUNNING;
            env->spawner->starting--;
            answer_start(env, ST_OK, NULL);
            socket_guard_wake(env->spawner);
        } else if (env->last.kind != SANDBOX_NO_PROGRAM) {
            env->last = record; /* after NO_PROGRAM comes an exit status that says nothing */
        }
    }
}

static void status_ready(struct source *source, uint32_t events)
{
    struct environment *env = container_of(source, struct environment, status_source);

    read_records(env);
}

void environment_out_of_memory(struct environment *env)
{
    env->out_of_memory = true;
    (void)cgroup_kill(&env->group, NULL);
}

static void oom_ready(struct source *source, uint32_t events)
{
    struct environment *env = container_of(source, struct environment, oom_source);
    uint64_t count;

    /* Told once when armed by the removal of the group, too; a kill is then without effect. */
    (void)!read(env->group.oom_event, &count, sizeof count);
    environment_out_of_memory(env);
}

static void say_exited(struct environment *env, const struct cgroup_usage *usage)
{
    Lapwing__EnvironmentExited exited = LAPWING__ENVIRONMENT_EXITED__INIT;

    exited.slot = env->slot;
    exited.signaled = env->last.kind == SANDBOX_SIGNALED;
    exited.code = env->last.value;
    if (env->last.kind == 0 || env->last.kind == SANDBOX_FAILED) { /* killed as a whole */
        exited.signaled = true;
        exited.code = SIGKILL;
    }
    if (env->last.kind == SANDBOX_NO_PROGRAM) {
        exited.start_error = strerror(env->last.value);
        exited.code = 127;
    }
    exited.out_of_memory = env->out_of_memory || usage->oom_kills > 0;
    exited.memory_peak_bytes = usage->memory_peak_bytes;
    exited.cpu_us = usage->cpu_us - env->cpu_before_us;
    exited.killed = env->killed;
    spawner_say_exited(env->spawner, &exited);
}

/* The limits that it met, in the log of the host: the function's own log has its errors. */
static void log_limits(const struct environment *env, const struct cgroup_usage *usage)
{
    if (env->out_of_memory || usage->oom_kills > 0)
        log_event(LOG_WARN, "memory_limit_reached", LU("slot", env->slot),
                  LU("memory_mb", env->memory_mb), LS("setting", "MemorySize"),
                  LS("then", "killed all processes"));
    if (usage->processes_refused > 0)
        log_event(LOG_WARN, "process_limit_reached", LU("slot", env->slot),
                  LU("processes_max", env->processes_max), LU("refused", usage->processes_refused),
                  LS("then", "fork() failed with EAGAIN"));
}

static void say_start_failed(struct environment *env)
{
    char text[ERR_TEXT_BYTES] = "start an environment: killed before it was ready";
    int errnum;

    if (env->last.kind == SANDBOX_FAILED) {
        const char *step = sandbox_step(env->last.value, &errnum);

        (void)snprintf(text, sizeof text, "start an environment: %s: %s", step, strerror(errnum));
    }
    answer_start(env, ST_IO, text);
}

/* Its first process is gone; the kernel has ended all others of the pid namespace before. */
static void pid_ready(struct source *source, uint32_t events)
{
    struct environment *env = container_of(source, struct environment, pid_source);
    struct cgroup_usage usage;
    siginfo_t info = { 0 };

    CHECK(waitid(P_PIDFD, (id_t)env->pidfd, &info, WEXITED | WNOHANG) == 0);
    CHECK(info.si_pid != 0); /* the descriptor said that it has ended */
    read_records(env);
    cgroup_usage(&env->spawner->groups, &env->group, &usage);
    log_limits(env, &usage);
    /* Said before the release, which takes four folders of control groups apart: the agent may use
     * the slot again at once, but is not listened to before this is over. */
    if (env->state == ENVIRONMENT_RUNNING) {
        say_exited(env, &usage);
    } else {
        env->spawner->starting--;
        say_start_failed(env);
    }
    environment_release(env);
}

void environment_init(struct environment *env, struct spawner *spawner, uint32_t slot)
{
    *env = (struct environment){ .spawner = spawner, .slot = slot };
    env->status_source.ready = status_ready;
    env->pid_source.ready = pid_ready;
    env->oom_source.ready = oom_ready;
    clear(env);
}

static struct cgroup_limits limits_of(const struct environment_want *want)
{
    uint32_t processes = want->processes_max > 0 ? want->processes_max : SPAWN_PROCESSES_MAX;

    return (struct cgroup_limits){
        .memory_bytes = (uint64_t)want->memory_mb << 20,
        .processes_max = processes + 1, /* lapwing-init is not the function's */
        .cpu_weight = want->cpu_weight,
    };
}

/* For who asks why it was killed. */
static void keep_limits(struct environment *env, const struct environment_want *want)
{
    env->memory_mb = want->memory_mb;
    env->processes_max = want->processes_max > 0 ? want->processes_max : SPAWN_PROCESSES_MAX;
}

enum status environment_limit(struct environment *env,
                              const struct environment_want *want,
                              struct err *err)
{
    struct cgroup_limits limits = limits_of(want);

    keep_limits(env, want);
    return cgroup_limit(&env->spawner->groups, &env->group, &limits, err);
}

/* NULL-terminated copies of the lists of pointers; the texts are borrowed. */
struct texts {
    char *argv[SPAWN_ARGUMENTS_MAX + 2];
    char *environment[SPAWN_VARIABLES_MAX + 1];
};

static void gather_texts(struct texts *texts, const struct environment_want *want)
{
    static char init_name[] = "lapwing-init";

    texts->argv[0] = init_name;
    memcpy(texts->argv + 1, want->argv, want->argc * sizeof(char *));
    texts->argv[want->argc + 1] = NULL;
    memcpy(texts->environment, want->variables, want->variable_count * sizeof(char *));
    texts->environment[want->variable_count] = NULL;
}

/* Make the pipes and clone; the writing ends live on in the child only. */
static enum status clone_child(struct environment *env,
                               const struct environment_want *want,
                               struct err *err)
{
    AUTO_CLOSE int output = -1;
    AUTO_CLOSE int status = -1;
    char package[PACKAGE_PATH_BYTES];
    struct texts texts;
    enum status st;
    int pipe_fds[2];
    int user;

    if (want->package != NULL) {
        st = package_store_path(&env->spawner->packages, want->package, package, err);
        if (st != ST_OK)
            return st;
    }
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return err_set_errno(err, ST_IO, errno, "make a pipe");
    env->output = pipe_fds[0];
    output = pipe_fds[1];
    if (pipe2(pipe_fds, O_CLOEXEC) < 0)
        return err_set_errno(err, ST_IO, errno, "make a pipe");
    env->status = pipe_fds[0];
    status = pipe_fds[1];
    if (fcntl(env->output, F_SETFL, O_NONBLOCK) < 0 || fcntl(env->status, F_SETFL, O_NONBLOCK) < 0)
        return err_set_errno(err, ST_IO, errno, "make pipes non-blocking");
    st = user_namespace_of(&env->spawner->users, want->user, &user, err);
    if (st != ST_OK)
        return st;
    gather_texts(&texts, want);
    return sandbox_start(
        &(struct sandbox){
            .mounts = env->spawner->mounts[rootfs_of(&env->spawner->config, want->runtime)],
            .root = "",
            .bind_from = want->package != NULL ? package : NULL,
            .bind_to = "/var/task",
            .tmp_mb = want->ephemeral_mb,
            .shm_mb = SHM_MB,
            .directory = "/var/task",
            .host_name = "lapwing",
            .network = env->netns.fd,
            .user = user,
            .group = &env->group,
            .filter = &env->spawner->filter,
            .spawner = env->spawner->self,
            .input = -1,
            .output = output,
            .status = status,
            .wait = want->wait,
            .program = env->spawner->init,
            .argv = texts.argv,
            .environment = texts.environment,
        },
        &env->pidfd, err);
}

static enum status check_package(struct environment *env, const char *package, struct err *err)
{
    char path[PACKAGE_PATH_BYTES];

    if (env->state != ENVIRONMENT_FREE)
        return err_set(err, ST_CONFLICT, "start an environment: slot %u is taken", env->slot);
    return package_store_path(&env->spawner->packages, package, path, err);
}

enum status environment_make(struct environment *env,
                             const struct environment_want *want,
                             struct err *err)
{
    struct spawner *spawner = env->spawner;
    struct cgroup_limits limits = limits_of(want);
    enum status st = network_take(&spawner->network, &env->netns, err);

    env->user = want->user;
    keep_limits(env, want);
    if (st == ST_OK)
        st = cgroup_pool_take(&spawner->group_pool, &spawner->groups, &limits, &env->group, err);
    if (st == ST_OK)
        st = clone_child(env, want, err);
    if (st != ST_OK)
        environment_release(env);
    return st;
}

/* From here on it tells what happens to it. */
static void watch(struct environment *env, uint64_t request, const char *package)
{
    struct spawner *spawner = env->spawner;
    enum status st = ST_OK;

    env->state = ENVIRONMENT_STARTING;
    spawner->starting++;
    env->request = request;
    memcpy(env->package, package, PACKAGE_NAME_BYTES + 1);
    if (env->group.oom_event >= 0)
        st = spawner_watch(spawner, env->group.oom_event, EPOLLIN, &env->oom_source, NULL);
    CHECK(st == ST_OK); /* only lack of kernel memory: a running child may not go unwatched */
    st = spawner_watch(spawner, env->status, EPOLLIN, &env->status_source, NULL);
    CHECK(st == ST_OK);
    st = spawner_watch(spawner, env->pidfd, EPOLLIN, &env->pid_source, NULL);
    CHECK(st == ST_OK);
    read_records(env); /* sandbox_start() waited for it */
}

static struct environment_want want_of(const struct environment *env,
                                       const Lapwing__SpawnEnvironment *req)
{
    return (struct environment_want){
        .runtime = req->runtime,
        .argv = req->argv,
        .argc = req->n_argv,
        .variables = req->environment,
        .variable_count = req->n_environment,
        .package = req->package,
        .memory_mb = req->memory_mb,
        .ephemeral_mb = req->ephemeral_mb,
        .processes_max = req->processes_max,
        .cpu_weight = req->memory_mb,
        .user = env->slot,
        .wait = -1,
    };
}

enum status environment_start(struct environment *env,
                              uint64_t request,
                              const Lapwing__SpawnEnvironment *req,
                              struct err *err)
{
    struct environment_want want = want_of(env, req);
    enum status st = check_package(env, req->package, err);

    if (st != ST_OK)
        return st;
    if (ready_pool_take(&env->spawner->ready, env, request, req, &want))
        return ST_OK;
    st = environment_make(env, &want, err);
    if (st == ST_OK)
        watch(env, request, req->package);
    return st;
}

void environment_adopt(struct environment *env,
                       uint64_t request,
                       const Lapwing__SpawnEnvironment *req,
                       struct environment *from)
{
    CHECK(env->state == ENVIRONMENT_FREE);
    env->group = from->group;
    env->netns = from->netns;
    env->output = from->output;
    env->status = from->status;
    env->pidfd = from->pidfd;
    env->user = from->user;
    env->cpu_before_us = from->cpu_before_us;
    env->memory_mb = from->memory_mb;
    env->processes_max = from->processes_max;
    env->ready = true;
    clear(from);
    watch(env, request, req->package);
}

static enum status check_taken(const struct environment *env, struct err *err)
{
    if (env->state == ENVIRONMENT_FREE)
        return err_set(err, ST_NOT_FOUND, "slot %u is free", env->slot);
    return ST_OK;
}

enum status environment_kill(struct environment *env, struct err *err)
{
    enum status st = check_taken(env, err);

    if (st != ST_OK)
        return st;
    env->killed = true;
    return cgroup_kill(&env->group, err);
}

enum status environment_freeze(struct environment *env, bool frozen, struct err *err)
{
    enum status st = check_taken(env, err);

    if (st == ST_OK)
        st = cgroup_freeze(&env->group, frozen, err);
    if (st != ST_OK)
        return st;
    env->frozen = frozen;
    if (!frozen)
        socket_guard_wake(env->spawner);
    return ST_OK;
}

enum status environment_usage(const struct environment *env,
                              struct cgroup_usage *out,
                              struct err *err)
{
    enum status st = check_taken(env, err);

    if (st != ST_OK)
        return st;
    cgroup_usage(&env->spawner->groups, &env->group, out);
    out->cpu_us -= env->cpu_before_us;
    return ST_OK;
}
