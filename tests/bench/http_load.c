#include "tests/bench/http_load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/http_parser.h"
#include "base/sigv4.h"

enum {
    READ_BYTES = 1 << 18,
    TAIL_BYTES = LOAD_BYTES_MIN,
    EVENTS_MAX = 64,
    SAMPLES_FIRST = 4096,
    FAILURES_MAX = 10000, /* of one thread: then the server is broken, and going on tells nothing */
};

struct load;

struct connection {
    int fd;
    bool idle; /* nothing more to ask */
    struct http_parser parser;
    struct buf head; /* and, for etcd, the body */
    uint8_t tail[TAIL_BYTES];
    uint64_t number;
    size_t sent;
    size_t total;
    double started_us;
    uint64_t got;   /* bytes of the answer's body */
    bool wrong;     /* they are not the object's */
    char text[120]; /* the beginning of the answer's body, for failures */
};

/* The signed head of a GET, good for one second. */
struct signed_head {
    struct buf head;
    uint64_t at_s;
};

struct thread {
    struct load *load;
    pthread_t thread;
    int epoll;
    unsigned count;
    unsigned busy;
    struct connection *connections;
    struct signed_head *heads;
    uint8_t *input;
    float *us;
    uint64_t samples;
    uint64_t room;
    uint64_t failed;
    uint64_t unfinished;
    double last_us;
    char failure[160];
};

struct load {
    const struct load_settings *settings;
    uint8_t *pattern;           /* what every body begins with */
    EVP_MD_CTX *pattern_digest; /* of all but the tail; copied for each PUT */
    atomic_uint_fast64_t next;
    double until_us;
};

static double now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void die(const char *what)
{
    (void)fprintf(stderr, "http_load: %s\n", what);
    exit(1);
}

/* ---- what is asked ---- */

static void tail_of(const struct load_settings *settings, uint64_t number, uint8_t *out)
{
    memcpy(out, &number, sizeof number);
    memcpy(out + sizeof number, &settings->seed, sizeof settings->seed);
}

static void fill_pattern(struct load *load)
{
    uint64_t bytes = load->settings->bytes;
    uint64_t x = load->settings->seed * 2654435761U + 88172645463325252U;

    load->pattern = must_calloc(bytes + sizeof x, 1);
    for (uint64_t i = 0; i < bytes; i += sizeof x) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
        memcpy(load->pattern + i, &x, sizeof x);
    }
    load->pattern_digest = EVP_MD_CTX_new();
    CHECK(load->pattern_digest != NULL);
    CHECK(EVP_DigestInit_ex(load->pattern_digest, EVP_sha256(), NULL) == 1);
    CHECK(EVP_DigestUpdate(load->pattern_digest, load->pattern, bytes - TAIL_BYTES) == 1);
}

static void digest_of_put(const struct load *load, const uint8_t *tail, uint8_t *out)
{
    EVP_MD_CTX *digest = EVP_MD_CTX_new();

    CHECK(digest != NULL);
    CHECK(EVP_MD_CTX_copy_ex(digest, load->pattern_digest) == 1);
    CHECK(EVP_DigestUpdate(digest, tail, TAIL_BYTES) == 1);
    CHECK(EVP_DigestFinal_ex(digest, out, NULL) == 1);
    EVP_MD_CTX_free(digest);
}

/* Append the fields of a signature over `digest`, with their values. */
static void sign(const struct load_settings *settings,
                 const char *method,
                 const char *target,
                 const char *host,
                 const uint8_t *digest,
                 struct buf *out)
{
    uint64_t now_s = (uint64_t)time(NULL);
    struct sigv4_signer signer = { settings->key, settings->secret, "us-east-1", "s3", now_s };
    char date[17];
    char hex[SHA256_HEX_BYTES];
    struct buf authorization = { 0 };
    struct err err;

    sigv4_timestamp(now_s, date);
    hex_encode(bytes_of(digest, SHA256_BYTES), hex);
    struct http_field fields[] = {
        { bytes_of_text("Host"), bytes_of_text(host) },
        { bytes_of_text("X-Amz-Date"), bytes_of_text(date) },
        { bytes_of_text("X-Amz-Content-Sha256"), bytes_of_text(hex) },
    };
    struct http_head head = {
        .method = bytes_of_text(method),
        .target = bytes_of_text(target),
        .fields = fields,
        .field_count = ARRAY_LEN(fields),
    };
    if (sigv4_sign(&signer, &head, NULL, &authorization, &err) != ST_OK)
        die(err.text);
    buf_printf(out, "X-Amz-Date: %s\r\nX-Amz-Content-Sha256: %s\r\nAuthorization: %s\r\n", date,
               hex, buf_text(&authorization));
    buf_done(&authorization);
}

