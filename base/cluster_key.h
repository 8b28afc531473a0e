/* The cluster key: what proves that two programs belong to one cluster. */
#ifndef BASE_CLUSTER_KEY_H
#define BASE_CLUSTER_KEY_H

#include <stdint.h>

#include "base/status.h"
#include "base/stream.h"

/* Read a key file: 64 hexadecimal digits and perhaps a newline.
 *
 * out   CLUSTER_KEY_BYTES, written on ST_OK
 *
 * ST_IO: it cannot be read.  ST_BAD_INPUT: it is something else.  ST_DENIED: others than its owner
 * may read or write it.  Blocks on disk; at start. */
enum status cluster_key_read(const char *path, uint8_t out[CLUSTER_KEY_BYTES], struct err *err);

#endif
