/* lapwing status: what the node that answers knows of the cluster, as tables. */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/api.h"
#include "cli/commands.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text == NULL || *text == '\0' ? "-" : text;
}

static long long number_of(const json_t *object, const char *key)
{
    return (long long)json_integer_value(json_object_get(object, key));
}

/* Only the leader knows. */
static const char *reads_of(const json_t *group)
{
    if (strcmp(text_of(group, "role"), "leader") != 0)
        return "";
    return json_is_true(json_object_get(group, "lease")) ? ", reads by lease" : ", reads by entry";
}

static void print_group(const json_t *group)
{
    json_t *member;
    size_t i;

    (void)printf("group %s: leader %s, term %lld, applied %lld of %lld, cluster version %lld%s\n",
                 text_of(group, "name"), text_of(group, "leader"), number_of(group, "term"),
                 number_of(group, "applied"), number_of(group, "commit"),
                 number_of(group, "cluster_version"), reads_of(group));
    json_array_foreach(json_object_get(group, "members"), i, member)
    {
        const char *disk = text_of(member, "disk");
        bool fit = strcmp(disk, "fit") == 0 || strcmp(disk, "-") == 0;

        (void)printf("  %-12s zone %-4s %-22s %s%s%s%s\n", text_of(member, "node"),
                     text_of(member, "zone"), text_of(member, "address"),
                     json_is_true(json_object_get(member, "connected")) ? "connected"
                                                                        : "NOT CONNECTED",
                     fit ? "" : " ", fit ? "" : disk,
                     json_is_true(json_object_get(member, "forgot")) ? " HAS LOST ITS DATA" : "");
    }
}

static void print_worker(const json_t *worker)
{
    const json_t *runtimes = json_object_get(worker, "runtimes");
    json_t *runtime;
    size_t i;

    (void)printf("  %-12s zone %-4s %-22s %-9s %lld of %lld MB free, %lld of %lld environments,",
                 text_of(worker, "worker"), text_of(worker, "zone"), text_of(worker, "address"),
                 text_of(worker, "state"), number_of(worker, "memory_free_mb"),
                 number_of(worker, "memory_mb"), number_of(worker, "environments"),
                 number_of(worker, "environments_max"));
    json_array_foreach(runtimes, i, runtime)(void) printf(" %s", json_string_value(runtime));
    (void)puts("");
}

/* Which of all certificates must be renewed first. */
static void print_certificates(const json_t *certificates)
{
    const json_t *first = NULL;
    json_t *one;
    char date[32];
    struct tm parts;
    time_t at;
    size_t i;

    json_array_foreach(certificates, i, one)
    {
        if (first == NULL || number_of(one, "expires_s") < number_of(first, "expires_s"))
            first = one;
    }
    if (first == NULL)
        return;
    at = (time_t)number_of(first, "expires_s");
    if (gmtime_r(&at, &parts) == NULL || strftime(date, sizeof date, "%Y-%m-%d", &parts) == 0)
        return;
    (void)printf("certificates: the first to run out is that of %s (%s), on %s, in %lld days\n",
                 text_of(first, "node"), text_of(first, "role"), date,
                 (number_of(first, "expires_s") - (long long)time(NULL)) / 86400);
}

int command_status(int argc, char **argv)
{
    json_t *answer;
    json_t *part;
    struct err err;
    size_t i;

    if (api_get("/_lapwing/v1/status", &answer, &err) != ST_OK) {
        (void)fprintf(stderr, "lapwing status: %s\n", err.text);
        return 1;
    }
    (void)printf("cluster %s, as node %s (zone %s) sees it\n", text_of(answer, "cluster"),
                 text_of(answer, "node"), text_of(answer, "zone"));
    json_array_foreach(json_object_get(answer, "groups"), i, part) print_group(part);
    (void)puts("workers:");
    json_array_foreach(json_object_get(answer, "workers"), i, part) print_worker(part);
    print_certificates(json_object_get(answer, "certificates"));
    json_decref(answer);
    return 0;
}
