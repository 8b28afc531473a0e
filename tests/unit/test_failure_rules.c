#include "base/failure_rules.h"

#include "tests/unit/check.h"

enum { SUSPECT = 300, OUT = 900, TICK = 50, BEAT = 100 };

static const struct failure_limits limits = { SUSPECT, OUT, TICK };

TEST(limits_have_ranges_and_an_order)
{
    static const struct {
        const char *name;
        uint32_t suspect_ms, out_ms;
        enum status want;
    } rows[] = {
        { "the default", 300, 900, ST_OK },
        { "the least", FAILURE_SUSPECT_MS_MIN, FAILURE_OUT_MS_MIN, ST_OK },
        { "the most", FAILURE_SUSPECT_MS_MAX, FAILURE_OUT_MS_MAX, ST_OK },
        { "suspects too soon", FAILURE_SUSPECT_MS_MIN - 1, 900, ST_BAD_INPUT },
        { "suspects too late", FAILURE_SUSPECT_MS_MAX + 1, 60000, ST_BAD_INPUT },
        { "out too soon", 200, FAILURE_OUT_MS_MIN - 1, ST_BAD_INPUT },
        { "out too late", 300, FAILURE_OUT_MS_MAX + 1, ST_BAD_INPUT },
        { "out just behind suspected", 899, 900, ST_OK },
        { "out and suspected at once", 900, 900, ST_BAD_INPUT },
        { "out before suspected", 901, 900, ST_BAD_INPUT },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct failure_limits given = { rows[i].suspect_ms, rows[i].out_ms, TICK };
        struct err err = { 0 };

        test_case = rows[i].name;
        EXPECT_EQ(failure_limits_check(&given, &err), rows[i].want);
        EXPECT_EQ(err.text[0] == '\0', rows[i].want == ST_OK);
    }
    test_case = NULL;
}

/* What happens in a row: the watch runs every TICK, and in between the peer is heard every BEAT, or
 * not.  `p` sleeps through its time: no tick, no beat arrives, all is told at its end. */
struct part {
    char what; /* h: heard for ms, s: silent for ms, l: lost, p: the watch is paused for ms */
    uint32_t ms;
    enum failure_state state; /* at its end */
};

