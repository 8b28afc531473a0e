/* How a package comes to a real worker: as a zip that it converts, as an image that another one has
 * made, from its own disk after a restart; and what is said when it cannot come. */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"
#include "tests/cluster/worker_fixture.h"
#include "tests/unit/check.h"

enum { TRIES = 1000 /* of 10 ms */ };

static struct worker_fixture fixture;
static Lapwing__Function function = LAPWING__FUNCTION__INIT, other = LAPWING__FUNCTION__INIT;

static void fill(Lapwing__Function *row, const char *runtime, const char *handler, const char *zip)
{
    worker_fixture_function(&fixture, row, runtime, zip);
    row->handler = (char *)(uintptr_t)handler;
}

/* A cold start each time. */
static bool answers(Lapwing__Function *row)
{
    Lapwing__Result *result;
    bool ok;

    row->config_epoch++;
    result = worker_invoke(&fixture, row, "{}");
    ok = result != NULL && result->function_error[0] == '\0';
    if (result != NULL)
        lapwing__result__free_unpacked(result, NULL);
    return ok;
}

/* What the store has of a package: "zip", "1.image", "1.manifest". */
static char *in_store(const Lapwing__Function *row, const char *kind)
{
    static char path[256];
    char hex[65];

    hex_encode(bytes_of(row->code_sha256.data, 32), hex);
    (void)snprintf(path, sizeof path, "%s/%s.%s", fixture.folder, hex, kind);
    return path;
}

static ino_t inode_of(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 ? info.st_ino : 0;
}

/* Wait for a file of the store, or for another than `before`. */
static bool comes_to_store(const Lapwing__Function *row, const char *kind, ino_t before)
{
    for (int i = 0; i < TRIES; i++) {
        ino_t now = inode_of(in_store(row, kind));

        if (now != 0 && now != before)
            return true;
        (void)poll(NULL, 0, 10);
    }
    return false;
}

/* What is on the worker's disk: how many names of a package there are, images or trees. */
static unsigned on_disk(bool images)
{
    char path[128];
    unsigned count = 0;
    DIR *dir;

    (void)snprintf(path, sizeof path, "%s/packages", fixture.folder);
    dir = opendir(path);
    CHECK(dir != NULL);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;)
        count += entry->d_name[0] != '.' && (strchr(entry->d_name, '.') != NULL) == images;
    (void)closedir(dir);
    return count;
}

static void wipe_disk(void)
{
    char command[128];

    (void)snprintf(command, sizeof command, "rm -rf %s/packages/*", fixture.folder);
    CHECK(system(command) == 0);
}

static void rot(const char *path, off_t at)
{
    int fd;

    CHECK(chmod(path, 0600) == 0);
    fd = open(path, O_RDWR | O_CLOEXEC);
    CHECK(fd >= 0 && pwrite(fd, "rot", 3, at) == 3);
    (void)close(fd);
}

TEST(a_zip_becomes_an_image_that_is_stored_beside_it)
{
    worker_fixture_start(&fixture, NULL);
    fill(&function, "provided.al2023", "x", getenv("LAPWING_NATIVE_ZIP"));
    fill(&other, getenv("LAPWING_PYTHON"), "app.echo", getenv("LAPWING_PYTHON_ZIP"));
    EXPECT(answers(&function));
    EXPECT(comes_to_store(&function, "1.manifest", 0));
    EXPECT_EQ(access(in_store(&function, "1.image"), F_OK), 0);
    EXPECT_EQ(on_disk(true), 1);
    EXPECT(function.code_bytes >= 256 * 1024 && other.code_bytes < 256 * 1024);
    EXPECT(answers(&other));
    EXPECT(access(in_store(&other, "1.manifest"), F_OK) < 0); /* so small a zip needs none */
}

TEST(an_image_in_the_store_does_without_its_zip)
{
    char zip[300];

    (void)snprintf(zip, sizeof zip, "%s.away", in_store(&function, "zip"));
    CHECK(rename(in_store(&function, "zip"), zip) == 0);
    wipe_disk();
    worker_fixture_restart(&fixture, "loop");
    EXPECT(answers(&function));
    CHECK(rename(zip, in_store(&function, "zip")) == 0);
}

TEST(a_rotten_image_in_the_store_is_passed_over)
{
    static const struct {
        const char *kind;
        off_t at;
    } rows[] = { { "1.image", 5000 }, { "1.image", 60000 }, { "1.manifest", 70 } };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        ino_t before = inode_of(in_store(&function, "1.manifest"));

        test_case = rows[i].kind;
        rot(in_store(&function, rows[i].kind), rows[i].at);
        wipe_disk();
        worker_fixture_restart(&fixture, "auto");
        EXPECT(answers(&function)); /* and a good one is stored again */
        EXPECT(comes_to_store(&function, "1.manifest", before));
    }
    test_case = NULL;
}

/* Why the last offer was refused; "" when it was not. */
static const char *refusal(void)
{
    static char text[512];
    Lapwing__Refuse *refuse;

    text[0] = '\0';
    if (fixture.got_type != LAPWING__INVOKE_FRAME__REFUSE)
        return text;
    refuse = lapwing__refuse__unpack(NULL, fixture.got.len, fixture.got.data);
    if (refuse != NULL)
        (void)snprintf(text, sizeof text, "%s", refuse->text);
    lapwing__refuse__free_unpacked(refuse, NULL);
    (void)printf("# %s\n", text);
    return text;
}

static void shell(const char *format)
{
    char command[512];

    (void)snprintf(command, sizeof command, format, fixture.folder);
    CHECK(system(command) == 0);
}

TEST(a_full_disk_refuses_new_packages_and_no_others)
{
    shell("mount -t tmpfs -o size=8m,mode=755 full %s/packages");
    worker_fixture_restart(&fixture, "auto");
    EXPECT(answers(&function));
    shell("cat /dev/zero >%s/packages/.full 2>/dev/null; true");
    EXPECT(!answers(&other));
    EXPECT(strstr(refusal(), "No space left on device") != NULL);
    EXPECT(answers(&function));
    shell("rm %s/packages/.full");
    EXPECT(answers(&other));
    shell("umount -l %s/packages");
}

TEST(a_worker_with_folders_leaves_no_images_and_one_with_images_no_folders)
{
    worker_fixture_restart(&fixture, "folder");
    EXPECT(answers(&function)); /* so the spawner was there, and is done with its start */
    EXPECT_EQ(on_disk(true), 0);
    EXPECT_EQ(on_disk(false), 1);
    worker_fixture_restart(&fixture, "auto");
    EXPECT(answers(&function));
    EXPECT_EQ(on_disk(true), 1);
    EXPECT_EQ(on_disk(false), 0);
}

TEST(packages_of_a_former_run_start_without_the_store)
{
    char hex[65];

    hex_encode(bytes_of(other.code_sha256.data, 32), hex);
    worker_fixture_kill_store(&fixture);
    worker_fixture_restart(&fixture, "auto");
    EXPECT_EQ(on_disk(true), 1);
    EXPECT(answers(&function));
    EXPECT(!answers(&other));
    EXPECT(strstr(refusal(), hex) != NULL);
    EXPECT(answers(&function));
    worker_fixture_stop(&fixture);
}
