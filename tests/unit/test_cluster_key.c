#include "base/cluster_key.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/check.h"

#define DIGITS "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const struct {
    const char *name;
    const char *text;
    unsigned mode;
    enum status want;
} rows[] = {
    { "digits and a newline", DIGITS "\n", 0600, ST_OK },
    { "digits alone, read only", DIGITS, 0400, ST_OK },
    { "one digit short", "0112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", 0600,
      ST_BAD_INPUT },
    { "more behind it", DIGITS "\n1", 0600, ST_BAD_INPUT },
    { "nothing", "", 0600, ST_BAD_INPUT },
    { "open to the group", DIGITS, 0640, ST_DENIED },
    { "open to all", DIGITS, 0604, ST_DENIED },
};

TEST(a_key_file_is_its_owners_alone_and_holds_one_key)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char path[] = "/tmp/lapwing-key-XXXXXX";
        int fd = mkstemp(path);
        uint8_t key[CLUSTER_KEY_BYTES] = { 0 };
        struct err err = { 0 };

        test_case = rows[i].name;
        EXPECT(fd >= 0);
        EXPECT_EQ(write(fd, rows[i].text, strlen(rows[i].text)), strlen(rows[i].text));
        EXPECT_EQ(fchmod(fd, rows[i].mode), 0);
        (void)close(fd);
        EXPECT_EQ(cluster_key_read(path, key, &err), rows[i].want);
        EXPECT_EQ(key[1], rows[i].want == ST_OK ? 0x11 : 0);
        (void)unlink(path);
    }
}

TEST(a_key_file_that_is_not_there_is_named)
{
    uint8_t key[CLUSTER_KEY_BYTES];
    struct err err = { 0 };

    EXPECT_EQ(cluster_key_read("/nonexistent/key", key, &err), ST_IO);
    EXPECT(strstr(err.text, "/nonexistent/key") != NULL);
}
