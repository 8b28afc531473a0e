#include "base/hash.h"

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/check.h"

static void hex_of(const uint8_t *data, size_t len, char *out)
{
    hex_encode(bytes_of(data, len), out);
}

/* FIPS 180-4 and RFC 1321 examples. */
static const struct {
    const char *text;
    const char *sha256;
    const char *md5;
} digest_rows[] = {
    { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "d41d8cd98f00b204e9800998ecf8427e" },
    { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      "900150983cd24fb0d6963f7d28e17f72" },
    { "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
      "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
      "8215ef0796a20bcaaae116d3876c664a" },
};

TEST(digests_are_those_of_the_standards_at_once_and_in_pieces)
{
    for (size_t i = 0; i < ARRAY_LEN(digest_rows); i++) {
        struct bytes text = bytes_of_text(digest_rows[i].text);
        struct hash hash = { 0 };
        uint8_t digest[SHA256_BYTES];
        char hex[SHA256_HEX_BYTES];

        test_case = digest_rows[i].text;
        hash_sha256(text, digest);
        hex_of(digest, SHA256_BYTES, hex);
        EXPECT_TEXT(hex, digest_rows[i].sha256);
        hash_md5(text, digest);
        hex_of(digest, MD5_BYTES, hex);
        EXPECT_TEXT(hex, digest_rows[i].md5);

        hash_init(&hash, HASH_SHA256);
        for (size_t at = 0; at < text.len; at++)
            hash_add(&hash, bytes_of(text.data + at, 1));
        hash_end(&hash, digest);
        hex_of(digest, SHA256_BYTES, hex);
        EXPECT_TEXT(hex, digest_rows[i].sha256);
        hash_done(&hash);
    }
}

