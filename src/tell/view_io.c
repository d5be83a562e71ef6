#include "base/err.h"
#include "base/invariant.h"
#include "seam/clock.h"
#include "tell/view.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void view_init(struct view *v)
{
    *v = (struct view){.boot_id = clock_boot_id()};
}

/* The newest file that was refused in this look at the folder; files come newest first. */
struct refusal {
    char why[sizeof((struct view *)0)->refused_why];
};

static void refusal_note(void *context, const char *path, int err, const char *where)
{
    struct refusal *r = context;
    const char *name = strrchr(path, '/');
    bool more = where && *where;
    if (!r->why[0])
        snprintf(r->why, sizeof r->why, "%s: %s%s%s", name ? name + 1 : path, err_text(err),
                 more ? ": " : "", more ? where : "");
}

/* A file stays refused at every look; it counts once. */
static void refusal_count(struct view *v, const struct refusal *r)
{
    if (r->why[0] && strcmp(r->why, v->refused_why) != 0)
        v->refused++;
    memcpy(v->refused_why, r->why, sizeof v->refused_why);
}

/* A reader checks for itself, at the moment of taking a plan into use (L2). */
static int plan_refresh(struct view *v, const char *data, struct refusal *r)
{
    struct mapped file;
    struct plan plan;
    const char *where = "";
    uint64_t above = v->has_plan ? v->plan.generation : 0;
    int err = snapshot_load_between(data, above, UINT64_MAX, v->has_plan ? &v->plan : NULL, &file,
                                    &plan, refusal_note, r);
    if (err)
        return err == ERR_MISSING && v->has_plan ? 0 : err;
    err = snapshot_succeeds(v->has_plan ? &v->plan : NULL, &plan, &where);
    if (err) {
        char name[32];
        snprintf(name, sizeof name, "%020llu.plan", (unsigned long long)plan.generation);
        refusal_note(r, name, err, where);
        mapped_close(&file);
        return v->has_plan ? 0 : err;
    }
    if (v->has_plan)
        mapped_close(&v->plan_file);
    v->plan_file = file;
    v->plan = plan;
    v->has_plan = true;
    return 0;
}

static void board_refresh(struct view *v, const char *data)
{
    struct board board;
    struct board_header header;
    struct plan_target *targets;
    if (board_open(data, &board)) {
        v->has_board = false;
        return;
    }
    /* A copy that could not be had (control died while writing) leaves the one before, which ages.
     */
    if (board_read(&board, &targets, &header) == 0) {
        free(v->board_targets);
        v->board_targets = targets;
        v->board = header;
        v->has_board = header.boot_id == v->boot_id;
    }
    board_close(&board);
}

static void keys_refresh(struct view *v, const char *data)
{
    struct key_board *keys = NULL;
    int err = key_board_read(data, &keys);
    free(v->keys);
    v->keys = err ? NULL : keys;
}

static void incidents_refresh(struct view *v, const char *data)
{
    incidents_done(&v->incidents);
    v->has_incidents = incidents_read(data, &v->incidents) == 0;
}

static void roles_refresh(struct view *v, const char *data)
{
    for (unsigned i = 0; i < STATS_ROLES; i++) {
        struct view_role *r = &v->roles[i];
        if (r->has_stats)
            stats_close(&r->stats);
        int err = stats_open(data, stats_role_name((enum stats_role)i), &r->stats);
        r->has_stats = !err;
        r->foreign = err == ERR_VERSION;
        r->alive = r->has_stats && stats_alive(&r->stats);
    }
}

int view_refresh(struct view *v, const char *data)
{
    struct refusal refusal = {{0}};
    int err = plan_refresh(v, data, &refusal);
    refusal_count(v, &refusal);
    board_refresh(v, data);
    view_settle(v);
    keys_refresh(v, data);
    incidents_refresh(v, data);
    roles_refresh(v, data);
    v->now = clock_now();
    v->wall = clock_wall();
    return err;
}

void view_done(struct view *v)
{
    for (unsigned i = 0; i < STATS_ROLES; i++)
        if (v->roles[i].has_stats)
            stats_close(&v->roles[i].stats);
    if (v->has_plan)
        mapped_close(&v->plan_file);
    free(v->board_targets);
    free(v->keys);
    incidents_done(&v->incidents);
    *v = (struct view){0};
}
