/* See host_load.h. */
#include "worker/agent/host_load.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

void host_load_init(struct host_load *load)
{
    *load = (struct host_load){ .fd = open("/proc/uptime", O_RDONLY | O_CLOEXEC) };
    load->processors = uv_available_parallelism();
}

void host_load_done(struct host_load *load)
{
    if (load->fd >= 0)
        (void)close(load->fd);
    load->fd = -1;
}

/* "123.45 678.90": two decimals, always. */
bool host_load_parse(const char *text, uint64_t *out_idle_ms)
{
    const char *second = strchr(text, ' ');
    unsigned long long seconds, hundredths;
    char *end;

    if (second == NULL || second[1] < '0' || second[1] > '9')
        return false;
    seconds = strtoull(second + 1, &end, 10);
    if (end[0] != '.' || end[1] < '0' || end[1] > '9')
        return false;
    hundredths = strtoull(end + 1, &end, 10);
    if (hundredths > 99 || (*end != '\n' && *end != '\0'))
        return false;
    *out_idle_ms = seconds * 1000 + hundredths * 10;
    return true;
}

bool host_load_busy(struct host_load *load, uint64_t now_ns)
{
    uint64_t window_ms = (now_ns - load->looked_ns) / 1000000;
    uint64_t idle_ms;
    char text[64];
    ssize_t got;

    if (load->fd < 0 || window_ms < HOST_LOAD_WINDOW_MS)
        return load->busy;
    got = pread(load->fd, text, sizeof text - 1, 0);
    text[got > 0 ? got : 0] = '\0';
    if (!host_load_parse(text, &idle_ms))
        return load->busy;
    load->busy =
        (idle_ms - load->idle_ms) * 100 < window_ms * load->processors * HOST_LOAD_IDLE_PERCENT;
    load->looked_ns = now_ns;
    load->idle_ms = idle_ms;
    return load->busy;
}