static void build_head(const struct load *load,
                       const char *method,
                       uint64_t number,
                       const uint8_t *digest,
                       struct buf *out)
{
    const struct load_settings *settings = load->settings;
    char target[200];
    char host[32];

    (void)snprintf(target, sizeof target, "%s%llu", settings->target, (unsigned long long)number);
    (void)snprintf(host, sizeof host, "127.0.0.1:%u", settings->port);
    out->len = 0;
    buf_printf(out, "%s %s HTTP/1.1\r\nHost: %s\r\n", method, target, host);
    if (settings->key != NULL)
        sign(settings, method, target, host, digest, out);
    if (settings->kind == LOAD_PUT)
        buf_printf(out, "Content-Length: %llu\r\n", (unsigned long long)settings->bytes);
    buf_append_text(out, "\r\n");
}

static void build_get(struct thread *thread, struct connection *conn)
{
    struct signed_head *cached = &thread->heads[conn->number];
    uint64_t now_s = (uint64_t)time(NULL);
    uint8_t digest[SHA256_BYTES];

    if (cached->at_s != now_s) {
        hash_sha256(bytes_of("", 0), digest);
        build_head(thread->load, "GET", conn->number, digest, &cached->head);
        cached->at_s = now_s;
    }
    conn->head.len = 0;
    buf_append(&conn->head, cached->head.data, cached->head.len);
    conn->total = conn->head.len;
}

static void build_put(struct thread *thread, struct connection *conn)
{
    uint8_t digest[SHA256_BYTES];

    digest_of_put(thread->load, conn->tail, digest);
    build_head(thread->load, "PUT", conn->number, digest, &conn->head);
    conn->total = conn->head.len + thread->load->settings->bytes;
}

static void build_etcd(struct thread *thread, struct connection *conn)
{
    const struct load_settings *settings = thread->load->settings;
    struct buf json = { 0 };
    char key[32];

    /* One key after the other in an order that visits all. */
    (void)snprintf(key, sizeof key, "f-%llu",
                   (unsigned long long)(conn->number * 7919 % LOAD_ETCD_KEYS));
    buf_append_text(&json, "{\"key\":\"");
    base64_encode(bytes_of_text(key), &json);
    buf_append_text(&json, "\",\"value\":\"");
    base64_encode(bytes_of(thread->load->pattern, settings->bytes), &json);
    buf_append_text(&json, "\"}");
    conn->head.len = 0;
    buf_printf(&conn->head,
               "POST /v3/kv/put HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n"
               "Content-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
               settings->port, json.len);
    buf_append(&conn->head, json.data, json.len);
    conn->total = conn->head.len;
    buf_done(&json);
}

static void build(struct thread *thread, struct connection *conn)
{
    switch (thread->load->settings->kind) {
    case LOAD_GET:
        build_get(thread, conn);
        return;
    case LOAD_PUT:
        build_put(thread, conn);
        return;
    case LOAD_ETCD:
        build_etcd(thread, conn);
        return;
    }
    CHECK(!"http_load: an unknown kind");
}

/* ---- connections ---- */

static void dial(struct thread *thread, struct connection *conn)
{
    struct sockaddr_in where = { .sin_family = AF_INET,
                                 .sin_port = htons((uint16_t)thread->load->settings->port) };
    struct epoll_event event = { .events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                                 .data.ptr = conn };
    int one = 1;

    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    conn->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (conn->fd < 0 || connect(conn->fd, (struct sockaddr *)&where, sizeof where) != 0)
        die(strerror(errno));
    (void)setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    CHECK(fcntl(conn->fd, F_SETFL, O_NONBLOCK) == 0);
    CHECK(epoll_ctl(thread->epoll, EPOLL_CTL_ADD, conn->fd, &event) == 0);
    http_parser_init(&conn->parser, HTTP_PARSER_RESPONSE);
}

static void hang_up(struct connection *conn)
{
    (void)close(conn->fd);
    conn->fd = -1;
    http_parser_done(&conn->parser);
}

static void send_more(const struct load *load, struct connection *conn)
{
    while (conn->sent < conn->total) {
        size_t head = conn->head.len;
        size_t body_end = conn->total - (conn->total > head ? TAIL_BYTES : 0);
        struct bytes part;
        ssize_t n;

        if (conn->sent < head)
            part = bytes_of(conn->head.data + conn->sent, head - conn->sent);
        else if (conn->sent < body_end)
            part = bytes_of(load->pattern + (conn->sent - head), body_end - conn->sent);
        else
            part = bytes_of(conn->tail + (conn->sent - body_end), conn->total - conn->sent);
        n = send(conn->fd, part.data, part.len,
                 MSG_NOSIGNAL | (conn->sent + part.len < conn->total ? MSG_MORE : 0));
        if (n < 0)
            return; /* full, or broken: then reading says so */
        conn->sent += (size_t)n;
    }
}

