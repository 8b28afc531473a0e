/* bench_large_state DIR [MIB] [PORT]: three replicas on loopback with a state of so many MiB.
 *
 * The state is generated once and laid into two folders as a snapshot that each of them took, as
 * after a reboot of the machine; the third member is new.  Then, one line of JSON each: the start
 * from the snapshot; writes; the third gets the snapshot; the leader takes one; a start with the
 * rows kept.  "longest_gap_ms" is the longest time without an answer to any of 64 clients that
 * write through the leader; "terms" are elections meanwhile; memory is that of all three and the
 * clients. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "controlplane/replica/log_store.h"
#include "controlplane/replica/raft_rules.h"
#include "controlplane/replica/snapshot_file.h"
#include "controlplane/state/state.h"
#include "proto/entry.h"
#include "tests/cluster/replica_trio.h"

enum { BATCH = 200, SNAPSHOT_TERM = 1, CLIENTS = 64, WAIT_S = 300 };

struct bench {
    struct replica_trio trio;
    uv_loop_t loop;
    unsigned leader;
    struct replica_client *client;
    uint64_t next_name;
    bool writing;
    unsigned open;
    uint64_t answers;
    uint64_t failed;
    uint64_t last_ns;
    uint64_t longest_ns;
};

static double since_s(uint64_t start_ns)
{
    return (double)(uv_hrtime() - start_ns) / 1e9;
}

/* The process's own now, and all that is resident (the rows' mapped write-ahead logs, too) now and
 * at its highest. */
static void memory_kb(unsigned long *own, unsigned long *rss, unsigned long *peak)
{
    FILE *file = fopen("/proc/self/status", "re");
    char line[128];

    *own = *rss = *peak = 0;
    CHECK(file != NULL);
    while (fgets(line, sizeof line, file) != NULL) {
        (void)sscanf(line, "RssAnon: %lu", own);
        (void)sscanf(line, "VmRSS: %lu", rss);
        (void)sscanf(line, "VmHWM: %lu", peak);
    }
    (void)fclose(file);
}

/* The highest mark begins anew from what is resident now. */
static void forget_peak(void)
{
    FILE *file = fopen("/proc/self/clear_refs", "we");

    if (file == NULL)
        return;
    (void)fputs("5", file);
    (void)fclose(file);
}

/* ---- a large state, without consensus ---- */

static void generate_entry(struct state *state, uint64_t index)
{
    Lapwing__Command commands[BATCH];
    Lapwing__Command *list[BATCH];
    Lapwing__Entry entry = LAPWING__ENTRY__INIT;
    struct buf bodies[BATCH] = { 0 };
    static uint8_t client[16] = { 9 };

    for (unsigned i = 0; i < BATCH; i++) {
        uint64_t number = index * BATCH + i;
        char name[48];

        /* Spread over the tables' trees, as names of people's functions are. */
        (void)snprintf(name, sizeof name, "%016llx-%llu",
                       (unsigned long long)(number * 0x9e3779b97f4a7c15u),
                       (unsigned long long)number);
        replica_trio_create_body(name, number, &bodies[i]);
        lapwing__command__init(&commands[i]);
        commands[i].type = LAPWING__COMMAND_TYPE__CREATE_FUNCTION;
        commands[i].version = 1;
        commands[i].client = (ProtobufCBinaryData){ .len = sizeof client, .data = client };
        commands[i].sequence = number;
        commands[i].acked = number - 1;
        commands[i].body = (ProtobufCBinaryData){ .len = bodies[i].len, .data = bodies[i].data };
        list[i] = &commands[i];
    }
    entry.format = ENTRY_FORMAT;
    entry.leader_ms = 1000 + index;
    entry.n_commands = BATCH;
    entry.commands = list;
    CHECK(state_apply_entry(state, &entry, (struct state_position){ index, SNAPSHOT_TERM }, NULL,
                            NULL, NULL) == ST_OK);
    for (unsigned i = 0; i < BATCH; i++)
        buf_done(&bodies[i]);
}

static uint64_t file_bytes(const char *path)
{
    FILE *file = fopen(path, "re");
    long bytes;

    CHECK(file != NULL);
    CHECK(fseek(file, 0, SEEK_END) == 0);
    bytes = ftell(file);
    (void)fclose(file);
    return (uint64_t)bytes;
}

