#include "cli/dev/dev.h"
#include "cli/dev/plan.h"
#include "tests/unit/check.h"

static const struct {
    const char *name;
    char *argv[4];
    int argc;
    enum status want;
    unsigned zones;
    unsigned port;
} rows[] = {
    { "nothing", { NULL }, 0, ST_OK, 3, 4566 },
    { "one zone", { "--zones", "1" }, 2, ST_OK, 1, 4566 },
    { "five zones", { "--zones=5" }, 1, ST_OK, 5, 4566 },
    { "an even number", { "--zones", "2" }, 2, ST_BAD_INPUT, 0, 0 },
    { "too many", { "--zones", "7" }, 2, ST_BAD_INPUT, 0, 0 },
    { "none", { "--zones", "0" }, 2, ST_BAD_INPUT, 0, 0 },
    { "not a number", { "--port", "x1" }, 2, ST_BAD_INPUT, 0, 0 },
    { "the highest port", { "--port", "65475" }, 2, ST_OK, 3, 65475 },
    { "a port without room for the zones' own", { "--port", "65476" }, 2, ST_BAD_INPUT, 0, 0 },
    { "a value is missing", { "--port" }, 1, ST_BAD_INPUT, 0, 0 },
    { "an unknown option", { "--zone", "3" }, 2, ST_BAD_INPUT, 0, 0 },
    { "a folder that a shell would take apart", { "--data", "/x/$HOME" }, 2, ST_BAD_INPUT, 0, 0 },
    { "the root folder", { "--data", "/" }, 2, ST_BAD_INPUT, 0, 0 },
    { "data removed without a stop", { "--remove-data" }, 1, ST_BAD_INPUT, 0, 0 },
    { "any runtime", { "--any-runtime" }, 1, ST_OK, 3, 4566 },
    { "a runtime's folder", { "--runtime", "nodejs22.x=/r" }, 2, ST_OK, 3, 4566 },
    { "a runtime without a folder", { "--runtime", "nodejs22.x" }, 2, ST_BAD_INPUT, 0, 0 },
    { "a runtime's folder from here", { "--runtime=nodejs22.x=r" }, 1, ST_BAD_INPUT, 0, 0 },
    { "a folder without a runtime", { "--runtime", "=/r" }, 2, ST_BAD_INPUT, 0, 0 },
    { "a folder", { "--data", "/x/y", "--port=80" }, 3, ST_OK, 3, 80 },
};

TEST(options_say_what_is_wrong)
{
    struct dev_user user = { .home = "/home/u" };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct dev_options options = { 0 };
        struct err err = { 0 };

        test_case = rows[i].name;
        EXPECT_EQ(dev_options_parse(rows[i].argc, (char **)rows[i].argv, &user, &options, &err),
                  rows[i].want);
        EXPECT_EQ(err.text[0] == '\0', rows[i].want == ST_OK);
        EXPECT_EQ(options.zones, rows[i].zones);
        EXPECT_EQ(options.port, rows[i].port);
    }
}

TEST(eight_runtimes_may_have_folders)
{
    struct dev_user user = { .home = "/home/u" };
    char *argv[DEV_RUNTIMES_MAX + 1];
    struct dev_options options = { 0 };
    struct err err = { 0 };

    for (size_t i = 0; i < ARRAY_LEN(argv); i++)
        argv[i] = (char *)"--runtime=python3.9=/r";
    EXPECT_EQ(dev_options_parse(DEV_RUNTIMES_MAX, argv, &user, &options, &err), ST_OK);
    EXPECT_EQ(options.runtime_count, DEV_RUNTIMES_MAX);
    EXPECT_EQ(dev_options_parse(DEV_RUNTIMES_MAX + 1, argv, &user, &options, &err), ST_BAD_INPUT);
}

TEST(workers_and_spawners_are_told_of_runtimes)
{
    struct dev_options options = { .zones = 1,
                                   .port = 4566,
                                   .data = "/d",
                                   .any_runtime = true,
                                   .runtime_count = 1,
                                   .runtimes = { "nodejs22.x=/r" } };
    struct dev_user user = { 0 };
    struct plan plan = { &options, &user, "/bin", true };
    struct buf worker = { 0 }, spawner = { 0 };

    plan_config(&plan, PLAN_WORKER, 0, &worker);
    plan_config(&plan, PLAN_SPAWNER, 0, &spawner);
    EXPECT(strstr(buf_text(&worker), "\nany_runtime = yes\n[runtimes]\nnodejs22.x=/r\n") != NULL);
    EXPECT(strstr(buf_text(&spawner), "\n[runtimes]\nnodejs22.x=/r\n") != NULL);
    buf_done(&worker);
    buf_done(&spawner);
}

TEST(with_https_front_doors_speak_nothing_else_by_the_certificates_of_the_cluster)
{
    struct dev_options options = { .zones = 1, .port = 4566, .data = "/d", .https = true };
    struct dev_user user = { 0 };
    struct plan plan = { &options, &user, "/bin", true };
    struct buf front = { 0 }, worker = { 0 };

    plan_config(&plan, PLAN_CONTROLPLANE, 0, &front);
    plan_config(&plan, PLAN_WORKER, 0, &worker);
    EXPECT(strstr(buf_text(&front), "\napi = https://127.0.0.1:4566,https://[::1]:4566\n") != NULL);
    EXPECT(strstr(buf_text(&front), "\n[tls]\nca_file = /d/ca.crt\n") != NULL);
    EXPECT(strstr(buf_text(&front), "\n[https]\n") == NULL);
    EXPECT(strstr(buf_text(&worker), "\n[tls]\nca_file = /d/ca.crt\n") != NULL);
    EXPECT_TEXT(strstr(buf_text(&worker), "[api]\n"),
                "[api]\naddresses = https://127.0.0.1:4566\n");
    buf_done(&front);
    buf_done(&worker);
    options.https = false;
    plan_config(&plan, PLAN_CONTROLPLANE, 0, &front);
    plan_config(&plan, PLAN_WORKER, 0, &worker);
    EXPECT(strstr(buf_text(&front), "https") == NULL);
    EXPECT(strstr(buf_text(&worker), "https") == NULL);
    buf_done(&front);
    buf_done(&worker);
}

TEST(every_program_of_every_zone_has_its_own_ports_and_names)
{
    struct dev_options options = { .zones = 3, .port = 4566, .data = "/d" };
    struct dev_user user = { 0 };
    struct plan plan = { &options, &user, "/bin", true };

    for (unsigned zone = 0; zone < 3; zone++) {
        char instance[32];
        char want[64];
        struct buf text = { 0 };

        plan_config(&plan, PLAN_CONTROLPLANE, zone, &text);
        (void)snprintf(want, sizeof want, "state = 127.0.0.1:%u\n", 4566 + 10 * (zone + 1) + 2);
        EXPECT(strstr(buf_text(&text), want) != NULL);
        EXPECT(strstr(buf_text(&text), "[::1]:4566") != NULL);
        EXPECT(strstr(buf_text(&text), "3 = c,c,127.0.0.1:4596,127.0.0.1:4597\n") != NULL);
        buf_done(&text);
        plan_config(&plan, PLAN_OBJSTORE, zone, &text);
        (void)snprintf(want, sizeof want, "\n%s = 127.0.0.1", plan_zone_name(zone));
        EXPECT(strstr(buf_text(&text), want) == NULL); /* not its own peer */
        buf_done(&text);
        plan_instance(&options, zone, instance, sizeof instance);
        (void)snprintf(want, sizeof want, "lapwing-dev-4566-%s", plan_zone_name(zone));
        EXPECT_TEXT(instance, want);
    }
}
