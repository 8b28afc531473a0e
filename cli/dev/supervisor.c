/* The supervisor: starts every program of every zone, copies their logs to files and what matters
 * to the terminal, starts again what dies, and stops all of it.
 *
 * One loop, one thread.  A worker and its spawner share a socket pair: if one dies, both start
 * anew. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <uv.h>

#include "base/check.h"
#include "base/log.h"
#include "cli/dev/child.h"
#include "cli/dev/dev.h"
#include "cli/dev/plan.h"

enum {
    RESTART_MS_MIN = 200,
    RESTART_MS_MAX = 5000,
    STEADY_MS = 10000, /* a program that lived so long starts again without delay */
    STOP_TERM_MS = 8000,
    PROGRESS_MS = 2000,
    LINE_BYTES_MAX = 8192,
    LOG_BYTES_MAX = 16 << 20, /* of one program; then its log starts anew, the last one is kept */
    PROGRAMS_MAX = DEV_ZONES_MAX * PLAN_KINDS,
};

struct supervisor;

/* One program of one zone, over all its lives. */
struct program {
    struct supervisor *owner;
    enum plan_kind kind;
    unsigned zone;
    char path[PATH_MAX];
    char config[PATH_MAX];
    pid_t pid; /* 0 while it does not run */
    bool ready;
    char log_path[PATH_MAX];
    int log_file;
    uint64_t log_bytes;
    uv_pipe_t log;
    bool log_open;
    uv_timer_t restart;
    uint64_t delay_ms;
    uint64_t started_ms;
    struct buf line; /* not yet ended */
    char read_buf[16384];
};

struct supervisor {
    uv_loop_t loop;
    struct plan plan;
    struct program programs[PROGRAMS_MAX];
    unsigned count;
    bool zone_said[DEV_ZONES_MAX];
    bool all_ready;
    bool stopping;
    bool failed;
    pid_t janitor;
    uv_signal_t child_signal;
    uv_signal_t stop_signals[3];
    uv_timer_t progress;
    uv_timer_t stop_timer;
    uint64_t began_ms;
};

static void start_program(struct program *program, int socket);
static void start_pair(struct supervisor *sv, unsigned zone);

static struct program *find(struct supervisor *sv, enum plan_kind kind, unsigned zone)
{
    return &sv->programs[zone * PLAN_KINDS + kind];
}

static void say(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    (void)vprintf(format, args);
    va_end(args);
    (void)fflush(stdout);
}

/* A detached supervisor has told its caller all it wanted to know: from here it talks to a file. */
static void let_caller_go(const struct dev_options *options, const struct dev_user *user)
{
    char path[PATH_MAX];
    int fd;

    if (!options->detach)
        return;
    say("%c", DEV_READY_MARK);
    (void)snprintf(path, sizeof path, "%.4000s/dev.log", options->data);
    fd = dev_file_open(path, O_WRONLY | O_CREAT | O_APPEND, 0644, user);
    if (fd < 0)
        fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
    (void)dup2(fd, 1);
    (void)dup2(fd, 2);
    (void)close(fd);
}

static void say_ready(struct supervisor *sv)
{
    const struct dev_options *options = sv->plan.options;
    char usual[PATH_MAX];
    bool elsewhere;

    dev_data_default(sv->plan.user, usual, sizeof usual);
    elsewhere = strcmp(usual, options->data) != 0;
    say("\nThe cluster is ready: %u zone%s on %s://127.0.0.1:%u%s\n"
        "  source %s/env.sh\n"
        "  aws lambda list-functions       lapwing status       "
        "samples/hello-python/walkthrough.sh\n",
        options->zones, options->zones == 1 ? "" : "s", plan_scheme(options), options->port,
        sv->plan.ipv6 ? " and [::1]" : "", options->data);
    if (options->detach)
        say("Stop it with: lapwing dev --stop%s%s\n", elsewhere ? " --data " : "",
            elsewhere ? options->data : "");
    else
        say("Ctrl-C stops it.\n");
    let_caller_go(options, sv->plan.user);
}

