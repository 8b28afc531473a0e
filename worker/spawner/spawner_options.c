/* The options of lapwing-spawner, see spawner_config.h. */
#include <stdio.h>
#include <string.h>

#include "worker/spawner/ready_pool.h"
#include "worker/spawner/router.h"
#include "worker/spawner/spawner_config.h"

// clang-format off
const struct config_option spawner_options[] = {
    { "spawner", "instance", NULL, "name of this spawner on its host: cgroups, nft table, uplink", CONFIG_TEXT, false, 1, INSTANCE_BYTES_MAX },
    { "spawner", "packages_dir", NULL, "folder of packages", CONFIG_TEXT, false, 1, PATH_MAX - 1 },
    { "spawner", "package_mount", "auto", "how packages are mounted: file (Linux 6.12), loop, folder (unpacked); auto: the first that works", CONFIG_TEXT, false, 0, 16 },
    { "spawner", "runtime_dir", "", "folder seen as /var/runtime inside", CONFIG_TEXT, false, 0, PATH_MAX - 1 },
    { "spawner", "root_dir", "/", "folder whose /usr and /lib environments see", CONFIG_TEXT, false, 1, PATH_MAX - 1 },
    { "spawner", "init_path", "", "lapwing-init; beside this program when empty", CONFIG_TEXT, false, 0, PATH_MAX - 1 },
    { "spawner", "convert_path", "", "lapwing-convert; beside this program when empty", CONFIG_TEXT, false, 0, PATH_MAX - 1 },
    { "spawner", "cgroup_parent", "", "our place below each cgroup mount (a delegated group)", CONFIG_TEXT, false, 0, PATH_MAX - 1 },
    { "spawner", "uid_base", "2000000", "first host uid of environments", CONFIG_UNSIGNED, false, UID_BASE_MIN, INT32_MAX - 65536 },
    { "spawner", "environments_max", "64", "environments at once", CONFIG_UNSIGNED, false, 1, ENVIRONMENTS_MAX },
    { "spawner", "netns_pool", "8", "prepared network namespaces", CONFIG_UNSIGNED, false, 0, NETNS_POOL_MAX },
    { "spawner", "group_pool", "8", "prepared control groups, and user namespaces", CONFIG_UNSIGNED, false, 0, CGROUP_POOL_MAX },
    { "spawner", "ready_pool", "2", "environments with an interpreter that waits, of each kind", CONFIG_UNSIGNED, false, 0, READY_POOL_MAX },
    { "spawner", "ready_kinds", "4", "kinds of them: each interpreter, and Node for each size of memory", CONFIG_UNSIGNED, false, 0, READY_KINDS_MAX },
    { "spawner", "ready_idle_ms", "600000", "time after which a kind that no start asked for is dropped", CONFIG_UNSIGNED, false, READY_IDLE_MS_MIN, READY_IDLE_MS_MAX },
    { "spawner", "fd", "3", "inherited SOCK_SEQPACKET descriptor: the agent's, or one that listens for it", CONFIG_UNSIGNED, false, 0, 1023 },
    { "runtimes", "name", NULL, "root folder of a runtime that is not to use root_dir: NAME = FOLDER", CONFIG_ENTRIES, true, 0, 0 },
    { "network", "outbound", "yes", "may functions reach the outside network", CONFIG_BOOLEAN, false, 0, 0 },
    { "network", "subnet", "10.213.0.0/20", "addresses of environments, one subnet a spawner", CONFIG_TEXT, false, 1, 31 },
    { "network", "allow", "0.0.0.0/0", "the only networks that functions may reach, comma separated; refuse goes before it", CONFIG_TEXT, false, 1, 2048 },
    { "network", "refuse", "", "networks that functions must not reach, comma separated: the cluster's nodes", CONFIG_TEXT, false, 0, 2048 },
    { 0 },
};
// clang-format on

const char *package_mount_name(enum package_mount way)
{
    static const char *const names[PACKAGE_MOUNTS] = { "auto", "file", "loop", "folder" };

    return names[way];
}

/* Paths fit: the table bounds them below PATH_MAX. */
static void read_path(const struct config *read, const char *key, char out[PATH_MAX])
{
    (void)snprintf(out, PATH_MAX, "%s", config_text(read, "spawner", key));
}

static void read_program(const struct config *read,
                         const char *key,
                         const char *program_dir,
                         const char *program,
                         char out[PATH_MAX])
{
    read_path(read, key, out);
    if (out[0] == '\0')
        (void)snprintf(out, PATH_MAX, "%.3000s/%s", program_dir, program);
}

/* One each, also for what waits to be used. */
static enum status check_addresses(const struct spawner_config *config, struct err *err)
{
    uint32_t wanted =
        config->environments_max + config->netns_pool + ready_pool_capacity(&config->ready);
    uint32_t places = router_places(config);

    if (wanted <= places)
        return ST_OK;
    return err_set(err, ST_BAD_INPUT,
                   "network.subnet: addresses for %u environments, want %u for environments_max, "
                   "netns_pool and what ready_pool and ready_kinds keep",
                   places, wanted);
}

