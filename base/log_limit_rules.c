/* See log_limit_rules.h. */
#include "base/log_limit_rules.h"

#include "base/limits.h"

bool log_limit_allows(struct log_limit *limit, uint64_t now_ms, uint32_t *out_left_out)
{
    uint64_t second = now_ms / 1000;

    if (second != limit->second) {
        limit->second = second;
        limit->written = 0;
    }
    if (limit->written >= LOG_LIMIT_LINES_MAX) {
        limit->left_out += limit->left_out < UINT32_MAX;
        return false;
    }
    limit->written++;
    *out_left_out = limit->left_out;
    limit->left_out = 0;
    return true;
}
