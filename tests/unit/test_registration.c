#include "controlplane/dispatch/registration.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/identity.h"
#include "base/log.h"
#include "proto/message_limits.h"
#include "tests/unit/certificates.h"
#include "tests/unit/check.h"

/* A control-plane node and the workers that dial it, on one loop over loopback. */
struct scene {
    uv_loop_t loop;
    struct stream_identity node;
    struct stream_identity worker; /* of the first */
    struct stream_identity other;  /* of the second */
    char address[32];
    struct registration *registration;
    struct stream_dialer *first, *second;
    Lapwing__Heartbeat beat; /* what the first sends when its stream opens */
    uint16_t type;
    size_t cut;   /* bytes that it leaves out */
    size_t bytes; /* filled up to these */
    unsigned beats, opened, replies, gone;
    bool accepted;
    bool again; /* a wrong heartbeat first, then a good one on the same stream */
    char text[ERR_TEXT_BYTES];
    uint64_t gone_epoch;
};

static void identity(struct stream_identity *id, const char *path, uint64_t epoch)
{
    test_identity(path, id);
    id->self.epoch = epoch;
}

/* A port that was free a moment ago. */
static uint16_t free_port(void)
{
    struct sockaddr_in where = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t len = sizeof where;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    EXPECT(fd >= 0);
    EXPECT_EQ(bind(fd, (struct sockaddr *)&where, sizeof where), 0);
    EXPECT_EQ(getsockname(fd, (struct sockaddr *)&where, &len), 0);
    EXPECT_EQ(close(fd), 0);
    return ntohs(where.sin_port);
}

static void beat_cb(const Lapwing__Heartbeat *beat, Lapwing__HeartbeatReply *reply, void *context)
{
    struct scene *scene = context;

    scene->beats++;
    reply->sequence = beat->sequence;
    reply->accepted = true;
}

static void finish(struct scene *scene)
{
    stream_dialer_close(scene->first);
    stream_dialer_close(scene->second);
    scene->first = scene->second = NULL;
    registration_stop(scene->registration);
    scene->registration = NULL;
}

static void gone_cb(const struct stream_hello *worker, const char *why, void *context)
{
    struct scene *scene = context;

    scene->gone++;
    scene->gone_epoch = worker->epoch;
    EXPECT(why[0] != '\0');
    finish(scene);
}

static const struct registration_handler handler = { beat_cb, gone_cb };

/* Fill it up to `bytes` with a field that nobody knows. */
static void pad(struct buf *packed, size_t bytes)
{
    size_t len = bytes - packed->len - 5;
    uint8_t header[5] = { 0xa2, 0x06, (uint8_t)(len | 0x80), (uint8_t)(len >> 7 | 0x80),
                          (uint8_t)(len >> 14) };

    buf_append(packed, header, sizeof header);
    memset(buf_reserve(packed, len), 0, len);
    packed->len += len;
}

static void send_beat(struct scene *scene, struct stream *stream)
{
    struct buf packed = { 0 };

    packed.len = lapwing__heartbeat__pack(
        &scene->beat, buf_reserve(&packed, lapwing__heartbeat__get_packed_size(&scene->beat)));
    if (scene->bytes > 0)
        pad(&packed, scene->bytes);
    packed.len -= scene->cut;
    EXPECT_EQ(stream_send(stream, scene->type, buf_view(&packed), bytes_of(NULL, 0)), ST_OK);
    buf_done(&packed);
}

static void open_cb(struct stream *stream, const struct stream_hello *peer, void *context)
{
    struct scene *scene = context;

    scene->opened++;
    send_beat(scene, stream);
}

static void reply_cb(struct stream *stream, uint16_t type, struct bytes body, void *context)
{
    struct scene *scene = context;
    Lapwing__HeartbeatReply *reply = lapwing__heartbeat_reply__unpack(NULL, body.len, body.data);

    EXPECT_EQ(type, LAPWING__REGISTER_FRAME__HEARTBEAT_REPLY);
    CHECK(reply != NULL);
    scene->replies++;
    EXPECT_TEXT(reply->node, "node-a");
    scene->accepted = reply->accepted;
    (void)snprintf(scene->text, sizeof scene->text, "%s", reply->text);
    lapwing__heartbeat_reply__free_unpacked(reply, NULL);
    if (scene->again && scene->replies == 1) {
        scene->cut = 0;
        send_beat(scene, stream);
        return;
    }
    stream_dialer_close(scene->first); /* which is what the node hears of next */
    scene->first = NULL;
}

static void closed_cb(struct stream *stream, enum status why, const struct err *err, void *context)
{
}

static const struct stream_handler worker_handler = { open_cb, reply_cb, NULL, closed_cb };

