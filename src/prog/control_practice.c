#include "prog/control_practice.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/invariant.h"
#include "base/log.h"
#include "model/practice.h"
#include "prog/control_intent.h"
#include "seam/clock.h"
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOOK_MS = 1000, RETRY_MS = 30000 };

/* One a process, like struct control itself. */
static struct {
    usec_t due;
    bool asked; /* a step is under way */
} practice;

/* ---- the world as the newest plan has it ---- */

static const struct plan_service *service_find(const struct plan *p, const char *name)
{
    for (uint32_t i = 0; i < p->service_count; i++)
        if (!strcmp(plan_text(p, p->services[i].name), name))
            return &p->services[i];
    return NULL;
}

static bool endpoint_is_up(const struct plan *p, const struct plan_endpoint *e)
{
    bool up = true;
    for (unsigned family = 0; family < IP_FAMILIES; family++)
        if (e->target[family] != PLAN_NONE)
            up &= p->targets[e->target[family]].state == VERDICT_UP;
    return up && (e->admin == ADMIN_AUTO || e->admin == ADMIN_FORCED_UP);
}

static bool unwell(void *context, const char *name, struct text *why)
{
    const struct control *c = context;
    const struct plan_service *s = service_find(&c->plan, name);
    if (!s) {
        text_appendf(why, "there is no service %s", name);
        return true;
    }
    for (unsigned family = 0; family < IP_FAMILIES; family++) {
        const struct plan_face *f = &s->faces[family];
        if ((f->mode == FACE_NORMAL || f->mode == FACE_ABSENT) && !f->velocity_held)
            continue;
        text_appendf(why, "%s is not well: %s", name,
                     f->velocity_held ? "removals are held back"
                                      : face_mode_name((enum face_mode)f->mode));
        return true;
    }
    bool open = false; /* what is drained answers where nothing else may: that is not well */
    for (uint32_t i = 0; i < s->endpoint_count; i++)
        open |= endpoint_is_up(&c->plan, &c->plan.endpoints[s->endpoint_first + i]);
    if (!open)
        text_appendf(why, "%s is not well: nothing is up but what is drained", name);
    return !open;
}

static bool practises(const struct config_service *s, const char *scope)
{
    for (uint32_t i = 0; i < s->endpoint_count; i++)
        if (intent_scope_holds(scope, s, &s->endpoints[i]))
            return true;
    return false;
}

/* All that is not practised has to be up, and something has to be. */
static bool service_short(const struct control *c, const struct config_service *s,
                          const char *scope, struct text *why)
{
    const struct plan_service *ps = service_find(&c->plan, s->name);
    unsigned others = 0;
    for (uint32_t i = 0; i < s->endpoint_count && !why->length; i++) {
        if (intent_scope_holds(scope, s, &s->endpoints[i]))
            continue;
        others++;
        if (!ps || i >= ps->endpoint_count ||
            !endpoint_is_up(&c->plan, &c->plan.endpoints[ps->endpoint_first + i]))
            text_appendf(why, "%s/%s is not up", s->name, s->endpoints[i].name);
    }
    if (!others)
        text_appendf(why, "%s has no other endpoint", s->name);
    return why->length > 0;
}

static bool short_of(void *context, const char *scope, struct text *why)
{
    const struct control *c = context;
    const struct config *config = c->loaded->config;
    for (uint32_t i = 0; i < config->service_count; i++)
        if (practises(&config->services[i], scope) &&
            service_short(c, &config->services[i], scope, why))
            return true;
    return false;
}

/* ---- steps ---- */

static void answered(void *context, int err, const char *message)
{
    (void)context;
    practice.asked = false;
    if (!err)
        return;
    practice.due = clock_now() + RETRY_MS * USEC_PER_MSEC;
    log_event(LOG_WARN, "practice.refused", {"reason", LOG_S(message)});
}

static char *request_make(const struct intent_object *o, const struct practice_move *m)
{
    struct intent_edit *edits;
    unsigned count = practice_edits(o, m, &edits);
    char token[INTENT_TOKEN_MAX + 1];
    json_t *list = json_array();
    snprintf(token, sizeof token, "practice-%016llx-%lld-%u",
             (unsigned long long)hash64(o->name, strlen(o->name)), (long long)m->run.slot_ms,
             (unsigned)m->run.outcome);
    for (unsigned i = 0; i < count; i++) {
        json_t *value = edits[i].value ? json_loads(edits[i].value, 0, NULL) : json_null();
        json_array_append_new(list,
                              json_pack("{s:s,s:s,s:o}", "kind", intent_kind_name(edits[i].kind),
                                        "name", edits[i].name, "value", value));
    }
    intent_edits_free(edits, count);
    json_t *request = json_pack("{s:s,s:o,s:s}", "op", "change", "edits", list, "token", token);
    invariant(request != NULL);
    if (m->why[0])
        json_object_set_new(request, "reason", json_string(m->why));
    char *text = json_dumps(request, JSON_COMPACT);
    json_decref(request);
    return text;
}

static void move_make(struct control *c, const struct intent_object *o,
                      const struct practice_move *m)
{
    char *request = request_make(o, m);
    bool bad =
        m->run.outcome == PRACTICE_FAILED || m->run.outcome == PRACTICE_CAPACITY_CHECK_FAILED;
    log_event(bad ? LOG_WARN : LOG_INFO, "practice.run", {"scope", LOG_S(o->name)},
              {"outcome", LOG_S(practice_outcome_name(m->run.outcome))},
              {"why", LOG_S(m->why[0] ? m->why : NULL)});
    practice.asked = true;
    control_intent_submit(c, request, strlen(request), "practice run", answered, NULL);
    free(request);
}

void control_practice_beat(struct control *c, usec_t now)
{
    const struct practice_world world = {.context = c, .unwell = unwell, .short_of = short_of};
    uint32_t count;
    if (practice.asked || now < practice.due || c->first_round)
        return;
    practice.due = now + LOOK_MS * USEC_PER_MSEC;
    struct intent_object *const *list = intent_list(&c->intent, INTENT_PRACTICE, &count);
    for (uint32_t i = 0; i < count; i++) {
        struct practice_move m;
        practice_step(&c->intent, list[i], &world, clock_wall() / USEC_PER_MSEC, &m);
        if (m.what == PRACTICE_NOTHING)
            continue;
        move_make(c, list[i], &m); /* which changes the list */
        break;
    }
}
