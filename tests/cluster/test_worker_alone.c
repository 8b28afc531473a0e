/* One real worker host: what an invocation gets when its function works, fails, hangs or grows. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "tests/cluster/worker_fixture.h"
#include "tests/unit/check.h"
#include "worker/agent/heartbeat.h"

enum { LARGE_BYTES = 6291556 };

static struct worker_fixture fixture;
static Lapwing__Function python = LAPWING__FUNCTION__INIT, native = LAPWING__FUNCTION__INIT;

/* Another function each time, so that no environment is used again by accident. */
static void next_function(Lapwing__Function *function, const char *handler)
{
    function->handler = (char *)(uintptr_t)handler;
    function->config_epoch++;
}

TEST(a_worker_starts_without_a_control_plane)
{
    worker_fixture_start(&fixture, NULL);
    worker_fixture_function(&fixture, &python, getenv("LAPWING_PYTHON"),
                            getenv("LAPWING_PYTHON_ZIP"));
    worker_fixture_function(&fixture, &native, "provided.al2023", getenv("LAPWING_NATIVE_ZIP"));
    native.uid = "ffeeddccbbaa99887766554433221100";
}

static const struct {
    const char *handler, *payload;
    uint32_t timeout_s, memory_mb;
    bool failed;
    const char *want; /* part of the answer */
    const char *log;  /* part of the log tail, or NULL */
} rows[] = {
    { "app.hello", "{\"name\":\"Lapwing\"}", 5, 256, false, "Hello, Lapwing",
      "\ngreeting Lapwing\nEND" },
    { "app.echo", "[1,\"two\",null]", 5, 256, false, "[1, \"two\", null]", "Init Duration: " },
    { "app.echo", "", 5, 256, false, "{}", NULL },
    { "app.fail", "1", 5, 256, true,
      "{\"errorMessage\": \"as asked\", \"errorType\": \"ValueError\"",
      "[ERROR] ValueError: as asked" },
    { "app.leave", "0", 5, 256, true, "Runtime exited without providing a reason", "leaving\nEND" },
    { "app.leave", "3", 5, 256, true, "Runtime exited with error: exit status 3",
      "Status: error\tError Type: Runtime.ExitError\t" },
    { "app.crash", "1", 5, 256, true, "signal: segmentation fault", NULL },
    { "app.eat", "1", 5, 256, true, "signal: killed", "Error Type: Runtime.OutOfMemory" },
    { "app.sleep", "3", 1, 256, true,
      "\"Sandbox.Timedout\",\"errorMessage\":\"RequestId: ", "before the sleep\n" },
    { "app.large", "6291554", 5, 256, false, "xxxx", NULL },
    { "app.large", "6291555", 5, 256, true, "Response payload size exceeded maximum", NULL },
    { "app.marshal", "1", 5, 256, true, "\"Runtime.MarshalError\"", NULL },
    { "app.none", "1", 5, 256, true, "Handler 'none' missing on module 'app'", NULL },
    { "broken.handler", "1", 5, 256, true,
      "Unable to import module 'broken': No module named 'module_that_is_not_there'",
      "[ERROR] Runtime.ImportModuleError" },
    { "app.environment", "[\"AWS_REGION\",\"AWS_ACCESS_KEY_ID\",\"_HANDLER\"]", 5, 256, false,
      "{\"AWS_REGION\": \"eu-west-1\", \"AWS_ACCESS_KEY_ID\": "
      "\"LWFK00112233445566778899AABBCCDDEEFF\", \"_HANDLER\": \"app.environment\"}",
      NULL },
    { "app.remaining", "1", 100, 256, false, "100", NULL },
    { "app.log", "1", 5, 256, false, "true", "[INFO]\t" },
    { "app.relay", "1", 10, 256, false, "relayed", NULL },
    { "app.chatter", "20000", 20, 256, false, "said", "line 19999 " },
    { "slow_init.handler", "1", 20, 256, false, "at last", NULL },
};

static bool contains(ProtobufCBinaryData data, const char *part)
{
    return memmem(data.data, data.len, part, strlen(part)) != NULL;
}

