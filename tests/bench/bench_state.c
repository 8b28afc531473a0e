/* What the replicated state costs: a command in entries of one size and another with 10,000
 * functions (or as many objects) there, a lookup by key, a page of a listing.  A table, and with
 * --json FILE the same as lines of JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "controlplane/replica/mapped_wal.h"
#include "controlplane/state/functions.h"
#include "controlplane/state/objects.h"
#include "controlplane/state/state.h"
#include "proto/entry.h"

enum { ROWS = 10000, COMMANDS = 20000, LOOKUPS = 200000, CLIENT_BYTES = 16, SHA256_BYTES = 32 };

static FILE *json;
static uint64_t next_index = 1;
static uint64_t next_sequence = 1;
static uint8_t client[CLIENT_BYTES] = { 1 };
static uint8_t sha256[SHA256_BYTES] = { 2 };

/* Processor time, so that what else the machine does hardly counts. */
static double now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void report(const char *what, size_t count, double us)
{
    (void)printf("%-58s %9zu %10.2f us each\n", what, count, us / (double)count);
    if (json != NULL)
        (void)fprintf(json, "{\"name\": \"state: %s\", \"count\": %zu, \"us_each\": %.3f}\n", what,
                      count, us / (double)count);
}

/* One command; its body is packed anew into storage that it owns. */
static void make_command(Lapwing__Command *out,
                         Lapwing__CommandType type,
                         const ProtobufCMessage *m)
{
    lapwing__command__init(out);
    out->type = type;
    out->version = 1;
    out->client = (ProtobufCBinaryData){ .len = sizeof client, .data = client };
    out->sequence = next_sequence;
    /* As a proposer with 256 commands in flight would. */
    out->acked = next_sequence > 256 ? next_sequence - 256 : 0;
    next_sequence++;
    out->body.len = protobuf_c_message_get_packed_size(m);
    out->body.data = must_calloc(out->body.len + 1, 1);
    (void)protobuf_c_message_pack(m, out->body.data);
}

static void make_function(Lapwing__Function *f, char *name, char *uid, size_t number)
{
    lapwing__function__init(f);
    (void)snprintf(name, 32, "function-%zu", number);
    (void)snprintf(uid, 33, "%032zx", number);
    f->account = (char *)"000000000000";
    f->region = (char *)"us-east-1";
    f->name = name;
    f->uid = uid;
    f->runtime = (char *)"provided.al2023";
    f->role = (char *)"arn:aws:iam::000000000000:role/r";
    f->handler = (char *)"bootstrap";
    f->timeout_s = 3;
    f->memory_mb = 128;
    f->ephemeral_mb = 512;
    f->architecture = (char *)"x86_64";
    f->tracing_mode = (char *)"PassThrough";
    f->code_sha256 = (ProtobufCBinaryData){ .len = sizeof sha256, .data = sha256 };
    f->code_bytes = 1000;
    f->revision_id = (char *)"00000000-0000-4000-8000-000000000001";
}

static void make_create(Lapwing__Command *out, size_t number)
{
    Lapwing__CreateFunction create = LAPWING__CREATE_FUNCTION__INIT;
    Lapwing__Function f;
    char name[32];
    char uid[33];

    make_function(&f, name, uid, number);
    create.function = &f;
    make_command(out, LAPWING__COMMAND_TYPE__CREATE_FUNCTION, &create.base);
}

static void make_update(Lapwing__Command *out, size_t number)
{
    Lapwing__UpdateFunctionCode update = LAPWING__UPDATE_FUNCTION_CODE__INIT;
    char name[32];

    (void)snprintf(name, sizeof name, "function-%zu", number * 7919 % ROWS);
    update.account = (char *)"000000000000";
    update.region = (char *)"us-east-1";
    update.name = name;
    update.code_sha256 = (ProtobufCBinaryData){ .len = sizeof sha256, .data = sha256 };
    update.code_bytes = number + 1;
    update.revision_id = (char *)"00000000-0000-4000-8000-000000000002";
    make_command(out, LAPWING__COMMAND_TYPE__UPDATE_FUNCTION_CODE, &update.base);
}

