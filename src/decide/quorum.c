#include "decide/quorum.h"

#include "base/invariant.h"
#include "decide/verdict.h"
#include <stdlib.h>
#include <string.h>

/* Between two tables an entry grows older, and on its way here. */
#define TABLE_AGE_US  (1500 * USEC_PER_MSEC)
#define LATE_HOLDS_US (3 * USEC_PER_SEC)

static unsigned bits(uint64_t word)
{
    return (unsigned)__builtin_popcountll(word);
}

/* ---- who looks ---- */

static const char *network_of(const struct step *step, uint32_t voter)
{
    const struct config *c = step->layout->config;
    return voter ? step->input->vantages[voter - 1].network : c->network ? c->network : "";
}

const char *quorum_network(const struct step *step, uint32_t network)
{
    return network_of(step, (uint32_t)__builtin_ctzll(step->quorum->networks[network]));
}

/* By name, so that they have the same order on every node. */
static void networks_sort(const struct step *step)
{
    struct quorum *q = step->quorum;
    for (uint32_t i = 1; i < q->network_count; i++)
        for (uint32_t k = i;
             k > 0 && strcmp(quorum_network(step, k - 1), quorum_network(step, k)) > 0; k--) {
            uint64_t word = q->networks[k];
            q->networks[k] = q->networks[k - 1];
            q->networks[k - 1] = word;
        }
}

static void networks_number(struct step *step)
{
    struct quorum *q = step->quorum;
    q->network_count = 0;
    for (uint32_t i = 0; i < q->count; i++) {
        uint32_t n = 0;
        while (n < q->network_count && strcmp(quorum_network(step, n), network_of(step, i)) != 0)
            n++;
        if (n == q->network_count)
            q->networks[q->network_count++] = 0;
        q->networks[n] |= UINT64_C(1) << i;
    }
    networks_sort(step);
}

/* A vantage is inside a region when its site has that region's name. */
static void inside_place(struct step *step)
{
    struct quorum *q = step->quorum;
    const struct layout *l = step->layout;
    q->inside =
        store_reserve(q->inside, 0, l->region_count + 1u, &q->inside_capacity, sizeof *q->inside);
    for (uint32_t r = 0; r < l->region_count; r++) {
        q->inside[r] = 0;
        for (uint32_t i = 0; i < q->count && l->region_name[r]; i++) {
            const char *site = i ? step->input->vantages[i - 1].site : l->config->site;
            if (site && strcmp(site, l->region_name[r]) == 0)
                q->inside[r] |= UINT64_C(1) << i;
        }
    }
}

static void view_carry(struct step *step, uint32_t i)
{
    const struct plan *previous = step->carry->previous;
    const struct plan_target *t = &step->next->targets[i];
    struct plan_view *v = &step->next->views[i];
    uint32_t old = carry_target_index(step->carry, i);
    if (old != PLAN_NONE && previous->view_count && previous->views[old].own != VERDICT_UNCHECKED &&
        t->state != VERDICT_UNCHECKED) {
        *v = previous->views[old];
        if (!step->carry->same_boot) {
            v->own_since = v->finding_since = v->changed = step->now;
            v->undecided = 0;
        }
        return;
    }
    memset(v, 0, sizeof *v);
    v->own = t->state;
    v->own_reason = t->down_reason;
    v->own_since = t->since;
    v->finding_since = v->changed = step->now;
}

void quorum_begin(struct step *step)
{
    struct quorum *q = step->quorum;
    const struct decide_input *in = step->input;
    uint32_t others = in->vantage_count;
    invariant(others < PLAN_VANTAGES_MAX);
    q->count = others ? others + 1 : 0;
    q->late = q->samples = 0;
    for (uint32_t i = 0; i < q->count; i++)
        q->voters[i] = (struct voter){.sights = i ? in->vantages[i - 1].sights : NULL};
    for (uint32_t i = 0; i < step->next->view_count; i++)
        view_carry(step, i);
    if (!q->count)
        return;
    networks_number(step);
    inside_place(step);
}

void quorum_done(struct quorum *q)
{
    free(q->inside);
    free(q->groups);
    free(q->explained);
    free(q->tallies);
    *q = (struct quorum){0};
}

/* ---- our own votes ---- */

static void own_set(struct plan_view *v, enum verdict_state state, enum reason reason, usec_t at)
{
    v->own = (uint8_t)state;
    v->own_reason = (uint8_t)reason;
    v->own_since = at;
}