TEST(an_invocation_gets_what_lambda_would_answer)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        Lapwing__Result *result;

        test_case = rows[i].handler;
        next_function(&python, rows[i].handler);
        python.timeout_s = rows[i].timeout_s;
        python.memory_mb = rows[i].memory_mb;
        result = worker_invoke(&fixture, &python, rows[i].payload);
        EXPECT(result != NULL);
        if (result == NULL)
            continue;
        EXPECT_TEXT(result->function_error, rows[i].failed ? "Unhandled" : "");
        EXPECT(contains(result->payload, rows[i].want));
        EXPECT(rows[i].log == NULL || contains(result->log_tail, rows[i].log));
        EXPECT(contains(result->log_tail, "\tMax Memory Used: "));
        if (!contains(result->payload, rows[i].want) ||
            (rows[i].log != NULL && !contains(result->log_tail, rows[i].log)))
            (void)printf("# %.*s\n# %.*s\n",
                         (int)(result->payload.len > 500 ? 500 : result->payload.len),
                         (char *)result->payload.data, (int)result->log_tail.len,
                         (char *)result->log_tail.data);
        lapwing__result__free_unpacked(result, NULL);
    }
    python.timeout_s = 5;
    python.memory_mb = 256;
}

TEST(an_environment_is_used_again_also_after_it_was_frozen)
{
    static const char *const want[] = { "1", "2", "3" };

    next_function(&python, "app.count");
    for (size_t i = 0; i < ARRAY_LEN(want); i++) {
        Lapwing__Result *result = worker_invoke(&fixture, &python, "1");

        test_case = want[i];
        EXPECT(result != NULL && contains(result->payload, want[i]));
        EXPECT(result != NULL && (result->init_us > 0) == (i == 0));
        if (result != NULL)
            lapwing__result__free_unpacked(result, NULL);
        if (i == 1)
            EXPECT(worker_wait_frozen(&fixture));
    }
}

TEST(a_package_that_is_not_there_is_refused)
{
    Lapwing__Function missing = python;
    uint8_t hash[32] = { 1 };

    next_function(&missing, "app.echo");
    missing.code_sha256.data = hash;
    EXPECT(worker_invoke(&fixture, &missing, "1") == NULL);
    EXPECT_EQ(fixture.got_type, LAPWING__INVOKE_FRAME__REFUSE);
}

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static void measure(Lapwing__Function *function, const char *name, bool cold)
{
    enum { CALLS = 400 };
    static uint64_t times[CALLS];
    size_t calls = cold ? 60 : CALLS;

    for (size_t i = 0; i < calls; i++) {
        uint64_t start = uv_hrtime();
        Lapwing__Result *result;

        if (cold)
            function->config_epoch++;
        result = worker_invoke(&fixture, function, "{}");
        times[i] = (uv_hrtime() - start) / 1000;
        EXPECT(result != NULL && result->function_error[0] == '\0');
        if (result != NULL)
            lapwing__result__free_unpacked(result, NULL);
    }
    qsort(times, calls, sizeof *times, compare);
    (void)printf("# %s: p50 %llu us, p90 %llu us, max %llu us\n", name,
                 (unsigned long long)times[calls / 2], (unsigned long long)times[calls * 9 / 10],
                 (unsigned long long)times[calls - 1]);
}

TEST(a_native_function_answers_cold_and_warm)
{
    next_function(&native, "bootstrap");
    measure(&native, "native, warm", false);
    measure(&native, "native, cold", true);
    next_function(&python, "app.echo");
    measure(&python, "python, warm", false);
    measure(&python, "python, cold", true);
}

/* A front door that is stopped finds these in its socket when it goes on, and no more. */
TEST(a_control_plane_that_does_not_answer_gets_a_few_heartbeats)
{
    worker_fixture_register(&fixture);
    EXPECT(worker_wait_heartbeats(&fixture, HEARTBEATS_UNANSWERED_MAX));
    for (int i = 0; i < 8; i++) { /* cold starts: each a change, together longer than a beat */
        Lapwing__Result *result;

        next_function(&python, "app.echo");
        result = worker_invoke(&fixture, &python, "1");
        EXPECT(result != NULL);
        if (result != NULL)
            lapwing__result__free_unpacked(result, NULL);
    }
    EXPECT_EQ(fixture.heartbeats, HEARTBEATS_UNANSWERED_MAX);
    worker_answer_heartbeat(&fixture);
    EXPECT(worker_wait_heartbeats(&fixture, HEARTBEATS_UNANSWERED_MAX + 1));
}

TEST(the_worker_stops_cleanly)
{
    worker_fixture_stop(&fixture);
}
