/* `lapwing dev`: a whole cluster on one machine, from its options to its end.
 *
 *   options -> preflight -> data folder -> plan (pure: who runs with which configuration)
 *           -> supervisor (starts, watches, restarts, stops)   janitor (cleans up if that is
 * killed) */
#ifndef CLI_DEV_DEV_H
#define CLI_DEV_DEV_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/bytes.h"
#include "base/status.h"

/* The name of every such cluster. */
#define DEV_CLUSTER "dev"

/* The last byte a detached supervisor sends to the command that waits for it: "all is up". */
#define DEV_READY_MARK '\006'

enum { DEV_ZONES_MAX = 5, DEV_PORT_DEFAULT = 4566, DEV_PORTS_PER_ZONE = 10, DEV_RUNTIMES_MAX = 8 };

struct dev_options {
    unsigned zones; /* 1, 3 or 5 */
    unsigned port;  /* of the front doors; the zones' own ports follow it */
    char data[PATH_MAX];
    bool fresh;
    bool detach;
    bool stop;
    bool remove_data; /* with stop: delete the data folder's cluster afterwards */
    bool help;
    bool https;       /* the front doors speak HTTPS, and nothing else */
    bool any_runtime; /* take every runtime name of a family that is here */
    unsigned runtime_count;
    const char *runtimes[DEV_RUNTIMES_MAX]; /* "NAME=FOLDER", of argv */
};

/* Who the programs run as: the caller behind sudo, or a number that nobody has when root itself
 * calls. */
struct dev_user {
    uid_t uid;
    gid_t gid;
    char home[PATH_MAX]; /* empty: without one */
};

void dev_user_find(struct dev_user *out);
/* Where the data of this user is when nothing else is said. */
void dev_data_default(const struct dev_user *user, char *out, size_t size);

/* Read the command line after `dev`.  ST_BAD_INPUT says which option and what is allowed. */
enum status dev_options_parse(
    int argc, char **argv, const struct dev_user *user, struct dev_options *out, struct err *err);
void dev_options_help(void);

/* Can this machine run a cluster?  The text says what is missing and what to do.  `out_ipv6`: is
 * there a [::1] to listen on. */
enum status dev_preflight(const struct dev_options *options, bool *out_ipv6, struct err *err);

/* Folders, cluster key, env.sh and the aws command's configuration; safe to repeat. */
enum status dev_files_prepare(const struct dev_options *options,
                              const struct dev_user *user,
                              const char *program_dir,
                              struct err *err);
/* The CA and every program's certificate: made when missing, renewed when due; and with HTTPS the
 * bundle of CAs.  Safe to repeat. */
enum status dev_certs_prepare(const struct dev_options *options,
                              const struct dev_user *user,
                              struct err *err);
/* DATA/ca-bundle.crt: the machine's own CAs and this one. */
enum status dev_bundle_write(const struct dev_options *options,
                             const struct dev_user *user,
                             struct bytes ca,
                             struct err *err);
/* Delete the CA's key. */
void dev_certs_remove(const struct dev_options *options);
/* Delete what a cluster has in its data folder; other files there stay. */
void dev_files_remove(const struct dev_options *options);
/* As open(), with the user's rights and for the user to own: root must not be led elsewhere by what
 * stands in a folder that it does not own.  Returns -1 with errno. */
int dev_file_open(const char *path, int flags, mode_t mode, const struct dev_user *user);
/* PATH becomes PATH.1, which is overwritten; with the user's rights. */
void dev_file_rotate(const char *path, const struct dev_user *user);
/* Bytes under a folder. */
uint64_t dev_files_size(const char *path);

/* The lock on the data folder says who runs it.  Held until the process ends. */
enum status dev_lock_take(const struct dev_options *options,
                          const struct dev_user *user,
                          struct err *err);
/* ST_EXISTS, naming the process, when somebody holds it. */
enum status dev_lock_check(const struct dev_options *options, struct err *err);
/* The process that holds it, 0 for nobody. */
pid_t dev_lock_holder(const struct dev_options *options);

/* Run until stopped; returns the exit code of the command. */
int dev_supervise(const struct dev_options *options, const struct dev_user *user, bool ipv6);

/* A process that waits for this one to be killed, and then cleans up in its place.  Returns its
 * pid; dev_janitor_dismiss() ends it in peace. */
pid_t dev_janitor_start(const char *spawner_path, const struct dev_options *options);
void dev_janitor_dismiss(pid_t janitor);
/* Remove what a killed cluster left: cgroups, interfaces, rules.  Blocks up to some seconds. */
void dev_clean(const char *spawner_path, const struct dev_options *options);

int dev_main(int argc, char **argv);

#endif
