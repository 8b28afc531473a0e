/* A replica's eyes on its disk: how much room there is, what waits for room, how long writes take;
 * and the end of the process when the disk fails.  What it means is decided in disk_rules.c and
 * core_disk.c.  The group's thread; statvfs() and filling the reserve on a pool thread, since a
 * dying disk may keep them for long. */
#include <errno.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "controlplane/replica/replica_internal.h"

struct disk_limits replica_disk_limits(const struct replica_config *config)
{
    return (struct disk_limits){
        .low_bytes = config->disk_low_bytes ? config->disk_low_bytes : REPLICA_DISK_LOW_BYTES,
        .high_bytes = config->disk_high_bytes ? config->disk_high_bytes : REPLICA_DISK_HIGH_BYTES,
        .slow_ms = config->disk_slow_ms ? config->disk_slow_ms : REPLICA_DISK_SLOW_MS,
        .steady_ms = REPLICA_DISK_STEADY_MS,
    };
}

void replica_disk_init(struct replica *replica, const struct replica_config *config)
{
    struct replica_watch *watch = &replica->watch;
    uint64_t target = config->reserve_bytes ? config->reserve_bytes : REPLICA_RESERVE_BYTES;

    watch->limits = replica_disk_limits(config);
    watch->disk_failed = config->disk_failed;
    watch->disk_failed_context = config->disk_failed_context;
    reserve_open(&replica->reserve, replica->dir, target);
}

/* ---- room, on a pool thread ---- */

static void space_work_cb(uv_work_t *work)
{
    struct replica *replica = container_of(work, struct replica, watch.work);
    struct replica_watch *watch = &replica->watch;
    struct disk_seen seen = { 0 };
    struct statvfs info;
    struct err err = { 0 };
    enum status st = ST_OK;

    watch->looked_bytes = UINT64_MAX; /* a disk that does not say is judged by its writes */
    if (statvfs(replica->dir, &info) == 0)
        watch->looked_bytes = (uint64_t)info.f_bavail * info.f_frsize;
    seen.free_bytes = watch->looked_bytes;
    seen.missing_bytes = reserve_missing(&replica->reserve);
    if (seen.missing_bytes == 0 || !watch->may_fill ||
        disk_usable_bytes(&seen) < watch->limits.low_bytes)
        return;
    st = reserve_fill(&replica->reserve, &err);
    if (st != ST_OK && !watch->fill_failed)
        log_event(LOG_WARN, "disk_reserve_not_made", LS("group", replica->group),
                  LS("error", err.text), LS("then", "going on with less"));
    watch->fill_failed = st != ST_OK;
    if (statvfs(replica->dir, &info) == 0)
        watch->looked_bytes = (uint64_t)info.f_bavail * info.f_frsize;
}

static void space_after_cb(uv_work_t *work, int status)
{
    struct replica *replica = container_of(work, struct replica, watch.work);
    struct replica_watch *watch = &replica->watch;

    (void)status; /* never cancelled */
    watch->looking = false;
    watch->known = true;
    watch->free_bytes = watch->looked_bytes;
    watch->look_at = 0;
}

static void look_for_space(struct replica *replica, uint64_t now_ms)
{
    struct replica_watch *watch = &replica->watch;
    int rv;

    if (watch->looking || now_ms < watch->space_at)
        return;
    watch->space_at = now_ms + REPLICA_DISK_SPACE_MS;
    watch->looking = true;
    watch->may_fill = !watch->judge.full;
    rv = uv_queue_work(&replica->loop, &watch->work, space_work_cb, space_after_cb);
    CHECK(rv == 0);
}

/* ---- judging ---- */

static void say(const struct replica *replica, enum disk_condition before)
{
    const struct replica_watch *watch = &replica->watch;

    if (watch->condition == DISK_FULL)
        log_event(LOG_ERROR, "disk_full", LS("group", replica->group), LS("path", replica->dir),
                  LU("free_bytes", watch->free_bytes), LU("low_bytes", watch->limits.low_bytes),
                  LU("back_at_bytes", watch->limits.high_bytes),
                  LS("then", "another node leads; make room"));
    else if (before == DISK_FULL)
        log_event(LOG_INFO, "disk_space_back", LS("group", replica->group),
                  LS("path", replica->dir), LU("free_bytes", watch->free_bytes));
    if (watch->condition == DISK_SLOW)
        log_event(LOG_WARN, "disk_slow", LS("group", replica->group), LS("path", replica->dir),
                  LU("write_ms", watch->slowest_ms), LU("bound_ms", watch->limits.slow_ms),
                  LS("then", "another node leads, if one is fit"));
    else if (before == DISK_SLOW && watch->condition == DISK_FIT)
        log_event(LOG_INFO, "disk_steady", LS("group", replica->group), LS("path", replica->dir));
}