static void own_advance(const struct step *step, uint32_t i, const struct config_check *check)
{
    struct plan_view *v = &step->next->views[i];
    const struct plan_target *t = &step->next->targets[i];
    if (v->own != VERDICT_UP && t->successes >= check->rise)
        own_set(v, VERDICT_UP, REASON_OK, t->sampled);
    else if (v->own == VERDICT_UP && t->failures >= quorum_rounds(step))
        own_set(v, VERDICT_DOWN, (enum reason)t->reason, t->sampled);
    invariant((v->own == VERDICT_DOWN) == (v->own_reason != REASON_OK));
}

void quorum_sample(struct step *step, const struct sample *s)
{
    const struct config_check *check = step->layout->targets[s->target].check;
    if (!step->layout->targets[s->target].hostname) { /* a resolver that is silent is not us */
        step->quorum->samples++;
        step->quorum->late += s->late;
    }
    if (verdict_note(&step->next->targets[s->target], check, s, step->now))
        own_advance(step, s->target, check);
}

/* ---- votes ---- */

enum vote { VOTE_NONE, VOTE_UP, VOTE_DOWN };

unsigned quorum_run(const struct step *step, uint32_t voter, uint32_t target)
{
    const struct plan_target *t = &step->next->targets[target];
    if (!step->quorum->voters[voter].sights)
        return t->successes ? t->successes : t->failures;
    return step->quorum->voters[voter].sights[target].run;
}

usec_t quorum_since(const struct step *step, uint32_t voter, uint32_t target)
{
    const struct sight *sights = step->quorum->voters[voter].sights;
    return sights ? sights[target].since : step->next->views[target].own_since;
}

enum reason quorum_reason(const struct step *step, uint32_t voter, uint32_t target)
{
    const struct sight *sights = step->quorum->voters[voter].sights;
    const struct plan_view *v = &step->next->views[target];
    if (!sights)
        return (enum reason)(v->own_reason ? v->own_reason : step->next->targets[target].reason);
    return (enum reason)(sights[target].down_reason ? sights[target].down_reason
                                                    : sights[target].reason);
}

static bool reason_fails(enum reason reason)
{
    return reason != REASON_OK && reason != REASON_NOT_YET && reason != REASON_INTERNAL;
}

static enum vote vote_by(enum verdict_state state, enum reason reason, unsigned run, unsigned fall)
{
    if (state == VERDICT_UP)
        return VOTE_UP;
    if (state == VERDICT_DOWN)
        return VOTE_DOWN;
    return state == VERDICT_UNREADY && reason_fails(reason) && run >= fall ? VOTE_DOWN : VOTE_NONE;
}

static enum vote vote_of(const struct step *step, uint32_t voter, uint32_t target,
                         const struct config_check *check)
{
    const struct plan_target *t = &step->next->targets[target];
    const struct sight *s = step->quorum->voters[voter].sights;
    usec_t fresh = verdict_fresh_us(check);
    if (!s) {
        if (!t->sampled || step->now - t->sampled > fresh)
            return VOTE_NONE;
        return vote_by((enum verdict_state)step->next->views[target].own, (enum reason)t->reason,
                       t->failures, check->fall);
    }
    s += target;
    if (!s->sampled || (s->flags & SAMPLE_PAUSED) || step->now - s->sampled > fresh + TABLE_AGE_US)
        return VOTE_NONE;
    return vote_by((enum verdict_state)s->state, (enum reason)s->reason, s->run, check->fall);
}

/* ---- who votes ---- */

/* Of our targets that count for this: how many we see up, and down. */
static void references_count(const struct step *step, const struct config_service *references,
                             uint32_t *ret_up, uint32_t *ret_down)
{
    const struct layout *l = step->layout;
    for (uint32_t i = 0; i < l->target_count; i++) {
        const struct target *t = &l->targets[i];
        if (&l->config->services[t->service] != references || !t->check || t->hostname)
            continue;
        enum vote vote = vote_of(step, 0, i, t->check);
        *ret_up += vote == VOTE_UP;
        *ret_down += vote == VOTE_DOWN;
    }
}

/* Is there nothing of two providers or more that we can reach, but for one in ten? */
static bool all_fails(const struct step *step)
{
    const struct layout *l = step->layout;
    struct quorum *q = step->quorum;
    q->groups = store_reserve(q->groups, 0, l->group_count + 1u, &q->group_capacity, 1);
    memset(q->groups, 0, l->group_count);
    for (uint32_t i = 0; i < l->target_count; i++)
        if (l->targets[i].check && !l->targets[i].hostname)
            q->groups[l->group[i]] |= (uint8_t)vote_of(step, 0, i, l->targets[i].check);
    uint32_t seen = 0, failing = 0;
    for (uint32_t i = 0; i < l->group_count; i++) {
        seen += q->groups[i] != 0;
        failing += q->groups[i] == VOTE_DOWN;
    }
    return seen >= 2 && failing * 10 >= seen * 9;
}

