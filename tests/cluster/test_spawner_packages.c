/* Packages in each of the three ways to mount them: converted, fetched, verified, used, removed;
 * needs root. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/cluster/spawner_fixture.h"
#include "tests/unit/check.h"

enum { FILE_BYTES = 100000 };

static struct fixture fixture;
static struct run run;

/* Before main(): the harness has no word for a file that cannot run here, TAP has. */
__attribute__((constructor)) static void skip_where_it_cannot_run(void)
{
    fixture_skip_if(fixture_missing());
}

/* Can packages be mounted in this way on this host? */
static bool start(enum package_mount way)
{
    struct spawner_message message;
    Lapwing__SpawnRequest req = LAPWING__SPAWN_REQUEST__INIT;
    struct err err = { 0 };
    bool ok;

    test_case = package_mount_name(way);
    fixture_prepare(&fixture, false);
    fixture.config.package_mount = way;
    fixture_launch(&fixture);
    req.id = spawner_client_id(&fixture.client);
    req.what_case = LAPWING__SPAWN_REQUEST__WHAT_LIST_PACKAGES;
    req.list_packages = true;
    CHECK(spawner_client_send(&fixture.client, &req, -1, &err) == ST_OK);
    ok = fixture_receive(&fixture, &message);
    if (ok)
        spawner_message_done(&message);
    else
        (void)fixture_stop(&fixture);
    if (!ok)
        (void)fprintf(stderr, "# not here: %s\n", package_mount_name(way));
    return ok;
}

/* A zip with the probe and a file of FILE_BYTES; the caller closes it. */
static int make_zip(void)
{
    char path[128];
    char command[1024];
    int fd;

    (void)snprintf(path, sizeof path, "%s/a.zip", fixture.folder);
    (void)snprintf(command, sizeof command,
                   "test -e %s || "
                   "python3 -c \"import zipfile; z = zipfile.ZipFile('%s', 'w', 8); "
                   "z.write('%s', 'probe'); z.writestr('data', b'd' * %d); z.close()\"",
                   path, path, getenv("LAPWING_PROBE"), FILE_BYTES);
    CHECK(system(command) == 0);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd >= 0);
    return fd;
}

/* An answer, and what came with it. */
struct answer {
    unsigned status;
    char reason[32], image[65];
    uint64_t disk_bytes;
    bool images;
    size_t packages;
    int fds[2];
    size_t fd_count;
};

static struct answer ask(const Lapwing__SpawnRequest *req, int fd)
{
    Lapwing__SpawnRequest numbered = *req;
    struct spawner_message message;
    struct answer out = { .fds = { -1, -1 } };
    struct err err = { 0 };

    numbered.id = spawner_client_id(&fixture.client);
    CHECK(spawner_client_send(&fixture.client, &numbered, fd, &err) == ST_OK);
    CHECK(fixture_receive(&fixture, &message));
    const Lapwing__SpawnReply *reply = message.message->reply;
    out.status = reply->status;
    out.disk_bytes = reply->disk_bytes;
    out.images = reply->images;
    out.packages = reply->n_packages;
    (void)snprintf(out.reason, sizeof out.reason, "%s", reply->reason);
    (void)snprintf(out.image, sizeof out.image, "%s", reply->image);
    for (; out.fd_count < message.fd_count; out.fd_count++) {
        out.fds[out.fd_count] = message.fds[out.fd_count];
        message.fds[out.fd_count] = -1;
    }
    if (out.status != ST_OK)
        (void)fprintf(stderr, "# %s\n", reply->text);
    spawner_message_done(&message);
    return out;
}

static struct answer convert(const char *image, int fd)
{
    Lapwing__Convert what = LAPWING__CONVERT__INIT;
    Lapwing__SpawnRequest req = LAPWING__SPAWN_REQUEST__INIT;
    struct stat info;

