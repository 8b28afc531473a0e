/* See state_fixture.h. */
#include "tests/unit/state_fixture.h"
#include "controlplane/state/objects.h"
#include "proto/state_service_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/hash.h"
#include "controlplane/state/objects.h"
#include "proto/command_check.h"
#include "proto/entry.h"
#include "proto/state_service_check.h"

enum { CLIENT_BYTES = 16, START_MS = 1000 };

void fixture_open(struct fixture *fixture, const char *path, enum state_group group)
{
    struct err err = { 0 };
    enum status st = state_open(path, group, &fixture->state, &err);

    if (st != ST_OK)
        fprintf(stderr, "%s\n", err.text);
    CHECK(st == ST_OK);
    fixture->reader = state_reader_of(fixture->state);
    fixture->now_ms = START_MS;
}

void fixture_done(struct fixture *fixture)
{
    if (fixture->last != NULL)
        lapwing__outcome__free_unpacked(fixture->last, NULL);
    state_close(fixture->state);
    memset(fixture, 0, sizeof *fixture);
}

static Lapwing__Outcome *copy_outcome(const Lapwing__Outcome *outcome)
{
    size_t len = lapwing__outcome__get_packed_size(outcome);
    uint8_t *packed = must_calloc(len + 1, 1);
    Lapwing__Outcome *copy;

    (void)lapwing__outcome__pack(outcome, packed);
    copy = lapwing__outcome__unpack(NULL, len, packed);
    CHECK(copy != NULL);
    free(packed);
    return copy;
}

static void keep_last(void *context,
                      size_t at,
                      const Lapwing__Command *command,
                      const Lapwing__Outcome *outcome)
{
    struct fixture *fixture = context;
    struct err err = { 0 };

    (void)command;
    CHECK(at == fixture->shown);
    CHECK(outcome_check(outcome, &err) == ST_OK);
    fixture->shown++;
    if (fixture->last != NULL)
        lapwing__outcome__free_unpacked(fixture->last, NULL);
    fixture->last = copy_outcome(outcome);
}

static void make_command(Lapwing__Command *out, const struct fixture_command *from)
{
    lapwing__command__init(out);
    out->type = from->type;
    out->version = from->version;
    out->sequence = from->sequence;
    out->acked = from->acked;
    out->client.len = CLIENT_BYTES;
    out->client.data = must_calloc(CLIENT_BYTES, 1);
    memset(out->client.data, from->client, CLIENT_BYTES);
    if (from->body == NULL)
        return;
    out->body.len = protobuf_c_message_get_packed_size(from->body);
    out->body.data = must_calloc(out->body.len + 1, 1);
    (void)protobuf_c_message_pack(from->body, out->body.data);
}

/* Through the codec: what is applied is what a follower would decode. */
static void apply(struct fixture *fixture, const Lapwing__Entry *entry)
{
    struct buf packed = { 0 };
    Lapwing__Entry *decoded = NULL;
    struct err err = { 0 };
    enum status st;

    CHECK(entry_encode(entry, &packed, &err) == ST_OK);
    CHECK(entry_decode(buf_view(&packed), &decoded, &err) == ST_OK);
    fixture->shown = 0;
    fixture->index++;
    do {
        st =
            state_apply_entry(fixture->state, decoded, (struct state_position){ fixture->index, 1 },
                              keep_last, fixture, &err);
        if (st == ST_NO_SPACE && fixture->make_room != NULL)
            fixture->make_room(fixture);
    } while (st == ST_NO_SPACE && fixture->make_room != NULL);
    if (st != ST_OK)
        fprintf(stderr, "%s\n", err.text);
    CHECK(st == ST_OK);
    entry_free(decoded);
    buf_done(&packed);
}

void fixture_apply_entry(struct fixture *fixture,
                         const struct fixture_command *commands,
                         size_t count)
{
    Lapwing__Entry entry = LAPWING__ENTRY__INIT;
    Lapwing__Command *made = must_calloc(count, sizeof *made);
    Lapwing__Command **list = must_calloc(count, sizeof *list);

    for (size_t i = 0; i < count; i++) {
        make_command(&made[i], &commands[i]);
        list[i] = &made[i];
    }
    entry.format = ENTRY_FORMAT;
    entry.leader_ms = fixture->now_ms;
    entry.n_commands = count;
    entry.commands = list;
    apply(fixture, &entry);
    for (size_t i = 0; i < count; i++) {
        free(made[i].client.data);
        free(made[i].body.data);
    }
    free(made);
    free(list);
}

