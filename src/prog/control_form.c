/* Forms for transfers follow the plan. The plan with new answers goes out at once; what other
 * name servers can fetch comes after it, with a serial of its own, made in a worker (L6):
 *
 *  1. A form is compared with what the plan answers, not with what changed, so nothing that happens
 *     while one is made, refused or lost is missed.
 *  2. A zone gets at most one form a second, and one that takes long to make fewer: changes in
 *     between fall together. So however fast health moves, secondaries and disks see a bounded
 *     rate. */
#include "base/memory.h"
#include "model/zone_form.h"
#include "prog/control.h"
#include <stdlib.h>
#include <string.h>

/* The plan is of the configuration in use: not so between a reload and the step after it. */
static bool plan_fits(const struct control *c)
{
    const struct config *config = c->loaded->config;
    return c->plan.generation && c->plan.config_fingerprint == config->fingerprint &&
           c->plan.service_count == config->service_count;
}

struct form_answer *control_form_answers(const struct control *c, uint32_t zone)
{
    const struct loaded_zone *z = &c->loaded->zones[zone];
    const struct config *config = c->loaded->config;
    uint32_t count = 0;
    if (!z->answers || !plan_fits(c))
        return NULL;
    struct form_answer *list = mem_new(z->answer_count + (size_t)1, sizeof *list);
    for (uint32_t i = 0; i < config->service_count && count < z->answer_count; i++)
        if (config->services[i].zone == (int)zone)
            form_answer_of(&c->plan, i, &list[count++]);
    return list;
}

/* One walk over all services: the n-th of a zone is the n-th of its answers. */
static void forms_compare(struct control *c, usec_t now)
{
    struct loaded *l = c->loaded;
    uint32_t *next = mem_new(l->config->zone_count + (size_t)1, sizeof *next);
    c->forms_wait = false;
    for (uint32_t i = 0; i < l->config->service_count; i++) {
        int zone = l->config->services[i].zone;
        struct loaded_zone *z = zone < 0 ? NULL : &l->zones[zone];
        struct form_answer answer;
        if (!z || !z->answers)
            continue;
        form_answer_of(&c->plan, i, &answer);
        const struct form_answer *has = &z->answers[next[zone]++];
        if (!z->form_stale && !memcmp(has, &answer, sizeof answer))
            continue;
        c->forms_wait = true;
        if (now >= z->form_due)
            control_zone_wish(c, (uint32_t)zone, REMAKE_FORM);
    }
    free(next);
}

void control_forms(struct control *c, usec_t now, bool changed)
{
    c->forms_wait |= changed;
    if (!c->forms_wait || c->remake.running || c->reload.running || !plan_fits(c))
        return;
    forms_compare(c, now);
    control_zones_go(c);
}
