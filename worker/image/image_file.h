/* Images as files: made from a folder, mapped and checked.  Blocking; any thread. */
#ifndef WORKER_IMAGE_IMAGE_FILE_H
#define WORKER_IMAGE_IMAGE_FILE_H

#include <stdint.h>

#include "base/status.h"
#include "worker/image/image_manifest.h"

/* Write the image of a folder.
 *
 * folder  open; files, folders and links in it, nothing else
 * image   an open, empty file
 *
 * ST_LIMIT: more nodes than a package may have, or a name too long.  ST_IO: the disk failed. */
enum status image_write(int folder, int image, struct err *err);

/* Check an image's form (image_rules.h) and say what is in it.
 *
 * out  `bytes`, `unzipped_bytes`, `files` and `chunks` are written
 *
 * ST_CORRUPT: it is none of ours.  ST_IO. */
enum status image_check(int image, struct image_manifest *out, struct err *err);

/* Hash the chunks of an image whose `bytes` and `chunks` are known into `manifest`. */
enum status image_hash(int image, struct image_manifest *manifest, struct err *err);

#endif
