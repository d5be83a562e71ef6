#include "decide/policy.h"

#include "base/invariant.h"
#include "decide/choice.h"
#include "decide/scratch.h"

/* The members that serve, of a role or (ROLE_NONE) of any. */
static uint32_t serving_list(struct face *f, enum role role, uint32_t *list)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->count; i++) {
        const struct member *m = &f->members[i];
        if (m->tier == TIER_SERVING && (role == ROLE_NONE || m->role == role))
            list[count++] = i;
    }
    return count;
}

static uint16_t pick_all(uint32_t count)
{
    return (uint16_t)(count < UINT16_MAX ? count : UINT16_MAX);
}

static uint32_t policy_simple(struct face *f)
{
    uint32_t *list = f->step->scratch->list, count = serving_list(f, ROLE_NONE, list);
    return members_choice(f, list, count, pick_all(count));
}

static uint32_t policy_multivalue(struct face *f)
{
    uint32_t *list = f->step->scratch->list, count = serving_list(f, ROLE_NONE, list);
    return members_choice(f, list, count, PLAN_MULTIVALUE_MAX);
}

static uint32_t policy_failover(struct face *f)
{
    uint32_t *list = f->step->scratch->list, count = serving_list(f, ROLE_PRIMARY, list);
    if (count == 0)
        count = serving_list(f, ROLE_NONE, list);
    return members_choice(f, list, count, pick_all(count));
}

/* Members of weight 0 are answered only when all are of weight 0, and then equally. */
static uint32_t policy_weighted(struct face *f)
{
    uint32_t *list = f->step->scratch->list, count = serving_list(f, ROLE_NONE, list);
    struct plan_branch *branches = f->step->scratch->branches;
    uint32_t total = 0, used = 0;
    for (uint32_t i = 0; i < count; i++)
        total += f->members[list[i]].weight;
    for (uint32_t i = 0; i < count; i++) {
        struct member *m = &f->members[list[i]];
        uint32_t weight = total ? m->weight : 1;
        if (weight)
            branches[used++] = (struct plan_branch){weight, member_choice(f, m)};
    }
    return choice_weighted(f, branches, used);
}

uint32_t policy_choice(struct face *f)
{
    const struct decide_files *files = f->step->input->files;
    static const struct decide_files none = {.geo = CONFIG_NONE,
                                             .collections = CONFIG_NONE,
                                             .latency = CONFIG_NONE,
                                             .sites = CONFIG_NONE};
    if (!files)
        files = &none;
    switch ((enum policy)f->policy) {
    case POLICY_SIMPLE:
        return policy_simple(f);
    case POLICY_FAILOVER:
        return policy_failover(f);
    case POLICY_WEIGHTED:
        return policy_weighted(f);
    case POLICY_LATENCY:
        return policy_latency(f, files->latency, files->latency_map);
    case POLICY_GEOLOCATION:
        return policy_keyed(f, files->geo, files->geo_map);
    case POLICY_IP_BASED:
        return policy_keyed(f, files->collections, files->collections_map);
    case POLICY_MULTIVALUE:
        return policy_multivalue(f);
    }
    invariant_failed("a policy of the configuration", __FILE__, __LINE__, __func__);
}
