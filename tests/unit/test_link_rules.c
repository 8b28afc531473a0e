#include "base/link_rules.h"

#include "base/stream_service.h"
#include "tests/unit/check.h"

static const struct {
    const char *name;
    uint32_t service;
    const char *dialers; /* by their first letters */
    const char *acceptors;
} rows[] = {
    { "Raft of the control group", STREAM_RAFT_CONTROL, "c", "c" },
    { "Raft of the storage group", STREAM_RAFT_STORAGE, "c", "c" },
    { "the state service", STREAM_STATE, "o", "c" },
    { "blobs", STREAM_BLOB, "o", "o" },
    { "invocations", STREAM_INVOKE, "c", "w" },
    { "registration and heartbeats", STREAM_REGISTER, "w", "c" },
    { "no service", 0, "", "" },
    { "a service of a later release", 1000, "", "" },
};

static void expect_roles(unsigned roles, const char *want)
{
    for (unsigned i = NODE_ROLE_UNKNOWN + 1; i < NODE_ROLES; i++) {
        enum node_role role = (enum node_role)i;

        EXPECT_EQ(link_roles_have(roles, role), strchr(want, node_role_name(role)[0]) != NULL);
    }
    EXPECT(!link_roles_have(roles, NODE_ROLE_UNKNOWN));
}

TEST(each_side_of_a_service_has_its_roles_and_no_other)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        test_case = rows[i].name;
        expect_roles(link_roles(rows[i].service, LINK_DIALER), rows[i].dialers);
        expect_roles(link_roles(rows[i].service, LINK_ACCEPTOR), rows[i].acceptors);
    }
}
