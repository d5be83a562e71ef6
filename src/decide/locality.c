#include "decide/locality.h"

#include "base/invariant.h"
#include "decide/choice.h"
#include "decide/detour.h"
#include "decide/member.h"
#include "decide/near.h"
#include "decide/policy.h"
#include "decide/quorum.h"
#include "decide/scratch.h"

enum { SETS_MAX = 64 /* of networks that clients are near; clients of more keep what they have */ };

struct split {
    struct face *face;
    uint32_t root;
    uint64_t lost; /* networks that cannot reach somebody */
    struct {
        uint64_t networks;
        uint32_t choice; /* what clients near all of these get */
    } sets[SETS_MAX];
    unsigned set_count;
};

/* Networks, as bits, whose clients are led past the member. */
static uint64_t networks_lost(const struct face *f, const struct member *m,
                              usec_t ret_since[static PLAN_VANTAGES_MAX])
{
    if (member_is_nested(m) || !m->automatic || m->tier != TIER_SERVING || m->verdict != VERDICT_UP)
        return 0;
    return detours_of(f->step, m->target, ret_since);
}

/* Of all members: the networks that lost somebody, and since when each of them has. */
static uint64_t all_lost(const struct face *f, usec_t ret_since[static PLAN_VANTAGES_MAX])
{
    uint64_t lost = 0;
    for (uint32_t i = 0; i < f->count; i++) {
        usec_t since[PLAN_VANTAGES_MAX];
        uint64_t more = networks_lost(f, &f->members[i], since);
        for (uint64_t rest = more; rest; rest &= rest - 1) {
            unsigned n = (unsigned)__builtin_ctzll(rest);
            if (!(lost >> n & 1) || since[n] < ret_since[n])
                ret_since[n] = since[n];
        }
        lost |= more;
    }
    return lost;
}

/* As many of them as the velocity limit lets go, always one: those first that went first, so that
 * nobody is given back to a broken path for another's sake. */
static uint64_t lost_limit(const struct face *f, uint64_t lost, const usec_t *since)
{
    uint64_t kept = 0;
    unsigned count = 0, all = f->step->quorum->network_count;
    while (lost) {
        unsigned first = (unsigned)__builtin_ctzll(lost);
        for (uint64_t rest = lost; rest; rest &= rest - 1) {
            unsigned n = (unsigned)__builtin_ctzll(rest);
            first = since[n] < since[first] ? n : first;
        }
        bool allowed = f->config->velocity_window == 0 ||
                       (count + 1) * 100 <= all * f->config->velocity_percent;
        if (count && !allowed)
            break;
        kept |= UINT64_C(1) << first;
        lost &= ~(UINT64_C(1) << first);
        count++;
    }
    return kept;
}

/* What the policy chooses without those that none of these networks reaches; root where nobody is
 * left or it would make the chain of choices too long. */
static uint32_t choice_without(struct face *f, uint64_t networks, uint32_t root)
{
    usec_t since[PLAN_VANTAGES_MAX];
    uint32_t healthy = 0, away = 0, choice = root;
    for (uint32_t i = 0; i < f->count; i++) {
        struct member *m = &f->members[i];
        m->away = !(networks & ~networks_lost(f, m, since));
        away += m->away;
        healthy += m->tier == TIER_SERVING && m->healthy && !m->away;
    }
    for (uint32_t i = 0; i < f->count && healthy; i++)
        if (f->members[i].away)
            f->members[i].tier = TIER_OPEN;
    if (healthy && away)
        choice = policy_choice(f);
    for (uint32_t i = 0; i < f->count && healthy; i++)
        if (f->members[i].away)
            f->members[i].tier = TIER_SERVING;
    return f->step->next->heights[choice] < PLAN_DEPTH_MAX ? choice : root;
}

/* What clients near these networks get; made at most once for each set. */
static uint32_t set_choice(struct split *s, uint64_t networks)
{
    if (!networks || (networks & ~s->lost))
        return s->root;
    for (unsigned i = 0; i < s->set_count; i++)
        if (s->sets[i].networks == networks)
            return s->sets[i].choice;
    if (s->set_count == SETS_MAX)
        return s->root;
    s->sets[s->set_count].networks = networks;
    s->sets[s->set_count].choice = choice_without(s->face, networks, s->root);
    return s->sets[s->set_count++].choice;
}

/* Splits off the clients that this source knows; all others get `below`. */
static uint32_t source_split(struct split *s, enum near_source source, uint32_t below)
{
    const struct step *step = s->face->step;
    struct near_map m = near_map(step, source);
    bool differs = false;
    if (!m.map || step->next->heights[below] >= PLAN_DEPTH_MAX)
        return below;
    for (uint32_t i = 0; i < m.map->row_count; i++) /* the policy may need the rows below */
        differs |= m.networks[i] && set_choice(s, m.networks[i]) != below;
    if (!differs)
        return below;
    uint32_t *rows = scratch_rows(step->scratch, m.map->row_count);
    for (uint32_t i = 0; i < m.map->row_count; i++)
        rows[i] = m.networks[i] ? set_choice(s, m.networks[i]) : below;
    return choice_network(s->face, m.file, rows, m.map->row_count, below);
}

uint32_t locality_choice(struct face *f, uint32_t root)
{
    struct split s = {.face = f, .root = root};
    usec_t since[PLAN_VANTAGES_MAX];
    uint32_t choice = root;
    if (!f->step->next->detour_count || f->step->next->heights[root] >= PLAN_DEPTH_MAX)
        return root;
    s.lost = lost_limit(f, all_lost(f, since), since);
    for (unsigned i = 0; i < NEAR_SOURCES && s.lost; i++)
        choice = source_split(&s, (enum near_source)i, choice);
    invariant(f->step->next->heights[choice] <= PLAN_DEPTH_MAX);
    return choice;
}
