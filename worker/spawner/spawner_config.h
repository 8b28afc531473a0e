/* What lapwing-spawner is told at its start.  Filled once by main(), read by everybody after. */
#ifndef WORKER_SPAWNER_SPAWNER_CONFIG_H
#define WORKER_SPAWNER_SPAWNER_CONFIG_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/config.h"
#include "base/status.h"
#include "worker/spawner/ready_plan.h"

enum {
    INSTANCE_BYTES_MAX = 31,
    ENVIRONMENTS_MAX = 1000, /* slots of one spawner */
    CONVERTS_MAX = 8,        /* packages being converted, checked or removed at once */
    NETNS_POOL_MAX = 64,
    CGROUP_POOL_MAX = 64,
    NETWORKS_MAX = 64, /* of [network] allow, and of refuse */
    RUNTIME_ROOTS_MAX = 8,
    RUNTIME_NAME_MAX = 23,
    READY_IDLE_MS_MIN = 1000,
    READY_IDLE_MS_MAX = 86400000,
    UID_BASE_MIN = 65536, /* below are the host's own users */
};

/* How environments get to see a package. */
enum package_mount {
    PACKAGE_MOUNT_AUTO,   /* the first of the others that works, tried at the start */
    PACKAGE_MOUNT_FILE,   /* images, mounted from their files: Linux 6.12 and newer */
    PACKAGE_MOUNT_LOOP,   /* images, by loop devices */
    PACKAGE_MOUNT_FOLDER, /* no images: unpacked folders */
    PACKAGE_MOUNTS,
};

/* An IPv4 network, host byte order. */
struct ipv4_network {
    uint32_t address;
    uint32_t prefix; /* 0..32 */
};

struct ipv4_networks {
    uint32_t count;
    struct ipv4_network list[NETWORKS_MAX];
};

/* A root folder for one runtime only; the others have root_dir. */
struct runtime_root {
    char name[RUNTIME_NAME_MAX + 1];
    char dir[PATH_MAX];
};

struct spawner_config {
    char instance[INSTANCE_BYTES_MAX + 1]; /* [a-z0-9-]: names cgroups, nft table, uplink */
    char packages_dir[PATH_MAX];           /* images or unpacked trees by hash; ours to write */
    char runtime_dir[PATH_MAX];            /* /var/runtime inside; empty: an empty folder */
    char root_dir[PATH_MAX];               /* whose /usr and /lib* environments see */
    struct runtime_root runtime_roots[RUNTIME_ROOTS_MAX];
    uint32_t runtime_root_count;
    char init_path[PATH_MAX];
    char convert_path[PATH_MAX];
    char cgroup_parent[PATH_MAX]; /* below each cgroup mount; empty: its root */
    enum package_mount package_mount;
    uint32_t uid_base; /* environment: base + slot; converter: base + max + n; behind them those
                          that were kept ready, see ready_pool.h */
    uint32_t environments_max;
    uint32_t netns_pool; /* prepared network namespaces */
    uint32_t group_pool; /* prepared control groups, and user namespaces of slots */
    struct ready_limits ready;
    int fd; /* our end of the pair with the agent */
    bool outbound;
    struct ipv4_network subnet;   /* at least /22: 16 of ours, then one an environment */
    struct ipv4_networks allowed; /* nothing else is reached */
    struct ipv4_networks refused; /* of these nothing: cluster nodes */
};

/* What the program understands, for config_start(). */
extern const struct config_option spawner_options[];

/* Take the options over and check that they fit together.
 *
 * read          loaded with spawner_options
 * program_dir   where lapwing-init and lapwing-convert are when nothing else is said
 *
 * ST_BAD_INPUT names the option, what it was and what is allowed. */
enum status spawner_config_read(const struct config *read,
                                const char *program_dir,
                                struct spawner_config *out,
                                struct err *err);

/* "auto", "file", "loop", "folder". */
const char *package_mount_name(enum package_mount way);

/* May `text` be an instance's name?  1 to 31 of [a-z0-9-], not starting with '-'. */
bool instance_name_valid(const char *text);

/* "10.0.0.0/8" or "10.1.2.3"; bits below the prefix must be zero. */
enum status ipv4_network_parse(const char *text, struct ipv4_network *out, struct err *err);

/* A comma separated list of networks; empty is none. */
enum status ipv4_networks_parse(const char *text, struct ipv4_networks *out, struct err *err);

#endif
