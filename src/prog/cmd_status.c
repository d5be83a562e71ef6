/* `holdfast status`: what the files of this host say, with every process dead or alive. */
#include "base/err.h"
#include "prog/commands.h"
#include "prog/options.h"
#include "tell/status_json.h"
#include "tell/table.h"
#include "tell/view.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: holdfast status [--config FILE | --data DIR] [--json] [--watch]\n\n"
    "Shows the node, its roles, its services with their answers, and its endpoints with verdicts,\n"
    "reasons and ages. Reads the files of this host only: it works with every process dead.\n\n"
    "  --config FILE  take the data folder from this configuration\n"
    "  --data DIR     the data folder (default " DATA_DEFAULT ")\n"
    "  --json         one JSON object (with --watch: one a line)\n"
    "  --watch        again every second, until interrupted\n\n"
    "Exit status: 0 shown; 1 there is nothing to show; 2 wrong usage.\n";

struct status {
    char data[PATH_MAX];
    bool json, watch, colour, screen;
};

/* Homes, writes, and clears what an earlier, longer table left: no flicker. */
static void screen_write(const struct text *t)
{
    fputs("\033[H", stdout);
    for (const char *line = text_string(t), *end; (end = strchr(line, '\n')); line = end + 1)
        printf("%.*s\033[K\n", (int)(end - line), line);
    fputs("\033[J", stdout);
}

static int status_show(const struct status *s, struct view *v, struct text *out)
{
    int err = view_refresh(v, s->data);
    text_reset(out);
    if (s->json)
        status_json_render(out, v);
    else
        table_render(out, v, s->colour);
    if (s->screen)
        screen_write(out);
    else
        fputs(text_string(out), stdout);
    fflush(stdout);
    return err;
}

static bool anything_there(const struct view *v)
{
    bool there = v->has_plan || v->has_board;
    for (unsigned i = 0; i < STATS_ROLES; i++)
        there = there || v->roles[i].has_stats;
    return there;
}

/* A folder without anything is more likely a wrong path than a node without a past. */
static int nothing_said(const char *data)
{
    const char *why = access(data, R_OK | X_OK) ? strerror(errno) : "no node has run here yet";
    fprintf(stderr,
            "holdfast: nothing to show in %s: %s (--data or --config names another folder)\n", data,
            why);
    return 1;
}

int cmd_status(int argc, char **argv)
{
    const char *config = NULL, *data = NULL;
    struct status s = {.json = false};
    struct words words;
    const struct option_spec specs[] = {{"config", 'c', NULL, &config},
                                        {"data", 'd', NULL, &data},
                                        {"json", 'j', &s.json, NULL},
                                        {"watch", 'w', &s.watch, NULL}};
    int status = options_parse(argc, argv, usage, specs, array_length(specs), &words);
    if (status >= 0)
        return status;
    if (words.count)
        return options_wrong(usage, "\"%s\" is not an option", words.list[0]);
    status = options_data(data, config, s.data);
    if (status)
        return status;
    s.colour = !s.json && options_colour(STDOUT_FILENO);
    s.screen = s.watch && !s.json && isatty(STDOUT_FILENO);
    struct view v;
    struct text out = text_init(TABLE_MAX);
    view_init(&v);
    (void)view_refresh(&v, s.data);
    if (!s.watch && !anything_there(&v)) {
        status = nothing_said(s.data);
    } else {
        (void)status_show(&s, &v, &out); /* what is wrong with the plan is part of what is shown */
        while (s.watch && !ferror(stdout)) {
            sleep(1);
            (void)status_show(&s, &v, &out);
        }
    }
    text_done(&out);
    view_done(&v);
    return status;
}
