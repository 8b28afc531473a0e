/* The choice of a slot.  Deciding code. */
#include "worker/agent/slots_plan.h"

#include <string.h>

#include "base/check.h"

bool slot_identity_equal(const struct slot_identity *a, const struct slot_identity *b)
{
    return memcmp(a->uid, b->uid, sizeof a->uid) == 0 && a->config_epoch == b->config_epoch &&
           a->version == b->version;
}

static bool is_idle(const struct slot_view *slot)
{
    return slot->state == ENVIRONMENT_IDLE || slot->state == ENVIRONMENT_FROZEN;
}

static bool is_starting(const struct slot_view *slot)
{
    return slot->state == ENVIRONMENT_FETCHING || slot->state == ENVIRONMENT_SPAWNING ||
           slot->state == ENVIRONMENT_INIT || slot->state == ENVIRONMENT_RESTARTING;
}

static bool is_leaving(const struct slot_view *slot)
{
    return slot->state == ENVIRONMENT_STOPPING || slot->state == ENVIRONMENT_DOOMED;
}

uint64_t slots_reserved_mb(const struct slot_view *slots, size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        if (environment_counts(slots[i].state))
            sum += slots[i].memory_mb;
    return sum;
}

/* Sum over the environments of one function. */
struct crowd {
    uint32_t starting;
    uint32_t busy; /* will be idle after what they are at */
    uint32_t finishing;
    uint32_t run_us;   /* the shortest known of the busy ones, 0: none; and the shortest start: */
    uint32_t start_us; /* the others were slowed down by each other */
    uint64_t last_used_ms;
};

static void keep_least(uint32_t *least, uint32_t us)
{
    if (us > 0 && (*least == 0 || us < *least))
        *least = us;
}

static void crowd_add(struct crowd *crowd, const struct slot_view *slot)
{
    bool finishing = slot->state == ENVIRONMENT_FINISHING;

    crowd->starting += is_starting(slot);
    keep_least(&crowd->start_us, slot->start_us);
    if (slot->last_used_ms > crowd->last_used_ms)
        crowd->last_used_ms = slot->last_used_ms;
    if (!finishing && slot->state != ENVIRONMENT_HELD && slot->state != ENVIRONMENT_RUNNING)
        return;
    crowd->busy++;
    crowd->finishing += finishing;
    keep_least(&crowd->run_us, slot->run_us);
}

/* How long it may take until one of them comes round: longer, and another is started. */
static uint64_t patience_us(const struct crowd *crowd)
{
    uint64_t share_us = crowd->start_us / SLOTS_START_SHARE;

    return share_us > SLOTS_PATIENCE_US ? share_us : SLOTS_PATIENCE_US;
}

/* How long to wait for one of them at most; 0: not at all. */
static uint32_t wait_worth(const struct crowd *crowd, const struct slots_wish *wish)
{
    uint64_t run_us = crowd->run_us;
    bool moving = wish->late == 0 || crowd->last_used_ms > wish->since_ms;

    if (run_us == 0 || run_us > crowd->start_us) {
        if (wish->late > 0)
            return 0;
        if (crowd->finishing > wish->waiting)
            return SLOTS_FINISH_US;
        return crowd->starting >= wish->starts_max ? SLOTS_WAIT_US_MAX : 0;
    }
    if (wish->late >= SLOTS_LATE_MAX)
        return 0;
    if (moving && run_us * (wish->waiting + 1) / crowd->busy <= patience_us(crowd))
        return SLOTS_WAIT_US_MAX;
    /* Whether one has come round meanwhile tells nothing there: it is we who had no processor. */
    if (wish->host_busy && crowd->busy + crowd->starting >= SLOTS_BUSY_ROUNDS * wish->starts_max)
        return SLOTS_WAIT_US_MAX;
    return crowd->starting >= crowd->busy ? SLOTS_WAIT_US_MAX : 0;
}

/* The best existing environment for the wish, or SLOTS_FULL when there is none. */
static enum slots_choice choose_existing(const struct slot_view *slots,
                                         size_t count,
                                         const struct slots_wish *wish,
                                         struct slots_decision *out)
{
    uint32_t idle = SLOT_NONE, starting = SLOT_NONE;
    struct crowd crowd = { 0 };

    for (uint32_t i = 0; i < count; i++) {
        const struct slot_view *slot = &slots[i];

        if (!slot_identity_equal(&slot->identity, &wish->identity))
            continue;
        crowd_add(&crowd, slot);
        if (slot->bound)
            continue;
        if (is_idle(slot) && (idle == SLOT_NONE || slot->last_used_ms > slots[idle].last_used_ms))
            idle = i;
        if (is_starting(slot) && starting == SLOT_NONE)
            starting = i;
    }
    out->slot = idle;
    if (idle != SLOT_NONE)
        return SLOTS_TAKE;
    if (wish->wait_allowed)
        out->wait_us = wait_worth(&crowd, wish);
    if (out->wait_us > 0)
        return SLOTS_WAIT;
    out->slot = starting;
    return starting != SLOT_NONE ? SLOTS_JOIN : SLOTS_FULL;
}

/* The idle environment unused for longest that is not yet in `chosen`; ties go to the lowest slot.
 */
static uint32_t choose_victim(const struct slot_view *slots,
                              size_t count,
                              const struct slots_decision *chosen)
{
    uint32_t victim = SLOT_NONE;

    for (uint32_t i = 0; i < count; i++) {
        bool taken = i == chosen->slot;

        for (size_t k = 0; k < chosen->evict_count; k++)
            taken = taken || chosen->evict[k] == i;
        if (taken || slots[i].bound || !is_idle(&slots[i]))
            continue;
        if (victim == SLOT_NONE || slots[i].last_used_ms < slots[victim].last_used_ms)
            victim = i;
    }
    return victim;
}

void slots_decide(const struct slot_view *slots,
                  size_t count,
                  uint64_t memory_mb,
                  const struct slots_wish *wish,
                  struct slots_decision *out)
{
    uint64_t reserved = 0;

    CHECK(count <= SLOTS_MAX);
    *out = (struct slots_decision){ .slot = SLOT_NONE };
    out->choice = choose_existing(slots, count, wish, out);
    if (out->choice != SLOTS_FULL)
        return;

    /* Memory of what is being stopped is in use until its last process is gone, but does not count:
     * a new one needs milliseconds before it can use any, the kill takes less.  Counted, a burst of
     * offers would give up an idle environment more for each that is on its way out already, and
     * then refuse. */
    for (uint32_t i = 0; i < count; i++) {
        if (slots[i].state == ENVIRONMENT_FREE && out->slot == SLOT_NONE)
            out->slot = i;
        if (environment_counts(slots[i].state) && !is_leaving(&slots[i]))
            reserved += slots[i].memory_mb;
    }
    if (out->slot == SLOT_NONE) {
        out->slot = choose_victim(slots, count, out);
        if (out->slot == SLOT_NONE)
            return;
        reserved -= slots[out->slot].memory_mb;
    }
    while (reserved + wish->memory_mb > memory_mb) {
        uint32_t victim = choose_victim(slots, count, out);

        if (victim == SLOT_NONE || out->evict_count == SLOTS_EVICT_MAX) {
            *out = (struct slots_decision){ .choice = SLOTS_FULL, .slot = SLOT_NONE };
            return;
        }
        out->evict[out->evict_count++] = victim;
        reserved -= slots[victim].memory_mb;
    }
    out->choice = SLOTS_START;
}
