/* The blocking half of the blob store: files and folders.  Internal to objstore/blobs; every
 * function here blocks on disk and runs on a pool thread (or before the loop). */
#ifndef OBJSTORE_BLOBS_BLOB_DISK_H
#define OBJSTORE_BLOBS_BLOB_DISK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "objstore/blobs/blob_store.h"

enum { BLOB_FANOUT = 65536, BLOB_PATH_BYTES = 96 };

/* Shared by all pool threads; everything but `next_tmp` and `synced` is fixed after opening. */
struct blob_disk {
    int dir_fd; /* DIR */
    atomic_uint_fast64_t next_tmp;
    /* A folder's bit is set once the entry that leads to it was synced in this process's life:
     * finding that a folder exists says nothing about its being on disk yet. */
    atomic_bool synced[BLOB_FANOUT];
};

enum status blob_disk_open(struct blob_disk *disk, const char *dir, struct err *err);
void blob_disk_close(struct blob_disk *disk);

/* A new file for writing; its name is put into `out_name`. */
enum status blob_disk_create(struct blob_disk *disk,
                             char out_name[BLOB_PATH_BYTES],
                             int *out_fd,
                             struct err *err);
/* ST_LIMIT when the disk is full. */
enum status blob_disk_write(int fd, struct bytes data, struct err *err);
/* Sync the file, give it its name, sync the folder.  `fd` stays open. */
enum status blob_disk_publish(struct blob_disk *disk,
                              int fd,
                              const char *tmp_name,
                              const struct blob_id *id,
                              struct err *err);
/* Best effort: a start sweeps what is left. */
void blob_disk_drop(struct blob_disk *disk, const char *tmp_name);

/* ST_NOT_FOUND, ST_IO. */
enum status blob_disk_find(struct blob_disk *disk,
                           const struct blob_id *id,
                           int *out_fd,
                           uint64_t *out_bytes,
                           struct err *err);
/* Read exactly `len` bytes at `offset`: ST_CORRUPT when the file ends before. */
enum status blob_disk_read(int fd, uint64_t offset, uint8_t *out, size_t len, struct err *err);
/* Hash the whole file.  ST_CORRUPT when it is not what its name says. */
enum status blob_disk_verify(int fd, uint64_t bytes, const struct blob_id *id, struct err *err);
/* Take a corrupt blob out of the way, keeping it for the operator under bad/. */
void blob_disk_set_aside(struct blob_disk *disk, const struct blob_id *id);

#endif