static void note_ready(struct program *program)
{
    struct supervisor *sv = program->owner;
    bool all = true;

    program->ready = true;
    for (unsigned zone = 0; zone < sv->plan.options->zones; zone++) {
        bool ready = true;
        char path[PATH_MAX];

        for (unsigned kind = 0; kind < PLAN_KINDS; kind++)
            ready = ready && find(sv, (enum plan_kind)kind, zone)->ready;
        all = all && ready;
        if (!ready || sv->zone_said[zone])
            continue;
        sv->zone_said[zone] = true;
        (void)snprintf(path, sizeof path, "%.4000s/zone-%s", sv->plan.options->data,
                       plan_zone_name(zone));
        say("zone %s ready   %s   %.1f MiB\n", plan_zone_name(zone), path,
            (double)dev_files_size(path) / 1048576.0);
    }
    if (!all || sv->all_ready)
        return;
    sv->all_ready = true;
    (void)uv_timer_stop(&sv->progress);
    say_ready(sv);
}

/* "TIME level event ...": true if the word behind the level is `event`, and where the level starts.
 */
static bool line_event_is(const char *line, const char *event, const char **out_level)
{
    const char *level = strchr(line, ' ');
    const char *word = level == NULL ? NULL : strchr(level + 1, ' ');
    size_t len = strlen(event);

    *out_level = level == NULL ? "" : level + 1;
    return word != NULL && strncmp(word + 1, event, len) == 0 &&
           (word[1 + len] == ' ' || word[1 + len] == '\0');
}

static void take_line(struct program *program, const char *line)
{
    const char *level;

    if (line_event_is(line, "ready", &level)) {
        note_ready(program);
        return;
    }
    /* What a program says about itself on the way up or down is in its log file. */
    if (program->owner->stopping || program->owner->plan.options->detach ||
        strncmp(level, "debug", 5) == 0 ||
        (!program->owner->all_ready && strncmp(level, "error", 5) != 0))
        return;
    say("%s-%s %s\n", plan_kind_name(program->kind), plan_zone_name(program->zone), line);
}

static void take_log(struct program *program, const char *data, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (data[i] != '\n' && program->line.len < LINE_BYTES_MAX) {
            buf_append(&program->line, data + i, 1);
            continue;
        }
        take_line(program, buf_text(&program->line));
        program->line.len = 0;
    }
}

static void log_closed_cb(uv_handle_t *handle)
{
    struct program *program = handle->data;

    program->log_open = false;
}

static void alloc_cb(uv_handle_t *handle, size_t suggested, uv_buf_t *out)
{
    struct program *program = handle->data;

    *out = uv_buf_init(program->read_buf, sizeof program->read_buf);
}

static int open_log(struct program *program)
{
    return dev_file_open(program->log_path, O_WRONLY | O_CREAT | O_APPEND, 0644,
                         program->owner->plan.user);
}

static void write_log(struct program *program, const char *data, size_t len)
{
    program->log_bytes += len;
    if (program->log_bytes > LOG_BYTES_MAX) {
        (void)close(program->log_file);
        dev_file_rotate(program->log_path, program->owner->plan.user);
        program->log_file = open_log(program);
        program->log_bytes = len;
    }
    if (program->log_file < 0 || write(program->log_file, data, len) < 0)
        say("%s: %s\n", program->log_path, strerror(errno));
}

static void log_read_cb(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    struct program *program = stream->data;

    if (n < 0) {
        uv_close((uv_handle_t *)stream, log_closed_cb);
        return;
    }
    write_log(program, buf->base, (size_t)n);
    take_log(program, buf->base, (size_t)n);
}

static void read_log(struct program *program, int fd)
{
    int rv = uv_pipe_init(&program->owner->loop, &program->log, 0);

    CHECK(rv == 0);
    program->log.data = program;
    rv = uv_pipe_open(&program->log, fd);
    CHECK(rv == 0);
    rv = uv_read_start((uv_stream_t *)&program->log, alloc_cb, log_read_cb);
    CHECK(rv == 0);
    program->log_open = true;
}

