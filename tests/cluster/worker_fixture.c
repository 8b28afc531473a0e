/* A worker host under test, see worker_fixture.h. */
#include "tests/cluster/worker_fixture.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <mntent.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/hash.h"
#include "base/identity.h"
#include "proto/worker_check.h"
#include "tests/unit/certificates.h"

enum { WAIT_MS = 15000, WORKER_UID = 1900900000, ARGS_MAX = 40, FIRST_FLAGS = 24 };

static const char *const wanted[] = { "LAPWING_SPAWNER", "LAPWING_WORKER",  "LAPWING_INIT",
                                      "LAPWING_CONVERT", "LAPWING_RUNTIME", "LAPWING_STORE" };

static const char *what_is_missing(void)
{
    if (geteuid() != 0)
        return "needs root";
    if (access("/sys/fs/cgroup", W_OK) < 0)
        return "needs writable control groups";
    for (size_t i = 0; i < ARRAY_LEN(wanted); i++)
        if (getenv(wanted[i]) == NULL)
            return "the places of the programs are not in the environment";
    return NULL;
}

/* Before main(): the harness has no word for a file that cannot run here, TAP has. */
__attribute__((constructor)) static void skip_where_it_cannot_run(void)
{
    const char *missing = what_is_missing();

    if (missing == NULL)
        return;
    (void)printf("1..0 # SKIP %s\n", missing);
    exit(0);
}

/* A test's few texts live until its end. */
static char *text(const char *format, const char *a, const char *b)
{
    enum { TEXTS_MAX = 256 };
    static struct buf texts[TEXTS_MAX];
    static size_t count;

    CHECK(count < TEXTS_MAX);
    buf_printf(&texts[count], format, a, b);
    return (char *)(uintptr_t)buf_text(&texts[count++]);
}

static pid_t run(char *const *argv, int fd_three, int output, uid_t uid)
{
    pid_t pid;

    (void)fflush(NULL);
    pid = fork();
    CHECK(pid >= 0);
    if (pid > 0)
        return pid;
    if (fd_three >= 0 && fd_three != 3)
        CHECK(dup2(fd_three, 3) == 3);
    if (fd_three == 3)
        CHECK(fcntl(3, F_SETFD, 0) == 0);
    if (output >= 0)
        CHECK(dup2(output, STDOUT_FILENO) == STDOUT_FILENO);
    if (uid != 0)
        CHECK(setgroups(0, NULL) == 0 && setgid(uid) == 0 && setuid(uid) == 0);
    /* After the change of user, which clears it.  A test that fails must leave nothing behind. */
    CHECK(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
    (void)execv(argv[0], argv);
    _exit(127);
}

static void start_store(struct worker_fixture *fixture)
{
    char *argv[] = { "/usr/bin/python3", getenv("LAPWING_STORE"), fixture->folder, NULL };
    char line[32] = "";
    int pipes[2];

    CHECK(pipe2(pipes, O_CLOEXEC) == 0);
    fixture->store = run(argv, -1, pipes[1], 0);
    (void)close(pipes[1]);
    /* To the newline: an unbuffered interpreter writes it apart, and must find us reading. */
    for (size_t len = 0; strchr(line, '\n') == NULL && len < sizeof line - 1; len++)
        CHECK(read(pipes[0], line + len, 1) == 1);
    (void)close(pipes[0]);
    fixture->store_port = (unsigned)atoi(line);
}

static void start_spawner(struct worker_fixture *fixture, int fd)
{
    char pid[16];
    char *argv[ARGS_MAX] = { 0 };
    size_t n = 0;

    (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
    argv[n++] = getenv("LAPWING_SPAWNER");
    argv[n++] = text("--spawner.instance=alone-%s%s", pid, "");
    argv[n++] = text("--spawner.packages_dir=%s/packages%s", fixture->folder, "");
    argv[n++] = text("--spawner.runtime_dir=%s%s", getenv("LAPWING_RUNTIME"), "");
    argv[n++] = text("--spawner.init_path=%s%s", getenv("LAPWING_INIT"), "");
    argv[n++] = text("--spawner.convert_path=%s%s", getenv("LAPWING_CONVERT"), "");
    argv[n++] = text("--spawner.package_mount=%s%s", fixture->package_mount, "");
    argv[n++] =
        text("--spawner.ready_pool=%s%s", "0", ""); /* only what functions run in is counted */
    argv[n++] = "--spawner.uid_base=1900800000";
    argv[n++] = "--network.outbound=no";
    argv[n++] = "--spawner.fd=3";
    fixture->spawner = run(argv, fd, -1, 0);
}

/* As a service manager makes it: `lapwing dev` gives both ends of a pair, so both ways are tested.
 */
static int spawner_socket(const struct worker_fixture *fixture)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s/spawner", fixture->folder);
    (void)unlink(address.sun_path); /* of the spawner before */
    CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(fd, 1) == 0);
    CHECK(chown(address.sun_path, WORKER_UID, WORKER_UID) == 0);
    return fd;
}

