/* Safety rules of routing controls, as ARC has them: an assertion rule must hold after a change of
 * its controls, a gating rule must hold before a change of its targets, and after a change both
 * want to be left alone for a while. */
#include "base/err.h"
#include "base/invariant.h"
#include "model/intent_object.h"
#include <string.h>

static const char *part(const char *name)
{
    return strrchr(name, '/') + 1;
}

/* ---- references ---- */

static int name_missing(const struct intent_object *o, const char *what, const char *name,
                        struct text *why)
{
    text_appendf(why, "the %s %s refers to the %s %s, which does not exist",
                 intent_kind_name(o->kind), o->name, what, name);
    return ERR_MISSING;
}

static int controls_check(const struct intent *i, const struct intent_object *rule,
                          const struct intent_names *names, struct text *why)
{
    for (uint32_t k = 0; k < names->count; k++)
        if (!intent_find(i, INTENT_CONTROL, names->list[k]))
            return name_missing(rule, "control", names->list[k], why);
    return 0;
}

int intent_references_check(const struct intent *intent, struct text *why)
{
    for (uint32_t i = 0; i < intent->object_count; i++) {
        const struct intent_object *o = intent->objects[i];
        char panel[INTENT_PART_MAX + 1];
        if (o->kind != INTENT_CONTROL && o->kind != INTENT_RULE)
            continue;
        size_t length = (size_t)(strrchr(o->name, '/') - o->name);
        invariant(length <= INTENT_PART_MAX);
        memcpy(panel, o->name, length);
        panel[length] = 0;
        if (!intent_find(intent, INTENT_PANEL, panel))
            return name_missing(o, "panel", panel, why);
        int err = o->kind == INTENT_RULE ? controls_check(intent, o, &o->first, why) : 0;
        err = err ? err : controls_check(intent, o, &o->second, why);
        if (err)
            return err;
    }
    return shared_references_check(intent, why);
}

/* ---- rules ---- */

static unsigned on_count(const struct intent *i, const struct intent_names *names)
{
    unsigned on = 0;
    for (uint32_t k = 0; k < names->count; k++) {
        const struct intent_object *c = intent_find(i, INTENT_CONTROL, names->list[k]);
        on += c && c->on;
    }
    return on;
}

static bool rule_holds(const struct intent_object *rule, const struct intent *i)
{
    unsigned on = on_count(i, &rule->first);
    bool holds = rule->type == RULE_AND  ? on == rule->first.count
                 : rule->type == RULE_OR ? on > 0
                                         : on >= rule->threshold;
    return holds != rule->inverted;
}

/* Does this request switch the control? To make or to remove one is no switching. */
static bool is_flipped(const struct intent *old, const struct intent *next, const char *control)
{
    const struct intent_object *a = intent_find(old, INTENT_CONTROL, control);
    const struct intent_object *b = intent_find(next, INTENT_CONTROL, control);
    return a && b && a->on != b->on;
}

static const char *first_flipped(const struct intent *old, const struct intent *next,
                                 const struct intent_names *names)
{
    for (uint32_t k = 0; k < names->count; k++)
        if (is_flipped(old, next, names->list[k]))
            return names->list[k];
    return NULL;
}

/* When one of them was last switched, before this request. */
static int64_t last_flip(const struct intent *old, const struct intent_names *names)
{
    int64_t last = 0;
    for (uint32_t k = 0; k < names->count; k++) {
        const struct intent_object *c = intent_find(old, INTENT_CONTROL, names->list[k]);
        if (c && c->flipped_ms > last)
            last = c->flipped_ms;
    }
    return last;
}

static void says(const struct intent_object *rule, const struct intent *i, struct text *why)
{
    unsigned on = on_count(i, &rule->first);
    text_appendf(why, "%u of its %u controls %s On, and it wants %s", on, rule->first.count,
                 on == 1 ? "is" : "are", rule->inverted ? "not " : "");
    if (rule->type == RULE_ATLEAST)
        text_appendf(why, "at least %u", rule->threshold);
    else
        text_append(why, rule->type == RULE_AND ? "all" : "one or more");
}

static int rule_check(const struct intent_object *rule, const struct intent *old,
                      const struct intent *next, int64_t wall_ms, struct text *why)
{
    const struct intent_names *guarded = rule->gating ? &rule->second : &rule->first;
    const char *flipped = first_flipped(old, next, guarded);
    if (!flipped)
        return 0;
    int64_t last = last_flip(old, guarded);
    if (last && wall_ms - last < rule->wait_ms) {
        text_appendf(why,
                     "the rule %s wants %u ms between two changes, and %lld ms ago one of its "
                     "controls was switched",
                     rule->name, rule->wait_ms, (long long)(wall_ms - last));
        return ERR_CONFLICT;
    }
    if (rule_holds(rule, rule->gating ? old : next))
        return 0;
    if (rule->gating)
        text_appendf(why, "the gating rule %s is closed, so %s stays as it is: ", rule->name,
                     part(flipped));
    else
        text_appendf(why, "the assertion rule %s would be broken: ", rule->name);
    says(rule, rule->gating ? old : next, why);
    return ERR_CONFLICT;
}

static bool is_overridden(const struct intent_request *r, const char *rule)
{
    for (unsigned i = 0; i < r->override_count; i++)
        if (!strcmp(r->overrides[i], rule))
            return true;
    return false;
}

int intent_safety_check(const struct intent *old, const struct intent *next,
                        const struct intent_request *request, int64_t wall_ms, struct text *why)
{
    uint32_t count;
    struct intent_object *const *rules = intent_list(old, INTENT_RULE, &count);
    for (unsigned i = 0; i < request->override_count; i++)
        if (!intent_find(old, INTENT_RULE, request->overrides[i])) {
            text_appendf(why, "there is no rule %s to be overridden", request->overrides[i]);
            return ERR_MISSING;
        }
    for (uint32_t i = 0; i < count; i++) {
        int err = is_overridden(request, rules[i]->name)
                      ? 0
                      : rule_check(rules[i], old, next, wall_ms, why);
        if (err)
            return err;
    }
    return 0;
}
