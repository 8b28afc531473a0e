#include "tests/unit/objstore_cluster.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uv.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/identity.h"
#include "base/stream.h"
#include "controlplane/state/objects.h"
#include "controlplane/state/state.h"
#include "objstore/blobs/blob_store.h"
#include "objstore/link/state_link.h"
#include "objstore/peers/peers.h"
#include "objstore/s3/s3_server.h"
#include "proto/state_service.pb-c.h"
#include "tests/unit/certificates.h"

#define WAIT_NS 60000000000ull

struct zone {
    struct cluster *cluster;
    bool is_up;
    bool s3_closed;
    char dir[64];
    char stream_address[32];
    struct stream_identity identity;
    struct blob_store *store;
    struct state_link *link;
    struct peers *peers;
    struct s3_server *s3;
    unsigned port;
};

enum order_kind { ORDER_NONE, ORDER_STOP, ORDER_KILL, ORDER_WAIT_ZONES, ORDER_SWALLOW };

struct cluster {
    uv_loop_t loop;
    uv_thread_t thread;
    uv_async_t async;
    uv_mutex_t mutex;
    uv_cond_t answered;
    enum order_kind order; /* under the mutex, as the two below */
    unsigned argument;
    unsigned others;
    unsigned commands;
    uv_check_t turned; /* for an order that waits */

    unsigned zones;
    struct zone zone[CLUSTER_ZONES_MAX];
    uint8_t key[CLUSTER_KEY_BYTES];
    struct s3_key key_list[1];
    struct s3_keys keys;

    char state_address[32];
    struct stream_identity state_identity;
    struct stream_listener *listener;
    struct state *state;
    uint64_t index;
    unsigned swallow;
};

/* ---- fake control plane ---- */

struct outcome_copy {
    Lapwing__ProposeReply *reply;
    struct stream *stream;
    bool swallow;
};

static void send_reply(struct stream *stream, uint16_t type, const ProtobufCMessage *message)
{
    struct buf body = { 0 };

    body.len = protobuf_c_message_pack(
        message, buf_reserve(&body, protobuf_c_message_get_packed_size(message)));
    (void)stream_send(stream, type, buf_view(&body), (struct bytes){ 0 });
    buf_done(&body);
}

static void on_outcome(void *context,
                       size_t at,
                       const Lapwing__Command *command,
                       const Lapwing__Outcome *outcome)
{
    struct outcome_copy *copy = context;

    copy->reply->outcome = (Lapwing__Outcome *)(uintptr_t)outcome;
    if (!copy->swallow)
        send_reply(copy->stream, LAPWING__STATE_FRAME__PROPOSE_REPLY, &copy->reply->base);
}

static void fake_propose(struct cluster *cluster, struct stream *stream, struct bytes body)
{
    Lapwing__ProposeRequest *request = lapwing__propose_request__unpack(NULL, body.len, body.data);
    Lapwing__ProposeReply reply = LAPWING__PROPOSE_REPLY__INIT;
    struct outcome_copy copy = { .reply = &reply, .stream = stream };
    Lapwing__Entry entry = LAPWING__ENTRY__INIT;
    struct state_position at = { ++cluster->index, 1 };
    struct err err = { 0 };

    CHECK(request != NULL);
    reply.id = request->id;
    copy.swallow = cluster->swallow > 0;
    cluster->swallow -= copy.swallow;
    entry.format = 1;
    entry.leader_ms = clock_stamp_ms(&clock_system);
    entry.n_commands = 1;
    entry.commands = &request->command;
    CHECK(state_apply_entry(cluster->state, &entry, at, on_outcome, &copy, &err) == ST_OK);
    uv_mutex_lock(&cluster->mutex);
    cluster->commands++;
    uv_mutex_unlock(&cluster->mutex);
    lapwing__propose_request__free_unpacked(request, NULL);
}

static void fake_read(struct cluster *cluster, struct stream *stream, struct bytes body)
{
    Lapwing__ReadRequest *request = lapwing__read_request__unpack(NULL, body.len, body.data);
    Lapwing__ReadReply reply = LAPWING__READ_REPLY__INIT;
    struct err err = { 0 };

    CHECK(request != NULL);
    CHECK(state_read(state_reader_of(cluster->state), request, &reply, &err) == ST_OK);
    send_reply(stream, LAPWING__STATE_FRAME__READ_REPLY, &reply.base);
    state_read_reply_done(&reply);
    lapwing__read_request__free_unpacked(request, NULL);
}

