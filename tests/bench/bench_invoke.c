/* Load on a running cluster: signed Invoke requests over persistent connections, latency counted by
 * the client.
 *
 *   bench_invoke --port 4566 --function hello --clients 8 --requests 20000   the same one: warm
 *   bench_invoke --port 4566 --prefix cold- --functions 100                  each once: cold
 *   bench_invoke --port 4566 --prefix cold- --functions 100 --pause-ms 200   with quiet between
 *
 * A thread a client, blocking sockets, so that what is measured is the cluster and two system
 * calls. Requests are signed anew each second (the signature covers the second). Prints a line of
 * JSON. */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/sigv4.h"

enum { CLIENTS_MAX = 256, REQUESTS_MAX = 10000000, ANSWER_BYTES_MAX = 65536 };

struct settings {
    unsigned port;
    const char *function;
    const char *prefix;
    unsigned functions;
    unsigned clients;
    unsigned requests; /* of all clients together */
    unsigned pause_ms; /* before each, of each client */
    const char *payload;
};

struct client {
    const struct settings *settings;
    pthread_t thread;
    unsigned first; /* of its functions */
    unsigned count;
    unsigned failed;
    double *us;
    int fd;
    uint64_t signed_at_s;
    struct buf request;
    char failure[160];
};

static double now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static void die(const char *what)
{
    (void)fprintf(stderr, "bench_invoke: %s\n", what);
    exit(1);
}

static int dial(unsigned port)
{
    struct sockaddr_in where = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int one = 1;

    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&where, sizeof where) != 0)
        die(strerror(errno));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* Build the whole signed request of one function into client->request. */
static void build(struct client *client, const char *function, uint64_t now_s)
{
    const char *payload = client->settings->payload;
    struct sigv4_signer signer = { "test", "test", "us-east-1", "lambda", now_s };
    char target[160];
    char host[32];
    char date[17];
    uint8_t digest[SHA256_BYTES];
    struct buf authorization = { 0 };
    struct err err;

    (void)snprintf(target, sizeof target, "/2015-03-31/functions/%s/invocations", function);
    (void)snprintf(host, sizeof host, "127.0.0.1:%u", client->settings->port);
    sigv4_timestamp(now_s, date);
    hash_sha256(bytes_of_text(payload), digest);
    struct http_field fields[] = {
        { bytes_of_text("Host"), bytes_of_text(host) },
        { bytes_of_text("X-Amz-Date"), bytes_of_text(date) },
    };
    struct http_head head = {
        .method = bytes_of_text("POST"),
        .target = bytes_of_text(target),
        .fields = fields,
        .field_count = ARRAY_LEN(fields),
    };
    if (sigv4_sign(&signer, &head, digest, &authorization, &err) != ST_OK)
        die(err.text);
    client->request.len = 0;
    buf_printf(&client->request,
               "POST %s HTTP/1.1\r\nHost: %s\r\nX-Amz-Date: %s\r\nAuthorization: %s\r\n"
               "Content-Length: %zu\r\n\r\n%s",
               target, host, date, buf_text(&authorization), strlen(payload), payload);
    buf_done(&authorization);
    client->signed_at_s = now_s;
}

/* Read one answer.  False with a reason when it is not a 200 without a function error. */
static bool read_answer(struct client *client)
{
    char answer[ANSWER_BYTES_MAX + 1];
    size_t len = 0;
    size_t want = 0;

    for (;;) {
        ssize_t n = read(client->fd, answer + len, ANSWER_BYTES_MAX - len);
        const char *end;

        if (n <= 0)
            die("the connection was closed");
        len += (size_t)n;
        answer[len] = '\0';
        end = strstr(answer, "\r\n\r\n");
        if (end != NULL && want == 0) {
            const char *length = strcasestr(answer, "content-length:");

            want = (size_t)(end + 4 - answer) +
                   (length == NULL ? 0 : strtoul(length + strlen("content-length:"), NULL, 10));
        }
        if (want != 0 && len >= want)
            break;
    }
    if (strncmp(answer, "HTTP/1.1 200", 12) == 0 &&
        strcasestr(answer, "x-amz-function-error") == NULL)
        return true;
    (void)snprintf(client->failure, sizeof client->failure, "%.*s", (int)sizeof client->failure - 1,
                   answer);
    return false;
}