static void begin(struct thread *thread, struct connection *conn)
{
    struct load *load = thread->load;
    uint64_t number = atomic_fetch_add(&load->next, 1);

    if (number >= load->settings->requests || now_us() >= load->until_us) {
        conn->idle = true;
        thread->busy--;
        return;
    }
    conn->number = load->settings->kind == LOAD_GET ? number % load->settings->objects : number;
    tail_of(load->settings, conn->number, conn->tail);
    build(thread, conn);
    conn->sent = 0;
    conn->got = 0;
    conn->wrong = false;
    conn->text[0] = '\0';
    conn->started_us = now_us();
    send_more(load, conn);
}

static void failed(struct thread *thread, const char *what, unsigned status, const char *text)
{
    if (thread->failed++ == 0)
        (void)snprintf(thread->failure, sizeof thread->failure, "%s, status %u: %.80s", what,
                       status, text);
    if (thread->failed > FAILURES_MAX)
        die(thread->failure);
}

static void sample(struct thread *thread, double us)
{
    if (thread->samples == thread->room) {
        thread->room = thread->room == 0 ? SAMPLES_FIRST : thread->room * 2;
        thread->us = realloc(thread->us, thread->room * sizeof *thread->us);
        CHECK(thread->us != NULL);
    }
    thread->us[thread->samples++] = (float)us;
}

static void again(struct thread *thread, struct connection *conn)
{
    hang_up(conn);
    dial(thread, conn);
    begin(thread, conn);
}

/* One answer is complete; the next request goes out.  False when that takes a new connection. */
static bool finished(struct thread *thread, struct connection *conn)
{
    const struct load_settings *settings = thread->load->settings;
    unsigned status = conn->parser.status;
    bool whole = settings->kind != LOAD_GET || (!conn->wrong && conn->got == settings->bytes);

    thread->last_us = now_us();
    if (status < 200 || status > 299)
        failed(thread, "refused", status, conn->text);
    else if (!whole)
        failed(thread, "not the bytes that were put", status, "");
    else if (conn->sent < conn->total)
        failed(thread, "answered before the body was sent", status, conn->text);
    else
        sample(thread, thread->last_us - conn->started_us);
    if (!conn->parser.keep_alive || conn->sent < conn->total) {
        again(thread, conn);
        return false;
    }
    begin(thread, conn);
    return true;
}

static bool same(const struct load *load, const struct connection *conn, struct bytes chunk)
{
    uint64_t bytes = load->settings->bytes;
    uint64_t body = bytes - TAIL_BYTES;
    uint64_t from = conn->got;
    uint64_t cut;

    if (chunk.len > bytes || from > bytes - chunk.len)
        return false;
    cut = from >= body ? 0 : chunk.len < body - from ? chunk.len : body - from;
    if (cut > 0 && memcmp(chunk.data, load->pattern + from, cut) != 0)
        return false;
    return cut == chunk.len ||
           memcmp(chunk.data + cut, conn->tail + (from + cut - body), chunk.len - cut) == 0;
}

static void take(struct thread *thread, struct connection *conn)
{
    struct bytes chunk = conn->parser.chunk;
    size_t text = strlen(conn->text);
    size_t room = sizeof conn->text - 1 - text;
    size_t more = chunk.len < room ? chunk.len : room;

    if (thread->load->settings->kind == LOAD_GET && !same(thread->load, conn, chunk))
        conn->wrong = true;
    if (conn->got == text) {
        memcpy(conn->text + text, chunk.data, more);
        conn->text[text + more] = '\0';
    }
    conn->got += chunk.len;
}

/* Use what was read.  False when the connection is not the one that it was. */
static bool parse(struct thread *thread, struct connection *conn, struct bytes in)
{
    enum http_event event;
    struct err err;

    do {
        if (http_parser_next(&conn->parser, &in, &event, &err) != ST_OK) {
            failed(thread, "no answer that can be read", 0, err.text);
            again(thread, conn);
            return false;
        }
        if (event == HTTP_EVENT_BODY)
            take(thread, conn);
        else if (event == HTTP_EVENT_END && !finished(thread, conn))
            return false;
    } while (event != HTTP_EVENT_NONE && !conn->idle);
    return true;
}