static void give_up(struct supervisor *sv, const struct err *err)
{
    say("lapwing dev: %s\n", err->text);
    sv->failed = true;
    (void)raise(SIGTERM);
}

static void start_program(struct program *program, int socket)
{
    struct supervisor *sv = program->owner;
    bool root = program->kind == PLAN_SPAWNER;
    struct child_spec spec = {
        .path = program->path,
        .config = program->config,
        .uid = root ? 0 : sv->plan.user->uid,
        .gid = root ? 0 : sv->plan.user->gid,
        .socket = socket,
        /* The spawner has things to take down before it goes. */
        .death_signal = root ? SIGTERM : SIGKILL,
    };
    struct err err;
    int log;

    program->ready = false;
    program->started_ms = uv_now(&sv->loop);
    if (child_start(&spec, &program->pid, &log, &err) != ST_OK) {
        program->pid = 0;
        give_up(sv, &err);
        return;
    }
    read_log(program, log);
}

static void start_pair(struct supervisor *sv, unsigned zone)
{
    int ends[2];
    int rv = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends);

    CHECK(rv == 0);
    start_program(find(sv, PLAN_SPAWNER, zone), ends[0]);
    start_program(find(sv, PLAN_WORKER, zone), ends[1]);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static bool is_pair(enum plan_kind kind)
{
    return kind == PLAN_SPAWNER || kind == PLAN_WORKER;
}

static void restart_cb(uv_timer_t *timer)
{
    struct program *program = timer->data;
    struct supervisor *sv = program->owner;
    struct program *spawner = find(sv, PLAN_SPAWNER, program->zone);
    struct program *worker = find(sv, PLAN_WORKER, program->zone);
    bool busy = program->log_open || program->pid != 0;

    if (is_pair(program->kind))
        busy = spawner->pid != 0 || worker->pid != 0 || spawner->log_open || worker->log_open;
    if (busy) {
        (void)uv_timer_start(timer, restart_cb, RESTART_MS_MIN, 0);
        return;
    }
    if (is_pair(program->kind))
        start_pair(sv, program->zone);
    else
        start_program(program, -1);
}

static void plan_restart(struct program *program)
{
    struct supervisor *sv = program->owner;

    if (uv_now(&sv->loop) - program->started_ms > STEADY_MS)
        program->delay_ms = RESTART_MS_MIN;
    else if (program->delay_ms < RESTART_MS_MAX)
        program->delay_ms *= 2;
    (void)uv_timer_start(&program->restart, restart_cb, program->delay_ms, 0);
}

static bool any_running(const struct supervisor *sv)
{
    for (unsigned i = 0; i < sv->count; i++)
        if (sv->programs[i].pid != 0)
            return true;
    return false;
}

static void report_end(struct program *program, int status)
{
    const char *name = plan_kind_name(program->kind);
    const char *zone = plan_zone_name(program->zone);

    if (program->owner->stopping)
        return;
    if (WIFSIGNALED(status))
        say("%s-%s was killed by signal %d; starting it again\n", name, zone, WTERMSIG(status));
    else
        say("%s-%s ended with code %d; starting it again (its log: %s.log)\n", name, zone,
            WEXITSTATUS(status), program->config);
}