static void fake_frame(struct stream *stream, uint16_t type, struct bytes body, void *context)
{
    if (type == LAPWING__STATE_FRAME__PROPOSE_REQUEST)
        fake_propose(context, stream, body);
    else
        fake_read(context, stream, body);
}

static void fake_close(struct stream *stream, enum status why, const struct err *err, void *context)
{
}

static void *fake_accept(struct stream *stream, const struct stream_hello *peer, void *context)
{
    return context;
}

static const struct stream_handler fake_handler = { NULL, fake_frame, NULL, fake_close };

/* ---- zones ---- */

static const char *const names[CLUSTER_ZONES_MAX] = { "a", "b", "c" };

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

static void zone_start(struct cluster *cluster, unsigned at)
{
    struct zone *zone = &cluster->zone[at];
    struct peer_address others[CLUSTER_ZONES_MAX];
    const char *state_addresses[] = { cluster->state_address };
    struct peers_options peers = { .loop = &cluster->loop,
                                   .addresses = others,
                                   .detection = { 300, 900, PEERS_TICK_MS } };
    struct s3_options s3 = { .loop = &cluster->loop,
                             .listen = "127.0.0.1:0",
                             .clock = &clock_system };
    struct err err = { 0 };

    zone->cluster = cluster;
    (void)strcpy(zone->dir, "/tmp/objstore-test-XXXXXX");
    CHECK(mkdtemp(zone->dir) != NULL);
    CHECK(blob_store_open(&cluster->loop, zone->dir, &zone->store, &err) == ST_OK);
    CHECK(state_link_new(&cluster->loop, &zone->identity, state_addresses, 1, &zone->link, &err) ==
          ST_OK);
    for (unsigned i = 0; i < cluster->zones; i++)
        if (i != at)
            others[peers.count++] =
                (struct peer_address){ names[i], cluster->zone[i].stream_address };
    peers.identity = &zone->identity;
    peers.store = zone->store;
    peers.listen = zone->stream_address;
    CHECK(peers_open(&peers, &zone->peers, &err) == ST_OK);
    s3.keys = &cluster->keys;
    s3.store = zone->store;
    s3.peers = zone->peers;
    s3.link = zone->link;
    CHECK(s3_server_open(&s3, &zone->s3, &err) == ST_OK);
    zone->port = s3_server_port(zone->s3);
    zone->is_up = true;
}

static void s3_closed(void *context)
{
    struct zone *zone = context;

    zone->s3_closed = true;
}

static void zone_stop(struct zone *zone)
{
    if (!zone->is_up)
        return;
    zone->is_up = false;
    state_link_close(zone->link);
    peers_close(zone->peers);
    s3_server_close(zone->s3, s3_closed, zone);
}

/* ---- orders from the test thread ---- */

static void stop(struct cluster *cluster)
{
    for (unsigned i = 0; i < cluster->zones; i++)
        zone_stop(&cluster->zone[i]);
    stream_listener_close(cluster->listener);
    uv_close((uv_handle_t *)&cluster->async, NULL);
    uv_close((uv_handle_t *)&cluster->turned, NULL);
}

/* False: it waits, until a later turn. */
static bool perform(struct cluster *cluster)
{
    switch (cluster->order) {
    case ORDER_STOP:
        stop(cluster);
        break;
    case ORDER_KILL:
        zone_stop(&cluster->zone[cluster->argument]);
        break;
    case ORDER_WAIT_ZONES:
        return peers_zones_connected(cluster->zone[cluster->argument].peers) == cluster->others;
    case ORDER_SWALLOW:
        cluster->swallow = cluster->argument;
        break;
    case ORDER_NONE:
        break;
    }
    return true;
}

static void take_order(struct cluster *cluster)
{
    uv_mutex_lock(&cluster->mutex);
    if (cluster->order != ORDER_NONE && perform(cluster)) {
        cluster->order = ORDER_NONE;
        uv_cond_signal(&cluster->answered);
    }
    uv_mutex_unlock(&cluster->mutex);
}

static void async_cb(uv_async_t *async)
{
    take_order(container_of(async, struct cluster, async));
}

/* Who is connected changes only when the loop turns. */
static void turned_cb(uv_check_t *check)
{
    take_order(container_of(check, struct cluster, turned));
}

static void order(struct cluster *cluster, enum order_kind kind, unsigned argument, unsigned others)
{
    int rv = 0;

    uv_mutex_lock(&cluster->mutex);
    cluster->order = kind;
    cluster->argument = argument;
    cluster->others = others;
    CHECK(uv_async_send(&cluster->async) == 0);
    while (cluster->order != ORDER_NONE && rv == 0)
        rv = uv_cond_timedwait(&cluster->answered, &cluster->mutex, WAIT_NS);
    CHECK(rv == 0); /* else it is not done after longer than any machine needs */
    uv_mutex_unlock(&cluster->mutex);
}

