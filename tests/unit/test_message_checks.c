/* Checks of the messages between programs: each row is a valid message with one thing wrong. */
#include <string.h>

#include "base/hash.h"
#include "base/limits.h"
#include "proto/blob_check.h"
#include "proto/invoke_check.h"
#include "proto/message_limits.h"
#include "proto/raft_check.h"
#include "proto/spawner_check.h"
#include "proto/state_service_check.h"
#include "proto/worker_check.h"
#include "tests/unit/check.h"
#include "tests/unit/state_fixture.h"

#define UID_1 "00000000000000000000000000000001"

static uint8_t zeros[RAFT_CHUNK_BYTES_MAX];

static ProtobufCBinaryData bytes(size_t len)
{
    /* Only the length of the larger ones is looked at. */
    return (ProtobufCBinaryData){ .len = len, .data = zeros };
}

TEST(an_offer_is_checked_before_anything_runs)
{
    static const struct {
        const char *name, *request_id, *version, *trace_id;
        size_t payload_bytes;
        bool function;
        enum status want;
    } rows[] = {
        { "the latest", "8-4", "$LATEST", "", 0, true, ST_OK },
        { "a number", "8-4", "12", "Root=1-2", PAYLOAD_BYTES_MAX, true, ST_OK },
        { "one byte too many", "8-4", "12", "", PAYLOAD_BYTES_MAX + 1, true, ST_BAD_INPUT },
        { "no request id", "", "12", "", 0, true, ST_BAD_INPUT },
        { "a path as request id", "../x", "12", "", 0, true, ST_BAD_INPUT },
        { "no version", "8-4", "", "", 0, true, ST_BAD_INPUT },
        { "a name as version", "8-4", "LATEST", "", 0, true, ST_BAD_INPUT },
        { "a line feed in a header", "8-4", "1", "a\nb", 0, true, ST_BAD_INPUT },
        { "no function", "8-4", "1", "", 0, false, ST_BAD_INPUT },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Lapwing__Offer offer = LAPWING__OFFER__INIT;
        Lapwing__Function f;

        test_case = rows[i].name;
        fixture_function(&f, "one", UID_1);
        offer.request_id = (char *)rows[i].request_id;
        offer.version = (char *)rows[i].version;
        offer.trace_id = (char *)rows[i].trace_id;
        offer.invoked_arn = (char *)"arn:aws:lambda:eu-north-1:000000000000:function:one";
        offer.payload = bytes(rows[i].payload_bytes);
        offer.function = rows[i].function ? &f : NULL;
        EXPECT_EQ(offer_check(&offer, NULL), rows[i].want);
        if (!rows[i].function)
            continue;
        f.memory_mb = FUNCTION_MEMORY_MB_MAX + 1;
        EXPECT_EQ(offer_check(&offer, NULL), ST_BAD_INPUT);
    }
    test_case = NULL;
}

TEST(a_result_is_held_to_payload_and_log_tail)
{
    Lapwing__Result result = LAPWING__RESULT__INIT;

    result.payload = bytes(PAYLOAD_BYTES_MAX);
    result.log_tail = bytes(LOG_TAIL_BYTES_MAX);
    result.function_error = (char *)"Unhandled";
    EXPECT_EQ(result_check(&result, NULL), ST_OK);
    result.log_tail.len++;
    EXPECT_EQ(result_check(&result, NULL), ST_BAD_INPUT);
    result.log_tail.len--;
    result.payload.len++;
    EXPECT_EQ(result_check(&result, NULL), ST_BAD_INPUT);
    result.payload.len--;
    result.function_error = (char *)"a\r\nb";
    EXPECT_EQ(result_check(&result, NULL), ST_BAD_INPUT);
}

