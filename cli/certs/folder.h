/* Files of certificates in a folder: read, write once, replace.  Blocks on disk. */
#ifndef CLI_CERTS_FOLDER_H
#define CLI_CERTS_FOLDER_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/status.h"

/* DIR/NAMEEND, "certs/worker-a.key"; a failing allocation aside, never NULL.  free() it. */
char *certs_path(const char *folder, const char *name, const char *end);

/* Make the folder (mode 700) if it is not there. */
enum status certs_folder_make(const char *folder, struct err *err);

/* Write a file that is not there yet, mode 600, synced.  ST_EXISTS: it is there; nothing is
 * overwritten. */
enum status certs_file_new(const char *path, struct bytes text, struct err *err);

/* Replace a file at one instant, with its owner and mode. */
enum status certs_file_replace(const char *path, struct bytes text, struct err *err);

/* Call `each` with the path of every file in the folder whose name ends so, by name; until one
 * fails. */
typedef enum status (*certs_file_fn)(const char *path, void *context, struct err *err);
enum status certs_folder_each(
    const char *folder, const char *end, certs_file_fn each, void *context, struct err *err);

#endif