/* Rows of `bytes` in DIR/large.db; returns the index of the last entry. */
static uint64_t generate(const struct bench *bench, const char *path, uint64_t bytes)
{
    struct state_snapshot *snapshot = NULL;
    struct state *state = NULL;
    uint64_t index = 1;
    char rows[400];

    (void)snprintf(rows, sizeof rows, "%s/rows.db", bench->trio.dir);
    CHECK(state_open(rows, STATE_GROUP_CONTROL, &state, NULL) == ST_OK);
    do {
        for (unsigned i = 0; i < 100; i++)
            generate_entry(state, ++index);
        CHECK(state_checkpoint(rows, 0, NULL, NULL) == ST_OK);
    } while (file_bytes(rows) < bytes);
    CHECK(state_snapshot_begin(state, &snapshot, NULL) == ST_OK);
    CHECK(state_snapshot_write(snapshot, path, NULL, NULL, NULL) == ST_OK);
    state_snapshot_end(snapshot);
    state_close(state);
    (void)unlink(rows);
    return index;
}

/* The folder of a member that took this snapshot and was then switched off. */
static void lay_out(const struct bench *bench, unsigned at, const char *large, uint64_t index)
{
    const uint64_t ids[] = { 1, 2, 3 };
    struct log_data *bootstrap = rules_bootstrap(ids, TRIO);
    struct snapshot_meta meta = { .index = index, .term = SNAPSHOT_TERM, .configuration_index = 1 };
    struct log_recovery recovery = { 0 };
    struct log_store *store = NULL;
    char path[SNAPSHOT_PATH_BYTES];
    char command[2 * SNAPSHOT_PATH_BYTES + 400];
    char dir[300];

    (void)snprintf(dir, sizeof dir, "%s/%s", bench->trio.dir, bench->trio.members[at].node);
    snapshot_file_path(dir, index, path);
    (void)snprintf(command, sizeof command, "mkdir -p '%s' && cp '%s' '%s'", dir, large, path);
    CHECK(system(command) == 0);
    CHECK(snapshot_file_describe(path, &meta, NULL) == ST_OK);
    meta.configuration_len = bootstrap->len;
    memcpy(meta.configuration, bootstrap->bytes, bootstrap->len);
    CHECK(log_store_open(dir, bootstrap, &store, &recovery, NULL) == ST_OK);
    CHECK(log_store_install(store, &meta, NULL) == ST_OK);
    log_store_close(store);
    log_recovery_done(&recovery);
    log_data_drop(bootstrap);
}

/* ---- writes that go on meanwhile ---- */

static void propose(struct bench *bench);

static void proposed(enum status st, const Lapwing__Outcome *outcome, void *context)
{
    struct bench *bench = context;
    uint64_t now = uv_hrtime();

    bench->open--;
    if (st == ST_OK && outcome->status == ST_OK)
        bench->answers++;
    else
        bench->failed++;
    if (now - bench->last_ns > bench->longest_ns)
        bench->longest_ns = now - bench->last_ns;
    bench->last_ns = now;
    if (bench->writing)
        propose(bench);
}

static void propose(struct bench *bench)
{
    struct buf body = { 0 };
    char name[64];

    bench->next_name++;
    (void)snprintf(name, sizeof name, "%016llx-w",
                   (unsigned long long)(bench->next_name * 0x9e3779b97f4a7c15u));
    replica_trio_create_body(name, (1ull << 60) + bench->next_name, &body);
    CHECK(replica_propose(bench->client, LAPWING__COMMAND_TYPE__CREATE_FUNCTION, buf_view(&body),
                          60000, proposed, bench) == ST_OK);
    bench->open++;
    buf_done(&body);
}

static struct replica_status status_of(const struct bench *bench, unsigned at)
{
    struct replica_status status;

    replica_status(bench->trio.replicas[at], &status);
    return status;
}

static void wait_for_leader(struct bench *bench)
{
    for (;;) {
        for (unsigned i = 0; i < TRIO; i++) {
            if (bench->trio.replicas[i] != NULL && status_of(bench, i).role == REPLICA_LEADER) {
                bench->leader = i;
                return;
            }
        }
        uv_sleep(10);
    }
}

struct phase {
    const char *name;
    uint64_t start_ns;
    uint64_t term;
    uint64_t answers;
};

static struct phase begin(struct bench *bench, const char *name)
{
    struct phase phase = { .name = name, .start_ns = uv_hrtime(), .answers = bench->answers };

    phase.term = status_of(bench, bench->leader).term;
    bench->longest_ns = 0;
    bench->last_ns = phase.start_ns;
    forget_peak();
    return phase;
}

