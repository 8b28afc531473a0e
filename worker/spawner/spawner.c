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
#include "base/descriptors.h"
#include "base/log.h"
#include "worker/spawner/files.h"
#include "worker/spawner/filter.h"
#include "worker/spawner/filter_ranges.h"
#include "worker/spawner/packet.h"
#include "worker/spawner/refill_plan.h"
#include "worker/spawner/rootfs.h"
#include "worker/spawner/sandbox.h"
#include "worker/spawner/spawner_client.h"

enum {
    ANSWER_MS_MAX = 5000,
    DESCRIPTORS_OWN = 64,
    DESCRIPTORS_ENVIRONMENT =
        14, /* with two user namespaces: its slot's, and that of one that waited */
    DESCRIPTORS_PREPARED = 8, /* a control group; a network namespace has 5 */
    DESCRIPTORS_READY = 18,   /* an environment that nobody was told of yet */
    DESCRIPTORS_CONVERT = 14, /* with its user namespace */
};
enum pool { POOL_NETWORKS, POOL_GROUPS, POOL_USERS, POOL_READY, POOLS };

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

static enum status serve_verify(struct spawner *spawner,
                                const Lapwing__SpawnRequest *req,
                                struct err *err)
{
    struct convert *convert = convert_free(spawner);

    if (convert == NULL)
        return err_set(err, ST_LIMIT, "verify: %d packages are being unpacked", CONVERTS_MAX);
    return convert_verify(convert, req->id, req->verify_package, err);
}

static void serve_new_image(struct spawner *spawner, uint64_t id)
{
    Lapwing__SpawnReply reply = LAPWING__SPAWN_REPLY__INIT;
    struct err err = { 0 };
    int fds[2];
    enum status st = package_store_new_file(fds, &err);

    reply.status = st;
    reply.text = err.text;
    spawner_reply(spawner, id, &reply, fds, st == ST_OK ? 2 : 0);
    if (st != ST_OK)
        return;
    (void)close(fds[0]);
    (void)close(fds[1]);
}

/* The first slot whose environment uses a package, or any package where it is NULL; NULL: none. */
static const struct environment *user_of(const struct spawner *spawner, const char *package)
{
    for (uint32_t i = 0; i < spawner->config.environments_max; i++) {
        const struct environment *env = &spawner->environments[i];

        if (env->package[0] != '\0' && (package == NULL || strcmp(env->package, package) == 0))
            return env;
    }
    return NULL;
}

static enum status sweep_packages(struct spawner *spawner, struct err *err)
{
    const struct environment *user = user_of(spawner, NULL);
    struct convert *convert = convert_free(spawner);

    if (user != NULL)
        return err_set(err, ST_CONFLICT, "list packages: slot %u runs, and the list comes first",
                       user->slot);
    if (convert == NULL)
        return err_set(err, ST_LIMIT, "list packages: %d are being unpacked or removed",
                       CONVERTS_MAX);
    return convert_remove_former(convert, err);
}

static void serve_list(struct spawner *spawner, uint64_t id)
{
    Lapwing__SpawnReply reply = LAPWING__SPAWN_REPLY__INIT;
    struct package_list *list;
    struct err err = { 0 };

    reply.status = sweep_packages(spawner, &err);
    reply.text = err.text;
    list = package_list_new(&spawner->packages);
    reply.images = spawner->packages.way != PACKAGE_MOUNT_FOLDER;
    reply.n_packages = list->count;
    reply.packages = list->pointers;
    spawner_reply(spawner, id, &reply, NULL, 0);
    free(list);
}

static enum status serve_remove(struct spawner *spawner, const char *package, struct err *err)
{
    const struct environment *user = user_of(spawner, package);
    struct convert *convert = convert_free(spawner);