static void one_call(struct client *client, const char *function, unsigned index)
{
    uint64_t now_s = (uint64_t)time(NULL);
    double start;

    if (now_s != client->signed_at_s || client->settings->prefix != NULL)
        build(client, function, now_s);
    start = now_us();
    if (write(client->fd, client->request.data, client->request.len) !=
        (ssize_t)client->request.len)
        die("write was cut short");
    if (!read_answer(client))
        client->failed++;
    client->us[index] = now_us() - start;
}

static void *run_client(void *context)
{
    struct client *client = context;
    char function[80];

    client->fd = dial(client->settings->port);
    for (unsigned i = 0; i < client->count; i++) {
        if (client->settings->pause_ms > 0)
            (void)usleep(client->settings->pause_ms * 1000);
        if (client->settings->prefix == NULL)
            (void)snprintf(function, sizeof function, "%s", client->settings->function);
        else
            (void)snprintf(function, sizeof function, "%s%u", client->settings->prefix,
                           client->first + i);
        one_call(client, function, i);
    }
    (void)close(client->fd);
    buf_done(&client->request);
    return NULL;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void report(const struct settings *settings,
                   const struct client *clients,
                   double *all,
                   unsigned count,
                   double elapsed_us)
{
    unsigned failed = 0;

    for (unsigned i = 0; i < settings->clients; i++)
        failed += clients[i].failed;
    qsort(all, count, sizeof *all, ascending);
    (void)printf("{\"clients\": %u, \"requests\": %u, \"failed\": %u, \"per_second\": %.0f, "
                 "\"p50_us\": %.0f, \"p99_us\": %.0f, \"max_us\": %.0f}\n",
                 settings->clients, count, failed, count / (elapsed_us / 1e6), all[count / 2],
                 all[count - 1 - count / 100], all[count - 1]);
    if (failed > 0)
        (void)fprintf(stderr, "first failure: %s\n", clients[0].failure);
}

static void parse(int argc, char **argv, struct settings *out)
{
    static const struct option options[] = {
        { "port", required_argument, NULL, 'p' },
        { "function", required_argument, NULL, 'f' },
        { "prefix", required_argument, NULL, 'x' },
        { "functions", required_argument, NULL, 'n' },
        { "clients", required_argument, NULL, 'c' },
        { "requests", required_argument, NULL, 'r' },
        { "payload", required_argument, NULL, 'b' },
        { "pause-ms", required_argument, NULL, 'w' },
        { NULL, 0, NULL, 0 },
    };
    int option;

    *out = (struct settings){
        .port = 4566, .clients = 1, .requests = 1000, .payload = "{\"name\": \"bench\"}"
    };
    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
        unsigned number = optarg == NULL ? 0 : (unsigned)strtoul(optarg, NULL, 10);

        switch (option) {
        case 'p':
            out->port = number;
            break;
        case 'f':
            out->function = optarg;
            break;
        case 'x':
            out->prefix = optarg;
            break;
        case 'n':
            out->functions = number;
            break;
        case 'c':
            out->clients = number;
            break;
        case 'r':
            out->requests = number;
            break;
        case 'b':
            out->payload = optarg;
            break;
        case 'w':
            out->pause_ms = number;
            break;
        default:
            exit(2);
        }
    }
    if (out->prefix != NULL)
        out->requests = out->functions;
    if (out->function == NULL && out->prefix == NULL)
        die("want --function NAME, or --prefix NAME --functions N");
    if (out->clients == 0 || out->clients > CLIENTS_MAX || out->requests < out->clients ||
        out->requests > REQUESTS_MAX)
        die("clients: 1 to 256; requests: at least one a client, at most 10000000");
}

int main(int argc, char **argv)
{
    struct settings settings;
    static struct client clients[CLIENTS_MAX];
    double *all;
    double start;
    unsigned each;
    unsigned count;

    parse(argc, argv, &settings);
    each = settings.requests / settings.clients;
    count = each * settings.clients;
    all = must_calloc(count, sizeof *all);
    start = now_us();
    for (unsigned i = 0; i < settings.clients; i++) {
        clients[i] = (struct client){
            .settings = &settings, .first = i * each, .count = each, .us = all + i * each
        };
        if (pthread_create(&clients[i].thread, NULL, run_client, &clients[i]) != 0)
            die("no thread");
    }
    for (unsigned i = 0; i < settings.clients; i++)
        (void)pthread_join(clients[i].thread, NULL);
    report(&settings, clients, all, count, now_us() - start);
    free(all);
    return 0;
}
