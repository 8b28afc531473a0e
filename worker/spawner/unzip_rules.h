/* What names and links a package may hold.  Pure. */
#ifndef WORKER_SPAWNER_UNZIP_RULES_H
#define WORKER_SPAWNER_UNZIP_RULES_H

#include <stdbool.h>
#include <stddef.h>

enum { UNZIP_PATH_BYTES = 4096 };

/* Bring an entry's name to the form "a/b/c": no empty components, no ".", no slash at either end.
 * An empty result is the tree's own folder.  False when the name would leave the tree ("..", an
 * absolute path) or is too long. */
bool unzip_path_clean(const char *name, char out[UNZIP_PATH_BYTES]);

/* May a link at `path` (clean) point to `target`?  Counts components only: a target that goes
 * through another link is judged when all of them exist. */
bool unzip_link_stays(const char *path, const char *target);

#endif
