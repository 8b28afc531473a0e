/* The choice of a slot.  Deciding code. */
#include "worker/agent/slots_plan.h"

#include <string.h>

#include "base/check.h"

static bool identity_equal(const struct slot_identity *a, const struct slot_identity *b)
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

uint64_t slots_reserved_mb(const struct slot_view *slots, size_t count)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        if (environment_counts(slots[i].state))
            sum += slots[i].memory_mb;
    return sum;
}

/* The best existing environment for the wish, or SLOTS_FULL when there is none. */
static enum slots_choice choose_existing(const struct slot_view *slots,
                                         size_t count,
                                         const struct slots_wish *wish,
                                         uint32_t *out_slot)
{
    uint32_t idle = SLOT_NONE, starting = SLOT_NONE, finishing = SLOT_NONE;

    for (uint32_t i = 0; i < count; i++) {
        const struct slot_view *slot = &slots[i];

        if (slot->bound || !identity_equal(&slot->identity, &wish->identity))
            continue;
        if (is_idle(slot) && (idle == SLOT_NONE || slot->last_used_ms > slots[idle].last_used_ms))
            idle = i;
        if (is_starting(slot) && starting == SLOT_NONE)
            starting = i;
        if (slot->state == ENVIRONMENT_FINISHING && finishing == SLOT_NONE)
            finishing = i;
    }
    *out_slot = idle != SLOT_NONE ? idle : starting;
    if (idle != SLOT_NONE)
        return SLOTS_TAKE;
    if (starting != SLOT_NONE)
        return SLOTS_JOIN;
    *out_slot = finishing;
    return finishing != SLOT_NONE && wish->busy_allowed ? SLOTS_FOLLOW : SLOTS_FULL;
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
    uint64_t reserved = slots_reserved_mb(slots, count);

    CHECK(count <= SLOTS_MAX);
    *out = (struct slots_decision){ .slot = SLOT_NONE };
    out->choice = choose_existing(slots, count, wish, &out->slot);
    if (out->choice != SLOTS_FULL)
        return;

    out->slot = SLOT_NONE;
    for (uint32_t i = 0; i < count && out->slot == SLOT_NONE; i++)
        if (slots[i].state == ENVIRONMENT_FREE)
            out->slot = i;
    if (out->slot == SLOT_NONE) {
        out->slot = choose_victim(slots, count, out);
        if (out->slot == SLOT_NONE)
            return;
        reserved -= slots[out->slot].memory_mb;
    }
    /* Memory of what is stopped here counts until its last process is gone, but the new one is let
     * in at once: it needs milliseconds before it can use any, the kill takes less. */
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
