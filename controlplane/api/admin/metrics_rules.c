/* See metrics_rules.h.  No value of a label needs an escape: node_identity_rules.h has the names,
 * the others are our own words. */
#include "controlplane/api/admin/metrics_rules.h"

#include "base/check.h"

static void begin_type(const char *name, const char *help, const char *type, struct buf *out)
{
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void begin(const char *name, const char *help, struct buf *out)
{
    begin_type(name, help, "gauge", out);
}

void metrics_certificates(const struct tls_expiry *list, size_t count, struct buf *out)
{
    begin("lapwing_certificate_expires_seconds",
          "Unix time at which the certificate of this node, or of one it has a stream with, runs "
          "out.",
          out);
    for (size_t i = 0; i < count; i++)
        buf_printf(
            out, "lapwing_certificate_expires_seconds{node=\"%s\",role=\"%s\",zone=\"%s\"} %lld\n",
            list[i].identity.node, list[i].identity.role, list[i].identity.zone,
            (long long)list[i].not_after_s);
}

void metrics_https(int64_t expires_s, struct buf *out)
{
    begin("lapwing_https_certificate_expires_seconds",
          "Unix time at which this node's certificate of [https] runs out.", out);
    buf_printf(out, "lapwing_https_certificate_expires_seconds %lld\n", (long long)expires_s);
}

static uint64_t has_leader(const struct metrics_group *group)
{
    return group->has_leader;
}

static uint64_t is_leader(const struct metrics_group *group)
{
    return group->is_leader;
}

static uint64_t term(const struct metrics_group *group)
{
    return group->term;
}

static uint64_t commit(const struct metrics_group *group)
{
    return group->commit;
}

static uint64_t applied(const struct metrics_group *group)
{
    return group->applied;
}

static const struct {
    const char *name;
    const char *help;
    uint64_t (*read)(const struct metrics_group *group);
} figures[] = {
    { "lapwing_raft_has_leader", "1 if this node knows a leader of the group, else 0.",
      has_leader },
    { "lapwing_raft_is_leader", "1 if this node leads the group, else 0.", is_leader },
    { "lapwing_raft_term", "Term that this node is in.", term },
    { "lapwing_raft_commit_index", "Last entry of the log that this node knows to be committed.",
      commit },
    { "lapwing_raft_applied_index", "Last entry of the log that this node's rows show.", applied },
};

void metrics_groups(const struct metrics_group *list, size_t count, struct buf *out)
{
    for (size_t i = 0; i < ARRAY_LEN(figures); i++) {
        begin(figures[i].name, figures[i].help, out);
        for (size_t at = 0; at < count; at++)
            buf_printf(out, "%s{group=\"%s\"} %llu\n", figures[i].name, list[at].name,
                       (unsigned long long)figures[i].read(&list[at]));
    }
}

void metrics_workers(const struct metrics_state *list, size_t count, struct buf *out)
{
    begin("lapwing_workers", "Workers that this node knows, by the state it has them in.", out);
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "lapwing_workers{state=\"%s\"} %zu\n", list[i].name, list[i].count);
}

void metrics_pools(const struct metrics_pool *list, size_t count, struct buf *out)
{
    begin("lapwing_worker_pool", "What a worker has made ahead, and is not counted elsewhere.",
          out);
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "lapwing_worker_pool{worker=\"%s\",kind=\"%s\"} %u\n", list[i].worker,
                   list[i].kind, list[i].ready);
    begin("lapwing_worker_pool_size", "How much of it there may be.", out);
    for (size_t i = 0; i < count; i++)
        buf_printf(out, "lapwing_worker_pool_size{worker=\"%s\",kind=\"%s\"} %u\n", list[i].worker,
                   list[i].kind, list[i].size);
    begin("lapwing_worker_pool_bytes", "Memory of environments that are kept ready.", out);
    for (size_t i = 0; i < count; i++)
        if (list[i].bytes > 0)
            buf_printf(out, "lapwing_worker_pool_bytes{worker=\"%s\",kind=\"%s\"} %llu\n",
                       list[i].worker, list[i].kind, (unsigned long long)list[i].bytes);
}

void metrics_clients(const struct metrics_clients *clients, struct buf *out)
{
    begin("lapwing_http_connections", "Connections of clients to this node's front door.", out);
    buf_printf(out, "lapwing_http_connections %u\n", clients->connections);
    begin("lapwing_https_handshakes",
          "Clients in a TLS handshake, and those that wait for one to begin.", out);
    buf_printf(out, "lapwing_https_handshakes{state=\"under_way\"} %u\n",
               clients->handshakes_under_way);
    buf_printf(out, "lapwing_https_handshakes{state=\"waiting\"} %u\n",
               clients->handshakes_waiting);
    begin_type("lapwing_https_handshakes_cut_total",
               "TLS handshakes that took too long while others waited.", "counter", out);
    buf_printf(out, "lapwing_https_handshakes_cut_total %llu\n",
               (unsigned long long)clients->handshakes_cut);
}
