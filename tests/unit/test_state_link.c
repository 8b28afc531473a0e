/* The object store's link to the state, over a control-plane node that says what the test wants. */
#include "objstore/link/state_link.h"

#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "base/identity.h"
#include "base/log.h"
#include "base/stream.h"
#include "tests/unit/certificates.h"
#include "tests/unit/check.h"

enum { ANSWERS_MAX = 3, DEADLINE_MS = 500, FOREVER_MS = 60000 };

/* What the node answers to the n-th request; status STATUS_COUNT: nothing.  The last one stays. */
struct answer {
    enum status status;
    const char *text;
};

struct fixture {
    uv_loop_t loop;
    struct stream_identity node;
    struct stream_identity store;
    struct stream_listener *listener;
    struct state_link *link;
    const struct answer *answers;
    unsigned asked;
    bool ended;
    enum status status;
    struct err err;
};

static void send_reply(struct stream *stream, uint16_t type, const ProtobufCMessage *message)
{
    struct buf body = { 0 };

    body.len = protobuf_c_message_pack(
        message, buf_reserve(&body, protobuf_c_message_get_packed_size(message)));
    EXPECT_EQ(stream_send(stream, type, buf_view(&body), (struct bytes){ 0 }), ST_OK);
    buf_done(&body);
}

static const struct answer *next_answer(struct fixture *f)
{
    unsigned at = f->asked < ANSWERS_MAX ? f->asked : ANSWERS_MAX;

    f->asked++;
    while (at > 0 && f->answers[at].text == NULL)
        at--;
    return &f->answers[at];
}

static void answer_proposal(struct fixture *f, struct stream *stream, struct bytes body)
{
    Lapwing__ProposeRequest *request = lapwing__propose_request__unpack(NULL, body.len, body.data);
    Lapwing__ProposeReply reply = LAPWING__PROPOSE_REPLY__INIT;
    Lapwing__Outcome outcome = LAPWING__OUTCOME__INIT;
    const struct answer *answer = next_answer(f);

    CHECK(request != NULL);
    reply.id = request->id;
    reply.status = answer->status;
    reply.text = (char *)(uintptr_t)answer->text;
    if (answer->status == ST_OK)
        reply.outcome = &outcome;
    if (answer->status != STATUS_COUNT)
        send_reply(stream, LAPWING__STATE_FRAME__PROPOSE_REPLY, &reply.base);
    lapwing__propose_request__free_unpacked(request, NULL);
}

static void answer_read(struct fixture *f, struct stream *stream, struct bytes body)
{
    Lapwing__ReadRequest *request = lapwing__read_request__unpack(NULL, body.len, body.data);
    Lapwing__ReadReply reply = LAPWING__READ_REPLY__INIT;
    const struct answer *answer = next_answer(f);

    CHECK(request != NULL);
    reply.id = request->id;
    reply.status = answer->status;
    reply.text = (char *)(uintptr_t)answer->text;
    if (answer->status != STATUS_COUNT)
        send_reply(stream, LAPWING__STATE_FRAME__READ_REPLY, &reply.base);
    lapwing__read_request__free_unpacked(request, NULL);
}

static void on_frame(struct stream *stream, uint16_t type, struct bytes body, void *context)
{
    if (type == LAPWING__STATE_FRAME__PROPOSE_REQUEST)
        answer_proposal(context, stream, body);
    else
        answer_read(context, stream, body);
}

static void on_close(struct stream *stream, enum status why, const struct err *err, void *context)
{
    (void)stream;
    (void)why;
    (void)err;
    (void)context;
}

static void *on_accept(struct stream *stream, const struct stream_hello *peer, void *context)
{
    (void)stream;
    (void)peer;
    return context;
}

static const struct stream_handler handler = { NULL, on_frame, NULL, on_close };

static void free_address(char out[32])
{
    struct sockaddr_in where = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof where;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    CHECK(fd >= 0);
    CHECK(bind(fd, (struct sockaddr *)&where, sizeof where) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&where, &len) == 0);
    CHECK(close(fd) == 0);
    (void)snprintf(out, 32, "127.0.0.1:%u", ntohs(where.sin_port));
}

static void end(struct fixture *f, enum status status, const struct err *err)
{
    EXPECT(!f->ended);
    f->ended = true;
    f->status = status;
    f->err = *err;
}

static void proposed(void *context,
                     enum status status,
                     const Lapwing__Outcome *outcome,
                     const struct err *err)
{
    EXPECT_EQ(outcome != NULL, status == ST_OK);
    end(context, status, err);
}

static void was_read(void *context,
                     enum status status,
                     const Lapwing__ReadReply *reply,
                     const struct err *err)
{
    EXPECT_EQ(reply != NULL, status == ST_OK);
    end(context, status, err);
}

static void propose(struct fixture *f, uint32_t deadline_ms)
{
    EXPECT_EQ(state_link_propose(f->link, LAPWING__COMMAND_TYPE__CREATE_BUCKET,
                                 bytes_of_text("body"), deadline_ms, proposed, f),
              ST_OK);
}

