/* See failure_rules.h. */
#include "base/failure_rules.h"

#include "base/check.h"

enum status failure_limits_check(const struct failure_limits *limits, struct err *err)
{
    if (limits->suspect_ms < FAILURE_SUSPECT_MS_MIN || limits->suspect_ms > FAILURE_SUSPECT_MS_MAX)
        return err_set(err, ST_BAD_INPUT, "detection.suspect_ms: %u, want %d to %d",
                       limits->suspect_ms, FAILURE_SUSPECT_MS_MIN, FAILURE_SUSPECT_MS_MAX);
    if (limits->out_ms < FAILURE_OUT_MS_MIN || limits->out_ms > FAILURE_OUT_MS_MAX)
        return err_set(err, ST_BAD_INPUT, "detection.out_ms: %u, want %d to %d", limits->out_ms,
                       FAILURE_OUT_MS_MIN, FAILURE_OUT_MS_MAX);
    if (limits->suspect_ms >= limits->out_ms)
        return err_set(err, ST_BAD_INPUT,
                       "detection.suspect_ms: %u, want less than detection.out_ms, which is %u",
                       limits->suspect_ms, limits->out_ms);
    return ST_OK;
}

void failure_watch_start(struct failure_watch *watch,
                         const struct failure_limits *limits,
                         uint64_t now_ms)
{
    CHECK(failure_limits_check(limits, NULL) == ST_OK);
    CHECK(limits->tick_ms > 0);
    *watch = (struct failure_watch){ .limits = *limits, .ran_ms = now_ms };
}

uint64_t failure_watch_run(struct failure_watch *watch, uint64_t now_ms)
{
    /* Timers are late by a little all the time: up to a tick is not worth an excuse. */
    uint64_t listened_ms = (uint64_t)watch->limits.tick_ms * 2;
    uint64_t passed_ms = now_ms - watch->ran_ms;

    CHECK(now_ms >= watch->ran_ms);
    watch->ran_ms = now_ms;
    watch->now_ms += passed_ms < listened_ms ? passed_ms : listened_ms;
    if (passed_ms <= (uint64_t)watch->limits.tick_ms + watch->limits.suspect_ms)
        return 0;
    watch->grace_ms = watch->now_ms;
    return passed_ms;
}

void failure_peer_start(const struct failure_watch *watch, struct failure_peer *peer)
{
    *peer = (struct failure_peer){
        .state = FAILURE_ALIVE,
        .steady = true,
        .heard_ms = watch->now_ms,
        .steady_ms = watch->now_ms,
        .back_ms = watch->now_ms,
    };
}

uint64_t failure_silence_ms(const struct failure_watch *watch, const struct failure_peer *peer)
{
    CHECK(peer->heard_ms <= watch->now_ms);
    return watch->now_ms - (peer->heard_ms > watch->grace_ms ? peer->heard_ms : watch->grace_ms);
}

bool failure_is_returning(const struct failure_watch *watch, const struct failure_peer *peer)
{
    return peer->state == FAILURE_OUT && peer->steady &&
           failure_silence_ms(watch, peer) < watch->limits.suspect_ms;
}

/* Since when it has been heard in time, now that it was heard once more. */
static void note_heard(const struct failure_watch *watch, struct failure_peer *peer)
{
    if (!peer->steady || failure_silence_ms(watch, peer) >= watch->limits.suspect_ms)
        peer->steady_ms = watch->now_ms;
    peer->steady = true;
    peer->heard_ms = watch->now_ms;
    CHECK(peer->steady_ms <= watch->now_ms);
}

enum failure_change failure_heard(const struct failure_watch *watch, struct failure_peer *peer)
{
    enum failure_state state = peer->state;
    uint64_t want_ms = state == FAILURE_OUT ? peer->hold_ms : watch->limits.suspect_ms;

    note_heard(watch, peer);
    if (state == FAILURE_ALIVE || watch->now_ms - peer->steady_ms < want_ms)
        return FAILURE_SAME;
    peer->state = FAILURE_ALIVE;
    if (state == FAILURE_SUSPECTED)
        return FAILURE_NOW_CLEARED;
    peer->back_ms = watch->now_ms;
    return FAILURE_NOW_BACK;
}

static enum failure_change go_out(const struct failure_watch *watch, struct failure_peer *peer)
{
    bool again = peer->hold_ms > 0 && watch->now_ms - peer->back_ms < FAILURE_QUIET_MS;

    CHECK(peer->state != FAILURE_OUT);
    peer->state = FAILURE_OUT;
    peer->steady = false;
    peer->hold_ms = again ? peer->hold_ms * 2 : watch->limits.suspect_ms;
    if (peer->hold_ms > FAILURE_HOLD_MS_MAX)
        peer->hold_ms = FAILURE_HOLD_MS_MAX;
    return FAILURE_NOW_OUT;
}

enum failure_change failure_lost(const struct failure_watch *watch, struct failure_peer *peer)
{
    if (peer->state != FAILURE_OUT)
        return go_out(watch, peer);
    peer->steady = false;
    return FAILURE_SAME;
}

enum failure_change failure_tick(const struct failure_watch *watch, struct failure_peer *peer)
{
    uint64_t silence_ms = failure_silence_ms(watch, peer);

    if (silence_ms < watch->limits.suspect_ms)
        return FAILURE_SAME;
    peer->steady = false;
    if (peer->state == FAILURE_OUT)
        return FAILURE_SAME;
    if (silence_ms >= watch->limits.out_ms)
        return go_out(watch, peer);
    if (peer->state == FAILURE_SUSPECTED)
        return FAILURE_SAME;
    peer->state = FAILURE_SUSPECTED;
    return FAILURE_NOW_SUSPECTED;
}
