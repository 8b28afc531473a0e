#include "base/certificate_make.h"

#include <stdio.h>

#include "base/certificate_names.h"
#include "tests/unit/certificates.h"
#include "tests/unit/check.h"

static const struct {
    const char *name;
    const char *host;
    bool want;
} hosts[] = {
    { "a name", "a.example", true },
    { "a name of one label", "localhost", true },
    { "a wildcard", "*.s3.example", true },
    { "an address", "10.0.0.1", true },
    { "an IPv6 address", "fd00::1", true },
    { "nothing", "", false },
    { "a dot at the end", "a.example.", false },
    { "an empty label", "a..example", false },
    { "a hyphen first", "-a.example", false },
    { "a hyphen last", "a-.example", false },
    { "an underscore", "a_b.example", false },
    { "a star inside", "a.*.example", false },
    { "a port", "a.example:80", false },
    { "a space", "a b", false },
    { "a label of 63", "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff012", true },
    { "a label of 64", "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffff0123", false },
};

TEST(hosts_are_names_and_addresses)
{
    for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
        test_case = hosts[i].name;
        EXPECT_EQ(certificate_host_ok(hosts[i].host), hosts[i].want);
    }
}

struct fixture {
    struct buf ca, ca_key, key, certificate;
    struct certificate_authority signer;
    struct certificate_subject subject;
    struct certificate_span span;
};

static const char *const fixture_hosts[] = { "a.example", "10.0.0.1", "fd00::1" };

static void open_fixture(struct fixture *fixture)
{
    struct err err;

    *fixture = (struct fixture){ 0 };
    fixture->span = certificate_days(1000000000, 100);
    EXPECT_EQ(certificate_ca_new("c", &fixture->span, &fixture->ca, &fixture->ca_key, &err), ST_OK);
    fixture->signer =
        (struct certificate_authority){ buf_view(&fixture->ca), buf_view(&fixture->ca_key) };
    fixture->subject = (struct certificate_subject){ test_names("c/worker/z/n"),
                                                     ARRAY_LEN(fixture_hosts), fixture_hosts };
    certificate_key_new(&fixture->key);
}

static void close_fixture(struct fixture *fixture)
{
    buf_done(&fixture->ca);
    buf_done(&fixture->ca_key);
    buf_done(&fixture->key);
    buf_done(&fixture->certificate);
}

static enum status issue(struct fixture *fixture, struct err *err)
{
    fixture->certificate.len = 0;
    return certificate_issue(&fixture->signer, &fixture->subject, buf_view(&fixture->key),
                             &fixture->span, &fixture->certificate, err);
}

TEST(what_is_issued_says_what_was_asked_for)
{
    struct fixture fixture;
    struct certificate_facts facts;
    struct buf shown = { 0 };
    struct err err = { 0 };

    open_fixture(&fixture);
    EXPECT_EQ(issue(&fixture, &err), ST_OK);
    EXPECT_EQ(certificate_facts_of(buf_view(&fixture.certificate), &facts, &err), ST_OK);
    EXPECT(node_identity_equal(&facts.identity, &fixture.subject.identity));
    EXPECT_EQ(facts.not_before_s, 1000000000 - CERTIFICATE_SKEW_S);
    EXPECT_EQ(facts.not_after_s, 1000000000 + 100 * CERTIFICATE_DAY_S);
    EXPECT(certificate_is_of(buf_view(&fixture.ca), buf_view(&fixture.certificate)));
    EXPECT(certificate_has_key(buf_view(&fixture.certificate), buf_view(&fixture.key)));
    EXPECT(!certificate_has_key(buf_view(&fixture.certificate), buf_view(&fixture.ca_key)));
    EXPECT_EQ(certificate_describe(buf_view(&fixture.certificate), 1000000000, &shown, &err),
              ST_OK);
    EXPECT(strstr(buf_text(&shown),
                  "identity     lapwing://c/worker/z/n\n"
                  "  hosts        DNS:a.example IP:10.0.0.1 IP:fd00::1\n") != NULL);
    EXPECT(strstr(buf_text(&shown), "2001-12-18 01:46:40 UTC  (100 days left)") != NULL);
    buf_done(&shown);
    close_fixture(&fixture);
}