TEST(packages_and_logs_are_asked_for_by_what_can_be_a_name)
{
    Lapwing__CheckPackage check = LAPWING__CHECK_PACKAGE__INIT;
    Lapwing__PackageChecked checked = LAPWING__PACKAGE_CHECKED__INIT;
    Lapwing__ReadLogs read = LAPWING__READ_LOGS__INIT;

    check.sha256 = bytes(32);
    check.bytes = PACKAGE_ZIP_BYTES_MAX;
    EXPECT_EQ(check_package_check(&check, NULL), ST_OK);
    check.bytes++;
    EXPECT_EQ(check_package_check(&check, NULL), ST_BAD_INPUT);
    check.bytes = 0;
    EXPECT_EQ(check_package_check(&check, NULL), ST_BAD_INPUT);

    checked.unzipped_bytes = PACKAGE_UNZIPPED_BYTES_MAX;
    EXPECT_EQ(package_checked_check(&checked, NULL), ST_OK);
    checked.unzipped_bytes++;
    EXPECT_EQ(package_checked_check(&checked, NULL), ST_BAD_INPUT);
    checked.status = ST_BAD_INPUT;
    checked.reason = (char *)"too_large_unzipped";
    checked.text = (char *)"entry \xff\xfe"; /* quotes a name out of a stranger's zip */
    EXPECT_EQ(package_checked_check(&checked, NULL), ST_OK);
    checked.status = STATUS_COUNT;
    EXPECT_EQ(package_checked_check(&checked, NULL), ST_BAD_INPUT);

    read.account = (char *)FIXTURE_ACCOUNT;
    read.region = (char *)FIXTURE_REGION;
    read.function = (char *)"one";
    EXPECT_EQ(read_logs_check(&read, NULL), ST_OK);
    read.function = (char *)"..";
    EXPECT_EQ(read_logs_check(&read, NULL), ST_BAD_INPUT);
    read.function = (char *)"a/b";
    EXPECT_EQ(read_logs_check(&read, NULL), ST_BAD_INPUT);
}

TEST(a_heartbeat_is_bounded_and_adds_up)
{
    static const struct {
        const char *name, *worker, *address, *runtime, *uid;
        uint64_t epoch, free_mb;
        size_t hash_bytes;
        enum status want;
    } rows[] = {
        { "all well", "w-a", "127.0.0.1:1", "python3.11", UID_1, 1, 1000, 32, ST_OK },
        { "no worker", "", "127.0.0.1:1", "python3.11", UID_1, 1, 0, 32, ST_BAD_INPUT },
        { "a path as worker", "a/b", "127.0.0.1:1", "python3.11", UID_1, 1, 0, 32, ST_BAD_INPUT },
        { "no address", "w-a", "", "python3.11", UID_1, 1, 0, 32, ST_BAD_INPUT },
        { "no epoch", "w-a", "127.0.0.1:1", "python3.11", UID_1, 0, 0, 32, ST_BAD_INPUT },
        { "more free than it has", "w-a", "h:1", "python3.11", UID_1, 1, 1001, 32, ST_BAD_INPUT },
        { "a short uid", "w-a", "h:1", "python3.11", "1", 1, 0, 32, ST_BAD_INPUT },
        { "a short hash", "w-a", "h:1", "python3.11", UID_1, 1, 0, 31, ST_BAD_INPUT },
        { "an empty runtime", "w-a", "h:1", "", UID_1, 1, 0, 32, ST_BAD_INPUT },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Lapwing__Heartbeat beat = LAPWING__HEARTBEAT__INIT;
        Lapwing__WarmFunction warm = LAPWING__WARM_FUNCTION__INIT;
        Lapwing__WarmFunction *warms[] = { &warm };
        char *runtimes[] = { (char *)rows[i].runtime };
        ProtobufCBinaryData packages[] = { bytes(rows[i].hash_bytes) };

        test_case = rows[i].name;
        beat.cluster = (char *)"dev";
        beat.zone = (char *)"a";
        beat.worker = (char *)rows[i].worker;
        beat.address = (char *)rows[i].address;
        beat.epoch = rows[i].epoch;
        beat.memory_mb = 1000;
        beat.memory_free_mb = rows[i].free_mb;
        warm.uid = (char *)rows[i].uid;
        beat.n_warm = beat.n_runtimes = beat.n_packages = 1;
        beat.warm = warms;
        beat.runtimes = runtimes;
        beat.packages = packages;
        EXPECT_EQ(heartbeat_check(&beat, NULL), rows[i].want);
    }
    test_case = NULL;
}

TEST(blobs_are_asked_for_by_hash)
{
    Lapwing__BlobPutEnd end = LAPWING__BLOB_PUT_END__INIT;
    Lapwing__BlobGet get = LAPWING__BLOB_GET__INIT;
    Lapwing__BlobPutBegin begin = LAPWING__BLOB_PUT_BEGIN__INIT;

    end.sha256 = get.sha256 = bytes(32);
    EXPECT_EQ(blob_put_end_check(&end, NULL), ST_OK);
    EXPECT_EQ(blob_get_check(&get, NULL), ST_OK);
    end.sha256 = get.sha256 = bytes(33);
    EXPECT_EQ(blob_put_end_check(&end, NULL), ST_BAD_INPUT);
    EXPECT_EQ(blob_get_check(&get, NULL), ST_BAD_INPUT);
    begin.bytes_expected = OBJECT_BYTES_MAX;
    EXPECT_EQ(blob_put_begin_check(&begin, NULL), ST_OK);
    begin.bytes_expected++;
    EXPECT_EQ(blob_put_begin_check(&begin, NULL), ST_BAD_INPUT);
}

