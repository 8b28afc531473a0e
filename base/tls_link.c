/* TLS on one socket, plain bytes on the other, by OpenSSL on non-blocking descriptors.
 *
 * Whatever happens on either descriptor, link_turn() moves what can be moved in both directions and
 * then works out what to wait for.  A link is closed in one place, link_close(), and freed when the
 * last of its libuv handles is. */
#include "base/tls_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/bytes.h"
#include "base/check.h"

enum {
    PIECE_BYTES = 16384,    /* one full record */
    PIECES_PER_TURN = 8,    /* each way; then others of the loop get theirs */
    TURNS_AT_END = 8,       /* 1 MiB: more than a socket of ours holds */
    DRAIN_BYTES_MAX = 65536 /* of a peer that does not speak TLS */
};

/* One descriptor of a link, watched by the loop for what `events` says. */
struct link_end {
    uv_poll_t poll;
    int fd;
    int events;
    bool readable; /* as far as is known; when in doubt the loop says so again */
};

struct tls_link {
    struct link_end peer;
    struct link_end plain; /* fd -1 until joined */
    const struct tls_link_events *callbacks;
    void *context;
    SSL *ssl;
    bool server;
    bool spoken;      /* the peer's first byte was looked at */
    bool held;        /* by on_hello: nothing is read */
    bool ready;       /* the handshake is over */
    bool wants_write; /* OpenSSL has something of its own to send first */
    bool first_told;  /* on_first ran */
    bool peer_ended;  /* the peer says no more */
    bool end_passed;  /* ...and the plain side was told */
    bool plain_ended; /* the plain side says no more */
    bool plain_gone;  /* ...and takes no more: what comes is dropped */
    bool bye_said;    /* the peer was told */
    bool closing;
    unsigned reads_left; /* of the peer's socket, in this turn */
    unsigned handles;
    struct buf inward;  /* of the peer, for the plain side; empty nearly always */
    struct buf outward; /* the other way */
    enum status outcome;
    struct err why;
};

static void end_closed_cb(uv_handle_t *handle)
{
    struct tls_link *link = handle->data;

    CHECK(link->handles > 0);
    if (--link->handles > 0)
        return;
    link->callbacks->on_closed(link->outcome, &link->why, link->context);
    free(link);
}

static void end_close(struct link_end *end)
{
    if (end->fd < 0)
        return;
    (void)uv_poll_stop(&end->poll);
    (void)close(end->fd);
    end->fd = -1;
    uv_close((uv_handle_t *)&end->poll, end_closed_cb);
}

static void link_close(struct tls_link *link, enum status outcome)
{
    if (link->closing)
        return;
    link->closing = true;
    link->outcome = outcome;
    SSL_free(link->ssl);
    link->ssl = NULL;
    buf_done(&link->inward);
    buf_done(&link->outward);
    end_close(&link->peer);
    end_close(&link->plain);
}

/* What OpenSSL says of an operation that did not succeed.  True: it is only a matter of waiting. */
static bool must_wait(struct tls_link *link, int rv)
{
    switch (SSL_get_error(link->ssl, rv)) {
    case SSL_ERROR_WANT_READ:
        return true;
    case SSL_ERROR_WANT_WRITE:
        link->wants_write = true;
        return true;
    default:
        return false;
    }
}

/* ---- reads of the peer's socket ----
 *
 * They are counted under OpenSSL and not by what SSL_read() gives: records that hold nothing for
 * us, such as key updates, it takes one after another without coming back, and a peer could keep it
 * at them.  When a turn has had its reads the descriptor tells of what is left, at once. */

static int counted_read(BIO *bio, char *out, int size)
{
    struct tls_link *link = BIO_get_data(bio);
    int got;

    BIO_clear_retry_flags(bio);
    if (link->reads_left == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    link->reads_left--;
    got = BIO_read(BIO_next(bio), out, size);
    BIO_copy_next_retry(bio);
    return got;
}

static long counted_ctrl(BIO *bio, int what, long number, void *data)
{
    return BIO_ctrl(BIO_next(bio), what, number, data);
}

static pthread_once_t counted_once = PTHREAD_ONCE_INIT;
static BIO_METHOD *counted; /* one for all links, for as long as the process lives */

static void counted_make(void)
{
    counted = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_FILTER, "counted reads");
    CHECK(counted != NULL);
    CHECK(BIO_meth_set_read(counted, counted_read) == 1);
    CHECK(BIO_meth_set_ctrl(counted, counted_ctrl) == 1);
}