static void make_put(Lapwing__Command *out, size_t number)
{
    Lapwing__PutObject put = LAPWING__PUT_OBJECT__INIT;
    Lapwing__Object object = LAPWING__OBJECT__INIT;
    char key[64];

    (void)snprintf(key, sizeof key, "folder-%02zu/object-%zu", number % 4, number * 7919 % ROWS);
    object.bucket = (char *)"bucket";
    object.key = key;
    object.bytes = number;
    object.etag = (char *)"5d41402abc4b2a76b9719d911017c592";
    object.blob = (ProtobufCBinaryData){ .len = sizeof sha256, .data = sha256 };
    object.content_type = (char *)"application/octet-stream";
    object.owner = (char *)"000000000000";
    put.object = &object;
    make_command(out, LAPWING__COMMAND_TYPE__PUT_OBJECT, &put.base);
}

static void make_bucket(Lapwing__Command *out, size_t number)
{
    Lapwing__CreateBucket create = LAPWING__CREATE_BUCKET__INIT;

    (void)number;
    create.account = (char *)"000000000000";
    create.region = (char *)"us-east-1";
    create.name = (char *)"bucket";
    make_command(out, LAPWING__COMMAND_TYPE__CREATE_BUCKET, &create.base);
}

static void must_be_ok(void *context,
                       size_t at,
                       const Lapwing__Command *command,
                       const Lapwing__Outcome *outcome)
{
    (void)context;
    (void)at;
    (void)command;
    CHECK(outcome->status == ST_OK);
}

/* Apply `count` commands in entries of `batch`, each entry through the codec; the time of decoding
 * and applying, as a follower spends it. */
static double apply_many(struct state *state,
                         void (*make)(Lapwing__Command *out, size_t number),
                         size_t count,
                         size_t batch)
{
    Lapwing__Command *commands = must_calloc(batch, sizeof *commands);
    Lapwing__Command **list = must_calloc(batch, sizeof *list);
    double us = 0;

    for (size_t done = 0; done < count; done += batch) {
        Lapwing__Entry entry = LAPWING__ENTRY__INIT;
        Lapwing__Entry *decoded = NULL;
        struct buf packed = { 0 };
        double start;

        for (size_t i = 0; i < batch; i++) {
            make(&commands[i], done + i);
            list[i] = &commands[i];
        }
        entry.format = ENTRY_FORMAT;
        entry.leader_ms = 1000 + next_index;
        entry.n_commands = batch;
        entry.commands = list;
        CHECK(entry_encode(&entry, &packed, NULL) == ST_OK);
        for (size_t i = 0; i < batch; i++)
            free(commands[i].body.data);
        start = now_us();
        CHECK(entry_decode(buf_view(&packed), &decoded, NULL) == ST_OK);
        CHECK(state_apply_entry(state, decoded, (struct state_position){ next_index++, 1 },
                                must_be_ok, NULL, NULL) == ST_OK);
        entry_free(decoded);
        us += now_us() - start;
        buf_done(&packed);
    }
    free(commands);
    free(list);
    return us;
}

static void bench_lookups(struct state_reader *reader)
{
    double start = now_us();

    for (size_t i = 0; i < LOOKUPS; i++) {
        char name[32];
        Lapwing__Function *f = NULL;

        (void)snprintf(name, sizeof name, "function-%zu", i * 7919 % ROWS);
        CHECK(state_get_function(reader, "000000000000", "us-east-1", name, &f, NULL) == ST_OK);
        lapwing__function__free_unpacked(f, NULL);
    }
    report("lookup of a function by name", LOOKUPS, now_us() - start);
    start = now_us();
    for (size_t i = 0; i < LOOKUPS; i++) {
        char uid[33];
        Lapwing__Function *f = NULL;

        (void)snprintf(uid, sizeof uid, "%032zx", i * 7919 % ROWS);
        CHECK(state_get_function_by_uid(reader, uid, &f, NULL) == ST_OK);
        lapwing__function__free_unpacked(f, NULL);
    }
    report("lookup of a function by uid", LOOKUPS, now_us() - start);
}

