/* See certificate_names.h. */
#include "base/certificate_names.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/check.h"

enum { DNS_NAME_BYTES_MAX = 253, DNS_LABEL_BYTES_MAX = 63 };

static bool label_ok(const char *label, size_t len)
{
    if (len == 0 || len > DNS_LABEL_BYTES_MAX || label[0] == '-' || label[len - 1] == '-')
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = label[i];

        if (!(c >= '0' && c <= '9') && !((c | 32) >= 'a' && (c | 32) <= 'z') && c != '-')
            return false;
    }
    return true;
}

static bool dns_name_ok(const char *name)
{
    if (strlen(name) > DNS_NAME_BYTES_MAX)
        return false;
    if (strncmp(name, "*.", 2) == 0)
        name += 2;
    for (;;) {
        size_t len = strcspn(name, ".");

        if (!label_ok(name, len))
            return false;
        if (name[len] == '\0')
            return true;
        name += len + 1;
    }
}

static bool is_address(const char *host)
{
    struct in6_addr out;

    return inet_pton(AF_INET, host, &out) == 1 || inet_pton(AF_INET6, host, &out) == 1;
}

bool certificate_host_ok(const char *host)
{
    return is_address(host) || dns_name_ok(host);
}

static void add(GENERAL_NAMES *names, int type, void *value)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    int rv;

    CHECK(name != NULL);
    CHECK(value != NULL);
    GENERAL_NAME_set0_value(name, type, value);
    rv = sk_GENERAL_NAME_push(names, name);
    CHECK(rv > 0);
}

static void add_text(GENERAL_NAMES *names, int type, const char *text)
{
    ASN1_IA5STRING *value = ASN1_IA5STRING_new();

    CHECK(value != NULL);
    CHECK(ASN1_STRING_set(value, text, -1) == 1);
    add(names, type, value);
}

enum status certificate_names_new(const struct certificate_subject *subject,
                                  GENERAL_NAMES **out,
                                  struct err *err)
{
    enum status st = node_identity_check(&subject->identity, err);
    char uri[NODE_IDENTITY_URI_BYTES];
    GENERAL_NAMES *names;

    if (st != ST_OK)
        return st;
    if (subject->host_count > CERTIFICATE_HOSTS_MAX)
        return err_set(err, ST_BAD_INPUT, "%zu hosts, want at most %d", subject->host_count,
                       CERTIFICATE_HOSTS_MAX);
    for (size_t i = 0; i < subject->host_count; i++)
        if (!certificate_host_ok(subject->hosts[i]))
            return err_set(err, ST_BAD_INPUT, "host \"%.64s\": want a DNS name or an address",
                           subject->hosts[i]);
    names = GENERAL_NAMES_new();
    CHECK(names != NULL);
    node_identity_uri(&subject->identity, uri);
    add_text(names, GEN_URI, uri);
    for (size_t i = 0; i < subject->host_count; i++) {
        if (is_address(subject->hosts[i]))
            add(names, GEN_IPADD, a2i_IPADDRESS(subject->hosts[i]));
        else
            add_text(names, GEN_DNS, subject->hosts[i]);
    }
    *out = names;
    return ST_OK;
}

static bool holds(const GENERAL_NAMES *names, GENERAL_NAME *wanted)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++)
        if (GENERAL_NAME_cmp(sk_GENERAL_NAME_value(names, i), wanted) == 0)
            return true;
    return false;
}

bool certificate_names_hold(const GENERAL_NAMES *names, const GENERAL_NAMES *wanted)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(wanted); i++)
        if (!holds(names, sk_GENERAL_NAME_value(wanted, i)))
            return false;
    return true;
}

static void show_address(const ASN1_OCTET_STRING *address, struct buf *out)
{
    char text[INET6_ADDRSTRLEN];
    int len = ASN1_STRING_length(address);

    if ((len == 4 || len == 16) &&
        inet_ntop(len == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(address), text, sizeof text))
        buf_printf(out, " IP:%s", text);
}

void certificate_names_show(const GENERAL_NAMES *names, struct buf *out)
{
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

        if (name->type == GEN_IPADD)
            show_address(name->d.iPAddress, out);
        if (name->type != GEN_DNS)
            continue;
        buf_append_text(out, " DNS:");
        /* A stranger's: only what a terminal shows as it is. */
        for (int at = 0; at < ASN1_STRING_length(name->d.dNSName); at++) {
            uint8_t c = ASN1_STRING_get0_data(name->d.dNSName)[at];

            if (c <= ' ' || c >= 0x7f)
                c = '?';
            buf_append(out, &c, 1);
        }
    }
}
