#include "tell/table.h"
#include "tell/answers.h"
#include "tell/findings.h"
#include "tell/grid.h"
#include "tell/incidents.h"
#include <stdio.h>
#include <string.h>

struct table {
    struct text *out;
    const struct view *v;
    const struct plan_target *targets;
    bool colour;
    struct arena arena;
};

static const char *age_text(struct table *t, usec_t age)
{
    char text[AGE_TEXT_MAX];
    return arena_printf(&t->arena, "%s", age_format(age, text));
}

static void cells_set(struct grid_cell *row, unsigned count, const char *const *words)
{
    for (unsigned i = 0; i < count; i++)
        row[i] = (struct grid_cell){words[i], TONE_HEAD};
}

/* ---- the node ---- */

static void node_render(struct table *t)
{
    const struct view *v = t->v;
    if (v->has_plan) {
        const struct plan *p = &v->plan;
        text_append(t->out, "node ");
        tone_append(t->out, plan_text(p, p->node), TONE_HEAD, t->colour);
        text_appendf(t->out, ", site %s, network %s; plan generation %llu, %s old\n",
                     plan_text(p, p->site), plan_text(p, p->network),
                     (unsigned long long)p->generation, age_text(t, view_plan_age(v)));
    }
    struct text problems = text_init(1 << 16);
    view_problems(v, &problems);
    for (char *line = problems.data, *end; line && (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        tone_append(t->out, "! ", TONE_BAD, t->colour);
        tone_append(t->out, line, TONE_BAD, t->colour);
        text_append(t->out, "\n");
    }
    text_done(&problems);
}

static void role_row(struct table *t, struct grid *g, enum stats_role role)
{
    const struct view_role *r = &t->v->roles[role];
    struct grid_cell *row = grid_row(g);
    row[0].text = stats_role_name(role);
    if (!r->has_stats) {
        row[1] = (struct grid_cell){r->foreign ? "of another version" : "never ran", TONE_BAD};
        return;
    }
    bool stuck = role == STATS_ROLE_CONTROL && r->alive && !view_beat_fresh(t->v);
    row[1] = (struct grid_cell){stuck      ? "STUCK"
                                : r->alive ? "running"
                                           : "DEAD",
                                stuck || !r->alive ? TONE_BAD : TONE_GOOD};
    row[2].text = arena_printf(&t->arena, "%u", r->stats.header->pid);
    int64_t seconds = t->v->wall / USEC_PER_SEC - r->stats.header->started_wall;
    row[3].text = r->alive && seconds >= 0 ? age_text(t, seconds * USEC_PER_SEC) : "";
    if (view_role_reads_plans(role))
        row[4].text = arena_printf(&t->arena, "%llu",
                                   (unsigned long long)stats_value(&r->stats, PLAN_GENERATION));
    uint64_t restarts = view_restarts(t->v, role);
    row[5] = (struct grid_cell){arena_printf(&t->arena, "%llu", (unsigned long long)restarts),
                                restarts ? TONE_WARN : TONE_PLAIN};
}

static void note_render(struct table *t, enum stats_role role)
{
    const struct view_role *r = &t->v->roles[role];
    char note[STATS_NOTE_MAX] = "";
    if (r->has_stats)
        stats_note_get(&r->stats, note);
    if (note[0])
        text_appendf(t->out, "%s: %s\n", stats_role_name(role), note);
}

static void roles_render(struct table *t)
{
    static const char *const heads[] = {"ROLE", "STATE", "PID", "FOR", "SERVES", "RESTARTS"};
    struct grid g = grid_init(&t->arena, array_length(heads));
    cells_set(grid_row(&g), array_length(heads), heads);
    for (unsigned i = 0; i < STATS_ROLES; i++)
        role_row(t, &g, (enum stats_role)i);
    text_append(t->out, "\n");
    grid_render(t->out, &g, t->colour);
    grid_done(&g);
    for (unsigned i = 0; i < STATS_ROLES; i++)
        note_render(t, (enum stats_role)i);
}

/* ---- services ---- */

static void face_row(struct table *t, struct grid *g, const struct plan_service *s, unsigned family)
{
    const struct plan *p = &t->v->plan;
    const struct plan_face *f = &s->faces[family];
    struct grid_cell *row = grid_row(g);
    struct text answers = text_init(4096);
    answers_append(&answers, p, f->choice);
    row[0].text = plan_text(p, s->name);
    row[1].text = policy_name((enum policy)s->policy);
    row[2].text = family == IP_V4 ? "A" : "AAAA";
    bool normal = f->mode == FACE_NORMAL;
    row[3] = (struct grid_cell){
        normal ? "normal"
               : arena_printf(&t->arena, "FAIL-OPEN:%s", face_mode_name((enum face_mode)f->mode)),
        normal ? TONE_GOOD : TONE_BAD};
    if (f->velocity_held)
        row[4] = (struct grid_cell){"HELD", TONE_BAD};
    row[5].text = arena_printf(&t->arena, "%us", f->ttl);
    row[6].text = arena_string(&t->arena, text_string(&answers), answers.length);
    text_done(&answers);
}

static void services_render(struct table *t)
{
    static const char *const heads[] = {"SERVICE",  "POLICY", "TYPE",   "MODE",
                                        "VELOCITY", "TTL",    "ANSWERS"};
    const struct plan *p = &t->v->plan;
    struct grid g = grid_init(&t->arena, array_length(heads));
    cells_set(grid_row(&g), array_length(heads), heads);
    for (uint32_t i = 0; i < p->service_count; i++)
        for (unsigned family = 0; family < IP_FAMILIES; family++)
            if (p->services[i].faces[family].mode != FACE_ABSENT)
                face_row(t, &g, &p->services[i], family);
    text_append(t->out, "\n");
    grid_render(t->out, &g, t->colour);
    grid_done(&g);
}

/* ---- findings ---- */

static void findings_render(struct table *t)
{
    struct text lines = text_init(TABLE_MAX);
    findings_lines(&lines, t->v);
    if (lines.length) {
        text_append(t->out, "\n");
        text_append(t->out, text_string(&lines));
    }
    text_done(&lines);
}

/* ---- incidents ---- */

static void incidents_render(struct table *t)
{
    struct text lines = text_init(TABLE_MAX);
    incidents_lines(&lines, t->v);
    if (lines.length) {
        text_append(t->out, "\n");
        tone_append(t->out, text_string(&lines), TONE_WARN, t->colour);
    }
    text_done(&lines);
}

/* ---- keys ---- */

static const char *need_text(unsigned needs)
{
    return needs & KEYS_STUCK          ? "cannot be signed: see the log"
           : !(needs & KEYS_DS_REMOVE) ? "give the parent a DS"
           : !(needs & KEYS_DS_GIVE)   ? "have the parent remove a DS"
                                       : "give the parent a DS, remove another";
}

/* Zones whose keys wait for a person, and nothing where none does. */
static void keys_render(struct table *t)
{
    enum { ROWS_MAX = 10 };
    const struct key_board *b = t->v->keys;
    uint32_t rows = b->needy < ROWS_MAX ? b->needy : ROWS_MAX;
    if (!rows)
        return;
    text_append(t->out, "\n");
    for (uint32_t i = 0; i < rows && i < b->count; i++) {
        const struct key_board_zone *z = &b->zones[i];
        tone_append(t->out, "keys of ", TONE_WARN, t->colour);
        tone_append(t->out, z->name, TONE_WARN, t->colour);
        text_appendf(t->out, ": %s (holdfast dnssec status %s)\n", need_text(z->needs), z->name);
    }
    if (b->needy > rows)
        text_appendf(t->out, "keys of %u more zones wait for somebody\n", b->needy - rows);
}

/* ---- endpoints ---- */

static struct grid_cell admin_cell(enum admin_state admin)
{
    static const char *const words[ADMIN_STATES] = {"auto", "DRAINED", "DISABLED", "FORCED-UP"};
    return (struct grid_cell){words[admin], admin == ADMIN_AUTO ? TONE_DIM : TONE_WARN};
}

static struct grid_cell state_cell(enum verdict_state state)
{
    static const enum tone tones[VERDICT_STATES] = {TONE_WARN, TONE_GOOD, TONE_BAD, TONE_DIM};
    return (struct grid_cell){state == VERDICT_DOWN ? "DOWN" : verdict_state_name(state),
                              tones[state]};
}

static const char *reason_text(struct table *t, const struct plan_target *target)
{
    if (target->state == VERDICT_UNCHECKED)
        return "no check";
    const char *now = reason_name((enum reason)target->reason);
    if (target->reason == REASON_STATUS)
        now = arena_printf(&t->arena, "%s %u", now, target->status);
    if (target->state == VERDICT_DOWN && target->down_reason != target->reason)
        return arena_printf(&t->arena, "%s, now %s", reason_name((enum reason)target->down_reason),
                            now);
    return now;
}

static const char *phases_text(struct table *t, const struct plan_target *target)
{
    const char *all = "";
    for (unsigned i = 0; i < PHASES; i++) {
        char took[DURATION_TEXT_MAX];
        if (target->phase_us[i])
            all =
                arena_printf(&t->arena, "%s%s%s %s", all, *all ? " " : "",
                             phase_name((enum phase)i), duration_format(target->phase_us[i], took));
    }
    return all;
}

static const char *flags_text(struct table *t, uint8_t flags)
{
    static const struct {
        uint8_t flag;
        const char *word;
    } words[] = {{TARGET_SERVED, "served"},
                 {TARGET_HELD, "HELD"},
                 {TARGET_FROZEN, "FROZEN"},
                 {TARGET_HOLDING_DOWN, "hold-down"},
                 {TARGET_EXPIRING, "CERT-EXPIRING"}};
    const char *all = "";
    for (size_t i = 0; i < array_length(words); i++)
        if (flags & words[i].flag)
            all = arena_printf(&t->arena, "%s%s%s", all, *all ? " " : "", words[i].word);
    return all;
}

static void target_row(struct table *t, struct grid *g, const struct plan_endpoint *e,
                       const struct plan_target *target)
{
    const struct plan *p = &t->v->plan;
    char place[IP_TEXT_MAX];
    bool name = plan_target_is_name(p, target);
    struct grid_cell *row = grid_row(g);
    row[0].text = plan_text(p, p->services[e->service].name);
    row[1].text = plan_text(p, e->name);
    row[2].text = arena_printf(&t->arena, "%s", plan_target_text(p, target, place));
    row[3].text = plan_text(p, e->region);
    row[4] = state_cell((enum verdict_state)target->state);
    row[5] = admin_cell((enum admin_state)e->admin);
    row[6].text = reason_text(t, target);
    row[7].text = target->since ? age_text(t, view_age(t->v, target->since)) : "";
    row[8].text = name ? arena_printf(&t->arena, "by-name %s", flags_text(t, target->flags))
                       : flags_text(t, target->flags);
    row[9] = (struct grid_cell){phases_text(t, target), TONE_DIM};
}

static void endpoint_rows(struct table *t, struct grid *g, const struct plan_endpoint *e)
{
    const struct plan *p = &t->v->plan;
    if (e->nested != PLAN_NONE) {
        struct grid_cell *row = grid_row(g);
        row[0].text = plan_text(p, p->services[e->service].name);
        row[1].text = plan_text(p, e->name);
        row[2].text = arena_printf(&t->arena, "-> %s", plan_text(p, p->services[e->nested].name));
        row[3].text = plan_text(p, e->region);
        row[5] = admin_cell((enum admin_state)e->admin);
        row[8].text = flags_text(t, (e->served ? TARGET_SERVED : 0) | (e->held ? TARGET_HELD : 0));
        return;
    }
    for (unsigned family = 0; family < IP_FAMILIES; family++)
        if (e->target[family] != PLAN_NONE)
            target_row(t, g, e, &t->targets[e->target[family]]);
    for (unsigned family = 0; family < IP_FAMILIES; family++) {
        uint32_t name = plan_target_by_name(p, (uint32_t)(e - p->endpoints), family);
        if (name != PLAN_NONE)
            target_row(t, g, e, &t->targets[name]);
    }
}

static void endpoints_render(struct table *t)
{
    static const char *const heads[] = {"SERVICE", "ENDPOINT", "ADDRESS", "REGION", "STATE",
                                        "ADMIN",   "REASON",   "FOR",     "FLAGS",  "LAST PROBE"};
    const struct plan *p = &t->v->plan;
    struct grid g = grid_init(&t->arena, array_length(heads));
    cells_set(grid_row(&g), array_length(heads), heads);
    for (uint32_t i = 0; i < p->endpoint_count; i++)
        endpoint_rows(t, &g, &p->endpoints[i]);
    text_append(t->out, "\n");
    grid_render(t->out, &g, t->colour);
    grid_done(&g);
}

void table_render(struct text *out, const struct view *v, bool colour)
{
    struct table t = {.out = out, .v = v, .colour = colour, .arena = arena_init()};
    node_render(&t);
    incidents_render(&t);
    roles_render(&t);
    if (v->keys)
        keys_render(&t);
    if (v->has_plan) {
        t.targets = view_targets(v);
        services_render(&t);
        findings_render(&t);
        endpoints_render(&t);
    }
    arena_done(&t.arena);
}