static void program_ended(struct program *program, int status)
{
    struct supervisor *sv = program->owner;
    struct program *other;

    report_end(program, status);
    program->pid = 0;
    program->ready = false;
    if (sv->stopping) {
        if (!any_running(sv))
            uv_stop(&sv->loop);
        return;
    }
    if (!sv->all_ready && program->delay_ms >= RESTART_MS_MAX) {
        struct err err;

        (void)err_set(
            &err, ST_UNAVAILABLE, "%s-%s does not start; the last lines of %s.log say why",
            plan_kind_name(program->kind), plan_zone_name(program->zone), program->config);
        give_up(sv, &err);
        return;
    }
    if (!is_pair(program->kind)) {
        plan_restart(program);
        return;
    }
    /* The half that is left cannot go on without its socket's other end. */
    other = find(sv, program->kind == PLAN_WORKER ? PLAN_SPAWNER : PLAN_WORKER, program->zone);
    if (other->pid != 0)
        (void)kill(other->pid, SIGTERM);
    plan_restart(find(sv, PLAN_WORKER, program->zone));
}

static void child_cb(uv_signal_t *handle, int signum)
{
    struct supervisor *sv = handle->data;
    int status;

    for (unsigned i = 0; i < sv->count; i++) {
        struct program *program = &sv->programs[i];

        if (program->pid != 0 && waitpid(program->pid, &status, WNOHANG) == program->pid)
            program_ended(program, status);
    }
    if (sv->janitor > 0 && waitpid(sv->janitor, &status, WNOHANG) == sv->janitor)
        sv->janitor =
            sv->stopping ? 0 : dev_janitor_start(find(sv, PLAN_SPAWNER, 0)->path, sv->plan.options);
}

static void kill_rest_cb(uv_timer_t *timer)
{
    struct supervisor *sv = timer->data;

    for (unsigned i = 0; i < sv->count; i++)
        if (sv->programs[i].pid != 0)
            (void)kill(sv->programs[i].pid, SIGKILL);
}

static void stop_cb(uv_signal_t *handle, int signum)
{
    struct supervisor *sv = handle->data;

    if (sv->stopping) {
        kill_rest_cb(&sv->stop_timer); /* asked twice: no more waiting */
        return;
    }
    sv->stopping = true;
    say("\nstopping\n");
    for (unsigned i = 0; i < sv->count; i++) {
        (void)uv_timer_stop(&sv->programs[i].restart);
        if (sv->programs[i].pid != 0)
            (void)kill(sv->programs[i].pid, SIGTERM);
    }
    (void)uv_timer_start(&sv->stop_timer, kill_rest_cb, STOP_TERM_MS, 0);
    if (!any_running(sv))
        uv_stop(&sv->loop);
}

static void progress_cb(uv_timer_t *timer)
{
    struct supervisor *sv = timer->data;

    say("  still starting after %llu s, waiting for:",
        (unsigned long long)((uv_now(&sv->loop) - sv->began_ms) / 1000));
    for (unsigned i = 0; i < sv->count; i++)
        if (!sv->programs[i].ready)
            say(" %s-%s", plan_kind_name(sv->programs[i].kind),
                plan_zone_name(sv->programs[i].zone));
    say("\n");
}

static enum status prepare_program(struct program *program, struct err *err)
{
    static const char *const folders[PLAN_KINDS] = {
        [PLAN_OBJSTORE] = "objstore",
        [PLAN_CONTROLPLANE] = "controlplane",
        [PLAN_SPAWNER] = "worker/spawner",
        [PLAN_WORKER] = "worker/agent",
    };
    struct supervisor *sv = program->owner;
    const struct dev_options *options = sv->plan.options;
    char name[64];
    struct buf text = { 0 };
    enum status st;

    (void)snprintf(name, sizeof name, "lapwing-%s", plan_kind_name(program->kind));
    st = child_find(sv->plan.program_dir, folders[program->kind], name, program->path,
                    sizeof program->path, err);
    if (st != ST_OK)
        return st;
    (void)snprintf(program->config, sizeof program->config, "%.3900s/zone-%s/%s.ini", options->data,
                   plan_zone_name(program->zone), plan_kind_name(program->kind));
    plan_config(&sv->plan, program->kind, program->zone, &text);
    st = dev_file_write(program->config, buf_text(&text), 0640, sv->plan.user, err);
    buf_done(&text);
    if (st != ST_OK)
        return st;
    (void)snprintf(program->log_path, sizeof program->log_path, "%.4000s.log", program->config);
    program->log_file = open_log(program);
    if (program->log_file < 0)
        return err_set_errno(err, ST_IO, errno, "open %s", program->log_path);
    program->log_bytes = (uint64_t)lseek(program->log_file, 0, SEEK_END);
    return ST_OK;
}

