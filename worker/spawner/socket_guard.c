/* See socket_guard.h. */
#include "worker/spawner/socket_guard.h"

#include <errno.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/check.h"
#include "worker/spawner/spawner.h"

static void set_timer(struct socket_guard *guard, bool on)
{
    struct timespec pause = { .tv_nsec = on ? SOCKET_GUARD_MS * 1000000L : 0 };
    struct itimerspec times = { pause, pause };

    CHECK(timerfd_settime(guard->timer, 0, &times, NULL) == 0);
    guard->armed = on;
}

static void timer_ready(struct source *source, uint32_t events)
{
    struct socket_guard *guard = container_of(source, struct socket_guard, source);
    struct spawner *spawner = container_of(guard, struct spawner, socket_guard);
    bool running = false;
    uint64_t count;

    if (read(guard->timer, &count, sizeof count) < 0)
        return;
    for (uint32_t i = 0; i < spawner->config.environments_max; i++) {
        struct environment *env = &spawner->environments[i];

        if (env->state != ENVIRONMENT_RUNNING || env->frozen)
            continue;
        running = true;
        if (cgroup_sockets_full(&spawner->groups, &env->group))
            environment_out_of_memory(env);
    }
    if (!running)
        set_timer(guard, false);
}

enum status socket_guard_open(struct spawner *spawner, struct err *err)
{
    struct socket_guard *guard = &spawner->socket_guard;

    *guard = (struct socket_guard){ .timer = -1, .source.ready = timer_ready };
    if (!cgroup_guards_sockets(&spawner->groups))
        return ST_OK;
    guard->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (guard->timer < 0)
        return err_set_errno(err, ST_IO, errno, "make a timer");
    return spawner_watch(spawner, guard->timer, EPOLLIN, &guard->source, err);
}

void socket_guard_wake(struct spawner *spawner)
{
    struct socket_guard *guard = &spawner->socket_guard;

    if (guard->timer >= 0 && !guard->armed)
        set_timer(guard, true);
}