static void report(struct bench *bench, const struct phase *phase)
{
    unsigned long own;
    unsigned long rss;
    unsigned long peak;

    memory_kb(&own, &rss, &peak);
    printf("{\"bench\":\"large state\",\"phase\":\"%s\",\"seconds\":%.2f,\"writes\":%llu,"
           "\"failed\":%llu,\"longest_gap_ms\":%.0f,\"terms\":%llu,\"own_mib\":%lu,\"rss_mib\":%lu,"
           "\"peak_mib\":%lu}\n",
           phase->name, since_s(phase->start_ns),
           (unsigned long long)(bench->answers - phase->answers), (unsigned long long)bench->failed,
           (double)bench->longest_ns / 1e6,
           (unsigned long long)(status_of(bench, bench->leader).term - phase->term), own / 1024,
           rss / 1024, peak / 1024);
    fflush(stdout);
}

/* Writes by CLIENTS clients until `done` says so; a phase that does not end is no result. */
static void write_until(struct bench *bench,
                        bool (*done)(const struct bench *bench, uint64_t arg),
                        uint64_t arg)
{
    uint64_t start = uv_hrtime();

    bench->writing = true;
    while (bench->open < CLIENTS)
        propose(bench);
    while (!done(bench, arg) && since_s(start) < WAIT_S)
        (void)uv_run(&bench->loop, UV_RUN_ONCE);
    if (!done(bench, arg)) {
        fprintf(stderr, "bench_large_state: not reached in %d s\n", WAIT_S);
        exit(1);
    }
    bench->writing = false;
    while (bench->open > 0)
        (void)uv_run(&bench->loop, UV_RUN_ONCE);
}

static bool leader_took_one(const struct bench *bench, uint64_t index)
{
    return status_of(bench, bench->leader).snapshot_index > index;
}

static bool all_have(const struct bench *bench, uint64_t index)
{
    for (unsigned i = 0; i < TRIO; i++)
        if (status_of(bench, i).applied < index)
            return false;
    return true;
}

/* The two that have the snapshot. */
static void start_two(struct bench *bench)
{
    replica_trio_start(&bench->trio, 0);
    replica_trio_start(&bench->trio, 1);
    wait_for_leader(bench);
    bench->client = replica_client_new(bench->trio.replicas[bench->leader], &bench->loop);
}

static void stop_all(struct bench *bench)
{
    replica_client_close(bench->client);
    (void)uv_run(&bench->loop, UV_RUN_DEFAULT);
    for (unsigned i = 0; i < TRIO; i++)
        if (bench->trio.replicas[i] != NULL)
            replica_trio_stop(&bench->trio, i);
}

static bool answered(const struct bench *bench, uint64_t count)
{
    return bench->answers >= count;
}

int main(int argc, char **argv)
{
    struct bench bench = { 0 };
    struct phase phase;
    uint64_t index;
    uint64_t mib = argc > 2 ? strtoull(argv[2], NULL, 10) : 1024;
    char large[400];

    if (argc < 2) {
        fprintf(stderr, "usage: bench_large_state DIR [MIB] [PORT]\n");
        return 2;
    }
    log_threshold(LOG_WARN);
    CHECK(uv_loop_init(&bench.loop) == 0);
    replica_trio_init(&bench.trio, argv[1], argc > 3 ? (uint16_t)atoi(argv[3]) : 17320);
    (void)snprintf(large, sizeof large, "%s/large.db", argv[1]);
    index = generate(&bench, large, mib << 20);
    lay_out(&bench, 0, large, index);
    lay_out(&bench, 1, large, index);
    (void)unlink(large);
    phase = (struct phase){ .name = "start from the snapshot", .start_ns = uv_hrtime() };
    bench.last_ns = phase.start_ns;
    start_two(&bench);
    write_until(&bench, answered, 1);
    phase.term = status_of(&bench, bench.leader).term;
    report(&bench, &phase);

    phase = begin(&bench, "writes alone");
    write_until(&bench, answered, bench.answers + 20000);
    report(&bench, &phase);

    phase = begin(&bench, "a new follower gets the snapshot");
    replica_trio_start(&bench.trio, 2);
    write_until(&bench, all_have, status_of(&bench, bench.leader).applied);
    report(&bench, &phase);

    phase = begin(&bench, "until the leader took a snapshot");
    write_until(&bench, leader_took_one, status_of(&bench, bench.leader).snapshot_index);
    report(&bench, &phase);

    stop_all(&bench);
    phase = (struct phase){ .name = "start with the rows kept", .start_ns = uv_hrtime() };
    bench.longest_ns = 0;
    bench.last_ns = phase.start_ns;
    phase.answers = bench.answers;
    start_two(&bench);
    write_until(&bench, answered, bench.answers + 1);
    phase.term = status_of(&bench, bench.leader).term;
    report(&bench, &phase);
    stop_all(&bench);
    replica_trio_done(&bench.trio);
    return uv_loop_close(&bench.loop) == 0 ? 0 : 1;
}