TEST(entries_of_a_leader_are_of_terms_that_never_fall)
{
    static const struct {
        const char *name;
        uint64_t term, prev_index, prev_term, first, second;
        uint32_t type;
        size_t data_bytes;
        enum status want;
    } rows[] = {
        { "rising", 3, 5, 1, 2, 3, 1, ENTRY_BYTES_MAX, ST_OK },
        { "a change", 3, 5, 3, 3, 3, 3, 1, ST_OK },
        { "falling", 3, 5, 1, 3, 2, 1, 1, ST_BAD_INPUT },
        { "below the one before", 3, 5, 3, 2, 3, 1, 1, ST_BAD_INPUT },
        { "above the leader's", 3, 5, 1, 2, 4, 1, 1, ST_BAD_INPUT },
        { "no term", 0, 0, 0, 0, 0, 1, 1, ST_BAD_INPUT },
        { "no type", 3, 5, 1, 2, 3, 0, 1, ST_BAD_INPUT },
        { "no type of libraft's", 3, 5, 1, 2, 3, 4, 1, ST_BAD_INPUT },
        { "too large", 3, 5, 1, 2, 3, 1, ENTRY_BYTES_MAX + 1, ST_BAD_INPUT },
        { "the first ones", 3, 0, 0, 1, 3, 1, 1, ST_OK },
        { "the highest index before", 3, RAFT_NUMBER_MAX, 1, 2, 3, 1, 1, ST_OK },
        { "one above it", 3, RAFT_NUMBER_MAX + 1, 1, 2, 3, 1, 1, ST_BAD_INPUT },
        { "the highest term", RAFT_NUMBER_MAX, 5, 1, 2, 3, 1, 1, ST_OK },
        { "one above it", RAFT_NUMBER_MAX + 1, 5, 1, 2, 3, 1, 1, ST_BAD_INPUT },
        { "an index before without its term", 3, 5, 0, 1, 3, 1, 1, ST_BAD_INPUT },
        { "a term before without its index", 3, 0, 1, 1, 3, 1, 1, ST_BAD_INPUT },
        { "an entry without a term", 3, 0, 0, 0, 3, 1, 1, ST_BAD_INPUT },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Lapwing__RaftMessage message = LAPWING__RAFT_MESSAGE__INIT;
        Lapwing__AppendEntries append = LAPWING__APPEND_ENTRIES__INIT;
        Lapwing__RaftEntry entries[2] = { LAPWING__RAFT_ENTRY__INIT, LAPWING__RAFT_ENTRY__INIT };
        Lapwing__RaftEntry *list[] = { &entries[0], &entries[1] };

        test_case = rows[i].name;
        append.term = rows[i].term;
        append.prev_index = rows[i].prev_index;
        append.prev_term = rows[i].prev_term;
        entries[0].term = rows[i].first;
        entries[1].term = rows[i].second;
        entries[0].type = 1;
        entries[1].type = rows[i].type;
        entries[1].data = bytes(rows[i].data_bytes);
        append.n_entries = ARRAY_LEN(list);
        append.entries = list;
        message.what_case = LAPWING__RAFT_MESSAGE__WHAT_APPEND_ENTRIES;
        message.append_entries = &append;
        EXPECT_EQ(raft_message_check(&message, NULL), rows[i].want);
    }
    test_case = NULL;
}

TEST(one_message_has_so_many_entries_and_no_more)
{
    static Lapwing__RaftEntry *list[RAFT_ENTRIES_MAX + 1];
    Lapwing__RaftMessage message = LAPWING__RAFT_MESSAGE__INIT;
    Lapwing__AppendEntries append = LAPWING__APPEND_ENTRIES__INIT;
    Lapwing__RaftEntry entry = LAPWING__RAFT_ENTRY__INIT;

    entry.term = 1;
    entry.type = 1;
    for (size_t i = 0; i < ARRAY_LEN(list); i++)
        list[i] = &entry;
    append.term = 1;
    append.entries = list;
    append.n_entries = RAFT_ENTRIES_MAX;
    message.what_case = LAPWING__RAFT_MESSAGE__WHAT_APPEND_ENTRIES;
    message.append_entries = &append;
    EXPECT_EQ(raft_message_check(&message, NULL), ST_OK);
    append.n_entries++;
    EXPECT_EQ(raft_message_check(&message, NULL), ST_BAD_INPUT);
}