static void receive(struct thread *thread, struct connection *conn)
{
    ssize_t n;

    do {
        n = read(conn->fd, thread->input, READ_BYTES);
        if (n < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (n <= 0) {
            failed(thread, "the connection was closed", 0, n < 0 ? strerror(errno) : "");
            again(thread, conn);
            return;
        }
        /* Less than there was room for: epoll tells when more has come. */
    } while (parse(thread, conn, bytes_of(thread->input, (size_t)n)) && n == READ_BYTES &&
             !conn->idle);
}

/* ---- threads ---- */

static void start_connections(struct thread *thread)
{
    for (unsigned i = 0; i < thread->count; i++)
        dial(thread, &thread->connections[i]);
    for (unsigned i = 0; i < thread->count; i++)
        begin(thread, &thread->connections[i]);
}

static void *run_thread(void *context)
{
    struct thread *thread = context;
    struct epoll_event events[EVENTS_MAX];
    double deadline_us = thread->load->until_us + thread->load->settings->drain_s * 1e6;

    thread->busy = thread->count;
    start_connections(thread);
    while (thread->busy > 0 && now_us() < deadline_us) {
        int n = epoll_wait(thread->epoll, events, EVENTS_MAX, 100);

        for (int i = 0; i < n; i++) {
            struct connection *conn = events[i].data.ptr;

            if (conn->idle)
                continue;
            send_more(thread->load, conn);
            receive(thread, conn);
        }
    }
    for (unsigned i = 0; i < thread->count; i++) {
        if (!thread->connections[i].idle)
            thread->unfinished++;
        hang_up(&thread->connections[i]);
        buf_done(&thread->connections[i].head);
    }
    return NULL;
}

static void thread_init(struct thread *thread, struct load *load, unsigned count)
{
    unsigned heads = load->settings->kind == LOAD_GET ? load->settings->objects : 1;

    *thread = (struct thread){ .load = load, .count = count };
    thread->epoll = epoll_create1(EPOLL_CLOEXEC);
    CHECK(thread->epoll >= 0);
    thread->connections = must_calloc(count, sizeof *thread->connections);
    thread->heads = must_calloc(heads, sizeof *thread->heads);
    thread->input = must_calloc(READ_BYTES, 1);
}

static void thread_done(struct thread *thread)
{
    unsigned heads = thread->load->settings->kind == LOAD_GET ? thread->load->settings->objects : 1;

    for (unsigned i = 0; i < heads; i++)
        buf_done(&thread->heads[i].head);
    (void)close(thread->epoll);
    free(thread->connections);
    free(thread->heads);
    free(thread->input);
    free(thread->us);
}

static int ascending(const void *a, const void *b)
{
    float x = *(const float *)a;
    float y = *(const float *)b;

    return x < y ? -1 : x > y;
}

static void collect(const struct thread *threads, unsigned count, struct load_result *out)
{
    for (unsigned i = 0; i < count; i++)
        out->count += threads[i].samples;
    out->us = must_calloc(out->count + 1, sizeof *out->us);
    out->count = 0;
    for (unsigned i = 0; i < count; i++) {
        if (threads[i].samples > 0)
            memcpy(out->us + out->count, threads[i].us, threads[i].samples * sizeof *out->us);
        out->count += threads[i].samples;
        if (out->failed == 0 && threads[i].failed > 0)
            memcpy(out->failure, threads[i].failure, sizeof out->failure);
        out->failed += threads[i].failed;
        out->unfinished += threads[i].unfinished;
    }
    qsort(out->us, out->count, sizeof *out->us, ascending);
}

void load_run(const struct load_settings *settings, struct load_result *out)
{
    struct load load = { .settings = settings };
    unsigned count = settings->threads < settings->clients ? settings->threads : settings->clients;
    struct thread *threads = must_calloc(count, sizeof *threads);
    double start;
    double last = 0;

    *out = (struct load_result){ 0 };
    fill_pattern(&load);
    start = now_us();
    load.until_us = start + settings->seconds * 1e6;
    for (unsigned i = 0; i < count; i++) {
        thread_init(&threads[i], &load,
                    settings->clients / count + (i < settings->clients % count));
        CHECK(pthread_create(&threads[i].thread, NULL, run_thread, &threads[i]) == 0);
    }
    for (unsigned i = 0; i < count; i++) {
        (void)pthread_join(threads[i].thread, NULL);
        last = threads[i].last_us > last ? threads[i].last_us : last;
    }
    out->elapsed_s = last > start ? (last - start) / 1e6 : 0;
    collect(threads, count, out);
    for (unsigned i = 0; i < count; i++)
        thread_done(&threads[i]);
    free(threads);
    free(load.pattern);
    EVP_MD_CTX_free(load.pattern_digest);
}
