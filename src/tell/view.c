#include "tell/view.h"
#include "base/invariant.h"
#include <stdio.h>

static bool board_is_of_plan(const struct view *v)
{
    return v->has_board && v->board.target_count == v->plan.target_count &&
           v->board.config_fingerprint == v->plan.config_fingerprint &&
           v->plan.boot_id == v->boot_id;
}

void view_settle(struct view *v)
{
    if (!v->has_plan || !board_is_of_plan(v))
        return;
    for (uint32_t i = 0; i < v->plan.target_count; i++)
        v->board_targets[i].hostname = v->plan.targets[i].hostname;
}

const struct plan_target *view_targets(const struct view *v)
{
    invariant(v->has_plan);
    return board_is_of_plan(v) ? v->board_targets : v->plan.targets;
}

struct plan view_plan(const struct view *v)
{
    struct plan p = v->plan;
    const struct plan_view *views =
        board_is_of_plan(v) ? board_views(v->board_targets, &v->board) : NULL;
    p.targets = view_targets(v);
    if (views && p.view_count)
        p.views = views;
    return p;
}

bool view_beat_fresh(const struct view *v)
{
    return v->has_board && v->now - v->board.beat <= VIEW_BEAT_MAX_S * USEC_PER_SEC;
}

usec_t view_age(const struct view *v, usec_t when)
{
    usec_t age = v->plan.boot_id == v->boot_id
                     ? v->now - when
                     : v->plan.made - when + (v->wall - v->plan.made_wall);
    return age > 0 ? age : 0;
}

usec_t view_plan_age(const struct view *v)
{
    return view_age(v, v->plan.made);
}

char *age_format(usec_t age, char buffer[static AGE_TEXT_MAX])
{
    long long s = age / USEC_PER_SEC;
    if (age < USEC_PER_SEC)
        snprintf(buffer, AGE_TEXT_MAX, "%lldms", (long long)(age / USEC_PER_MSEC));
    else if (s < 60)
        snprintf(buffer, AGE_TEXT_MAX, "%lld.%llds", s, (long long)(age / 100000 % 10));
    else if (s < 3600)
        snprintf(buffer, AGE_TEXT_MAX, "%lldm%02llds", s / 60, s % 60);
    else if (s < 86400)
        snprintf(buffer, AGE_TEXT_MAX, "%lldh%02lldm", s / 3600, s / 60 % 60);
    else
        snprintf(buffer, AGE_TEXT_MAX, "%lldd%02lldh", s / 86400, s / 3600 % 24);
    return buffer;
}

bool view_role_reads_plans(enum stats_role role)
{
    return role == STATS_ROLE_DNS || role == STATS_ROLE_TELL;
}

uint64_t view_restarts(const struct view *v, enum stats_role role)
{
    static const int counters[STATS_ROLES] = {-1, SUPERVISOR_RESTARTS_CONTROL,
                                              SUPERVISOR_RESTARTS_DNS, SUPERVISOR_RESTARTS_TELL};
    const struct view_role *s = &v->roles[STATS_ROLE_SUPERVISOR];
    if (counters[role] < 0 || !s->has_stats)
        return 0;
    return stats_value(&s->stats, (enum stat_id)counters[role]);
}

static unsigned role_problems(const struct view *v, enum stats_role role, struct text *out)
{
    const struct view_role *r = &v->roles[role];
    const char *name = stats_role_name(role);
    if (!r->has_stats) {
        text_appendf(out,
                     r->foreign ? "%s is of another version than this program, which cannot read "
                                  "its counters: holdfast upgrade brings them together\n"
                                : "%s has not run yet\n",
                     name);
        return 1;
    }
    if (!r->alive) {
        text_appendf(out, "%s is not running (it was process %u)\n", name, r->stats.header->pid);
        return 1;
    }
    if (role != STATS_ROLE_DNS || !v->has_plan)
        return 0;
    uint64_t served = stats_value(&r->stats, PLAN_GENERATION);
    if (served == 0) {
        text_append(out, "dns serves no plan\n");
        return 1;
    }
    if (served < v->plan.generation && view_plan_age(v) > VIEW_BEAT_MAX_S * USEC_PER_SEC) {
        text_appendf(out, "dns still serves generation %llu, generation %llu is there\n",
                     (unsigned long long)served, (unsigned long long)v->plan.generation);
        return 1;
    }
    return 0;
}

static unsigned beat_problems(const struct view *v, struct text *out)
{
    char age[AGE_TEXT_MAX];
    if (view_beat_fresh(v))
        return 0;
    if (v->has_board)
        text_appendf(out,
                     "control has not written verdicts for %s: what is shown is old, answers go on"
                     " from the last plan\n",
                     age_format(v->now - v->board.beat, age));
    else
        text_append(out, "control has not written verdicts since this machine started\n");
    return 1;
}

/* 0 where the role has not counted yet. */
static uint64_t role_value(const struct view *v, enum stats_role role, enum stat_id which)
{
    const struct view_role *r = &v->roles[role];
    return r->has_stats ? stats_value(&r->stats, which) : 0;
}

/* Said on every page; the node serves as it should all the same, so it is no problem of its health.
 */
static void cluster_append(const struct view *v, struct text *out)
{
    uint64_t overrides = role_value(v, STATS_ROLE_CONTROL, CONTROL_OVERRIDES);
    if (overrides)
        text_appendf(
            out,
            "OVERRIDE: this node goes by %llu change(s) of its own that its cluster has not "
            "decided\n",
            (unsigned long long)overrides);
    if (role_value(v, STATS_ROLE_CONTROL, CONTROL_REPLICA_HALTED))
        text_append(out, "this node votes no more in its cluster: see holdfast nodes\n");
}

/* The same: who takes a node out of service for one zone takes all others with it. */
static void zones_append(const struct view *v, struct text *out)
{
    uint64_t lacking = role_value(v, STATS_ROLE_DNS, ZONES_LACKING);
    uint64_t behind = role_value(v, STATS_ROLE_CONTROL, CONTROL_ZONES_BEHIND);
    uint64_t expired = role_value(v, STATS_ROLE_CONTROL, CONTROL_ZONES_EXPIRED);
    if (lacking)
        text_appendf(
            out,
            "LACKING: the compiled files of %llu zone(s) are damaged, missing or not to be "
            "mapped: they are answered as before or not at all; the log of dns says which, "
            "and why (zone.lacking)\n",
            (unsigned long long)lacking);
    if (behind)
        text_appendf(out,
                     "BEHIND: the newest content of %llu zone(s) could not be made and is tried "
                     "again; they are answered as before; the log says why (zone.refused)\n",
                     (unsigned long long)behind);
    if (expired)
        text_appendf(out,
                     "EXPIRED: no primary has confirmed %llu zone(s) in time; holdfast zone status "
                     "names them, holdfast zone list which are answered\n",
                     (unsigned long long)expired);
}

unsigned view_problems(const struct view *v, struct text *out)
{
    unsigned count = 0;
    cluster_append(v, out);
    zones_append(v, out);
    if (!v->has_plan) {
        text_append(out, "there is no plan: nothing was published that passes the check\n");
        count++;
    }
    if (v->refused_why[0]) {
        text_appendf(out, "a newer plan was refused: %s\n", v->refused_why);
        count++;
    }
    for (unsigned i = 0; i < STATS_ROLES; i++)
        count += role_problems(v, (enum stats_role)i, out);
    if (v->keys)
        count += key_board_alarms(v->keys, v->wall / USEC_PER_SEC, out);
    return count + beat_problems(v, out);
}