    if (user != NULL)
        return err_set(err, ST_CONFLICT, "remove package %.16s...: slot %u uses it", package,
                       user->slot);
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
            spawner->used = true;
            st = environment_start(&spawner->environments[req->spawn->slot], req->id, req->spawn,
                                   &err);
            break;
        case LAPWING__SPAWN_REQUEST__WHAT_CONVERT:
            st = serve_convert(spawner, req, fds[0], &err);
            break;
        case LAPWING__SPAWN_REQUEST__WHAT_VERIFY_PACKAGE:
            st = serve_verify(spawner, req, &err);
            break;
        case LAPWING__SPAWN_REQUEST__WHAT_NEW_IMAGE:
            serve_new_image(spawner, req->id);
            return;
        case LAPWING__SPAWN_REQUEST__WHAT_LIST_PACKAGES:
            serve_list(spawner, req->id);
            return;
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

static void maker_ready(struct source *source, uint32_t events)
{
    struct spawner *spawner = container_of(source, struct spawner, maker_source);
    struct network_maker *maker = &spawner->network.maker;

    if (network_collect(&spawner->network))
        return;
    (void)epoll_ctl(spawner->epoll, EPOLL_CTL_DEL, maker->socket, NULL);
    network_maker_stop(maker);
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
    int given = spawner->config.fd;
    int type = 0;
    socklen_t len = sizeof type;
    enum status st;

    if (getsockopt(given, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET)
        return err_set(err, ST_BAD_INPUT,
                       "spawner.fd: descriptor %d is no SOCK_SEQPACKET socket; this program is "
                       "started by the worker's parent or a socket unit",
                       given);
    spawner->agent = given;
    st = accept_agent(spawner, err);
    if (st != ST_OK)
        return st;
    given = spawner->agent;
    spawner->agent = fcntl(given, F_DUPFD_CLOEXEC, STAGE_END); /* out of the stage's way */
    if (spawner->agent < 0)
        return err_set_errno(err, ST_IO, errno, "use descriptor %d", given);
    (void)close(given);
    st = sandbox_stage_open(err);
    if (st != ST_OK)
        return st;
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
        st = package_store_open(&spawner->packages, err);
    if (st == ST_OK)
        st = rootfs_enter(config, err);
    for (size_t i = 0; i <= config->runtime_root_count && st == ST_OK; i++)
        st = rootfs_template(i, &spawner->mounts[i], err);
    if (st != ST_OK)
        return st;
    spawner->own_mounts = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
    if (spawner->own_mounts < 0)
        return err_set_errno(err, ST_IO, errno, "open our mount namespace");
    return ST_OK;
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
    uint32_t ready_users = ready_pool_users(&spawner->config.ready, count);

    spawner->environments = must_calloc(count, sizeof *spawner->environments);
    for (uint32_t i = 0; i < count; i++)
        environment_init(&spawner->environments[i], spawner, i);
    for (uint32_t i = 0; i < CONVERTS_MAX; i++)
        convert_init(&spawner->converts[i], spawner, i);
    user_namespaces_init(&spawner->users, spawner->config.uid_base,
                         count + CONVERTS_MAX + ready_users);
    ready_pool_init(&spawner->ready, spawner, &spawner->config.ready, count + CONVERTS_MAX);
    spawner->agent_source.ready = agent_ready;
    spawner->signal_source.ready = signal_ready;
    spawner->maker_source.ready = maker_ready;
    spawner->group_pool.size = spawner->config.group_pool;
}

/* Pools would take the descriptors that starts need. */
static void look_at_limits(const struct spawner *spawner)
{
    const struct spawner_config *config = &spawner->config;
    uint32_t wanted = DESCRIPTORS_OWN + CONVERTS_MAX * DESCRIPTORS_CONVERT +
                      config->environments_max * DESCRIPTORS_ENVIRONMENT +
                      (config->netns_pool + config->group_pool) * DESCRIPTORS_PREPARED +
                      config->ready.kinds_max * config->ready.pool * DESCRIPTORS_READY;

    if (descriptors_max() < wanted)
        log_event(LOG_WARN, "few_descriptors", LU("limit", descriptors_max()), LU("wanted", wanted),
                  LS("then", "starts fail when they are used up; raise LimitNOFILE or ulimit -Hn"));
}

/* Compiled once; a start loads it. */
static enum status make_filter(struct sock_fprog *out, struct err *err)
{
    struct sock_fprog plain;
    enum status st = filter_compile(&plain, err);

    if (st != ST_OK)
        return st;
    if (filter_shorten(&plain, out) == ST_OK)
        free(plain.filter);
    else /* of a libseccomp that writes other programs */
        *out = plain;
    return ST_OK;
}

enum status spawner_open(struct spawner *spawner, struct err *err)
{
    enum status st;

    spawner->agent = spawner->epoll = spawner->signals = -1;
    spawner->self = spawner->init = spawner->convert = spawner->own_mounts = -1;
    spawner->packages.devices = -1;
    for (size_t i = 0; i < ARRAY_LEN(spawner->mounts); i++)
        spawner->mounts[i] = -1;
    spawner->groups = (struct cgroups){ .core = -1, .core_parent = -1 };
    spawner->network = (struct network){ .host = -1, .router = -1, .router_link = -1 };
    spawner->network.maker.socket = -1;
    spawner->told_networks = spawner->told_groups = UINT32_MAX; /* nothing yet */
    spawner->told_ready = UINT32_MAX;
    descriptors_raise();
    if (geteuid() != 0)
        return err_set(err, ST_DENIED, "lapwing-spawner must be started as root");
    st = open_agent(spawner, err);
    if (st == ST_OK)
        st = open_signals(spawner, err);
    if (st == ST_OK)
        st = make_filter(&spawner->filter, err);
    if (st == ST_OK)
        st = open_host(spawner, err);
    if (st != ST_OK)
        return st;
    init_tables(spawner);
    look_at_limits(spawner);
    warn_of_few_processes(spawner);
    convert_sweep();
    st = package_store_start(&spawner->packages, spawner->config.package_mount, err);
    if (st != ST_OK)
        return st;
    st = spawner_watch(spawner, spawner->signals, EPOLLIN, &spawner->signal_source, err);
    if (st == ST_OK)
        st = spawner_watch(spawner, spawner->agent, EPOLLIN, &spawner->agent_source, err);
    return st == ST_OK ? socket_guard_open(spawner, err) : st;
}

static void pool_levels(const struct spawner *spawner, struct pool_level out[POOLS])
{
    const struct spawner_config *config = &spawner->config;
    const struct network *network = &spawner->network;
    struct ready_level ready = ready_pool_level(&spawner->ready);
    uint32_t users_left = spawner->users.count - spawner->users.made;

    out[POOL_NETWORKS] =
        (struct pool_level){ network->pool_count, network->maker.asked, config->netns_pool };
    out[POOL_GROUPS] = (struct pool_level){ spawner->group_pool.count, 0, config->group_pool };
    out[POOL_USERS] = (struct pool_level){ spawner->users.ready, 0, config->group_pool };
    if (out[POOL_USERS].ready + users_left < config->group_pool) /* no more slots than that */
        out[POOL_USERS].want = out[POOL_USERS].ready + users_left;
    out[POOL_READY] = (struct pool_level){ ready.ready, ready.starting, ready.want };
}

static bool refill_networks(struct spawner *spawner)
{
    struct err err = { 0 };
    bool started = false;
    bool asked = network_refill(&spawner->network, &started);

    if (!started || spawner->network.maker.socket < 0)
        return asked;
    if (spawner_watch(spawner, spawner->network.maker.socket, EPOLLIN, &spawner->maker_source,
                      &err) == ST_OK)
        return asked;
    log_event(LOG_WARN, "network_not_prepared", LS("why", err.text),
              LS("then", "made at the next start"));
    network_maker_stop(&spawner->network.maker);
    return false;
}

/* One more of each that is not full.  False: nothing could be made, so there is no use in going on
 * before something happens. */
static bool refill(struct spawner *spawner)
{
    struct pool_level levels[POOLS];
    bool made = refill_networks(spawner);

    pool_levels(spawner, levels);
    if (levels[POOL_GROUPS].ready < levels[POOL_GROUPS].want)
        made |= cgroup_pool_refill(&spawner->group_pool, &spawner->groups);
    if (levels[POOL_USERS].ready < levels[POOL_USERS].want)
        made |= user_namespaces_refill(&spawner->users);
    if (spawner->starting == 0)
        made |= ready_pool_step(&spawner->ready);
    return made;
}

/* What to wait for after an event: -1, for the next one only. */
static int after_event(struct spawner *spawner)
{
    struct pool_level levels[POOLS];

    if (!spawner->used)
        return -1;
    pool_levels(spawner, levels);
    if (refill_at_once(&levels[POOL_NETWORKS]) && refill_networks(spawner))
        pool_levels(spawner, levels);
    return refill_wait_ms(levels, POOLS, spawner->starting);
}

/* The pools have come to rest: tell the agent where it was told other levels. */
static void tell_pools(struct spawner *spawner)
{
    Lapwing__SpawnerMessage message = LAPWING__SPAWNER_MESSAGE__INIT;
    Lapwing__Pools pools = LAPWING__POOLS__INIT;

    pools.networks = spawner->network.pool_count;
    pools.networks_max = spawner->config.netns_pool;
    pools.groups = spawner->group_pool.count;
    pools.groups_max = spawner->config.group_pool;
    pools.ready = ready_pool_level(&spawner->ready).ready;
    pools.ready_max = spawner->config.ready.kinds_max * spawner->config.ready.pool;
    if (pools.networks == spawner->told_networks && pools.groups == spawner->told_groups &&
        pools.ready == spawner->told_ready)
        return;
    pools.ready_bytes = ready_pool_bytes(&spawner->ready);
    spawner->told_ready = pools.ready;
    spawner->told_networks = pools.networks;
    spawner->told_groups = pools.groups;
    message.what_case = LAPWING__SPAWNER_MESSAGE__WHAT_POOLS;
    message.pools = &pools;
    say(spawner, &message, NULL, 0);
}

void spawner_run(struct spawner *spawner)
{
    int wait_ms = -1;

    while (!spawner->stopping) {
        struct epoll_event event;
        int got = epoll_wait(spawner->epoll, &event, 1, wait_ms);

        if (got < 0) {
            CHECK(errno == EINTR);
            continue;
        }
        if (got == 0 && !refill(spawner)) {
            tell_pools(spawner);
            wait_ms = ready_pool_rest_ms(&spawner->ready);
            continue;
        }
        if (got > 0) {
            struct source *source = event.data.ptr;
            source->ready(source, event.events);
        }
        wait_ms = after_event(spawner);
        if (wait_ms < 0 && spawner->network.maker.asked == 0)
            tell_pools(spawner);
        if (wait_ms < 0)
            wait_ms = ready_pool_rest_ms(&spawner->ready);
    }
}

void spawner_close(struct spawner *spawner)
{
    struct err err = { 0 };

    if (cgroups_remove(&spawner->groups, &err) != ST_OK)
        log_event(LOG_ERROR, "control_group_left", LS("why", err.text));
    network_close(&spawner->network);
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
    cgroups_close(&spawner->groups);
    package_store_done(&spawner->packages);
    user_namespaces_done(&spawner->users);
    ready_pool_done(&spawner->ready);
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
