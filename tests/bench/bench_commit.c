/* bench_commit DIR [SECONDS] [PORT] [CLIENTS]: replicated writes, and linearizable reads, of three
 * replicas on loopback and one disk.
 *
 * Beside 10,000 functions each client changes one of them after the other (UpdateFunctionCode),
 * through the leader's node or a follower's; an answer is counted when the asking node's rows show
 * it.  A read is a read point and then a function's row, with the leader's lease and without.  One
 * line per number of clients, as JSON: "terms" are elections meanwhile, none on a machine
 * that is not overloaded.  With CLIENTS (1 to 256) only their writes by the leader: for profiles.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/log.h"
#include "controlplane/state/functions.h"
#include "controlplane/state/state.h"
#include "tests/cluster/replica_trio.h"

enum { SAMPLES_MAX = 4000000, CLIENTS_MAX = 256, FUNCTIONS = 10000 };

struct bench {
    struct replica_client *client;
    struct replica *leader;
    uint64_t until_ns;
    unsigned open;
    uint64_t count;
    uint64_t created;
    uint64_t changes;
    uint32_t *us; /* of each commit */
    uint64_t failed;
    struct state_reader *reader;
};

struct slot {
    struct bench *bench;
    uint64_t started_ns;
};

static void propose(struct slot *slot);

static void proposed(enum status st, const Lapwing__Outcome *outcome, void *context)
{
    struct slot *slot = context;
    struct bench *bench = slot->bench;
    uint64_t now = uv_hrtime();

    bench->open--;
    if (st != ST_OK || outcome->status != ST_OK)
        bench->failed++;
    else if (bench->count < SAMPLES_MAX)
        bench->us[bench->count++] = (uint32_t)((now - slot->started_ns) / 1000);
    if (bench->created < FUNCTIONS || now < bench->until_ns)
        propose(slot);
}

static void name_of(uint64_t number, char out[32])
{
    (void)snprintf(out, 32, "f-%llu", (unsigned long long)number);
}

/* One after the other in an order that visits all: 7919 and FUNCTIONS have no common divisor. */
static void update_body(struct bench *bench, struct buf *out)
{
    Lapwing__UpdateFunctionCode update = LAPWING__UPDATE_FUNCTION_CODE__INIT;
    uint64_t change = ++bench->changes;
    uint8_t hash[32] = { 2 };
    char name[32];
    char revision[40];
    size_t len;

    name_of(1 + change * 7919 % FUNCTIONS, name);
    (void)snprintf(revision, sizeof revision, "00000000-0000-4000-9000-%012llx",
                   (unsigned long long)change & 0xffffffffffff);
    memcpy(hash + 8, &change, sizeof change);
    update.account = "000000000000";
    update.region = "eu-west-1";
    update.name = name;
    update.code_sha256.data = hash;
    update.code_sha256.len = sizeof hash;
    update.code_bytes = 1000 + change % 1000;
    update.expected_revision_id = "";
    update.architecture = "";
    update.revision_id = revision;
    len = lapwing__update_function_code__get_packed_size(&update);
    out->len += lapwing__update_function_code__pack(&update, buf_reserve(out, len));
}

static void propose(struct slot *slot)
{
    struct bench *bench = slot->bench;
    Lapwing__CommandType type = LAPWING__COMMAND_TYPE__UPDATE_FUNCTION_CODE;
    struct buf body = { 0 };
    char name[32];
    enum status st;

    if (bench->created < FUNCTIONS) {
        type = LAPWING__COMMAND_TYPE__CREATE_FUNCTION;
        name_of(++bench->created, name);
        replica_trio_create_body(name, bench->created, &body);
    } else {
        update_body(bench, &body);
    }
    slot->started_ns = uv_hrtime();
    st = replica_propose(bench->client, type, buf_view(&body), 10000, proposed, slot);
    CHECK(st == ST_OK);
    bench->open++;
    buf_done(&body);
}

static void read_one(struct slot *slot);

static void read_cb(enum status st, void *context)
{
    struct slot *slot = context;
    struct bench *bench = slot->bench;
    Lapwing__Function *function = NULL;
    uint64_t now;

    bench->open--;
    if (st == ST_OK)
        st = state_get_function(bench->reader, "000000000000", "eu-west-1", "f-1", &function, NULL);
    now = uv_hrtime();
    if (st != ST_OK)
        bench->failed++;
    else if (bench->count < SAMPLES_MAX)
        bench->us[bench->count++] = (uint32_t)((now - slot->started_ns) / 1000);
    if (st == ST_OK)
        lapwing__function__free_unpacked(function, NULL);
    if (now < bench->until_ns)
        read_one(slot);
}

