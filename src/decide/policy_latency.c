/* Latency routing. A row of the netmap names entries of the latency table: the first entry of each
 * network around the client, the most specific first; the other entries of that network follow by
 * latency_next. The row goes to the region of least latency among those that somebody serves.
 *
 * Clients of whom the table knows nothing go to the endpoint that this node itself connects to
 * fastest. That measure moves with load: a damped value, and a fifth of advantage before it changes
 * its mind, keep the choice from swinging. */
#include "base/invariant.h"
#include "decide/choice.h"
#include "decide/member.h"
#include "decide/policy.h"
#include "decide/scratch.h"

enum { ADVANTAGE_PERCENT = 20 };

/* Did the previous plan send unknown clients to this member? */
static bool was_nearest(const struct face *f, const struct member *m)
{
    const struct carry *c = f->step->carry;
    const struct plan *p = c->previous;
    const struct plan_service *old = carry_service(c, f->service);
    if (!old || old->faces[f->family].choice >= p->choice_count)
        return false;
    uint32_t index = old->faces[f->family].choice;
    if (p->choices[index].kind == CHOICE_NETWORK)
        index = p->choices[index].otherwise;
    if (member_is_nested(m)) {
        const struct plan_endpoint *e = carry_endpoint(c, m->endpoint);
        return e && e->nested != PLAN_NONE &&
               p->services[e->nested].faces[f->family].choice == index;
    }
    const struct plan_choice *choice = &p->choices[index];
    return choice->kind == CHOICE_ADDRESSES && choice->count == 1 &&
           p->addresses[choice->first].target == carry_target_index(c, m->target);
}

static struct member *nearest(struct face *f)
{
    struct member *best = NULL, *before = NULL;
    for (uint32_t i = 0; i < f->count; i++) {
        struct member *m = &f->members[i];
        if (m->tier != TIER_SERVING)
            continue;
        if (!best || (m->connect_us && (!best->connect_us || m->connect_us < best->connect_us)))
            best = m;
        if (was_nearest(f, m))
            before = m;
    }
    invariant(best != NULL);
    if (before && before->connect_us &&
        (uint64_t)best->connect_us * 100 >=
            (uint64_t)before->connect_us * (100 - ADVANTAGE_PERCENT))
        return before;
    return best;
}

/* All members of a region that serve; PLAN_NONE where nobody does. */
static uint32_t region_choice(struct face *f, uint32_t region)
{
    struct scratch *scratch = f->step->scratch;
    uint32_t *list = scratch->list, count = 0;
    if (scratch->region_choice[region] != PLAN_NONE)
        return scratch->region_choice[region];
    for (uint32_t i = 0; i < f->count; i++)
        if (f->members[i].tier == TIER_SERVING && f->members[i].region == region)
            list[count++] = i;
    if (count)
        scratch->region_choice[region] = members_choice(f, list, count, (uint16_t)count);
    return scratch->region_choice[region];
}

static bool region_serves(const struct face *f, uint32_t region)
{
    for (uint32_t i = 0; i < f->count; i++)
        if (f->members[i].tier == TIER_SERVING && f->members[i].region == region)
            return true;
    return false;
}

/* The choice of a network of the table; PLAN_NONE where nobody serves any of its regions. */
static uint32_t network_choice(struct face *f, uint32_t first)
{
    const struct layout *l = f->step->layout;
    uint32_t *known = &f->step->scratch->latency_choice[first], best = PLAN_NONE;
    if (*known != LATENCY_UNKNOWN)
        return *known;
    for (uint32_t i = first; i != PLAN_NONE; i = l->latency_next[i]) {
        if (best != PLAN_NONE &&
            l->config->latencies[i].latency >= l->config->latencies[best].latency)
            continue;
        if (region_serves(f, l->latency_region[i]))
            best = i;
    }
    *known = best == PLAN_NONE ? PLAN_NONE : region_choice(f, l->latency_region[best]);
    return *known;
}

uint32_t policy_latency(struct face *f, int file, const struct netmap *map)
{
    struct scratch *scratch = f->step->scratch;
    uint32_t otherwise = member_choice(f, nearest(f));
    if (!map || file == CONFIG_NONE)
        return otherwise;
    scratch_latency(scratch, f->step->layout);
    uint32_t *rows = scratch_rows(scratch, map->row_count);
    for (uint32_t i = 0; i < map->row_count; i++) {
        uint32_t count, choice = PLAN_NONE;
        const uint32_t *keys = netmap_keys(map, i, &count);
        for (uint32_t k = 0; k < count && choice == PLAN_NONE; k++)
            choice = network_choice(f, keys[k]);
        rows[i] = choice == PLAN_NONE ? otherwise : choice;
    }
    return choice_network(f, (uint32_t)file, rows, map->row_count, otherwise);
}
