/* Unpacking packages, see unzip.h. */
#include "worker/spawner/unzip.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "worker/spawner/files.h"
#include "worker/spawner/unzip_rules.h"

enum { READ_BYTES = 65536 };

struct link {
    char *path;
    char *target;
};

/* One unpacking. */
struct unzip {
    struct archive *archive;
    int folder;
    struct unzip_limits limits;
    struct unzip_result result;
    struct link *links; /* made when all files are there */
    size_t link_count;
    size_t link_capacity;
    struct err *err;
};

const char *unzip_reason_name(enum unzip_reason reason)
{
    static const char *const names[UNZIP_REASONS] = {
        [UNZIP_NOT_A_ZIP] = "not_a_zip",
        [UNZIP_TOO_LARGE] = "too_large_unzipped",
        [UNZIP_PATH_ESCAPE] = "path_escape",
        [UNZIP_LINK_ESCAPE] = "link_escape",
        [UNZIP_DEVICE] = "device",
        [UNZIP_TOO_MANY_FILES] = "too_many_files",
        [UNZIP_DUPLICATE_NAME] = "duplicate_name",
        [UNZIP_NOT_AN_IMAGE] = "not_an_image",
    };

    CHECK(reason < UNZIP_REASONS);
    return names[reason];
}

static enum status refuse(struct unzip *unzip,
                          enum unzip_reason reason,
                          const char *what,
                          const char *entry)
{
    unzip->result.reason = reason;
    return err_set(unzip->err, ST_BAD_INPUT, "%s: %.120s", what, entry);
}

/* What libarchive complains about is the zip's fault, but for a disk that fails to be read. */
static enum status refuse_format(struct unzip *unzip)
{
    const char *text = archive_error_string(unzip->archive);

    return refuse(unzip, UNZIP_NOT_A_ZIP, "not a zip that can be read",
                  text != NULL ? text : "no reason given");
}

static enum status count_one(struct unzip *unzip, const char *path)
{
    if (unzip->result.files >= unzip->limits.files_max)
        return refuse(unzip, UNZIP_TOO_MANY_FILES, "too many files and folders", path);
    unzip->result.files++;
    return ST_OK;
}

/* Open below the folder; never through a link, never out of it, whatever is there. */
static int open_below(const struct unzip *unzip, const char *path, uint64_t flags, uint64_t mode)
{
    struct open_how how = { .flags = flags | O_CLOEXEC,
                            .mode = mode,
                            .resolve =
                                RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS };

    return (int)syscall(SYS_openat2, unzip->folder, path, &how, sizeof how);
}

static enum status make_folder(struct unzip *unzip, const char *path)
{
    if (mkdirat(unzip->folder, path, 0755) == 0)
        return count_one(unzip, path);
    if (errno == EEXIST) {
        AUTO_CLOSE int there = open_below(unzip, path, O_PATH | O_DIRECTORY, 0);

        if (there >= 0)
            return ST_OK;
        return refuse(unzip, UNZIP_DUPLICATE_NAME, "both a file and a folder", path);
    }
    if (errno == ENAMETOOLONG)
        return refuse(unzip, UNZIP_PATH_ESCAPE, "a name longer than a file system allows", path);
    if (errno == ENOTDIR)
        return refuse(unzip, UNZIP_DUPLICATE_NAME, "both a file and a folder", path);
    return err_set_errno(unzip->err, ST_IO, errno, "make folder %.120s", path);
}

/* Make each folder above `path`.  Most zips list files of one folder in a row: look first. */
static enum status make_parents(struct unzip *unzip, char *path)
{
    char *last = strrchr(path, '/');
    enum status st = ST_OK;

    if (last == NULL)
        return ST_OK;
    *last = '\0';
    int there = open_below(unzip, path, O_PATH | O_DIRECTORY, 0);
    *last = '/';
    if (there >= 0) {
        (void)close(there);
        return ST_OK;
    }
    for (char *slash = strchr(path, '/'); slash != NULL && st == ST_OK;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        st = make_folder(unzip, path);
        *slash = '/';
    }
    return st;
}

static enum status copy_data(struct unzip *unzip, int fd, const char *path)
{
    static char data[READ_BYTES];

    for (;;) {
        la_ssize_t got = archive_read_data(unzip->archive, data, sizeof data);

        if (got == 0)
            return ST_OK;
        if (got < 0)
            return refuse_format(unzip);
        if ((uint64_t)got > unzip->limits.bytes_max - unzip->result.bytes)
            return refuse(unzip, UNZIP_TOO_LARGE, "larger than allowed when unpacked, at", path);
        unzip->result.bytes += (uint64_t)got;
        for (la_ssize_t done = 0; done < got;) {
            ssize_t put = write(fd, data + done, (size_t)(got - done));

            if (put < 0 && errno != EINTR)
                return err_set_errno(unzip->err, ST_IO, errno, "write %.120s", path);
            done += put > 0 ? put : 0;
        }
    }
}

