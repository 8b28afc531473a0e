#include "worker/spawner/spawner_config.h"

#include "tests/unit/check.h"
#include "worker/spawner/convert_job.h"

static const struct {
    const char *text;
    uint32_t address, prefix;
    enum status want;
} networks[] = {
    { "10.0.0.0/8", 0x0a000000, 8, ST_OK },
    { "192.0.2.7", 0xc0000207, 32, ST_OK },
    { "0.0.0.0/0", 0, 0, ST_OK },
    { "10.0.0.1/8", 0, 0, ST_BAD_INPUT },
    { "10.0.0.0/33", 0, 0, ST_BAD_INPUT },
    { "10.0.0.0/", 0, 0, ST_BAD_INPUT },
    { "10.0.0.0/8 } accept", 0, 0, ST_BAD_INPUT },
    { "10.0.0", 0, 0, ST_BAD_INPUT },
    { "::1", 0, 0, ST_BAD_INPUT },
    { "", 0, 0, ST_BAD_INPUT },
};

TEST(networks_are_read_or_refused)
{
    for (size_t i = 0; i < ARRAY_LEN(networks); i++) {
        struct ipv4_network network = { 0 };

        test_case = networks[i].text;
        EXPECT_EQ(ipv4_network_parse(networks[i].text, &network, NULL), networks[i].want);
        EXPECT_EQ(network.address, networks[i].address);
        EXPECT_EQ(network.prefix, networks[i].prefix);
    }
}

TEST(a_list_of_networks_may_be_empty_and_has_a_bound)
{
    struct ipv4_networks out = { .count = 7 };
    char text[NETWORKS_MAX * 9 + 16] = "";

    EXPECT_EQ(ipv4_networks_parse("", &out, NULL), ST_OK);
    EXPECT_EQ(out.count, 0);
    EXPECT_EQ(ipv4_networks_parse("10.0.0.0/8, 192.0.2.1", &out, NULL), ST_OK);
    EXPECT_EQ(out.count, 2);
    for (int i = 0; i < NETWORKS_MAX; i++)
        strcat(text, "10.0.0.1,");
    EXPECT_EQ(ipv4_networks_parse(text, &out, NULL), ST_OK);
    EXPECT_EQ(out.count, NETWORKS_MAX);
    strcat(text, "10.0.0.2");
    EXPECT_EQ(ipv4_networks_parse(text, &out, NULL), ST_BAD_INPUT);
    EXPECT_EQ(out.count, NETWORKS_MAX); /* as it was */
}

TEST(names_of_instances_are_safe_in_paths_and_rules)
{
    EXPECT(instance_name_valid("dev-4566-a"));
    EXPECT(instance_name_valid("a234567890123456789012345678901"));
    EXPECT(!instance_name_valid("a2345678901234567890123456789012"));
    EXPECT(!instance_name_valid(""));
    EXPECT(!instance_name_valid("-a"));
    EXPECT(!instance_name_valid("a/b"));
    EXPECT(!instance_name_valid("a b"));
    EXPECT(!instance_name_valid("A"));
    EXPECT(!instance_name_valid(".."));
}

#define HASH "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static const struct {
    const char *flag;
    enum status want;
    uint32_t networks, groups, ready, kinds;
} pools[] = {
    { "--spawner.environments_max=1", ST_OK, 8, 8, 2, 4 }, /* what they are when nothing is said */
    { "--spawner.netns_pool=0", ST_OK, 0, 8, 2, 4 },
    { "--spawner.netns_pool=64", ST_OK, NETNS_POOL_MAX, 8, 2, 4 },
    { "--spawner.netns_pool=65", ST_BAD_INPUT, 0, 0, 0, 0 },
    { "--spawner.group_pool=0", ST_OK, 8, 0, 2, 4 },
    { "--spawner.group_pool=64", ST_OK, 8, CGROUP_POOL_MAX, 2, 4 },
    { "--spawner.group_pool=65", ST_BAD_INPUT, 0, 0, 0, 0 },
    { "--spawner.ready_pool=0", ST_OK, 8, 8, 0, 4 },
    { "--spawner.ready_pool=16", ST_OK, 8, 8, READY_POOL_MAX, 4 },
    { "--spawner.ready_pool=17", ST_BAD_INPUT, 0, 0, 0, 0 },
    { "--spawner.ready_kinds=0", ST_OK, 8, 8, 2, 0 },
    { "--spawner.ready_kinds=16", ST_OK, 8, 8, 2, READY_KINDS_MAX },
    { "--spawner.ready_kinds=17", ST_BAD_INPUT, 0, 0, 0, 0 },
    { "--spawner.ready_idle_ms=1000", ST_OK, 8, 8, 2, 4 },
    { "--spawner.ready_idle_ms=999", ST_BAD_INPUT, 0, 0, 0, 0 },
    { "--spawner.ready_idle_ms=86400000", ST_OK, 8, 8, 2, 4 },
    { "--spawner.ready_idle_ms=86400001", ST_BAD_INPUT, 0, 0, 0, 0 },
};