static uint8_t own_health(struct step *step, struct plan_vantage *us)
{
    const struct config_service *references = step->layout->config->verdict.references;
    const struct quorum *q = step->quorum;
    uint32_t up = 0, down = 0;
    if (q->late * 2 > q->samples)
        us->late = step->now;
    if (us->late && step->now - us->late < LATE_HOLDS_US)
        return VANTAGE_LATE;
    if (!references)
        return all_fails(step) ? VANTAGE_BLIND : 0;
    references_count(step, references, &up, &down);
    return down > up ? VANTAGE_REFERENCES : 0;
}

static enum vantage_state state_of(uint8_t health)
{
    if (health & VANTAGE_LATE)
        return VANTAGE_BEHIND;
    return health ? VANTAGE_SICK : VANTAGE_VOTES;
}

static const struct plan_vantage *vantage_before(const struct step *step, uint64_t id)
{
    const struct plan *p = step->carry->previous;
    for (uint32_t i = 0; i < p->vantage_count; i++)
        if (p->vantages[i].id == id)
            return &p->vantages[i];
    return NULL;
}

static void vantage_write(struct step *step, uint32_t i)
{
    const struct config *c = step->layout->config;
    const struct vantage *from = i ? &step->input->vantages[i - 1] : NULL;
    struct plan_vantage *to = &step->next->vantages[i];
    uint64_t id = from ? from->id : step->input->vantage;
    const struct plan_vantage *before = vantage_before(step, id);
    bool same_boot = step->carry->same_boot;
    memset(to, 0, sizeof *to);
    to->id = id;
    to->node = store_text(step->next, from ? from->node : c->node_name ? c->node_name : "");
    to->site = store_text(step->next, from ? from->site : c->site ? c->site : "");
    to->network = store_text(step->next, network_of(step, i));
    to->late = before && same_boot ? before->late : 0;
    to->health = from ? from->health : own_health(step, to);
    to->state =
        (uint8_t)(from && !vantage_fresh(from, step->now) ? VANTAGE_SILENT : state_of(to->health));
    to->since = before && before->state == to->state && same_boot ? before->since : step->now;
    step->quorum->voters[i].votes = to->state == VANTAGE_VOTES;
}

void quorum_vantages(struct step *step)
{
    for (uint32_t i = 0; i < step->quorum->count; i++)
        vantage_write(step, i);
    step->next->vantage_count = step->quorum->count;
}

/* ---- verdicts ---- */

unsigned quorum_floor(const struct step *step)
{
    unsigned floor = step->layout->config->verdict.networks;
    if (floor == 0)
        floor = 1;
    return floor < step->quorum->network_count ? floor : step->quorum->network_count;
}

static void votes_count(const struct step *step, uint32_t target, struct plan_view *v)
{
    const struct quorum *q = step->quorum;
    const struct config_check *check = step->layout->targets[target].check;
    v->up = v->down = 0;
    for (uint32_t i = 0; i < q->count; i++) {
        if (!q->voters[i].votes)
            continue;
        enum vote vote = vote_of(step, i, target, check);
        v->up |= (uint64_t)(vote == VOTE_UP) << i;
        v->down |= (uint64_t)(vote == VOTE_DOWN) << i;
    }
    v->networks = (uint8_t)q->network_count;
    v->networks_up = v->networks_down = 0;
    for (uint32_t n = 0; n < q->network_count; n++) {
        unsigned up = bits(v->up & q->networks[n]), down = bits(v->down & q->networks[n]);
        v->networks_up = (uint8_t)(v->networks_up + (up > down));
        v->networks_down = (uint8_t)(v->networks_down + (down > up));
    }
}

/* Why most of them fail; of equally many the one that comes first in the list of reasons. */
static enum reason far_reason(const struct step *step, uint32_t target, uint64_t down)
{
    uint8_t counts[REASONS] = {0};
    unsigned most = REASON_OK;
    for (; down; down &= down - 1) {
        uint32_t voter = (uint32_t)__builtin_ctzll(down);
        counts[quorum_reason(step, voter, target)]++;
    }
    for (unsigned r = 1; r < REASONS; r++)
        if (counts[r] > counts[most])
            most = r;
    return (enum reason)most;
}

/* A vantage that is the only one to vote down wants as many failures as one that is alone. */
static bool lone_is_sure(const struct step *step, uint32_t target, uint64_t down)
{
    const struct config_check *check = step->layout->targets[target].check;
    return bits(down) != 1 ||
           quorum_run(step, (uint32_t)__builtin_ctzll(down), target) >= check->fall;
}

