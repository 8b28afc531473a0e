/* A group of three real processes: one is killed, the rest goes on, it returns and catches up.
 *
 * Each process runs one replica and one client, which creates functions one after the other.  The
 * test talks with it over two pipes: a byte down ('s' stop proposing, 'b' wait for a barrier, 'q'
 * end), a note up for each answer and for each change of what it has applied. */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "controlplane/state/functions.h"
#include "controlplane/state/state.h"
#include "tests/cluster/replica_trio.h"
#include "tests/unit/check.h"

/* Below the range from which the kernel takes ports for connections going out. */
enum { WAIT_S = 40, PORT = 17350 };

struct note {
    uint64_t acked; /* functions of this life whose creation was answered */
    uint64_t applied;
    uint64_t snapshot; /* index of the stored one */
    uint64_t leader;   /* id, 0 when unknown */
    uint64_t open;     /* proposals that wait for an answer */
    uint64_t barriers; /* reached in this life */
    uint64_t read;     /* index that the rows had when the newest was reached */
};

/* ---- one node's process ---- */

struct node {
    struct replica_trio trio;
    unsigned at;
    unsigned life;
    uv_loop_t loop;
    uv_pipe_t down;
    uv_timer_t timer;
    struct replica_client *client;
    struct state_reader *reader;
    int up;
    bool proposing;
    struct note note;
    char byte;
};

static void tell(struct node *node)
{
    struct replica_status status;

    replica_status(node->trio.replicas[node->at], &status);
    node->note.applied = status.applied;
    node->note.snapshot = status.snapshot_index;
    node->note.leader = status.leader_id;
    if (write(node->up, &node->note, sizeof node->note) != (ssize_t)sizeof node->note)
        _exit(3); /* the test is gone */
}

static void propose(struct node *node);

static void proposed(enum status st, const Lapwing__Outcome *outcome, void *context)
{
    struct node *node = context;

    node->note.open--;
    if (st == ST_OK && outcome->status == ST_OK)
        node->note.acked++;
    else if (st == ST_OK)
        _exit(4); /* a name that nobody else takes was refused */
    if (node->proposing)
        propose(node);
}

/* After an unknown outcome the same name would be refused if it had been created: names of the
 * answered ones are 1..acked, of this node and life. */
static void propose(struct node *node)
{
    uint64_t number = node->note.acked + 1;
    struct buf body = { 0 };
    char name[40];

    (void)snprintf(name, sizeof name, "%u-%u-%llu", node->at, node->life,
                   (unsigned long long)number);
    replica_trio_create_body(
        name, ((uint64_t)node->at << 50) + ((uint64_t)node->life << 40) + number, &body);
    if (replica_propose(node->client, LAPWING__COMMAND_TYPE__CREATE_FUNCTION, buf_view(&body),
                        60000, proposed, node) != ST_OK)
        _exit(5);
    node->note.open++;
    buf_done(&body);
}

static void barrier_cb(enum status st, void *context)
{
    struct node *node = context;

    if (st == ST_OK) {
        uint64_t term;

        if (state_reader_applied(node->reader, &node->note.read, &term, NULL) != ST_OK)
            _exit(7);
        node->note.barriers++;
    } else if (replica_barrier(node->client, 60000, barrier_cb, node) != ST_OK)
        _exit(6);
}

static void timer_cb(uv_timer_t *timer)
{
    tell(timer->data);
}

static void alloc_cb(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    struct node *node = handle->data;

    (void)size;
    *buf = uv_buf_init(&node->byte, 1);
}

static void read_cb(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct node *node = stream->data;

    (void)buf;
    if (got < 0)
        _exit(3);
    if (node->byte == 's')
        node->proposing = false;
    if (node->byte == 'b' && replica_barrier(node->client, 60000, barrier_cb, node) != ST_OK)
        _exit(6);
    if (node->byte == 'q')
        uv_stop(&node->loop);
}

