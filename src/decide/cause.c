/* Common cause: when targets that share a region, a provider or a vantage's network fail together,
 * the shared thing is more likely what failed than each of them for itself. How much more likely:
 *
 *   with a cause     each that shares it fails with probability 0.9
 *   by chance        each fails as often as those do that do not share it, with one failure and
 *                    nineteen successes assumed beforehand
 *   before looking   a cause is twenty times less likely than chance
 *
 * Several groups may fit. The one with the best odds is named first; what it explains is then left
 * out, and the next one is looked for. Of several targets with one address one counts: a thing
 * cannot fail together with itself. */
#include "base/invariant.h"
#include "decide/locate.h"
#include "decide/quorum.h"
#include <string.h>

enum { CAUSE_LEAST = 2 /* targets that fail */, ODDS_LEAST = 10, ODDS_MOST = 1000000 };

struct group {
    uint8_t kind;
    uint32_t number; /* within the kind */
    uint32_t failing, count;
    double odds;
};

/* ---- who is in a group ---- */

static bool counts(const struct step *step, uint32_t target)
{
    return step->layout->targets[target].check && !step->layout->again[target] &&
           (step->next->views[target].up || step->next->views[target].down);
}

static bool in_group(const struct step *step, uint32_t target, const struct group *g)
{
    uint32_t endpoint = step->next->targets[target].endpoint;
    const struct plan_view *v = &step->next->views[target];
    switch ((enum cause_kind)g->kind) {
    case CAUSE_REGION:
        return step->layout->region[endpoint] == g->number;
    case CAUSE_PROVIDER:
        return step->layout->provider[endpoint] == g->number;
    case CAUSE_NETWORK:
        return (v->up | v->down) & step->quorum->networks[g->number];
    }
    return false;
}

/* From a network's own sight a target fails when that network says so, whatever others say. */
static bool fails(const struct step *step, uint32_t target, const struct group *g)
{
    const struct plan_view *v = &step->next->views[target];
    if (v->finding < FINDING_TRANSIT || step->quorum->explained[target])
        return false;
    return g->kind != CAUSE_NETWORK || (v->up && (v->down & step->quorum->networks[g->number]));
}

/* ---- odds ---- */

static double odds_of(uint32_t failing, uint32_t count, uint32_t others_failing, uint32_t others)
{
    double chance = (others_failing + 1.0) / (others + 20.0), odds = 0.05;
    for (uint32_t i = 0; i < failing && odds < 1e12; i++)
        odds *= 0.9 / chance;
    for (uint32_t i = failing; i < count && odds > 1e-12; i++)
        odds *= 0.1 / (1 - chance);
    return odds;
}

struct census {
    uint32_t targets, failing;
    uint32_t seen, down; /* votes of all vantages, on what is not explained yet */
};

static void member_count(struct cause_tally *t, bool failing)
{
    t->count++;
    t->failing += failing;
}

static void target_count(const struct step *step, uint32_t target, struct census *all)
{
    struct quorum *q = step->quorum;
    const struct layout *l = step->layout;
    const struct plan_view *v = &step->next->views[target];
    uint32_t endpoint = step->next->targets[target].endpoint;
    bool failing = v->finding >= FINDING_TRANSIT && !q->explained[target];
    all->targets++;
    all->failing += failing;
    if (l->region[endpoint] != PLAN_NONE)
        member_count(&q->tallies[l->region[endpoint]], failing);
    if (l->provider[endpoint] != PLAN_NONE)
        member_count(&q->tallies[l->region_count + l->provider[endpoint]], failing);
    if (q->explained[target])
        return;
    for (uint32_t n = 0; n < q->network_count; n++) {
        uint64_t mine = q->networks[n];
        struct cause_tally *t = &q->tallies[l->region_count + l->provider_count + n];
        uint32_t seen = (uint32_t)__builtin_popcountll((v->up | v->down) & mine);
        uint32_t down = (uint32_t)__builtin_popcountll(v->down & mine);
        if (!seen)
            continue;
        member_count(t, failing && v->up && down);
        t->seen += seen;
        t->down += down;
        all->seen += seen;
        all->down += down;
    }
}

/* All groups in one walk over the targets: regions, then providers, then networks. */
static struct census tallies_count(struct step *step)
{
    struct quorum *q = step->quorum;
    struct census all = {0};
    size_t groups =
        (size_t)step->layout->region_count + step->layout->provider_count + q->network_count;
    q->tallies = store_reserve(q->tallies, 0, groups, &q->tally_capacity, sizeof *q->tallies);
    memset(q->tallies, 0, groups * sizeof *q->tallies);
    for (uint32_t i = 0; i < step->next->view_count; i++)
        if (counts(step, i))
            target_count(step, i, &all);
    return all;
}