static void start_worker(struct worker_fixture *fixture, const char *const *settings)
{
    char *argv[ARGS_MAX] = { 0 };
    char port[16];
    size_t n = 0;

    (void)snprintf(port, sizeof port, "%u", fixture->store_port);
    argv[n++] = getenv("LAPWING_WORKER");
    argv[n++] = "--node.name=worker-test";
    argv[n++] = "--node.zone=t";
    argv[n++] = "--node.cluster=test";
    argv[n++] = text("--cluster.key_file=%s/key%s", fixture->folder, "");
    argv[n++] = text("--tls.ca_file=%s/ca.crt%s", fixture->folder, "");
    argv[n++] = text("--tls.cert_file=%s/node.crt%s", fixture->folder, "");
    argv[n++] = text("--tls.key_file=%s/node.key%s", fixture->folder, "");
    argv[n++] = text("--listen.invoke=%s%s", fixture->address, "");
    argv[n++] = text("--worker.dir=%s/worker%s", fixture->folder, "");
    argv[n++] = text("--objstore.addresses=127.0.0.1:%s%s", port, "");
    argv[n++] = text("--controlplane.registration=%s%s", fixture->registration, "");
    argv[n++] = text("--api.addresses=127.0.0.1:9,127.0.0.1:%s%s", port, "");
    argv[n++] = text("--spawner.socket=%s/spawner%s", fixture->folder, "");
    CHECK(n < FIRST_FLAGS);
    for (size_t i = 0; settings != NULL && settings[i] != NULL; i++)
        argv[n++] = text("%s%s", settings[i], "");
    fixture->worker = run(argv, -1, -1, WORKER_UID);
}

static void make_folders(struct worker_fixture *fixture)
{
    char *path = text("%s/worker%s", fixture->folder, "");
    int fd;

    CHECK(chmod(fixture->folder, 0755) == 0);
    CHECK(mkdir(path, 0700) == 0 && chown(path, WORKER_UID, WORKER_UID) == 0);
    CHECK(mkdir(text("%s/packages%s", fixture->folder, ""), 0755) == 0);
    test_identity_files("test/worker/t/worker-test", fixture->folder, WORKER_UID);
    test_identity("test/controlplane/t/front", &fixture->identity);
    memset(fixture->identity.key, 0xab, sizeof fixture->identity.key);
    fd = open(text("%s/key%s", fixture->folder, ""), O_WRONLY | O_CREAT, 0600);
    CHECK(fd >= 0);
    for (int i = 0; i < CLUSTER_KEY_BYTES; i++)
        CHECK(write(fd, "ab", 2) == 2);
    CHECK(fchown(fd, WORKER_UID, WORKER_UID) == 0);
    (void)close(fd);
}

/* A port that was free a moment ago. */
static void choose_address(char out[64])
{
    struct sockaddr_in any = { .sin_family = AF_INET };
    socklen_t len = sizeof any;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    any.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    CHECK(bind(fd, (struct sockaddr *)&any, len) == 0);
    CHECK(getsockname(fd, (struct sockaddr *)&any, &len) == 0);
    (void)close(fd);
    (void)snprintf(out, 64, "127.0.0.1:%u", ntohs(any.sin_port));
}

/* ---- the front door ---- */

static void on_open(struct stream *stream, const struct stream_hello *peer, void *context)
{
    struct worker_fixture *fixture = context;

    fixture->stream = stream;
    uv_stop(&fixture->loop);
}

/* Every message about something has its id in field 1. */
static uint64_t id_of(struct bytes body)
{
    Lapwing__Go *message = lapwing__go__unpack(NULL, body.len, body.data);
    uint64_t id = message == NULL ? 0 : message->id;

    if (message != NULL)
        lapwing__go__free_unpacked(message, NULL);
    return id;
}

static void on_frame(struct stream *stream, uint16_t type, struct bytes body, void *context)
{
    struct worker_fixture *fixture = context;

    if (id_of(body) != fixture->wait_id)
        return;
    fixture->got_type = type;
    fixture->got.len = 0;
    buf_append(&fixture->got, body.data, body.len);
    uv_stop(&fixture->loop);
}

