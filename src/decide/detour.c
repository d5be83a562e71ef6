#include "decide/detour.h"

#include "base/invariant.h"
#include "decide/quorum.h"
#include <stdlib.h>
#include <string.h>

/* The network of this name; network_count: nobody is in it any more. */
static uint32_t network_find(const struct step *step, const char *name)
{
    uint32_t n = 0;
    while (n < step->quorum->network_count && strcmp(quorum_network(step, n), name) != 0)
        n++;
    return n;
}

static uint32_t network_vantage(const struct step *step, uint32_t network)
{
    return (uint32_t)__builtin_ctzll(step->quorum->networks[network]);
}

/* Networks none of whose vantages reaches the target while others do. */
static uint64_t networks_lost(const struct step *step, uint32_t target)
{
    const struct quorum *q = step->quorum;
    const struct plan_view *v = &step->next->views[target];
    uint64_t lost = 0;
    if (step->next->targets[target].state != VERDICT_UP ||
        (v->finding != FINDING_TRANSIT && v->finding != FINDING_PATH))
        return 0;
    for (uint32_t n = 0; n < q->network_count; n++)
        if ((v->down & q->networks[n]) && !(v->up & q->networks[n]))
            lost |= UINT64_C(1) << n;
    return lost;
}

static void detour_add(struct step *step, uint32_t target, uint32_t network, usec_t since,
                       usec_t until)
{
    struct store *next = step->next;
    if (next->detour_count == PLAN_DETOURS_MAX)
        return; /* whose clients stay where they are */
    struct plan_detour *d = &next->detours[next->detour_count++];
    memset(d, 0, sizeof *d);
    d->target = target;
    d->vantage = network_vantage(step, network);
    d->since = since;
    d->until = until;
}

/* One of the plan before. Returns its network as a bit while it goes on. */
static uint64_t detour_continue(struct step *step, const struct plan_detour *old, uint32_t target)
{
    const struct carry *c = step->carry;
    const struct config_check *check = step->layout->targets[target].check;
    uint32_t n =
        network_find(step, plan_text(c->previous, c->previous->vantages[old->vantage].network));
    if (!check || n == step->quorum->network_count)
        return 0;
    bool fails = step->next->views[target].down & step->quorum->networks[n];
    bool renewed = fails || !c->same_boot;
    usec_t until = renewed ? step->now + check->hold_down : old->until;
    if (step->now >= until && !fails)
        return 0;
    detour_add(step, target, n, c->same_boot ? old->since : step->now, until);
    return UINT64_C(1) << n;
}

static int by_target(const void *a, const void *b)
{
    const struct plan_detour *x = a, *y = b;
    return x->target < y->target ? -1 : x->target > y->target;
}

/* The detours of the plan before, with targets as they are numbered now; without those that are
 * gone. */
static const struct plan_detour *detours_before(const struct step *step, struct arena *arena,
                                                uint32_t *ret_count)
{
    const struct plan *p = step->carry->previous;
    if (step->carry->identity || !p->detour_count) {
        *ret_count = p->detour_count;
        return p->detours;
    }
    struct plan_detour *list = arena_new(arena, p->detour_count, sizeof *list);
    uint32_t count = 0;
    for (uint32_t i = 0; i < p->detour_count; i++) {
        list[count] = p->detours[i];
        list[count].target = carry_target_back(step->carry, p->detours[i].target);
        count += list[count].target != PLAN_NONE;
    }
    qsort(list, count, sizeof *list, by_target);
    *ret_count = count;
    return list;
}

void detours_update(struct step *step)
{
    struct arena arena = arena_init();
    uint32_t old_count, at = 0;
    if (!step->quorum->count)
        return;
    const struct plan_detour *old = detours_before(step, &arena, &old_count);
    for (uint32_t i = 0; i < step->next->view_count; i++) {
        uint64_t lost = networks_lost(step, i);
        for (; at < old_count && old[at].target <= i; at++)
            lost &= ~detour_continue(step, &old[at], i);
        for (; lost; lost &= lost - 1)
            detour_add(step, i, (uint32_t)__builtin_ctzll(lost), step->now,
                       step->now + step->layout->targets[i].check->hold_down);
    }
    arena_done(&arena);
}

uint64_t detours_of(const struct step *step, uint32_t target,
                    usec_t ret_since[static PLAN_VANTAGES_MAX])
{
    const struct store *next = step->next;
    uint32_t low = 0, high = next->detour_count;
    uint64_t networks = 0;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (next->detours[middle].target < target)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < next->detour_count && next->detours[low].target == target; low++) {
        const struct plan_detour *d = &next->detours[low];
        uint32_t n = 0;
        while (network_vantage(step, n) != d->vantage)
            n++;
        invariant(n < step->quorum->network_count);
        networks |= UINT64_C(1) << n;
        ret_since[n] = d->since;
    }
    return networks;
}
