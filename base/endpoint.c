/* See endpoint.h. */
#include "base/endpoint.h"

#include <string.h>

#include "base/address.h"

static bool take_prefix(struct bytes *text, const char *prefix)
{
    size_t len = strlen(prefix);

    if (text->len < len || memcmp(text->data, prefix, len) != 0)
        return false;
    *text = bytes_of(text->data + len, text->len - len);
    return true;
}

enum status endpoint_parse(struct bytes text, struct endpoint *out, struct err *err)
{
    struct endpoint endpoint = { 0 };
    struct bytes address = text;
    enum status st;

    endpoint.https = take_prefix(&address, "https://");
    if (!endpoint.https)
        (void)take_prefix(&address, "http://");
    if (address.len > ADDRESS_BYTES_MAX)
        return err_set(err, ST_BAD_INPUT, "address \"%.*s...\": longer than %d bytes",
                       ADDRESS_BYTES_MAX, (const char *)address.data, ADDRESS_BYTES_MAX);
    if (address.len > 0)
        memcpy(endpoint.address, address.data, address.len);
    st = address_parse(endpoint.address, &endpoint.where, err);
    if (st == ST_OK)
        *out = endpoint;
    return st;
}

enum status endpoint_list(const char *list,
                          const char *option,
                          struct endpoint *out,
                          size_t max,
                          size_t *out_count,
                          struct err *err)
{
    static const char between[] = ", ";
    size_t count = 0;

    for (list += strspn(list, between); *list != '\0'; list += strspn(list, between)) {
        size_t len = strcspn(list, between);
        struct err why = { 0 };

        if (count == max)
            return err_set(err, ST_BAD_INPUT, "%s: more than %zu addresses", option, max);
        if (endpoint_parse(bytes_of(list, len), &out[count], &why) != ST_OK)
            return err_set(err, ST_BAD_INPUT, "%s: %s", option, why.text);
        count++;
        list += len;
    }
    if (count == 0)
        return err_set(err, ST_BAD_INPUT, "%s: no address", option);
    *out_count = count;
    return ST_OK;
}

bool endpoint_is_loopback(const struct sockaddr_storage *where)
{
    if (where->ss_family == AF_INET6) {
        static const struct in6_addr one = IN6ADDR_LOOPBACK_INIT;

        return memcmp(&((const struct sockaddr_in6 *)where)->sin6_addr, &one, sizeof one) == 0;
    }
    if (where->ss_family != AF_INET)
        return false;
    return ntohl(((const struct sockaddr_in *)where)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

enum status endpoint_list_plain(
    const char *list, bool allowed, const char *option, const char *setting, struct err *err)
{
    struct endpoint endpoints[ENDPOINTS_MAX];
    size_t count = 0;
    enum status st = endpoint_list(list, option, endpoints, ENDPOINTS_MAX, &count, err);

    for (size_t i = 0; st == ST_OK && i < count; i++) {
        const struct endpoint *endpoint = &endpoints[i];

        if (endpoint->https)
            return err_set(err, ST_UNSUPPORTED,
                           "%s: https://%s cannot be used yet: this link is plain HTTP, on "
                           "loopback or, with %s = yes, in a network that is safe",
                           option, endpoint->address, setting);
        if (!allowed && !endpoint_is_loopback(&endpoint->where))
            return err_set(err, ST_DENIED,
                           "%s: %s is not loopback, and the link to it is plain HTTP that others "
                           "could read on its way; set %s = yes where the network itself is safe",
                           option, endpoint->address, setting);
    }
    return st;
}

enum status endpoint_check_plain(const struct endpoint *endpoint,
                                 bool allowed,
                                 const char *option,
                                 const char *setting,
                                 struct err *err)
{
    if (endpoint->https || allowed || endpoint_is_loopback(&endpoint->where))
        return ST_OK;
    return err_set(err, ST_DENIED,
                   "%s: %s is plain HTTP and not loopback, so others could read it on its way; "
                   "write https://%s, or set %s = yes where the network itself is safe",
                   option, endpoint->address, endpoint->address, setting);
}
