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
#include "prog/load_transfer.h"
#include <stdlib.h>
#include <string.h>

/* The plan is of the configuration in use: not so between a reload and the step after it. */
static bool plan_fits(const struct control *c)
{
    const struct config *config = c->loaded->config;
    return c->plan.generation && c->plan.config_fingerprint == config->fingerprint &&
           c->plan.service_count == config->service_count;
}

struct form_answer *control_form_answers(const struct control *c, uint32_t zone, bool all,
                                         uint32_t *ret_count)
{
    const struct loaded_zone *z = &c->loaded->zones[zone];
    uint32_t count = all ? c->plan.service_count : z->answer_count;
    if (!plan_fits(c) || (!all && !z->answers) ||
        !zone_is_transferred(&c->loaded->config->zones[zone]))
        return NULL;
    struct form_answer *list = mem_new(count + (size_t)1, sizeof *list);
    for (uint32_t i = 0; i < count; i++)
        form_answer_of(&c->plan, all ? i : z->answers[i].service, &list[i]);
    *ret_count = count;
    return list;
}

static bool form_holds(const struct control *c, const struct loaded_zone *z)
{
    struct form_answer now;
    for (uint32_t i = 0; i < z->answer_count; i++) {
        form_answer_of(&c->plan, z->answers[i].service, &now);
        if (memcmp(&z->answers[i], &now, sizeof now) != 0)
            return false;
    }
    return !z->form_stale;
}

/* One walk over the services of all forms. */
static void forms_compare(struct control *c, usec_t now)
{
    struct loaded *l = c->loaded;
    c->forms_wait = false;
    for (uint32_t i = 0; i < l->config->zone_count; i++) {
        const struct loaded_zone *z = &l->zones[i];
        if (!z->answers || form_holds(c, z))
            continue;
        c->forms_wait = true;
        if (now >= z->form_due)
            control_zone_wish(c, i, REMAKE_FORM);
    }
}

void control_forms(struct control *c, usec_t now, bool changed)
{
    c->forms_wait |= changed;
    if (!c->forms_wait || c->remake.running || c->reload.running || !plan_fits(c))
        return;
    forms_compare(c, now);
    control_zones_go(c);
}
