#include "controlplane/api/admin/metrics_rules.h"

#include "base/check.h"
#include "tests/unit/check.h"

/* A certificate each of a control-plane node and a worker. */
static void certificates(struct buf *out)
{
    static const struct tls_expiry list[] = {
        { { .node = "a", .role = "controlplane", .zone = "z1" }, 1800000000 },
        { { .node = "worker-b", .role = "worker", .zone = "z2" }, 99 },
    };

    metrics_certificates(list, ARRAY_LEN(list), out);
}

static void https(struct buf *out)
{
    metrics_https(1900000000, out);
}

/* This node leads one group; the other has no leader. */
static void groups(struct buf *out)
{
    static const struct metrics_group list[] = {
        { "control", true, true, 3, 1000, 999 },
        { "storage", false, false, UINT64_MAX, 0, 0 },
    };

    metrics_groups(list, ARRAY_LEN(list), out);
}

static void workers(struct buf *out)
{
    static const struct metrics_state list[] = { { "live", 2 }, { "out", 0 } };

    metrics_workers(list, ARRAY_LEN(list), out);
}

static void pools(struct buf *out)
{
    static const struct metrics_pool list[] = { { "worker-a", "network_namespaces", 7, 8, 0 },
                                                { "worker-a", "control_groups", 0, 64, 0 },
                                                { "worker-a", "ready_environments", 2, 8,
                                                  12582912 } };

    metrics_pools(list, ARRAY_LEN(list), out);
}

static void clients(struct buf *out)
{
    static const struct metrics_clients seen = { 7, 256, 3, UINT64_MAX };

    metrics_clients(&seen, out);
}

#define RAFT(name, control, storage)                                                               \
    "# TYPE lapwing_raft_" name " gauge\n"                                                         \
    "lapwing_raft_" name "{group=\"control\"} " control "\n"                                       \
    "lapwing_raft_" name "{group=\"storage\"} " storage "\n"

/* Each text without its lines of help. */
static const struct {
    const char *name;
    void (*put)(struct buf *out);
    const char *want;
} rows[] = {
    { "a line a certificate", certificates,
      "# TYPE lapwing_certificate_expires_seconds gauge\n"
      "lapwing_certificate_expires_seconds{node=\"a\",role=\"controlplane\",zone=\"z1\"} "
      "1800000000\n"
      "lapwing_certificate_expires_seconds{node=\"worker-b\",role=\"worker\",zone=\"z2\"} 99\n" },
    { "what is there and what there may be", pools,
      "# TYPE lapwing_worker_pool gauge\n"
      "lapwing_worker_pool{worker=\"worker-a\",kind=\"network_namespaces\"} 7\n"
      "lapwing_worker_pool{worker=\"worker-a\",kind=\"control_groups\"} 0\n"
      "lapwing_worker_pool{worker=\"worker-a\",kind=\"ready_environments\"} 2\n"
      "# TYPE lapwing_worker_pool_size gauge\n"
      "lapwing_worker_pool_size{worker=\"worker-a\",kind=\"network_namespaces\"} 8\n"
      "lapwing_worker_pool_size{worker=\"worker-a\",kind=\"control_groups\"} 64\n"
      "lapwing_worker_pool_size{worker=\"worker-a\",kind=\"ready_environments\"} 8\n"
      "# TYPE lapwing_worker_pool_bytes gauge\n"
      "lapwing_worker_pool_bytes{worker=\"worker-a\",kind=\"ready_environments\"} 12582912\n" },
    { "one of HTTPS", https,
      "# TYPE lapwing_https_certificate_expires_seconds gauge\n"
      "lapwing_https_certificate_expires_seconds 1900000000\n" },
    { "a line a figure and group", groups,
      RAFT("has_leader", "1", "0") RAFT("is_leader", "1", "0")
          RAFT("term", "3", "18446744073709551615") RAFT("commit_index", "1000", "0")
              RAFT("applied_index", "999", "0") },
    { "a line a state of workers", workers,
      "# TYPE lapwing_workers gauge\n"
      "lapwing_workers{state=\"live\"} 2\n"
      "lapwing_workers{state=\"out\"} 0\n" },
    { "clients, and handshakes by what they do", clients,
      "# TYPE lapwing_http_connections gauge\n"
      "lapwing_http_connections 7\n"
      "# TYPE lapwing_https_handshakes gauge\n"
      "lapwing_https_handshakes{state=\"under_way\"} 256\n"
      "lapwing_https_handshakes{state=\"waiting\"} 3\n"
      "# TYPE lapwing_https_handshakes_cut_total counter\n"
      "lapwing_https_handshakes_cut_total 18446744073709551615\n" },
};

/* Copies all lines but those of help, each of which must stand before the type of the same name. */
static void take_help(const char *text, struct buf *out)
{
    static const char help[] = "# HELP ";

    while (*text != '\0') {
        const char *next = strchr(text, '\n') + 1;

        if (strncmp(text, help, sizeof help - 1) == 0) {
            const char *name = text + sizeof help - 1;
            size_t len = strcspn(name, " ");

            EXPECT(name + len + 1 < next - 1);
            EXPECT(strncmp(next, "# TYPE ", 7) == 0 && strncmp(next + 7, name, len) == 0);
        } else {
            buf_append(out, text, (size_t)(next - text));
        }
        text = next;
    }
}

TEST(a_collector_reads_what_each_figure_is_and_a_line_a_value)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf text = { 0 };
        struct buf bare = { 0 };

        test_case = rows[i].name;
        rows[i].put(&text);
        take_help(buf_text(&text), &bare);
        EXPECT(bare.len < text.len);
        EXPECT_TEXT(buf_text(&bare), rows[i].want);
        buf_done(&text);
        buf_done(&bare);
    }
}
