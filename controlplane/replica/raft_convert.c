#include "controlplane/replica/raft_convert.h"

#include <stdio.h>

#include "base/check.h"
#include "controlplane/replica/raft_rules.h"

struct raft_entry *raft_convert_entries(const struct log_entry *entries, unsigned count)
{
    struct raft_entry *out = raft_malloc(count * sizeof *out);
    void *batch = raft_malloc(1);

    CHECK(count > 0);
    CHECK(out != NULL);
    CHECK(batch != NULL);
    for (unsigned i = 0; i < count; i++) {
        out[i] = (struct raft_entry){
            .term = entries[i].term,
            .type = (enum raft_entry_type)entries[i].type,
            .batch = batch,
        };
        if (entries[i].data != NULL)
            out[i].buf =
                (struct raft_buffer){ .base = entries[i].data->bytes, .len = entries[i].data->len };
    }
    return out;
}

void raft_convert_configuration(const void *data, size_t len, struct raft_configuration *out)
{
    struct raft_buffer buffer = { .base = (void *)data, .len = len };
    int rv = raft_configuration_decode(&buffer, out);

    CHECK(rv == 0); /* checked where it entered: ours, or off a checksummed disk */
}

struct log_data *raft_convert_encode(const struct raft_configuration *configuration)
{
    struct raft_buffer buffer;
    struct log_data *data;
    int rv = raft_configuration_encode(configuration, &buffer);

    CHECK(rv == 0);
    CHECK(buffer.len <= CONFIGURATION_BYTES_MAX);
    data = log_data_new(bytes_of(buffer.base, buffer.len));
    raft_free(buffer.base);
    return data;
}

struct log_data *rules_bootstrap(const uint64_t *voter_ids, unsigned count)
{
    struct raft_configuration configuration;
    struct log_data *data;
    char name[24];
    int rv;

    raft_configuration_init(&configuration);
    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(name, sizeof name, "%llu", (unsigned long long)voter_ids[i]);
        rv = raft_configuration_add(&configuration, voter_ids[i], name, RAFT_VOTER);
        CHECK(rv == 0);
    }
    data = raft_convert_encode(&configuration);
    raft_configuration_close(&configuration);
    return data;
}

void raft_convert_metadata(const struct snapshot_meta *meta, struct raft_snapshot_metadata *out)
{
    out->index = meta->index;
    out->term = meta->term;
    out->configuration_index = meta->configuration_index;
    raft_convert_configuration(meta->configuration, meta->configuration_len, &out->configuration);
}

bool raft_convert_sole_voter(struct bytes bytes, uint64_t id)
{
    struct raft_configuration configuration;
    unsigned voters = 0;
    bool self = false;

    raft_convert_configuration(bytes.data, bytes.len, &configuration);
    for (unsigned i = 0; i < configuration.n; i++) {
        if (configuration.servers[i].role != RAFT_VOTER)
            continue;
        voters++;
        if (configuration.servers[i].id == id)
            self = true;
    }
    raft_configuration_close(&configuration);
    return voters == 1 && self;
}
