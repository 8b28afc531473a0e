#include "controlplane/api/lambda/location_rules.h"

#include <string.h>

#include "tests/unit/check.h"

static const struct {
    const char *name, *host, *forwarded;
    bool https;
    const char *want; /* NULL: refused */
} rows[] = {
    { "an address", "127.0.0.1:4566", "", false, "http://127.0.0.1:4566" },
    { "an IPv6 address", "[::1]:4566", "", false, "http://[::1]:4566" },
    { "a name without a port", "lapwing.example.org", "", false, "http://lapwing.example.org" },
    { "behind TLS", "lapwing.example.org", "https", false, "https://lapwing.example.org" },
    { "behind TLS, shouted", "lapwing.example.org", "HTTPS", false, "https://lapwing.example.org" },
    { "behind something", "lapwing.example.org", "gopher", false, "http://lapwing.example.org" },
    { "localhost", "localhost:4566", "", false, "http://localhost:4566" },
    { "a name of localhost", "lambda.localhost:4566", "", false, "http://localhost:4566" },
    { "two names of localhost", "a.b.localhost", "", false, "http://localhost" },
    { "nearly localhost", "notlocalhost", "", false, "http://notlocalhost" },
    { "over TLS", "lapwing.example.org", "", true, "https://lapwing.example.org" },
    { "over TLS, whatever a proxy says", "h:1", "http", true, "https://h:1" },
    { "from a function, plain to its worker", "169.254.100.1:4566", "", true,
      "http://169.254.100.1:4566" },
    { "from a function, without a port", "169.254.100.1", "", true, "http://169.254.100.1" },
    { "nearly from a function", "169.254.100.10", "", true, "https://169.254.100.10" },
    { "no host", "", "", false, NULL },
    { "a path in it", "a/b", "", false, NULL },
    { "a user in it", "a@b", "", false, NULL },
    { "a quote", "a\"b", "", false, NULL },
    { "not UTF-8", "a\xff", "", false, NULL },
    { "a blank", "a b", "", false, NULL },
};

static const char *link_of(struct bytes host, struct bytes forwarded, bool https)
{
    static char text[LOCATION_HOST_BYTES_MAX + sizeof "https://"];
    const char *scheme = NULL;
    struct bytes name;

    if (location_host(host, forwarded, https, &scheme, &name) != ST_OK)
        return NULL;
    (void)snprintf(text, sizeof text, "%s://%.*s", scheme, (int)name.len, (const char *)name.data);
    return text;
}

TEST(a_link_begins_as_the_client_reached_us)
{
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        test_case = rows[i].name;
        EXPECT_TEXT(
            link_of(bytes_of_text(rows[i].host), bytes_of_text(rows[i].forwarded), rows[i].https),
            rows[i].want);
    }
    test_case = NULL;
}

TEST(a_host_is_held_to_its_limit)
{
    static char host[LOCATION_HOST_BYTES_MAX + 1];

    memset(host, 'a', sizeof host);
    EXPECT(link_of(bytes_of(host, LOCATION_HOST_BYTES_MAX), bytes_of_text(""), false) != NULL);
    EXPECT(link_of(bytes_of(host, LOCATION_HOST_BYTES_MAX + 1), bytes_of_text(""), false) == NULL);
}
