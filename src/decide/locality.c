#include "decide/locality.h"

#include "base/invariant.h"
#include "decide/choice.h"
#include "decide/detour.h"
#include "decide/member.h"
#include "decide/policy.h"
#include "decide/quorum.h"
#include "decide/scratch.h"
#include <string.h>

struct split {
    const struct netmap *map;
    uint32_t file;
    uint64_t lost;                   /* networks that cannot reach somebody */
    uint32_t alt[PLAN_VANTAGES_MAX]; /* of each network in `lost`: what its clients get */
};

/* Networks, as bits, whose clients are led past the member. */
static uint64_t networks_lost(const struct face *f, const struct member *m,
                              usec_t ret_since[static PLAN_VANTAGES_MAX])
{
    if (member_is_nested(m) || !m->automatic || m->tier != TIER_SERVING || m->verdict != VERDICT_UP)
        return 0;
    return detours_of(f->step, m->target, ret_since);
}

static bool voter_is_named(const struct step *step, uint32_t voter, const char *name)
{
    const struct plan_vantage *v = &step->next->vantages[voter];
    const char *text = step->next->text;
    return strcmp(text + v->network, name) == 0 || strcmp(text + v->site, name) == 0 ||
           strcmp(text + v->node, name) == 0;
}

/* The network that the clients of a row are near; -1: none. */
static int row_network(const struct step *step, const struct split *s, uint32_t row)
{
    const struct config *c = step->layout->config;
    const struct quorum *q = step->quorum;
    uint32_t count;
    const uint32_t *keys = netmap_keys(s->map, row, &count);
    for (uint32_t k = 0; k < count; k++)
        for (uint32_t n = 0; keys[k] < c->collection_count && n < q->network_count; n++)
            for (uint64_t rest = q->networks[n]; rest; rest &= rest - 1)
                if (voter_is_named(step, (uint32_t)__builtin_ctzll(rest),
                                   c->collections[keys[k]].name))
                    return (int)n;
    return -1;
}

static bool any_row_lost(const struct step *step, const struct split *s)
{
    for (uint32_t i = 0; i < s->map->row_count; i++) {
        int n = row_network(step, s, i);
        if (n >= 0 && (s->lost >> n & 1))
            return true;
    }
    return false;
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

/* What the policy chooses without those that this network cannot reach; root where nobody is left
 * or it would make the chain of choices too long. */
static uint32_t choice_without(struct face *f, unsigned network, uint32_t root)
{
    usec_t since[PLAN_VANTAGES_MAX];
    uint32_t healthy = 0, choice = root;
    for (uint32_t i = 0; i < f->count; i++) {
        struct member *m = &f->members[i];
        m->away = networks_lost(f, m, since) >> network & 1;
        healthy += m->tier == TIER_SERVING && m->healthy && !m->away;
    }
    for (uint32_t i = 0; i < f->count && healthy; i++)
        if (f->members[i].away)
            f->members[i].tier = TIER_OPEN;
    if (healthy)
        choice = policy_choice(f);
    for (uint32_t i = 0; i < f->count; i++)
        if (f->members[i].away)
            f->members[i].tier = TIER_SERVING;
    return f->step->next->heights[choice] < PLAN_DEPTH_MAX ? choice : root;
}

uint32_t locality_choice(struct face *f, uint32_t root)
{
    const struct decide_files *files = f->step->input->files;
    struct split s = {.map = files ? files->collections_map : NULL};
    usec_t since[PLAN_VANTAGES_MAX];
    if (!f->step->next->detour_count || !s.map || files->collections == CONFIG_NONE ||
        f->step->next->heights[root] >= PLAN_DEPTH_MAX)
        return root;
    s.lost = lost_limit(f, all_lost(f, since), since);
    if (!s.lost || !any_row_lost(f->step, &s))
        return root;
    bool moved = false;
    for (uint64_t rest = s.lost; rest; rest &= rest - 1) {
        unsigned n = (unsigned)__builtin_ctzll(rest);
        s.alt[n] = choice_without(f, n, root);
        moved |= s.alt[n] != root;
    }
    if (!moved)
        return root;
    uint32_t *rows = scratch_rows(f->step->scratch, s.map->row_count);
    for (uint32_t i = 0; i < s.map->row_count; i++) {
        int n = row_network(f->step, &s, i);
        rows[i] = n >= 0 && (s.lost >> n & 1) ? s.alt[n] : root;
    }
    return choice_network(f, (uint32_t)files->collections, rows, s.map->row_count, root);
}