_Noreturn static void node_main(
    const struct replica_trio *trio, unsigned at, unsigned life, int down, int up)
{
    struct node *node = must_calloc(1, sizeof *node);

    log_threshold(LOG_ERROR);
    node->trio = *trio;
    node->at = at;
    node->life = life;
    node->up = up;
    node->proposing = true;
    CHECK(uv_loop_init(&node->loop) == 0);
    replica_trio_start(&node->trio, at);
    node->client = replica_client_new(node->trio.replicas[at], &node->loop);
    if (state_open_reader(replica_state_path(node->trio.replicas[at]), STATE_GROUP_CONTROL,
                          &node->reader, NULL) != ST_OK)
        _exit(7);
    CHECK(uv_pipe_init(&node->loop, &node->down, 0) == 0);
    CHECK(uv_pipe_open(&node->down, down) == 0);
    node->down.data = node;
    CHECK(uv_read_start((uv_stream_t *)&node->down, alloc_cb, read_cb) == 0);
    CHECK(uv_timer_init(&node->loop, &node->timer) == 0);
    node->timer.data = node;
    CHECK(uv_timer_start(&node->timer, timer_cb, 20, 20) == 0);
    propose(node);
    (void)uv_run(&node->loop, UV_RUN_DEFAULT);
    replica_client_close(node->client);
    state_reader_close(node->reader);
    replica_trio_stop(&node->trio, at);
    _exit(0);
}

/* ---- the test's side ---- */

struct process {
    pid_t pid;
    unsigned life;
    int down;
    int up;
    struct note note;
    uint64_t acked[8]; /* of each life */
};

struct test_group {
    struct replica_trio trio;
    struct process processes[TRIO];
};

static void start(struct test_group *group, unsigned at)
{
    struct process *process = &group->processes[at];
    int down[2];
    int up[2];

    CHECK(pipe(down) == 0);
    CHECK(pipe(up) == 0);
    process->life++;
    CHECK(process->life < ARRAY_LEN(process->acked));
    process->note = (struct note){ 0 };
    fflush(stdout);
    (void)signal(SIGPIPE, SIG_IGN); /* a process that was killed leaves its pipe behind */
    process->pid = fork();
    CHECK(process->pid >= 0);
    if (process->pid == 0) {
        /* Ends of the others must not stay open here: their processes would outlive the test. */
        for (unsigned i = 0; i < TRIO; i++) {
            if (i == at || group->processes[i].pid == 0)
                continue;
            close(group->processes[i].down);
            close(group->processes[i].up);
        }
        close(down[1]);
        close(up[0]);
        node_main(&group->trio, at, process->life, down[0], up[1]);
    }
    close(down[0]);
    close(up[1]);
    process->down = down[1];
    process->up = up[0];
}

static void listen_to(struct test_group *group)
{
    struct pollfd fds[TRIO];

    for (unsigned i = 0; i < TRIO; i++)
        fds[i] = (struct pollfd){ .fd = group->processes[i].pid > 0 ? group->processes[i].up : -1,
                                  .events = POLLIN };
    (void)poll(fds, TRIO, 1000);
    for (unsigned i = 0; i < TRIO; i++) {
        struct process *process = &group->processes[i];

        if ((fds[i].revents & (POLLIN | POLLHUP)) == 0)
            continue;
        if (read(process->up, &process->note, sizeof process->note) !=
            (ssize_t)sizeof process->note) {
            printf("# node %u ended by itself\n", i);
            exit(1);
        }
        process->acked[process->life] = process->note.acked;
    }
}

static void gone(struct test_group *group, unsigned at)
{
    struct process *process = &group->processes[at];

    (void)waitpid(process->pid, NULL, 0);
    close(process->down);
    close(process->up);
    process->pid = 0;
}

static uint64_t acked_of_all(const struct test_group *group)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < TRIO; i++)
        for (unsigned life = 0; life < ARRAY_LEN(group->processes[i].acked); life++)
            sum += group->processes[i].acked[life];
    return sum;
}

static uint64_t now_s(void)
{
    return uv_hrtime() / 1000000000;
}

static bool wait_for_acks(struct test_group *group, uint64_t more)
{
    uint64_t until = now_s() + WAIT_S;
    uint64_t want = acked_of_all(group) + more;

    while (acked_of_all(group) < want && now_s() < until)
        listen_to(group);
    return acked_of_all(group) >= want;
}

static bool wait_for_applied(struct test_group *group, unsigned at, uint64_t index)
{
    uint64_t until = now_s() + WAIT_S;

    while (group->processes[at].note.applied < index && now_s() < until)
        listen_to(group);
    return group->processes[at].note.applied >= index;
}

static unsigned leader_of(struct test_group *group)
{
    for (;;) {
        listen_to(group);
        for (unsigned i = 0; i < TRIO; i++)
            if (group->processes[i].pid > 0 && group->processes[i].note.leader == i + 1)
                return i;
    }
}

static void kill_one(struct test_group *group, unsigned at)
{
    CHECK(kill(group->processes[at].pid, SIGKILL) == 0);
    gone(group, at);
}

