/* See failure_settings.h.  At start. */
#include "base/failure_settings.h"

enum status failure_limits_read(const struct config *config,
                                uint32_t tick_ms,
                                struct failure_limits *out,
                                struct err *err)
{
    /* The bounds of FAILURE_OPTIONS are those of the rule. */
    out->suspect_ms = (uint32_t)config_unsigned(config, "detection", "suspect_ms");
    out->out_ms = (uint32_t)config_unsigned(config, "detection", "out_ms");
    out->tick_ms = tick_ms;
    return failure_limits_check(out, err);
}