TEST(a_snapshot_has_servers_and_its_chunks_have_checksums)
{
    Lapwing__RaftMessage message = LAPWING__RAFT_MESSAGE__INIT;
    Lapwing__InstallSnapshot install = LAPWING__INSTALL_SNAPSHOT__INIT;
    Lapwing__RaftServer server = LAPWING__RAFT_SERVER__INIT;
    Lapwing__RaftServer *servers[] = { &server };
    Lapwing__RaftSnapshotChunk chunk = LAPWING__RAFT_SNAPSHOT_CHUNK__INIT;

    EXPECT_EQ(raft_message_check(&message, NULL), ST_BAD_INPUT);
    message.what_case = LAPWING__RAFT_MESSAGE__WHAT_INSTALL_SNAPSHOT;
    message.install_snapshot = &install;
    install.term = install.last_term = 2;
    install.last_index = install.configuration_index = 9;
    install.bytes = 100;
    install.sha256 = bytes(32);
    install.configuration = servers;
    EXPECT_EQ(raft_message_check(&message, NULL), ST_BAD_INPUT); /* no server */
    install.n_configuration = 1;
    server.id = 1;
    server.role = 1;
    server.address = (char *)"127.0.0.1:4576";
    EXPECT_EQ(raft_message_check(&message, NULL), ST_OK);
    install.configuration_index = 10;
    EXPECT_EQ(raft_message_check(&message, NULL), ST_BAD_INPUT);
    install.configuration_index = 9;
    server.role = 3;
    EXPECT_EQ(raft_message_check(&message, NULL), ST_BAD_INPUT);

    chunk.last_index = chunk.last_term = 1;
    chunk.bytes_total = 200;
    chunk.offset = 100;
    chunk.data = bytes(100);
    chunk.crc32c = hash_crc32c(0, (struct bytes){ zeros, 100 });
    EXPECT_EQ(raft_snapshot_chunk_check(&chunk, NULL), ST_OK);
    chunk.crc32c++;
    EXPECT_EQ(raft_snapshot_chunk_check(&chunk, NULL), ST_CORRUPT);
    chunk.data.len = 101;
    EXPECT_EQ(raft_snapshot_chunk_check(&chunk, NULL), ST_BAD_INPUT);
    chunk.data.len = 0; /* how far are you? */
    chunk.crc32c = 0;
    EXPECT_EQ(raft_snapshot_chunk_check(&chunk, NULL), ST_OK);
    chunk.bytes_total = 1 << 20;
    chunk.data = bytes(RAFT_CHUNK_BYTES_MAX);
    chunk.crc32c = hash_crc32c(0, (struct bytes){ zeros, RAFT_CHUNK_BYTES_MAX });
    EXPECT_EQ(raft_snapshot_chunk_check(&chunk, NULL), ST_OK);
    chunk.data = bytes(RAFT_CHUNK_BYTES_MAX + 1);
    EXPECT_EQ(raft_snapshot_chunk_check(&chunk, NULL), ST_BAD_INPUT);
}

static const struct {
    const char *name;
    uint64_t from;
    uint64_t to;
    const char *address;
    enum status want;
} raft_hellos[] = {
    { "of one to another", 4, 1, "10.0.0.4:4576", ST_OK },
    { "of nobody", 0, 1, "10.0.0.4:4576", ST_BAD_INPUT },
    { "to nobody", 4, 0, "10.0.0.4:4576", ST_BAD_INPUT },
    { "to itself", 4, 4, "10.0.0.4:4576", ST_BAD_INPUT },
    { "from nowhere", 4, 1, "", ST_BAD_INPUT },
    { "from what is no address", 4, 1, "a b", ST_BAD_INPUT },
};

