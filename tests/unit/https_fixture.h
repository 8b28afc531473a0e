/* Certificate files for tests, and the client's side of TLS on a non-blocking socket. */
#ifndef TESTS_UNIT_HTTPS_FIXTURE_H
#define TESTS_UNIT_HTTPS_FIXTURE_H

#include <stdbool.h>
#include <sys/types.h>

#include <openssl/ssl.h>

#include "base/bytes.h"
#include "tests/unit/certificates.h"

struct https_folder {
    char dir[64];
    char ca[96];
    char certificate[96];
    char key[96];
};

/* A new CA and a certificate of it for localhost and its addresses. */
void https_pair_new(struct test_certificate *out);
/* Another one, in a folder of its own. */
void https_folder_make(struct https_folder *out);
void https_folder_remove(const struct https_folder *files);
/* Replace one of them, as a renewal does. */
void https_file_write(const char *path, struct bytes text);

/* A client that trusts nobody in particular: for what is not about trust. */
struct https_client {
    SSL_CTX *context;
    SSL *ssl;
    int fd; /* that it was made for */
};

/* Make it ready for `fd`, if it is not already. */
void https_client_use(struct https_client *client, int fd);
/* The next use is of a new connection, also if it has the number of the old one. */
void https_client_forget(struct https_client *client);
void https_client_done(struct https_client *client);
/* As send() and recv() on a non-blocking socket, errno included. */
ssize_t https_client_send(struct https_client *client, struct bytes text);
ssize_t https_client_recv(struct https_client *client, void *to, size_t size);

#endif
