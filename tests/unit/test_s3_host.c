/* Which hosts name a bucket. */
#include "base/s3_host.h"

#include <string.h>

#include "tests/unit/check.h"

TEST(a_host_names_a_bucket_or_is_s3_s_or_anybody_s)
{
    static const struct {
        const char *host, *domain, *bucket;
        bool is_s3;
    } rows[] = {
        { "abc.localhost:4566", NULL, "abc", true },
        { "a.b.localhost", NULL, "a.b", true },
        { "abc.s3.localhost:1", NULL, "abc", true },
        { "a.b.s3.eu-west-1.amazonaws.com", NULL, "a.b", true },
        { "abc.s3-eu-west-1.amazonaws.com", NULL, "abc", true },
        { "ABC.S3.Example", NULL, "ABC", true },
        { "s3.localhost", NULL, "", true },
        { "s3-eu.example", NULL, "", true },
        { "localhost:4566", NULL, "", false },
        { ".localhost", NULL, "", false },
        { "127.0.0.1:4566", NULL, "", false },
        { "[::1]:4566", NULL, "", false },
        { "s3.1.2.3", NULL, "", true },
        { "1.2.3.4", "3.4", "", false },
        { "", NULL, "", false },
        { "store.example", NULL, "", false },
        { "abc.store.example", NULL, "", false },
        { "store.example:80", "store.example", "", true },
        { "abc.store.example:80", "store.example", "abc", true },
        { "a.b.Store.Example", "store.example", "a.b", true },
        { "abcstore.example", "store.example", "", false },
        { "a.s3.b.store.example", "store.example", "a.s3.b", true },
        { "abc.localhost", "store.example", "abc", true },
    };

    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        struct bytes host = bytes_of_text(rows[i].host);
        struct bytes bucket;

        test_case = rows[i].host;
        bucket = s3_host_bucket(host, rows[i].domain);
        EXPECT(bytes_equal(bucket, bytes_of_text(rows[i].bucket)));
        EXPECT_EQ(s3_host_is_s3(host, rows[i].domain), rows[i].is_s3);
    }
    test_case = NULL;
}
