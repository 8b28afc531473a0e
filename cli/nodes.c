/* lapwing nodes: who is in the control plane, and how far they are. */
#include "cli/nodes.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "cli/api.h"
#include "cli/commands.h"

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text == NULL || *text == '\0' ? "-" : text;
}

static bool is_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

static void print_place(const json_t *place, const char *group)
{
    const json_t *lag = json_object_get(place, "lag");

    (void)printf("  %s %s", group, text_of(place, "membership"));
    if (is_true(place, "leader"))
        (void)printf(", leads");
    else if (!is_true(place, "connected"))
        (void)printf(", NOT CONNECTED");
    else if (lag != NULL && json_integer_value(lag) > 0)
        (void)printf(", %lld behind", (long long)json_integer_value(lag));
}

void nodes_print(const json_t *answer)
{
    json_t *node;
    size_t i;

    json_array_foreach(json_object_get(answer, "nodes"), i, node)
    {
        (void)printf("%3lld  %-12s zone %-4s %-8s",
                     (long long)json_integer_value(json_object_get(node, "id")),
                     text_of(node, "node"), text_of(node, "zone"), text_of(node, "state"));
        print_place(json_object_get(node, "control"), "control");
        print_place(json_object_get(node, "storage"), "storage");
        (void)puts("");
    }
    (void)puts(is_true(answer, "settled") ? "settled" : "not settled yet");
    if (!is_true(answer, "fresh"))
        (void)puts("no quorum answers: this is what one node remembers");
}

/* Names may be numbers: an id goes before them. */
const json_t *nodes_find(const json_t *answer, const char *id_or_name)
{
    const json_t *named = NULL;
    char id[24];
    json_t *node;
    size_t i;

    json_array_foreach(json_object_get(answer, "nodes"), i, node)
    {
        (void)snprintf(id, sizeof id, "%lld",
                       (long long)json_integer_value(json_object_get(node, "id")));
        if (strcmp(id, id_or_name) == 0)
            return node;
        if (named == NULL && strcmp(text_of(node, "node"), id_or_name) == 0)
            named = node;
    }
    return named;
}

enum status nodes_get(json_t **out, struct err *err)
{
    return api_get("/_lapwing/v1/nodes", out, err);
}

int command_nodes(int argc, char **argv)
{
    json_t *answer;
    struct err err;

    (void)argc;
    (void)argv;
    if (nodes_get(&answer, &err) != ST_OK) {
        (void)fprintf(stderr, "lapwing nodes: %s\n", err.text);
        return 1;
    }
    nodes_print(answer);
    json_decref(answer);
    return 0;
}