static void scene_start(struct scene *scene)
{
    struct err err = { 0 };

    EXPECT_EQ(uv_loop_init(&scene->loop), 0);
    (void)snprintf(scene->address, sizeof scene->address, "127.0.0.1:%u", free_port());
    identity(&scene->node, "one/controlplane/a/node-a", 3);
    identity(&scene->worker, "one/worker/a/worker-a", 5);
    lapwing__heartbeat__init(&scene->beat);
    scene->beat.cluster = (char *)"one";
    scene->beat.worker = (char *)"worker-a";
    scene->beat.zone = (char *)"a";
    scene->beat.address = (char *)"127.0.0.1:1";
    scene->beat.epoch = 5;
    scene->beat.sequence = 9;
    scene->type = LAPWING__REGISTER_FRAME__HEARTBEAT;
    EXPECT_EQ(registration_start(&(struct registration_config){ .loop = &scene->loop,
                                                                .address = scene->address,
                                                                .identity = &scene->node,
                                                                .handler = &handler,
                                                                .context = scene },
                                 &scene->registration, &err),
              ST_OK);
}

static struct stream_dialer *dial(struct scene *scene,
                                  const struct stream_identity *id,
                                  const struct stream_handler *with)
{
    struct stream_dialer *dialer = NULL;
    struct err err = { 0 };

    EXPECT_EQ(stream_dial(&scene->loop,
                          &(struct stream_dial_options){
                              .address = scene->address,
                              .identity = id,
                              .service = STREAM_REGISTER,
                              .handler = with,
                              .context = scene,
                          },
                          &dialer, &err),
              ST_OK);
    return dialer;
}

static void scene_end(struct scene *scene)
{
    (void)uv_run(&scene->loop, UV_RUN_DEFAULT);
    EXPECT_EQ(uv_loop_close(&scene->loop), 0);
    identity_done(&scene->node);
    identity_done(&scene->worker);
    identity_done(&scene->other);
}

static const struct {
    const char *name, *cluster, *worker, *zone;
    uint64_t epoch;
    uint16_t type;
    size_t cut;
    bool accepted;
    const char *text;
} rows[] = {
    { "its own", "one", "worker-a", "a", 5, 1, 0, true, "" },
    { "another's", "one", "worker-b", "a", 5, 1, 0, false,
      "worker: worker-b, its stream is of worker-a" },
    { "of another cluster", "two", "worker-a", "a", 5, 1, 0, false,
      "cluster: two, its stream is of one" },
    { "from another zone", "one", "worker-a", "b", 5, 1, 0, false, "zone: b, its stream is of a" },
    { "of another process", "one", "worker-a", "a", 6, 1, 0, false,
      "epoch: 6, its stream is of 5" },
    { "without an epoch", "one", "worker-a", "a", 0, 1, 0, false,
      "epoch: 0, want 1 to 9223372036854775807" },
    { "cut off", "one", "worker-a", "a", 5, 1, 1, false,
      "heartbeat of 34 bytes, want one of at most 1048576" },
    { "a frame of later", "one", "worker-a", "a", 5, 3, 0, false,
      "frame of type 3, which this release does not know" },
};

TEST(a_heartbeat_counts_for_the_worker_whose_stream_it_came_on)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct scene scene = { 0 };

        test_case = rows[i].name;
        scene_start(&scene);
        scene.beat.cluster = (char *)rows[i].cluster;
        scene.beat.worker = (char *)rows[i].worker;
        scene.beat.zone = (char *)rows[i].zone;
        scene.beat.epoch = rows[i].epoch;
        scene.type = rows[i].type;
        scene.cut = rows[i].cut;
        scene.first = dial(&scene, &scene.worker, &worker_handler);
        scene_end(&scene);
        EXPECT_EQ(scene.replies, 1);
        EXPECT_EQ(scene.accepted, rows[i].accepted);
        EXPECT_EQ(scene.beats, rows[i].accepted);
        EXPECT_TEXT(scene.text, rows[i].text);
        EXPECT_EQ(scene.gone, 1);
        EXPECT_EQ(scene.gone_epoch, 5);
    }
    test_case = NULL;
}

TEST(a_heartbeat_has_a_limit)
{
    static const struct {
        size_t bytes;
        bool accepted;
    } sizes[] = { { HEARTBEAT_BYTES_MAX, true }, { HEARTBEAT_BYTES_MAX + 1, false } };

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct scene scene = { .bytes = sizes[i].bytes };

        scene_start(&scene);
        scene.first = dial(&scene, &scene.worker, &worker_handler);
        scene_end(&scene);
        EXPECT_EQ(scene.replies, 1);
        EXPECT_EQ(scene.accepted, sizes[i].accepted);
    }
}

TEST(a_refused_heartbeat_costs_its_stream_nothing)
{
    struct scene scene = { .again = true, .cut = 1 };

    scene_start(&scene);
    scene.first = dial(&scene, &scene.worker, &worker_handler);
    scene_end(&scene);
    EXPECT_EQ(scene.replies, 2);
    EXPECT_EQ(scene.beats, 1);
    EXPECT(scene.accepted);
}