/* Put it between the session and its socket. */
static void count_reads(struct tls_link *link)
{
    BIO *wire = SSL_get_wbio(link->ssl);
    BIO *bio;

    CHECK(pthread_once(&counted_once, counted_make) == 0);
    bio = BIO_new(counted);
    CHECK(bio != NULL);
    BIO_set_data(bio, link);
    BIO_set_init(bio, 1);
    CHECK(BIO_up_ref(wire) == 1);
    (void)BIO_push(bio, wire);
    SSL_set0_rbio(link->ssl, bio); /* the session owns it */
}

static const char *reason(void)
{
    unsigned long code = ERR_peek_last_error();
    const char *text = ERR_reason_error_string(code);

    if (text != NULL)
        return text;
    return code == 0 ? "the connection was lost" : "unknown reason";
}

static void link_fail(struct tls_link *link, enum status st, const char *operation)
{
    long verdict = SSL_get_verify_result(link->ssl);
    const char *what = reason();

    if (!link->server && verdict != X509_V_OK)
        what = X509_verify_cert_error_string(verdict);
    (void)err_set(&link->why, st, "%s: %s", operation, what);
    ERR_clear_error();
    link_close(link, st);
}

/* A request line where a handshake should begin: its sender is told, and the rest of what it sent
 * is read, for closing over unread bytes would take the answer back. */
static void refuse_plain(struct tls_link *link)
{
    char dropped[PIECE_BYTES];
    size_t left = DRAIN_BYTES_MAX;
    ssize_t got;

    if (link->callbacks->on_plain != NULL)
        link->callbacks->on_plain(link->peer.fd, link->context);
    (void)shutdown(link->peer.fd, SHUT_WR);
    while (left > 0 && (got = recv(link->peer.fd, dropped, sizeof dropped, MSG_DONTWAIT)) > 0)
        left -= (size_t)got < left ? (size_t)got : left;
    (void)err_set(&link->why, ST_UNSUPPORTED, "a client spoke plain HTTP to the HTTPS port");
    link_close(link, ST_UNSUPPORTED);
}

/* Every handshake begins with byte 22, every request line with a capital letter. */
static void look_at_first_byte(struct tls_link *link)
{
    unsigned char first = 0;

    if (recv(link->peer.fd, &first, 1, MSG_PEEK | MSG_DONTWAIT) != 1)
        return; /* nothing yet, or the end: the handshake says which */
    link->spoken = true;
    if (first >= 'A' && first <= 'Z')
        refuse_plain(link);
    else if (link->callbacks->on_hello != NULL)
        link->held = !link->callbacks->on_hello(link->context);
}

static void handshake(struct tls_link *link)
{
    int rv;

    if (link->server && !link->spoken)
        look_at_first_byte(link);
    if (link->closing || link->held)
        return;
    rv = SSL_do_handshake(link->ssl);
    if (rv == 1) {
        link->ready = true;
        if (link->callbacks->on_ready != NULL)
            link->callbacks->on_ready(link->context);
        return;
    }
    if (must_wait(link, rv))
        return;
    if (link->server && !link->spoken)
        link_close(link, ST_OK); /* somebody only looked whether we are there */
    else
        link_fail(link, ST_DENIED, "TLS handshake");
}

/* ---- peer to plain side ---- */

