/* Folders that last: a new name is only in its folder's cache until that folder is synced, and with
 * the name is lost all that is below it, however well that was synced.
 *
 * Both block on disk. */
#ifndef BASE_FOLDER_H
#define BASE_FOLDER_H

#include <sys/types.h>

#include "base/status.h"

/* Make a folder and know that it stays.
 *
 * path     absolute or relative
 * mode     of those that are made, less the umask
 * levels   from 1: so many of the path's last parts are ours, made if they are missing; one that is
 *          there may be of a start that was cut short, so its name is synced, too
 *
 * ST_NO_SPACE: there is no room for one.  ST_IO: it cannot be made, or a sync failed. */
enum status folder_make(const char *path, mode_t mode, unsigned levels, struct err *err);

/* Make what was made, renamed and removed in a folder durable.
 *
 * dir_fd   that `path` begins at; AT_FDCWD */
enum status folder_sync(int dir_fd, const char *path, struct err *err);

#endif