/* Connected, so that deadlines are the node's alone. */
static void fixture_init(struct fixture *f, const struct answer *answers)
{
    static const struct answer connected[] = { { ST_OK, "" } };
    struct err err = { 0 };
    char address[32];
    const char *const addresses[] = { address };

    memset(f, 0, sizeof *f);
    log_threshold(LOG_WARN);
    CHECK(uv_loop_init(&f->loop) == 0);
    test_identity("test/controlplane/a/state", &f->node);
    test_identity("test/objstore/a/store", &f->store);
    free_address(address);
    CHECK(stream_listen(&f->loop,
                        &(struct stream_listen_options){ .address = address,
                                                         .identity = &f->node,
                                                         .service = STREAM_STATE,
                                                         .handler = &handler,
                                                         .accepted = on_accept,
                                                         .context = f },
                        &f->listener, &err) == ST_OK);
    CHECK(state_link_new(&f->loop, &f->store, addresses, 1, &f->link, &err) == ST_OK);
    f->answers = connected;
    propose(f, FOREVER_MS);
    while (!f->ended)
        (void)uv_run(&f->loop, UV_RUN_ONCE);
    EXPECT_EQ(f->status, ST_OK);
    f->ended = false;
    f->asked = 0;
    f->answers = answers;
}

static void fixture_done(struct fixture *f)
{
    state_link_close(f->link);
    stream_listener_close(f->listener);
    (void)uv_run(&f->loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&f->loop) == 0);
    identity_done(&f->node);
    identity_done(&f->store);
}

#define NO_ROOM "no node with room on its disk can lead: full are a, b, c"
#define SILENCE "the control plane gave no answer in time"

/* Each row: what the node answers in turn, and how the call ends. */
static const struct {
    const char *name;
    bool read;
    struct answer answers[ANSWERS_MAX + 1];
    enum status want;
    const char *text;
} rows[] = {
    { "done", false, { { ST_OK, "" } }, ST_OK, "" },
    { "refused with a reason", false, { { ST_UNAVAILABLE, NO_ROOM } }, ST_UNAVAILABLE, NO_ROOM },
    { "refused, then done", false, { { ST_UNAVAILABLE, NO_ROOM }, { ST_OK, "" } }, ST_OK, "" },
    { "refused without a word", false, { { ST_UNAVAILABLE, "" } }, ST_UNAVAILABLE, SILENCE },
    { "refused with a status' name",
      false,
      { { ST_UNAVAILABLE, "unavailable" } },
      ST_UNAVAILABLE,
      SILENCE },
    { "a reason, then a name",
      false,
      { { ST_UNAVAILABLE, NO_ROOM }, { ST_UNAVAILABLE, "unavailable" } },
      ST_UNAVAILABLE,
      NO_ROOM },
    { "a later reason counts",
      false,
      { { ST_UNAVAILABLE, "another" }, { ST_UNAVAILABLE, NO_ROOM } },
      ST_UNAVAILABLE,
      NO_ROOM },
    { "perhaps done before it was refused",
      false,
      { { ST_UNKNOWN, "unknown" }, { ST_UNAVAILABLE, NO_ROOM } },
      ST_UNKNOWN,
      NO_ROOM },
    { "no answer", false, { { STATUS_COUNT, "" } }, ST_UNKNOWN, SILENCE },
    { "what is not allowed ends at once",
      false,
      { { ST_BAD_INPUT, "too long" } },
      ST_BAD_INPUT,
      "too long" },
    { "a read", true, { { ST_OK, "" } }, ST_OK, "" },
    { "a read that is refused",
      true,
      { { ST_TIMEOUT, "no leader" } },
      ST_UNAVAILABLE,
      "no leader" },
};

TEST(a_call_that_no_node_takes_in_time_ends_with_the_reason_that_was_given)
{
    Lapwing__GetBucketRead bucket = LAPWING__GET_BUCKET_READ__INIT;

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Lapwing__ReadRequest read = LAPWING__READ_REQUEST__INIT;
        struct fixture f;

        test_case = rows[i].name;
        fixture_init(&f, rows[i].answers);
        bucket.name = "b";
        read.get_bucket = &bucket;
        read.what_case = LAPWING__READ_REQUEST__WHAT_GET_BUCKET;
        if (rows[i].read)
            EXPECT_EQ(state_link_read(f.link, &read, DEADLINE_MS, was_read, &f), ST_OK);
        else
            propose(&f, DEADLINE_MS);
        while (!f.ended)
            (void)uv_run(&f.loop, UV_RUN_ONCE);
        EXPECT_EQ(f.status, rows[i].want);
        EXPECT_TEXT(f.err.text, rows[i].text);
        fixture_done(&f);
    }
}

TEST(as_many_calls_as_the_table_has_are_taken_and_one_more_is_told)
{
    static const struct answer silent[] = { { STATUS_COUNT, "" } };
    struct fixture f;

    fixture_init(&f, silent);
    for (unsigned i = 0; i < STATE_CALLS_MAX; i++)
        propose(&f, FOREVER_MS);
    EXPECT_EQ(state_link_propose(f.link, LAPWING__COMMAND_TYPE__CREATE_BUCKET,
                                 bytes_of_text("body"), FOREVER_MS, proposed, &f),
              ST_LIMIT);
    for (unsigned i = 0; i < STATE_CALLS_MAX; i++)
        state_link_forget(f.link, &f);
    fixture_done(&f);
}
