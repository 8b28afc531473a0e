/* Images as files, see image_file.h. */
#include "worker/image/image_file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/check.h"

enum { COPY_BYTES = 1 << 20, PATH_BYTES = 8192 };

/* The path of a node below the folder.  Unpacked paths have at most 4096 bytes. */
static enum status path_of(const struct image_tree *tree,
                           uint32_t node,
                           char out[PATH_BYTES],
                           struct err *err)
{
    size_t at = PATH_BYTES - 1;

    out[at] = '\0';
    while (node != 0) {
        struct bytes name = tree->nodes[node].name;

        if (at < name.len + 1)
            return err_set(err, ST_LIMIT, "a path of more than %d bytes", PATH_BYTES);
        if (out[at] != '\0')
            out[--at] = '/';
        at -= name.len;
        memcpy(out + at, name.data, name.len);
        node = tree->nodes[node].parent;
    }
    memmove(out, out + at, PATH_BYTES - at);
    if (out[0] == '\0')
        memcpy(out, ".", 2);
    return ST_OK;
}

/* ---- from folder to tree ---- */

struct names {
    char **list;
    size_t count;
    size_t capacity;
};

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum status read_names(int folder, struct names *out, struct err *err)
{
    DIR *dir = fdopendir(folder); /* takes it */

    if (dir == NULL)
        return err_set_errno(err, ST_IO, errno, "read a folder");
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (out->count == out->capacity) {
            out->capacity = out->capacity * 2 + 16;
            out->list = must_realloc(out->list, out->capacity * sizeof *out->list);
        }
        out->list[out->count++] = must_strdup(entry->d_name);
    }
    (void)closedir(dir);
    if (out->count > 0)
        qsort(out->list, out->count, sizeof *out->list, compare_names);
    return ST_OK;
}

static enum status look_at(
    struct image_tree *tree, int folder, const char *name, struct image_node *node, struct err *err)
{
    char target[IMAGE_TARGET_BYTES_MAX + 1];
    struct stat info;
    ssize_t len;

    if (fstatat(folder, name, &info, AT_SYMLINK_NOFOLLOW) < 0)
        return err_set_errno(err, ST_IO, errno, "look at %.100s", name);
    node->name = image_tree_text(tree, name, strlen(name));
    if (S_ISDIR(info.st_mode)) {
        node->kind = IMAGE_FOLDER;
        return ST_OK;
    }
    if (S_ISREG(info.st_mode)) {
        node->kind = IMAGE_FILE;
        node->executable = (info.st_mode & 0100) != 0;
        node->bytes = (uint64_t)info.st_size;
        node->time = info.st_mtime > 0 ? (uint64_t)info.st_mtime : 0;
        return ST_OK;
    }
    len = readlinkat(folder, name, target, sizeof target);
    if (len <= 0 || len > IMAGE_TARGET_BYTES_MAX)
        return err_set_errno(err, ST_IO, errno, "read the link %.100s", name);
    node->kind = IMAGE_LINK;
    node->target = image_tree_text(tree, target, (size_t)len);
    return ST_OK;
}

static enum status scan_folder(struct image_tree *tree, int top, uint32_t folder, struct err *err)
{
    char path[PATH_BYTES];
    struct names names = { 0 };
    enum status st = path_of(tree, folder, path, err);
    int fd, list;

    if (st != ST_OK)
        return st;
    fd = openat(top, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    list = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 0) : -1;
    if (list < 0)
        st = err_set_errno(err, ST_IO, errno, "open the folder %.100s", path);
    else
        st = read_names(list, &names, err);
    for (size_t i = 0; i < names.count; i++) {
        struct image_node node = { .parent = folder };

        if (st == ST_OK)
            st = look_at(tree, fd, names.list[i], &node, err);
        if (st == ST_OK && image_tree_add(tree, &node) != ST_OK)
            st = err_set(err, ST_LIMIT, "more than %d files", IMAGE_NODES_MAX);
        free(names.list[i]);
    }
    free(names.list);
    if (fd >= 0)
        (void)close(fd);
    return st;
}

static enum status scan(struct image_tree *tree, int folder, struct err *err)
{
    enum status st = ST_OK;

    image_tree_init(tree);
    for (uint32_t i = 0; i < tree->count && st == ST_OK; i++)
        if (tree->nodes[i].kind == IMAGE_FOLDER)
            st = scan_folder(tree, folder, i, err);
    return st;
}

/* ---- from tree to file ---- */

