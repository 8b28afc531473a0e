/* Parsing of numeric socket addresses.  Any thread. */
#include "base/address.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/limits.h"

static const char wanted[] = "want \"IPv4:port\" or \"[IPv6]:port\", numeric";

enum status address_parse(const char *text, struct sockaddr_storage *out, struct err *err)
{
    char host[ADDRESS_BYTES_MAX + 1];
    const char *colon = strrchr(text, ':');
    struct sockaddr_storage address = { 0 };
    struct sockaddr_in *v4 = (struct sockaddr_in *)&address;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&address;
    size_t len;
    char *end;
    long port;

    if (colon == NULL || strlen(text) > ADDRESS_BYTES_MAX)
        return err_set(err, ST_BAD_INPUT, "address \"%.80s\": %s", text, wanted);
    port = strtol(colon + 1, &end, 10);
    if (end == colon + 1 || *end != '\0' || port < 0 || port > 65535)
        return err_set(err, ST_BAD_INPUT, "address \"%s\": port must be 0 to 65535", text);
    len = (size_t)(colon - text);
    memcpy(host, text, len);
    host[len] = '\0';
    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        host[len - 1] = '\0';
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons((uint16_t)port);
        if (inet_pton(AF_INET6, host + 1, &v6->sin6_addr) != 1)
            return err_set(err, ST_BAD_INPUT, "address \"%s\": %s", text, wanted);
    } else {
        v4->sin_family = AF_INET;
        v4->sin_port = htons((uint16_t)port);
        if (inet_pton(AF_INET, host, &v4->sin_addr) != 1)
            return err_set(err, ST_BAD_INPUT, "address \"%s\": %s", text, wanted);
    }
    *out = address;
    return ST_OK;
}
