/* lapwing-convert: what reads strangers' bytes of packages.
 *
 *   lapwing-convert tree FOLDER < ZIP             unpack into FOLDER, which is empty
 *   lapwing-convert image FOLDER PACKAGE < ZIP    the same into FOLDER/tree, and make FOLDER/image
 *   lapwing-convert check FOLDER PACKAGE < IMAGE  is it an image of ours?  By its form only
 *   lapwing-convert verify FOLDER PACKAGE < IMAGE the same, and which one: every byte is read
 *
 * PACKAGE is the zip's SHA-256, ID that of the image's manifest.  One line of result on standard
 * output:
 *
 *   ok BYTES FILES [ID]       refused REASON TEXT
 *
 * Started by the spawner in a sandbox: own user, no network, a read-only root, limits of memory and
 * time.  Anything else on its output, or an exit status but 0, is a failure of ours. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "worker/image/image_file.h"
#include "worker/spawner/files.h"
#include "worker/spawner/unzip.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define WITH_ADDRESS_SANITIZER 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define WITH_ADDRESS_SANITIZER 1
#endif

#if defined(WITH_ADDRESS_SANITIZER)
/* Its search for leaks traces the process, which our filter refuses; the unit tests of unzip() have
 * that search on. */
const char *__asan_default_options(void);
__attribute__((visibility("default"))) const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

/* What came of it. */
struct result {
    uint64_t bytes;
    uint32_t files;
    char id[SHA256_HEX_BYTES]; /* "" where it was not asked for */
    enum unzip_reason reason;
};

static enum status make_tree(int folder, struct result *result, struct err *err)
{
    const struct unzip_limits limits = { PACKAGE_UNZIPPED_BYTES_MAX, PACKAGE_FILES_MAX };
    struct unzip_result unzipped = { 0 };
    enum status st = unzip(0, folder, &limits, &unzipped, err);

    result->bytes = unzipped.bytes;
    result->files = unzipped.files;
    result->reason = unzipped.reason;
    return st;
}

/* The form of an image, and with `whole` all of it. */
static enum status read_image(
    int image, const char *package, bool whole, struct result *result, struct err *err)
{
    static struct image_manifest manifest; /* large */
    uint8_t id[SHA256_BYTES];
    enum status st = image_check(image, &manifest, err);

    if (st == ST_OK && !hex_decode(package, manifest.package, sizeof manifest.package))
        st = err_set(err, ST_IO, "'%.80s' is no SHA-256", package);
    if (st == ST_OK && whole)
        st = image_hash(image, &manifest, err);
    if (st == ST_CORRUPT)
        result->reason = UNZIP_NOT_AN_IMAGE;
    if (st != ST_OK)
        return st;
    result->bytes = manifest.unzipped_bytes;
    result->files = manifest.files;
    if (whole) {
        image_manifest_id(&manifest, id);
        hex_encode(bytes_of(id, sizeof id), result->id);
    }
    return ST_OK;
}

static enum status make_image(int folder,
                              const char *package,
                              struct result *result,
                              struct err *err)
{
    AUTO_CLOSE int tree = -1;
    AUTO_CLOSE int image = -1;
    enum status st = dir_make(folder, "tree", &tree, err);

    if (st == ST_OK)
        st = make_tree(tree, result, err);
    if (st != ST_OK)
        return st;
    image = openat(folder, "image", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
    if (image < 0)
        return err_set_errno(err, ST_IO, errno, "make the image");
    st = image_write(tree, image, err);
    return st == ST_OK ? read_image(image, package, true, result, err) : st;
}

static enum status convert(char **argv, int argc, int folder, struct result *out, struct err *err)
{
    if (argc == 3 && strcmp(argv[1], "tree") == 0)
        return make_tree(folder, out, err);
    if (argc == 4 && strcmp(argv[1], "image") == 0)
        return make_image(folder, argv[3], out, err);
    if (argc == 4 && strcmp(argv[1], "check") == 0)
        return read_image(0, argv[3], false, out, err);
    if (argc == 4 && strcmp(argv[1], "verify") == 0)
        return read_image(0, argv[3], true, out, err);
    return err_set(err, ST_IO, "want tree, image, check or verify, and their arguments");
}

int main(int argc, char **argv)
{
    AUTO_CLOSE int folder = argc >= 3 ? open(argv[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    struct result result = { 0 };
    struct err err = { 0 };

    if (folder < 0) {
        (void)fprintf(stderr, "lapwing-convert: want what to do and an empty folder\n");
        return 2;
    }
    (void)setlocale(LC_CTYPE, "C.UTF-8"); /* names are UTF-8; libarchive asks the locale */
    (void)umask(022);
    switch (convert(argv, argc, folder, &result, &err)) {
    case ST_OK:
        (void)printf("ok %" PRIu64 " %" PRIu32 "%s%s\n", result.bytes, result.files,
                     result.id[0] != '\0' ? " " : "", result.id);
        return 0;
    case ST_BAD_INPUT:
    case ST_CORRUPT:
        for (char *c = err.text; *c != '\0'; c++)
            if ((unsigned char)*c < ' ')
                *c = '?';
        (void)printf("refused %s %s\n", unzip_reason_name(result.reason), err.text);
        return 0;
    default:
        (void)fprintf(stderr, "lapwing-convert: %s\n", err.text);
        return 1;
    }
}
