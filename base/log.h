/* Log lines: an event name and key=value fields, one line each, to standard error.
 *
 *   log_event(LOG_WARN, "lease_expired", LU("worker", id), LS("then", "reassigning"));
 *   2026-01-05T10:12:44.031Z warn lease_expired worker=3 then=reassigning
 *
 * error: a person must act.  warn: we coped, and the line says how.  info: the cluster changed.
 * debug: per request.  What is refused or
 * cut is info, limited by log_limit_rules.h.  No secrets, no payload.  Values with a space, a quote
 * or a control character are quoted and escaped.  Any thread; a line is one write. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

struct log_field {
    const char *key; /* NULL ends a list */
    enum { LOG_FIELD_TEXT, LOG_FIELD_UNSIGNED, LOG_FIELD_SIGNED } kind;
    const char *text;
    uint64_t number;
};

#define LS(key, value) ((struct log_field){ (key), LOG_FIELD_TEXT, (value), 0 })
#define LU(key, value) ((struct log_field){ (key), LOG_FIELD_UNSIGNED, 0, (uint64_t)(value) })
#define LI(key, value)                                                                             \
    ((struct log_field){ (key), LOG_FIELD_SIGNED, 0, (uint64_t)(int64_t)(value) })
#define LOG_FIELDS_END ((struct log_field){ 0 })

#define log_event(level, ...) log_event_(level, __VA_ARGS__, LOG_FIELDS_END)
#define log_event_(level, event, ...)                                                              \
    log_write((level), (event), (const struct log_field[]){ __VA_ARGS__ })

/* Write one line unless `level` is below the threshold.  `fields` ends with LOG_FIELDS_END. */
void log_write(enum log_level level, const char *event, const struct log_field *fields);

/* Lines below `level` are dropped.  LOG_INFO at start. */
void log_threshold(enum log_level level);

/* Fields put on every line of this process, "program=worker zone=a"; copied.  Call once at start.
 */
void log_identity(const char *fields);

#endif
