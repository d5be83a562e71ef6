#include "tell/status_json.h"
#include "base/invariant.h"
#include "tell/answers.h"
#include "tell/findings.h"
#include "tell/incidents.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { PROBLEMS_TEXT_MAX = 1 << 16, ANSWERS_TEXT_MAX = 1 << 14 };

static void set(json_t *object, const char *key, json_t *value)
{
    invariant(value && json_object_set_new(object, key, value) == 0);
}

static void add(json_t *array, json_t *value)
{
    invariant(value && json_array_append_new(array, value) == 0);
}

/* Names are the operator's bytes; jansson refuses what is not UTF-8. */
static json_t *string(const char *text)
{
    json_t *s = json_string(text);
    return s ? s : json_string("?");
}

static json_t *string_or_null(const struct plan *p, uint32_t offset)
{
    return offset == PLAN_NONE ? json_null() : string(plan_text(p, offset));
}

static json_t *seconds(usec_t us)
{
    return json_real((double)us / (double)USEC_PER_SEC);
}

static json_t *problems_json(const struct view *v)
{
    json_t *list = json_array();
    struct text problems = text_init(PROBLEMS_TEXT_MAX);
    view_problems(v, &problems);
    for (char *line = problems.data, *end; line && (end = strchr(line, '\n')); line = end + 1) {
        *end = '\0';
        add(list, string(line));
    }
    text_done(&problems);
    return list;
}

static json_t *role_json(const struct view *v, enum stats_role role)
{
    const struct view_role *r = &v->roles[role];
    json_t *o = json_object();
    set(o, "role", string(stats_role_name(role)));
    set(o, "alive", json_boolean(r->alive));
    if (!r->has_stats)
        return o;
    set(o, "pid", json_integer(r->stats.header->pid));
    set(o, "started", json_integer(r->stats.header->started_wall));
    if (view_role_reads_plans(role))
        set(o, "generation", json_integer((json_int_t)stats_value(&r->stats, PLAN_GENERATION)));
    if (role != STATS_ROLE_SUPERVISOR)
        set(o, "restarts", json_integer((json_int_t)view_restarts(v, role)));
    char note[STATS_NOTE_MAX];
    stats_note_get(&r->stats, note);
    if (note[0])
        set(o, "note", string(note));
    return o;
}

static json_t *face_json(const struct view *v, const struct plan_face *f)
{
    json_t *o = json_object();
    struct text answers = text_init(ANSWERS_TEXT_MAX);
    set(o, "mode", string(face_mode_name((enum face_mode)f->mode)));
    if (f->mode != FACE_ABSENT) {
        answers_append(&answers, &v->plan, f->choice);
        set(o, "answers", string(text_string(&answers)));
        set(o, "ttl", json_integer(f->ttl));
        set(o, "velocity_held", json_boolean(f->velocity_held));
        set(o, "mode_age", seconds(view_age(v, f->since)));
    }
    text_done(&answers);
    return o;
}

static json_t *service_json(const struct view *v, const struct plan_service *s)
{
    const struct plan *p = &v->plan;
    json_t *o = json_object();
    set(o, "name", string(plan_text(p, s->name)));
    set(o, "policy", string(policy_name((enum policy)s->policy)));
    set(o, "when_all_down", string(when_all_down_name((enum when_all_down)s->when_all_down)));
    set(o, "zone",
        s->zone == PLAN_NONE ? json_null() : string(plan_text(p, p->files[s->zone].name)));
    set(o, "A", face_json(v, &s->faces[IP_V4]));
    set(o, "AAAA", face_json(v, &s->faces[IP_V6]));
    return o;
}

static json_t *target_json(const struct view *v, uint32_t index)
{
    const struct plan_target *t = &view_targets(v)[index];
    json_t *o = json_object(), *phases = json_object();
    char place[IP_TEXT_MAX];
    bool name = plan_target_is_name(&v->plan, t);
    set(o, name ? "name" : "address", string(plan_target_text(&v->plan, t, place)));
    if (name)
        set(o, "type", string(t->address.family == IP_V4 ? "A" : "AAAA"));
    set(o, "state", string(verdict_state_name((enum verdict_state)t->state)));
    set(o, "reason", string(reason_name((enum reason)t->reason)));
    set(o, "reason_sentence", string(reason_sentence((enum reason)t->reason)));
    set(o, "reason_phase", string(phase_name(reason_phase((enum reason)t->reason))));
    set(o, "down_reason", string(reason_name((enum reason)t->down_reason)));
    set(o, "status", json_integer(t->status));
    set(o, "state_age", t->since ? seconds(view_age(v, t->since)) : json_null());
    set(o, "sample_age", t->sampled ? seconds(view_age(v, t->sampled)) : json_null());
    set(o, "successes", json_integer(t->successes));
    set(o, "failures", json_integer(t->failures));
    set(o, "served", json_boolean(t->flags & TARGET_SERVED));
    set(o, "held", json_boolean(t->flags & TARGET_HELD));
    set(o, "frozen", json_boolean(t->flags & TARGET_FROZEN));
    set(o, "holding_down", json_boolean(t->flags & TARGET_HOLDING_DOWN));
    set(o, "certificate_expiring", json_boolean(t->flags & TARGET_EXPIRING));
    set(o, "certificate_end", t->certificate_end ? json_integer(t->certificate_end) : json_null());
    for (unsigned i = 0; i < PHASES; i++)
        if (t->phase_us[i])
            set(phases, phase_name((enum phase)i), seconds(t->phase_us[i]));
    set(o, "phases", phases);
    set(o, "seen", view_json(v, index));
    return o;
}

