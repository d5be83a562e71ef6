#include "decide/ttl.h"

#include "base/invariant.h"
#include "decide/member.h"
#include "decide/quorum.h"
#include "decide/verdict.h"

uint32_t ttl_seconds(usec_t change_us, uint32_t ttl_min, uint32_t ttl_max)
{
    invariant(ttl_min <= ttl_max);
    usec_t seconds = change_us / USEC_PER_SEC;
    if (seconds >= ttl_max)
        return ttl_max;
    return seconds > ttl_min ? (uint32_t)seconds : ttl_min;
}

/* A remaining time shrinks with every step, and every new TTL is a new plan. So that plans change
 * when something happens and not because time passes, remaining times are rounded down to a ladder.
 */
static usec_t ttl_ladder_us(usec_t remaining_us)
{
    static const int steps[] = {3600, 1800, 900, 600, 300, 180, 120, 90, 60, 45,
                                30,   20,   15,  10,  7,   5,   3,   2,  1};
    for (unsigned i = 0; i < array_length(steps); i++)
        if (remaining_us >= steps[i] * USEC_PER_SEC)
            return steps[i] * USEC_PER_SEC;
    return 0;
}

static usec_t least(usec_t a, usec_t b)
{
    return a < b ? a : b;
}

static usec_t target_change_us(const struct face *f, const struct member *m)
{
    const struct step *step = f->step;
    const struct plan_target *t = &step->next->targets[m->target];
    usec_t change = step->quorum->count
                        ? quorum_change_us(step, m->target)
                        : verdict_change_us(t, step->layout->targets[m->target].check, step->now);
    if (t->state == VERDICT_DOWN && t->hold_until > step->now && change != USEC_NEVER)
        return ttl_ladder_us(change);
    return change;
}

static usec_t member_change_us(const struct face *f, const struct member *m)
{
    const struct step *step = f->step;
    usec_t change;
    if (member_is_nested(m)) {
        uint32_t child = step->next->endpoints[m->endpoint].nested;
        change = step->facts[(size_t)child * IP_FAMILIES + f->family].change_us;
    } else if (m->automatic || m->tier == TIER_DRAINED) {
        change = target_change_us(f, m);
    } else {
        change = USEC_NEVER; /* checks decide nothing here, and an order cannot be foreseen */
    }
    if (m->held)
        change = least(change, ttl_ladder_us(f->window_end - step->now));
    return change;
}

/* While a primary serves, what happens to secondaries changes no answer. */
static bool primary_serves(const struct face *f)
{
    if (f->policy != POLICY_FAILOVER)
        return false;
    for (uint32_t i = 0; i < f->count; i++)
        if (f->members[i].tier == TIER_SERVING && f->members[i].role == ROLE_PRIMARY)
            return true;
    return false;
}

/* While somebody else is healthy, what happens to the drained changes no answer either. */
static bool healthy_serves(const struct face *f)
{
    for (uint32_t i = 0; i < f->count; i++)
        if (f->members[i].tier == TIER_SERVING && f->members[i].healthy)
            return true;
    return false;
}

usec_t ttl_change_us(const struct face *f)
{
    bool primaries_only = primary_serves(f);
    enum tier lowest = healthy_serves(f) ? TIER_OPEN : TIER_DRAINED;
    usec_t change = USEC_NEVER;
    for (uint32_t i = 0; i < f->count; i++) {
        const struct member *m = &f->members[i];
        if (m->tier <= lowest && (!primaries_only || m->role == ROLE_PRIMARY))
            change = least(change, member_change_us(f, m));
    }
    return change;
}