static void on_close(struct stream *stream, enum status why, const struct err *err, void *context)
{
    struct worker_fixture *fixture = context;

    if (fixture->stream == stream)
        fixture->stream = NULL;
}

static const struct stream_handler handler = { on_open, on_frame, NULL, on_close };

static void late_cb(uv_timer_t *timer)
{
    struct worker_fixture *fixture = container_of(timer, struct worker_fixture, timer);

    fixture->late = true;
    uv_stop(&fixture->loop);
}

static void run_loop(struct worker_fixture *fixture)
{
    fixture->late = false;
    CHECK(uv_timer_start(&fixture->timer, late_cb, WAIT_MS, 0) == 0);
    (void)uv_run(&fixture->loop, UV_RUN_DEFAULT);
    (void)uv_timer_stop(&fixture->timer);
}

static void start_both(struct worker_fixture *fixture, const char *const *settings)
{
    int listener = spawner_socket(fixture);

    start_worker(fixture, settings);
    start_spawner(fixture, listener);
    (void)close(listener);
}

void worker_fixture_start(struct worker_fixture *fixture, const char *const *settings)
{
    struct err err = { 0 };

    *fixture =
        (struct worker_fixture){ .folder = "/tmp/lapwing-alone-XXXXXX", .package_mount = "auto" };
    CHECK(mkdtemp(fixture->folder) != NULL);
    make_folders(fixture);
    choose_address(fixture->address);
    choose_address(fixture->registration);
    start_store(fixture);
    start_both(fixture, settings);
    CHECK(uv_loop_init(&fixture->loop) == 0);
    CHECK(uv_timer_init(&fixture->loop, &fixture->timer) == 0);
    CHECK(stream_dial(&fixture->loop,
                      &(struct stream_dial_options){
                          .address = fixture->address,
                          .identity = &fixture->identity,
                          .service = STREAM_INVOKE,
                          .node = "worker-test",
                          .handler = &handler,
                          .context = fixture,
                      },
                      &fixture->dialer, &err) == ST_OK);
    run_loop(fixture);
    CHECK(!fixture->late); /* no connection */
}

/* ---- the control plane ---- */

static void heartbeat_cb(struct stream *stream, uint16_t type, struct bytes body, void *context)
{
    struct worker_fixture *fixture = context;
    Lapwing__Heartbeat *beat = lapwing__heartbeat__unpack(NULL, body.len, body.data);

    CHECK(type == LAPWING__REGISTER_FRAME__HEARTBEAT);
    CHECK(beat != NULL);
    CHECK(heartbeat_check(beat, NULL) == ST_OK);
    CHECK(heartbeat_sender_check(beat, stream_peer(stream), NULL) == ST_OK);
    CHECK(beat->sequence > fixture->sequence);
    fixture->sequence = beat->sequence;
    lapwing__heartbeat__free_unpacked(beat, NULL);
    fixture->heartbeats++;
    if (fixture->heartbeats == fixture->wait_heartbeats)
        uv_stop(&fixture->loop);
}

static void registered_close(struct stream *stream,
                             enum status why,
                             const struct err *err,
                             void *context)
{
    struct worker_fixture *fixture = context;

    fixture->registered = NULL;
}

static void *registered(struct stream *stream, const struct stream_hello *peer, void *context)
{
    struct worker_fixture *fixture = context;

    fixture->registered = stream;
    return fixture;
}

static const struct stream_handler register_handler = { NULL, heartbeat_cb, NULL,
                                                        registered_close };

void worker_fixture_register(struct worker_fixture *fixture)
{
    struct err err = { 0 };

    CHECK(stream_listen(&fixture->loop,
                        &(struct stream_listen_options){
                            .address = fixture->registration,
                            .identity = &fixture->identity,
                            .service = STREAM_REGISTER,
                            .handler = &register_handler,
                            .accepted = registered,
                            .context = fixture,
                        },
                        &fixture->listener, &err) == ST_OK);
}

bool worker_wait_heartbeats(struct worker_fixture *fixture, unsigned count)
{
    fixture->wait_heartbeats = count;
    if (fixture->heartbeats < count)
        run_loop(fixture);
    return fixture->heartbeats >= count;
}

void worker_answer_heartbeat(struct worker_fixture *fixture)
{
    Lapwing__HeartbeatReply reply = LAPWING__HEARTBEAT_REPLY__INIT;
    uint8_t packed[64];

    CHECK(fixture->registered != NULL);
    reply.node = fixture->identity.self.node;
    reply.accepted = true;
    CHECK(lapwing__heartbeat_reply__get_packed_size(&reply) <= sizeof packed);
    CHECK(stream_send(fixture->registered, LAPWING__REGISTER_FRAME__HEARTBEAT_REPLY,
                      bytes_of(packed, lapwing__heartbeat_reply__pack(&reply, packed)),
                      bytes_of(NULL, 0)) == ST_OK);
}