    CHECK(fstat(fd, &info) == 0);
    what.package = fixture.package;
    what.zip_bytes = (uint64_t)info.st_size;
    what.image = (char *)(uintptr_t)image;
    req.what_case = LAPWING__SPAWN_REQUEST__WHAT_CONVERT;
    req.convert = &what;
    return ask(&req, fd);
}

static struct answer ask_text(Lapwing__SpawnRequest__WhatCase what)
{
    Lapwing__SpawnRequest req = LAPWING__SPAWN_REQUEST__INIT;

    req.what_case = what;
    req.verify_package = fixture.package; /* the alternatives share their memory */
    return ask(&req, -1);
}

static struct answer ask_bare(Lapwing__SpawnRequest__WhatCase what)
{
    Lapwing__SpawnRequest req = LAPWING__SPAWN_REQUEST__INIT;

    req.what_case = what;
    req.new_image = true;
    return ask(&req, -1);
}

static void close_all(struct answer *answer)
{
    for (size_t i = 0; i < answer->fd_count; i++)
        if (answer->fds[i] >= 0)
            (void)close(answer->fds[i]);
    answer->fd_count = 0;
}

/* A zip that has become the package 'c'; the same zip within one test. */
static struct answer convert_zip(void)
{
    int zip = make_zip();
    struct answer answer;

    memset(fixture.package, 'c', 64);
    answer = convert("", zip);
    (void)close(zip);
    return answer;
}

static void expect_it_runs(void)
{
    fixture_run(&fixture, (const char *const[]){ "facts", NULL }, &run);
    EXPECT_EQ(run.status, ST_OK);
    EXPECT_EQ(run.code, 0);
    EXPECT(run_says(&run, "write_task EROFS"));
    EXPECT(run_says(&run, "directory /var/task"));
}

/* Loop devices over our image.  They end with the last mount, which the kernel takes apart behind
 * the back of whoever waits for the process. */
static bool loops_vanish(const char *id)
{
    char command[256];
    bool found = true;

    (void)snprintf(command, sizeof command,
                   "cat /sys/block/loop*/loop/backing_file 2>/dev/null | grep -q %s", id);
    for (int tries = 0; tries < 200 && found; tries++) {
        found = system(command) == 0;
        if (found)
            (void)poll(NULL, 0, 10);
    }
    return !found;
}

static unsigned files_here(void)
{
    DIR *dir = opendir(fixture.config.packages_dir);
    unsigned count = 0;

    CHECK(dir != NULL);
    while (readdir(dir) != NULL)
        count++;
    (void)closedir(dir);
    return count - 2;
}

TEST(a_package_is_converted_used_and_removed_in_each_way)
{
    for (int way = PACKAGE_MOUNT_AUTO; way < PACKAGE_MOUNTS; way++) {
        struct answer answer;
        bool folder = way == PACKAGE_MOUNT_FOLDER;

        if (!start((enum package_mount)way))
            continue;
        answer = convert_zip();
        EXPECT_EQ(answer.status, ST_OK);
        EXPECT(answer.disk_bytes > FILE_BYTES);
        if (way == PACKAGE_MOUNT_FILE || way == PACKAGE_MOUNT_LOOP || folder)
            EXPECT_EQ(answer.fd_count, folder ? 0 : 1);
        close_all(&answer);
        expect_it_runs();
        expect_it_runs();
        answer = convert_zip(); /* a second time is harmless */
        EXPECT_EQ(answer.status, ST_OK);
        close_all(&answer);
        expect_it_runs();
        EXPECT_EQ(ask_text(LAPWING__SPAWN_REQUEST__WHAT_REMOVE_PACKAGE).status, ST_OK);
        EXPECT_EQ(ask_text(LAPWING__SPAWN_REQUEST__WHAT_REMOVE_PACKAGE).status, ST_NOT_FOUND);
        fixture_run(&fixture, NULL, &run);
        EXPECT_EQ(run.status, ST_NOT_FOUND);
        EXPECT_EQ(fixture_stop(&fixture), 0);
    }
    test_case = NULL;
}

