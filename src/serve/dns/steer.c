#include "serve/dns/steer.h"
#include "base/invariant.h"

static uint32_t weighted_pick(const struct plan_branch *branches, uint32_t count, uint32_t draw)
{
    uint32_t low = 0, high = count - 1; /* the last weight_end is the total, above every draw */
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (branches[middle].weight_end > draw)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

static uint32_t weighted_step(const struct plan *plan, const struct plan_choice *c,
                              struct random *random, struct steer_step *step)
{
    step->draw = random_below(random, c->total);
    step->branch = c->first + weighted_pick(plan->branches + c->first, c->count, step->draw);
    return plan->branches[step->branch].choice;
}

static uint32_t network_step(const struct steer *s, const struct plan_choice *c,
                             const struct ip *client, struct steer_step *step)
{
    unsigned scope = 0;
    step->row = netmap_find(s->maps[c->map], client, &scope);
    step->scope = (uint8_t)scope;
    if (step->row >=
        c->count) { /* NETMAP_NO_ROW; served_build saw to it that a real row has a branch */
        step->branch = PLAN_NONE;
        return c->otherwise;
    }
    step->branch = c->first + step->row;
    return s->plan->branches[step->branch].choice;
}

static void addresses_step(const struct plan_choice *c, struct random *random,
                           struct steer_answer *a)
{
    invariant(c->count > 0 && c->pick > 0); /* L3 */
    a->kind = STEER_ADDRESSES;
    a->start = c->count > 1 ? random_below(random, c->count) : 0;
    a->count = c->pick < c->count ? c->pick : c->count;
}

void steer_pick(const struct steer *s, uint32_t choice, const struct ip *client,
                struct random *random, struct steer_answer *ret, struct steer_trace *trace)
{
    struct steer_answer a = {.kind = STEER_NODATA};
    unsigned depth = 0;
    for (bool more = true; more; depth++) {
        invariant(choice < s->plan->choice_count && depth <= PLAN_DEPTH_MAX);
        const struct plan_choice *c = &s->plan->choices[choice];
        struct steer_step step = {.choice = choice, .kind = c->kind, .branch = PLAN_NONE};
        a.choice = choice;
        more = false;
        switch ((enum choice_kind)c->kind) {
        case CHOICE_ADDRESSES:
            addresses_step(c, random, &a);
            break;
        case CHOICE_WEIGHTED:
            choice = weighted_step(s->plan, c, random, &step);
            more = true;
            break;
        case CHOICE_NETWORK:
            choice = network_step(s, c, client, &step);
            a.by_network = true;
            if (step.scope > a.scope) /* the answer holds where every look-up on the way holds */
                a.scope = step.scope;
            more = true;
            break;
        case CHOICE_NODATA:
            a.kind = STEER_NODATA;
            break;
        case CHOICE_CNAME:
            a.kind = STEER_CNAME;
            break;
        }
        if (trace)
            trace->steps[depth] = step;
    }
    if (trace)
        trace->count = depth;
    *ret = a;
}

uint32_t steer_root(const struct plan_service *service, enum ip_family family, uint32_t *ret_ttl)
{
    const struct plan_face *face = &service->faces[family];
    if (face->mode == FACE_ABSENT) {
        face = &service->faces[family == IP_V4 ? IP_V6 : IP_V4];
        if (face->mode != FACE_FALLBACK)
            return PLAN_NONE;
    }
    *ret_ttl = face->ttl;
    return face->choice;
}
