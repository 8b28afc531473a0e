/* Three object stores over a fake control plane, for tests with outside clients: prints
 * "PORT PORT PORT DIR DIR DIR" of the S3 ports and the stores' folders, then serves until its
 * standard input ends. */
#include <stdio.h>
#include <unistd.h>

#include "tests/unit/objstore_cluster.h"

int main(void)
{
    struct cluster *cluster = cluster_start(CLUSTER_ZONES_MAX);
    char byte;

    for (unsigned i = 0; i < CLUSTER_ZONES_MAX; i++)
        (void)printf("%u ", cluster_port(cluster, i));
    for (unsigned i = 0; i < CLUSTER_ZONES_MAX; i++)
        (void)printf("%s%s", cluster_dir(cluster, i), i + 1 < CLUSTER_ZONES_MAX ? " " : "\n");
    (void)fflush(stdout);
    while (read(STDIN_FILENO, &byte, 1) == 1)
        continue;
    cluster_stop(cluster);
    return 0;
}