enum status fixture_apply(struct fixture *fixture,
                          Lapwing__CommandType type,
                          const ProtobufCMessage *body)
{
    struct fixture_command from = {
        .client = 1,
        .sequence = fixture->sequence + 1,
        .acked = fixture->sequence,
        .type = type,
        .version = 1,
        .body = body,
    };
    Lapwing__Command command;
    struct err err = { 0 };
    enum status st;

    fixture->sequence++;
    make_command(&command, &from);
    st = command_check(&command, &err);
    if (st != ST_OK)
        fprintf(stderr, "%s\n", err.text);
    CHECK(st == ST_OK);
    free(command.client.data);
    free(command.body.data);
    fixture_apply_entry(fixture, &from, 1);
    return (enum status)fixture->last->status;
}

void fixture_function(Lapwing__Function *out, const char *name, const char *uid)
{
    static uint8_t sha256[SHA256_BYTES] = { 1, 2, 3 };

    lapwing__function__init(out);
    out->account = (char *)FIXTURE_ACCOUNT;
    out->region = (char *)FIXTURE_REGION;
    out->name = (char *)name;
    out->uid = (char *)uid;
    out->runtime = (char *)"provided.al2023";
    out->role = (char *)"arn:aws:iam::000000000000:role/r";
    out->handler = (char *)"bootstrap";
    out->handler_present = true;
    out->timeout_s = 3;
    out->memory_mb = 128;
    out->ephemeral_mb = 512;
    out->architecture = (char *)"x86_64";
    out->tracing_mode = (char *)"PassThrough";
    out->code_sha256 = (ProtobufCBinaryData){ .len = sizeof sha256, .data = sha256 };
    out->code_bytes = 1000;
    out->revision_id = (char *)"00000000-0000-4000-8000-000000000001";
}

enum status fixture_create_function(struct fixture *fixture, const char *name, const char *uid)
{
    Lapwing__CreateFunction create = LAPWING__CREATE_FUNCTION__INIT;
    Lapwing__Function function;

    fixture_function(&function, name, uid);
    create.function = &function;
    return fixture_apply(fixture, LAPWING__COMMAND_TYPE__CREATE_FUNCTION, &create.base);
}

const char *fixture_uid(uint64_t number)
{
    static char uid[33];

    (void)snprintf(uid, sizeof uid, "%032llx", (unsigned long long)number);
    return uid;
}

enum status fixture_create_bucket(struct fixture *fixture, const char *name, const char *account)
{
    Lapwing__CreateBucket create = LAPWING__CREATE_BUCKET__INIT;

    create.account = (char *)account;
    create.region = (char *)FIXTURE_REGION;
    create.name = (char *)name;
    return fixture_apply(fixture, LAPWING__COMMAND_TYPE__CREATE_BUCKET, &create.base);
}

void fixture_object(Lapwing__Object *out, const char *bucket, const char *key)
{
    static uint8_t blob[SHA256_BYTES] = { 9 };

    lapwing__object__init(out);
    out->bucket = (char *)bucket;
    out->key = (char *)key;
    out->bytes = 5;
    out->etag = (char *)"5d41402abc4b2a76b9719d911017c592";
    out->blob = (ProtobufCBinaryData){ .len = sizeof blob, .data = blob };
    out->content_type = (char *)"text/plain";
    out->owner = (char *)FIXTURE_ACCOUNT;
}

enum status fixture_put_object(struct fixture *fixture, const char *bucket, const char *key)
{
    Lapwing__PutObject put = LAPWING__PUT_OBJECT__INIT;
    Lapwing__Object object;

    fixture_object(&object, bucket, key);
    put.object = &object;
    return fixture_apply(fixture, LAPWING__COMMAND_TYPE__PUT_OBJECT, &put.base);
}

enum status fixture_delete_object(struct fixture *fixture, const char *bucket, const char *key)
{
    Lapwing__DeleteObject cmd = LAPWING__DELETE_OBJECT__INIT;

    cmd.bucket = (char *)bucket;
    cmd.key = (char *)key;
    return fixture_apply(fixture, LAPWING__COMMAND_TYPE__DELETE_OBJECT, &cmd.base);
}

void fixture_read(struct fixture *fixture, Lapwing__ReadRequest *req, Lapwing__ReadReply *reply)
{
    struct err err = { 0 };

    CHECK(read_request_check(req, &err) == ST_OK);
    lapwing__read_reply__init(reply);
    CHECK(state_read(fixture->reader, req, reply, &err) == ST_OK);
    CHECK(read_reply_check(reply, &err) == ST_OK);
    CHECK(reply->id == req->id);
}

uint64_t fixture_digest(struct fixture *fixture)
{
    uint64_t digest = 0;
    struct err err = { 0 };

    CHECK(state_digest(fixture->state, &digest, &err) == ST_OK);
    return digest;
}
