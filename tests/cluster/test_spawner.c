/* Environments as functions and the agent see them; needs root. */
#include <stdlib.h>
#include <unistd.h>

#include "tests/cluster/spawner_fixture.h"
#include "tests/unit/check.h"

static struct fixture fixture;
static struct run run;

/* Before main(): the harness has no word for a file that cannot run here, TAP has. */
__attribute__((constructor)) static void skip_where_it_cannot_run(void)
{
    const char *missing = fixture_missing();

    if (missing == NULL)
        return;
    (void)printf("1..0 # SKIP %s\n", missing);
    exit(0);
}

TEST(a_program_runs_as_a_stranger_who_can_write_only_to_tmp)
{
    static const char *const lines[] = {
        "uid 993",
        "gid 990",
        "pid 2",
        "processes 2",
        "capabilities 0000000000000000",
        "bounding 0000000000000000",
        "seccomp 2",
        "no_new_privs 1",
        "directory /var/task",
        "write_root EROFS",
        "write_task EROFS",
        "write_usr EROFS",
        "write_etc EROFS",
        "write_tmp ok",
        "write_shm ok",
        "write_null ok",
        "usr_there ok",
        "certificates ok",
        "resolver ok",
        "host_root ENOENT",
        "cgroup_folder ENOENT",
        "init_descriptors EACCES",
        "mount EPERM",
        "unshare EPERM",
        "ptrace EPERM",
        "packet_socket EAFNOSUPPORT",
        "raw_socket EPERM",
        "set_uid EINVAL",
    };

    fixture_start(&fixture, false);
    fixture_run(&fixture, (const char *const[]){ "facts", NULL }, &run);
    EXPECT_EQ(run.status, ST_OK);
    EXPECT(!run.signaled);
    EXPECT_EQ(run.code, 0);
    for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
        test_case = lines[i];
        EXPECT(run_says(&run, lines[i]));
    }
    test_case = NULL;
    if (getenv("LAPWING_TEST_SHOW") != NULL)
        (void)fprintf(stderr, "%s", run.output);
    EXPECT_EQ(fixture_stop(&fixture), 0);
}

TEST(how_a_program_ended_is_reported)
{
    fixture_start(&fixture, false);
    fixture_run(&fixture, (const char *const[]){ "exit", "7", NULL }, &run);
    EXPECT(!run.signaled);
    EXPECT_EQ(run.code, 7);
    fixture_run(&fixture, (const char *const[]){ "abort", NULL }, &run);
    EXPECT(run.signaled);
    EXPECT_EQ(run.code, 6);
    EXPECT(!run.out_of_memory);
    fixture_run(&fixture, (const char *const[]){ "memory", NULL }, &run);
    EXPECT(run.signaled);
    EXPECT_EQ(run.code, 9);
    EXPECT(run.out_of_memory);
    EXPECT(run.memory_peak_bytes > 100 << 20);
    fixture_run(&fixture, (const char *const[]){ "fork", NULL }, &run);
    EXPECT(run_says(&run, "refused EAGAIN"));
    EXPECT(run_says(&run, "forked 49")); /* and itself are 50 */
    EXPECT_EQ(leftover_processes(fixture.config.uid_base, fixture.config.uid_base + 100), 0);
    EXPECT_EQ(fixture_stop(&fixture), 0);
    EXPECT_EQ(leftover_groups(fixture.config.instance), 0);
}