static const struct {
    const char *name;
    const char *path; /* of the identity that is asked about */
    size_t host_count;
    const char *hosts[3];
    bool want;
} named[] = {
    { "the same names", "c/worker/z/n", 3, { "a.example", "10.0.0.1", "fd00::1" }, true },
    { "in another order", "c/worker/z/n", 3, { "fd00::1", "10.0.0.1", "a.example" }, true },
    { "fewer hosts", "c/worker/z/n", 0, { NULL }, true },
    { "another host", "c/worker/z/n", 1, { "b.example" }, false },
    { "a star", "c/worker/z/n", 1, { "*.example" }, false },
    { "another address", "c/worker/z/n", 2, { "10.0.0.1", "10.0.0.2" }, false },
    { "another node", "c/worker/z/m", 1, { "a.example" }, false },
    { "another role", "c/objstore/z/n", 1, { "a.example" }, false },
};

TEST(a_certificate_is_for_the_names_that_it_has)
{
    struct fixture fixture;
    struct err err = { 0 };

    open_fixture(&fixture);
    EXPECT_EQ(issue(&fixture, &err), ST_OK);
    for (size_t i = 0; i < ARRAY_LEN(named); i++) {
        const struct certificate_subject subject = { test_names(named[i].path), named[i].host_count,
                                                     named[i].hosts };

        test_case = named[i].name;
        EXPECT_EQ(certificate_is_for(buf_view(&fixture.certificate), &subject), named[i].want);
        EXPECT(!certificate_is_for(buf_view(&fixture.ca), &subject));
    }
    close_fixture(&fixture);
}

enum wrong { HOST, HOSTS, ROLE, CLUSTER, KEY, CA_KEY, CA_IS_LEAF, NO_CA, SPAN };

static const struct {
    const char *name;
    enum wrong wrong;
    const char *want;
} wrongs[] = {
    { "a host that is none", HOST, "host \"a b\"" },
    { "a host too many", HOSTS, "33 hosts, want at most 32" },
    { "a role that is none", ROLE, "role \"admin\"" },
    { "another cluster than the CA's", CLUSTER, "the CA is of cluster c" },
    { "no key", KEY, "private key" },
    { "a CA's key of another CA", CA_KEY, "not the key of the CA" },
    { "a CA that is none", CA_IS_LEAF, "not of a CA" },
    { "no CA", NO_CA, "CA: no certificate" },
    { "an end before the beginning", SPAN, "end before it begins" },
};

static void spoil(struct fixture *fixture, enum wrong wrong, const char **many)
{
    struct buf leaf = { 0 };
    struct err err;

    switch (wrong) {
    case HOST:
        many[0] = "a b";
        fixture->subject.hosts = many;
        fixture->subject.host_count = 1;
        break;
    case HOSTS:
        for (size_t i = 0; i <= CERTIFICATE_HOSTS_MAX; i++)
            many[i] = "a.example";
        fixture->subject.hosts = many;
        fixture->subject.host_count = CERTIFICATE_HOSTS_MAX + 1;
        break;
    case ROLE:
        (void)strcpy(fixture->subject.identity.role, "admin");
        break;
    case CLUSTER:
        (void)strcpy(fixture->subject.identity.cluster, "d");
        break;
    case KEY:
        fixture->key.len = 0;
        break;
    case CA_KEY:
        fixture->signer.key = buf_view(&fixture->key);
        break;
    case CA_IS_LEAF:
        EXPECT_EQ(issue(fixture, &err), ST_OK);
        leaf = fixture->certificate;
        fixture->certificate = fixture->ca;
        fixture->ca = leaf;
        fixture->signer =
            (struct certificate_authority){ buf_view(&leaf), buf_view(&fixture->key) };
        fixture->certificate.len = 0;
        break;
    case NO_CA:
        fixture->signer.certificate.len = 0;
        break;
    case SPAN:
        fixture->span.not_after_s = fixture->span.not_before_s;
        break;
    }
}