static enum status write_file(struct unzip *unzip, struct archive_entry *entry, const char *path)
{
    bool program = (archive_entry_perm(entry) & 0111) != 0 || strcmp(path, "bootstrap") == 0;
    struct timespec times[2] = { { .tv_nsec = UTIME_OMIT },
                                 { .tv_sec = archive_entry_mtime(entry) } };
    AUTO_CLOSE int fd = open_below(unzip, path, O_WRONLY | O_CREAT | O_EXCL, program ? 0755 : 0644);
    enum status st;

    if (fd < 0 && errno == EEXIST)
        return refuse(unzip, UNZIP_DUPLICATE_NAME, "the name stands there twice", path);
    if (fd < 0 && errno == ENAMETOOLONG)
        return refuse(unzip, UNZIP_PATH_ESCAPE, "a name longer than a file system allows", path);
    if (fd < 0)
        return err_set_errno(unzip->err, ST_IO, errno, "create %.120s", path);
    st = copy_data(unzip, fd, path);
    if (st == ST_OK && archive_entry_mtime_is_set(entry))
        (void)futimens(fd, times); /* a date that the disk cannot hold is no reason to refuse */
    return st;
}

static enum status keep_link(struct unzip *unzip, struct archive_entry *entry, const char *path)
{
    const char *target = archive_entry_symlink(entry);

    if (target == NULL)
        target = archive_entry_symlink_utf8(entry);
    if (target == NULL || !unzip_link_stays(path, target))
        return refuse(unzip, UNZIP_LINK_ESCAPE, "a link that leaves the package", path);
    if (unzip->link_count == unzip->link_capacity) {
        unzip->link_capacity = unzip->link_capacity * 2 + 64;
        unzip->links = must_realloc(unzip->links, unzip->link_capacity * sizeof *unzip->links);
    }
    unzip->links[unzip->link_count++] = (struct link){ must_strdup(path), must_strdup(target) };
    return ST_OK;
}

static enum status take_entry(struct unzip *unzip, struct archive_entry *entry)
{
    char path[UNZIP_PATH_BYTES];
    const char *name = archive_entry_pathname(entry);
    enum status st;

    if (name == NULL)
        name = archive_entry_pathname_utf8(entry);
    if (name == NULL)
        return refuse(unzip, UNZIP_NOT_A_ZIP, "a name that cannot be read", "");
    if (!unzip_path_clean(name, path))
        return refuse(unzip, UNZIP_PATH_ESCAPE, "a name that leaves the package", name);
    if (archive_entry_is_encrypted(entry))
        return refuse(unzip, UNZIP_NOT_A_ZIP, "encrypted", name);
    if (path[0] == '\0' && archive_entry_filetype(entry) != AE_IFDIR)
        return refuse(unzip, UNZIP_PATH_ESCAPE, "a file without a name", name);
    if (path[0] == '\0')
        return ST_OK;
    st = make_parents(unzip, path);
    if (st != ST_OK)
        return st;
    if (archive_entry_filetype(entry) == AE_IFDIR)
        return make_folder(unzip, path);
    st = count_one(unzip, path);
    if (st != ST_OK)
        return st;
    if (archive_entry_filetype(entry) == AE_IFREG)
        return write_file(unzip, entry, path);
    if (archive_entry_filetype(entry) == AE_IFLNK)
        return keep_link(unzip, entry, path);
    return refuse(unzip, UNZIP_DEVICE, "neither file, folder nor link", path);
}

/* How many entries the zip's directory says it has. */
static enum status count_entries(struct unzip *unzip, int zip, uint64_t *out)
{
    static uint8_t tail[UNZIP_TAIL_BYTES];
    uint8_t record[UNZIP_END64_BYTES];
    struct unzip_end end;
    off_t size = lseek(zip, 0, SEEK_END);
    size_t len = size < UNZIP_TAIL_BYTES ? (size_t)size : UNZIP_TAIL_BYTES;

    if (size < 0 || pread(zip, tail, len, size - (off_t)len) != (ssize_t)len)
        return err_set_errno(unzip->err, ST_IO, errno, "read the end of the zip");
    if (!unzip_end_read(tail, len, &end))
        return refuse(unzip, UNZIP_NOT_A_ZIP, "not a zip that can be read", "it has no end");
    *out = end.entries;
    if (!end.is_large)
        return ST_OK;
    if (end.large_at > (uint64_t)size ||
        pread(zip, record, sizeof record, (off_t)end.large_at) != (ssize_t)sizeof record ||
        !unzip_end64_read(record, out))
        return refuse(unzip, UNZIP_NOT_A_ZIP, "not a zip that can be read", "it has no end");
    return ST_OK;
}

