#include "tests/unit/https_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/check.h"

void https_file_write(const char *path, struct bytes text)
{
    char other[128];
    FILE *file;

    (void)snprintf(other, sizeof other, "%s.new", path);
    file = fopen(other, "we");
    CHECK(file != NULL);
    CHECK(fwrite(text.data, 1, text.len, file) == text.len);
    CHECK(fclose(file) == 0);
    CHECK(rename(other, path) == 0);
}

void https_pair_new(struct test_certificate *out)
{
    struct node_identity names = test_names("c/controlplane/z/n");

    test_certificate_new(&names, NULL, out);
}

void https_folder_make(struct https_folder *out)
{
    struct test_certificate pair;

    (void)snprintf(out->dir, sizeof out->dir, "/tmp/lapwing-https-XXXXXX");
    CHECK(mkdtemp(out->dir) != NULL);
    (void)snprintf(out->ca, sizeof out->ca, "%s/ca.pem", out->dir);
    (void)snprintf(out->certificate, sizeof out->certificate, "%s/cert.pem", out->dir);
    (void)snprintf(out->key, sizeof out->key, "%s/key.pem", out->dir);
    https_pair_new(&pair);
    https_file_write(out->ca, buf_view(&pair.authority));
    https_file_write(out->certificate, buf_view(&pair.certificate));
    https_file_write(out->key, buf_view(&pair.key));
    test_certificate_done(&pair);
}

void https_folder_remove(const struct https_folder *files)
{
    (void)unlink(files->ca);
    (void)unlink(files->certificate);
    (void)unlink(files->key);
    (void)rmdir(files->dir);
}

void https_client_use(struct https_client *client, int fd)
{
    if (client->ssl != NULL && client->fd == fd)
        return;
    https_client_forget(client);
    if (client->context == NULL) {
        client->context = SSL_CTX_new(TLS_client_method());
        CHECK(client->context != NULL);
        (void)SSL_CTX_set_mode(client->context,
                               SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    }
    client->ssl = SSL_new(client->context);
    CHECK(client->ssl != NULL);
    CHECK(SSL_set_fd(client->ssl, fd) == 1);
    SSL_set_connect_state(client->ssl);
    client->fd = fd;
}

void https_client_forget(struct https_client *client)
{
    SSL_free(client->ssl);
    client->ssl = NULL;
}

void https_client_done(struct https_client *client)
{
    https_client_forget(client);
    SSL_CTX_free(client->context);
    client->context = NULL;
}

static ssize_t result(struct https_client *client, int rv)
{
    int why;

    if (rv > 0)
        return rv;
    why = SSL_get_error(client->ssl, rv);
    ERR_clear_error();
    if (why == SSL_ERROR_ZERO_RETURN)
        return 0;
    errno = why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE ? EAGAIN : ECONNRESET;
    return -1;
}

ssize_t https_client_send(struct https_client *client, struct bytes text)
{
    return result(client, SSL_write(client->ssl, text.data, (int)text.len));
}

ssize_t https_client_recv(struct https_client *client, void *to, size_t size)
{
    return result(client, SSL_read(client->ssl, to, (int)size));
}
