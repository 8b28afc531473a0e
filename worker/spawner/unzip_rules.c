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
