/* See ready_pool.h. */
#include "worker/spawner/ready_pool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "worker/spawner/files.h"
#include "worker/spawner/package_store.h"
#include "worker/spawner/packet.h"
#include "worker/spawner/request_check.h"
#include "worker/spawner/sandbox_mounts.h"
#include "worker/spawner/spawner.h"

/* An interpreter on its way gives way to functions; when it gets one, it has that one's share. */
enum { READY_CPU_WEIGHT = 16 }; /* an eighth of the smallest function */

static char wait_variable[] = "_LAPWING_WAIT=1";

static uint64_t now_ms(void)
{
    return clock_lease_ns(&clock_system) / 1000000;
}

uint32_t ready_pool_capacity(const struct ready_limits *limits)
{
    uint32_t most = limits->kinds_max * limits->pool;

    return most == 0 ? 0 : most + READY_ENDING_SPARE;
}

uint32_t ready_pool_users(const struct ready_limits *limits, uint32_t slots)
{
    uint32_t capacity = ready_pool_capacity(limits);

    return capacity == 0 ? 0 : capacity + slots;
}

/* ---- kinds ---- */

/* What of a request makes its kind, packed. */
static void pack_key(const Lapwing__SpawnEnvironment *req, struct buf *out)
{
    Lapwing__SpawnEnvironment key = LAPWING__SPAWN_ENVIRONMENT__INIT;
    size_t len;

    key.runtime = req->runtime;
    key.n_argv = req->n_argv;
    key.argv = req->argv;
    key.n_ready_environment = req->n_ready_environment;
    key.ready_environment = req->ready_environment;
    len = lapwing__spawn_environment__get_packed_size(&key);
    (void)lapwing__spawn_environment__pack(&key, buf_reserve(out, len));
    out->len += len;
}

static size_t find_kind(const struct ready_pool *pool, const struct buf *key)
{
    size_t i = 0;

    while (i < READY_KINDS_MAX && (!pool->views[i].used || pool->kinds[i].key.len != key->len ||
                                   memcmp(pool->kinds[i].key.data, key->data, key->len) != 0))
        i++;
    return i;
}

/* Its processes are killed; the entry lasts until the last of them is gone. */
static void drop(struct ready_environment *ready)
{
    struct ready_kind_view *view = &ready->env.spawner->ready.views[ready->kind];

    if (ready->state == READY_STATE_STARTING)
        view->starting--;
    else
        view->ready--;
    ready->state = READY_STATE_ENDING;
    spawner_close_watched(ready->env.spawner, &ready->socket);
    (void)cgroup_kill(&ready->env.group, NULL);
}

static void count_failure(struct ready_pool *pool, size_t kind, const char *why)
{
    if (++pool->views[kind].failures == READY_FAILURES_MAX)
        log_event(LOG_WARN, "ready_environments_given_up",
                  LS("program", pool->kinds[kind].command->argv[0]), LS("why", why),
                  LS("then", "started when they are asked for"));
}

static void fail(struct ready_environment *ready, const char *why)
{
    count_failure(&ready->env.spawner->ready, ready->kind, why);
    drop(ready);
}

static void forget_kind(struct ready_pool *pool, size_t kind)
{
    for (uint32_t i = 0; i < pool->count; i++) {
        struct ready_environment *ready = &pool->list[i];

        if (ready->kind == kind &&
            (ready->state == READY_STATE_STARTING || ready->state == READY_STATE_READY))
            drop(ready);
    }
    buf_done(&pool->kinds[kind].key);
    lapwing__spawn_environment__free_unpacked(pool->kinds[kind].command, NULL);
    pool->kinds[kind].command = NULL;
    pool->views[kind] = (struct ready_kind_view){ 0 };
}

static void learn_kind(struct ready_pool *pool, const struct buf *key)
{
    size_t place = ready_place(pool->views, &pool->limits);

    if (pool->views[place].used)
        forget_kind(pool, place);
    buf_append(&pool->kinds[place].key, key->data, key->len);
    pool->kinds[place].command = lapwing__spawn_environment__unpack(NULL, key->len, key->data);
    CHECK(pool->kinds[place].command != NULL); /* what we packed can be unpacked */
    pool->views[place] = (struct ready_kind_view){ .used = true, .last_ms = now_ms() };
}