static enum status prepare_programs(struct supervisor *sv, struct err *err)
{
    sv->count = sv->plan.options->zones * PLAN_KINDS;
    for (unsigned i = 0; i < sv->count; i++) {
        struct program *program = &sv->programs[i];
        enum status st;

        program->owner = sv;
        program->kind = (enum plan_kind)(i % PLAN_KINDS);
        program->zone = i / PLAN_KINDS;
        program->delay_ms = RESTART_MS_MIN;
        program->restart.data = program;
        (void)uv_timer_init(&sv->loop, &program->restart);
        st = prepare_program(program, err);
        if (st != ST_OK)
            return st;
    }
    return ST_OK;
}

static void watch_signals(struct supervisor *sv)
{
    static const int stops[] = { SIGINT, SIGTERM, SIGHUP };

    (void)signal(SIGPIPE, SIG_IGN); /* a terminal that is gone must not take the cluster with it */
    for (size_t i = 0; i < ARRAY_LEN(stops); i++) {
        (void)uv_signal_init(&sv->loop, &sv->stop_signals[i]);
        sv->stop_signals[i].data = sv;
        (void)uv_signal_start(&sv->stop_signals[i], stop_cb, stops[i]);
    }
    (void)uv_signal_init(&sv->loop, &sv->child_signal);
    sv->child_signal.data = sv;
    (void)uv_signal_start(&sv->child_signal, child_cb, SIGCHLD);
    (void)uv_timer_init(&sv->loop, &sv->progress);
    sv->progress.data = sv;
    (void)uv_timer_start(&sv->progress, progress_cb, PROGRESS_MS, PROGRESS_MS);
    (void)uv_timer_init(&sv->loop, &sv->stop_timer);
    sv->stop_timer.data = sv;
}

static void run_programs(struct supervisor *sv)
{
    sv->began_ms = uv_now(&sv->loop);
    for (unsigned zone = 0; zone < sv->plan.options->zones; zone++) {
        start_program(find(sv, PLAN_OBJSTORE, zone), -1);
        start_program(find(sv, PLAN_CONTROLPLANE, zone), -1);
        start_pair(sv, zone);
    }
    (void)uv_run(&sv->loop, UV_RUN_DEFAULT);
}

int dev_supervise(const struct dev_options *options, const struct dev_user *user, bool ipv6)
{
    struct supervisor *sv = must_calloc(1, sizeof *sv);
    char program_dir[PATH_MAX] = "";
    struct err err = { "" };
    ssize_t len = readlink("/proc/self/exe", program_dir, sizeof program_dir - 1);
    char *slash;
    const char *spawner;
    int rv = uv_loop_init(&sv->loop);

    CHECK(rv == 0);
    CHECK(len > 0);
    slash = strrchr(program_dir, '/');
    *slash = '\0';
    sv->plan = (struct plan){ options, user, program_dir, ipv6 };
    if (dev_files_prepare(options, user, program_dir, &err) != ST_OK ||
        prepare_programs(sv, &err) != ST_OK) {
        say("lapwing dev: %s\n", err.text);
        free(sv);
        return 1;
    }
    spawner = find(sv, PLAN_SPAWNER, 0)->path;
    dev_clean(spawner,
              sv->plan.options); /* what an earlier one left when everything was killed at once */
    sv->janitor = dev_janitor_start(spawner, options);
    watch_signals(sv);
    run_programs(sv);
    dev_janitor_dismiss(sv->janitor);
    dev_clean(spawner, options);
    say("stopped; the data stays in %s\n", options->data);
    rv = sv->failed ? 1 : 0;
    free(sv);
    return rv;
}
