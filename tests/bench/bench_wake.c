/* What it costs on this machine that one process wakes another: the round trip of 100 bytes over
 * TCP between two processes that sleep meanwhile.  A warm invocation has four such trips in it, so
 * its latency says little without this.  Prints JSON. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <uv.h>

#include "base/check.h"

enum { TRIPS = 20000, MESSAGE_BYTES = 100 };

static void no_delay(int fd)
{
    static const int on = 1;

    CHECK(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
}

/* The other process: sends back what comes until nothing does. */
static void echo(const struct sockaddr_in *where)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char bytes[MESSAGE_BYTES];
    ssize_t got;

    CHECK(connect(fd, (const struct sockaddr *)where, sizeof *where) == 0);
    no_delay(fd);
    while ((got = read(fd, bytes, sizeof bytes)) > 0)
        CHECK(write(fd, bytes, (size_t)got) == got);
    _exit(0);
}

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

int main(void)
{
    static uint64_t took_ns[TRIPS];
    struct sockaddr_in where = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof where;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    char bytes[MESSAGE_BYTES] = { 0 };
    int fd;

    CHECK(bind(listener, (struct sockaddr *)&where, len) == 0 && listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&where, &len) == 0);
    if (fork() == 0)
        echo(&where);
    fd = accept(listener, NULL, NULL);
    CHECK(fd >= 0);
    no_delay(fd);
    for (int i = 0; i < TRIPS; i++) {
        uint64_t from_ns = uv_hrtime();

        CHECK(write(fd, bytes, sizeof bytes) == MESSAGE_BYTES);
        CHECK(read(fd, bytes, sizeof bytes) == MESSAGE_BYTES);
        took_ns[i] = uv_hrtime() - from_ns;
    }
    qsort(took_ns, TRIPS, sizeof took_ns[0], by_value);
    (void)printf("{\"requests\": %d, \"failed\": 0, \"per_second\": %.1f, \"p50_us\": %.1f, "
                 "\"p99_us\": %.1f}\n",
                 TRIPS, 1e9 / (double)took_ns[TRIPS / 2], (double)took_ns[TRIPS / 2] / 1e3,
                 (double)took_ns[TRIPS * 99 / 100] / 1e3);
    return 0;
}