/* libarchive passes over entries that share their bytes with another one, silently: an honest zip
 * has none, a bomb is made of them. */
static enum status take_entries(struct unzip *unzip, uint64_t expected)
{
    uint32_t entries = 0;
    enum status st = ST_OK;

    while (st == ST_OK) {
        struct archive_entry *entry;
        int rv = archive_read_next_header(unzip->archive, &entry);

        if (rv == ARCHIVE_EOF)
            break;
        if (rv != ARCHIVE_OK && rv != ARCHIVE_WARN)
            return refuse_format(unzip);
        if (entries++ >= unzip->limits.files_max) /* also those that name a folder again */
            return refuse(unzip, UNZIP_TOO_MANY_FILES, "too many files and folders", "");
        st = take_entry(unzip, entry);
    }
    /* Of more than 16 bits some tools write the lower ones only. */
    if (st == ST_OK && entries != expected && (entries & UINT16_MAX) != expected)
        return refuse(unzip, UNZIP_NOT_A_ZIP, "not a zip that can be read",
                      "entries share their place in it");
    if (st == ST_OK && unzip->result.files == 0)
        return refuse(unzip, UNZIP_NOT_A_ZIP, "the zip is empty", "");
    return st;
}

static enum status make_links(struct unzip *unzip)
{
    for (size_t i = 0; i < unzip->link_count; i++) {
        const struct link *link = &unzip->links[i];

        if (symlinkat(link->target, unzip->folder, link->path) == 0)
            continue;
        if (errno == EEXIST)
            return refuse(unzip, UNZIP_DUPLICATE_NAME, "the name stands there twice", link->path);
        if (errno == ENAMETOOLONG || errno == ELOOP)
            return refuse(unzip, UNZIP_LINK_ESCAPE, "a link that cannot be made", link->path);
        return err_set_errno(unzip->err, ST_IO, errno, "link %.120s", link->path);
    }
    return ST_OK;
}

/* Now that all exist, let the kernel follow each one, through other links too: it says when a way
 * leaves the folder.  One that leads nowhere has not left by then and cannot later. */
static enum status follow_links(struct unzip *unzip)
{
    struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_BENEATH };

    for (size_t i = 0; i < unzip->link_count; i++) {
        AUTO_CLOSE int fd =
            (int)syscall(SYS_openat2, unzip->folder, unzip->links[i].path, &how, sizeof how);
        if (fd < 0 && errno == EXDEV)
            return refuse(unzip, UNZIP_LINK_ESCAPE, "a link that leaves the package",
                          unzip->links[i].path);
    }
    return ST_OK;
}

static void free_links(struct unzip *unzip)
{
    for (size_t i = 0; i < unzip->link_count; i++) {
        free(unzip->links[i].path);
        free(unzip->links[i].target);
    }
    free(unzip->links);
}

enum status unzip(int zip,
                  int folder,
                  const struct unzip_limits *limits,
                  struct unzip_result *out,
                  struct err *err)
{
    struct unzip unzip = { .folder = folder, .limits = *limits, .err = err };
    uint64_t expected = 0;
    enum status st = count_entries(&unzip, zip, &expected);

    /* What says so itself need not be unpacked to be believed. */
    if (st == ST_OK && expected > limits->files_max)
        st = refuse(&unzip, UNZIP_TOO_MANY_FILES, "too many files and folders", "");
    if (st != ST_OK) {
        *out = unzip.result;
        return st;
    }
    if (lseek(zip, 0, SEEK_SET) < 0)
        return err_set_errno(err, ST_IO, errno, "go to the start of the zip");
    unzip.archive = archive_read_new();
    CHECK(unzip.archive != NULL);
    /* By the directory at its end, as every other tool reads it: the streaming reader would see
     * other entries than those that the zip's author was shown. */
    (void)archive_read_support_format_zip_seekable(unzip.archive);
    if (archive_read_open_fd(unzip.archive, zip, READ_BYTES) != ARCHIVE_OK)
        st = refuse_format(&unzip);
    else
        st = take_entries(&unzip, expected);
    if (st == ST_OK)
        st = make_links(&unzip);
    if (st == ST_OK)
        st = follow_links(&unzip);
    free_links(&unzip);
    (void)archive_read_free(unzip.archive);
    if (st == ST_OK || st == ST_BAD_INPUT)
        *out = unzip.result;
    return st;
}
