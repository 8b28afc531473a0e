/* Which programs a cluster has, and the configuration of each.  Pure. */
#ifndef CLI_DEV_PLAN_H
#define CLI_DEV_PLAN_H

#include "base/node_identity_rules.h"
#include "cli/dev/dev.h"

enum plan_kind { PLAN_OBJSTORE, PLAN_CONTROLPLANE, PLAN_SPAWNER, PLAN_WORKER, PLAN_KINDS };

/* What all configurations are made from. */
struct plan {
    const struct dev_options *options;
    const struct dev_user *user;
    const char *program_dir; /* of the lapwing command: the others are found from there */
    bool ipv6;
};

/* "a" to "e". */
const char *plan_zone_name(unsigned zone);
/* "objstore", "controlplane", "spawner", "worker". */
const char *plan_kind_name(enum plan_kind kind);
/* "http" or "https": what the front doors speak. */
const char *plan_scheme(const struct dev_options *options);
/* The name of a zone's spawner on this host, after the port: two clusters on one machine must not
 * clean up each other's things. */
void plan_instance(const struct dev_options *options, unsigned zone, char *out, size_t size);
/* Has this program streams to others, and so a certificate? */
bool plan_has_identity(enum plan_kind kind);
/* Who one of those is. */
void plan_identity(enum plan_kind kind, unsigned zone, struct node_identity *out);
/* The INI text of one program, appended to `out`. */
void plan_config(const struct plan *plan, enum plan_kind kind, unsigned zone, struct buf *out);

/* Create or overwrite a file of the data folder (files.c). */
enum status dev_file_write(
    const char *path, const char *text, mode_t mode, const struct dev_user *user, struct err *err);

#endif