// clang-format off
static const struct {
    const char *name;
    struct part parts[9]; /* ended by a zeroed one */
} stories[] = {
    { "heard, it stays", { { 'h', 5000, FAILURE_ALIVE } } },
    { "just not suspected", { { 's', 250, FAILURE_ALIVE }, { 'h', 1000, FAILURE_ALIVE } } },
    { "suspected", { { 's', 300, FAILURE_SUSPECTED } } },
    { "just not out", { { 's', 850, FAILURE_SUSPECTED } } },
    { "out", { { 's', 900, FAILURE_OUT } } },
    { "a suspicion is cleared by being heard in time", {
        { 's', 300, FAILURE_SUSPECTED }, { 'h', 300, FAILURE_SUSPECTED }, { 'h', 100, FAILURE_ALIVE } } },
    { "but not by being heard once and again", {
        { 's', 300, FAILURE_SUSPECTED }, { 'h', 100, FAILURE_SUSPECTED }, { 's', 400, FAILURE_SUSPECTED },
        { 'h', 100, FAILURE_SUSPECTED }, { 's', 400, FAILURE_SUSPECTED }, { 'h', 100, FAILURE_SUSPECTED } } },
    { "a lost connection is out at once", { { 'h', 1000, FAILURE_ALIVE }, { 'l', 0, FAILURE_OUT } } },
    { "also of one that is suspected", { { 's', 300, FAILURE_SUSPECTED }, { 'l', 0, FAILURE_OUT } } },
    { "back from out after the first hold", {
        { 's', 900, FAILURE_OUT }, { 'h', 300, FAILURE_OUT }, { 'h', 100, FAILURE_ALIVE } } },
    { "lost while it comes back, it starts again", {
        { 'l', 0, FAILURE_OUT }, { 'h', 300, FAILURE_OUT }, { 'l', 0, FAILURE_OUT }, { 'h', 300, FAILURE_OUT },
        { 'h', 100, FAILURE_ALIVE } } },
    { "silent while it comes back, it starts again", {
        { 'l', 0, FAILURE_OUT }, { 'h', 300, FAILURE_OUT }, { 's', 300, FAILURE_OUT }, { 'h', 300, FAILURE_OUT },
        { 'h', 100, FAILURE_ALIVE } } },
    { "the hold doubles", {
        { 'l', 0, FAILURE_OUT }, { 'h', 400, FAILURE_ALIVE }, { 'l', 0, FAILURE_OUT }, { 'h', 600, FAILURE_OUT },
        { 'h', 100, FAILURE_ALIVE }, { 's', 900, FAILURE_OUT }, { 'h', 1200, FAILURE_OUT },
        { 'h', 100, FAILURE_ALIVE } } },
    { "and falls back after a quiet time", {
        { 'l', 0, FAILURE_OUT }, { 'h', 400, FAILURE_ALIVE }, { 'l', 0, FAILURE_OUT }, { 'h', 700, FAILURE_ALIVE },
        { 'h', FAILURE_QUIET_MS, FAILURE_ALIVE }, { 'l', 0, FAILURE_OUT }, { 'h', 400, FAILURE_ALIVE } } },
    { "a watch that slept suspects nobody", {
        { 'h', 1000, FAILURE_ALIVE }, { 'p', 60000, FAILURE_ALIVE }, { 's', 150, FAILURE_ALIVE },
        { 'h', 100, FAILURE_ALIVE } } },
    { "not even those that it suspected before", {
        { 's', 300, FAILURE_SUSPECTED }, { 'p', 5000, FAILURE_SUSPECTED }, { 's', 850, FAILURE_SUSPECTED },
        { 's', 50, FAILURE_OUT } } },
    { "who died meanwhile is found out behind the grace", {
        { 'p', 5000, FAILURE_ALIVE }, { 's', 850, FAILURE_SUSPECTED }, { 's', 50, FAILURE_OUT } } },
    { "a delay of the watch is not the peer's", { { 's', 150, FAILURE_ALIVE }, { 'p', 350, FAILURE_ALIVE } } },
    { "but for two ticks of it", { { 's', 200, FAILURE_ALIVE }, { 'p', 350, FAILURE_SUSPECTED } } },
    { "a longer one is forgiven with what was before", { { 's', 250, FAILURE_ALIVE }, { 'p', 351, FAILURE_ALIVE } } },
    { "short delays do not add up", {
        { 'p', 150, FAILURE_ALIVE }, { 'p', 200, FAILURE_ALIVE }, { 'h', 100, FAILURE_ALIVE }, { 'p', 300, FAILURE_ALIVE },
        { 's', 150, FAILURE_ALIVE }, { 's', 50, FAILURE_SUSPECTED } } },
    { "what nobody listened to counts for nobody", {
        { 'l', 0, FAILURE_OUT }, { 'h', 400, FAILURE_ALIVE }, { 'l', 0, FAILURE_OUT }, { 'h', 300, FAILURE_OUT },
        { 'p', 60000, FAILURE_OUT }, { 'h', 200, FAILURE_OUT }, { 'h', 100, FAILURE_ALIVE } } },
};
// clang-format on

static void live(struct failure_watch *watch, struct failure_peer *peer, const struct part *part)
{
    uint64_t start_ms = watch->ran_ms;

    if (part->what == 'l')
        (void)failure_lost(watch, peer);
    if (part->what == 'p') {
        EXPECT_EQ(failure_watch_run(watch, start_ms + part->ms),
                  part->ms > TICK + SUSPECT ? part->ms : 0);
        (void)failure_tick(watch, peer);
        return;
    }
    while (watch->ran_ms < start_ms + part->ms) {
        EXPECT_EQ(failure_watch_run(watch, watch->ran_ms + TICK), 0);
        if (part->what == 'h' && (watch->ran_ms - start_ms) % BEAT == 0)
            (void)failure_heard(watch, peer);
        (void)failure_tick(watch, peer);
    }
}

