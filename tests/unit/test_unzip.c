/* Honest and hostile zips, made here byte by byte: what a tool would refuse to write must be tried.
 */
#include "worker/spawner/unzip.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bytes.h"
#include "tests/unit/check.h"

enum {
    ENTRIES_MAX = 8,
    DOS_DATE = 0x58a1, /* 2024-05-01 */
    BYTES_MAX = 1000,
    FILES_MAX = 6,
};

struct entry {
    const char *name;
    unsigned mode; /* Unix, type included; 0: made on a system without modes */
    const char *data;
    bool deflated;          /* 2000 bytes 'x', compressed */
    unsigned long says;     /* the size it claims, when not its own */
    bool encrypted, broken; /* flag bit 0 is set; checksum is wrong */
    bool shares;            /* its content is the first entry's, at its place */
};

static void put16(struct buf *out, unsigned value)
{
    buf_append(out, (const uint8_t[]){ value & 255, value >> 8 & 255 }, 2);
}

static void put32(struct buf *out, unsigned long value)
{
    put16(out, value & 0xffff);
    put16(out, value >> 16 & 0xffff);
}

struct content {
    uint8_t bytes[4096];
    unsigned long packed, size, crc;
};

/* 2000 bytes 'x' in deflate's format. */
static const uint8_t deflated_x[] = { 0xab, 0xa8, 0x18, 0x05, 0xa3, 0x60, 0x14, 0x8c, 0x82,
                                      0x51, 0x30, 0x0a, 0x46, 0xc1, 0x50, 0x07, 0x00 };
enum { DEFLATED_X_SIZE = 2000 };

