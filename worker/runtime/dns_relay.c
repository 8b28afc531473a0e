/* DNS relay over UDP.  Loop thread. */
#include "worker/runtime/dns_relay.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/hash.h"

enum { HEADER_BYTES = 12, PORT = 53 };

struct dns_query {
    bool open;
    uint16_t id;        /* ours, on the wire to the resolver */
    uint16_t client_id; /* the function's */
    struct sockaddr_in client;
    size_t resolver;
    size_t question_bytes;
    uint8_t question[DNS_QUERY_BYTES_MAX];
};

struct dns_relay {
    uv_udp_t inside;
    uv_udp_t outside;
    bool outside_open;
    bool closing;
    unsigned open_handles;
    const struct relay_targets *resolvers;
    size_t next;               /* of `queries`, which is a ring */
    struct dns_query *queries; /* DNS_QUERIES_MAX of them, from the first query on */
};

/* One packet at a time is looked at, so that one buffer does for all. */
static char packet_buffer[DNS_ANSWER_BYTES_MAX];

bool dns_is_query(struct bytes packet, size_t *out_question_bytes)
{
    size_t at = HEADER_BYTES;

    if (packet.len < HEADER_BYTES || packet.len > DNS_QUERY_BYTES_MAX)
        return false;
    /* QR and opcode 0; one question, no answer, no authority. */
    if ((packet.data[2] & 0xf8) != 0 || packet.data[4] != 0 || packet.data[5] != 1)
        return false;
    if (packet.data[6] != 0 || packet.data[7] != 0 || packet.data[8] != 0 || packet.data[9] != 0)
        return false;
    while (at < packet.len && packet.data[at] != 0) {
        if (packet.data[at] > 63)
            return false;
        at += 1u + packet.data[at];
    }
    if (at + 5 > packet.len || at - HEADER_BYTES > 254)
        return false;
    *out_question_bytes = at + 5 - HEADER_BYTES;
    return true;
}

void dns_resolvers_parse(const char *text, struct relay_targets *out)
{
    while (text != NULL && *text != '\0' && out->count < RELAY_TARGETS_MAX) {
        struct sockaddr_storage *slot = &out->list[out->count];
        char address[64];

        *slot = (struct sockaddr_storage){ 0 };
        if (sscanf(text, "nameserver %63s", address) == 1) {
            struct sockaddr_in *v4 = (struct sockaddr_in *)slot;
            struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)slot;

            if (inet_pton(AF_INET, address, &v4->sin_addr) == 1) {
                v4->sin_family = AF_INET;
                v4->sin_port = htons(PORT);
                out->count++;
            } else if (inet_pton(AF_INET6, address, &v6->sin6_addr) == 1) {
                v6->sin6_family = AF_INET6;
                v6->sin6_port = htons(PORT);
                out->count++;
            }
        }
        text = strchr(text, '\n');
        text = text == NULL ? NULL : text + 1;
    }
}

static void alloc_cb(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    *out = uv_buf_init(packet_buffer, sizeof packet_buffer);
}

static void send_packet(uv_udp_t *from, struct bytes packet, const struct sockaddr *to)
{
    uv_buf_t buf = uv_buf_init((char *)(uintptr_t)packet.data, (unsigned)packet.len);

    /* UDP: what the socket does not take now is lost, and the client asks again. */
    (void)uv_udp_try_send(from, &buf, 1, to);
}

static bool address_equal(const struct sockaddr *a, const struct sockaddr *b)
{
    if (a->sa_family != b->sa_family)
        return false;
    if (a->sa_family == AF_INET) {
        const struct sockaddr_in *x = (const struct sockaddr_in *)a;
        const struct sockaddr_in *y = (const struct sockaddr_in *)b;

        return x->sin_port == y->sin_port && x->sin_addr.s_addr == y->sin_addr.s_addr;
    }
    const struct sockaddr_in6 *x = (const struct sockaddr_in6 *)a;
    const struct sockaddr_in6 *y = (const struct sockaddr_in6 *)b;

    return x->sin6_port == y->sin6_port && memcmp(&x->sin6_addr, &y->sin6_addr, 16) == 0;
}

static void answer_cb(
    uv_udp_t *handle, ssize_t got, const uv_buf_t *buf, const struct sockaddr *from, unsigned flags)
{
    struct dns_relay *relay = container_of(handle, struct dns_relay, outside);
    uint8_t *packet = (uint8_t *)buf->base;
    uint16_t id;

    if (got < HEADER_BYTES || from == NULL || (packet[2] & 0x80) == 0)
        return;
    id = (uint16_t)(packet[0] << 8 | packet[1]);
    for (size_t i = 0; i < DNS_QUERIES_MAX; i++) {
        struct dns_query *query = &relay->queries[i];
        struct bytes question = bytes_of(query->question, query->question_bytes);

        if (!query->open || query->id != id || (size_t)got < HEADER_BYTES + query->question_bytes ||
            !bytes_equal(question, bytes_of(packet + HEADER_BYTES, query->question_bytes)) ||
            !address_equal(from, (const struct sockaddr *)&relay->resolvers->list[query->resolver]))
            continue;
        query->open = false;
        packet[0] = (uint8_t)(query->client_id >> 8);
        packet[1] = (uint8_t)query->client_id;
        send_packet(&relay->inside, bytes_of(packet, (size_t)got),
                    (const struct sockaddr *)&query->client);
        return;
    }
}

