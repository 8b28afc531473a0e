/* Opening, closing and the common timer.  Owner: main().  Thread: the loop's. */
#include "objstore/peers/peers.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "objstore/peers/peers_internal.h"

void peers_watch(struct peers *peers)
{
    uint64_t pause_ms = failure_watch_run(&peers->watch, clock_lease_ns(&clock_system) / 1000000);

    if (pause_ms > 0 && peers->link_count > 0)
        log_event(LOG_WARN, "watch_was_paused", LU("pause_ms", pause_ms),
                  LS("then", "no peer is blamed for that time"));
}

static void tick_cb(uv_timer_t *timer)
{
    struct peers *peers = container_of(timer, struct peers, tick);
    uint64_t now_ms = uv_now(peers->loop);

    peers_watch(peers);
    for (size_t i = 0; i < peers->link_count; i++)
        peer_link_tick(peers->links[i]);
    if (peers->keeper != NULL)
        keeper_tick(peers->keeper);
    puts_tick(peers, now_ms);
    fetches_tick(peers, now_ms);
}

enum status peers_open(const struct peers_options *options,
                       struct peers **out_peers,
                       struct err *err)
{
    struct peers *peers;
    enum status st = ST_OK;

    if (options->count > PEERS_MAX)
        return err_set(err, ST_BAD_INPUT, "%zu peers, want at most %d", options->count, PEERS_MAX);
    peers = must_calloc(1, sizeof *peers);
    peers->loop = options->loop;
    peers->store = options->store;
    peers->zone = options->identity->self.zone;
    failure_watch_start(&peers->watch, &options->detection,
                        clock_lease_ns(&clock_system) / 1000000);
    CHECK(uv_timer_init(options->loop, &peers->tick) == 0);
    CHECK(uv_timer_start(&peers->tick, tick_cb, PEERS_TICK_MS, PEERS_TICK_MS) == 0);
    if (options->listen != NULL)
        st = keeper_open(peers, options->listen, options->identity, &peers->keeper, err);
    for (size_t i = 0; i < options->count && st == ST_OK; i++) {
        st = peer_link_new(peers, &options->addresses[i], options->identity, &peers->links[i], err);
        peers->link_count += st == ST_OK;
    }
    if (st != ST_OK) {
        /* The loop still holds closing handles that point in here, and the program ends: what is
         * left is the process's. */
        peers_close(peers);
        return st;
    }
    *out_peers = peers;
    return ST_OK;
}

void peers_close(struct peers *peers)
{
    if (peers == NULL || peers->closing)
        return;
    peers->closing = true;
    puts_cancel(peers);
    fetches_cancel(peers);
    for (size_t i = 0; i < peers->link_count; i++)
        peer_link_close(peers->links[i]);
    keeper_close(peers->keeper);
    uv_close((uv_handle_t *)&peers->tick, NULL);
}

void peers_free(struct peers *peers)
{
    if (peers == NULL)
        return;
    CHECK(peers->closing);
    CHECK(peers->puts == NULL);
    CHECK(peers->fetches == NULL);
    for (size_t i = 0; i < peers->link_count; i++)
        free(peers->links[i]);
    keeper_free(peers->keeper);
    free(peers);
}

unsigned peers_zones_connected(const struct peers *peers)
{
    struct copy_peer standing[PEERS_MAX];
    bool connected[PEERS_MAX];

    for (size_t i = 0; i < peers->link_count; i++) {
        standing[i] = peer_link_standing(peers->links[i]);
        connected[i] = standing[i].connected;
    }
    return copies_zones(standing, peers->link_count, peers->zone, connected);
}
