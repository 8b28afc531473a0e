/* See location_rules.h. */
#include "controlplane/api/lambda/location_rules.h"

#include <stdbool.h>
#include <string.h>

#include "base/http_message.h"
#include "base/request_scheme.h"

static bool is_host_byte(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._:[]", c) != NULL);
}

/* Bytes before "localhost" in "NAME.localhost" or "NAME.localhost:PORT"; 0 for any other host. */
static size_t localhost_at(struct bytes host)
{
    static const char suffix[] = ".localhost";
    const uint8_t *colon = host.len == 0 ? NULL : memchr(host.data, ':', host.len);
    size_t name = colon == NULL ? host.len : (size_t)(colon - host.data);
    size_t len = strlen(suffix);

    if (name <= len || !http_text_equal(bytes_of(host.data + name - len, len), suffix))
        return 0;
    return name - len + 1;
}

enum status location_host(struct bytes host,
                          struct bytes forwarded,
                          bool https,
                          const char **out_scheme,
                          struct bytes *out_host)
{
    size_t skip;

    if (host.len == 0 || host.len > LOCATION_HOST_BYTES_MAX)
        return ST_BAD_INPUT;
    for (size_t i = 0; i < host.len; i++)
        if (!is_host_byte(host.data[i]))
            return ST_BAD_INPUT;
    skip = localhost_at(host);
    *out_scheme = request_scheme(host, forwarded, https);
    *out_host = bytes_of(host.data + skip, host.len - skip);
    return ST_OK;
}