TEST(a_replica_says_which_member_it_is_and_whom_it_means)
{
    for (size_t i = 0; i < ARRAY_LEN(raft_hellos); i++) {
        Lapwing__RaftHello hello = LAPWING__RAFT_HELLO__INIT;

        test_case = raft_hellos[i].name;
        hello.from = raft_hellos[i].from;
        hello.to = raft_hellos[i].to;
        hello.address = (char *)raft_hellos[i].address;
        EXPECT_EQ(raft_hello_check(&hello, NULL), raft_hellos[i].want);
    }
}

/* Each row: how many logs a hello knows, and what the last one is. */
static const struct {
    const char *name;
    size_t count;
    uint64_t id;
    uint64_t incarnation;
    enum status want;
} hello_logs[] = {
    { "none", 0, 0, 0, ST_OK },
    { "as many as are allowed", RAFT_KNOWN_MAX, 2, UINT64_MAX, ST_OK },
    { "one too many", RAFT_KNOWN_MAX + 1, 2, 1, ST_BAD_INPUT },
    { "of nobody", 1, 0, 1, ST_BAD_INPUT },
    { "of an id that is none", 1, (uint64_t)INT64_MAX + 1, 1, ST_BAD_INPUT },
    { "with no number", 1, 2, 0, ST_BAD_INPUT },
};

TEST(a_replica_says_whose_logs_it_knows)
{
    for (size_t i = 0; i < ARRAY_LEN(hello_logs); i++) {
        Lapwing__RaftHello hello = LAPWING__RAFT_HELLO__INIT;
        Lapwing__RaftKnown logs[RAFT_KNOWN_MAX + 1];
        Lapwing__RaftKnown *list[RAFT_KNOWN_MAX + 1];

        test_case = hello_logs[i].name;
        hello.from = 4;
        hello.to = 1;
        hello.address = (char *)"10.0.0.4:4576";
        for (size_t k = 0; k < hello_logs[i].count; k++) {
            lapwing__raft_known__init(&logs[k]);
            logs[k].id = k + 1;
            logs[k].incarnation = 1;
            list[k] = &logs[k];
        }
        hello.known = list;
        hello.n_known = hello_logs[i].count;
        if (hello.n_known > 0) {
            logs[hello.n_known - 1].id = hello_logs[i].id;
            logs[hello.n_known - 1].incarnation = hello_logs[i].incarnation;
        }
        EXPECT_EQ(raft_hello_check(&hello, NULL), hello_logs[i].want);
    }
}

TEST(an_outcome_comes_exactly_with_ok)
{
    Lapwing__Forwarded forwarded = LAPWING__FORWARDED__INIT;
    Lapwing__ProposeReply reply = LAPWING__PROPOSE_REPLY__INIT;
    Lapwing__Outcome outcome = LAPWING__OUTCOME__INIT;

    EXPECT_EQ(forwarded_check(&forwarded, NULL), ST_BAD_INPUT);
    EXPECT_EQ(propose_reply_check(&reply, NULL), ST_BAD_INPUT);
    forwarded.outcome = reply.outcome = &outcome;
    EXPECT_EQ(forwarded_check(&forwarded, NULL), ST_OK);
    EXPECT_EQ(propose_reply_check(&reply, NULL), ST_OK);
    forwarded.status = reply.status = ST_NOT_LEADER;
    EXPECT_EQ(forwarded_check(&forwarded, NULL), ST_BAD_INPUT);
    EXPECT_EQ(propose_reply_check(&reply, NULL), ST_BAD_INPUT);
    forwarded.status = reply.status = ST_OK;
    outcome.status = ST_EXISTS;
    EXPECT_EQ(forwarded_check(&forwarded, NULL), ST_BAD_INPUT); /* a refusal has a reason */
    outcome.reason = (char *)"function_exists";
    EXPECT_EQ(forwarded_check(&forwarded, NULL), ST_OK);
}