/* ---- frozen environments ---- */

/* Where the one hierarchy of cgroup v2 is mounted, which freezes also beside v1. */
static void find_groups(char out[PATH_MAX])
{
    FILE *mounts = setmntent("/proc/self/mounts", "re");
    struct mntent *mount;

    CHECK(mounts != NULL);
    out[0] = '\0';
    while (out[0] == '\0' && (mount = getmntent(mounts)) != NULL)
        if (strcmp(mount->mnt_type, "cgroup2") == 0)
            (void)snprintf(out, PATH_MAX, "%s", mount->mnt_dir);
    (void)endmntent(mounts);
    CHECK(out[0] != '\0');
}

/* The events of an environment's group (cgroup_pool.c names them e.N); -1: its process has ended,
 * or is another helper of the spawner's. */
static int group_events(const char *groups, int pid)
{
    char path[2 * PATH_MAX];
    char line[PATH_MAX];
    FILE *file;
    int fd = -1;

    (void)snprintf(path, sizeof path, "/proc/%d/cgroup", pid);
    file = fopen(path, "re");
    if (file == NULL)
        return -1;
    while (fd < 0 && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "0::", 3) != 0)
            continue;
        line[strcspn(line, "\n")] = '\0';
        if (strstr(line, "/e.") == NULL)
            continue;
        (void)snprintf(path, sizeof path, "%s%s/cgroup.events", groups, line + 3);
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    (void)fclose(file);
    return fd;
}

static bool is_frozen(int events)
{
    char text[128];
    ssize_t got = pread(events, text, sizeof text - 1, 0);

    text[got > 0 ? got : 0] = '\0';
    return strstr(text, "frozen 1") != NULL;
}

/* The events of a child of the spawner that is not frozen; -1: all are.  Each has a group of its
 * own. */
static int running_environment(const struct worker_fixture *fixture,
                               const char *groups,
                               unsigned *out_children)
{
    char path[64];
    int events = -1;
    FILE *file;
    int pid;

    *out_children = 0;
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)fixture->spawner,
                   (int)fixture->spawner);
    file = fopen(path, "re");
    CHECK(file != NULL);
    while (events < 0 && fscanf(file, "%d", &pid) == 1) {
        ++*out_children;
        events = group_events(groups, pid);
        if (events >= 0 && is_frozen(events)) {
            (void)close(events);
            events = -1;
        }
    }
    (void)fclose(file);
    return events;
}

bool worker_wait_frozen(struct worker_fixture *fixture)
{
    uint64_t until_ns = uv_hrtime() + (uint64_t)WAIT_MS * 1000000;
    char groups[PATH_MAX];
    unsigned children = 0;
    int events;

    find_groups(groups);
    while ((events = running_environment(fixture, groups, &children)) >= 0) {
        uint64_t now_ns = uv_hrtime();
        bool late = now_ns >= until_ns;

        /* The kernel tells of a change of the file since it was read. */
        if (!late && !is_frozen(events))
            (void)poll(&(struct pollfd){ .fd = events, .events = POLLPRI }, 1,
                       (int)((until_ns - now_ns) / 1000000) + 1);
        (void)close(events);
        if (late)
            return false;
    }
    return children > 0;
}

/* ---- the end ---- */

static void end(pid_t pid, int signal_number)
{
    int state = 0;

    if (signal_number != 0)
        (void)kill(pid, signal_number);
    CHECK(waitpid(pid, &state, 0) == pid);
    if (signal_number != SIGKILL)
        CHECK(WIFEXITED(state) && WEXITSTATUS(state) == 0);
}

void worker_fixture_restart(struct worker_fixture *fixture, const char *package_mount)
{
    end(fixture->worker, SIGTERM);
    end(fixture->spawner, 0);
    while (fixture->stream != NULL)
        (void)uv_run(&fixture->loop, UV_RUN_ONCE);
    fixture->package_mount = package_mount;
    start_both(fixture, NULL);
    run_loop(fixture);
    CHECK(!fixture->late); /* no connection */
}

void worker_fixture_kill_store(struct worker_fixture *fixture)
{
    end(fixture->store, SIGKILL);
    fixture->store = 0;
}