static void judge(struct replica *replica, uint64_t now_ms)
{
    struct replica_watch *watch = &replica->watch;
    enum disk_condition before = watch->condition;
    struct disk_seen seen = { .now_ms = now_ms, .free_bytes = watch->free_bytes };
    struct disk_view disk;
    struct core_view core;

    disk_look(replica->disk, &disk);
    core_view(replica->core, &core);
    seen.missing_bytes = reserve_missing(&replica->reserve);
    seen.held = disk.held || core.apply_held;
    seen.slowest_ms = watch->slowest_ms = disk.slowest_ms;
    if (!watch->known)
        return;
    watch->condition = disk_judge_next(&watch->judge, &watch->limits, &seen);
    if (watch->condition == before)
        return;
    say(replica, before);
    core_set_disk(replica->core, now_ms, watch->condition);
}

void replica_disk_turn(struct replica *replica, uint64_t now_ms)
{
    struct replica_watch *watch = &replica->watch;

    if (watch->stop_at_ms != 0) {
        if (now_ms >= watch->stop_at_ms)
            _exit(watch->exit_code);
        return;
    }
    look_for_space(replica, now_ms);
    if (now_ms < watch->look_at)
        return;
    watch->look_at = now_ms + REPLICA_DISK_LOOK_MS;
    judge(replica, now_ms);
}

/* ---- saying why ---- */

void replica_status_refusal(const struct replica_status *status, struct err *out)
{
    struct buf names = { 0 };
    unsigned voters = 0;
    unsigned full = 0;

    out->text[0] = '\0';
    for (unsigned i = 0; i < status->member_count; i++) {
        if (status->members[i].membership != REPLICA_VOTER)
            continue;
        voters++;
        if (status->members[i].disk != DISK_FULL)
            continue;
        buf_printf(&names, "%s%s", full > 0 ? ", " : "", status->members[i].member.node);
        full++;
    }
    /* With one of several full, another leads, and the reason is another one. */
    if (full > voters / 2 && status->disk == DISK_FULL)
        (void)err_set(out, ST_UNAVAILABLE,
                      "no node with room on its disk can lead: full are %s; here %s has %llu bytes "
                      "free, %llu are needed",
                      buf_text(&names), status->disk_path,
                      (unsigned long long)status->disk_free_bytes,
                      (unsigned long long)status->disk_high_bytes);
    else if (full > voters / 2)
        (void)err_set(out, ST_UNAVAILABLE, "no node with room on its disk can lead: full are %s",
                      buf_text(&names));
    buf_done(&names);
}

/* ---- the end ---- */

static void say_failed(struct replica *replica, const struct err *err)
{
    state_doubt_raise_all(); /* the other group's rows are on the same disk most likely */
    log_event(LOG_ERROR, "disk_failed", LS("group", replica->group), LS("path", replica->dir),
              LS("error", err->text), LI("exit_code", REPLICA_EXIT_DISK_FAILED),
              LS("then", "handing leadership over and stopping: look at the disk and its mount"));
    if (replica->watch.disk_failed != NULL)
        replica->watch.disk_failed(replica->watch.disk_failed_context);
}

void replica_disk_failed(struct replica *replica, const struct err *err)
{
    uint64_t now = replica_now_ms();

    if (replica->watch.stop_at_ms != 0)
        return;
    replica->watch.stop_at_ms = now + REPLICA_FAILED_STOP_MS;
    replica->watch.exit_code = REPLICA_EXIT_DISK_FAILED;
    say_failed(replica, err);
    if (replica->core != NULL) /* else this node is no member any more */
        core_set_disk(replica->core, now, DISK_FAILED);
}

_Noreturn void replica_disk_failed_now(struct replica *replica, const struct err *err)
{
    if (replica->watch.stop_at_ms == 0) /* else it is said, and this is a vote on the way out */
        say_failed(replica, err);
    uv_sleep(REPLICA_FAILED_STOP_MS); /* silent ourselves; the other group hands over meanwhile */
    _exit(REPLICA_EXIT_DISK_FAILED);
}