/* RFC 4231 cases 1, 2, 6 and RFC 2202 case 2. */
TEST(keyed_digests_are_those_of_the_rfcs)
{
    uint8_t key[131];
    uint8_t mac[SHA256_BYTES];
    char hex[SHA256_HEX_BYTES];

    memset(key, 0x0b, 20);
    hash_hmac_sha256(bytes_of(key, 20), bytes_of_text("Hi There"), mac);
    hex_of(mac, SHA256_BYTES, hex);
    EXPECT_TEXT(hex, "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
    hash_hmac_sha256(bytes_of_text("Jefe"), bytes_of_text("what do ya want for nothing?"), mac);
    hex_of(mac, SHA256_BYTES, hex);
    EXPECT_TEXT(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    memset(key, 0xaa, sizeof key);
    hash_hmac_sha256(bytes_of(key, sizeof key),
                     bytes_of_text("Test Using Larger Than Block-Size Key - Hash Key First"), mac);
    hex_of(mac, SHA256_BYTES, hex);
    EXPECT_TEXT(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
    hash_hmac_sha1(bytes_of_text("Jefe"), bytes_of_text("what do ya want for nothing?"), mac);
    hex_of(mac, SHA1_BYTES, hex);
    EXPECT_TEXT(hex, "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79");
}

TEST(crc32c_is_that_of_rfc_3720_with_and_without_the_instruction)
{
    uint8_t data[1000];

    memset(data, 0, sizeof data);
    EXPECT_EQ(hash_crc32c(0, bytes_of(data, 32)), 0x8a9136aa);
    memset(data, 0xff, 32);
    EXPECT_EQ(hash_crc32c(0, bytes_of(data, 32)), 0x62a8ab43);
    EXPECT_EQ(hash_crc32c(0, bytes_of_text("123456789")), 0xe3069283);
    EXPECT_EQ(hash_crc32c(0, (struct bytes){ 0 }), 0);
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (uint8_t)(i * 7 + i / 13);
    for (size_t len = 0; len < 64; len++) {
        uint32_t whole = hash_crc32c(0, bytes_of(data + 3, len + 500));
        uint32_t first = hash_crc32c(0, bytes_of(data + 3, len));

        EXPECT_EQ(whole, hash_crc32c_portable(0, bytes_of(data + 3, len + 500)));
        EXPECT_EQ(whole, hash_crc32c(first, bytes_of(data + 3 + len, 500)));
    }
}

static const struct {
    const char *plain;
    const char *coded;
} base64_rows[] = {
    { "", "" },
    { "f", "Zg==" },
    { "fo", "Zm8=" },
    { "foo", "Zm9v" },
    { "foob", "Zm9vYg==" },
    { "fooba", "Zm9vYmE=" },
    { "foobar", "Zm9vYmFy" },
    { "\xfb\xff\xbf?", "+/+/Pw==" },
};

TEST(base64_goes_there_and_back)
{
    for (size_t i = 0; i < ARRAY_LEN(base64_rows); i++) {
        struct buf out = { 0 };

        test_case = base64_rows[i].coded;
        base64_encode(bytes_of_text(base64_rows[i].plain), &out);
        EXPECT_TEXT(buf_text(&out), base64_rows[i].coded);
        out.len = 0;
        EXPECT_EQ(base64_decode(bytes_of_text(base64_rows[i].coded), &out), ST_OK);
        EXPECT_TEXT(buf_text(&out), base64_rows[i].plain);
        buf_done(&out);
    }
}

TEST(base64_that_is_not_exact_is_refused)
{
    static const char *const rows[] = {
        "Zg=",  "Zg",   "Z===", "====",     "Zg==Zg==", "Zm9v\n", "Zm9-",
        "Zm_v", "Zh==", "Zm9=", "Zg==    ", " Zg=",     "=Zg=",   "Z=g=",
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct buf out = { 0 };

        test_case = rows[i];
        EXPECT_EQ(base64_decode(bytes_of_text(rows[i]), &out), ST_BAD_INPUT);
        EXPECT_EQ(out.len, 0);
        buf_done(&out);
    }
}

TEST(a_derived_secret_is_the_base64_of_the_keyed_digest)
{
    char secret[DERIVED_SECRET_BYTES];

    hash_derived_secret(bytes_of_text("Jefe"), "what do ya want for nothing?", secret);
    EXPECT_TEXT(secret, "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM=");
}

TEST(uuids_have_their_form_and_differ)
{
    char a[UUID_TEXT_BYTES];
    char b[UUID_TEXT_BYTES];

    uuid_text(a);
    uuid_text(b);
    EXPECT_EQ(strlen(a), 36);
    EXPECT(a[8] == '-' && a[13] == '-' && a[14] == '4' && a[18] == '-' && a[23] == '-');
    EXPECT(strchr("89ab", a[19]) != NULL);
    EXPECT(strcmp(a, b) != 0);
}

/* Drawn from what was fetched ahead, and around it: pieces of every size differ, as do those of a
 * forked child. */
TEST(random_bytes_are_never_handed_out_twice)
{
    enum { PIECE = 16, PIECES = 200 };
    static uint8_t drawn[PIECES][PIECE];
    uint8_t child[PIECE] = { 0 };
    uint8_t large[300];
    int ends[2];
    pid_t pid;

    for (size_t i = 0; i < PIECES; i++) {
        random_bytes(drawn[i], PIECE);
        if (i % 7 == 0)
            random_bytes(large, 1 + i % sizeof large);
    }
    for (size_t i = 0; i < PIECES; i++)
        for (size_t k = 0; k < i; k++)
            EXPECT(memcmp(drawn[i], drawn[k], PIECE) != 0);
    EXPECT_EQ(pipe(ends), 0);
    pid = fork();
    if (pid == 0) {
        random_bytes(child, sizeof child);
        _exit(write(ends[1], child, sizeof child) != sizeof child);
    }
    random_bytes(large, PIECE);
    EXPECT_EQ(read(ends[0], child, sizeof child), PIECE);
    EXPECT_EQ(waitpid(pid, NULL, 0), pid);
    EXPECT(memcmp(child, large, PIECE) != 0);
    (void)close(ends[0]);
    (void)close(ends[1]);
}