void worker_fixture_stop(struct worker_fixture *fixture)
{
    char command[128];

    stream_dialer_close(fixture->dialer);
    stream_listener_close(fixture->listener);
    uv_close((uv_handle_t *)&fixture->timer, NULL);
    (void)uv_run(&fixture->loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&fixture->loop) == 0);
    end(fixture->worker, SIGTERM);
    end(fixture->spawner, 0); /* ends with its agent */
    if (fixture->store != 0)
        end(fixture->store, SIGKILL);
    identity_done(&fixture->identity);
    buf_done(&fixture->got);
    (void)snprintf(command, sizeof command, "rm -rf %s", fixture->folder);
    CHECK(system(command) == 0);
}

void worker_fixture_package(struct worker_fixture *fixture,
                            const char *zip,
                            Lapwing__Function *function)
{
    struct buf content = { 0 };
    uint8_t *hash = must_calloc(1, SHA256_BYTES);
    char hex[SHA256_HEX_BYTES], path[160];
    FILE *file = fopen(zip, "rb");
    size_t got = 1;

    CHECK(file != NULL);
    while (got > 0) {
        got = fread(buf_reserve(&content, 65536), 1, 65536, file);
        content.len += got;
    }
    (void)fclose(file);
    hash_sha256(buf_view(&content), hash);
    hex_encode(bytes_of(hash, SHA256_BYTES), hex);
    (void)snprintf(path, sizeof path, "%s/%s.zip", fixture->folder, hex);
    file = fopen(path, "wb");
    CHECK(file != NULL && fwrite(content.data, 1, content.len, file) == content.len);
    CHECK(fclose(file) == 0);
    function->code_sha256 = (ProtobufCBinaryData){ SHA256_BYTES, hash };
    function->code_bytes = content.len;
    buf_done(&content);
}

void worker_fixture_function(struct worker_fixture *fixture,
                             Lapwing__Function *function,
                             const char *runtime,
                             const char *zip)
{
    function->account = "000000000000";
    function->region = "eu-west-1";
    function->name = "test";
    function->uid = "00112233445566778899aabbccddeeff";
    function->runtime = (char *)(uintptr_t)runtime;
    function->role = "arn:aws:iam::000000000000:role/test";
    function->architecture = "x86_64";
    function->revision_id = "11111111-2222-4333-8444-555555555555";
    function->tracing_mode = "PassThrough";
    function->timeout_s = 5;
    function->memory_mb = 256;
    function->ephemeral_mb = 512;
    function->state = LAPWING__FUNCTION_STATE__FUNCTION_ACTIVE;
    function->update_status = LAPWING__FUNCTION_UPDATE_STATUS__FUNCTION_UPDATE_SUCCESSFUL;
    function->config_epoch = 1;
    worker_fixture_package(fixture, zip, function);
}

void worker_send(struct worker_fixture *fixture, uint16_t type, const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *packed = must_calloc(1, len + 1);

    CHECK(fixture->stream != NULL);
    (void)protobuf_c_message_pack(message, packed);
    CHECK(stream_send(fixture->stream, type, bytes_of(packed, len), bytes_of(NULL, 0)) == ST_OK);
    free(packed);
}

uint16_t worker_wait(struct worker_fixture *fixture, uint64_t id)
{
    fixture->wait_id = id;
    fixture->got_type = 0;
    run_loop(fixture);
    return fixture->got_type;
}

Lapwing__Result *worker_invoke(struct worker_fixture *fixture,
                               Lapwing__Function *function,
                               const char *payload)
{
    Lapwing__Offer offer = LAPWING__OFFER__INIT;
    Lapwing__Go go = LAPWING__GO__INIT;
    char request_id[UUID_TEXT_BYTES];

    uuid_text(request_id);
    offer.id = ++fixture->next_id;
    offer.request_id = request_id;
    offer.function = function;
    offer.version = "$LATEST";
    offer.invoked_arn = "arn:aws:lambda:eu-west-1:000000000000:function:test";
    offer.payload = (ProtobufCBinaryData){ strlen(payload), (uint8_t *)(uintptr_t)payload };
    offer.ready_within_ms = WAIT_MS;
    offer.log_tail = true;
    worker_send(fixture, LAPWING__INVOKE_FRAME__OFFER, &offer.base);
    if (worker_wait(fixture, offer.id) != LAPWING__INVOKE_FRAME__READY)
        return NULL;
    go.id = offer.id;
    worker_send(fixture, LAPWING__INVOKE_FRAME__GO, &go.base);
    if (worker_wait(fixture, offer.id) != LAPWING__INVOKE_FRAME__RESULT)
        return NULL;
    return lapwing__result__unpack(NULL, fixture->got.len, fixture->got.data);
}
