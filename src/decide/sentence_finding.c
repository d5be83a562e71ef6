/* Sentences about what several vantages found (model/finding.h). */
#include "base/text.h"
#include "decide/sentence.h"
#include "model/finding.h"
#include <stdio.h>
#include <string.h>

enum { SENTENCE_MAX = 399 };

struct telling {
    struct step *step;
    struct plan plan; /* as it stands */
    int64_t clock;
    struct text words;
};

static void finding_tell(struct telling *t, uint32_t i)
{
    const struct plan_target *target = &t->plan.targets[i];
    char subject[240], place[IP_TEXT_MAX];
    text_reset(&t->words);
    snprintf(subject, sizeof subject, "%.60s/%.40s %.100s",
             plan_text(&t->plan, t->plan.services[target->service].name),
             plan_text(&t->plan, t->plan.endpoints[target->endpoint].name),
             plan_target_text(&t->plan, target, place));
    finding_write(&t->plan, i, subject, t->clock, &t->words);
    if (t->words.length)
        event_add(t->step->events, EVENT_FINDING, i, target->service, target->address.family, "%s",
                  text_string(&t->words));
}

static void findings_changed(struct telling *t)
{
    const struct plan *before = t->step->carry->previous;
    for (uint32_t i = 0; i < t->plan.view_count; i++) {
        uint32_t old = carry_target_index(t->step->carry, i);
        bool known = old != PLAN_NONE && before->view_count;
        uint8_t was = known ? before->views[old].finding : FINDING_NONE;
        if (t->plan.views[i].finding != was)
            finding_tell(t, i);
    }
}

static bool cause_is_new(const struct telling *t, const struct plan_cause *cause)
{
    const struct plan *before = t->step->carry->previous;
    for (uint32_t i = 0; i < before->cause_count; i++) {
        const struct plan_cause *old = &before->causes[i];
        if (old->kind == cause->kind && old->finding == cause->finding &&
            strcmp(plan_text(before, old->name), plan_text(&t->plan, cause->name)) == 0)
            return false;
    }
    return true;
}

static void causes_changed(struct telling *t)
{
    for (uint32_t i = 0; i < t->plan.cause_count; i++) {
        if (!cause_is_new(t, &t->plan.causes[i]))
            continue;
        text_reset(&t->words);
        cause_write(&t->plan, &t->plan.causes[i], t->clock, &t->words);
        event_add(t->step->events, EVENT_CAUSE, PLAN_NONE, PLAN_NONE, 0, "%s",
                  text_string(&t->words));
    }
}

static const struct plan_vantage *vantage_was(const struct plan *before, uint64_t id)
{
    for (uint32_t i = 0; i < before->vantage_count; i++)
        if (before->vantages[i].id == id)
            return &before->vantages[i];
    return NULL;
}

static void vantages_changed(struct telling *t)
{
    for (uint32_t i = 0; i < t->plan.vantage_count; i++) {
        const struct plan_vantage *v = &t->plan.vantages[i];
        const struct plan_vantage *was = vantage_was(t->step->carry->previous, v->id);
        if (!was || was->state == v->state)
            continue;
        text_reset(&t->words);
        vantage_write_state(&t->plan, i, t->clock, &t->words);
        if (!t->words.length)
            text_appendf(&t->words, "vantage %s in %s votes", plan_text(&t->plan, v->node),
                         plan_text(&t->plan, v->network));
        event_add(t->step->events, EVENT_VANTAGE, PLAN_NONE, PLAN_NONE, 0, "%s",
                  text_string(&t->words));
    }
}

void findings_tell(struct step *step)
{
    if (!step->next->view_count)
        return;
    struct telling t = {.step = step,
                        .plan = store_plan(step->next, step->layout),
                        .clock = step->input->wall - step->now,
                        .words = text_init(SENTENCE_MAX)};
    vantages_changed(&t);
    causes_changed(&t);
    findings_changed(&t);
    text_done(&t.words);
}