/* Has one of those that vote down seen it healthy? Then it is not one that is not ready yet (L4),
 * also for a node that has never seen it so: the same votes are the same verdict. */
static bool was_up(const struct step *step, uint32_t target, uint64_t down)
{
    for (; down; down &= down - 1) {
        const struct sight *sights = step->quorum->voters[__builtin_ctzll(down)].sights;
        if ((sights ? sights[target].state : step->next->views[target].own) == VERDICT_DOWN)
            return true;
    }
    return false;
}

static void state_decide(struct step *step, uint32_t target, const struct plan_view *v)
{
    struct plan_target *t = &step->next->targets[target];
    const struct config_check *check = step->layout->targets[target].check;
    unsigned voting = v->networks_up + v->networks_down, need = voting / 2 + 1;
    unsigned floor = quorum_floor(step);
    if (need < floor)
        need = floor;
    bool up = v->networks_up >= need, down = v->networks_down >= need;
    invariant(!(up && down));
    if (up &&
        (t->state == VERDICT_UNREADY || (t->state == VERDICT_DOWN && step->now >= t->hold_until))) {
        t->state = VERDICT_UP;
        t->since = step->now;
        t->down_reason = REASON_OK;
    } else if (down && lone_is_sure(step, target, v->down) &&
               (t->state == VERDICT_UP ||
                (t->state == VERDICT_UNREADY && was_up(step, target, v->down)))) {
        t->state = VERDICT_DOWN;
        t->since = step->now;
        t->down_reason = v->far_reason;
        t->hold_until = step->now + check->hold_down;
    }
    bool holding = t->state == VERDICT_DOWN && up && step->now < t->hold_until;
    t->flags = (uint8_t)((t->flags & ~TARGET_HOLDING_DOWN) | (holding ? TARGET_HOLDING_DOWN : 0));
    invariant((t->state == VERDICT_DOWN) == (t->down_reason != REASON_OK));
}

/* Our own side of it: what is old says nothing, and what is not probed on purpose begins anew. */
static void own_settle(struct step *step, uint32_t target, bool paused)
{
    struct plan_target *t = &step->next->targets[target];
    struct plan_view *v = &step->next->views[target];
    const struct config_check *check = step->layout->targets[target].check;
    usec_t newest = t->sampled > v->own_since ? t->sampled : v->own_since;
    if (step->now - newest <= verdict_fresh_us(check))
        return;
    t->successes = t->failures = 0;
    if (!paused)
        return;
    if (v->own != VERDICT_UNREADY)
        own_set(v, VERDICT_UNREADY, REASON_OK, step->now);
    verdict_void(t, step->now);
}

void quorum_settle(struct step *step, uint32_t target, bool paused)
{
    enum { UNDECIDED_MS = 5000 }; /* a start, or a network's blink, is no news */
    struct plan_target *t = &step->next->targets[target];
    struct plan_view *v = &step->next->views[target];
    const struct config_check *check = step->layout->targets[target].check;
    uint32_t region = step->layout->region[t->endpoint];
    v->inside = region == PLAN_NONE ? 0 : step->quorum->inside[region];
    if (!check)
        return;
    own_settle(step, target, paused);
    votes_count(step, target, v);
    v->far_reason = (uint8_t)far_reason(step, target, v->down);
    state_decide(step, target, v);
    bool enough = v->networks_up + v->networks_down >= (int)quorum_floor(step);
    v->undecided = enough || paused ? 0 : v->undecided ? v->undecided : step->now;
    bool frozen = v->undecided && step->now - v->undecided >= UNDECIDED_MS * USEC_PER_MSEC;
    bool expiring = t->certificate_end && t->certificate_end - step->input->wall / USEC_PER_SEC <
                                              check->expiry_warn / USEC_PER_SEC;
    t->flags = (uint8_t)((t->flags & ~(TARGET_FROZEN | TARGET_EXPIRING)) |
                         (frozen ? TARGET_FROZEN : 0) | (expiring ? TARGET_EXPIRING : 0));
}

usec_t quorum_change_us(const struct step *step, uint32_t target)
{
    const struct plan_target *t = &step->next->targets[target];
    const struct plan_view *v = &step->next->views[target];
    const struct config_check *check = step->layout->targets[target].check;
    if (!check || t->state == VERDICT_UNCHECKED)
        return USEC_NEVER;
    if (t->state == VERDICT_UP)
        return v->networks_down || t->failures ? check->interval
                                               : quorum_rounds(step) * check->interval;
    usec_t hold = t->state == VERDICT_DOWN ? t->hold_until - step->now : 0;
    usec_t rise = v->networks_up || t->successes ? check->interval : check->rise * check->interval;
    return rise > hold ? rise : hold;
}
