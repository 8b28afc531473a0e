/* A function in C without any library: a client of the Lambda Runtime API over a plain socket.
 *
 *   gcc -O2 -static -o bootstrap hello.c
 *
 * It greets the "name" of the event.  The loop at the end is all that a custom runtime is: ask for
 * the next invocation, answer it, for ever.  The answer and the request for the next event leave
 * together, which saves both sides a wake-up. */
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

#define NEXT "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: api\r\n\r\n"

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

/* What came from the Runtime API: one whole answer at the front, perhaps the next behind it. */
struct inbox {
    char bytes[MESSAGE_BYTES];
    size_t len;
    size_t used; /* by the answer that was received last */
    char *body;  /* of it, terminated by `kept` being away */
    char kept;
};

/* The length of the answer at the front, 0 while it is not whole. */
static size_t whole(struct inbox *in)
{
    char *field;

    in->bytes[in->len] = '\0';
    in->body = strstr(in->bytes, "\r\n\r\n");
    if (in->body == NULL)
        return 0;
    in->body += 4;
    field = strcasestr(in->bytes, "\r\ncontent-length:");
    in->used = (size_t)(in->body - in->bytes) + (field == NULL ? 0 : strtoul(field + 17, NULL, 10));
    return in->used <= in->len ? in->used : 0;
}

/* Receive one whole answer; its text is in->bytes, its body in->body. */
static void receive(int fd, struct inbox *in)
{
    in->bytes[in->used] = in->kept;
    memmove(in->bytes, in->bytes + in->used, in->len -= in->used);
    in->used = 0;
    while (whole(in) == 0) {
        ssize_t n = read(fd, in->bytes + in->len, sizeof in->bytes - 1 - in->len);

        if (n <= 0)
            die("read from the Runtime API");
        in->len += (size_t)n;
    }
    in->kept = in->bytes[in->used];
    in->bytes[in->used] = '\0';
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
    static struct inbox in;
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
    int fd = dial(api == NULL ? "127.0.0.1:9001" : api);

    setvbuf(stdout, NULL, _IOLBF, 0);
    if (dprintf(fd, NEXT) < 0)
        die("write to the Runtime API");
    for (;;) {
        char id[ID_BYTES];
        char name[NAME_BYTES];
        char body[NAME_BYTES + 64];
        int len;

        receive(fd, &in);
        name_of(in.body, name, sizeof name);
        header(in.bytes, "lambda-runtime-aws-request-id", id, sizeof id);
        printf("greeting %s\n", name);
        len = snprintf(body, sizeof body, "{\"message\": \"" GREETING ", %s\"}", name);
        if (dprintf(fd,
                    "POST /2018-06-01/runtime/invocation/%s/response HTTP/1.1\r\nHost: api\r\n"
                    "Content-Length: %d\r\n\r\n%s" NEXT,
                    id, len, body) < 0)
            die("write to the Runtime API");
        receive(fd, &in); /* that the answer was taken; the event comes behind it */
    }
}
