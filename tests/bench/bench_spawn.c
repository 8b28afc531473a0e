/* Creation of environments, one after another, 20 ms apart as cold starts come in life: from the
 * agent's request to its answer (the program is being executed), and to the word that it has ended.
 * Needs root.
 *
 *   bench_spawn [COUNT [GAP_MS]] */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "tests/cluster/spawner_fixture.h"

enum { COUNT_MAX = 10000, WARM_UP = 10 };

static double started[COUNT_MAX];
static double ended[COUNT_MAX];

static double now_ms(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print(const char *what, double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare);
    (void)printf("%-24s p50 %.2f ms  p99 %.2f ms  max %.2f ms\n", what, values[count / 2],
                 values[count * 99 / 100], values[count - 1]);
}

static void measure_one(struct fixture *fixture, size_t at)
{
    struct spawner_message message;
    double start = now_ms();

    fixture_ask(fixture, (unsigned)(at % 16), (const char *const[]){ "exit", NULL });
    CHECK(fixture_receive(fixture, &message));
    started[at] = now_ms() - start;
    CHECK(message.message->reply->status == ST_OK);
    spawner_message_done(&message);
    CHECK(fixture_receive(fixture, &message));
    ended[at] = now_ms() - start;
    CHECK(message.message->what_case == LAPWING__SPAWNER_MESSAGE__WHAT_EXITED);
    spawner_message_done(&message);
}

int main(int argc, char **argv)
{
    size_t count = argc > 1 ? strtoul(argv[1], NULL, 10) : 200;
    int gap_ms = argc > 2 ? atoi(argv[2]) : 20;
    const char *missing = fixture_missing();
    struct fixture fixture;

    if (missing != NULL || count == 0 || count > COUNT_MAX) {
        (void)fprintf(stderr, "bench_spawn: %s\n", missing != NULL ? missing : "COUNT is wrong");
        return 1;
    }
    fixture_start(&fixture, true);
    for (size_t i = 0; i < WARM_UP; i++) {
        measure_one(&fixture, 0);
        (void)poll(NULL, 0, gap_ms);
    }
    double start = now_ms();
    for (size_t i = 0; i < count; i++) {
        measure_one(&fixture, i);
        (void)poll(NULL, 0, gap_ms);
    }
    double seconds = (now_ms() - start) / 1e3;
    (void)printf("%zu environments, %d ms apart, %.0f a second\n", count, gap_ms,
                 (double)count / seconds);
    print("request to answer", started, count);
    print("request to exit message", ended, count);
    return fixture_stop(&fixture);
}
