/* lapwing node: add, remove and replace nodes of the control plane, and say which of them leads.
 *
 * A change is one command to the cluster, which then works on it by itself; what is waited for here
 * is only watched. */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/nodes.h"

enum { WAIT_S_DEFAULT = 300, WAIT_S_MAX = 86400, LOOK_MS = 500, FAILURES_MAX = 20 };

struct wishes {
    const char *verb;
    const char *names[2]; /* what stands alone */
    unsigned count;
    const char *zone;
    const char *control;
    const char *storage;
    bool no_wait;
    long wait_s;
};

static int usage(void)
{
    (void)puts("lapwing node add NODE --zone Z --control ADDRESS --storage ADDRESS\n"
               "             the new node's configuration is printed; start it, it catches up and "
               "joins\n"
               "lapwing node remove ID|NODE\n"
               "lapwing node replace OLD NEW --zone Z --control ADDRESS --storage ADDRESS\n"
               "             OLD may be dead; NEW may have its name if it is\n"
               "lapwing node lead [ID|NODE]\n"
               "             let it lead both groups; without one, another than now\n\n"
               "add, remove and replace wait until it is done: --no-wait, --wait SECONDS (300)");
    return 2;
}

static const char **option_of(struct wishes *wishes, const char *name)
{
    if (strcmp(name, "--zone") == 0)
        return &wishes->zone;
    if (strcmp(name, "--control") == 0)
        return &wishes->control;
    return strcmp(name, "--storage") == 0 ? &wishes->storage : NULL;
}

static bool read_wait(struct wishes *wishes, const char *value)
{
    char *end = NULL;

    wishes->wait_s = strtol(value, &end, 10);
    return *value != '\0' && *end == '\0' && wishes->wait_s > 0 && wishes->wait_s <= WAIT_S_MAX;
}

static bool read_wishes(struct wishes *wishes, int argc, char **argv)
{
    wishes->wait_s = WAIT_S_DEFAULT;
    for (int i = 0; i < argc; i++) {
        const char **option = option_of(wishes, argv[i]);
        const char *value = i + 1 < argc ? argv[i + 1] : "";

        if (strcmp(argv[i], "--no-wait") == 0) {
            wishes->no_wait = true;
        } else if (strcmp(argv[i], "--wait") == 0) {
            if (!read_wait(wishes, value))
                return false;
            i++;
        } else if (option != NULL) {
            *option = value;
            i++;
        } else if (argv[i][0] == '-' || wishes->count == ARRAY_LEN(wishes->names)) {
            return false;
        } else {
            wishes->names[wishes->count++] = argv[i];
        }
    }
    return true;
}

static int fail(const struct wishes *wishes, const struct err *err)
{
    (void)fprintf(stderr, "lapwing node %s: %s\n", wishes->verb, err->text);
    return 1;
}

/* body  NULL: what it was to be made of is not text */
static enum status post(const char *path, json_t *body, json_t **out, struct err *err)
{
    char *text;
    enum status st;

    if (body == NULL)
        return err_set(err, ST_BAD_INPUT, "name, zone and addresses: want UTF-8");
    text = json_dumps(body, JSON_COMPACT);
    CHECK(text != NULL);
    st = api_post(path, text, out, err);
    free(text);
    json_decref(body);
    return st;
}

/* The id of a node that is listed. */
static enum status id_of(const char *id_or_name, json_int_t *out, struct err *err)
{
    const json_t *node;
    json_t *answer;
    enum status st = nodes_get(&answer, err);

    if (st != ST_OK)
        return st;
    node = nodes_find(answer, id_or_name);
    if (node == NULL)
        st = err_set(err, ST_NOT_FOUND, "no node has the id or name %s: lapwing nodes lists them",
                     id_or_name);
    else
        *out = json_integer_value(json_object_get(node, "id"));
    json_decref(answer);
    return st;
}

/* ---- waiting ---- */

/* Done: the group is settled, and the answer knows of the change. */
static bool is_done(const json_t *answer, json_int_t id, bool present)
{
    const json_t *node;
    char text[24];
    bool there;

    (void)snprintf(text, sizeof text, "%lld", (long long)id);
    node = nodes_find(answer, text); /* another may have it for a name */
    there = node != NULL && json_integer_value(json_object_get(node, "id")) == id;
    return json_is_true(json_object_get(answer, "settled")) &&
           json_is_true(json_object_get(answer, "fresh")) && there == present;
}

/* What is new since the last look, so that a terminal shows progress and no film. */
static void show(const json_t *answer, char **before)
{
    char *now = json_dumps(json_object_get(answer, "nodes"), JSON_SORT_KEYS);

    if (now != NULL && (*before == NULL || strcmp(now, *before) != 0)) {
        nodes_print(answer);
        (void)puts("");
        (void)fflush(stdout);
    }
    free(*before);
    *before = now;
}

