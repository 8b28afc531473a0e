/* The spawner alone, with this program as its agent; needs root.  Prints a line of JSON.
 *
 *   bench_worker ready COUNT GAP_MS POOL [PARALLEL]
 *   bench_worker exit COUNT GAP_MS POOL
 *   bench_worker memory
 *
 * ready: from the request to the answer, when the program is being executed; so many are kept on
 * their way, from the request to the word of the end.  exit: from the request to kill one that
 * waits to the word that it has ended.  memory: of the spawner with empty and with full pools, and
 * of an environment that waits. */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "tests/cluster/spawner_fixture.h"

enum { COUNT_MAX = 20000, WARM_UP = 10, SLOTS = 16, IDLE = 16, SETTLE_MS = 3000 };

struct measure {
    struct fixture fixture;
    size_t count;
    int gap_ms;
    unsigned parallel;
    double asked_ms[SLOTS]; /* by slot */
    double *taken_ms;
    size_t answered;
    size_t ended;
};

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

static void print(struct measure *measure, double seconds)
{
    size_t count = measure->count;

    qsort(measure->taken_ms, count, sizeof(double), compare);
    (void)printf("{\"requests\": %zu, \"failed\": 0, \"per_second\": %.0f, \"p50_us\": %.0f, "
                 "\"p99_us\": %.0f}\n",
                 count, (double)count / seconds, measure->taken_ms[count / 2] * 1e3,
                 measure->taken_ms[count * 99 / 100] * 1e3);
}

static void start(struct measure *measure, unsigned slot, const char *what)
{
    measure->asked_ms[slot] = now_ms();
    fixture_ask(&measure->fixture, slot, (const char *const[]){ what, NULL });
}

/* Environments that end at once: `parallel` of them, each slot again as soon as it is free. */
static void measure_ready(struct measure *measure, size_t count)
{
    unsigned slots[SLOTS]; /* whose answers are due, in the order of the requests */
    size_t asked = 0;

    measure->answered = measure->ended = 0;
    for (; asked < measure->parallel && asked < count; asked++) {
        slots[asked % SLOTS] = (unsigned)asked;
        start(measure, (unsigned)asked, "exit");
    }
    while (measure->ended < count) {
        struct spawner_message message;

        CHECK(fixture_receive(&measure->fixture, &message));
        if (message.message->what_case == LAPWING__SPAWNER_MESSAGE__WHAT_REPLY) {
            unsigned slot = slots[measure->answered % SLOTS];

            CHECK(message.message->reply->status == ST_OK);
            measure->taken_ms[measure->answered++] = now_ms() - measure->asked_ms[slot];
        } else {
            unsigned slot = message.message->exited->slot;

            measure->ended++;
            if (measure->gap_ms > 0)
                (void)poll(NULL, 0, measure->gap_ms);
            if (asked < count) {
                slots[asked++ % SLOTS] = slot;
                start(measure, slot, "exit");
            }
        }
        spawner_message_done(&message);
    }
}

static void start_idle(struct measure *measure, unsigned slot)
{
    struct spawner_message message;

    start(measure, slot, "wait");
    CHECK(fixture_receive(&measure->fixture, &message));
    CHECK(message.message->reply->status == ST_OK);
    spawner_message_done(&message);
}

static void measure_exit(struct measure *measure, size_t count)
{
    Lapwing__SpawnRequest req = LAPWING__SPAWN_REQUEST__INIT;

    req.what_case = LAPWING__SPAWN_REQUEST__WHAT_KILL_SLOT;
    for (size_t i = 0; i < count; i++) {
        struct spawner_message message;
        double from;

        start_idle(measure, 0);
        (void)poll(NULL, 0, measure->gap_ms);
        from = now_ms();
        CHECK(fixture_request(&measure->fixture, &req) == ST_OK);
        CHECK(fixture_receive(&measure->fixture, &message));
        CHECK(message.message->what_case == LAPWING__SPAWNER_MESSAGE__WHAT_EXITED);
        measure->taken_ms[i] = now_ms() - from;
        spawner_message_done(&message);
    }
}

/* Kilobytes after "NAME:" in a file of /proc. */
static long read_kb(const char *path, const char *name)
{
    FILE *file = fopen(path, "re");
    char line[256];
    long value = 0;

    CHECK(file != NULL);
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            value = strtol(line + strlen(name) + 1, NULL, 10);
    (void)fclose(file);
    return value;
}

