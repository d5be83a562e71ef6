#include "decide/locality.h"

#include "base/invariant.h"
#include "decide/choice.h"
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

/* Networks, as bits, none of whose vantages reaches the member while others do. */
static uint64_t networks_lost(const struct face *f, const struct member *m)
{
    const struct quorum *q = f->step->quorum;
    if (member_is_nested(m) || !m->automatic || m->tier != TIER_SERVING)
        return 0;
    const struct plan_view *v = &f->step->next->views[m->target];
    uint64_t lost = 0;
    if (m->verdict != VERDICT_UP || (v->finding != FINDING_TRANSIT && v->finding != FINDING_PATH))
        return 0;
    for (uint32_t n = 0; n < q->network_count; n++)
        if ((v->down & q->networks[n]) && !(v->up & q->networks[n]))
            lost |= UINT64_C(1) << n;
    return lost;
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

/* As many of them as the velocity limit lets go, always one. */
static uint64_t lost_limit(const struct face *f, uint64_t lost)
{
    uint64_t kept = 0;
    unsigned count = 0, all = f->step->quorum->network_count;
    for (; lost; lost &= lost - 1) {
        bool allowed = f->config->velocity_window == 0 ||
                       (count + 1) * 100 <= all * f->config->velocity_percent;
        if (count && !allowed)
            break;
        kept |= lost & -lost;
        count++;
    }
    return kept;
}

/* What the policy chooses without those that this network cannot reach; root where nobody is left
 * or it would make the chain of choices too long. */
static uint32_t choice_without(struct face *f, unsigned network, uint32_t root)
{
    uint32_t healthy = 0, choice = root;
    for (uint32_t i = 0; i < f->count; i++) {
        struct member *m = &f->members[i];
        m->away = networks_lost(f, m) >> network & 1;
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
    if (!f->step->quorum->count || !s.map || files->collections == CONFIG_NONE ||
        f->step->next->heights[root] >= PLAN_DEPTH_MAX)
        return root;
    for (uint32_t i = 0; i < f->count; i++)
        s.lost |= networks_lost(f, &f->members[i]);
    s.lost = lost_limit(f, s.lost);
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