/* True: all of it is out of our hands. */
static bool pass_inward(struct tls_link *link, const void *data, size_t len)
{
    ssize_t sent = link->plain_gone ? (ssize_t)len
                                    : send(link->plain.fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

    if (sent < 0 && errno != EAGAIN) {
        link->plain_gone = true;
        sent = (ssize_t)len;
    }
    if (sent < 0)
        sent = 0;
    if (sent > 0 && link->callbacks->on_passed != NULL)
        link->callbacks->on_passed(link->context);
    if ((size_t)sent == len)
        return true;
    buf_append(&link->inward, (const char *)data + sent, len - (size_t)sent);
    return false;
}

/* What is left of an earlier piece first. */
static bool flush_inward(struct tls_link *link)
{
    struct buf kept = link->inward;
    bool empty;

    if (kept.len == 0)
        return true;
    link->inward = (struct buf){ 0 };
    empty = pass_inward(link, kept.data, kept.len);
    buf_done(&kept);
    return empty;
}

/* One piece.  False when there is none, or no room for it. */
static bool read_piece(struct tls_link *link)
{
    char piece[PIECE_BYTES];
    int got = SSL_read(link->ssl, piece, sizeof piece);

    if (got < (int)sizeof piece && !SSL_has_pending(link->ssl))
        link->peer.readable = false; /* that was all: asking again would only cost a system call */
    if (got <= 0) {
        if (must_wait(link, got)) {
            link->peer.readable = link->wants_write; /* then the same again once that is sent */
            return false;
        }
        if (SSL_get_error(link->ssl, got) == SSL_ERROR_ZERO_RETURN)
            link->peer_ended = true;
        else
            link_fail(link, ST_IO, "TLS");
        return false;
    }
    if (link->plain.fd < 0) {
        CHECK(!link->first_told);
        link->first_told = true;
        link->callbacks->on_first(link, link->context);
        if (link->closing)
            return false;
        CHECK(link->plain.fd >= 0);
    }
    return pass_inward(link, piece, (size_t)got);
}

static void move_inward(struct tls_link *link)
{
    if (!flush_inward(link))
        return;
    /* What OpenSSL has taken from the kernel already, no descriptor will tell of again. */
    while (!link->peer_ended && (SSL_has_pending(link->ssl) || link->peer.readable))
        if (!read_piece(link))
            break;
    if (link->closing || !link->peer_ended || link->end_passed || link->inward.len > 0)
        return;
    link->end_passed = true;
    if (link->plain.fd < 0)
        link_close(link, ST_OK); /* it came and went without a word */
    else
        (void)shutdown(link->plain.fd, SHUT_WR);
}

/* ---- plain side to peer ---- */

/* True: all of it is out of our hands. */
static bool pass_outward(struct tls_link *link, const char *data, size_t len)
{
    while (len > 0) {
        int sent = SSL_write(link->ssl, data, (int)len);

        if (sent <= 0) {
            if (must_wait(link, sent))
                buf_append(&link->outward, data, len);
            else
                link_fail(link, ST_IO, "TLS");
            return false;
        }
        data += sent;
        len -= (size_t)sent;
    }
    return true;
}

static bool flush_outward(struct tls_link *link)
{
    struct buf kept = link->outward;
    bool empty;

    if (kept.len == 0)
        return true;
    link->outward = (struct buf){ 0 };
    empty = pass_outward(link, (const char *)kept.data, kept.len);
    buf_done(&kept);
    return empty;
}

static bool write_piece(struct tls_link *link)
{
    char piece[PIECE_BYTES];
    ssize_t got = recv(link->plain.fd, piece, sizeof piece, MSG_DONTWAIT);

    if (got < (ssize_t)sizeof piece)
        link->plain.readable = false;
    if (got < 0 && errno == EAGAIN)
        return false;
    if (got <= 0) {
        link->plain_ended = true;
        return false;
    }
    return pass_outward(link, piece, (size_t)got);
}

static void say_bye(struct tls_link *link)
{
    int rv = SSL_shutdown(link->ssl);

    if (rv < 0 && must_wait(link, rv))
        return;
    ERR_clear_error(); /* a peer that is gone hears nothing; its end is seen by reading */
    link->bye_said = true;
    (void)shutdown(link->peer.fd, SHUT_WR);
}

static void move_outward(struct tls_link *link)
{
    int left = PIECES_PER_TURN;

    if (link->plain.fd < 0 || !flush_outward(link))
        return;
    while (!link->plain_ended && link->plain.readable && left-- > 0)
        if (!write_piece(link))
            break;
    if (!link->closing && link->plain_ended && link->outward.len == 0 && !link->bye_said)
        say_bye(link);
}

/* ---- turns ---- */

static void link_turn(struct tls_link *link);

static void poll_cb(uv_poll_t *poll, int status, int events)
{
    struct link_end *end = container_of(poll, struct link_end, poll);

    /* libuv stops watching a socket that has an error; what is wrong, the next operation says. */
    if (status < 0)
        end->events = 0;
    if (status < 0 || (events & UV_READABLE) != 0)
        end->readable = true;
    link_turn(poll->data);
}

static void end_watch(struct link_end *end, int events)
{
    if (end->fd < 0 || end->events == events)
        return;
    end->events = events;
    if (events == 0)
        (void)uv_poll_stop(&end->poll);
    else
        (void)uv_poll_start(&end->poll, events, poll_cb);
}

static void watch(struct tls_link *link)
{
    bool reads = !link->held && !link->peer_ended && link->inward.len == 0;
    bool writes = link->wants_write || link->outward.len > 0;

    end_watch(&link->peer, (reads ? UV_READABLE : 0) | (writes ? UV_WRITABLE : 0));
    reads = link->ready && !link->plain_ended && link->outward.len == 0;
    writes = link->inward.len > 0;
    end_watch(&link->plain, (reads ? UV_READABLE : 0) | (writes ? UV_WRITABLE : 0));
}

static void link_turn(struct tls_link *link)
{
    if (link->closing)
        return;
    ERR_clear_error();
    link->wants_write = false;
    link->reads_left = PIECES_PER_TURN;
    if (!link->ready)
        handshake(link);
    if (!link->closing && link->ready)
        move_inward(link);
    if (!link->closing && link->ready)
        move_outward(link);
    if (link->closing)
        return;
    if (link->bye_said && link->peer_ended && link->inward.len == 0)
        link_close(link, ST_OK);
    else
        watch(link);
}

static enum status end_open(
    struct tls_link *link, uv_loop_t *loop, struct link_end *end, int fd, struct err *err)
{
    int rv = uv_poll_init(loop, &end->poll, fd);

    if (rv != 0)
        return err_set(err, ST_IO, "watch a socket: %s", uv_strerror(rv));
    end->poll.data = link;
    end->fd = fd;
    link->handles++;
    return ST_OK;
}

/* The certificate must be this peer's. */
static enum status expect_name(SSL *ssl, const char *name, struct err *err)
{
    struct in6_addr parsed;
    bool numeric =
        inet_pton(AF_INET, name, &parsed) == 1 || inet_pton(AF_INET6, name, &parsed) == 1;
    int ok;

    if (numeric)
        ok = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name);
    else
        ok = SSL_set1_host(ssl, name) == 1 ? (int)SSL_set_tlsext_host_name(ssl, name) : 0;
    return ok == 1 ? ST_OK : err_set(err, ST_BAD_INPUT, "no certificate can be for \"%s\"", name);
}

