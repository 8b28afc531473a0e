/* Images made of folders: the same folder gives the same bytes, wherever and however it was made.
 */
#include "worker/image/image_file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/check.h"

enum { FILES = 40, LARGE = 5 << 20 };

static char folder[] = "/tmp/lapwing-test-image-XXXXXX";

static int remove_one(const char *path, const struct stat *info, int type, struct FTW *at)
{
    return remove(path);
}

static void write_file(int dir, const char *name, size_t len, mode_t mode)
{
    struct timespec times[2] = { { .tv_sec = 1700000000 }, { .tv_sec = 1700000000 } };
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL, mode);
    static uint8_t data[LARGE];

    memset(data, name[0], len);
    CHECK(fd >= 0 && write(fd, data, len) == (ssize_t)len);
    CHECK(futimens(fd, times) == 0);
    (void)close(fd);
}

/* The same files, made in one order or the other. */
static int make_folder(bool backwards)
{
    int dir;

    CHECK(mkdtemp(folder) != NULL);
    dir = open(folder, O_RDONLY | O_DIRECTORY);
    CHECK(dir >= 0 && mkdirat(dir, "sub", 0755) == 0 && mkdirat(dir, "sub/deep", 0700) == 0);
    for (int i = 0; i < FILES; i++) {
        char name[32];

        (void)snprintf(name, sizeof name, "sub/f%02d", backwards ? FILES - 1 - i : i);
        write_file(dir, name, (size_t)(backwards ? FILES - 1 - i : i) * 200, 0644);
    }
    write_file(dir, "large", LARGE, 0755);
    CHECK(symlinkat("../large", dir, "sub/link") == 0);
    return dir;
}

static void drop_folder(int dir)
{
    (void)close(dir);
    CHECK(nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS) == 0);
    memcpy(strrchr(folder, '-') + 1, "XXXXXX", 6);
}

static int make_image(bool backwards)
{
    struct err err = { 0 };
    int dir = make_folder(backwards), image = memfd_create("image", 0);

    CHECK(image >= 0);
    EXPECT_EQ(image_write(dir, image, &err), ST_OK);
    EXPECT_TEXT(err.text, "");
    drop_folder(dir);
    return image;
}

static struct image_manifest first, second;

TEST(the_same_files_are_the_same_image)
{
    int a = make_image(false), b = make_image(true);
    uint8_t id_a[SHA256_BYTES], id_b[SHA256_BYTES];

    EXPECT_EQ(image_check(a, &first, NULL), ST_OK);
    EXPECT_EQ(image_check(b, &second, NULL), ST_OK);
    EXPECT_EQ(first.files, FILES + 4);
    EXPECT_EQ(first.unzipped_bytes, LARGE + 200 * (FILES - 1) * FILES / 2);
    EXPECT_EQ(image_hash(a, &first, NULL), ST_OK);
    EXPECT_EQ(image_hash(b, &second, NULL), ST_OK);
    image_manifest_id(&first, id_a);
    image_manifest_id(&second, id_b);
    EXPECT(memcmp(id_a, id_b, sizeof id_a) == 0);
    (void)close(a);
    (void)close(b);
}

TEST(a_changed_byte_of_a_file_changes_the_hash_but_not_the_form)
{
    int image = make_image(false);
    uint8_t before[SHA256_BYTES], after[SHA256_BYTES];

    EXPECT_EQ(image_check(image, &first, NULL), ST_OK);
    EXPECT_EQ(image_hash(image, &first, NULL), ST_OK);
    image_manifest_id(&first, before);
    CHECK(pwrite(image, "?", 1, (off_t)(first.bytes - IMAGE_BLOCK_BYTES)) == 1);
    EXPECT_EQ(image_check(image, &first, NULL), ST_OK);
    EXPECT_EQ(image_hash(image, &first, NULL), ST_OK);
    image_manifest_id(&first, after);
    EXPECT(memcmp(before, after, sizeof before) != 0);
    CHECK(ftruncate(image, (off_t)(first.bytes - IMAGE_BLOCK_BYTES)) == 0);
    EXPECT_EQ(image_check(image, &first, NULL), ST_CORRUPT);
    CHECK(ftruncate(image, 0) == 0);
    EXPECT_EQ(image_check(image, &first, NULL), ST_CORRUPT);
    (void)close(image);
}

/* Also where the last call before it was interrupted. */
TEST(an_image_that_was_cut_after_its_check_is_an_error)
{
    int image = make_image(false);
    struct err err = { 0 };

    EXPECT_EQ(image_check(image, &first, NULL), ST_OK);
    CHECK(ftruncate(image, (off_t)(first.bytes - IMAGE_BLOCK_BYTES)) == 0);
    errno = EINTR;
    EXPECT_EQ(image_hash(image, &first, &err), ST_IO);
    EXPECT_TEXT(err.text, "the image is shorter than its manifest says");
    (void)close(image);
}

/* A disk that is full says so. */
TEST(an_image_that_cannot_be_written_is_an_error)
{
    struct err err = { 0 };
    int dir = make_folder(false), full = open("/dev/full", O_WRONLY);

    EXPECT_EQ(image_write(dir, full, &err), ST_IO);
    EXPECT(strstr(err.text, "No space left") != NULL);
    drop_folder(dir);
    (void)close(full);
}