static int wait_for(const struct wishes *wishes, json_int_t id, bool present)
{
    char *before = NULL;
    unsigned failures = 0;
    bool done = false;
    struct err err;

    for (long left_ms = wishes->wait_s * 1000; !done && left_ms > 0; left_ms -= LOOK_MS) {
        json_t *answer;

        if (nodes_get(&answer, &err) !=
            ST_OK) { /* the node that answered may be the one that goes */
            if (++failures == FAILURES_MAX)
                return fail(wishes, &err);
        } else {
            show(answer, &before);
            done = is_done(answer, id, present);
            json_decref(answer);
            failures = 0;
        }
        if (!done)
            (void)poll(NULL, 0, LOOK_MS);
    }
    free(before);
    if (done)
        return 0;
    (void)fprintf(
        stderr,
        "lapwing node %s: not done after %ld s; the cluster goes on with it, lapwing nodes "
        "shows how far it is\n",
        wishes->verb, wishes->wait_s);
    return 1;
}

/* ---- the verbs ---- */

/* What the new node's configuration must say; its other sections are as on every node. */
static void print_configuration(const json_t *answer, json_int_t id)
{
    json_t *node;
    size_t i;

    (void)puts("The new node's configuration, beside what all nodes have and a certificate of its "
               "own:\n\n[node]\njoin = yes\n\n"
               "[members]");
    json_array_foreach(json_object_get(answer, "nodes"), i, node)
    {
        json_int_t at = json_integer_value(json_object_get(node, "id"));

        if (at != id && strcmp(json_string_value(json_object_get(node, "state")), "leaving") == 0)
            continue;
        (void)printf("%lld = %s,%s,%s,%s\n", (long long)at,
                     json_string_value(json_object_get(node, "node")),
                     json_string_value(json_object_get(node, "zone")),
                     json_string_value(json_object_get(node, "control_address")),
                     json_string_value(json_object_get(node, "storage_address")));
    }
    (void)puts("");
    (void)fflush(stdout);
}

static int add(const struct wishes *wishes, const char *node, json_int_t replaces)
{
    json_t *answer;
    json_int_t id;
    struct err err;

    if (wishes->zone == NULL || wishes->control == NULL || wishes->storage == NULL)
        return usage();
    if (post("/_lapwing/v1/nodes",
             json_pack("{s:s, s:s, s:s, s:s, s:I}", "node", node, "zone", wishes->zone,
                       "control_address", wishes->control, "storage_address", wishes->storage,
                       "replaces", replaces),
             &answer, &err) != ST_OK)
        return fail(wishes, &err);
    id = json_integer_value(json_object_get(answer, "id"));
    json_decref(answer);
    (void)printf("node %s has id %lld\n", node, (long long)id);
    if (nodes_get(&answer, &err) == ST_OK) {
        print_configuration(answer, id);
        json_decref(answer);
    }
    return wishes->no_wait ? 0 : wait_for(wishes, id, true);
}

static int replace(const struct wishes *wishes)
{
    json_int_t old;
    struct err err;

    if (wishes->count != 2)
        return usage();
    if (id_of(wishes->names[0], &old, &err) != ST_OK)
        return fail(wishes, &err);
    return add(wishes, wishes->names[1], old);
}

static int remove_node(const struct wishes *wishes)
{
    json_t *answer;
    json_int_t id;
    struct err err;

    if (wishes->count != 1)
        return usage();
    if (id_of(wishes->names[0], &id, &err) != ST_OK ||
        post("/_lapwing/v1/nodes/remove", json_pack("{s:I}", "id", id), &answer, &err) != ST_OK)
        return fail(wishes, &err);
    json_decref(answer);
    (void)printf("node %lld shall go\n", (long long)id);
    if (wishes->no_wait)
        return 0;
    if (wait_for(wishes, id, false) != 0)
        return 1;
    (void)puts("it is out: stop it and wipe its data");
    return 0;
}

static int lead(const struct wishes *wishes)
{
    json_t *answer;
    json_int_t id = 0;
    struct err err;

    if (wishes->count > 1)
        return usage();
    if ((wishes->count == 1 && id_of(wishes->names[0], &id, &err) != ST_OK) ||
        post("/_lapwing/v1/nodes/lead", json_pack("{s:I}", "id", id), &answer, &err) != ST_OK)
        return fail(wishes, &err);
    json_decref(answer);
    return 0;
}

int command_node(int argc, char **argv)
{
    struct wishes wishes = { .verb = argc > 0 ? argv[0] : "" };

    if (argc == 0 || !read_wishes(&wishes, argc - 1, argv + 1))
        return usage();
    if (strcmp(wishes.verb, "add") == 0)
        return wishes.count == 1 ? add(&wishes, wishes.names[0], 0) : usage();
    if (strcmp(wishes.verb, "remove") == 0)
        return remove_node(&wishes);
    if (strcmp(wishes.verb, "replace") == 0)
        return replace(&wishes);
    if (strcmp(wishes.verb, "lead") == 0)
        return lead(&wishes);
    return usage();
}
