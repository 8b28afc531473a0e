/* The limits of failure detection, from a program's configuration. */
#ifndef BASE_FAILURE_SETTINGS_H
#define BASE_FAILURE_SETTINGS_H

#include "base/config.h"
#include "base/failure_rules.h"

/* Rows of the table of options of a program that listens for others. */
// clang-format off
#define FAILURE_OPTIONS                                                                                                                                                        \
    { "detection", "suspect_ms", "300", "who was silent for so long is used last", CONFIG_UNSIGNED, false, FAILURE_SUSPECT_MS_MIN, FAILURE_SUSPECT_MS_MAX },                  \
    { "detection", "out_ms", "900", "who was silent for so long is given up; more than suspect_ms", CONFIG_UNSIGNED, false, FAILURE_OUT_MS_MIN, FAILURE_OUT_MS_MAX }
// clang-format on

/* Read them.
 *
 * tick_ms   how often the program's watch runs
 *
 * ST_BAD_INPUT: out_ms is not more than suspect_ms. */
enum status failure_limits_read(const struct config *config,
                                uint32_t tick_ms,
                                struct failure_limits *out,
                                struct err *err);

#endif
