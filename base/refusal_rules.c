/* See refusal_rules.h. */
#include "base/refusal_rules.h"

#include <stddef.h>

/* FNV-1a, also over the NUL so that two texts have a border.  Who finds two with one hash only
 * shares their line in the log. */
static uint64_t add_text(uint64_t hash, const char *text)
{
    do {
        hash = (hash ^ (uint8_t)*text) * 0x100000001b3ull;
    } while (*text++ != '\0');
    return hash;
}

static bool is_due(const struct refusal *refusal, uint64_t now_ms)
{
    return refusal->key == 0 || now_ms - refusal->said_ms >= REFUSAL_AGAIN_MS;
}

/* Its own place, else a free one, else the one that is due for longest, else the common one. */
static struct refusal *find(struct refusals *refusals, uint64_t key, uint64_t now_ms)
{
    struct refusal *best = NULL;

    for (size_t i = 0; i < REFUSALS_MAX; i++) {
        struct refusal *refusal = &refusals->list[i];

        if (refusal->key == key)
            return refusal;
        if (is_due(refusal, now_ms) && (best == NULL || refusal->said_ms < best->said_ms))
            best = refusal;
    }
    if (best == NULL)
        return &refusals->others;
    refusals->others.left_out += best->left_out; /* told with the next that has no place */
    *best = (struct refusal){ 0 };
    return best;
}

bool refusal_is_said(struct refusals *refusals,
                     const char *peer,
                     const char *reason,
                     uint64_t now_ms,
                     uint32_t *out_left_out)
{
    uint64_t key = add_text(add_text(0xcbf29ce484222325ull, peer), reason) | 1;
    struct refusal *refusal = find(refusals, key, now_ms);

    if (!is_due(refusal, now_ms)) {
        refusal->left_out += refusal->left_out < UINT32_MAX;
        return false;
    }
    *out_left_out = refusal->left_out;
    *refusal = (struct refusal){ .key = key, .said_ms = now_ms };
    return true;
}
