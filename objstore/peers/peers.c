/* Opening, closing and the common timer.  Owner: main().  Thread: the loop's. */
#include "objstore/peers/peers.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "objstore/peers/peers_internal.h"

enum { TICK_MS = 200 };

static void tick_cb(uv_timer_t *timer)
{
    struct peers *peers = container_of(timer, struct peers, tick);
    uint64_t now_ms = uv_now(peers->loop);

    puts_tick(peers, now_ms);
    fetches_tick(peers, now_ms);
    peers_tick_update(peers);
}

void peers_tick_update(struct peers *peers)
{
    bool wanted = !peers->closing && (peers->puts != NULL || peers->fetches != NULL);
    bool active = uv_is_active((uv_handle_t *)&peers->tick) != 0;

    if (wanted && !active)
        CHECK(uv_timer_start(&peers->tick, tick_cb, TICK_MS, TICK_MS) == 0);
    if (!wanted && active)
        (void)uv_timer_stop(&peers->tick);
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
    CHECK(uv_timer_init(options->loop, &peers->tick) == 0);
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
    unsigned count = 0;

    for (size_t i = 0; i < peers->link_count; i++) {
        const struct peer_link *link = peers->links[i];
        bool again = strcmp(link->zone, peers->zone) == 0;

        if (stream_dialer_current(link->dialer) == NULL)
            continue;
        for (size_t j = 0; j < i && !again; j++)
            again = stream_dialer_current(peers->links[j]->dialer) != NULL &&
                    strcmp(peers->links[j]->zone, link->zone) == 0;
        count += !again;
    }
    return count;
}
