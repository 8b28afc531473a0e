/* Formatting and writing of log lines.  Any thread. */
#include "base/log.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"

static _Atomic enum log_level threshold = LOG_INFO;
static char identity[160];

void log_threshold(enum log_level level)
{
    atomic_store(&threshold, level);
}

void log_identity(const char *fields)
{
    (void)snprintf(identity, sizeof identity, " %s", fields);
}

static int needs_quotes(const char *text)
{
    if (*text == '\0')
        return 1;
    for (; *text != '\0'; text++)
        if ((unsigned char)*text <= ' ' || *text == '"' || *text == '\\' || *text == 0x7f)
            return 1;
    return 0;
}

static void append_value(struct buf *line, const char *text)
{
    if (text == NULL)
        text = "";
    if (!needs_quotes(text)) {
        buf_append_text(line, text);
        return;
    }
    buf_append_text(line, "\"");
    for (; *text != '\0'; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            buf_printf(line, "\\%c", c);
        else if (c == '\n')
            buf_append_text(line, "\\n");
        else if (c < ' ' || c == 0x7f)
            buf_printf(line, "\\x%02x", c);
        else
            buf_append(line, &c, 1);
    }
    buf_append_text(line, "\"");
}

static void append_time(struct buf *line)
{
    struct timespec now;
    struct tm parts;
    char text[32];

    (void)clock_gettime(CLOCK_REALTIME, &now);
    (void)gmtime_r(&now.tv_sec, &parts);
    (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    buf_printf(line, "%s.%03ldZ", text, now.tv_nsec / 1000000);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    static const char *const level_names[] = { "debug", "info", "warn", "error" };
    struct buf line = { 0 };

    if (level < atomic_load(&threshold))
        return;
    append_time(&line);
    buf_printf(&line, " %s %s%s", level_names[level], event, identity);
    for (; fields->key != NULL; fields++) {
        buf_printf(&line, " %s=", fields->key);
        if (fields->kind == LOG_FIELD_TEXT)
            append_value(&line, fields->text);
        else if (fields->kind == LOG_FIELD_UNSIGNED)
            buf_printf(&line, "%llu", (unsigned long long)fields->number);
        else
            buf_printf(&line, "%lld", (long long)(int64_t)fields->number);
    }
    buf_append_text(&line, "\n");
    /* A log that cannot be written has nowhere to complain. */
    if (write(STDERR_FILENO, line.data, line.len) < 0)
        line.len = 0;
    buf_done(&line);
}