enum status tls_link_new(uv_loop_t *loop,
                         const struct tls_link_spec *spec,
                         struct tls_link **out,
                         struct err *err)
{
    struct tls_link *link = must_calloc(1, sizeof *link);
    enum status st = ST_OK;
    int ok;

    link->callbacks = spec->events;
    link->context = spec->context;
    link->server = spec->peer_name == NULL;
    link->peer.fd = -1;
    link->plain.fd = -1;
    link->ssl = SSL_new(spec->tls);
    CHECK(link->ssl != NULL);
    if (link->server)
        SSL_set_accept_state(link->ssl);
    else
        st = expect_name(link->ssl, spec->peer_name, err);
    if (!link->server)
        SSL_set_connect_state(link->ssl);
    if (st == ST_OK)
        st = end_open(link, loop, &link->peer, spec->fd, err);
    if (st != ST_OK) {
        SSL_free(link->ssl);
        free(link);
        return st;
    }
    ok = SSL_set_fd(link->ssl, spec->fd); /* leaves the closing to us */
    CHECK(ok == 1);
    count_reads(link);
    /* A server waits; a client speaks first, as soon as it can. */
    end_watch(&link->peer, link->server ? UV_READABLE : UV_WRITABLE);
    *out = link;
    return ST_OK;
}

void tls_link_begin(struct tls_link *link)
{
    link->held = false;
    link_turn(link);
}

void tls_link_join(struct tls_link *link, int fd)
{
    CHECK(link->plain.fd < 0);
    if (!link->closing &&
        end_open(link, link->peer.poll.loop, &link->plain, fd, &link->why) == ST_OK)
        return;
    (void)close(fd);
    link_close(link, ST_IO);
}

int tls_link_fd(const struct tls_link *link)
{
    return link->peer.fd;
}

bool tls_link_said_bye(const struct tls_link *link)
{
    return link->bye_said;
}

void tls_link_cut(struct tls_link *link)
{
    link_close(link, ST_CANCELLED);
}

void tls_link_finish(struct tls_link *link)
{
    link->plain.readable = true;
    for (int i = 0; i < TURNS_AT_END && link->plain.readable && !link->closing; i++)
        link_turn(link);
    tls_link_cut(link);
}