static enum status check_together(const struct spawner_config *config, struct err *err)
{
    if (!instance_name_valid(config->instance))
        return err_set(err, ST_BAD_INPUT,
                       "spawner.instance: '%s', want 1 to %d of a-z, 0-9 and '-'", config->instance,
                       INSTANCE_BYTES_MAX);
    if (config->packages_dir[0] != '/')
        return err_set(err, ST_BAD_INPUT, "spawner.packages_dir: '%.100s', want an absolute path",
                       config->packages_dir);
    if (strstr(config->cgroup_parent, "..") != NULL)
        return err_set(err, ST_BAD_INPUT, "spawner.cgroup_parent: '%.100s' must not hold '..'",
                       config->cgroup_parent);
    if (config->outbound && config->allowed.count == 0)
        return err_set(err, ST_BAD_INPUT,
                       "network.allow: no network; for none at all set network.outbound = no");
    if (config->subnet.prefix < 8 || config->subnet.prefix > 22)
        return err_set(err, ST_BAD_INPUT, "network.subnet: prefix %u, want 8 to 22",
                       config->subnet.prefix);
    return check_addresses(config, err);
}

static enum status read_package_mount(const struct config *read,
                                      struct spawner_config *out,
                                      struct err *err)
{
    const char *text = config_text(read, "spawner", "package_mount");

    for (int way = 0; way < PACKAGE_MOUNTS; way++) {
        out->package_mount = (enum package_mount)way;
        if (strcmp(text, package_mount_name(out->package_mount)) == 0)
            return ST_OK;
    }
    return err_set(err, ST_BAD_INPUT,
                   "spawner.package_mount: '%s', want auto, file, loop or folder", text);
}

static enum status read_networks(const struct config *read,
                                 const char *key,
                                 struct ipv4_networks *out,
                                 struct err *err)
{
    struct err why = { 0 };

    if (ipv4_networks_parse(config_text(read, "network", key), out, &why) == ST_OK)
        return ST_OK;
    return err_set(err, ST_BAD_INPUT, "network.%s: %s", key, why.text);
}

static enum status read_runtime_roots(const struct config *read,
                                      struct spawner_config *out,
                                      struct err *err)
{
    size_t count = config_entry_count(read, "runtimes");

    if (count > RUNTIME_ROOTS_MAX)
        return err_set(err, ST_BAD_INPUT, "runtimes: %zu of them, want at most %d", count,
                       RUNTIME_ROOTS_MAX);
    for (size_t i = 0; i < count; i++) {
        struct runtime_root *root = &out->runtime_roots[i];
        const char *name, *dir;

        config_entry_at(read, "runtimes", i, &name, &dir);
        if (strlen(name) > RUNTIME_NAME_MAX)
            return err_set(err, ST_BAD_INPUT, "runtimes.%.60s: want a name of at most %d bytes",
                           name, RUNTIME_NAME_MAX);
        if (dir[0] != '/' || strlen(dir) >= PATH_MAX)
            return err_set(err, ST_BAD_INPUT, "runtimes.%s: '%.100s', want an absolute path", name,
                           dir);
        (void)snprintf(root->name, sizeof root->name, "%s", name);
        (void)snprintf(root->dir, sizeof root->dir, "%s", dir);
    }
    out->runtime_root_count = (uint32_t)count;
    return ST_OK;
}

enum status spawner_config_read(const struct config *read,
                                const char *program_dir,
                                struct spawner_config *out,
                                struct err *err)
{
    enum status st;

    *out = (struct spawner_config){ 0 };
    (void)snprintf(out->instance, sizeof out->instance, "%s",
                   config_text(read, "spawner", "instance"));
    read_path(read, "packages_dir", out->packages_dir);
    read_path(read, "runtime_dir", out->runtime_dir);
    read_path(read, "root_dir", out->root_dir);
    read_path(read, "cgroup_parent", out->cgroup_parent);
    read_program(read, "init_path", program_dir, "lapwing-init", out->init_path);
    read_program(read, "convert_path", program_dir, "lapwing-convert", out->convert_path);
    out->uid_base = (uint32_t)config_unsigned(read, "spawner", "uid_base");
    out->environments_max = (uint32_t)config_unsigned(read, "spawner", "environments_max");
    out->netns_pool = (uint32_t)config_unsigned(read, "spawner", "netns_pool");
    out->group_pool = (uint32_t)config_unsigned(read, "spawner", "group_pool");
    out->ready.pool = (uint32_t)config_unsigned(read, "spawner", "ready_pool");
    out->ready.kinds_max = (uint32_t)config_unsigned(read, "spawner", "ready_kinds");
    out->ready.idle_ms = config_unsigned(read, "spawner", "ready_idle_ms");
    out->fd = (int)config_unsigned(read, "spawner", "fd");
    out->outbound = config_boolean(read, "network", "outbound");
    st = read_package_mount(read, out, err);
    if (st == ST_OK)
        st = ipv4_network_parse(config_text(read, "network", "subnet"), &out->subnet, err);
    if (st == ST_OK)
        st = read_runtime_roots(read, out, err);
    if (st != ST_OK)
        return st;
    st = read_networks(read, "allow", &out->allowed, err);
    if (st == ST_OK)
        st = read_networks(read, "refuse", &out->refused, err);
    return st == ST_OK ? check_together(out, err) : st;
}