static void read_one(struct slot *slot)
{
    struct bench *bench = slot->bench;
    enum status st;

    slot->started_ns = uv_hrtime();
    st = replica_barrier(bench->client, 10000, read_cb, slot);
    CHECK(st == ST_OK);
    bench->open++;
}

static int by_size(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;

    return left < right ? -1 : left > right;
}

/* Processor time of this process so far: three replicas and the clients. */
static uint64_t cpu_us(void)
{
    uv_rusage_t usage;
    int rv = uv_getrusage(&usage);

    CHECK(rv == 0);
    return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

/* Of three replicas and the clients' samples, at its highest; the log and the rows grow with what
 * was committed. */
static void print_memory(void)
{
    uv_rusage_t usage;
    int rv = uv_getrusage(&usage);

    CHECK(rv == 0);
    printf("{\"name\":\"resident_kb\",\"of\":\"three replicas and clients, one process\","
           "\"rss\":%llu}\n",
           (unsigned long long)usage.ru_maxrss);
}

static struct replica_status status_of(const struct bench *bench)
{
    struct replica_status status;

    replica_status(bench->leader, &status);
    return status;
}

/* What was spent while the clients of one row were at it. */
struct spent {
    double seconds;
    uint64_t cpu_us;
    uint64_t entries;
    uint64_t terms;
};

/* So many clients at once, each of which begins with `start`, until the time is up and all are
 * answered; then the samples are sorted. */
static struct spent run_clients(struct bench *bench,
                                uv_loop_t *loop,
                                unsigned clients,
                                double seconds,
                                void (*start)(struct slot *slot))
{
    struct slot slots[CLIENTS_MAX];
    uint64_t began = uv_hrtime();
    uint64_t cpu = cpu_us();
    struct replica_status before = status_of(bench);
    struct replica_status after;
    struct spent spent;

    bench->count = 0;
    bench->failed = 0;
    bench->until_ns = began + (uint64_t)(seconds * 1e9);
    for (unsigned i = 0; i < clients; i++) {
        slots[i].bench = bench;
        start(&slots[i]);
    }
    while (bench->open > 0)
        (void)uv_run(loop, UV_RUN_ONCE);
    spent.seconds = (double)(uv_hrtime() - began) / 1e9;
    spent.cpu_us = cpu_us() - cpu;
    after = status_of(bench);
    spent.entries = after.commit - before.commit;
    spent.terms = after.term - before.term;
    qsort(bench->us, bench->count, sizeof bench->us[0], by_size);
    return spent;
}

/* The sample below which `percent` of them are; 0 if there is none. */
static unsigned percentile_us(const struct bench *bench, unsigned percent)
{
    return bench->count ? bench->us[bench->count * percent / 100] : 0;
}

static double over(double dividend, double divisor)
{
    return divisor != 0 ? dividend / divisor : 0;
}

static void measure(
    struct bench *bench, uv_loop_t *loop, unsigned clients, double seconds, const char *via)
{
    struct spent spent = run_clients(bench, loop, clients, seconds, propose);
    double count = (double)bench->count;

    printf("{\"bench\":\"commit\",\"via\":\"%s\",\"clients\":%u,\"commits_per_s\":%.0f,"
           "\"p50_us\":%u,\"p99_us\":%u,\"commits_per_entry\":%.1f,\"cpu_us_per_commit\":%.0f,"
           "\"terms\":%llu,\"failed\":%llu}\n",
           via, clients, count / spent.seconds, percentile_us(bench, 50), percentile_us(bench, 99),
           over(count, (double)spent.entries), over((double)spent.cpu_us, count),
           (unsigned long long)spent.terms, (unsigned long long)bench->failed);
    fflush(stdout);
}

/* The functions there are before anything is measured. */
static void create_functions(struct bench *bench, uv_loop_t *loop)
{
    (void)run_clients(bench, loop, CLIENTS_MAX, 0, propose);
    CHECK(bench->failed == 0);
}

static void measure_reads(
    struct bench *bench, uv_loop_t *loop, unsigned clients, double seconds, const char *via)
{
    bool lease = status_of(bench).lease;
    struct spent spent = run_clients(bench, loop, clients, seconds, read_one);
    double count = (double)bench->count;

    printf(
        "{\"bench\":\"read\",\"lease\":%s,\"via\":\"%s\",\"clients\":%u,\"reads_per_s\":%.0f,"
        "\"p50_us\":%u,\"p99_us\":%u,\"entries\":%llu,\"cpu_us_per_read\":%.1f,\"failed\":%llu}\n",
        lease ? "true" : "false", via, clients, count / spent.seconds, percentile_us(bench, 50),
        percentile_us(bench, 99), (unsigned long long)spent.entries,
        over((double)spent.cpu_us, count), (unsigned long long)bench->failed);
    fflush(stdout);
}

/* By the leader's node and by a follower's. */
static void read_rows(struct bench *bench,
                      struct replica_trio *trio,
                      unsigned leader,
                      uv_loop_t *loop,
                      double seconds)
{
    static const unsigned clients[] = { 1, 64 };

    for (unsigned via = 0; via < 2; via++) {
        struct replica *replica = trio->replicas[(leader + via) % TRIO];
        enum status st = state_open_reader(replica_state_path(replica), STATE_GROUP_CONTROL,
                                           &bench->reader, NULL);

        CHECK(st == ST_OK);
        bench->client = replica_client_new(replica, loop);
        for (size_t i = 0; i < ARRAY_LEN(clients); i++)
            measure_reads(bench, loop, clients[i], seconds, via == 0 ? "leader" : "follower");
        replica_client_close(bench->client);
        (void)uv_run(loop, UV_RUN_DEFAULT);
        state_reader_close(bench->reader);
    }
}

/* One whose lease holds, if it is to have one. */
static unsigned wait_for_leader(struct replica_trio *trio)
{
    for (;;) {
        for (unsigned i = 0; i < TRIO; i++) {
            struct replica_status status;

            replica_status(trio->replicas[i], &status);
            if (status.role == REPLICA_LEADER && (status.lease || !trio->leader_lease))
                return i;
        }
        uv_sleep(10);
    }
}

/* By the leader's node and by a follower's; with `only` that many clients of the leader's alone. */
static void write_rows(struct bench *bench,
                       struct replica_trio *trio,
                       unsigned leader,
                       uv_loop_t *loop,
                       double seconds,
                       unsigned only)
{
    static const unsigned clients[] = { 1, 16, 64, 256 };

    for (unsigned via = 0; via < (only > 0 ? 1 : 2); via++) {
        bench->client = replica_client_new(trio->replicas[(leader + via) % TRIO], loop);
        if (via == 0)
            create_functions(bench, loop);
        for (size_t i = 0; only == 0 && i < ARRAY_LEN(clients); i++)
            measure(bench, loop, clients[i], seconds, via == 0 ? "leader" : "follower");
        if (only > 0)
            measure(bench, loop, only, seconds, "leader");
        replica_client_close(bench->client);
        (void)uv_run(loop, UV_RUN_DEFAULT);
    }
}

static void start_all(struct replica_trio *trio, struct bench *bench, unsigned *leader)
{
    for (unsigned i = 0; i < TRIO; i++)
        replica_trio_start(trio, i);
    *leader = wait_for_leader(trio);
    bench->leader = trio->replicas[*leader];
}

static void stop_all(struct replica_trio *trio)
{
    for (unsigned i = 0; i < TRIO; i++)
        replica_trio_stop(trio, i);
}

int main(int argc, char **argv)
{
    struct replica_trio trio;
    struct bench bench = { 0 };
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 2;
    unsigned only = argc > 4 ? (unsigned)strtoul(argv[4], NULL, 10) : 0;
    uv_loop_t loop;
    unsigned leader;

    if (argc < 2 || only > CLIENTS_MAX) {
        fprintf(stderr, "usage: bench_commit DIR [SECONDS] [PORT] [CLIENTS]\n");
        return 2;
    }
    log_threshold(LOG_WARN);
    CHECK(uv_loop_init(&loop) == 0);
    replica_trio_init(&trio, argv[1], argc > 3 ? (uint16_t)atoi(argv[3]) : 17310);
    bench.us = must_calloc(SAMPLES_MAX, sizeof *bench.us);
    start_all(&trio, &bench, &leader);
    write_rows(&bench, &trio, leader, &loop, seconds, only);
    if (only == 0) {
        print_memory();
        read_rows(&bench, &trio, leader, &loop, seconds);
        stop_all(&trio);
        trio.leader_lease = false;
        start_all(&trio, &bench, &leader);
        read_rows(&bench, &trio, leader, &loop, seconds);
    }
    stop_all(&trio);
    replica_trio_done(&trio);
    free(bench.us);
    return uv_loop_close(&loop) == 0 ? 0 : 1;
}
