/* lapwing-convert: unpacks a stranger's package.
 *
 *   lapwing-convert FOLDER < ZIP      FOLDER is empty; one line of result on standard output:
 *
 *   ok BYTES FILES                    refused REASON TEXT
 *
 * Started by the spawner in a sandbox: own user, no network, a read-only root, limits of memory and
 * time.  Anything else on its output, or an exit status but 0, is a failure of ours. */
#include <fcntl.h>
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/limits.h"
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

int main(int argc, char **argv)
{
    const struct unzip_limits limits = { PACKAGE_UNZIPPED_BYTES_MAX, PACKAGE_FILES_MAX };
    AUTO_CLOSE int folder = argc == 2 ? open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    struct unzip_result result = { 0 };
    struct err err = { 0 };
    enum status st;

    if (folder < 0) {
        (void)fprintf(stderr, "lapwing-convert: want one argument, an empty folder\n");
        return 2;
    }
    (void)setlocale(LC_CTYPE, "C.UTF-8"); /* names are UTF-8; libarchive asks the locale */
    (void)umask(022);
    st = unzip(0, folder, &limits, &result, &err);
    switch (st) {
    case ST_OK:
        (void)printf("ok %" PRIu64 " %" PRIu32 "\n", result.bytes, result.files);
        return 0;
    case ST_BAD_INPUT:
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
