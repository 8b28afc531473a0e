/* The C half of the escape suite.
 *
 *   bootstrap            a function on provided.al2023: answers {"do":"attempts"} with a line for
 *                        each attempt, {"do":"bomb","what":"NAME"} with what a bomb got through
 *   bootstrap outside    the negative control: all attempts that do no harm to a host, unconfined
 *   bootstrap list       the table
 *
 * Lines are "NAME<tab>WORD<tab>VERDICT": refused, worked, or allowed. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/clients/escape/attempt.h"

enum { MESSAGE_BYTES = 131072, ID_BYTES = 64, ATTEMPT_S = 10 };

static char inherited[WORD_BYTES] = "none";

const char *word_of(long result)
{
    const char *name = result < 0 ? strerrorname_np(errno) : "ok";

    return name == NULL ? "unknown" : name;
}

bool word_listed(const char *words, const char *word)
{
    size_t len = strlen(word);

    for (const char *at = words; (at = strstr(at, word)) != NULL; at += len)
        if ((at == words || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
            return true;
    return false;
}

void inherited_look(void)
{
    for (int fd = 3; fd < 4096; fd++)
        if (fcntl(fd, F_GETFD) >= 0)
            (void)snprintf(inherited, sizeof inherited, "ok"); /* it can be used */
}

const char *inherited_found(void)
{
    return inherited;
}

static _Noreturn void attempt_child(const struct attempt *attempt, int out)
{
    const long *a = attempt->arguments;
    const char *said;

    (void)alarm(ATTEMPT_S);
    if (attempt->try != NULL)
        said = attempt->try();
    else
        said = word_of(syscall(attempt->call, a[0], a[1], a[2], a[3], a[4], a[5]));
    (void)!write(out, said, strlen(said));
    _exit(0);
}

void attempt_run(const struct attempt *attempt, char *out)
{
    int fds[2];
    int state = 0;
    ssize_t got;
    pid_t pid;

    (void)snprintf(out, WORD_BYTES, "no child");
    if (pipe2(fds, O_CLOEXEC) < 0)
        return;
    pid = fork();
    if (pid == 0)
        attempt_child(attempt, fds[1]);
    (void)close(fds[1]);
    got = pid < 0 ? 0 : read(fds[0], out, WORD_BYTES - 1);
    (void)close(fds[0]);
    if (pid < 0 || waitpid(pid, &state, 0) < 0)
        return;
    if (got > 0)
        out[got] = '\0';
    else if (WIFSIGNALED(state) && WTERMSIG(state) == SIGALRM)
        (void)snprintf(out, WORD_BYTES, "slow");
    else if (WIFSIGNALED(state))
        (void)snprintf(out, WORD_BYTES, "SIG%s", sigabbrev_np(WTERMSIG(state)));
}

static const char *verdict_of(const struct attempt *attempt, const char *word)
{
    if (word_listed(attempt->refused, word))
        return "refused";
    return attempt->allowed != NULL ? "allowed" : "worked";
}

/* Call `each` with every attempt of the table. */
static void all_attempts(void (*each)(const struct attempt *, void *), void *context)
{
    static const struct attempts *const tables[] = { &attempts_on_kernel, &attempts_on_processes,
                                                     &attempts_on_files, &attempts_on_network };

    for (size_t t = 0; t < sizeof tables / sizeof tables[0]; t++)
        for (size_t i = 0; i < tables[t]->count; i++)
            each(&tables[t]->list[i], context);
}

static void list_one(const struct attempt *attempt, void *context)
{
    (void)printf("| `%s` | %s | %s | %s |\n", attempt->name, attempt->what, attempt->refused,
                 attempt->allowed == NULL ? "" : attempt->allowed);
}

/* Append a line to the text of MESSAGE_BYTES at `context`. */
static void run_inside(const struct attempt *attempt, void *context)
{
    char *text = context;
    size_t len = strlen(text);
    char word[WORD_BYTES];

    attempt_run(attempt, word);
    (void)snprintf(text + len, MESSAGE_BYTES - len, "%s\t%s\t%s\n", attempt->name, word,
                   verdict_of(attempt, word));
}

static void run_outside(const struct attempt *attempt, void *context)
{
    char word[WORD_BYTES];

    if (attempt->inside_only)
        return;
    attempt_run(attempt, word);
    (void)printf("%s\t%s\t%s\n", attempt->name, word, verdict_of(attempt, word));
    (void)fflush(stdout);
}

static int dial(void)
{
    struct sockaddr_in where = { .sin_family = AF_INET, .sin_port = htons(9001) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&where, sizeof where) != 0)
        exit(1);
    return fd;
}

/* One whole message; its body. */
static char *receive(int fd, char *message)
{
    size_t len = 0;

    for (;;) {
        ssize_t got = read(fd, message + len, MESSAGE_BYTES - 1 - len);
        char *end, *field;

        if (got <= 0)
            exit(0);
        len += (size_t)got;
        message[len] = '\0';
        end = strstr(message, "\r\n\r\n");
        field = strcasestr(message, "\r\ncontent-length:");
        if (end == NULL)
            continue;
        if (len >=
            (size_t)(end + 4 - message) + (field == NULL ? 0 : strtoul(field + 17, NULL, 10)))
            return end + 4;
    }
}

/* Write `text` as a JSON string; it has no quotes. */
static size_t as_json(const char *text, char *out)
{
    size_t len = 0;

    out[len++] = '"';
    for (; *text != '\0' && len < MESSAGE_BYTES - 3; text++) {
        const char *escape = *text == '\n' ? "\\n" : *text == '\t' ? "\\t" : NULL;

        if (escape != NULL)
            out[len++] = *escape++;
        out[len++] = escape != NULL ? *escape : *text;
    }
    out[len++] = '"';
    return len;
}

/* What the event asks for, as text. */
static void work(const char *event, char *text)
{
    const char *bomb = strstr(event, "\"what\"");
    char name[32] = "";

    text[0] = '\0';
    if (bomb == NULL) {
        all_attempts(run_inside, text);
        return;
    }
    (void)sscanf(bomb, "\"what\" : \"%31[a-z]", name);
    (void)printf("bomb %s\n", name);
    const char *said = bomb_run(name);
    (void)snprintf(text, MESSAGE_BYTES, "%s", said == NULL ? "no such bomb" : said);
}

static int serve(void)
{
    static const char next[] =
        "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nHost: api\r\n\r\n";
    static char message[MESSAGE_BYTES], text[MESSAGE_BYTES], body[MESSAGE_BYTES];
    int fd = dial();

    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    for (;;) {
        char head[256];
        const char *event, *field;
        size_t len;

        if (write(fd, next, sizeof next - 1) < 0)
            return 1;
        event = receive(fd, message);
        field = strcasestr(message, "aws-request-id: ");
        if (field == NULL)
            return 1;
        work(event, text);
        len = as_json(text, body);
        (void)snprintf(head, sizeof head,
                       "POST /2018-06-01/runtime/invocation/%.*s/response HTTP/1.1\r\nHost: api\r\n"
                       "Content-Length: %zu\r\n\r\n",
                       (int)strcspn(field + 16, "\r"), field + 16, len);
        if (write(fd, head, strlen(head)) < 0 || write(fd, body, len) < 0)
            return 1;
        (void)receive(fd, message);
    }
}

int main(int argc, char **argv)
{
    inherited_look();
    if (argc > 1 && strcmp(argv[1], "list") == 0)
        all_attempts(list_one, NULL);
    else if (argc > 1 && strcmp(argv[1], "outside") == 0)
        all_attempts(run_outside, NULL);
    else
        return serve();
    return 0;
}
