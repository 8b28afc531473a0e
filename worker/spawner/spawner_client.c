/* The agent's side of the talk with lapwing-spawner, see spawner_client.h. */
#include "worker/spawner/spawner_client.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/check.h"
#include "proto/spawner_check.h"
#include "worker/spawner/packet.h"

enum status spawner_client_init(struct spawner_client *client, int fd, struct err *err)
{
    int flags = fcntl(fd, F_GETFL);

    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
        return err_set_errno(err, ST_BAD_INPUT, errno, "use descriptor %d as the spawner's", fd);
    if (fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
        return err_set_errno(err, ST_BAD_INPUT, errno, "use descriptor %d as the spawner's", fd);
    client->fd = fd;
    client->serial = 0;
    return ST_OK;
}

enum status spawner_client_connect(const char *path, int *out_fd, struct err *err)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd;

    if (strlen(path) >= sizeof address.sun_path)
        return err_set(err, ST_BAD_INPUT, "spawner.socket: %zu bytes, want less than %zu",
                       strlen(path), sizeof address.sun_path);
    strcpy(address.sun_path, path);
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_set_errno(err, ST_IO, errno, "make a socket");
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) {
        int errnum = errno;

        (void)close(fd);
        return err_set_errno(err, ST_UNAVAILABLE, errnum, "connect to the spawner at %.100s", path);
    }
    *out_fd = fd;
    return ST_OK;
}

void spawner_client_done(struct spawner_client *client)
{
    if (client == NULL || client->fd < 0)
        return;
    (void)close(client->fd);
    client->fd = -1;
}

uint64_t spawner_client_id(struct spawner_client *client)
{
    return ++client->serial;
}

enum status spawner_client_send(struct spawner_client *client,
                                const Lapwing__SpawnRequest *req,
                                int fd,
                                struct err *err)
{
    size_t len = lapwing__spawn_request__get_packed_size(req);
    enum status st;

    CHECK(req->id != 0);
    if (len > SPAWNER_MESSAGE_BYTES_MAX)
        return err_set(err, ST_LIMIT, "ask the spawner: %zu bytes, at most %d fit", len,
                       SPAWNER_MESSAGE_BYTES_MAX);
    uint8_t *body = must_calloc(1, len);
    (void)lapwing__spawn_request__pack(req, body);
    st = packet_send(client->fd, bytes_of(body, len), &fd, fd >= 0 ? 1 : 0, err);
    free(body);
    return st;
}

enum status spawner_client_receive(struct spawner_client *client,
                                   struct spawner_message *out,
                                   struct err *err)
{
    struct packet packet = { 0 };
    uint8_t body[SPAWNER_MESSAGE_BYTES_MAX]; /* not cleared: that would cost more than all else */
    enum status st = packet_receive(client->fd, body, sizeof body, &packet, err);

    if (st != ST_OK)
        return st;
    Lapwing__SpawnerMessage *message = lapwing__spawner_message__unpack(NULL, packet.len, body);
    if (message == NULL || spawner_message_check(message, NULL) != ST_OK ||
        packet.fd_count > SPAWNER_FDS_MAX) {
        for (size_t i = 0; i < packet.fd_count; i++)
            (void)close(packet.fds[i]);
        if (message != NULL)
            lapwing__spawner_message__free_unpacked(message, NULL);
        return err_set(err, ST_CORRUPT, "receive from the spawner: %zu bytes that are no message",
                       packet.len);
    }
    out->message = message;
    out->fd_count = packet.fd_count;
    for (size_t i = 0; i < SPAWNER_FDS_MAX; i++)
        out->fds[i] = i < packet.fd_count ? packet.fds[i] : -1;
    return ST_OK;
}

void spawner_message_done(struct spawner_message *message)
{
    if (message == NULL || message->message == NULL)
        return;
    for (size_t i = 0; i < message->fd_count; i++)
        if (message->fds[i] >= 0)
            (void)close(message->fds[i]);
    lapwing__spawner_message__free_unpacked(message->message, NULL);
    message->message = NULL;
    message->fd_count = 0;
}
