/* lapwing: the operator's command. */
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "cli/certs/certs.h"
#include "cli/commands.h"
#include "cli/dev/dev.h"

static int help(int argc, char **argv);

static const struct {
    const char *name;
    int (*run)(int argc, char **argv); /* what stands behind the command's name */
    const char *what;
} commands[] = {
    { "dev", dev_main, "run a whole cluster on this machine (dev --help)" },
    { "certs", certs_main, "a CA and certificates for the programs of a cluster (certs --help)" },
    { "status", command_status, "zones, leaders, workers" },
    { "logs", command_logs, "logs NAME [-f]: what a function printed" },
    { "nodes", command_nodes, "the nodes of the control plane, and what they are doing" },
    { "node", command_node, "node add, remove, replace, lead (node --help)" },
    { "runtimes", command_runtimes, "the runtimes that this cluster can run, one a line" },
    { "help", help, "this text" },
};

static int help(int argc, char **argv)
{
    (void)puts("lapwing COMMAND\n");
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        (void)printf("  %-10s %s\n", commands[i].name, commands[i].what);
    (void)puts("\nAll but dev ask the cluster at AWS_ENDPOINT_URL with the keys of the\n"
               "environment (source the env.sh of its data folder).");
    return 0;
}

int main(int argc, char **argv)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
    if (argc < 2 || strcmp(argv[1], "--help") == 0)
        return help(0, NULL);
    for (size_t i = 0; i < ARRAY_LEN(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 2, argv + 2);
    (void)fprintf(stderr, "lapwing: no command \"%s\"; lapwing help lists them\n", argv[1]);
    return 2;
}