static bool nothing_open(const struct test_group *group)
{
    for (unsigned i = 0; i < TRIO; i++)
        if (group->processes[i].note.open > 0)
            return false;
    return true;
}

static bool barriers_reached(const struct test_group *group, uint64_t want)
{
    for (unsigned i = 0; i < TRIO; i++)
        if (group->processes[i].note.barriers < want)
            return false;
    return true;
}

static void tell_all(struct test_group *group, const char *byte)
{
    for (unsigned i = 0; i < TRIO; i++)
        CHECK(write(group->processes[i].down, byte, 1) == 1);
}

/* End all three with the same rows.  That every proposal is answered is not enough: an answered one
 * may be on its way a second time (asked again after a second without a sign), and counts as a sign
 * of life of its client in the rows of those who apply it.  A barrier of each node goes to the
 * leader behind all that the node has sent; a second one, asked when all have reached the first,
 * shows that every node has applied it all.  For that they must be entries: not with leases. */
static void end(struct test_group *group)
{
    uint64_t until = now_s() + WAIT_S;

    tell_all(group, "s");
    while (!nothing_open(group) && now_s() < until)
        listen_to(group);
    EXPECT(nothing_open(group));
    for (uint64_t round = 1; round <= 2; round++) {
        tell_all(group, "b");
        while (!barriers_reached(group, round) && now_s() < until)
            listen_to(group);
        EXPECT(barriers_reached(group, round));
    }
    for (unsigned i = 0; i < TRIO; i++) {
        CHECK(write(group->processes[i].down, "q", 1) == 1);
        gone(group, i);
    }
}

static void expect_all_rows(struct test_group *group, struct state *state, unsigned at)
{
    uint64_t missing = 0;

    for (unsigned life = 1; life <= group->processes[at].life; life++) {
        for (uint64_t n = 1; n <= group->processes[at].acked[life]; n++) {
            Lapwing__Function *function = NULL;
            char name[40];

            (void)snprintf(name, sizeof name, "%u-%u-%llu", at, life, (unsigned long long)n);
            if (state_get_function(state_reader_of(state), "000000000000", "eu-west-1", name,
                                   &function, NULL) != ST_OK)
                missing++;
            else
                lapwing__function__free_unpacked(function, NULL);
        }
    }
    EXPECT_EQ(missing, 0);
}

/* Equal rows on all three, and every answered one among them. */
static void expect_equal_states(struct test_group *group)
{
    uint64_t first = 0;

    for (unsigned i = 0; i < TRIO; i++) {
        struct state *state = NULL;
        uint64_t digest = 0;
        uint64_t index = 0;
        uint64_t term = 0;
        char path[400];

        (void)snprintf(path, sizeof path, "%s/%s/state.db", group->trio.dir,
                       group->trio.members[i].node);
        EXPECT_EQ(state_open(path, STATE_GROUP_CONTROL, &state, NULL), ST_OK);
        EXPECT_EQ(state_digest(state, &digest, NULL), ST_OK);
        state_applied(state, &index, &term);
        if (i == 0)
            first = digest;
        printf("# node %u ends at %llu\n", i, (unsigned long long)index);
        EXPECT(digest == first);
        for (unsigned at = 0; at < TRIO; at++)
            expect_all_rows(group, state, at);
        state_close(state);
    }
}

static void group_start_with(struct test_group *group,
                             uint16_t port,
                             uint64_t snapshot_log_bytes,
                             bool leader_lease)
{
    char dir[] = "/tmp/test_replica.XXXXXX";

    memset(group, 0, sizeof *group);
    CHECK(mkdtemp(dir) != NULL);
    replica_trio_init(&group->trio, dir, port);
    group->trio.snapshot_log_bytes = snapshot_log_bytes;
    group->trio.leader_lease = leader_lease;
    for (unsigned i = 0; i < TRIO; i++)
        start(group, i);
}

static void group_start(struct test_group *group, uint16_t port, uint64_t snapshot_log_bytes)
{
    group_start_with(group, port, snapshot_log_bytes, false);
}

static void group_remove(struct test_group *group)
{
    char command[400];

    (void)snprintf(command, sizeof command, "rm -rf '%s'", group->trio.dir);
    EXPECT_EQ(system(command), 0);
    replica_trio_done(&group->trio);
}

TEST(a_killed_leader_is_replaced_and_catches_up_when_it_returns)
{
    struct test_group group;
    unsigned leader;

    group_start(&group, PORT, 0);
    EXPECT(wait_for_acks(&group, 100));
    leader = leader_of(&group);
    kill_one(&group, leader);
    EXPECT(wait_for_acks(&group, 200));
    start(&group, leader);
    EXPECT(wait_for_applied(&group, leader, group.processes[(leader + 1) % TRIO].note.applied));
    EXPECT(wait_for_acks(&group, 100));
    end(&group);
    expect_equal_states(&group);
    group_remove(&group);
}

