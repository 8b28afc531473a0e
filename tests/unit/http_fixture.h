/* The server with a real client socket, both turned by the test's one thread: no step waits for
 * more than a turn of the loop, and none is measured.  With HTTP_FIXTURE=https in the environment
 * both speak TLS, and nothing else changes. */
#ifndef TESTS_UNIT_HTTP_FIXTURE_H
#define TESTS_UNIT_HTTP_FIXTURE_H

#include "base/http_server.h"
#include "tests/unit/https_fixture.h"

enum how {
    ANSWER_AT_ONCE,       /* in on_request */
    ANSWER_AFTER_COLLECT, /* in on_body_end */
    ANSWER_LATER,         /* when the test says so */
    ANSWER_STREAM,        /* pushed by the test */
    ANSWER_ECHO,          /* body read in pieces, answered at its end */
    ANSWER_PIECES,        /* takes one byte of each piece, then waits */
    ANSWER_IN_BODY,       /* after the first piece */
};

struct fixture {
    uv_loop_t loop;
    struct http_server *server;
    unsigned port;
    int client;
    bool https;
    struct https_folder files;
    struct https_certificate *certificate;
    struct https_client tls;
    struct buf in; /* what the client received */
    bool closed_by_server;
    bool stopped;

    enum how how;
    struct http_request *req; /* the open one */
    size_t collect_max;
    struct buf body;
    char method[16];
    char target[256];
    char fields[512];
    uint64_t waits_since_ns;
    unsigned requests;
    unsigned ends;
    unsigned gone;
    unsigned drained;
    unsigned done;
    enum status outcome;
};

/* 200 with a Content-Type and an ETag. */
extern const struct http_answer http_ok;
/* Answers as the fixture says; its context is the fixture. */
extern const struct http_handler http_fixture_handler;
/* A GET whose target and fields are odd but right. */
extern const char http_get_request[];

int client_connect(unsigned port);

/* A server that answers as `how` says, and one client; `options` may be NULL. */
void start(struct fixture *f, enum how how, const struct http_server_options *options);
/* The same over TLS, whatever the environment says. */
void start_https(struct fixture *f, enum how how, const struct http_server_options *options);
void stop(struct fixture *f);
/* Another client in the place of this one, which is not closed. */
void connect_anew(struct fixture *f);

/* Let both sides do what they can. */
void turn(struct fixture *f);
void turns(struct fixture *f, int count);

/* A turn, unless the test has been waiting for longer than any machine needs. */
bool turn_again(struct fixture *f);

/* Have the client send. */
void say_bytes(struct fixture *f, struct bytes text);
void say(struct fixture *f, const char *text);

/* Until the client has seen `text`, or the end; false when that takes longer than any machine
 * needs. */
bool sees(struct fixture *f, const char *text);
bool sees_close(struct fixture *f);
/* Until `count` requests are done: an expectation. */
void until_done(struct fixture *f, unsigned count);

#endif
