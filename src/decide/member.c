#include "decide/member.h"

#include "base/invariant.h"

usec_t *member_removed(const struct face *f, const struct member *m)
{
    struct store *next = f->step->next;
    return member_is_nested(m) ? &next->endpoints[m->endpoint].removed[f->family]
                               : &next->targets[m->target].removed;
}

/* A direct member is its target. */
static void member_fill_target(struct face *f, struct member *m)
{
    const struct step *step = f->step;
    const struct plan_target *t = &step->next->targets[m->target];
    uint32_t old = carry_target_index(step->carry, m->target);
    m->verdict = t->state;
    m->since = t->since;
    m->connect_us = t->connect_us;
    m->choice = PLAN_NONE;
    m->was_served = old != PLAN_NONE && (step->carry->previous->targets[old].flags & TARGET_SERVED);
}

/* A nested member is the face of the service it stands for (evaluate-target-health). */
static void member_fill_nested(struct face *f, struct member *m, uint32_t child)
{
    const struct step *step = f->step;
    const struct face_fact *fact = &step->facts[(size_t)child * IP_FAMILIES + f->family];
    const struct plan_endpoint *old = carry_endpoint(step->carry, m->endpoint);
    m->verdict = fact->verdict;
    m->since = step->next->services[child].faces[f->family].since;
    m->connect_us = fact->connect_us;
    m->choice = fact->open;
    m->was_served = old && (old->served & (1u << f->family));
}

static enum tier tier_of(enum admin_state admin, bool leads)
{
    if (admin == ADMIN_DISABLED || !leads)
        return TIER_NEVER;
    return admin == ADMIN_DRAINED ? TIER_DRAINED : TIER_OPEN;
}

static void member_add(struct face *f, uint32_t e)
{
    const struct step *step = f->step;
    const struct plan_endpoint *pe = &step->next->endpoints[e];
    bool nested = pe->nested != PLAN_NONE;
    if (nested ? step->facts[(size_t)pe->nested * IP_FAMILIES + f->family].absent
               : pe->target[f->family] == PLAN_NONE)
        return;
    struct member *m = &f->members[f->count++];
    *m = (struct member){
        .endpoint = e,
        .target = nested ? PLAN_NONE : pe->target[f->family],
        .region = step->layout->region[e],
        .weight = pe->weight,
        .role = pe->role,
        .capacity = pe->capacity,
        .automatic = pe->admin == ADMIN_AUTO,
    };
    if (nested)
        member_fill_nested(f, m, pe->nested);
    else
        member_fill_target(f, m);
    m->tier = (uint8_t)tier_of(pe->admin, !nested || m->choice != PLAN_NONE);
    m->healthy =
        pe->admin == ADMIN_FORCED_UP || m->verdict == VERDICT_UP || m->verdict == VERDICT_UNCHECKED;
}

/* Drained endpoints answer only where nobody else may: where there is no endpoint that is neither
 * drained nor disabled, all of them as if they were not drained; where there are some and they are
 * down, those that are healthy: an endpoint known to work comes before failing open on dead ones.
 * At a start, when the others are only not ready yet, nothing of that is known. */
static void drained_promote(struct face *f)
{
    bool others = false, down = false;
    for (uint32_t i = 0; i < f->count; i++) {
        const struct member *m = &f->members[i];
        if (m->tier >= TIER_DRAINED)
            continue;
        if (m->healthy)
            return;
        others = true;
        down |= m->verdict == VERDICT_DOWN;
    }
    for (uint32_t i = 0; i < f->count; i++) {
        struct member *m = &f->members[i];
        if (m->tier == TIER_DRAINED && (!others || (down && m->healthy))) {
            m->tier = TIER_OPEN;
            m->automatic = true;
        }
    }
}

void members_collect(struct face *f)
{
    const struct layout *l = f->step->layout;
    uint32_t first = l->endpoint_first[f->service], end = l->endpoint_first[f->service + 1];
    f->count = 0;
    for (uint32_t e = first; e < end; e++)
        member_add(f, e);
    drained_promote(f);
    invariant(f->count <= end - first);
}
