/* TCP relay.  Loop thread.
 *
 * A pair lives until both of its handles are closed; each direction is
 *   reading -> (bytes) -> writing -> (written) -> reading, and at end of file a shutdown.
 * Towards a target that wants TLS a tls_link does that on descriptors of its own, and counts as the
 * pair's one handle. */
#include "worker/runtime/relay.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/log.h"
#include "base/log_limit_rules.h"
#include "base/tls_link.h"

enum { BACKLOG = 64, INSIDE = 0, OUTSIDE = 1, RELAY_NAME_BYTES_MAX = 253 };

struct relay_pair;

struct relay_side {
    uv_tcp_t tcp;
    struct relay_pair *pair;
    uv_write_t write; /* of what the other side said */
    uv_shutdown_t shutdown;
    bool ended; /* end of file was read here */
    char buffer[RELAY_BUFFER_BYTES];
};

struct relay_pair {
    struct relay_side side[2]; /* INSIDE, OUTSIDE */
    struct relay *relay;       /* NULL once taken off its list */
    struct relay_pair *next;
    uv_connect_t connect;
    size_t target; /* index of the address being tried */
    unsigned open_handles;
    bool closing, reconnecting;
    struct tls_link *link; /* in place of both sides, once a target that wants TLS is connected */
};

struct relay {
    uv_tcp_t listener;
    const struct relay_targets *targets;
    struct relay_pair *pairs;
    size_t pair_count;
    struct log_limit refused;
};

static void pair_connect(struct relay_pair *pair);

static void side_close_cb(uv_handle_t *handle)
{
    struct relay_side *side = container_of((uv_tcp_t *)handle, struct relay_side, tcp);
    struct relay_pair *pair = side->pair;

    pair->open_handles--;
    if (pair->reconnecting && !pair->closing) {
        pair->reconnecting = false;
        pair_connect(pair);
        return;
    }
    if (pair->closing && pair->open_handles == 0)
        free(pair);
}

static void sides_close(struct relay_pair *pair)
{
    for (int i = 0; i < 2; i++)
        if (pair->side[i].pair != NULL && !uv_is_closing((uv_handle_t *)&pair->side[i].tcp))
            uv_close((uv_handle_t *)&pair->side[i].tcp, side_close_cb);
}

static void pair_close(struct relay_pair *pair)
{
    struct relay_pair **at;

    if (pair->closing)
        return;
    pair->closing = true;
    if (pair->relay != NULL) {
        for (at = &pair->relay->pairs; *at != pair; at = &(*at)->next)
            CHECK(*at != NULL);
        *at = pair->next;
        pair->relay->pair_count--;
        pair->relay = NULL;
    }
    sides_close(pair);
    if (pair->link != NULL)
        tls_link_cut(pair->link);
}

static struct relay_side *other_side(struct relay_side *side)
{
    struct relay_pair *pair = side->pair;

    return side == &pair->side[INSIDE] ? &pair->side[OUTSIDE] : &pair->side[INSIDE];
}

static void alloc_cb(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct relay_side *side = container_of((uv_tcp_t *)handle, struct relay_side, tcp);

    *out = uv_buf_init(side->buffer, sizeof side->buffer);
}

static void read_cb(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf);

static void write_cb(uv_write_t *req, int status)
{
    struct relay_side *to = container_of(req, struct relay_side, write);
    struct relay_side *from = other_side(to);

    if (status < 0) {
        pair_close(to->pair);
        return;
    }
    if (!to->pair->closing && uv_read_start((uv_stream_t *)&from->tcp, alloc_cb, read_cb) < 0)
        pair_close(to->pair);
}

static void shutdown_cb(uv_shutdown_t *req, int status)
{
    struct relay_side *to = container_of(req, struct relay_side, shutdown);

    if (status < 0 || (to->ended && other_side(to)->ended))
        pair_close(to->pair);
}

static void read_cb(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct relay_side *from = container_of((uv_tcp_t *)stream, struct relay_side, tcp);
    struct relay_side *to = other_side(from);
    uv_buf_t out;
    int rv = 0;

    if (got == 0)
        return;
    (void)uv_read_stop(stream);
    if (got == UV_EOF) {
        from->ended = true;
        rv = uv_shutdown(&to->shutdown, (uv_stream_t *)&to->tcp, shutdown_cb);
    } else if (got > 0) {
        out = uv_buf_init(buf->base, (unsigned)got);
        rv = uv_write(&to->write, (uv_stream_t *)&to->tcp, &out, 1, write_cb);
    }
    if (rv < 0 || (got < 0 && got != UV_EOF))
        pair_close(from->pair);
}

static void no_first_cb(struct tls_link *link, void *context)
{
    CHECK(!"relay: its links are joined before they begin");
}

static void link_closed_cb(enum status outcome, const struct err *why, void *context)
{
    struct relay_pair *pair = context;
    uint32_t left_out;

    /* Every connection of every function meets the same wrong certificate. */
    if (outcome == ST_DENIED && !pair->closing &&
        log_limit_allows(&pair->relay->refused, uv_now(pair->relay->listener.loop), &left_out))
        log_event(LOG_ERROR, "api_not_believed", LS("why", why->text), LU("left_out", left_out));
    pair->link = NULL;
    pair->open_handles--;
    pair_close(pair);
    if (pair->open_handles == 0)
        free(pair);
}

