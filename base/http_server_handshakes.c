/* How many TLS handshakes of clients are under way at once.  The loop's thread.
 *
 * Each makes OpenSSL hold up to 138 KB, so there is a limit.  Who is over it has been accepted and
 * waits in a queue, nothing of it read: in a herd of clients that come back at once each gets its
 * turn, and its own time begins with that.  Clients that begin and do not go on cannot keep the
 * others out: while somebody waits, a turn is short. */
#include "base/http_server.h"

#include "base/check.h"
#include "base/http_server_internal.h"
#include "base/log.h"
#include "base/tls_link.h"

static void start(struct http_secure *secure)
{
    secure->handshake = HTTP_HANDSHAKE_UNDER_WAY;
    secure->since_ms = uv_now(secure->server->loop);
    secure->server->handshakes.under_way++;
}

static void queue(struct http_secure *secure)
{
    struct http_handshakes *all = &secure->server->handshakes;

    secure->handshake = HTTP_HANDSHAKE_WAITING;
    secure->previous_waiting = all->last;
    if (all->last != NULL)
        all->last->next_waiting = secure;
    else
        all->first = secure;
    all->last = secure;
    all->waiting++;
}

static void unqueue(struct http_secure *secure)
{
    struct http_handshakes *all = &secure->server->handshakes;
    struct http_secure *next = secure->next_waiting;
    struct http_secure *previous = secure->previous_waiting;

    CHECK(all->waiting > 0);
    *(previous != NULL ? &previous->next_waiting : &all->first) = next;
    *(next != NULL ? &next->previous_waiting : &all->last) = previous;
    secure->next_waiting = NULL;
    secure->previous_waiting = NULL;
    all->waiting--;
}

bool http_handshake_begin(struct http_secure *secure)
{
    struct http_server *server = secure->server;

    CHECK(secure->handshake == HTTP_HANDSHAKE_SILENT);
    if (server->handshakes.under_way < server->options.handshakes_max) {
        start(secure);
        return true;
    }
    queue(secure);
    if (http_server_may_log(server, &server->queued, "https_handshakes_wait"))
        log_event(LOG_WARN, "https_handshakes_wait", LU("limit", server->options.handshakes_max),
                  LU("waiting", server->handshakes.waiting));
    return false;
}

static void next_begins(struct http_server *server)
{
    struct http_secure *next = server->handshakes.first;

    if (next == NULL || server->handshakes.under_way >= server->options.handshakes_max)
        return;
    unqueue(next);
    start(next);
    tls_link_begin(next->link);
}

void http_handshake_end(struct http_secure *secure)
{
    struct http_server *server = secure->server;
    enum http_handshake was = secure->handshake;

    secure->handshake = HTTP_HANDSHAKE_OVER;
    if (was == HTTP_HANDSHAKE_WAITING)
        unqueue(secure);
    if (was != HTTP_HANDSHAKE_UNDER_WAY)
        return;
    CHECK(server->handshakes.under_way > 0);
    server->handshakes.under_way--;
    next_begins(server);
}

void http_handshakes_sweep(struct http_server *server, uint64_t now_ms)
{
    unsigned wanted = server->handshakes.waiting;

    for (struct http_secure *secure = server->secures; secure != NULL && wanted > 0;
         secure = secure->next) {
        if (secure->handshake != HTTP_HANDSHAKE_UNDER_WAY ||
            now_ms - secure->since_ms < server->options.handshake_turn_ms)
            continue;
        if (http_server_may_log(server, &server->slow, "http_slow_client"))
            log_event(LOG_INFO, "http_slow_client",
                      LS("waited_for", "TLS handshake, while others wait"));
        tls_link_cut(secure->link);
        server->handshakes.cut++;
        wanted--;
    }
}