/* What another worker does with an image that it gets from the store. */
static struct answer fetch(int image, const char *id)
{
    struct answer file = ask_bare(LAPWING__SPAWN_REQUEST__WHAT_NEW_IMAGE), out;
    struct stat info;
    static char data[4096];

    EXPECT_EQ(file.status, ST_OK);
    EXPECT_EQ(file.fd_count, 2);
    CHECK(fstat(image, &info) == 0);
    for (off_t at = 0; at < info.st_size; at += (off_t)sizeof data) {
        CHECK(pread(image, data, sizeof data, at) == sizeof data);
        CHECK(write(file.fds[0], data, sizeof data) == sizeof data);
    }
    EXPECT_EQ(convert(id, file.fds[1]).status, ST_CONFLICT); /* we may still write */
    (void)close(file.fds[0]);
    file.fds[0] = -1;
    out = convert(id, file.fds[1]);
    close_all(&file);
    return out;
}

TEST(an_image_made_elsewhere_is_checked_and_used)
{
    for (int way = PACKAGE_MOUNT_FILE; way <= PACKAGE_MOUNT_LOOP; way++) {
        struct answer made, answer;

        if (!start((enum package_mount)way))
            continue;
        made = convert_zip();
        EXPECT_EQ(made.fd_count, 1);
        EXPECT_EQ(ask_text(LAPWING__SPAWN_REQUEST__WHAT_REMOVE_PACKAGE).status, ST_OK);
        answer = fetch(made.fds[0], made.image);
        EXPECT_EQ(answer.status, ST_OK);
        EXPECT_EQ(answer.disk_bytes, made.disk_bytes);
        expect_it_runs();
        close_all(&made);
        EXPECT_EQ(fixture_stop(&fixture), 0);
    }
    test_case = NULL;
}

TEST(what_is_no_image_of_ours_is_refused)
{
    struct answer made, file, answer;
    int foreign = memfd_create("image", MFD_CLOEXEC);
    static char data[8192];

    if (!start(PACKAGE_MOUNT_FILE))
        return;
    made = convert_zip();
    close_all(&made);
    EXPECT_EQ(ask_text(LAPWING__SPAWN_REQUEST__WHAT_REMOVE_PACKAGE).status, ST_OK);
    CHECK(write(foreign, data, sizeof data) == sizeof data);
    EXPECT_EQ(convert(made.image, foreign).status, ST_BAD_INPUT);
    file = ask_bare(LAPWING__SPAWN_REQUEST__WHAT_NEW_IMAGE);
    CHECK(write(file.fds[0], data, sizeof data) == sizeof data);
    (void)close(file.fds[0]);
    file.fds[0] = -1;
    answer = convert(made.image, file.fds[1]);
    EXPECT_EQ(answer.status, ST_CORRUPT);
    EXPECT_TEXT(answer.reason, "not_an_image");
    close_all(&file);
    fixture_run(&fixture, NULL, &run);
    EXPECT_EQ(run.status, ST_NOT_FOUND);
    (void)close(foreign);
    EXPECT_EQ(fixture_stop(&fixture), 0);
    test_case = NULL;
}

/* Changes the last byte that is not zero of our one image. */
static void let_it_rot(const char *id)
{
    char path[PATH_MAX + 192];
    struct stat info;
    int fd;
    char byte = 0;

    (void)snprintf(path, sizeof path, "%s/%s.%s", fixture.config.packages_dir, fixture.package, id);
    CHECK(chmod(path, 0600) == 0);
    fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0 && fstat(fd, &info) == 0);
    CHECK(pwrite(fd, &byte, 1, info.st_size - 8192) == 1);
    (void)close(fd);
}