TEST(a_message_of_the_spawner_names_a_request_or_a_slot)
{
    Lapwing__SpawnerMessage message = LAPWING__SPAWNER_MESSAGE__INIT;
    Lapwing__SpawnReply reply = LAPWING__SPAWN_REPLY__INIT;
    Lapwing__EnvironmentExited exited = LAPWING__ENVIRONMENT_EXITED__INIT;
    static Lapwing__PackageHere *packages[SPAWN_PACKAGES_MAX + 1];
    static uint8_t hash[32];
    Lapwing__PackageHere here = LAPWING__PACKAGE_HERE__INIT;

    EXPECT_EQ(spawner_message_check(&message, NULL), ST_BAD_INPUT);
    message.what_case = LAPWING__SPAWNER_MESSAGE__WHAT_REPLY;
    message.reply = &reply;
    EXPECT_EQ(spawner_message_check(&message, NULL), ST_BAD_INPUT);
    reply.id = 1;
    EXPECT_EQ(spawner_message_check(&message, NULL), ST_OK);
    here.sha256 = (ProtobufCBinaryData){ sizeof hash, hash };
    for (size_t i = 0; i < ARRAY_LEN(packages); i++)
        packages[i] = &here;
    reply.packages = packages;
    reply.n_packages = SPAWN_PACKAGES_MAX;
    EXPECT_EQ(spawner_message_check(&message, NULL), ST_OK);
    reply.n_packages++;
    EXPECT_EQ(spawner_message_check(&message, NULL), ST_BAD_INPUT);
    reply.n_packages = 1;
    here.sha256.len = sizeof hash - 1;
    EXPECT_EQ(spawner_message_check(&message, NULL), ST_BAD_INPUT);
    reply.n_packages = 0;
    reply.status = STATUS_COUNT;
    EXPECT_EQ(spawner_message_check(&message, NULL), ST_BAD_INPUT);
    message.what_case = LAPWING__SPAWNER_MESSAGE__WHAT_EXITED;
    message.exited = &exited;
    exited.slot = SPAWN_SLOTS_MAX - 1;
    EXPECT_EQ(spawner_message_check(&message, NULL), ST_OK);
    exited.slot++;
    EXPECT_EQ(spawner_message_check(&message, NULL), ST_BAD_INPUT);
}

TEST(no_pool_holds_more_than_its_size)
{
    static const struct {
        const char *name;
        Lapwing__Pools pools;
        enum status want;
    } rows[] = {
#define POOLS(networks, networks_max, groups, groups_max, ready, ready_max)                        \
    { PROTOBUF_C_MESSAGE_INIT(&lapwing__pools__descriptor),                                        \
      networks,                                                                                    \
      networks_max,                                                                                \
      groups,                                                                                      \
      groups_max,                                                                                  \
      ready,                                                                                       \
      ready_max }
        { "none", POOLS(0, 0, 0, 0, 0, 0), ST_OK },
        { "full", POOLS(8, 8, 4, 4, 4, 4), ST_OK },
        { "largest", POOLS(POOL_MAX, POOL_MAX, POOL_MAX, POOL_MAX, POOL_MAX, POOL_MAX), ST_OK },
        { "too many networks", POOLS(9, 8, 4, 4, 4, 4), ST_BAD_INPUT },
        { "too many groups", POOLS(8, 8, 5, 4, 4, 4), ST_BAD_INPUT },
        { "too many ready", POOLS(8, 8, 4, 4, 5, 4), ST_BAD_INPUT },
        { "too large for ready", POOLS(0, 0, 0, 0, 0, POOL_MAX + 1), ST_BAD_INPUT },
        { "too large for networks", POOLS(0, POOL_MAX + 1, 0, 0, 0, 0), ST_BAD_INPUT },
        { "too large for groups", POOLS(0, 0, 0, POOL_MAX + 1, 0, 0), ST_BAD_INPUT },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Lapwing__SpawnerMessage message = LAPWING__SPAWNER_MESSAGE__INIT;
        Lapwing__Pools pools = rows[i].pools;

        test_case = rows[i].name;
        message.what_case = LAPWING__SPAWNER_MESSAGE__WHAT_POOLS;
        message.pools = &pools;
        EXPECT_EQ(spawner_message_check(&message, NULL), rows[i].want);
    }
    test_case = NULL;
}

TEST(a_read_must_say_what)
{
    Lapwing__ReadRequest req = LAPWING__READ_REQUEST__INIT;
    Lapwing__ListObjectsRead list = LAPWING__LIST_OBJECTS_READ__INIT;

    EXPECT_EQ(read_request_check(&req, NULL), ST_BAD_INPUT);
    req.what_case = LAPWING__READ_REQUEST__WHAT_LIST_OBJECTS;
    req.list_objects = &list;
    EXPECT_EQ(read_request_check(&req, NULL), ST_BAD_INPUT);
    list.bucket = (char *)"abc";
    EXPECT_EQ(read_request_check(&req, NULL), ST_OK);
    list.delimiter = (char *)"\xff";
    EXPECT_EQ(read_request_check(&req, NULL), ST_BAD_INPUT);
}