static long resident_kb(const struct measure *measure)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/%d/smaps_rollup", (int)measure->fixture.spawner);
    return read_kb(path, "Rss");
}

static long kernel_kb(void)
{
    return read_kb("/proc/meminfo", "Slab") + read_kb("/proc/meminfo", "Percpu");
}

/* Median of what the control groups of idle environments are charged with. */
static double idle_kb(struct measure *measure)
{
    for (unsigned slot = 0; slot < IDLE; slot++)
        start_idle(measure, slot);
    (void)poll(NULL, 0, SETTLE_MS / 10);
    for (unsigned slot = 0; slot < IDLE; slot++) {
        Lapwing__SpawnRequest req = LAPWING__SPAWN_REQUEST__INIT;
        struct spawner_message message;
        struct err err = { 0 };

        req.id = spawner_client_id(&measure->fixture.client);
        req.what_case = LAPWING__SPAWN_REQUEST__WHAT_USAGE_SLOT;
        req.usage_slot = slot;
        CHECK(spawner_client_send(&measure->fixture.client, &req, -1, &err) == ST_OK);
        CHECK(fixture_receive(&measure->fixture, &message));
        measure->taken_ms[slot] = (double)message.message->reply->memory_bytes / 1024;
        spawner_message_done(&message);
    }
    qsort(measure->taken_ms, IDLE, sizeof(double), compare);
    return measure->taken_ms[IDLE / 2];
}

/* The kernel's memory is that of the whole machine: on a busy one it says little. */
static void measure_memory(struct measure *measure)
{
    struct spawner_message message;
    long empty_kb = resident_kb(measure);
    long before_kb = kernel_kb();
    long full_kb;
    long after_kb;

    start(measure, 0, "exit");
    for (int i = 0; i < 2; i++) {
        CHECK(fixture_receive(&measure->fixture, &message));
        spawner_message_done(&message);
    }
    (void)poll(NULL, 0, SETTLE_MS);
    full_kb = resident_kb(measure);
    after_kb = kernel_kb();
    (void)printf("{\"spawner_rss_kb\": %ld, \"spawner_full_pools_rss_kb\": %ld, "
                 "\"pools_of\": %d, \"pools_kernel_kb\": %ld, \"idle_environment_kb\": %.0f}\n",
                 empty_kb, full_kb, NETNS_POOL_MAX, after_kb - before_kb, idle_kb(measure));
}

static int run(struct measure *measure, const char *what, uint32_t pool)
{
    double from;

    fixture_prepare(&measure->fixture, true);
    measure->fixture.config.netns_pool = measure->fixture.config.group_pool = pool;
    fixture_launch(&measure->fixture);
    if (strcmp(what, "memory") == 0) {
        measure_memory(measure);
        return fixture_stop(&measure->fixture);
    }
    void (*one)(struct measure *, size_t) =
        strcmp(what, "ready") == 0 ? measure_ready : measure_exit;
    one(measure, WARM_UP);
    from = now_ms();
    one(measure, measure->count);
    print(measure, (now_ms() - from) / 1e3);
    return fixture_stop(&measure->fixture);
}

static bool is_known(const char *what)
{
    return strcmp(what, "ready") == 0 || strcmp(what, "exit") == 0 || strcmp(what, "memory") == 0;
}

int main(int argc, char **argv)
{
    static double taken[COUNT_MAX];
    static struct measure measure = { .taken_ms = taken };
    const char *what = argc > 1 ? argv[1] : "";
    const char *missing = fixture_missing();
    uint32_t pool = argc > 4 ? (uint32_t)strtoul(argv[4], NULL, 10) : NETNS_POOL_MAX;

    measure.count = argc > 2 ? strtoul(argv[2], NULL, 10) : WARM_UP;
    measure.gap_ms = argc > 3 ? atoi(argv[3]) : 0;
    measure.parallel = argc > 5 ? (unsigned)strtoul(argv[5], NULL, 10) : 1;
    if (missing == NULL && (!is_known(what) || measure.count == 0 || measure.count > COUNT_MAX ||
                            pool > NETNS_POOL_MAX || measure.parallel - 1 >= SLOTS))
        missing = "usage: bench_worker ready|exit COUNT GAP_MS POOL [PARALLEL], or memory";
    if (missing != NULL) {
        (void)fprintf(stderr, "bench_worker: %s\n", missing);
        return 1;
    }
    return run(&measure, what, pool);
}