/* ---- giving one to a function ---- */

/* Nothing is to be read from a process that waits: else it is dead, or talks. */
static bool is_sound(const struct ready_environment *ready)
{
    struct pollfd looks[] = { { .fd = ready->env.pidfd, .events = POLLIN },
                              { .fd = ready->socket, .events = POLLIN } };

    return poll(looks, ARRAY_LEN(looks), 0) == 0;
}

static enum status send_variables(const struct ready_environment *ready,
                                  const Lapwing__SpawnEnvironment *req,
                                  struct err *err)
{
    struct buf text = { 0 };
    enum status st;

    for (size_t i = 0; i < req->n_environment; i++) {
        buf_append(&text, "", i > 0);
        buf_append_text(&text, req->environment[i]);
    }
    st = packet_send(ready->socket, buf_view(&text), NULL, 0, err);
    buf_done(&text);
    return st;
}

/* Limits and mounts first: no byte of the function is read before they hold. */
static enum status give(struct ready_environment *ready,
                        const Lapwing__SpawnEnvironment *req,
                        const struct environment_want *want,
                        struct err *err)
{
    char package[PACKAGE_PATH_BYTES];
    enum status st;

    if (!is_sound(ready))
        return err_set(err, ST_UNAVAILABLE, "it died while it waited");
    st = package_store_path(&ready->env.spawner->packages, req->package, package, err);
    if (st == ST_OK)
        st = environment_limit(&ready->env, want, err);
    if (st == ST_OK)
        st = sandbox_mount_into(ready->env.pidfd, ready->env.spawner->own_mounts, package,
                                req->ephemeral_mb, err);
    return st == ST_OK ? send_variables(ready, req, err) : st;
}

static struct ready_environment *find_ready(struct ready_pool *pool, size_t kind)
{
    for (uint32_t i = 0; i < pool->count; i++)
        if (pool->list[i].state == READY_STATE_READY && pool->list[i].kind == kind)
            return &pool->list[i];
    return NULL;
}

static void hand_over(struct ready_environment *ready,
                      struct environment *env,
                      uint64_t request,
                      const Lapwing__SpawnEnvironment *req)
{
    struct spawner *spawner = env->spawner;
    struct ready_kind_view *view = &spawner->ready.views[ready->kind];

    view->ready--;
    view->failures = 0;
    ready->state = READY_STATE_FREE;
    spawner_close_watched(spawner, &ready->socket);
    (void)epoll_ctl(spawner->epoll, EPOLL_CTL_DEL, ready->env.pidfd, NULL);
    environment_adopt(env, request, req, &ready->env);
}

bool ready_pool_take(struct ready_pool *pool,
                     struct environment *env,
                     uint64_t request,
                     const Lapwing__SpawnEnvironment *req,
                     const struct environment_want *want)
{
    struct ready_environment *ready;
    struct buf key = { 0 };
    size_t kind;

    pool->last_start_ms = now_ms();
    if (pool->count == 0 || req->n_ready_environment == 0)
        return false;
    pack_key(req, &key);
    kind = find_kind(pool, &key);
    if (kind == READY_KINDS_MAX)
        learn_kind(pool, &key);
    buf_done(&key);
    if (kind == READY_KINDS_MAX)
        return false;
    /* One that was given up is forgotten after a while, and the next start tries it again. */
    if (pool->views[kind].failures < READY_FAILURES_MAX)
        pool->views[kind].last_ms = now_ms();
    while ((ready = find_ready(pool, kind)) != NULL) {
        struct err err = { 0 };

        if (give(ready, req, want, &err) == ST_OK) {
            hand_over(ready, env, request, req);
            return true;
        }
        fail(ready, err.text);
    }
    return false;
}

/* ---- making them ---- */

static void socket_ready(struct source *source, uint32_t events)
{
    struct ready_environment *ready = container_of(source, struct ready_environment, socket_source);
    struct ready_kind_view *view = &ready->env.spawner->ready.views[ready->kind];
    struct cgroup_usage usage;
    char said[2];

    if (ready->state != READY_STATE_STARTING ||
        recv(ready->socket, said, sizeof said, MSG_DONTWAIT) != 1) {
        fail(ready, "its process ended, or said what it should not");
        return;
    }
    view->starting--;
    view->ready++;
    ready->state = READY_STATE_READY;
    cgroup_usage(&ready->env.spawner->groups, &ready->env.group, &usage);
    ready->env.cpu_before_us = usage.cpu_us; /* it sleeps from here on */
}