/* A network's targets are all targets: what does not share it are the others' sights. */
static void best_take(const struct cause_tally *tallies, enum cause_kind kind, uint32_t count,
                      const struct census *all, struct group *best)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct cause_tally *t = &tallies[i];
        if (t->failing < CAUSE_LEAST)
            continue;
        double odds =
            kind == CAUSE_NETWORK
                ? odds_of(t->failing, t->count, all->down - t->down, all->seen - t->seen)
                : odds_of(t->failing, t->count, all->failing - t->failing, all->targets - t->count);
        if (odds > best->odds)
            *best = (struct group){(uint8_t)kind, i, t->failing, t->count, odds};
    }
}

/* ---- what is told of it ---- */

struct cause_counts {
    uint32_t up[PLAN_VANTAGES_MAX], down[PLAN_VANTAGES_MAX];
    uint32_t findings[FINDINGS], reasons[REASONS];
};

static void sight_count(struct cause_counts *n, const struct plan_view *v)
{
    for (uint64_t rest = v->up; rest; rest &= rest - 1)
        n->up[__builtin_ctzll(rest)]++;
    for (uint64_t rest = v->down; rest; rest &= rest - 1)
        n->down[__builtin_ctzll(rest)]++;
    n->findings[v->finding]++;
    n->reasons[v->far_reason]++;
}

static uint8_t most_of(const uint32_t *list, unsigned count)
{
    unsigned most = 0;
    for (unsigned i = 1; i < count; i++)
        if (list[i] > list[most])
            most = i;
    return (uint8_t)most;
}

static uint32_t group_name(const struct step *step, const struct group *g)
{
    if (g->kind == CAUSE_NETWORK)
        return step->next->vantages[__builtin_ctzll(step->quorum->networks[g->number])].network;
    for (uint32_t i = 0;; i++) {
        invariant(i < step->layout->endpoint_count);
        if (g->kind == CAUSE_REGION && step->layout->region[i] == g->number)
            return step->next->endpoints[i].region;
        if (g->kind == CAUSE_PROVIDER && step->layout->provider[i] == g->number)
            return step->next->endpoints[i].provider;
    }
}

/* Writes the cause, and marks what it explains. */
static void cause_add(struct step *step, const struct group *g)
{
    struct cause_counts n = {0};
    struct plan_cause *to = &step->next->causes[step->next->cause_count++];
    memset(to, 0, sizeof *to);
    to->since = step->now;
    for (uint32_t i = 0; i < step->next->view_count; i++) {
        const struct plan_view *v = &step->next->views[i];
        if (!in_group(step, i, g) || !fails(step, i, g))
            continue;
        step->quorum->explained[i] = true;
        sight_count(&n, v);
        to->inside |= v->inside;
        if (v->finding_since < to->since)
            to->since = v->finding_since;
    }
    for (uint32_t k = 0; k < step->quorum->count; k++) {
        to->up |= (uint64_t)(n.up[k] > n.down[k]) << k;
        to->down |= (uint64_t)(n.down[k] > n.up[k]) << k;
    }
    to->kind = g->kind;
    to->name = group_name(step, g);
    to->failing = g->failing;
    to->count = g->count;
    to->odds = g->odds < ODDS_MOST ? (uint32_t)g->odds : ODDS_MOST;
    to->finding = most_of(n.findings, FINDINGS);
    to->far_reason = most_of(n.reasons, REASONS);
}

void causes_find(struct step *step)
{
    struct quorum *q = step->quorum;
    uint32_t failing = 0;
    for (uint32_t i = 0; i < step->next->view_count; i++)
        failing += step->next->views[i].finding >= FINDING_TRANSIT && counts(step, i);
    if (failing < CAUSE_LEAST)
        return;
    q->explained = store_reserve(q->explained, 0, step->next->view_count + 1u,
                                 &q->explained_capacity, sizeof *q->explained);
    memset(q->explained, 0, step->next->view_count * sizeof *q->explained);
    while (step->next->cause_count < PLAN_CAUSES_MAX) {
        struct group best = {.odds = 0};
        struct census all = tallies_count(step);
        const struct cause_tally *providers = q->tallies + step->layout->region_count;
        best_take(q->tallies, CAUSE_REGION, step->layout->region_count, &all, &best);
        best_take(providers, CAUSE_PROVIDER, step->layout->provider_count, &all, &best);
        best_take(providers + step->layout->provider_count, CAUSE_NETWORK, q->network_count, &all,
                  &best);
        if (best.odds < ODDS_LEAST)
            return;
        cause_add(step, &best);
    }
}