/* The outgoing socket and the ring, made when first needed: most functions ask for no name. */
static bool open_outside(struct dns_relay *relay)
{
    struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_addr = in6addr_any };
    struct sockaddr_in any4 = { .sin_family = AF_INET };
    bool v6 = relay->resolvers->list[0].ss_family == AF_INET6;
    int rv;

    if (relay->outside_open)
        return true;
    rv = uv_udp_init(relay->inside.loop, &relay->outside);
    CHECK(rv == 0); /* only initialises memory */
    relay->queries = must_calloc(DNS_QUERIES_MAX, sizeof *relay->queries);
    relay->outside_open = true;
    relay->open_handles++;
    rv = uv_udp_bind(&relay->outside,
                     v6 ? (const struct sockaddr *)&any6 : (const struct sockaddr *)&any4, 0);
    return rv == 0 && uv_udp_recv_start(&relay->outside, alloc_cb, answer_cb) == 0;
}

/* The resolver for this query: a client that asks the same again was not answered, so the next. */
static size_t choose_resolver(struct dns_relay *relay, struct bytes question)
{
    size_t chosen = 0;

    for (size_t i = 0; i < DNS_QUERIES_MAX; i++) {
        struct dns_query *query = &relay->queries[i];

        if (!query->open ||
            !bytes_equal(question, bytes_of(query->question, query->question_bytes)))
            continue;
        chosen = (query->resolver + 1) % relay->resolvers->count;
    }
    return chosen;
}

static void query_cb(
    uv_udp_t *handle, ssize_t got, const uv_buf_t *buf, const struct sockaddr *from, unsigned flags)
{
    struct dns_relay *relay = container_of(handle, struct dns_relay, inside);
    uint8_t *packet = (uint8_t *)buf->base;
    struct dns_query *query;
    size_t question_bytes, resolver;

    if (got <= 0 || from == NULL || from->sa_family != AF_INET || relay->resolvers->count == 0)
        return;
    if (!dns_is_query(bytes_of(packet, (size_t)got), &question_bytes) || !open_outside(relay))
        return;
    resolver = choose_resolver(relay, bytes_of(packet + HEADER_BYTES, question_bytes));
    query = &relay->queries[relay->next++ % DNS_QUERIES_MAX];
    query->open = true;
    query->client_id = (uint16_t)(packet[0] << 8 | packet[1]);
    query->client = *(const struct sockaddr_in *)from;
    query->resolver = resolver;
    query->question_bytes = question_bytes;
    memcpy(query->question, packet + HEADER_BYTES, question_bytes);
    random_bytes(&query->id, sizeof query->id);
    packet[0] = (uint8_t)(query->id >> 8);
    packet[1] = (uint8_t)query->id;
    send_packet(&relay->outside, bytes_of(packet, (size_t)got),
                (const struct sockaddr *)&relay->resolvers->list[resolver]);
}

static void close_handle(struct dns_relay *relay)
{
    if (--relay->open_handles > 0)
        return;
    free(relay->queries);
    free(relay);
}

static void inside_close_cb(uv_handle_t *handle)
{
    close_handle(container_of((uv_udp_t *)handle, struct dns_relay, inside));
}

static void outside_close_cb(uv_handle_t *handle)
{
    close_handle(container_of((uv_udp_t *)handle, struct dns_relay, outside));
}

void dns_relay_close(struct dns_relay *relay)
{
    if (relay == NULL || relay->closing)
        return;
    relay->closing = true;
    uv_close((uv_handle_t *)&relay->inside, inside_close_cb);
    if (relay->outside_open)
        uv_close((uv_handle_t *)&relay->outside, outside_close_cb);
}

enum status dns_relay_start(uv_loop_t *loop,
                            int fd,
                            const struct relay_targets *resolvers,
                            struct dns_relay **out_relay,
                            struct err *err)
{
    struct dns_relay *relay = must_calloc(1, sizeof *relay);
    int rv = uv_udp_init(loop, &relay->inside);

    CHECK(rv == 0); /* only initialises memory */
    relay->open_handles = 1;
    relay->resolvers = resolvers;
    rv = uv_udp_open(&relay->inside, fd);
    if (rv < 0)
        (void)close(fd);
    if (rv == 0)
        rv = uv_udp_recv_start(&relay->inside, alloc_cb, query_cb);
    if (rv < 0) {
        dns_relay_close(relay);
        return err_set(err, ST_IO, "receive DNS queries: %s", uv_strerror(rv));
    }
    *out_relay = relay;
    return ST_OK;
}