static void bench_list(struct state_reader *reader, const char *delimiter, const char *what)
{
    enum { LISTS = 200 };
    Lapwing__ReadRequest req = LAPWING__READ_REQUEST__INIT;
    Lapwing__ListObjectsRead read = LAPWING__LIST_OBJECTS_READ__INIT;
    double start = now_us();

    read.bucket = (char *)"bucket";
    read.delimiter = (char *)delimiter;
    read.max_keys = 1000;
    req.what_case = LAPWING__READ_REQUEST__WHAT_LIST_OBJECTS;
    req.list_objects = &read;
    for (size_t i = 0; i < LISTS; i++) {
        Lapwing__ReadReply reply = LAPWING__READ_REPLY__INIT;

        CHECK(state_read(reader, &req, &reply, NULL) == ST_OK);
        state_read_reply_done(&reply);
    }
    report(what, LISTS, now_us() - start);
}

static void bench_control(const char *path)
{
    struct state *state = NULL;
    struct state_reader *reader = NULL;
    uint64_t digest;
    double start;

    next_index = next_sequence = 1;
    CHECK(state_open(path, STATE_GROUP_CONTROL, &state, NULL) == ST_OK);
    report("create 10,000 functions, 100 an entry", ROWS,
           apply_many(state, make_create, ROWS, 100));
    report("update code, 1 an entry", COMMANDS, apply_many(state, make_update, COMMANDS, 1));
    report("update code, 16 an entry", COMMANDS, apply_many(state, make_update, COMMANDS, 16));
    CHECK(state_checkpoint(path, 0, NULL, NULL) == ST_OK);
    report("update code, 64 an entry", COMMANDS - COMMANDS % 64,
           apply_many(state, make_update, COMMANDS - COMMANDS % 64, 64));
    report("update code, 200 an entry", COMMANDS, apply_many(state, make_update, COMMANDS, 200));
    CHECK(state_open_reader(path, STATE_GROUP_CONTROL, &reader, NULL) == ST_OK);
    bench_lookups(reader);
    start = now_us();
    CHECK(state_digest(state, &digest, NULL) == ST_OK);
    report("digest of all rows", 1, now_us() - start);
    start = now_us();
    CHECK(state_checkpoint(path, 0, NULL, NULL) == ST_OK);
    report("checkpoint", 1, now_us() - start);
    state_reader_close(reader);
    state_close(state);
}

static void bench_storage(const char *path)
{
    struct state *state = NULL;

    next_index = next_sequence = 1;
    CHECK(state_open(path, STATE_GROUP_STORAGE, &state, NULL) == ST_OK);
    (void)apply_many(state, make_bucket, 1, 1);
    report("put 10,000 objects, 100 an entry", ROWS, apply_many(state, make_put, ROWS, 100));
    report("put object again, 64 an entry", 9984, apply_many(state, make_put, 9984, 64));
    bench_list(state_reader_of(state), "", "list of 1,000 objects");
    bench_list(state_reader_of(state), "/", "list that rolls 10,000 objects up into 4 prefixes");
    state_close(state);
}

static void remove_database(const char *path)
{
    static const char *const ends[] = { "", "-wal", "-shm" };

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        char file[128];

        (void)snprintf(file, sizeof file, "%s%s", path, ends[i]);
        (void)unlink(file);
    }
}

int main(int argc, char **argv)
{
    const char *base = getenv("TMPDIR");
    char folder[64];
    char path[96];

    if (argc == 3 && strcmp(argv[1], "--json") == 0) {
        json = fopen(argv[2], "w");
        CHECK(json != NULL);
    }
    mapped_wal_register();
    (void)snprintf(folder, sizeof folder, "%.40s/bench-XXXXXX", base != NULL ? base : "/tmp");
    CHECK(mkdtemp(folder) != NULL);
    (void)snprintf(path, sizeof path, "%s/state.db", folder);
    bench_control(path);
    remove_database(path);
    bench_storage(path);
    remove_database(path);
    (void)rmdir(folder);
    if (json != NULL)
        (void)fclose(json);
    return 0;
}