static json_t *endpoint_json(const struct view *v, const struct plan_endpoint *e)
{
    const struct plan *p = &v->plan;
    json_t *o = json_object(), *list = json_array(), *names = json_array();
    set(o, "service", string(plan_text(p, p->services[e->service].name)));
    set(o, "name", string(plan_text(p, e->name)));
    set(o, "region", string_or_null(p, e->region));
    set(o, "provider", string_or_null(p, e->provider));
    set(o, "admin", string(admin_state_name((enum admin_state)e->admin)));
    if (e->admin != ADMIN_AUTO) {
        set(o, "admin_author", string_or_null(p, e->author));
        set(o, "admin_reason", string_or_null(p, e->why));
        set(o, "admin_since", json_integer(e->ordered_wall));
    }
    set(o, "weight", json_integer(e->weight));
    set(o, "nested",
        e->nested == PLAN_NONE ? json_null() : string(plan_text(p, p->services[e->nested].name)));
    for (unsigned family = 0; family < IP_FAMILIES; family++) {
        uint32_t name = plan_target_by_name(p, (uint32_t)(e - p->endpoints), family);
        if (e->target[family] != PLAN_NONE)
            add(list, target_json(v, e->target[family]));
        if (name != PLAN_NONE)
            add(names, target_json(v, name));
    }
    set(o, "addresses", list);
    set(o, "names", names);
    return o;
}

static json_t *keys_json(const struct key_board *b)
{
    json_t *o = json_object(), *zones = json_array();
    for (uint32_t i = 0; i < b->count && b->zones[i].needs; i++) {
        const struct key_board_zone *z = &b->zones[i];
        json_t *zone = json_object();
        set(zone, "zone", string(z->name));
        set(zone, "ds_give", json_boolean(z->needs & KEYS_DS_GIVE));
        set(zone, "ds_remove", json_boolean(z->needs & KEYS_DS_REMOVE));
        set(zone, "stuck", json_boolean(z->needs & KEYS_STUCK));
        set(zone, "next_event", z->next_event ? json_integer(z->next_event) : json_null());
        set(zone, "signatures_end", json_integer(z->signatures_end));
        add(zones, zone);
    }
    set(o, "signed", json_integer(b->total));
    set(o, "needy", json_integer(b->needy));
    set(o, "zones", zones);
    return o;
}

static void plan_json(json_t *o, const struct view *v)
{
    const struct plan *p = &v->plan;
    json_t *services = json_array(), *endpoints = json_array();
    set(o, "node", string(plan_text(p, p->node)));
    set(o, "site", string(plan_text(p, p->site)));
    set(o, "network", string(plan_text(p, p->network)));
    set(o, "generation", json_integer((json_int_t)p->generation));
    set(o, "plan_age", seconds(view_plan_age(v)));
    for (uint32_t i = 0; i < p->service_count; i++)
        add(services, service_json(v, &p->services[i]));
    for (uint32_t i = 0; i < p->endpoint_count; i++)
        add(endpoints, endpoint_json(v, &p->endpoints[i]));
    set(o, "vantages", vantages_json(v));
    set(o, "causes", causes_json(v));
    set(o, "services", services);
    set(o, "endpoints", endpoints);
}

void status_json_render(struct text *out, const struct view *v)
{
    json_t *o = json_object(), *roles = json_array();
    invariant(o && roles);
    set(o, "version", string(HOLDFAST_VERSION));
    set(o, "problems", problems_json(v));
    set(o, "control_fresh", json_boolean(view_beat_fresh(v)));
    for (unsigned i = 0; i < STATS_ROLES; i++)
        add(roles, role_json(v, (enum stats_role)i));
    set(o, "roles", roles);
    if (v->keys)
        set(o, "keys", keys_json(v->keys));
    if (v->has_incidents)
        set(o, "incidents", incidents_json(v));
    if (v->has_plan)
        plan_json(o, v);
    char *dump = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(9));
    invariant(dump);
    text_append(out, dump);
    text_append(out, "\n");
    free(dump);
    json_decref(o);
}