static enum status write_all(int fd, const uint8_t *data, size_t len, struct err *err)
{
    for (size_t done = 0; done < len;) {
        ssize_t put = write(fd, data + done, len - done);

        if (put < 0 && errno != EINTR)
            return err_set_errno(err, ST_IO, errno, "write the image");
        done += put > 0 ? (size_t)put : 0;
    }
    return ST_OK;
}

/* A file's bytes and the zeros behind them. */
static enum status copy_file(
    const struct image_node *node, int from, int image, uint8_t *copy, struct err *err)
{
    uint64_t left = node->bytes;
    size_t tail = (size_t)(left % IMAGE_BLOCK_BYTES);
    enum status st = ST_OK;

    while (left > 0 && st == ST_OK) {
        ssize_t got = read(from, copy, left < COPY_BYTES ? (size_t)left : COPY_BYTES);

        if (got <= 0)
            return err_set_errno(err, ST_IO, errno, "read an unpacked file");
        st = write_all(image, copy, (size_t)got, err);
        left -= (uint64_t)got;
    }
    if (st != ST_OK || tail == 0)
        return st;
    memset(copy, 0, IMAGE_BLOCK_BYTES);
    return write_all(image, copy, IMAGE_BLOCK_BYTES - tail, err);
}

static enum status write_tree(
    const struct image_tree *tree, int folder, int image, uint8_t *copy, struct err *err)
{
    struct image_cursor cursor = { 0 };
    enum status st = ST_OK;

    for (uint32_t i = 0; i < tree->meta_blocks && st == ST_OK; i++) {
        image_encode_next(tree, &cursor, copy);
        st = write_all(image, copy, IMAGE_BLOCK_BYTES, err);
    }
    for (uint32_t i = 0; i < tree->count && st == ST_OK; i++) {
        const struct image_node *node = &tree->nodes[i];
        char path[PATH_BYTES];
        int from;

        if (node->kind != IMAGE_FILE || node->bytes == 0)
            continue;
        st = path_of(tree, i, path, err);
        if (st != ST_OK)
            return st;
        from = openat(folder, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
        if (from < 0)
            return err_set_errno(err, ST_IO, errno, "open %.100s", path);
        st = copy_file(node, from, image, copy, err);
        (void)close(from);
    }
    return st;
}

enum status image_write(int folder, int image, struct err *err)
{
    struct image_tree tree;
    enum status st = scan(&tree, folder, err);

    if (st == ST_OK) {
        uint8_t *copy = must_calloc(1, COPY_BYTES);

        image_plan(&tree);
        st = write_tree(&tree, folder, image, copy, err);
        free(copy);
    }
    image_tree_done(&tree);
    return st;
}

/* ---- checks ---- */

enum status image_check(int image, struct image_manifest *out, struct err *err)
{
    struct image_tree tree;
    struct stat info;
    void *map;
    enum status st;

    if (fstat(image, &info) < 0)
        return err_set_errno(err, ST_IO, errno, "look at the image");
    if (info.st_size <= 0 || (uint64_t)info.st_size > IMAGE_BYTES_MAX)
        return err_set(err, ST_CORRUPT, "no package image: %lld bytes", (long long)info.st_size);
    map = mmap(NULL, (size_t)info.st_size, PROT_READ, MAP_PRIVATE, image, 0);
    if (map == MAP_FAILED)
        return err_set_errno(err, ST_IO, errno, "map the image");
    st = image_decode(bytes_of(map, (size_t)info.st_size), &tree, err);
    if (st == ST_OK) {
        out->bytes = (uint64_t)info.st_size;
        out->chunks = image_chunk_count(out->bytes);
        out->unzipped_bytes = tree.unzipped_bytes;
        out->files = tree.count - 1;
        image_tree_done(&tree);
    }
    (void)munmap(map, (size_t)info.st_size);
    return st;
}

enum status image_hash(int image, struct image_manifest *manifest, struct err *err)
{
    uint8_t *chunk = must_calloc(1, IMAGE_CHUNK_BYTES);
    enum status st = ST_OK;

    for (uint32_t i = 0; i < manifest->chunks && st == ST_OK; i++) {
        uint64_t offset;
        size_t len = (size_t)image_chunk(manifest, i, &offset);

        for (size_t done = 0; done < len && st == ST_OK;) {
            ssize_t got = pread(image, chunk + done, len - done, (off_t)(offset + done));

            if (got == 0)
                st = err_set(err, ST_IO, "the image is shorter than its manifest says");
            if (got < 0 && errno != EINTR)
                st = err_set_errno(err, ST_IO, errno, "read the image");
            done += got > 0 ? (size_t)got : 0;
        }
        hash_sha256(bytes_of(chunk, len), manifest->hashes[i]);
    }
    free(chunk);
    return st;
}