static void pid_ready(struct source *source, uint32_t events)
{
    struct environment *env = container_of(source, struct environment, pid_source);
    struct ready_environment *ready = container_of(env, struct ready_environment, env);
    siginfo_t info = { 0 };

    CHECK(waitid(P_PIDFD, (id_t)env->pidfd, &info, WEXITED | WNOHANG) == 0);
    CHECK(info.si_pid != 0); /* the descriptor said that it has ended */
    if (ready->state != READY_STATE_ENDING)
        fail(ready, "its process ended");
    environment_release(env);
    ready->state = READY_STATE_FREE;
}

static struct ready_environment *find_free(struct ready_pool *pool)
{
    for (uint32_t i = 0; i < pool->count; i++)
        if (pool->list[i].state == READY_STATE_FREE)
            return &pool->list[i];
    return NULL;
}

static uint32_t take_user(struct ready_pool *pool)
{
    uint32_t i = 0;

    while (pool->users[i]) {
        i++;
        CHECK(i < pool->user_count); /* there are as many as can be in use */
    }
    pool->users[i] = true;
    return pool->user_first + i;
}

void ready_pool_give_user(struct ready_pool *pool, uint32_t user)
{
    if (user >= pool->user_first && user - pool->user_first < pool->user_count)
        pool->users[user - pool->user_first] = false;
}

static enum status make(struct ready_environment *ready,
                        const Lapwing__SpawnEnvironment *command,
                        int socket,
                        struct err *err)
{
    char *variables[SPAWN_VARIABLES_MAX];
    size_t count = command->n_ready_environment;
    struct environment_want want = {
        .runtime = command->runtime,
        .argv = command->argv,
        .argc = command->n_argv,
        .variables = variables,
        .variable_count = count + 1,
        .memory_mb =
            FUNCTION_MEMORY_MB_MAX, /* a function's is lower: v1 takes only that as it is */
        .cpu_weight = READY_CPU_WEIGHT,
        .user = take_user(&ready->env.spawner->ready),
        .wait = socket,
    };

    CHECK(count < SPAWN_VARIABLES_MAX); /* by request_check.c */
    memcpy(variables, command->ready_environment, count * sizeof(char *));
    variables[count] = wait_variable;
    return environment_make(&ready->env, &want, err);
}

static enum status start(struct ready_pool *pool, size_t kind, struct err *err)
{
    struct spawner *spawner = pool->spawner;
    struct ready_environment *ready = find_free(pool);
    AUTO_CLOSE int theirs = -1;
    int pair[2];
    enum status st;

    CHECK(ready != NULL); /* by has_room() */
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_set_errno(err, ST_IO, errno, "make a socket pair");
    ready->socket = pair[0];
    theirs = pair[1];
    st = make(ready, pool->kinds[kind].command, theirs, err);
    if (st != ST_OK) {
        close_quietly(&ready->socket);
        return st;
    }
    ready->state = READY_STATE_STARTING;
    ready->kind = kind;
    ready->since_ms = now_ms();
    pool->views[kind].starting++;
    st = spawner_watch(spawner, ready->socket, EPOLLIN, &ready->socket_source, NULL);
    CHECK(st == ST_OK); /* only lack of kernel memory: a running child may not go unwatched */
    st = spawner_watch(spawner, ready->env.pidfd, EPOLLIN, &ready->env.pid_source, NULL);
    CHECK(st == ST_OK);
    return ST_OK;
}

/* Not while all entries are ending, and not where a start would make a namespace in this thread. */
static bool has_room(struct ready_pool *pool)
{
    const struct spawner *spawner = pool->spawner;

    return find_free(pool) != NULL &&
           (spawner->network.pool_count > 0 || spawner->config.netns_pool == 0);
}

/* Available of the host's, in percent; where the kernel does not say, there is enough. */
static uint32_t memory_percent(void)
{
    AUTO_CLOSE int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    uint64_t all = file_read_key(proc, "meminfo", "MemTotal:", 0);
    uint64_t available = file_read_key(proc, "meminfo", "MemAvailable:", all);

    return all == 0 ? 100 : (uint32_t)(available * 100 / all);
}