static void thread_main(void *context)
{
    struct cluster *cluster = context;

    (void)uv_run(&cluster->loop, UV_RUN_DEFAULT);
}

struct cluster *cluster_start(unsigned zones)
{
    struct cluster *cluster = must_calloc(1, sizeof *cluster);
    struct err err = { 0 };

    CHECK(zones <= CLUSTER_ZONES_MAX);
    cluster->zones = zones;
    memset(cluster->key, 7, sizeof cluster->key);
    cluster->key_list[0] = (struct s3_key){ "test", "test" };
    cluster->keys =
        (struct s3_keys){ cluster->key_list, 1, bytes_of(cluster->key, sizeof cluster->key) };
    CHECK(uv_loop_init(&cluster->loop) == 0);
    CHECK(uv_async_init(&cluster->loop, &cluster->async, async_cb) == 0);
    CHECK(uv_check_init(&cluster->loop, &cluster->turned) == 0);
    CHECK(uv_check_start(&cluster->turned, turned_cb) == 0);
    CHECK(uv_mutex_init(&cluster->mutex) == 0);
    CHECK(uv_cond_init(&cluster->answered) == 0);
    CHECK(state_open(":memory:", STATE_GROUP_STORAGE, &cluster->state, &err) == ST_OK);
    test_identity("test/controlplane/a/state", &cluster->state_identity);
    free_address(cluster->state_address);
    CHECK(stream_listen(&cluster->loop,
                        &(struct stream_listen_options){
                            .address = cluster->state_address,
                            .identity = &cluster->state_identity,
                            .service = STREAM_STATE,
                            .handler = &fake_handler,
                            .accepted = fake_accept,
                            .context = cluster,
                        },
                        &cluster->listener, &err) == ST_OK);
    for (unsigned i = 0; i < zones; i++) {
        char path[64];

        (void)snprintf(path, sizeof path, "test/objstore/%s/%s", names[i], names[i]);
        test_identity(path, &cluster->zone[i].identity);
        free_address(cluster->zone[i].stream_address);
    }
    for (unsigned i = 0; i < zones; i++)
        zone_start(cluster, i);
    CHECK(uv_thread_create(&cluster->thread, thread_main, cluster) == 0);
    for (unsigned i = 0; i < zones; i++)
        cluster_wait_connected(cluster, i, zones - 1);
    return cluster;
}

void cluster_stop(struct cluster *cluster)
{
    order(cluster, ORDER_STOP, 0, 0);
    CHECK(uv_thread_join(&cluster->thread) == 0);
    for (unsigned i = 0; i < cluster->zones; i++) {
        char command[96];

        CHECK(cluster->zone[i].s3_closed);
        peers_free(cluster->zone[i].peers);
        blob_store_close(cluster->zone[i].store);
        (void)snprintf(command, sizeof command, "rm -rf %s", cluster->zone[i].dir);
        CHECK(system(command) == 0);
    }
    CHECK(uv_loop_close(&cluster->loop) == 0);
    for (unsigned i = 0; i < cluster->zones; i++)
        identity_done(&cluster->zone[i].identity);
    identity_done(&cluster->state_identity);
    state_close(cluster->state);
    uv_cond_destroy(&cluster->answered);
    uv_mutex_destroy(&cluster->mutex);
    free(cluster);
}

unsigned cluster_port(const struct cluster *cluster, unsigned zone)
{
    return cluster->zone[zone].port;
}

const char *cluster_dir(const struct cluster *cluster, unsigned zone)
{
    return cluster->zone[zone].dir;
}

const uint8_t *cluster_key(const struct cluster *cluster)
{
    return cluster->key;
}

void cluster_wait_connected(struct cluster *cluster, unsigned zone, unsigned others)
{
    order(cluster, ORDER_WAIT_ZONES, zone, others);
}

void cluster_kill(struct cluster *cluster, unsigned zone)
{
    order(cluster, ORDER_KILL, zone, 0);
}

void cluster_swallow_replies(struct cluster *cluster, unsigned count)
{
    order(cluster, ORDER_SWALLOW, count, 0);
}

unsigned cluster_commands(struct cluster *cluster)
{
    unsigned commands;

    uv_mutex_lock(&cluster->mutex);
    commands = cluster->commands;
    uv_mutex_unlock(&cluster->mutex);
    return commands;
}
