/* See request_scheme.h. */
#include "base/request_scheme.h"

#include <string.h>

#include "base/http_message.h"

static bool is_environment_host(struct bytes host)
{
    size_t len = strlen(REQUEST_ENVIRONMENT_HOST);

    return host.len >= len && memcmp(host.data, REQUEST_ENVIRONMENT_HOST, len) == 0 &&
           (host.len == len || host.data[len] == ':');
}

const char *request_scheme(struct bytes host, struct bytes forwarded, bool https)
{
    if (http_text_equal(forwarded, "https"))
        return "https";
    return https && !is_environment_host(host) ? "https" : "http";
}
