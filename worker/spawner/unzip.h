/* A stranger's zip, checked and unpacked into an empty folder.
 *
 * Runs inside lapwing-convert's sandbox; believes no size, name or type that the zip says of
 * itself. Files get mode 0644, or 0755 if any x bit is set, folders 0755, times are kept (files'
 * only); a file "bootstrap" at the top is executable whatever its mode, as in Lambda (zips made
 * without Unix modes have no x bits).  Links are made last, so that no file is ever written through
 * one. */
#ifndef WORKER_SPAWNER_UNZIP_H
#define WORKER_SPAWNER_UNZIP_H

#include <stdint.h>

#include "base/status.h"

enum unzip_reason {
    UNZIP_NOT_A_ZIP,
    UNZIP_TOO_LARGE,
    UNZIP_PATH_ESCAPE,
    UNZIP_LINK_ESCAPE,
    UNZIP_DEVICE,
    UNZIP_TOO_MANY_FILES,
    UNZIP_DUPLICATE_NAME,
    UNZIP_NOT_AN_IMAGE, /* said by lapwing-convert of what is to be an image of ours */
    UNZIP_REASONS,
};

struct unzip_limits {
    uint64_t bytes_max; /* of all files, counted while writing */
    uint32_t files_max; /* files, links and folders, those that no entry names included */
};

struct unzip_result {
    uint64_t bytes;
    uint32_t files;
    enum unzip_reason reason; /* when the status is ST_BAD_INPUT */
};

/* The reason as proto/spawner.proto has it: "not_a_zip". */
const char *unzip_reason_name(enum unzip_reason reason);

/* Unpack.
 *
 * zip     a regular file; read from its start
 * folder  an open, empty folder; whatever was written stays there on failure
 * out     written on ST_OK, and `reason` on ST_BAD_INPUT
 *
 * ST_BAD_INPUT: the package is refused, `err` names the entry.  ST_IO: the disk failed. */
enum status unzip(int zip,
                  int folder,
                  const struct unzip_limits *limits,
                  struct unzip_result *out,
                  struct err *err);

#endif