/* A descriptor of its own for the socket of a side, which may then be closed; -1 with errno. */
static int side_descriptor(struct relay_side *side)
{
    uv_os_fd_t fd;

    int rv = uv_fileno((uv_handle_t *)&side->tcp, &fd);

    CHECK(rv == 0); /* both are connected */
    return fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

static void name_target(const struct relay_pair *pair, char *out, size_t size)
{
    const struct relay_targets *targets = pair->relay->targets;

    if (targets->peer_name != NULL)
        (void)snprintf(out, size, "%s", targets->peer_name);
    else
        (void)uv_ip_name((const struct sockaddr *)&targets->list[pair->target], out, size);
}

/* From here a link has both sockets. */
static void pair_secure(struct relay_pair *pair)
{
    static const struct tls_link_events events = { .on_first = no_first_cb,
                                                   .on_closed = link_closed_cb };
    char name[RELAY_NAME_BYTES_MAX + 1] = "";
    struct tls_link_spec spec = {
        .tls = pair->relay->targets->trust,
        .peer_name = name,
        .events = &events,
        .context = pair,
    };
    int inside = side_descriptor(&pair->side[INSIDE]);
    struct err err;

    name_target(pair, name, sizeof name);
    spec.fd = inside < 0 ? -1 : side_descriptor(&pair->side[OUTSIDE]);
    if (spec.fd < 0 ||
        tls_link_new(pair->relay->listener.loop, &spec, &pair->link, &err) != ST_OK) {
        if (inside >= 0)
            (void)close(inside);
        if (spec.fd >= 0)
            (void)close(spec.fd);
        pair_close(pair);
        return;
    }
    pair->open_handles++;
    tls_link_join(pair->link, inside);
    sides_close(pair);
}

static void connect_cb(uv_connect_t *req, int status)
{
    struct relay_pair *pair = container_of(req, struct relay_pair, connect);

    if (pair->closing)
        return;
    if (status < 0) {
        if (++pair->target == pair->relay->targets->count) {
            pair_close(pair);
            return;
        }
        pair->reconnecting = true; /* a socket that failed cannot be used again */
        uv_close((uv_handle_t *)&pair->side[OUTSIDE].tcp, side_close_cb);
        return;
    }
    for (int i = 0; i < 2; i++)
        (void)uv_tcp_nodelay(&pair->side[i].tcp, 1);
    if (pair->relay->targets->https[pair->target]) {
        pair_secure(pair);
        return;
    }
    for (int i = 0; i < 2; i++) {
        if (uv_read_start((uv_stream_t *)&pair->side[i].tcp, alloc_cb, read_cb) < 0) {
            pair_close(pair);
            return;
        }
    }
}

static void side_init(struct relay_pair *pair, int index, uv_loop_t *loop)
{
    int rv = uv_tcp_init(loop, &pair->side[index].tcp);

    CHECK(rv == 0); /* only initialises memory */
    pair->side[index].pair = pair;
    pair->open_handles++;
}

static void pair_connect(struct relay_pair *pair)
{
    const struct relay_targets *targets = pair->relay->targets;

    side_init(pair, OUTSIDE, pair->relay->listener.loop);
    if (uv_tcp_connect(&pair->connect, &pair->side[OUTSIDE].tcp,
                       (const struct sockaddr *)&targets->list[pair->target], connect_cb) < 0)
        pair_close(pair);
}

static void connection_cb(uv_stream_t *listener, int status)
{
    struct relay *relay = container_of((uv_tcp_t *)listener, struct relay, listener);
    struct relay_pair *pair;

    if (status < 0)
        return;
    pair = must_calloc(1, sizeof *pair);
    side_init(pair, INSIDE, listener->loop);
    pair->relay = relay;
    pair->next = relay->pairs;
    relay->pairs = pair;
    relay->pair_count++;
    if (uv_accept(listener, (uv_stream_t *)&pair->side[INSIDE].tcp) < 0 ||
        relay->pair_count > RELAY_CONNECTIONS_MAX || relay->targets->count == 0) {
        pair_close(pair);
        return;
    }
    pair_connect(pair);
}

static void listener_close_cb(uv_handle_t *handle)
{
    free(container_of((uv_tcp_t *)handle, struct relay, listener));
}

void relay_close(struct relay *relay)
{
    if (relay == NULL)
        return;
    while (relay->pairs != NULL)
        pair_close(relay->pairs);
    if (!uv_is_closing((uv_handle_t *)&relay->listener))
        uv_close((uv_handle_t *)&relay->listener, listener_close_cb);
}

enum status relay_start(uv_loop_t *loop,
                        int fd,
                        const struct relay_targets *targets,
                        struct relay **out_relay,
                        struct err *err)
{
    struct relay *relay = must_calloc(1, sizeof *relay);
    int rv = uv_tcp_init(loop, &relay->listener);

    CHECK(rv == 0); /* only initialises memory */
    relay->targets = targets;
    rv = uv_tcp_open(&relay->listener, fd);
    if (rv < 0)
        (void)close(fd);
    if (rv == 0)
        rv = uv_listen((uv_stream_t *)&relay->listener, BACKLOG, connection_cb);
    if (rv < 0) {
        relay_close(relay);
        return err_set(err, ST_IO, "listen for a relay: %s", uv_strerror(rv));
    }
    *out_relay = relay;
    return ST_OK;
}