TEST(a_peer_is_suspected_out_and_back_by_the_rule)
{
    for (size_t i = 0; i < ARRAY_LEN(stories); i++) {
        struct failure_watch watch;
        struct failure_peer peer;

        test_case = stories[i].name;
        failure_watch_start(&watch, &limits, 1000000);
        failure_peer_start(&watch, &peer);
        for (const struct part *part = stories[i].parts; part->what != '\0'; part++) {
            live(&watch, &peer, part);
            EXPECT_EQ(peer.state, part->state);
        }
    }
    test_case = NULL;
}

static void pass(struct failure_watch *watch, uint32_t ms)
{
    for (; ms > 0; ms -= TICK)
        EXPECT_EQ(failure_watch_run(watch, watch->ran_ms + TICK), 0);
}

TEST(changes_are_told_once)
{
    struct failure_watch watch;
    struct failure_peer peer;

    failure_watch_start(&watch, &limits, 5);
    failure_peer_start(&watch, &peer);
    EXPECT_EQ(failure_heard(&watch, &peer), FAILURE_SAME);
    pass(&watch, 300);
    EXPECT_EQ(failure_silence_ms(&watch, &peer), 300);
    EXPECT_EQ(failure_tick(&watch, &peer), FAILURE_NOW_SUSPECTED);
    EXPECT_EQ(failure_tick(&watch, &peer), FAILURE_SAME);
    EXPECT_EQ(failure_heard(&watch, &peer), FAILURE_SAME);
    pass(&watch, 200);
    EXPECT_EQ(failure_heard(&watch, &peer), FAILURE_SAME);
    pass(&watch, 100);
    EXPECT_EQ(failure_heard(&watch, &peer), FAILURE_NOW_CLEARED);
    EXPECT_EQ(failure_lost(&watch, &peer), FAILURE_NOW_OUT);
    EXPECT(!failure_is_returning(&watch, &peer));
    EXPECT_EQ(failure_lost(&watch, &peer), FAILURE_SAME);
    EXPECT_EQ(failure_heard(&watch, &peer), FAILURE_SAME);
    EXPECT(failure_is_returning(&watch, &peer));
    pass(&watch, 200);
    EXPECT_EQ(failure_heard(&watch, &peer), FAILURE_SAME);
    pass(&watch, 100);
    EXPECT_EQ(failure_heard(&watch, &peer), FAILURE_NOW_BACK);
    EXPECT(!failure_is_returning(&watch, &peer));
}

/* ---- whatever happens ---- */

static uint64_t random_state;

static uint32_t below(uint32_t n)
{
    random_state = random_state * 6364136223846793005ull + 1442695040888963407ull;
    return (uint32_t)(random_state >> 33) % n;
}

enum { OUTS_MAX = 64 };

/* One peer that freezes, dies and comes back at random, and a watch that is paused at random. */
struct life {
    struct failure_watch watch;
    struct failure_peer peer;
    uint64_t clock_ms;   /* for how long the watch has listened */
    uint64_t beat_ms;    /* of the last heartbeat, or since when silence counts */
    uint64_t in_time_ms; /* since when it has been heard in time */
    bool in_time;
    bool lost; /* since the last heartbeat */
    uint64_t outs[OUTS_MAX];
    size_t out_count;
};

/* The bound that the header promises. */
static size_t outs_allowed(void)
{
    size_t allowed = 2 + FAILURE_QUIET_MS / FAILURE_HOLD_MS_MAX;

    for (uint64_t hold = SUSPECT; hold < FAILURE_HOLD_MS_MAX; hold *= 2)
        allowed++;
    return allowed;
}