TEST(a_node_that_missed_more_than_the_log_holds_gets_a_snapshot)
{
    struct test_group group;
    unsigned victim;
    uint64_t missed;

    group_start(&group, PORT + 10, 32768);
    EXPECT(wait_for_acks(&group, 50));
    victim = (leader_of(&group) + 1) % TRIO;
    missed = group.processes[victim].note.applied;
    kill_one(&group, victim);
    EXPECT(wait_for_acks(&group, 1000));
    start(&group, victim);
    EXPECT(wait_for_applied(&group, victim, group.processes[(victim + 1) % TRIO].note.applied));
    EXPECT(group.processes[victim].note.snapshot > missed);
    end(&group);
    expect_equal_states(&group);
    group_remove(&group);
}

/* Each in turn is killed in the middle of its work, rows ahead of its log perhaps, a snapshot half
 * written, and comes back to a group whose log begins behind what it holds. */
TEST(nodes_killed_in_turn_over_many_snapshots_end_with_the_same_rows)
{
    struct test_group group;

    group_start(&group, PORT + 40, 16384);
    EXPECT(wait_for_acks(&group, 50));
    for (unsigned round = 0; round < 2 * TRIO; round++) {
        unsigned victim = round % TRIO;

        kill_one(&group, victim);
        EXPECT(wait_for_acks(&group, 200));
        start(&group, victim);
        EXPECT(wait_for_applied(&group, victim, group.processes[(victim + 1) % TRIO].note.applied));
    }
    end(&group);
    expect_equal_states(&group);
    group_remove(&group);
}

TEST(all_three_killed_at_once_lose_nothing_that_was_answered)
{
    struct test_group group;

    group_start(&group, PORT + 20, 65536);
    EXPECT(wait_for_acks(&group, 300));
    for (unsigned i = 0; i < TRIO; i++)
        kill_one(&group, i);
    for (unsigned i = 0; i < TRIO; i++)
        start(&group, i);
    EXPECT(wait_for_acks(&group, 100));
    end(&group);
    expect_equal_states(&group);
    group_remove(&group);
}

static bool wait_for_barrier(struct test_group *group, unsigned at)
{
    uint64_t until = now_s() + WAIT_S;

    while (group->processes[at].note.barriers == 0 && now_s() < until)
        listen_to(group);
    return group->processes[at].note.barriers > 0;
}

/* Its process does not run while the others elect and commit; when it goes on, the first thing that
 * it finds is a question, from before it hears of anything else. */
TEST(a_leader_that_stood_still_does_not_read_by_a_lease_that_is_over)
{
    struct test_group group;
    uint64_t index = 0;
    unsigned leader;

    group_start_with(&group, PORT + 60, 0, true);
    EXPECT(wait_for_acks(&group, 50));
    leader = leader_of(&group);
    CHECK(kill(group.processes[leader].pid, SIGSTOP) == 0);
    EXPECT(wait_for_acks(&group, 100));
    for (unsigned i = 0; i < TRIO; i++)
        if (i != leader && group.processes[i].note.applied > index)
            index = group.processes[i].note.applied;
    CHECK(write(group.processes[leader].down, "b", 1) == 1);
    CHECK(kill(group.processes[leader].pid, SIGCONT) == 0);
    EXPECT(wait_for_barrier(&group, leader));
    EXPECT(group.processes[leader].note.read >= index);
    for (unsigned i = 0; i < TRIO; i++)
        kill_one(&group, i);
    group_remove(&group);
}

/* ---- what a read costs ---- */

enum { READS = 200 };

struct reads {
    struct replica_trio trio;
    uv_loop_t loop;
    struct replica_client *clients[TRIO];
    struct state_reader *reader;
    enum status st;
    bool answered;
};

static void reads_cb(enum status st, void *context)
{
    struct reads *reads = context;

    reads->st = st;
    reads->answered = true;
}

static void read_one(struct reads *reads, unsigned at)
{
    reads->answered = false;
    EXPECT_EQ(replica_barrier(reads->clients[at], 30000, reads_cb, reads), ST_OK);
    while (!reads->answered)
        (void)uv_run(&reads->loop, UV_RUN_ONCE);
    EXPECT_EQ(reads->st, ST_OK);
}