/* The checksum of zips, bit by bit. */
static unsigned long crc32_of(const uint8_t *data, size_t len)
{
    uint32_t crc = UINT32_MAX;

    for (size_t i = 0; i < len * 8; i++) {
        if (i % 8 == 0)
            crc ^= data[i / 8];
        crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    return crc ^ UINT32_MAX;
}

static void pack(const struct entry *entry, struct content *out)
{
    uint8_t plain[DEFLATED_X_SIZE];

    if (entry->deflated) {
        memset(plain, 'x', sizeof plain);
        memcpy(out->bytes, deflated_x, sizeof deflated_x);
        out->size = sizeof plain;
        out->packed = sizeof deflated_x;
        out->crc = crc32_of(plain, sizeof plain);
    } else {
        out->size = out->packed = strlen(entry->data);
        memcpy(out->bytes, entry->data, out->size);
        out->crc = crc32_of(out->bytes, out->size);
    }
    out->crc += entry->broken;
}

/* What local header and directory have in common, "version needed" to "extra length". */
static void put_common(struct buf *out, const struct entry *entry, const struct content *content)
{
    put16(out, 20);
    put16(out, entry->encrypted);
    put16(out, entry->deflated ? 8 : 0);
    put16(out, 0);
    put16(out, DOS_DATE);
    put32(out, content->crc);
    put32(out, content->packed);
    put32(out, entry->says > 0 ? entry->says : content->size);
    put16(out, (unsigned)strlen(entry->name));
    put16(out, 0);
}

/* A zip of `entries` up to the first without a name, as an open file. */
static int make_zip(const struct entry *entries)
{
    struct buf file = { 0 };
    struct buf directory = { 0 };
    unsigned count = 0;
    int fd = memfd_create("zip", MFD_CLOEXEC);

    for (const struct entry *entry = entries; entry->name != NULL; entry++, count++) {
        struct content content;
        size_t offset = entry->shares ? 0 : file.len;

        pack(entry, &content);
        if (!entry->shares) {
            put32(&file, 0x04034b50);
            put_common(&file, entry, &content);
            buf_append_text(&file, entry->name);
            buf_append(&file, content.bytes, content.packed);
        }
        put32(&directory, 0x02014b50);
        put16(&directory, entry->mode != 0 ? 3 << 8 | 20 : 20); /* made on Unix, or not */
        put_common(&directory, entry, &content);
        put16(&directory, 0);
        put16(&directory, 0);
        put16(&directory, 0);
        put32(&directory, (unsigned long)entry->mode << 16);
        put32(&directory, offset);
        buf_append_text(&directory, entry->name);
    }
    size_t at = file.len;
    buf_append(&file, directory.data, directory.len);
    put32(&file, 0x06054b50);
    put32(&file, 0);
    put16(&file, count);
    put16(&file, count);
    put32(&file, directory.len);
    put32(&file, at);
    put16(&file, 0);
    CHECK(fd >= 0 && write(fd, file.data, file.len) == (ssize_t)file.len);
    buf_done(&file);
    buf_done(&directory);
    return fd;
}

static char folder[64];

static int make_folder(void)
{
    strcpy(folder, "/tmp/lapwing-unzip-XXXXXX");
    CHECK(mkdtemp(folder) != NULL);
    return open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void remove_folder(int fd)
{
    char command[128];

    (void)close(fd);
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    CHECK(system(command) == 0);
}

static enum status unzip_fd(int zip, int into, struct unzip_result *out, struct err *err)
{
    return unzip(zip, into, &(struct unzip_limits){ BYTES_MAX, FILES_MAX }, out, err);
}

#define LONG_NAME                                                                                  \
    "1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901"  \
    "1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901"  \
    "1234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901"

// clang-format off
static const struct {
    const char *name;
    struct entry entries[ENTRIES_MAX];
    enum unzip_reason want;
} hostile[] = {
    { "no entry", { { 0 } }, UNZIP_NOT_A_ZIP },
    { "a name that goes up", { { "../a", S_IFREG | 0644, "x" } }, UNZIP_PATH_ESCAPE },
    { "a name that goes up in its middle", { { "a/../../b", S_IFREG | 0644, "x" } }, UNZIP_PATH_ESCAPE },
    { "an absolute name", { { "/etc/cron.d/a", S_IFREG | 0644, "x" } }, UNZIP_PATH_ESCAPE },
    { "a name that no file system takes", { { LONG_NAME, S_IFREG | 0644, "x" } }, UNZIP_PATH_ESCAPE },
    { "a link out", { { "l", S_IFLNK | 0777, "../../etc/passwd" } }, UNZIP_LINK_ESCAPE },
    { "an absolute link", { { "l", S_IFLNK | 0777, "/etc/passwd" } }, UNZIP_LINK_ESCAPE },
    { "a link out by way of another link", { { "d/e/up", S_IFLNK | 0777, "../.." }, { "l", S_IFLNK | 0777, "d/e/up/.." } }, UNZIP_LINK_ESCAPE },
    { "a file through a link", { { "d", S_IFLNK | 0777, "e" }, { "d/a", S_IFREG | 0644, "x" } }, UNZIP_DUPLICATE_NAME },
    { "a character device", { { "null", S_IFCHR | 0666, "" } }, UNZIP_DEVICE },
    { "a socket", { { "s", S_IFSOCK | 0666, "" } }, UNZIP_DEVICE },
    { "a name twice", { { "a", S_IFREG | 0644, "x" }, { "a", S_IFREG | 0644, "y" } }, UNZIP_DUPLICATE_NAME },
    { "a name twice, spelled differently", { { "a", S_IFREG | 0644, "x" }, { "./a", S_IFREG | 0644, "y" } }, UNZIP_DUPLICATE_NAME },
    { "file and folder", { { "a", S_IFREG | 0644, "x" }, { "a/b", S_IFREG | 0644, "y" } }, UNZIP_DUPLICATE_NAME },
    { "a file and a link", { { "a", S_IFREG | 0644, "x" }, { "a", S_IFLNK | 0777, "b" } }, UNZIP_DUPLICATE_NAME },
    { "too large, compressed", { { "a", S_IFREG | 0644, "", .deflated = true } }, UNZIP_TOO_LARGE },
    { "larger than it says", { { "a", S_IFREG | 0644, "", .deflated = true, .says = 10 } }, UNZIP_NOT_A_ZIP },
    { "too many folders that no entry names", { { "a/b/c/d/e/f/g", S_IFREG | 0644, "x" } }, UNZIP_TOO_MANY_FILES },
    { "a folder named too often", { { "a/", S_IFDIR | 0755, "" }, { "a/", S_IFDIR | 0755, "" }, { "a/", S_IFDIR | 0755, "" }, { "a/", S_IFDIR | 0755, "" },
        { "a/", S_IFDIR | 0755, "" }, { "a/", S_IFDIR | 0755, "" }, { "a/", S_IFDIR | 0755, "" } }, UNZIP_TOO_MANY_FILES },
    { "an encrypted file", { { "a", S_IFREG | 0644, "0123456789abcdef", .encrypted = true } }, UNZIP_NOT_A_ZIP },
    { "two names for the same bytes", { { "a", S_IFREG | 0644, "x" }, { "b", S_IFREG | 0644, "x", .shares = true } }, UNZIP_NOT_A_ZIP },
    { "a wrong checksum", { { "a", S_IFREG | 0644, "x", .broken = true } }, UNZIP_NOT_A_ZIP },
};
// clang-format on

TEST(hostile_zips_are_refused_for_what_they_do)
{
    for (size_t i = 0; i < ARRAY_LEN(hostile); i++) {
        int zip = make_zip(hostile[i].entries);
        int into = make_folder();
        struct unzip_result result = { 0 };
        struct err err = { 0 };

        test_case = hostile[i].name;
        EXPECT_EQ(unzip_fd(zip, into, &result, &err), ST_BAD_INPUT);
        EXPECT_TEXT(unzip_reason_name(result.reason), unzip_reason_name(hostile[i].want));
        EXPECT(err.text[0] != '\0');
        remove_folder(into);
        (void)close(zip);
    }
}

static void expect_mode(int into, const char *path, unsigned mode)
{
    struct stat info = { 0 };

    test_case = path;
    EXPECT_EQ(fstatat(into, path, &info, AT_SYMLINK_NOFOLLOW), 0);
    EXPECT_EQ(info.st_mode, mode);
    if (S_ISREG(info.st_mode))
        EXPECT_EQ(info.st_mtime / 86400, 19844); /* 2024-05-01 */
    test_case = NULL;
}

TEST(an_honest_zip_comes_out_with_normal_modes_and_its_times)
{
    static const struct entry entries[] = {
        { "bootstrap", 0, "no modes here" },
        { "d/", S_IFDIR | 0700, "" },
        { "d/tool", S_IFREG | S_ISUID | 0700, "x" },
        { "d/data", S_IFREG | 0600, "y" },
        { "d/l", S_IFLNK | 0777, "../bootstrap" },
        { "nowhere", S_IFLNK | 0777, "d/none" },
        { 0 },
    };
    int zip = make_zip(entries);
    int into = make_folder();
    struct unzip_result result = { 0 };
    struct err err = { 0 };

    (void)setenv("TZ", "UTC", 1);
    EXPECT_EQ(unzip_fd(zip, into, &result, &err), ST_OK);
    EXPECT_TEXT(err.text, "");
    EXPECT_EQ(result.files, 6);
    EXPECT_EQ(result.bytes, strlen("no modes here") + 2);
    expect_mode(into, "bootstrap", S_IFREG | 0755);
    expect_mode(into, "d", S_IFDIR | 0755);
    expect_mode(into, "d/tool", S_IFREG | 0755);
    expect_mode(into, "d/data", S_IFREG | 0644);
    expect_mode(into, "d/l", S_IFLNK | 0777);
    remove_folder(into);
    (void)close(zip);
}

TEST(what_is_no_zip_or_half_of_one_is_refused)
{
    static const struct entry entries[] = { { "a", S_IFREG | 0644, "some text" }, { 0 } };
    int zip = make_zip(entries);
    struct stat info;

    CHECK(fstat(zip, &info) == 0);
    for (off_t len = info.st_size - 1; len >= 0; len--) {
        int into = make_folder();
        struct unzip_result result = { 0 };

        CHECK(ftruncate(zip, len) == 0);
        EXPECT_EQ(unzip_fd(zip, into, &result, NULL), ST_BAD_INPUT);
        EXPECT_EQ(result.reason, UNZIP_NOT_A_ZIP);
        remove_folder(into);
    }
    (void)close(zip);
}

static const struct {
    const char *name;
    size_t bytes; /* of one file, beside one of half the limit */
    unsigned files;
    enum status want;
    enum unzip_reason reason;
} sizes[] = {
    { "as many bytes as are allowed", BYTES_MAX / 2, 2, ST_OK, 0 },
    { "one more", BYTES_MAX / 2 + 1, 2, ST_BAD_INPUT, UNZIP_TOO_LARGE },
    { "as many files as are allowed", 0, FILES_MAX, ST_OK, 0 },
    { "one more file", 0, FILES_MAX + 1, ST_BAD_INPUT, UNZIP_TOO_MANY_FILES },
};

TEST(bytes_and_files_are_taken_to_the_limit_and_no_further)
{
    static const char *const names[FILES_MAX + 1] = { "a", "b", "c", "d", "e", "f", "g" };

    for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
        struct entry entries[ENTRIES_MAX] = { 0 };
        char half[BYTES_MAX / 2 + 1] = { 0 };
        char other[BYTES_MAX / 2 + 2] = { 0 };
        struct unzip_result result = { 0 };
        struct err err = { 0 };
        int into = make_folder();
        int zip;

        test_case = sizes[i].name;
        memset(half, 'x', sizes[i].bytes > 0 ? BYTES_MAX / 2 : 0);
        memset(other, 'x', sizes[i].bytes);
        for (unsigned k = 0; k < sizes[i].files; k++)
            entries[k] = (struct entry){ names[k], S_IFREG | 0644, k == 0 ? half : other };
        zip = make_zip(entries);
        EXPECT_EQ(unzip_fd(zip, into, &result, &err), sizes[i].want);
        if (sizes[i].want != ST_OK)
            EXPECT_TEXT(unzip_reason_name(result.reason), unzip_reason_name(sizes[i].reason));
        remove_folder(into);
        (void)close(zip);
    }
}