static void note(struct life *life, enum failure_change change, bool woken)
{
    uint64_t now_ms = life->clock_ms;
    size_t recent = 0;

    if (change == FAILURE_NOW_OUT) {
        EXPECT(!woken); /* never by its own pause */
        EXPECT(life->lost || now_ms - life->beat_ms >= OUT);
        life->outs[life->out_count++ % OUTS_MAX] = now_ms;
        for (size_t i = 0; i < OUTS_MAX && i < life->out_count; i++)
            recent += now_ms - life->outs[i] < FAILURE_QUIET_MS;
        EXPECT(recent <= outs_allowed());
    }
    if (change == FAILURE_NOW_BACK)
        EXPECT(now_ms - life->in_time_ms >= SUSPECT);
    if (life->peer.state == FAILURE_OUT && life->in_time)
        EXPECT(now_ms - life->in_time_ms < FAILURE_HOLD_MS_MAX + SUSPECT);
}

/* One turn of the watch; the peer's heartbeat falls into it or not. */
static void turn(struct life *life, uint32_t later_ms, bool heard)
{
    bool woken = failure_watch_run(&life->watch, life->watch.ran_ms + later_ms) > 0;

    EXPECT_EQ(woken, later_ms > TICK + SUSPECT);
    life->clock_ms += later_ms < 2 * TICK ? later_ms : 2 * TICK;
    EXPECT_EQ(life->watch.now_ms, life->clock_ms);
    if (woken)
        life->beat_ms = life->clock_ms;
    if (life->clock_ms - life->beat_ms >= SUSPECT)
        life->in_time = false;
    note(life, failure_tick(&life->watch, &life->peer), woken);
    if (!heard)
        return;
    if (!life->in_time)
        life->in_time_ms = life->clock_ms;
    life->in_time = true;
    life->beat_ms = life->clock_ms;
    life->lost = false;
    note(life, failure_heard(&life->watch, &life->peer), false);
}

static void live_at_random(struct life *life)
{
    switch (below(6)) {
    case 0: /* silent, mostly long enough to matter */
        for (uint32_t ms = below(3000); ms > 0; ms -= ms > TICK ? TICK : ms)
            turn(life, ms > TICK ? TICK : ms, false);
        break;
    case 1:
        life->lost = true;
        life->in_time = false;
        note(life, failure_lost(&life->watch, &life->peer), false);
        break;
    case 2:
        turn(life, below(5000), false);
        break;
    default: /* heard, at times for long */
        for (uint32_t beats = below(below(8) == 0 ? 700 : 40); beats > 0; beats--) {
            turn(life, TICK, false);
            turn(life, below(TICK + 1), true);
        }
        break;
    }
}

TEST(no_life_flaps_more_than_is_promised_and_a_steady_one_is_back)
{
    enum { SEEDS = 300, PARTS = 300 };

    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        struct life life = { 0 };
        char name[32];

        (void)snprintf(name, sizeof name, "seed %u", (unsigned)seed);
        test_case = name;
        random_state = seed;
        failure_watch_start(&life.watch, &limits, below(1000));
        failure_peer_start(&life.watch, &life.peer);
        for (int part = 0; part < PARTS; part++)
            live_at_random(&life);
        for (uint32_t ms = 0; ms <= OUT; ms += TICK)
            turn(&life, TICK, false);
        EXPECT_EQ(life.peer.state, FAILURE_OUT); /* silent: out within OUT and one tick */
        for (uint32_t ms = 0; ms <= FAILURE_HOLD_MS_MAX + BEAT; ms += BEAT)
            turn(&life, BEAT, true);
        EXPECT_EQ(life.peer.state, FAILURE_ALIVE);
        EXPECT(life.out_count > 0);
    }
    test_case = NULL;
}
