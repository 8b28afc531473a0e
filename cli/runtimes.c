/* lapwing runtimes: what the workers of the cluster can run, one a line, newest last. */
#include <stdio.h>

#include "cli/api.h"
#include "cli/commands.h"

int command_runtimes(int argc, char **argv)
{
    json_t *answer;
    json_t *runtime;
    struct err err;
    size_t i;

    if (api_get("/_lapwing/v1/runtimes", &answer, &err) != ST_OK) {
        (void)fprintf(stderr, "lapwing runtimes: %s\n", err.text);
        return 1;
    }
    json_array_foreach(json_object_get(answer, "runtimes"), i, runtime)(void)
        puts(json_string_value(runtime));
    json_decref(answer);
    return 0;
}
