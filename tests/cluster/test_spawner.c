/* Environments as functions and the agent see them; needs root. */
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/cluster/spawner_fixture.h"
#include "tests/unit/check.h"
#include "worker/spawner/cgroup.h"
#include "worker/spawner/files.h"

static struct fixture fixture;
static struct run run;

/* Before main(): the harness has no word for a file that cannot run here, TAP has. */
__attribute__((constructor)) static void skip_where_it_cannot_run(void)
{
    fixture_skip_if(fixture_missing());
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
    if (access("/etc/ssl/certs", F_OK) == 0) /* package ca-certificates */
        EXPECT(run_says(&run, "certificates ok"));
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

/* What the kernel says of all groups together, wherever the process controller is. */
static uint64_t processes_together(const char *instance)
{
    static const char *const places[] = { "/sys/fs/cgroup/pids/%s/lapwing-%s/pids.max",
                                          "/sys/fs/cgroup/%s/lapwing-%s/pids.max" };
    const char *parent = getenv("LAPWING_CGROUP_PARENT");

    for (size_t i = 0; i < ARRAY_LEN(places); i++) {
        char path[512];
        uint64_t found;

        (void)snprintf(path, sizeof path, places[i], parent == NULL ? "" : parent, instance);
        found = file_read_u64(AT_FDCWD, path, 0);
        if (found > 0)
            return found;
    }
    return 0;
}

TEST(all_environments_together_leave_the_host_most_of_its_process_ids)
{
    uint64_t ids = file_read_u64(AT_FDCWD, "/proc/sys/kernel/pid_max", 0);
    uint64_t together;

    fixture_start(&fixture, false);
    fixture_run(&fixture, (const char *const[]){ "exit", NULL }, &run); /* it has started */
    together = processes_together(fixture.config.instance);
    EXPECT(together > 0);
    EXPECT(together <= ids / CGROUP_PROCESS_SHARE);
    EXPECT_EQ(fixture_stop(&fixture), 0);
}

static void read_score(pid_t pid, char out[32])
{
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/%d/oom_score_adj", (int)pid);
    EXPECT_EQ(file_read(AT_FDCWD, path, out, 32, NULL), ST_OK);
}

/* A child sets its own while it shares the spawner's memory, and the kernel has processes that
 * share theirs share this, too, but for such a child. */
TEST(the_spawner_does_not_go_before_services_when_the_host_is_out_of_memory)
{
    char before[32];
    char after[32];

    read_score(getpid(), before);
    fixture_start(&fixture, false);
    fixture_run(&fixture, (const char *const[]){ "exit", NULL }, &run);
    read_score(fixture.spawner, after);
    EXPECT_TEXT(after, before);
    EXPECT_EQ(fixture_stop(&fixture), 0);
}

TEST(who_connects_first_to_a_listening_socket_is_the_agent)
{
    fixture_prepare(&fixture, false);
    fixture_launch_listening(&fixture);
    fixture_connect(&fixture);
    fixture_run(&fixture, (const char *const[]){ "exit", NULL }, &run);
    EXPECT_EQ(run.status, ST_OK);
    EXPECT_EQ(fixture_stop(&fixture), 0);
    EXPECT_EQ(leftover_groups(fixture.config.instance), 0);
}

/* Has it come to where it sleeps? */
static bool sleeps(pid_t pid)
{
    char path[64];
    char text[256];

    (void)snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    return file_read(AT_FDCWD, path, text, sizeof text, NULL) == ST_OK &&
           strstr(text, ") S ") != NULL;
}

TEST(a_spawner_to_which_nobody_connects_obeys_sigterm)
{
    fixture_prepare(&fixture, false);
    fixture_launch_listening(&fixture);
    while (!sleeps(fixture.spawner))
        (void)poll(NULL, 0, 1);
    EXPECT_EQ(kill(fixture.spawner, SIGTERM), 0);
    EXPECT_EQ(fixture_stop(&fixture), 128 + SIGTERM);
    EXPECT_EQ(leftover_groups(fixture.config.instance), 0);
}

static unsigned ask(Lapwing__SpawnRequest__WhatCase what, uint32_t slot)
{
    Lapwing__SpawnRequest req = LAPWING__SPAWN_REQUEST__INIT;

    req.what_case = what;
    req.kill_slot = slot; /* the alternatives share their memory */
    return fixture_request(&fixture, &req);
}

/* The same, again while it takes longer than the spawner waits for it: so it may on a busy machine,
 * and what was begun goes on. */
static unsigned ask_patiently(Lapwing__SpawnRequest__WhatCase what, uint32_t slot)
{
    unsigned status = ST_TIMEOUT;

    for (int i = 0; i < 100 && status == ST_TIMEOUT; i++)
        status = ask(what, slot);
    return status;
}

TEST(an_environment_is_frozen_thawed_counted_and_killed)
{
    struct spawner_message message;

    fixture_start(&fixture, false);
    EXPECT_EQ(ask(LAPWING__SPAWN_REQUEST__WHAT_FREEZE_SLOT, 3), ST_NOT_FOUND);
    fixture_ask(&fixture, 3, (const char *const[]){ "wait", NULL });
    EXPECT(fixture_receive(&fixture, &message));
    EXPECT_EQ(message.message->reply->status, ST_OK);
    EXPECT_EQ(message.fd_count, SPAWNER_FDS_MAX);
    spawner_message_done(&message);
    fixture_ask(&fixture, 3, NULL);
    EXPECT(fixture_receive(&fixture, &message));
    EXPECT_EQ(message.message->reply->status, ST_CONFLICT);
    spawner_message_done(&message);
    EXPECT_EQ(ask(LAPWING__SPAWN_REQUEST__WHAT_USAGE_SLOT, 3), ST_OK);
    EXPECT_EQ(ask_patiently(LAPWING__SPAWN_REQUEST__WHAT_FREEZE_SLOT, 3), ST_OK);
    EXPECT_EQ(ask_patiently(LAPWING__SPAWN_REQUEST__WHAT_THAW_SLOT, 3), ST_OK);
    EXPECT_EQ(ask_patiently(LAPWING__SPAWN_REQUEST__WHAT_FREEZE_SLOT, 3), ST_OK);
    EXPECT_EQ(ask(LAPWING__SPAWN_REQUEST__WHAT_KILL_SLOT, 3), ST_OK); /* frozen or not */
    EXPECT(fixture_receive(&fixture, &message));
    EXPECT_EQ(message.message->what_case, LAPWING__SPAWNER_MESSAGE__WHAT_EXITED);
    EXPECT(message.message->exited->killed);
    EXPECT(message.message->exited->signaled);
    spawner_message_done(&message);
    EXPECT_EQ(ask(LAPWING__SPAWN_REQUEST__WHAT_KILL_SLOT, 3), ST_NOT_FOUND);
    EXPECT_EQ(fixture_stop(&fixture), 0);
}

TEST(a_program_that_is_not_there_is_said_so)
{
    Lapwing__SpawnRequest req = LAPWING__SPAWN_REQUEST__INIT;
    char path[PATH_MAX + 128];

    fixture_start(&fixture, false);
    (void)snprintf(path, sizeof path, "%s/%s/probe", fixture.config.packages_dir, fixture.package);
    EXPECT_EQ(unlink(path), 0);
    fixture_run(&fixture, (const char *const[]){ "exit", NULL }, &run);
    EXPECT_EQ(run.status, ST_OK);
    EXPECT_TEXT(run.start_error, "No such file or directory");
    fixture.package[0] = 'b';
    fixture_run(&fixture, NULL, &run);
    EXPECT_EQ(run.status, ST_NOT_FOUND);
    req.what_case = LAPWING__SPAWN_REQUEST__WHAT_REMOVE_PACKAGE;
    req.remove_package = fixture.package;
    EXPECT_EQ(fixture_request(&fixture, &req), ST_NOT_FOUND);
    EXPECT_EQ(fixture_stop(&fixture), 0);
}

/* A zip made by python's zipfile, as users make theirs. */
static int python_zip(const char *script)
{
    char path[128];
    char command[1024];
    int fd;

    (void)snprintf(path, sizeof path, "%s/a.zip", fixture.folder);
    (void)snprintf(
        command, sizeof command,
        "python3 -c \"import zipfile; z = zipfile.ZipFile('%s', 'w', 8); %s; z.close()\"", path,
        script);
    CHECK(system(command) == 0);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

TEST(a_package_is_unpacked_used_and_removed)
{
    Lapwing__SpawnRequest req = LAPWING__SPAWN_REQUEST__INIT;
    struct conversion conversion;
    struct spawner_message message;
    struct stat info;
    char path[PATH_MAX + 128];
    int zip;

    fixture_prepare(&fixture, false);
    fixture.config.package_mount = PACKAGE_MOUNT_FOLDER; /* images: test_spawner_packages */
    fixture_launch(&fixture);
    zip = python_zip("z.write('/proc/self/exe', 'x'); z.write('/bin/true', 'd/true')");
    fixture.package[0] = 'c';
    fixture_convert(&fixture, fixture.package, zip, &conversion);
    EXPECT_EQ(conversion.status, ST_OK);
    EXPECT_EQ(conversion.files, 3);
    EXPECT(conversion.unzipped_bytes > 10000);
    fixture_convert(&fixture, fixture.package, zip, &conversion);
    EXPECT_EQ(conversion.status, ST_OK); /* a second time is harmless */
    (void)close(zip);
    (void)snprintf(path, sizeof path, "%s/%s/d/true", fixture.config.packages_dir, fixture.package);
    EXPECT_EQ(stat(path, &info), 0);
    EXPECT_EQ(info.st_uid, 0);
    EXPECT_EQ(info.st_gid, 0);
    EXPECT_EQ(info.st_mode, S_IFREG | 0755);

    req.what_case = LAPWING__SPAWN_REQUEST__WHAT_REMOVE_PACKAGE;
    req.remove_package = fixture.package;
    fixture.package[0] = 'a';
    fixture_ask(&fixture, 0, (const char *const[]){ "wait", NULL });
    EXPECT(fixture_receive(&fixture, &message));
    spawner_message_done(&message);
    EXPECT_EQ(fixture_request(&fixture, &req), ST_CONFLICT);
    fixture.package[0] = 'c';
    EXPECT_EQ(fixture_request(&fixture, &req), ST_OK);
    EXPECT(stat(path, &info) < 0);
    EXPECT_EQ(fixture_stop(&fixture), 0);
}

TEST(hostile_packages_are_refused_and_leave_nothing)
{
    static const struct {
        const char *name, *script, *reason;
    } rows[] = {
        { "a bomb", "z.writestr('a', bytes(263000000))", "too_large_unzipped" },
        { "a way out", "z.writestr('../../a', 'x')", "path_escape" },
        { "no file", "pass", "not_a_zip" },
    };
    struct conversion conversion;
    struct stat info;
    char path[PATH_MAX + 128];

    fixture_start(&fixture, false);
    fixture.package[0] = 'd';
    (void)snprintf(path, sizeof path, "%s/%s", fixture.config.packages_dir, fixture.package);
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        int zip = python_zip(rows[i].script);

        test_case = rows[i].name;
        fixture_convert(&fixture, fixture.package, zip, &conversion);
        EXPECT_EQ(conversion.status, ST_BAD_INPUT);
        EXPECT_TEXT(conversion.reason, rows[i].reason);
        EXPECT(stat(path, &info) < 0);
        (void)close(zip);
    }
    test_case = NULL;
    EXPECT_EQ(fixture_stop(&fixture), 0);
    EXPECT_EQ(leftover_groups(fixture.config.instance), 0);
}

/* At whatever point of their starts: some are asked for and not yet cloned, some are being set up,
 * some run. */
TEST(no_environment_outlives_a_spawner_that_was_killed)
{
    for (unsigned round = 0; round < 12; round++) {
        struct spawner_message message;
        uid_t uid;

        fixture_start(&fixture, false);
        uid = fixture.config.uid_base;
        for (unsigned slot = 0; slot < 8; slot++)
            fixture_ask(&fixture, slot, (const char *const[]){ "wait", NULL });
        for (unsigned replies = 0; replies < round * 2 / 3; replies++)
            if (fixture_receive(&fixture, &message))
                spawner_message_done(&message);
        fixture_kill(&fixture);
        for (int tries = 0; tries < 200 && leftover_processes(uid, uid + 100) > 0; tries++)
            (void)poll(NULL, 0, 10);
        EXPECT_EQ(leftover_processes(uid, uid + 100), 0);
        EXPECT_EQ(fixture_clean(&fixture), 0);
        EXPECT_EQ(leftover_groups(fixture.config.instance), 0);
    }
}
