/* lapwing-spawner: the root part of a worker.  Started by the worker's parent with one end of a
 * socket pair; see README.md. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "base/log.h"
#include "worker/spawner/spawner.h"

static const char about[] =
    "The root part of a worker: makes and ends execution environments for the agent.";

/* lapwing-spawner --clean INSTANCE [CGROUP_PARENT] */
static int clean(const char *instance, const char *cgroup_parent)
{
    struct err err = { 0 };

    if (!instance_name_valid(instance)) {
        (void)fprintf(stderr, "lapwing-spawner: '%s' is no name of an instance\n", instance);
        return 2;
    }
    if (spawner_clean(instance, cgroup_parent, &err) == ST_OK)
        return 0;
    (void)fprintf(stderr, "lapwing-spawner: %s\n", err.text);
    return 1;
}

/* The folder this program is in, where its helpers are. */
static void program_dir(char *out, size_t capacity)
{
    ssize_t len = readlink("/proc/self/exe", out, capacity - 1);
    char *slash;

    out[len > 0 ? len : 0] = '\0';
    slash = strrchr(out, '/');
    if (slash != NULL)
        *slash = '\0';
}

int main(int argc, char **argv)
{
    static struct spawner spawner;
    char dir[PATH_MAX];
    struct err err = { 0 };
    struct config *config;

    if (argc >= 3 && strcmp(argv[1], "--clean") == 0)
        return clean(argv[2], argc > 3 ? argv[3] : "");
    config = config_start(spawner_options, "lapwing-spawner", about, argc, argv);
    program_dir(dir, sizeof dir);
    if (spawner_config_read(config, dir, &spawner.config, &err) != ST_OK) {
        (void)fprintf(stderr, "lapwing-spawner: %s\n", err.text);
        return 2;
    }
    config_free(config);
    if (spawner_open(&spawner, &err) != ST_OK) {
        log_event(LOG_ERROR, "spawner_not_started", LS("why", err.text));
        spawner_close(&spawner);
        return 1;
    }
    log_event(LOG_INFO, "ready", LS("instance", spawner.config.instance),
              LS("limits", spawner.groups.limiter->name),
              LS("packages", package_mount_name(spawner.packages.way)),
              LS("outbound", spawner.network.router >= 0 ? "yes" : "no"));
    spawner_run(&spawner);
    spawner_close(&spawner);
    return 0;
}