TEST(pools_have_sizes_and_bounds)
{
    for (size_t i = 0; i < ARRAY_LEN(pools); i++) {
        char *argv[] = { (char *)"lapwing-spawner", (char *)"--spawner.instance=a",
                         (char *)"--spawner.packages_dir=/p", (char *)(uintptr_t)pools[i].flag };
        struct spawner_config config;
        struct config *read = NULL;
        struct err err = { 0 };

        test_case = pools[i].flag;
        EXPECT_EQ(config_load(spawner_options, (int)ARRAY_LEN(argv), argv, &read, &err),
                  pools[i].want);
        if (pools[i].want != ST_OK)
            continue;
        EXPECT_EQ(spawner_config_read(read, "/", &config, &err), ST_OK);
        EXPECT_EQ(config.netns_pool, pools[i].networks);
        EXPECT_EQ(config.group_pool, pools[i].groups);
        EXPECT_EQ(config.ready.pool, pools[i].ready);
        EXPECT_EQ(config.ready.kinds_max, pools[i].kinds);
        config_free(read);
    }
    test_case = NULL;
}

/* A /22 has 1007 addresses for environments; 8 are in the pool, 16 for ready ones where any are
 * kept. */
static const struct {
    const char *environments;
    const char *ready;
    enum status want;
} subnets[] = {
    { "--spawner.environments_max=983", "--spawner.ready_pool=2", ST_OK },
    { "--spawner.environments_max=984", "--spawner.ready_pool=2", ST_BAD_INPUT },
    { "--spawner.environments_max=999", "--spawner.ready_pool=0", ST_OK },
    { "--spawner.environments_max=1000", "--spawner.ready_pool=0", ST_BAD_INPUT },
};

TEST(a_subnet_has_an_address_for_each_environment)
{
    for (size_t i = 0; i < ARRAY_LEN(subnets); i++) {
        char *argv[] = { (char *)"lapwing-spawner",
                         (char *)"--spawner.instance=a",
                         (char *)"--spawner.packages_dir=/p",
                         (char *)"--network.subnet=10.0.0.0/22",
                         (char *)(uintptr_t)subnets[i].environments,
                         (char *)(uintptr_t)subnets[i].ready };
        struct spawner_config config;
        struct config *read = NULL;
        struct err err = { 0 };

        test_case = subnets[i].environments;
        EXPECT_EQ(config_load(spawner_options, (int)ARRAY_LEN(argv), argv, &read, &err), ST_OK);
        EXPECT_EQ(spawner_config_read(read, "/", &config, &err), subnets[i].want);
        EXPECT_EQ(strstr(err.text, "1007") != NULL, subnets[i].want != ST_OK);
        config_free(read);
    }
    test_case = NULL;
}

static const struct {
    const char *line;
    bool want;
    const char *reason;
} results[] = {
    { "ok 10 2\n", true, "" },
    { "ok 262144000 100000\n", true, "" },
    { "ok 262144001 2\n", false, NULL },
    { "ok 10 100001\n", false, NULL },
    { "ok 10\n", false, NULL },
    { "ok 10 2\nok 10 2\n", false, NULL },
    { "ok 10 2 \nmore", false, NULL },
    { "ok 10 2 " HASH "\n", true, "" },
    { "ok 10 2 " HASH "0\n", false, NULL },
    { "ok 10 2 " HASH, false, NULL },
    { "ok 10 2 x" HASH "\n", false, NULL },
    { "refused not_an_image no superblock\n", true, "not_an_image" },
    { "refused path_escape a name: ../x\n", true, "path_escape" },
    { "refused whatever text\n", false, NULL },
    { "refused\n", false, NULL },
    { "", false, NULL },
};

TEST(the_converters_line_is_believed_only_when_it_is_well_formed)
{
    for (size_t i = 0; i < ARRAY_LEN(results); i++) {
        struct convert_result result;

        test_case = results[i].line;
        EXPECT_EQ(convert_result_parse(results[i].line, &result), results[i].want);
        if (results[i].want)
            EXPECT_TEXT(result.reason, results[i].reason);
    }
}
