/* The spawner: its loop, its answers, and what it does with each request.  See spawner.h. */
#include "worker/spawner/spawner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/netlink.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "worker/spawner/files.h"
#include "worker/spawner/filter.h"
#include "worker/spawner/packet.h"
#include "worker/spawner/rootfs.h"
#include "worker/spawner/spawner_client.h"

enum { ANSWER_MS_MAX = 5000, REFILL_SOON_MS = 2, REFILL_QUIET_MS = 6 };

enum status spawner_watch(
    struct spawner *spawner, int fd, uint32_t events, struct source *source, struct err *err)
{
    struct epoll_event event = { .events = events, .data.ptr = source };

    if (epoll_ctl(spawner->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        return err_set_errno(err, ST_IO, errno, "watch a descriptor");
    return ST_OK;
}

void spawner_close_watched(struct spawner *spawner, int *fd)
{
    if (*fd >= 0)
        (void)epoll_ctl(spawner->epoll, EPOLL_CTL_DEL, *fd, NULL);
    close_quietly(fd);
}

/* Send, waiting for a slow agent: it has one socket to drain and nothing else to do for us. */
static void say(struct spawner *spawner,
                const Lapwing__SpawnerMessage *message,
                const int *fds,
                size_t fd_count)
{
    size_t len = lapwing__spawner_message__get_packed_size(message);
    uint8_t *body = must_calloc(1, len);
    struct err err = { 0 };
    enum status st;

    (void)lapwing__spawner_message__pack(message, body);
    st = packet_send(spawner->agent, bytes_of(body, len), fds, fd_count, &err);
    while (st == ST_LIMIT) {
        struct pollfd wait = { .fd = spawner->agent, .events = POLLOUT };

        if (poll(&wait, 1, ANSWER_MS_MAX) <= 0)
            break;
        st = packet_send(spawner->agent, bytes_of(body, len), fds, fd_count, &err);
    }
    free(body);
    if (st == ST_OK)
        return;
    if (!spawner->stopping)
        log_event(LOG_WARN, "agent_lost", LS("why", err.text), LS("then", "stopping"));
    spawner->stopping = true;
}

void spawner_reply(struct spawner *spawner,
                   uint64_t id,
                   Lapwing__SpawnReply *reply,
                   const int *fds,
                   size_t fd_count)
{
    Lapwing__SpawnerMessage message = LAPWING__SPAWNER_MESSAGE__INIT;

    reply->id = id;
    message.what_case = LAPWING__SPAWNER_MESSAGE__WHAT_REPLY;
    message.reply = reply;
    say(spawner, &message, fds, fd_count);
}

void spawner_say_exited(struct spawner *spawner, Lapwing__EnvironmentExited *exited)
{
    Lapwing__SpawnerMessage message = LAPWING__SPAWNER_MESSAGE__INIT;

    message.what_case = LAPWING__SPAWNER_MESSAGE__WHAT_EXITED;
    message.exited = exited;
    say(spawner, &message, NULL, 0);
}

static struct convert *convert_free(struct spawner *spawner)
{
    for (size_t i = 0; i < CONVERTS_MAX; i++)
        if (spawner->converts[i].state == CONVERT_FREE)
            return &spawner->converts[i];
    return NULL;
}

static enum status serve_convert(struct spawner *spawner,
                                 const Lapwing__SpawnRequest *req,
                                 int zip,
                                 struct err *err)
{
    struct convert *convert = convert_free(spawner);

    if (convert == NULL)
        return err_set(err, ST_LIMIT, "convert: %d packages are being unpacked", CONVERTS_MAX);
    return convert_start(convert, req->id, req->convert, zip, err);
}

static enum status serve_remove(struct spawner *spawner, const char *package, struct err *err)
{
    struct convert *convert = convert_free(spawner);

    for (uint32_t i = 0; i < spawner->config.environments_max; i++)
        if (strcmp(spawner->environments[i].package, package) == 0)
            return err_set(err, ST_CONFLICT, "remove package %.16s...: slot %u uses it", package,
                           i);
    if (convert == NULL)
        return err_set(err, ST_LIMIT, "remove package: %d are being unpacked or removed",
                       CONVERTS_MAX);
    return convert_remove(convert, package, err);
}

/* What is answered at once.  `reply` gets what the operation yields. */
static enum status serve_now(struct spawner *spawner,
                             const Lapwing__SpawnRequest *req,
                             Lapwing__SpawnReply *reply,
                             struct err *err)
{
    struct cgroup_usage usage = { 0 };
    enum status st;

    switch (req->what_case) {
    case LAPWING__SPAWN_REQUEST__WHAT_KILL_SLOT:
        return environment_kill(&spawner->environments[req->kill_slot], err);
    case LAPWING__SPAWN_REQUEST__WHAT_FREEZE_SLOT:
        return environment_freeze(&spawner->environments[req->freeze_slot], true, err);
    case LAPWING__SPAWN_REQUEST__WHAT_THAW_SLOT:
        return environment_freeze(&spawner->environments[req->thaw_slot], false, err);
    case LAPWING__SPAWN_REQUEST__WHAT_REMOVE_PACKAGE:
        return serve_remove(spawner, req->remove_package, err);
    case LAPWING__SPAWN_REQUEST__WHAT_USAGE_SLOT:
        st = environment_usage(&spawner->environments[req->usage_slot], &usage, err);
        reply->memory_bytes = usage.memory_bytes;
        reply->memory_peak_bytes = usage.memory_peak_bytes;
        reply->cpu_us = usage.cpu_us;
        return st;
    default:
        break;
    }
    CHECK(!"spawner: an operation that passed its check is not served");
}

static void serve(struct spawner *spawner,
                  const Lapwing__SpawnRequest *req,
                  const int *fds,
                  size_t fd_count)
{
    Lapwing__SpawnReply reply = LAPWING__SPAWN_REPLY__INIT;
    struct err err = { 0 };
    enum status st = spawn_request_check(req, spawner->config.environments_max, fd_count, &err);

    if (st == ST_OK) {
        switch (req->what_case) {
        case LAPWING__SPAWN_REQUEST__WHAT_SPAWN:
            st = environment_start(&spawner->environments[req->spawn->slot], req->id, req->spawn,
                                   &err);
            break;
        case LAPWING__SPAWN_REQUEST__WHAT_CONVERT:
            st = serve_convert(spawner, req, fds[0], &err);
            break;
        default:
            st = serve_now(spawner, req, &reply, &err);
            reply.status = st;
            reply.text = err.text;
            spawner_reply(spawner, req->id, &reply, NULL, 0);
            return;
        }
        if (st == ST_OK)
            return; /* answered when it is done */
    }
    log_event(LOG_WARN, "request_failed", LU("id", req->id), LS("status", status_name(st)),
              LS("why", err.text), LS("then", "answered"));
    reply.status = st;
    reply.text = err.text;
    spawner_reply(spawner, req->id, &reply, NULL, 0);
}

static void agent_ready(struct source *source, uint32_t events)
{
    struct spawner *spawner = container_of(source, struct spawner, agent_source);
    static uint8_t body[SPAWNER_MESSAGE_BYTES_MAX];
    struct packet packet;
    struct err err = { 0 };
    enum status st = packet_receive(spawner->agent, body, sizeof body, &packet, &err);

    if (st == ST_NOT_FOUND)
        return;
    if (st == ST_CORRUPT) {
        log_event(LOG_WARN, "request_dropped", LS("why", err.text), LS("then", "not answered"));
        return;
    }
    if (st != ST_OK) {
        log_event(LOG_INFO, "agent_closed", LS("then", "stopping"));
        spawner->stopping = true;
        return;
    }
    Lapwing__SpawnRequest *req = lapwing__spawn_request__unpack(NULL, packet.len, body);
    if (req == NULL)
        log_event(LOG_WARN, "request_dropped", LS("why", "no request"), LS("then", "not answered"));
    else
        serve(spawner, req, packet.fds, packet.fd_count);
    if (req != NULL)
        lapwing__spawn_request__free_unpacked(req, NULL);
    for (size_t i = 0; i < packet.fd_count; i++)
        (void)close(packet.fds[i]);
}

static void signal_ready(struct source *source, uint32_t events)
{
    struct spawner *spawner = container_of(source, struct spawner, signal_source);
    struct signalfd_siginfo info;

    if (read(spawner->signals, &info, sizeof info) != sizeof info)
        return;
    log_event(LOG_INFO, "signal", LU("number", info.ssi_signo), LS("then", "stopping"));
    spawner->stopping = true;
}

static enum status open_signals(struct spawner *spawner, struct err *err)
{
    sigset_t set;

    (void)sigemptyset(&set);
    (void)sigaddset(&set, SIGTERM);
    (void)sigaddset(&set, SIGINT);
    (void)signal(SIGPIPE, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return err_set_errno(err, ST_IO, errno, "block signals");
    spawner->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (spawner->signals < 0)
        return err_set_errno(err, ST_IO, errno, "open a signal descriptor");
    spawner->self = (int)syscall(SYS_pidfd_open, getpid(), 0);
    if (spawner->self < 0)
        return err_set_errno(err, ST_UNSUPPORTED, errno, "open a descriptor of ourselves");
    /* The agent's end tells of its end too; this also covers an agent that leaked it. */
    if (prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0) < 0)
        return err_set_errno(err, ST_IO, errno, "ask for the parent's death signal");
    return ST_OK;
}

static enum status open_program(const char *path, int *out, struct err *err)
{
    struct stat info;

    *out = open(path, O_RDONLY | O_CLOEXEC);
    if (*out < 0)
        return err_set_errno(err, ST_NOT_FOUND, errno, "open %.150s", path);
    if (fstat(*out, &info) < 0 || !S_ISREG(info.st_mode) || (info.st_mode & 0001) == 0)
        return err_set(err, ST_DENIED, "%.150s is not executable by everybody", path);
    return ST_OK;
}

/* A service manager that starts us when somebody connects hands over the listening socket.  Who
 * connected is the agent, and the only one: the listener stays with the service manager, for the
 * next start. */
static enum status accept_agent(struct spawner *spawner, struct err *err)
{
    int listening = 0;
    socklen_t len = sizeof listening;
    int fd;

    if (getsockopt(spawner->agent, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) < 0 || !listening)
        return ST_OK;
    fd = accept4(spawner->agent, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, ST_IO, errno, "accept the agent on descriptor %d",
                             spawner->agent);
    (void)close(spawner->agent);
    spawner->agent = fd;
    return ST_OK;
}

static enum status open_agent(struct spawner *spawner, struct err *err)
{
    int type = 0;
    socklen_t len = sizeof type;
    enum status st;

    spawner->agent = spawner->config.fd;
    if (getsockopt(spawner->agent, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET)
        return err_set(err, ST_BAD_INPUT,
                       "spawner.fd: descriptor %d is no SOCK_SEQPACKET socket; this program is "
                       "started by the worker's parent or a socket unit",
                       spawner->agent);
    st = accept_agent(spawner, err);
    if (st != ST_OK)
        return st;
    if (fcntl(spawner->agent, F_SETFD, FD_CLOEXEC) < 0)
        return err_set_errno(err, ST_IO, errno, "use descriptor %d", spawner->agent);
    spawner->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (spawner->epoll < 0)
        return err_set_errno(err, ST_IO, errno, "make an epoll descriptor");
    return ST_OK;
}

/* What needs the host's files, in the order in which it must be taken apart. */
static enum status open_host(struct spawner *spawner, struct err *err)
{
    const struct spawner_config *config = &spawner->config;
    enum status st = open_program(config->init_path, &spawner->init, err);

    if (st == ST_OK)
        st = open_program(config->convert_path, &spawner->convert, err);
    if (st == ST_OK)
        st = spawner_clean(config->instance, config->cgroup_parent, err);
    if (st == ST_OK)
        st = cgroups_open(&spawner->groups, config->instance, config->cgroup_parent, err);
    if (st == ST_OK)
        st = network_open(&spawner->network, config, err);
    if (st == ST_OK)
        st = rootfs_enter(config, err);
    for (size_t i = 0; i <= config->runtime_root_count && st == ST_OK; i++)
        st = rootfs_template(i, &spawner->mounts[i], err);
    return st;
}

static void warn_of_few_processes(const struct spawner *spawner)
{
    uint64_t wanted = (uint64_t)spawner->config.environments_max * SPAWN_PROCESSES_MAX;

    if (spawner->groups.processes_max < wanted)
        log_event(LOG_WARN, "few_process_ids", LU("environments", spawner->config.environments_max),
                  LU("wanted", wanted), LU("together", spawner->groups.processes_max),
                  LS("then", "full ones may meet that limit; raise kernel.pid_max, threads-max"));
}

static void init_tables(struct spawner *spawner)
{
    uint32_t count = spawner->config.environments_max;

    spawner->environments = must_calloc(count, sizeof *spawner->environments);
    for (uint32_t i = 0; i < count; i++)
        environment_init(&spawner->environments[i], spawner, i);
    for (uint32_t i = 0; i < CONVERTS_MAX; i++)
        convert_init(&spawner->converts[i], spawner, i);
    spawner->agent_source.ready = agent_ready;
    spawner->signal_source.ready = signal_ready;
}

enum status spawner_open(struct spawner *spawner, struct err *err)
{
    enum status st;

    spawner->agent = spawner->epoll = spawner->signals = -1;
    spawner->self = spawner->init = spawner->convert = -1;
    for (size_t i = 0; i < ARRAY_LEN(spawner->mounts); i++)
        spawner->mounts[i] = -1;
    spawner->groups = (struct cgroups){ .core = -1, .core_parent = -1 };
    spawner->network = (struct network){ .host = -1, .router = -1, .router_link = -1 };
    if (geteuid() != 0)
        return err_set(err, ST_DENIED, "lapwing-spawner must be started as root");
    st = open_agent(spawner, err);
    if (st == ST_OK)
        st = open_signals(spawner, err);
    if (st == ST_OK)
        st = filter_compile(&spawner->filter, err);
    if (st == ST_OK)
        st = open_host(spawner, err);
    if (st != ST_OK)
        return st;
    init_tables(spawner);
    warn_of_few_processes(spawner);
    convert_sweep();
    st = spawner_watch(spawner, spawner->signals, EPOLLIN, &spawner->signal_source, err);
    if (st == ST_OK)
        st = spawner_watch(spawner, spawner->agent, EPOLLIN, &spawner->agent_source, err);
    return st == ST_OK ? socket_guard_open(spawner, err) : st;
}

/* How long it must be quiet before the pools get one more each; -1: they are full.  What is made
 * ahead takes processors from a function that starts just now, and from whoever called it: only
 * when half is gone is it urgent, and never while a child is on its way to its program. */
static int refill_wait_ms(const struct spawner *spawner)
{
    uint32_t want = spawner->config.netns_pool;

    if (spawner->network.pool_count >= want && spawner->group_pool.count == CGROUP_POOL_MAX)
        return -1;
    return spawner->network.pool_count * 2 < want && spawner->starting == 0 ? REFILL_SOON_MS
                                                                            : REFILL_QUIET_MS;
}

static bool refill(struct spawner *spawner)
{
    bool network = network_refill(&spawner->network);
    bool group = cgroup_pool_refill(&spawner->group_pool, &spawner->groups);

    return network || group;
}

void spawner_run(struct spawner *spawner)
{
    bool wanted = true;

    while (!spawner->stopping) {
        struct epoll_event event;
        int got = epoll_wait(spawner->epoll, &event, 1, wanted ? refill_wait_ms(spawner) : -1);

        if (got == 0) {
            wanted = refill(spawner);
            continue;
        }
        if (got < 0) {
            CHECK(errno == EINTR);
            continue;
        }
        struct source *source = event.data.ptr;
        source->ready(source, event.events);
        wanted = true;
    }
}

void spawner_close(struct spawner *spawner)
{
    struct err err = { 0 };

    if (cgroups_remove(&spawner->groups, &err) != ST_OK)
        log_event(LOG_ERROR, "control_group_left", LS("why", err.text));
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    cgroups_close(&spawner->groups);
    network_close(&spawner->network);
    free(spawner->environments);
    spawner->environments = NULL;
    free(spawner->filter.filter);
    spawner->filter.filter = NULL;
}

enum status spawner_clean(const char *instance, const char *cgroup_parent, struct err *err)
{
    struct cgroups groups;
    enum status st = cgroups_open(&groups, instance, cgroup_parent, err);

    if (st == ST_OK)
        st = cgroups_remove(&groups, err);
    cgroups_close(&groups);
    network_clean(instance);
    return st;
}