/* "0.10 0.20 0.30 RUNNABLE/ALL LAST"; where the kernel does not say, all are busy. */
static uint32_t runnable_count(void)
{
    AUTO_CLOSE int proc = open("/proc", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    char text[128];
    unsigned count;

    if (file_read(proc, "loadavg", text, sizeof text, NULL) != ST_OK ||
        sscanf(text, "%*s %*s %*s %9u/", &count) != 1)
        return UINT32_MAX / 2;
    return count;
}

static bool is_calm(const struct ready_pool *pool)
{
    return ready_is_calm(now_ms() - pool->last_start_ms, runnable_count(), pool->processors);
}

static bool drop_late(struct ready_pool *pool)
{
    for (uint32_t i = 0; i < pool->count; i++) {
        struct ready_environment *ready = &pool->list[i];

        if (ready->state != READY_STATE_STARTING || now_ms() - ready->since_ms < READY_START_MS)
            continue;
        fail(ready, "it was not ready in time");
        return true;
    }
    return false;
}

bool ready_pool_step(struct ready_pool *pool)
{
    struct ready_step step;
    struct err err = { 0 };

    if (ready_pool_rest_ms(pool) < 0)
        return false;
    if (drop_late(pool))
        return true;
    step = ready_next(pool->views, &pool->limits, now_ms(), memory_percent());
    if (step.action == READY_FORGET) {
        forget_kind(pool, step.kind);
        return true;
    }
    pool->waits_for_calm = step.action == READY_START && !is_calm(pool);
    if (step.action == READY_NOTHING || pool->waits_for_calm || !has_room(pool))
        return false;
    if (start(pool, step.kind, &err) == ST_OK)
        return true;
    count_failure(pool, step.kind, err.text);
    return false;
}

int ready_pool_rest_ms(const struct ready_pool *pool)
{
    for (size_t i = 0; i < READY_KINDS_MAX; i++)
        if (pool->views[i].used)
            return pool->waits_for_calm ? READY_QUIET_MS : READY_LOOK_MS;
    return -1;
}

struct ready_level ready_pool_level(const struct ready_pool *pool)
{
    return ready_level(pool->views, &pool->limits);
}

uint64_t ready_pool_bytes(const struct ready_pool *pool)
{
    uint64_t sum = 0;

    for (uint32_t i = 0; i < pool->count; i++) {
        struct cgroup_usage usage;

        if (pool->list[i].state != READY_STATE_READY)
            continue;
        cgroup_usage(&pool->spawner->groups, &pool->list[i].env.group, &usage);
        sum += usage.memory_bytes;
    }
    return sum;
}

void ready_pool_init(struct ready_pool *pool,
                     struct spawner *spawner,
                     const struct ready_limits *limits,
                     uint32_t user_first)
{
    cpu_set_t usable;

    *pool = (struct ready_pool){ .spawner = spawner, .limits = *limits, .user_first = user_first };
    CPU_ZERO(&usable);
    (void)sched_getaffinity(0, sizeof usable, &usable);
    pool->processors = (uint32_t)CPU_COUNT(&usable);
    pool->count = ready_pool_capacity(limits);
    pool->user_count = ready_pool_users(limits, spawner->config.environments_max);
    pool->list = must_calloc(pool->count + 1, sizeof *pool->list);
    pool->users = must_calloc(pool->user_count + 1, sizeof *pool->users);
    for (uint32_t i = 0; i < pool->count; i++) {
        struct ready_environment *ready = &pool->list[i];

        environment_init(&ready->env, spawner, UINT32_MAX); /* no slot */
        ready->env.pid_source.ready = pid_ready;
        ready->socket_source.ready = socket_ready;
        ready->socket = -1;
    }
}

void ready_pool_done(struct ready_pool *pool)
{
    for (size_t i = 0; i < READY_KINDS_MAX; i++) {
        buf_done(&pool->kinds[i].key);
        if (pool->kinds[i].command != NULL)
            lapwing__spawn_environment__free_unpacked(pool->kinds[i].command, NULL);
    }
    free(pool->list);
    free(pool->users);
    *pool = (struct ready_pool){ 0 };
}
