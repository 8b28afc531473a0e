/* Names and networks in the spawner's options, see spawner_config.h.  Pure. */
#include "worker/spawner/spawner_config.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"

bool instance_name_valid(const char *text)
{
    size_t len = strlen(text);

    if (len == 0 || len > INSTANCE_BYTES_MAX || text[0] == '-')
        return false;
    return strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

enum status ipv4_network_parse(const char *text, struct ipv4_network *out, struct err *err)
{
    char address[INET_ADDRSTRLEN];
    const char *slash = strchr(text, '/');
    size_t len = slash != NULL ? (size_t)(slash - text) : strlen(text);
    unsigned prefix = 32;
    struct in_addr in;
    char rest;

    if (len >= sizeof address)
        return err_set(err, ST_BAD_INPUT, "network '%s': not an IPv4 address", text);
    memcpy(address, text, len);
    address[len] = '\0';
    if (inet_pton(AF_INET, address, &in) != 1)
        return err_set(err, ST_BAD_INPUT, "network '%s': not an IPv4 address", text);
    if (slash != NULL && (sscanf(slash + 1, "%2u%c", &prefix, &rest) != 1 || prefix > 32))
        return err_set(err, ST_BAD_INPUT, "network '%s': prefix must be 0 to 32", text);
    uint32_t host = prefix == 32 ? 0 : UINT32_MAX >> prefix;
    if ((ntohl(in.s_addr) & host) != 0)
        return err_set(err, ST_BAD_INPUT, "network '%s': bits below the prefix are set", text);
    *out = (struct ipv4_network){ ntohl(in.s_addr), prefix };
    return ST_OK;
}

enum status ipv4_networks_parse(const char *text, struct ipv4_networks *out, struct err *err)
{
    char *copy = must_strdup(text);
    char *rest = copy;
    enum status st = ST_OK;
    struct ipv4_networks read = { 0 };

    for (char *one; st == ST_OK && (one = strsep(&rest, ", ")) != NULL;) {
        if (one[0] == '\0')
            continue;
        if (read.count == NETWORKS_MAX)
            st = err_set(err, ST_BAD_INPUT, "more than %d networks", NETWORKS_MAX);
        else
            st = ipv4_network_parse(one, &read.list[read.count], err);
        read.count += st == ST_OK;
    }
    free(copy);
    if (st == ST_OK)
        *out = read;
    return st;
}