static uint64_t index_of(struct reads *reads)
{
    uint64_t index = 0;
    uint64_t term;

    EXPECT_EQ(state_reader_applied(reads->reader, &index, &term, NULL), ST_OK);
    return index;
}

/* Entries that READS reads in a row take, at each of three nodes. */
static uint64_t entries_of_reads(uint16_t port, bool leader_lease)
{
    char dir[] = "/tmp/test_replica.XXXXXX";
    struct reads reads = { 0 };
    char command[400];
    uint64_t before;
    uint64_t after;

    CHECK(mkdtemp(dir) != NULL);
    CHECK(uv_loop_init(&reads.loop) == 0);
    log_threshold(LOG_ERROR);
    replica_trio_init(&reads.trio, dir, port);
    reads.trio.leader_lease = leader_lease;
    for (unsigned i = 0; i < TRIO; i++) {
        replica_trio_start(&reads.trio, i);
        reads.clients[i] = replica_client_new(reads.trio.replicas[i], &reads.loop);
    }
    CHECK(state_open_reader(replica_state_path(reads.trio.replicas[0]), STATE_GROUP_CONTROL,
                            &reads.reader, NULL) == ST_OK);
    read_one(&reads, 0); /* a leader is there */
    before = index_of(&reads);
    for (unsigned i = 0; i < READS; i++)
        for (unsigned at = 0; at < TRIO; at++)
            read_one(&reads, at);
    read_one(&reads, 0);
    after = index_of(&reads);
    state_reader_close(reads.reader);
    for (unsigned i = 0; i < TRIO; i++)
        replica_client_close(reads.clients[i]);
    (void)uv_run(&reads.loop, UV_RUN_DEFAULT);
    for (unsigned i = 0; i < TRIO; i++)
        replica_trio_stop(&reads.trio, i);
    CHECK(uv_loop_close(&reads.loop) == 0);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", dir);
    EXPECT_EQ(system(command), 0);
    return after - before;
}

/* A lease may lapse on a machine that is kept from running, so not none, but few. */
TEST(reads_take_no_entries_while_the_lease_holds_and_one_each_without_a_lease)
{
    EXPECT(entries_of_reads(PORT + 70, true) < READS);
    EXPECT(entries_of_reads(PORT + 80, false) >= TRIO * READS);
}

/* ---- a group of one ---- */

struct alone {
    unsigned answers;
    unsigned created;
    enum status barrier;
};

static void alone_proposed(enum status st, const Lapwing__Outcome *outcome, void *context)
{
    struct alone *alone = context;

    alone->answers++;
    if (st == ST_OK && outcome->status == ST_OK)
        alone->created++;
}

static void alone_barrier(enum status st, void *context)
{
    struct alone *alone = context;

    alone->answers++;
    alone->barrier = st;
}

TEST(a_sole_voter_answers_and_finds_all_of_it_after_a_restart)
{
    struct replica_trio trio;
    struct alone alone = { .barrier = ST_UNKNOWN };
    char dir[] = "/tmp/test_replica.XXXXXX";
    char command[400];
    uv_loop_t loop;

    CHECK(mkdtemp(dir) != NULL);
    CHECK(uv_loop_init(&loop) == 0);
    log_threshold(LOG_ERROR);
    replica_trio_init(&trio, dir, PORT + 30);
    trio.member_count = 1;
    for (unsigned life = 1; life <= 2; life++) {
        struct replica_client *client;
        struct buf body = { 0 };

        replica_trio_start(&trio, 0);
        client = replica_client_new(trio.replicas[0], &loop);
        replica_trio_create_body("only", life, &body);
        alone.answers = 0;
        EXPECT_EQ(replica_propose(client, LAPWING__COMMAND_TYPE__CREATE_FUNCTION, buf_view(&body),
                                  10000, alone_proposed, &alone),
                  ST_OK);
        EXPECT_EQ(replica_barrier(client, 10000, alone_barrier, &alone), ST_OK);
        while (alone.answers < 2)
            (void)uv_run(&loop, UV_RUN_ONCE);
        EXPECT_EQ(alone.barrier, ST_OK);
        EXPECT_EQ(alone.created, 1); /* the second life is told that it exists */
        replica_client_close(client);
        (void)uv_run(&loop, UV_RUN_DEFAULT);
        replica_trio_stop(&trio, 0);
        buf_done(&body);
    }
    replica_trio_done(&trio);
    CHECK(uv_loop_close(&loop) == 0);
    (void)snprintf(command, sizeof command, "rm -rf '%s'", dir);
    EXPECT_EQ(system(command), 0);
}