static void second_reply_cb(struct stream *stream, uint16_t type, struct bytes body, void *context)
{
    struct scene *scene = context;

    scene->replies++;
    stream_dialer_close(scene->second); /* which is what the node hears of next */
    scene->second = NULL;
}

static const struct stream_handler second_handler = { open_cb, second_reply_cb, NULL, closed_cb };

static void then_dial_second(struct stream *stream, uint16_t type, struct bytes body, void *context)
{
    struct scene *scene = context;

    scene->replies++;
    scene->beat.epoch = 6;
    scene->second = dial(scene, &scene->other, &second_handler);
}

static const struct stream_handler first_handler = { open_cb, then_dial_second, NULL, closed_cb };

TEST(a_process_that_gave_way_to_a_newer_one_is_not_gone)
{
    struct scene scene = { 0 };

    scene_start(&scene);
    identity(&scene.other, "one/worker/a/worker-a", 6);
    scene.first = dial(&scene, &scene.worker, &first_handler);
    scene_end(&scene);
    EXPECT_EQ(scene.replies, 2);
    EXPECT_EQ(scene.beats, 2);
    EXPECT_EQ(scene.gone, 1);
    EXPECT_EQ(scene.gone_epoch, 6);
}

static void intruder_open_cb(struct stream *stream, const struct stream_hello *peer, void *context)
{
    EXPECT(!"only workers register");
}

static const struct stream_handler intruder_handler = { intruder_open_cb, reply_cb, NULL,
                                                        closed_cb };

TEST(only_workers_register)
{
    struct scene scene = { 0 };

    scene_start(&scene);
    identity(&scene.other, "one/objstore/a/store-a", 1);
    scene.first = dial(&scene, &scene.other, &intruder_handler);
    scene.second = dial(&scene, &scene.worker, &second_handler);
    scene_end(&scene);
    EXPECT_EQ(scene.replies, 1);
    EXPECT_EQ(scene.gone_epoch, 5);
}

/* ---- the limit ---- */

static unsigned links_down; /* lines of the log that say so */

void __real_log_write(enum log_level level, const char *event, const struct log_field *fields);
void __wrap_log_write(enum log_level level, const char *event, const struct log_field *fields);

void __wrap_log_write(enum log_level level, const char *event, const struct log_field *fields)
{
    links_down += strcmp(event, "link_down") == 0;
    __real_log_write(level, event, fields);
}

static void note_open_cb(struct stream *stream, const struct stream_hello *peer, void *context)
{
    ((struct scene *)context)->opened++;
}

static const struct stream_handler crowd_handler = { note_open_cb, reply_cb, NULL, closed_cb };

static void crowd_gone_cb(const struct stream_hello *worker, const char *why, void *context)
{
    ((struct scene *)context)->gone++;
}

static void run_until(struct scene *scene, const unsigned *count, unsigned want)
{
    while (*count < want)
        (void)uv_run(&scene->loop, UV_RUN_ONCE);
}

TEST(as_many_streams_as_the_limit_are_open_and_the_next_waits_until_one_has_gone)
{
    static const struct registration_handler crowd = { beat_cb, crowd_gone_cb };
    static struct stream_identity ids[REGISTRATION_SESSIONS_MAX + 1];
    struct stream_dialer *dialers[REGISTRATION_SESSIONS_MAX + 1];
    struct scene scene = { 0 };

    links_down = 0;
    scene_start(&scene);
    registration_stop(scene.registration);
    EXPECT_EQ(registration_start(&(struct registration_config){ .loop = &scene.loop,
                                                                .address = scene.address,
                                                                .identity = &scene.node,
                                                                .handler = &crowd,
                                                                .context = &scene },
                                 &scene.registration, NULL),
              ST_OK);
    for (unsigned i = 0; i < ARRAY_LEN(ids); i++) {
        char path[64];

        (void)snprintf(path, sizeof path, "one/worker/a/worker-%u", i);
        identity(&ids[i], path, 1);
    }
    for (unsigned i = 0; i < REGISTRATION_SESSIONS_MAX; i++) {
        dialers[i] = dial(&scene, &ids[i], &crowd_handler);
        run_until(&scene, &scene.opened, i + 1);
    }
    EXPECT_EQ(links_down, 0);
    dialers[REGISTRATION_SESSIONS_MAX] =
        dial(&scene, &ids[REGISTRATION_SESSIONS_MAX], &crowd_handler);
    run_until(&scene, &links_down, 1);
    EXPECT_EQ(scene.opened, REGISTRATION_SESSIONS_MAX);
    EXPECT_EQ(scene.gone, 0);
    stream_dialer_close(dialers[0]);
    run_until(&scene, &scene.opened, REGISTRATION_SESSIONS_MAX + 1);
    EXPECT_EQ(scene.gone, 1);
    for (unsigned i = 1; i < ARRAY_LEN(dialers); i++)
        stream_dialer_close(dialers[i]);
    finish(&scene);
    scene_end(&scene);
    for (unsigned i = 0; i < ARRAY_LEN(ids); i++)
        identity_done(&ids[i]);
}
