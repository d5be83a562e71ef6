#include "tell/findings.h"

#include "base/invariant.h"
#include "model/finding.h"
#include <stdio.h>

enum { SENTENCE_MAX = 1000, SUBJECT_MAX = 256 };

/* Wall time less monotonic time, as the plan's times want it. */
static int64_t clock_of(const struct view *v)
{
    return v->boot_id == v->plan.boot_id ? v->wall - v->now : v->plan.made_wall - v->plan.made;
}

void finding_line(struct text *out, const struct view *v, uint32_t target)
{
    const struct plan live = view_plan(v), *p = &live;
    char subject[SUBJECT_MAX], place[IP_TEXT_MAX];
    if (target >= p->view_count)
        return;
    const struct plan_target *t = &p->targets[target];
    snprintf(subject, sizeof subject, "%.80s/%.63s %.100s",
             plan_text(p, p->services[t->service].name),
             plan_text(p, p->endpoints[t->endpoint].name), plan_target_text(p, t, place));
    finding_write(p, target, subject, clock_of(v), out);
}

static void line_end(struct text *out, size_t before)
{
    if (out->length > before)
        text_append(out, "\n");
}

void findings_lines(struct text *out, const struct view *v)
{
    const struct plan live = view_plan(v), *p = &live;
    unsigned shown = 0, left_out = 0;
    for (uint32_t i = 0; i < p->vantage_count; i++) {
        size_t before = out->length;
        vantage_write_state(p, i, clock_of(v), out);
        line_end(out, before);
    }
    for (uint32_t i = 0; i < p->cause_count; i++) {
        cause_write(p, &p->causes[i], clock_of(v), out);
        text_append(out, "\n");
    }
    for (uint32_t i = 0; i < p->view_count; i++) {
        if (p->views[i].finding == FINDING_NONE)
            continue;
        if (shown++ >= FINDINGS_SHOWN) {
            left_out++;
            continue;
        }
        finding_line(out, v, i);
        text_append(out, "\n");
    }
    if (left_out)
        text_appendf(out, "and %u more\n", left_out);
}

/* ---- for programs ---- */

static void set(json_t *object, const char *key, json_t *value)
{
    invariant(value && json_object_set_new(object, key, value) == 0);
}

/* Names are the operator's bytes; jansson refuses what is not UTF-8. */
static json_t *string(const char *text)
{
    json_t *s = json_string(text);
    return s ? s : json_string("?");
}

static json_t *sentence(struct text *words)
{
    json_t *s = words->length ? string(text_string(words)) : json_null();
    text_done(words);
    return s;
}

json_t *vantages_json(const struct view *v)
{
    const struct plan live = view_plan(v), *p = &live;
    json_t *list = json_array();
    for (uint32_t i = 0; i < p->vantage_count; i++) {
        const struct plan_vantage *from = &p->vantages[i];
        struct text words = text_init(SENTENCE_MAX);
        json_t *o = json_object();
        vantage_write_state(p, i, clock_of(v), &words);
        set(o, "id", json_integer((json_int_t)from->id));
        set(o, "node", string(plan_text(p, from->node)));
        set(o, "site", string(plan_text(p, from->site)));
        set(o, "network", string(plan_text(p, from->network)));
        set(o, "state", string(vantage_state_name((enum vantage_state)from->state)));
        set(o, "sentence", sentence(&words));
        json_array_append_new(list, o);
    }
    return list;
}

/* The vantages of a word, by the names of their nodes. */
static json_t *nodes_json(const struct plan *p, uint64_t word)
{
    json_t *list = json_array();
    for (uint32_t i = 0; i < p->vantage_count; i++)
        if (word >> i & 1)
            json_array_append_new(list, string(plan_text(p, p->vantages[i].node)));
    return list;
}

json_t *causes_json(const struct view *v)
{
    static const char *const kinds[CAUSE_KINDS] = {"region", "provider", "network"};
    const struct plan live = view_plan(v), *p = &live;
    json_t *list = json_array();
    for (uint32_t i = 0; i < p->cause_count; i++) {
        const struct plan_cause *from = &p->causes[i];
        struct text words = text_init(SENTENCE_MAX);
        json_t *o = json_object();
        cause_write(p, from, clock_of(v), &words);
        set(o, "kind", string(kinds[from->kind]));
        set(o, "name", string(plan_text(p, from->name)));
        set(o, "finding", string(finding_name((enum finding)from->finding)));
        set(o, "failing", json_integer(from->failing));
        set(o, "count", json_integer(from->count));
        set(o, "odds", json_integer(from->odds));
        set(o, "sentence", sentence(&words));
        json_array_append_new(list, o);
    }
    return list;
}

json_t *view_json(const struct view *v, uint32_t target)
{
    const struct plan live = view_plan(v), *p = &live;
    if (target >= p->view_count)
        return json_null();
    const struct plan_view *from = &p->views[target];
    struct text words = text_init(SENTENCE_MAX);
    json_t *o = json_object();
    finding_line(&words, v, target);
    set(o, "finding", string(finding_name((enum finding)from->finding)));
    set(o, "sentence", sentence(&words));
    set(o, "reason", string(reason_name((enum reason)from->far_reason)));
    set(o, "reason_phase", string(phase_name(reason_phase((enum reason)from->far_reason))));
    set(o, "networks", json_integer(from->networks));
    set(o, "networks_up", json_integer(from->networks_up));
    set(o, "networks_down", json_integer(from->networks_down));
    set(o, "up", nodes_json(p, from->up));
    set(o, "down", nodes_json(p, from->down));
    set(o, "inside", nodes_json(p, from->inside));
    set(o, "own", string(verdict_state_name((enum verdict_state)from->own)));
    set(o, "p50", json_real(from->p50_us / 1e6));
    set(o, "p99", json_real(from->p99_us / 1e6));
    set(o, "usual_p99", json_real(from->usual_us / 1e6));
    set(o, "loss", json_real(from->loss_ppm / 1e6));
    set(o, "loss_of", string(from->slow & SLOW_SEGMENTS ? "segments" : "probes"));
    return o;
}