TEST(nothing_is_issued_when_something_is_wrong)
{
    for (size_t i = 0; i < ARRAY_LEN(wrongs); i++) {
        const char *many[CERTIFICATE_HOSTS_MAX + 1];
        struct fixture fixture;
        struct err err = { 0 };
        struct buf out = { 0 };

        test_case = wrongs[i].name;
        open_fixture(&fixture);
        spoil(&fixture, wrongs[i].wrong, many);
        EXPECT_EQ(certificate_issue(&fixture.signer, &fixture.subject, buf_view(&fixture.key),
                                    &fixture.span, &out, &err),
                  ST_BAD_INPUT);
        EXPECT(strstr(err.text, wrongs[i].want) != NULL);
        EXPECT_EQ(out.len, 0);
        buf_done(&out);
        close_fixture(&fixture);
    }
}

TEST(no_certificate_outlives_its_ca)
{
    struct fixture fixture;
    struct certificate_facts facts;
    struct err err = { 0 };
    int64_t from_s;
    int64_t until_s;

    open_fixture(&fixture);
    EXPECT_EQ(certificate_dates_of(buf_view(&fixture.ca), &from_s, &until_s, &err), ST_OK);
    EXPECT_EQ(until_s, fixture.span.not_after_s);
    fixture.span = certificate_days(1000000000, 101);
    EXPECT_EQ(issue(&fixture, &err), ST_OK);
    EXPECT_EQ(certificate_facts_of(buf_view(&fixture.certificate), &facts, &err), ST_OK);
    EXPECT_EQ(facts.not_after_s, until_s);
    fixture.span.not_before_s = until_s;
    EXPECT_EQ(issue(&fixture, &err), ST_BAD_INPUT);
    EXPECT_TEXT(err.text, "the CA has run out: make a new one");
    close_fixture(&fixture);
}

TEST(as_many_hosts_as_the_limit_are_issued)
{
    const char *many[CERTIFICATE_HOSTS_MAX];
    struct fixture fixture;
    struct err err = { 0 };

    open_fixture(&fixture);
    for (size_t i = 0; i < ARRAY_LEN(many); i++)
        many[i] = "a.example";
    fixture.subject.hosts = many;
    fixture.subject.host_count = ARRAY_LEN(many);
    EXPECT_EQ(issue(&fixture, &err), ST_OK);
    close_fixture(&fixture);
}

TEST(a_request_is_signed_as_it_asks_and_its_key_stays_away)
{
    struct fixture fixture;
    struct node_identity asked;
    struct certificate_facts facts;
    struct buf request = { 0 };
    struct err err = { 0 };

    open_fixture(&fixture);
    EXPECT_EQ(certificate_request_new(&fixture.subject, buf_view(&fixture.key), &request, &err),
              ST_OK);
    EXPECT_EQ(certificate_request_read(buf_view(&request), &asked, &err), ST_OK);
    EXPECT(node_identity_equal(&asked, &fixture.subject.identity));
    EXPECT_EQ(certificate_sign(&fixture.signer, buf_view(&request), &fixture.span,
                               &fixture.certificate, &err),
              ST_OK);
    EXPECT_EQ(certificate_facts_of(buf_view(&fixture.certificate), &facts, &err), ST_OK);
    EXPECT(node_identity_equal(&facts.identity, &asked));
    EXPECT(certificate_has_key(buf_view(&fixture.certificate), buf_view(&fixture.key)));
    /* One bit of the signature, in the last line before the end's. */
    request.data[request.len - 50] ^= 1;
    EXPECT_EQ(certificate_request_read(buf_view(&request), &asked, &err), ST_BAD_INPUT);
    request.len = 10;
    EXPECT_EQ(certificate_request_read(buf_view(&request), &asked, &err), ST_BAD_INPUT);
    EXPECT_EQ(certificate_request_read(buf_view(&fixture.certificate), &asked, &err), ST_BAD_INPUT);
    buf_done(&request);
    close_fixture(&fixture);
}

