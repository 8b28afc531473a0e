/* lapwing logs NAME [-f]: what a function printed on all workers, merged by time. */
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"
#include "cli/api.h"
#include "cli/commands.h"
#include "cli/terminal_text.h"

enum { FOLLOW_PAUSE_MS = 300 };

static void print_line(const char *text)
{
    static int terminal = -1;
    struct buf shown = { 0 };

    if (terminal < 0)
        terminal = isatty(STDOUT_FILENO);
    if (!terminal) {
        (void)puts(text);
        return;
    }
    terminal_text(&shown, text);
    (void)puts(buf_text(&shown));
    buf_done(&shown);
}

/* Print one answer and remember where it ended.  Returns how many lines it had. */
static size_t print_lines(const json_t *answer, char **next)
{
    const char *end = json_string_value(json_object_get(answer, "next"));
    const json_t *lines = json_object_get(answer, "lines");
    json_t *line;
    size_t i;

    json_array_foreach(lines, i, line) print_line(json_string_value(json_object_get(line, "text")));
    (void)fflush(stdout);
    if (end != NULL) {
        free(*next);
        *next = api_encode(end);
    }
    return json_array_size(lines);
}

static int follow(const char *name, bool forever)
{
    char *function = api_encode(name);
    char *next = must_strdup("");
    struct err err;
    size_t count;

    do {
        struct buf path = { 0 };
        json_t *answer;
        enum status st;

        buf_printf(&path, "/_lapwing/v1/logs?after=%s&function=%s", next, function);
        st = api_get(buf_text(&path), &answer, &err);
        buf_done(&path);
        if (st != ST_OK) {
            (void)fprintf(stderr, "lapwing logs: %s\n", err.text);
            free(function);
            free(next);
            return 1;
        }
        count = print_lines(answer, &next);
        json_decref(answer);
        if (count == 0 && forever)
            (void)poll(NULL, 0, FOLLOW_PAUSE_MS);
    } while (count > 0 || forever);
    free(function);
    free(next);
    return 0;
}

int command_logs(int argc, char **argv)
{
    const char *name = NULL;
    bool forever = false;

    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "-f") == 0 || strcmp(argv[i], "--follow") == 0)
            forever = true;
        else if (argv[i][0] != '-' && name == NULL)
            name = argv[i];
        else
            name = "";
    }
    if (name == NULL || *name == '\0') {
        (void)fputs("usage: lapwing logs NAME [-f]\n", stderr);
        return 2;
    }
    return follow(name, forever);
}
