/* Feeds the files of a folder, and every shorter beginning of each, to a fuzz target, and prints
 * TAP.  So the corpus is a test in builds without a fuzzer, too. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "tests/fuzz/fuzz.h"

enum { SAMPLE_BYTES_MAX = 64 * 1024, BEGINNINGS_MAX = 512 };

static void replay_bytes(const uint8_t *data, size_t len)
{
    /* A copy of its own, so that a sanitizer sees a read behind the end. */
    uint8_t *copy = must_calloc(len + (len == 0), 1);

    for (size_t i = 0; i < len; i++)
        copy[i] = data[i];
    (void)LLVMFuzzerTestOneInput(copy, len);
    free(copy);
}

static void replay_file(const char *path)
{
    static uint8_t sample[SAMPLE_BYTES_MAX];
    FILE *file = fopen(path, "rb");
    size_t len;

    CHECK(file != NULL);
    len = fread(sample, 1, sizeof sample, file);
    (void)fclose(file);
    replay_bytes(sample, len);
    for (size_t part = 0; part < len && part < BEGINNINGS_MAX; part++)
        replay_bytes(sample, part);
}

int main(int argc, char **argv)
{
    unsigned count = 0;
    struct dirent *entry;
    DIR *folder;

    CHECK(argc == 2);
    folder = opendir(argv[1]);
    CHECK(folder != NULL);
    while ((entry = readdir(folder)) != NULL) {
        char path[4096];

        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        replay_file(path);
        (void)printf("ok %u - %s\n", ++count, entry->d_name);
        (void)fflush(stdout);
    }
    (void)closedir(folder);
    (void)printf("1..%u\n", count);
    return count == 0;
}