TEST(images_of_a_former_run_are_used_once_they_were_verified)
{
    for (int way = PACKAGE_MOUNT_FILE; way <= PACKAGE_MOUNT_LOOP; way++) {
        struct answer made, answer;

        if (!start((enum package_mount)way))
            continue;
        made = convert_zip();
        close_all(&made);
        expect_it_runs();
        fixture_crash(&fixture);
        EXPECT(loops_vanish(made.image));
        fixture_launch(&fixture);
        answer = ask_bare(LAPWING__SPAWN_REQUEST__WHAT_LIST_PACKAGES);
        EXPECT(answer.images);
        EXPECT_EQ(answer.packages, 1);
        fixture_run(&fixture, NULL, &run);
        EXPECT_EQ(run.status, ST_NOT_FOUND);
        EXPECT_EQ(ask_text(LAPWING__SPAWN_REQUEST__WHAT_VERIFY_PACKAGE).status, ST_OK);
        expect_it_runs();
        fixture_crash(&fixture);
        let_it_rot(made.image);
        fixture_launch(&fixture);
        EXPECT_EQ(ask_text(LAPWING__SPAWN_REQUEST__WHAT_VERIFY_PACKAGE).status, ST_CORRUPT);
        EXPECT_EQ(ask_text(LAPWING__SPAWN_REQUEST__WHAT_VERIFY_PACKAGE).status, ST_NOT_FOUND);
        answer = convert_zip(); /* fetched again, it is as good as ever */
        EXPECT_EQ(answer.status, ST_OK);
        close_all(&answer);
        expect_it_runs();
        EXPECT_EQ(fixture_stop(&fixture), 0);
    }
    test_case = NULL;
}

TEST(nothing_is_swept_while_environments_run)
{
    char path[PATH_MAX + 192];
    struct spawner_message message;

    CHECK(start(PACKAGE_MOUNT_FOLDER));
    EXPECT_EQ(convert_zip().status, ST_OK);
    (void)snprintf(path, sizeof path, "%s/%s", fixture.config.packages_dir, fixture.package);
    fixture_ask(&fixture, 0, (const char *const[]){ "wait", NULL });
    CHECK(fixture_receive(&fixture, &message));
    EXPECT_EQ(message.message->reply->status, ST_OK);
    spawner_message_done(&message);
    EXPECT_EQ(ask_bare(LAPWING__SPAWN_REQUEST__WHAT_LIST_PACKAGES).status, ST_CONFLICT);
    EXPECT_EQ(access(path, F_OK), 0);
    EXPECT_EQ(fixture_stop(&fixture), 0);
    test_case = NULL;
}

/* A disk of 2 MB, most of it taken by the fixture's own package. */
TEST(a_full_disk_refuses_packages_and_keeps_those_that_are_there)
{
    struct answer answer;
    char command[256];

    fixture_prepare(&fixture, false);
    (void)snprintf(command, sizeof command, "mount -t tmpfs -o size=2m,mode=755 full %s/packages",
                   fixture.folder);
    CHECK(system(command) == 0);
    fixture_launch(&fixture);
    answer = convert_zip();
    EXPECT_EQ(answer.status, ST_OK);
    close_all(&answer);
    (void)snprintf(command, sizeof command,
                   "cat /dev/zero >%s/packages/full 2>/dev/null; test -s %s/packages/full",
                   fixture.folder, fixture.folder);
    CHECK(system(command) == 0);
    unsigned before = files_here();
    int zip = make_zip();
    memset(fixture.package, 'd', 64);
    answer = convert("", zip);
    (void)close(zip);
    EXPECT_EQ(answer.status, ST_IO);
    close_all(&answer);
    memset(fixture.package, 'c', 64);
    expect_it_runs();
    EXPECT(files_here() <= before + 1); /* what is half-done may still be on its way out */
    spawner_client_done(&fixture.client);
    (void)snprintf(command, sizeof command, "umount -l %s/packages", fixture.folder);
    CHECK(system(command) == 0);
    EXPECT_EQ(fixture_stop(&fixture), 0);
}
