/* See log_merge_rules.h. */
#include "controlplane/api/admin/log_merge_rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

/* One "worker:number" of `len` bytes. */
static enum status read_cursor(const char *text, size_t len, struct log_cursors *out)
{
    struct log_cursor *cursor = &out->list[out->count];
    size_t name = strcspn(text, ":");
    uint64_t after = 0;

    if (out->count == LOG_CURSORS_MAX || name == 0 || name > NODE_BYTES_MAX || name + 1 >= len ||
        len - name - 1 > 19)
        return ST_BAD_INPUT;
    for (size_t i = name + 1; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return ST_BAD_INPUT;
        after = after * 10 + (uint64_t)(text[i] - '0');
    }
    memcpy(cursor->worker, text, name);
    cursor->worker[name] = '\0';
    cursor->after = after;
    out->count++;
    return ST_OK;
}

enum status log_cursors_read(const char *token, struct log_cursors *out)
{
    struct log_cursors cursors = { 0 };

    while (*token != '\0') {
        size_t len = strcspn(token, ",");

        if (read_cursor(token, len, &cursors) != ST_OK)
            return ST_BAD_INPUT;
        token += len;
        if (*token == ',')
            token++;
    }
    *out = cursors;
    return ST_OK;
}

void log_cursors_write(const struct log_cursors *cursors, struct buf *out)
{
    for (size_t i = 0; i < cursors->count; i++)
        buf_printf(out, "%s%s:%llu", i == 0 ? "" : ",", cursors->list[i].worker,
                   (unsigned long long)cursors->list[i].after);
}

uint64_t log_cursors_get(const struct log_cursors *cursors, const char *worker)
{
    for (size_t i = 0; i < cursors->count; i++)
        if (strcmp(cursors->list[i].worker, worker) == 0)
            return cursors->list[i].after;
    return 0;
}

void log_cursors_set(struct log_cursors *cursors, const char *worker, uint64_t after)
{
    size_t at = 0;

    while (at < cursors->count && strcmp(cursors->list[at].worker, worker) != 0)
        at++;
    if (at == LOG_CURSORS_MAX)
        return;
    if (at == cursors->count)
        cursors->count++;
    (void)snprintf(cursors->list[at].worker, sizeof cursors->list[at].worker, "%.31s", worker);
    cursors->list[at].after = after;
}

/* The part whose next line is the earliest, or `count` at the end. */
static size_t earliest(const struct log_part *parts, const size_t *at, size_t count)
{
    size_t best = count;

    for (size_t i = 0; i < count; i++) {
        const Lapwing__LogLine *line;
        const Lapwing__LogLine *other;

        if (at[i] == parts[i].logs->n_lines)
            continue;
        if (best == count) {
            best = i;
            continue;
        }
        line = parts[i].logs->lines[at[i]];
        other = parts[best].logs->lines[at[best]];
        if (line->at_ms < other->at_ms ||
            (line->at_ms == other->at_ms && strcmp(parts[i].worker, parts[best].worker) < 0))
            best = i;
    }
    return best;
}

/* What functions print need not be text: jansson refuses what is not UTF-8, so such a line is shown
 * with each strange byte as a question mark. */
static json_t *line_text(const char *text)
{
    json_t *value = json_string(text);
    char *plain;

    if (value != NULL)
        return value;
    plain = must_strdup(text);
    for (char *c = plain; *c != '\0'; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    value = json_string(plain);
    CHECK(value != NULL);
    free(plain);
    return value;
}

json_t *log_merge(const struct log_part *parts, size_t count, struct log_cursors *cursors)
{
    size_t at[LOG_CURSORS_MAX] = { 0 };
    json_t *lines = json_array();
    struct buf next = { 0 };
    json_t *answer;
    size_t i;

    CHECK(count <= LOG_CURSORS_MAX);
    while ((i = earliest(parts, at, count)) < count) {
        const Lapwing__LogLine *line = parts[i].logs->lines[at[i]++];

        json_array_append_new(lines,
                              json_pack("{s:I, s:s, s:o}", "at_ms", (json_int_t)line->at_ms,
                                        "worker", parts[i].worker, "text", line_text(line->text)));
    }
    for (i = 0; i < count; i++)
        log_cursors_set(cursors, parts[i].worker, parts[i].logs->next);
    log_cursors_write(cursors, &next);
    answer = json_pack("{s:o, s:s}", "lines", lines, "next", buf_text(&next));
    CHECK(answer != NULL);
    buf_done(&next);
    return answer;
}