TEST(renewing_changes_dates_and_ca_but_neither_names_nor_key)
{
    struct fixture fixture;
    struct fixture other;
    struct certificate_facts facts;
    struct buf renewed = { 0 };
    struct buf shown = { 0 };
    struct err err = { 0 };

    open_fixture(&fixture);
    open_fixture(&other);
    EXPECT_EQ(issue(&fixture, &err), ST_OK);
    other.span = certificate_days(1004320000, 10);
    EXPECT_EQ(certificate_renew(&other.signer, buf_view(&fixture.certificate), &other.span,
                                &renewed, &err),
              ST_OK);
    EXPECT_EQ(certificate_facts_of(buf_view(&renewed), &facts, &err), ST_OK);
    EXPECT(node_identity_equal(&facts.identity, &fixture.subject.identity));
    EXPECT_EQ(facts.not_after_s, 1004320000 + 10 * CERTIFICATE_DAY_S);
    EXPECT(certificate_has_key(buf_view(&renewed), buf_view(&fixture.key)));
    EXPECT(certificate_is_of(buf_view(&other.ca), buf_view(&renewed)));
    EXPECT(!certificate_is_of(buf_view(&fixture.ca), buf_view(&renewed)));
    EXPECT_EQ(certificate_describe(buf_view(&renewed), 1004320000, &shown, &err), ST_OK);
    EXPECT(strstr(buf_text(&shown), "DNS:a.example IP:10.0.0.1 IP:fd00::1\n") != NULL);
    EXPECT_EQ(certificate_renew(&other.signer, buf_view(&fixture.ca), &other.span, &renewed, &err),
              ST_BAD_INPUT); /* a CA's own has no identity */
    buf_done(&renewed);
    buf_done(&shown);
    close_fixture(&fixture);
    close_fixture(&other);
}

TEST(a_ca_says_its_cluster_and_takes_only_names)
{
    struct certificate_span span = certificate_days(1000000000, 1);
    char cluster[CLUSTER_NAME_BYTES_MAX + 1];
    struct fixture fixture;
    struct buf certificate = { 0 };
    struct buf key = { 0 };
    struct err err = { 0 };

    open_fixture(&fixture);
    EXPECT_EQ(certificate_ca_cluster(buf_view(&fixture.ca), cluster, &err), ST_OK);
    EXPECT_TEXT(cluster, "c");
    EXPECT_EQ(issue(&fixture, &err), ST_OK);
    EXPECT_EQ(certificate_ca_cluster(buf_view(&fixture.certificate), cluster, &err), ST_BAD_INPUT);
    EXPECT_EQ(
        certificate_ca_new("abcdefghijklmnopqrstuvwxyz01234", &span, &certificate, &key, &err),
        ST_OK);
    EXPECT_EQ(certificate_ca_cluster(buf_view(&certificate), cluster, &err), ST_OK);
    EXPECT_EQ(
        certificate_ca_new("abcdefghijklmnopqrstuvwxyz012345", &span, &certificate, &key, &err),
        ST_BAD_INPUT);
    EXPECT_EQ(certificate_ca_new("a b", &span, &certificate, &key, &err), ST_BAD_INPUT);
    EXPECT_EQ(certificate_ca_new("", &span, &certificate, &key, &err), ST_BAD_INPUT);
    buf_done(&certificate);
    buf_done(&key);
    close_fixture(&fixture);
}

static const struct {
    const char *name;
    int64_t left_s; /* of 90 days */
    unsigned within_days;
    bool want;
} dues[] = {
    { "all of it", 90 * TEST_DAY_S, 0, false },
    { "a third", 30 * TEST_DAY_S, 0, false },
    { "a second under a third", 30 * TEST_DAY_S - 1, 0, true },
    { "nothing", -1, 0, true },
    { "as long as was asked for", 60 * TEST_DAY_S, 60, false },
    { "a second less than was asked for", 60 * TEST_DAY_S - 1, 60, true },
    { "a second under a third, though less was asked for", 30 * TEST_DAY_S - 1, 1, true },
};

TEST(a_certificate_is_due_in_its_last_third_or_as_asked)
{
    for (size_t i = 0; i < ARRAY_LEN(dues); i++) {
        int64_t end_s = 1000000000;

        test_case = dues[i].name;
        EXPECT_EQ(certificate_is_due(end_s - 90 * TEST_DAY_S, end_s, end_s - dues[i].left_s,
                                     dues[i].within_days),
                  dues[i].want);
    }
}
