#include "tests/cluster/replica_trio.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/identity.h"
#include "tests/unit/certificates.h"

void replica_trio_init(struct replica_trio *trio, const char *dir, uint16_t port)
{
    memset(trio, 0, sizeof *trio);
    (void)snprintf(trio->dir, sizeof trio->dir, "%s", dir);
    trio->port = port;
    trio->member_count = TRIO;
    trio->leader_lease = true;
    for (unsigned i = 0; i < TRIO; i++) {
        struct replica_member *member = &trio->members[i];
        char path[64];

        member->id = i + 1;
        (void)snprintf(member->node, sizeof member->node, "%c", 'a' + (int)i);
        (void)snprintf(member->zone, sizeof member->zone, "%c", 'a' + (int)i);
        (void)snprintf(member->address, sizeof member->address, "127.0.0.1:%u", port + i);
        (void)snprintf(path, sizeof path, "trio/controlplane/%s/%s", member->zone, member->node);
        test_identity(path, &trio->identity[i]);
    }
}

enum status replica_trio_try(struct replica_trio *trio, unsigned at, struct err *err)
{
    struct replica_config config = { .group = "control",
                                     .self_id = at + 1,
                                     .members = trio->members,
                                     .member_count = trio->member_count,
                                     .identity = &trio->identity[at],
                                     .service = STREAM_RAFT_CONTROL,
                                     .snapshot_log_bytes = trio->snapshot_log_bytes,
                                     .snapshot_wal_bytes_max = trio->snapshot_wal_bytes_max,
                                     .leader_lease = trio->leader_lease };
    char dir[300];

    (void)snprintf(dir, sizeof dir, "%s/%s", trio->dir, trio->members[at].node);
    config.dir = dir;
    trio->identity[at].self.epoch = uv_hrtime(); /* rises with each start on this machine */
    return replica_start(&config, &trio->replicas[at], err);
}

void replica_trio_start(struct replica_trio *trio, unsigned at)
{
    struct err err = { 0 };

    if (replica_trio_try(trio, at, &err) == ST_OK)
        return;
    fprintf(stderr, "replica %s: %s\n", trio->members[at].node, err.text);
    exit(1);
}

void replica_trio_stop(struct replica_trio *trio, unsigned at)
{
    replica_stop(trio->replicas[at]);
    trio->replicas[at] = NULL;
}

void replica_trio_done(struct replica_trio *trio)
{
    for (unsigned i = 0; i < TRIO; i++)
        identity_done(&trio->identity[i]);
}

void replica_trio_create_body(const char *name, uint64_t number, struct buf *out)
{
    Lapwing__CreateFunction create = LAPWING__CREATE_FUNCTION__INIT;
    Lapwing__Function function = LAPWING__FUNCTION__INIT;
    uint8_t hash[32] = { 1 };
    char uid[33];
    char revision[40];
    size_t len;

    (void)snprintf(uid, sizeof uid, "%032llx", (unsigned long long)number);
    (void)snprintf(revision, sizeof revision, "00000000-0000-4000-8000-%012llx",
                   (unsigned long long)number & 0xffffffffffff);
    function.account = "000000000000";
    function.region = "eu-west-1";
    function.name = (char *)name;
    function.uid = uid;
    function.runtime = "provided.al2023";
    function.role = "arn:aws:iam::000000000000:role/r";
    function.handler = "bootstrap";
    function.handler_present = true;
    function.timeout_s = 3;
    function.memory_mb = 128;
    function.ephemeral_mb = 512;
    function.architecture = "x86_64";
    function.tracing_mode = "PassThrough";
    function.code_sha256.data = hash;
    function.code_sha256.len = sizeof hash;
    function.code_bytes = 1000;
    function.revision_id = revision;
    create.function = &function;
    len = lapwing__create_function__get_packed_size(&create);
    out->len += lapwing__create_function__pack(&create, buf_reserve(out, len));
}
