/* Host names of S3. */
#include "base/s3_host.h"

#include <string.h>
#include <strings.h>

/* Without the port. */
static struct bytes name_of(struct bytes host)
{
    for (size_t i = host.len; i > 0; i--) {
        if (host.data[i - 1] == ':')
            return bytes_of(host.data, i - 1);
        if (host.data[i - 1] < '0' || host.data[i - 1] > '9')
            break;
    }
    return host;
}

static bool starts_with(struct bytes text, const char *prefix)
{
    size_t len = strlen(prefix);

    return text.len >= len && strncasecmp((const char *)text.data, prefix, len) == 0;
}

static bool ends_with(struct bytes text, const char *suffix)
{
    size_t len = strlen(suffix);

    return text.len >= len &&
           strncasecmp((const char *)text.data + text.len - len, suffix, len) == 0;
}

bool s3_host_is_ipv4(struct bytes name)
{
    unsigned dots = 0;

    for (size_t i = 0; i < name.len; i++) {
        if (name.data[i] == '.')
            dots++;
        else if (name.data[i] < '0' || name.data[i] > '9')
            return false;
    }
    return dots == 3;
}

static bool is_address(struct bytes name)
{
    return name.len == 0 || name.data[0] == '[' || s3_host_is_ipv4(name);
}

/* What stands before ".DOMAIN"; empty: not under it. */
static struct bytes before_domain(struct bytes name, const char *domain)
{
    size_t len = strlen(domain);

    if (name.len < len + 2 || !ends_with(name, domain) || name.data[name.len - len - 1] != '.')
        return (struct bytes){ 0 };
    return bytes_of(name.data, name.len - len - 1);
}

/* What stands before ".s3." or ".s3-". */
static struct bytes before_s3(struct bytes name)
{
    for (size_t i = 1; i + 4 < name.len; i++)
        if (starts_with(bytes_of(name.data + i, name.len - i), ".s3.") ||
            starts_with(bytes_of(name.data + i, name.len - i), ".s3-"))
            return bytes_of(name.data, i);
    return (struct bytes){ 0 };
}

struct bytes s3_host_bucket(struct bytes host, const char *domain)
{
    struct bytes name = name_of(host);
    struct bytes bucket = { 0 };

    if (is_address(name))
        return (struct bytes){ 0 };
    if (domain != NULL)
        bucket = before_domain(name, domain);
    if (bucket.len > 0)
        return bucket;
    if (starts_with(name, "s3.") || starts_with(name, "s3-"))
        return (struct bytes){ 0 };
    bucket = before_s3(name);
    return bucket.len > 0 ? bucket : before_domain(name, "localhost");
}

bool s3_host_is_s3(struct bytes host, const char *domain)
{
    struct bytes name = name_of(host);

    if (is_address(name))
        return false;
    if (s3_host_bucket(host, domain).len > 0)
        return true;
    if (domain != NULL && name.len == strlen(domain) && ends_with(name, domain))
        return true;
    return starts_with(name, "s3.") || starts_with(name, "s3-");
}
