/* See runtimes.h.  Lists as recorded from AWS in 2026; a new name is a new word here. */
#include "controlplane/api/lambda/runtimes.h"

#include <stdbool.h>
#include <string.h>

const char runtimes_current_text[] =
    "nodejs20.x, python3.14, provided.al2023, python3.12, python3.13, nodejs24.x, nodejs22.x, "
    "java25, python3.10, python3.11, java21, ruby3.3, ruby3.4, ruby3.2, python3.8, python3.9, "
    "java17, nodejs16.x, dotnet10, dotnet8, java11, dotnet6, nodejs18.x, provided.al2, java8.al2";

static const char ended_text[] =
    "nodejs, nodejs4.3, nodejs4.3-edge, nodejs6.10, nodejs8.10, nodejs10.x, nodejs12.x, "
    "nodejs14.x, java8, python2.7, python3.6, python3.7, dotnetcore1.0, dotnetcore2.0, "
    "dotnetcore2.1, dotnetcore3.1, go1.x, ruby2.5, ruby2.7, provided";

static bool list_has(const char *list, const char *name)
{
    size_t len = strlen(name);

    while (*list != '\0') {
        size_t word = strcspn(list, ",");

        if (word == len && strncmp(list, name, len) == 0)
            return true;
        list += word;
        list += strspn(list, ", ");
    }
    return false;
}

enum runtime_standing runtime_standing(const char *name)
{
    if (list_has(runtimes_current_text, name))
        return RUNTIME_CURRENT;
    return list_has(ended_text, name) ? RUNTIME_ENDED : RUNTIME_UNKNOWN;
}
