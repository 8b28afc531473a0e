/* Certificates for tests, by the library behind `lapwing certs`. */
#ifndef TESTS_UNIT_CERTIFICATES_H
#define TESTS_UNIT_CERTIFICATES_H

#include "base/certificate_make.h"
#include "base/stream.h"

enum { TEST_DAY_S = 86400 };

/* A CA of a cluster and a certificate with its key; all PEM, freed by test_certificate_done(). */
struct test_certificate {
    struct buf authority;
    struct buf authority_key;
    struct buf certificate;
    struct buf key;
};

/* For localhost, what is below s3.localhost, and 127.0.0.1 and ::1; from one day ago for two days.
 * The text of the certificate is by `ca`'s CA if that is not NULL, else by a new one.  A failure
 * ends the process. */
void test_certificate_new(const struct node_identity *identity,
                          const struct test_certificate *ca,
                          struct test_certificate *out);
/* The same with other dates, in seconds from now. */
void test_certificate_span(const struct node_identity *identity,
                           const struct test_certificate *ca,
                           int64_t from_s,
                           int64_t until_s,
                           struct test_certificate *out);
void test_certificate_done(struct test_certificate *certificate);

struct tls_material test_material(const struct test_certificate *certificate);

/* "CLUSTER/ROLE/ZONE/NODE", as in the URI. */
struct node_identity test_names(const char *path);

/* Names, a certificate of this process's CA, and a key; the epoch is 1.  identity_done() frees. */
void test_identity(const char *path, struct stream_identity *out);

/* Write FOLDER/ca.crt, node.crt and node.key for a program of the same CA; the key for `uid`. */
void test_identity_files(const char *path, const char *folder, uid_t uid);

#endif
