/* A function in C without any library: a client of the Lambda Runtime API over a plain socket.
 *
 *   gcc -O2 -static -o bootstrap hello.c
 *
 * It greets the "name" of the event.  The loop at the end is all that a custom runtime is: ask for
 * the next invocation, answer it, for ever. */
#define _GNU_SOURCE /* strcasestr */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef GREETING
#define GREETING "Hello"
#endif

enum { MESSAGE_BYTES = 65536, NAME_BYTES = 64, ID_BYTES = 64 };

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int dial(const char *api)
{
    struct sockaddr_in where = { .sin_family = AF_INET };
    char host[64];
    const char *colon = strrchr(api, ':');
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    snprintf(host, sizeof host, "%.*s", (int)(colon - api), api);
    where.sin_port = htons((unsigned short)atoi(colon + 1));
    if (inet_pton(AF_INET, host, &where.sin_addr) != 1 || fd < 0 ||
        connect(fd, (struct sockaddr *)&where, sizeof where) != 0)
        die("connect to the Runtime API");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

/* Read one whole answer; returns its body, which is terminated. */
static char *receive(int fd, char *message)
{
    size_t len = 0;
    size_t want = 0;
    char *body = NULL;

    while (body == NULL || len < want) {
        ssize_t n = read(fd, message + len, MESSAGE_BYTES - 1 - len);
        char *field;

        if (n <= 0)
            die("read from the Runtime API");
        len += (size_t)n;
        message[len] = '\0';
        body = strstr(message, "\r\n\r\n");
        if (body == NULL)
            continue;
        body += 4;
        field = strcasestr(message, "\r\ncontent-length:");
        want = (size_t)(body - message) + (field == NULL ? 0 : strtoul(field + 17, NULL, 10));
    }
    return body;
}

/* The value of a header, cut at the line's end. */
static void header(const char *message, const char *name, char *out, size_t size)
{
    const char *at = strcasestr(message, name);

    out[0] = '\0';
    if (at == NULL)
        return;
    at += strlen(name);
    at += strspn(at, ": ");
    snprintf(out, size, "%.*s", (int)strcspn(at, "\r\n"), at);
}

/* Enough JSON for {"name": "..."}: a real function takes a library. */
static void name_of(const char *event, char *out, size_t size)
{
    const char *at = strstr(event, "\"name\"");
    const char *start = at == NULL ? NULL : strchr(at + 6, '"');

    snprintf(out, size, "%.*s", start == NULL ? 5 : (int)strcspn(start + 1, "\"\\"),
             start == NULL ? "world" : start + 1);
}

int main(void)
{
    static const char next[] =
        "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: api\r\n\r\n";
    static char message[MESSAGE_BYTES];
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
    int fd = dial(api == NULL ? "127.0.0.1:9001" : api);

    setvbuf(stdout, NULL, _IOLBF, 0);
    for (;;) {
        char id[ID_BYTES];
        char name[NAME_BYTES];
        char body[NAME_BYTES + 64];
        int len;

        if (write(fd, next, sizeof next - 1) < 0)
            die("write to the Runtime API");
        name_of(receive(fd, message), name, sizeof name);
        header(message, "lambda-runtime-aws-request-id", id, sizeof id);
        printf("greeting %s\n", name);
        len = snprintf(body, sizeof body, "{\"message\": \"" GREETING ", %s\"}", name);
        if (dprintf(fd,
                    "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: api\r\n"
                    "Content-Length: %d\r\n\r\n%s",
                    id, len, body) < 0)
            die("write to the Runtime API");
        receive(fd, message);
    }
}
