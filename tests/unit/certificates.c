#include "tests/unit/certificates.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"

struct node_identity test_names(const char *path)
{
    struct node_identity names = { 0 };
    char uri[NODE_IDENTITY_URI_BYTES];
    struct err err;

    (void)snprintf(uri, sizeof uri, NODE_IDENTITY_SCHEME "%s", path);
    CHECK(node_identity_parse(bytes_of_text(uri), &names, &err) == ST_OK);
    return names;
}

void test_certificate_span(const struct node_identity *identity,
                           const struct test_certificate *ca,
                           int64_t from_s,
                           int64_t until_s,
                           struct test_certificate *out)
{
    static const char *const hosts[] = { "localhost", "*.s3.localhost", "127.0.0.1", "::1" };
    const struct certificate_subject subject = { *identity, ARRAY_LEN(hosts), hosts };
    int64_t now_s = (int64_t)time(NULL);
    struct certificate_span span = { now_s + from_s, now_s + until_s };
    struct certificate_span always = { now_s - 30 * TEST_DAY_S, now_s + 30 * TEST_DAY_S };
    struct certificate_authority signer;
    struct err err;

    *out = (struct test_certificate){ 0 };
    if (ca == NULL) {
        CHECK(certificate_ca_new(identity->cluster, &always, &out->authority, &out->authority_key,
                                 &err) == ST_OK);
    } else {
        buf_append(&out->authority, ca->authority.data, ca->authority.len);
        buf_append(&out->authority_key, ca->authority_key.data, ca->authority_key.len);
    }
    signer =
        (struct certificate_authority){ buf_view(&out->authority), buf_view(&out->authority_key) };
    certificate_key_new(&out->key);
    CHECK(certificate_issue(&signer, &subject, buf_view(&out->key), &span, &out->certificate,
                            &err) == ST_OK);
}

void test_certificate_new(const struct node_identity *identity,
                          const struct test_certificate *ca,
                          struct test_certificate *out)
{
    test_certificate_span(identity, ca, -TEST_DAY_S, TEST_DAY_S, out);
}

void test_certificate_done(struct test_certificate *certificate)
{
    buf_done(&certificate->authority);
    buf_done(&certificate->authority_key);
    buf_done(&certificate->certificate);
    buf_done(&certificate->key);
}

struct tls_material test_material(const struct test_certificate *certificate)
{
    return (struct tls_material){ buf_view(&certificate->authority),
                                  buf_view(&certificate->certificate),
                                  buf_view(&certificate->key) };
}

/* The CA of this process for a cluster; kept until its end. */
static const struct test_certificate *authority_of(const char *cluster)
{
    enum { CLUSTERS_MAX = 4 };
    static struct {
        char cluster[CLUSTER_NAME_BYTES_MAX + 1];
        struct test_certificate ca;
    } list[CLUSTERS_MAX];
    struct node_identity first = test_names("c/worker/z/first");
    size_t i = 0;

    while (i < CLUSTERS_MAX && list[i].cluster[0] != '\0' && strcmp(list[i].cluster, cluster) != 0)
        i++;
    CHECK(i < CLUSTERS_MAX);
    if (list[i].cluster[0] == '\0') {
        (void)snprintf(list[i].cluster, sizeof list[i].cluster, "%s", cluster);
        (void)snprintf(first.cluster, sizeof first.cluster, "%s", cluster);
        test_certificate_new(&first, NULL, &list[i].ca);
    }
    return &list[i].ca;
}

void test_identity(const char *path, struct stream_identity *out)
{
    struct node_identity names = test_names(path);
    struct test_certificate certificate;
    struct tls_material material;
    struct err err;

    test_certificate_new(&names, authority_of(names.cluster), &certificate);
    *out = (struct stream_identity){ .self.epoch = 1, .self.version = 1 };
    memset(out->key, 7, sizeof out->key);
    (void)strcpy(out->self.cluster, names.cluster);
    (void)strcpy(out->self.role, names.role);
    (void)strcpy(out->self.zone, names.zone);
    (void)strcpy(out->self.node, names.node);
    material = test_material(&certificate);
    CHECK(tls_context_new(&names, &material, &out->tls, &err) == ST_OK);
    test_certificate_done(&certificate);
}

static void write_file(const char *folder, const char *name, const struct buf *text, uid_t uid)
{
    char path[256];
    int fd;

    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    CHECK(write(fd, text->data, text->len) == (ssize_t)text->len);
    CHECK(fchown(fd, uid, uid) == 0);
    CHECK(close(fd) == 0);
}

void test_identity_files(const char *path, const char *folder, uid_t uid)
{
    struct node_identity names = test_names(path);
    struct test_certificate certificate;

    test_certificate_new(&names, authority_of(names.cluster), &certificate);
    write_file(folder, "ca.crt", &certificate.authority, uid);
    write_file(folder, "node.crt", &certificate.certificate, uid);
    write_file(folder, "node.key", &certificate.key, uid);
    test_certificate_done(&certificate);
}
