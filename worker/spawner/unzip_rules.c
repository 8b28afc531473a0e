/* Names and links of packages, see unzip_rules.h.  Pure. */
#include "worker/spawner/unzip_rules.h"

#include <string.h>

/* The component at `*at`, which is moved behind it and the slashes that follow. */
static size_t next_component(const char **at, const char **out)
{
    size_t len = strcspn(*at, "/");

    *out = *at;
    *at += len;
    *at += strspn(*at, "/");
    return len;
}

static bool is_dots(const char *component, size_t len, size_t dots)
{
    return len == dots && strncmp(component, "..", dots) == 0;
}

bool unzip_path_clean(const char *name, char out[UNZIP_PATH_BYTES])
{
    const char *component;
    size_t used = 0;

    if (name[0] == '/')
        return false;
    while (*name != '\0') {
        size_t len = next_component(&name, &component);

        if (is_dots(component, len, 2))
            return false;
        if (len == 0 || is_dots(component, len, 1))
            continue;
        if (used + len + 2 > UNZIP_PATH_BYTES)
            return false;
        if (used > 0)
            out[used++] = '/';
        memcpy(out + used, component, len);
        used += len;
    }
    out[used] = '\0';
    return true;
}

bool unzip_link_stays(const char *path, const char *target)
{
    const char *component;
    int depth = 0;

    if (target[0] == '/' || target[0] == '\0')
        return false;
    for (const char *c = path; *c != '\0'; c++)
        depth += *c == '/'; /* folders above the link */
    while (*target != '\0') {
        size_t len = next_component(&target, &component);

        if (is_dots(component, len, 2))
            depth--;
        else if (len > 0 && !is_dots(component, len, 1))
            depth++;
        if (depth < 0)
            return false;
    }
    return true;
}

static uint64_t little_endian(const uint8_t *at, size_t bytes)
{
    uint64_t value = 0;

    while (bytes-- > 0)
        value = value << 8 | at[bytes];
    return value;
}

bool unzip_end_read(const uint8_t *tail, size_t len, struct unzip_end *out)
{
    size_t at = len;

    if (len < UNZIP_END_BYTES)
        return false;
    /* The last one counts, as for every tool. */
    for (at = len - UNZIP_END_BYTES; memcmp(tail + at, "PK\005\006", 4) != 0; at--)
        if (at == 0)
            return false;
    *out = (struct unzip_end){ .entries = little_endian(tail + at + 10, 2) };
    if (at >= UNZIP_LOCATOR_BYTES &&
        memcmp(tail + at - UNZIP_LOCATOR_BYTES, "PK\006\007", 4) == 0) {
        out->is_large = true;
        out->large_at = little_endian(tail + at - UNZIP_LOCATOR_BYTES + 8, 8);
    }
    return true;
}

bool unzip_end64_read(const uint8_t record[UNZIP_END64_BYTES], uint64_t *out_entries)
{
    if (memcmp(record, "PK\006\006", 4) != 0)
        return false;
    *out_entries = little_endian(record + 32, 8);
    return true;
}
