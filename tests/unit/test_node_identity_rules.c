#include "base/node_identity_rules.h"

#include <string.h>

#include "tests/unit/check.h"

#define TEXT31 "abcdefghijklmnopqrstuvwxyz01234"
#define TEXT15 "abcdefghijklmno"

static const struct {
    const char *name;
    const char *uri;
    enum status want;
} rows[] = {
    { "a control-plane node", "lapwing://dev/controlplane/a/a", ST_OK },
    { "all letters that a name may have", "lapwing://A.b-C_9/worker/0z/n.1_2-3", ST_OK },
    { "the longest names", "lapwing://" TEXT31 "/worker/" TEXT15 "/" TEXT31, ST_OK },
    { "nothing", "", ST_BAD_INPUT },
    { "only the scheme", "lapwing://", ST_BAD_INPUT },
    { "another scheme", "https://dev/worker/a/a", ST_BAD_INPUT },
    { "a scheme in capitals", "LAPWING://dev/worker/a/a", ST_BAD_INPUT },
    { "a part too few", "lapwing://dev/worker/a", ST_BAD_INPUT },
    { "an empty last part", "lapwing://dev/worker/a/", ST_BAD_INPUT },
    { "a part too many", "lapwing://dev/worker/a/b/c", ST_BAD_INPUT },
    { "a slash at the end", "lapwing://dev/worker/a/b/", ST_BAD_INPUT },
    { "an empty cluster", "lapwing:///worker/a/b", ST_BAD_INPUT },
    { "an empty zone", "lapwing://dev/worker//b", ST_BAD_INPUT },
    { "an unknown role", "lapwing://dev/admin/a/b", ST_BAD_INPUT },
    { "a role in capitals", "lapwing://dev/Worker/a/b", ST_BAD_INPUT },
    { "a cluster one too long", "lapwing://" TEXT31 "x/worker/a/b", ST_BAD_INPUT },
    { "a zone one too long", "lapwing://dev/worker/" TEXT15 "x/b", ST_BAD_INPUT },
    { "a node one too long", "lapwing://dev/worker/a/" TEXT31 "x", ST_BAD_INPUT },
    { "dots inside names", "lapwing://a.b.c/worker/a.1/n.b", ST_OK },
    { "a dot behind the cluster", "lapwing://dev./worker/a/b", ST_BAD_INPUT },
    { "two dots in the cluster", "lapwing://d..v/worker/a/b", ST_BAD_INPUT },
    { "a dot behind the node", "lapwing://dev/worker/a/b.", ST_BAD_INPUT },
    { "two dots in the node", "lapwing://dev/worker/a/b..c", ST_BAD_INPUT },
    { "a port", "lapwing://dev:1/worker/a/b", ST_BAD_INPUT },
    { "a user", "lapwing://u@dev/worker/a/b", ST_BAD_INPUT },
    { "an escape", "lapwing://dev/worker/a/b%2fc", ST_BAD_INPUT },
    { "a query", "lapwing://dev/worker/a/b?x", ST_BAD_INPUT },
    { "a space", "lapwing://dev/worker/a/b c", ST_BAD_INPUT },
    { "a folder above", "lapwing://dev/worker/a/..", ST_BAD_INPUT },
    { "a name that looks like an option", "lapwing://dev/worker/a/-b", ST_BAD_INPUT },
    { "a letter beyond ASCII", "lapwing://dev/worker/a/\xc3\xa4", ST_BAD_INPUT },
    { "a newline", "lapwing://dev/worker/a/b\n", ST_BAD_INPUT },
};

TEST(only_exact_uris_are_identities_and_they_encode_to_themselves)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct node_identity identity = { 0 };
        char again[NODE_IDENTITY_URI_BYTES];
        struct err err = { 0 };

        test_case = rows[i].name;
        EXPECT_EQ(node_identity_parse(bytes_of_text(rows[i].uri), &identity, &err), rows[i].want);
        EXPECT_EQ(err.text[0] == '\0', rows[i].want == ST_OK);
        if (rows[i].want != ST_OK)
            continue;
        EXPECT_EQ(node_identity_check(&identity, &err), ST_OK);
        node_identity_uri(&identity, again);
        EXPECT_TEXT(again, rows[i].uri);
    }
}

TEST(a_nul_inside_ends_no_name)
{
    static const char uri[] = "lapwing://dev/worker/a/b\0c";
    struct node_identity identity;
    struct err err;

    EXPECT_EQ(node_identity_parse(bytes_of(uri, sizeof uri - 1), &identity, &err), ST_BAD_INPUT);
    EXPECT_EQ(node_identity_parse(bytes_of(uri, strlen(uri) + 1), &identity, &err), ST_BAD_INPUT);
}

TEST(every_part_counts_when_two_are_compared)
{
    static const char *const others[] = { "lapwing://d/worker/z/n", "lapwing://c/objstore/z/n",
                                          "lapwing://c/worker/y/n", "lapwing://c/worker/z/m" };
    struct node_identity one;
    struct node_identity other;
    struct err err;

    EXPECT_EQ(node_identity_parse(bytes_of_text("lapwing://c/worker/z/n"), &one, &err), ST_OK);
    EXPECT(node_identity_equal(&one, &one));
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        test_case = others[i];
        EXPECT_EQ(node_identity_parse(bytes_of_text(others[i]), &other, &err), ST_OK);
        EXPECT(!node_identity_equal(&one, &other));
    }
}

TEST(every_role_has_a_name_that_leads_back)
{
    EXPECT(node_role_name(NODE_ROLE_UNKNOWN) == NULL);
    EXPECT(node_role_name(NODE_ROLES) == NULL);
    for (unsigned i = NODE_ROLE_UNKNOWN + 1; i < NODE_ROLES; i++)
        EXPECT_EQ(node_role_of(node_role_name((enum node_role)i)), i);
}
