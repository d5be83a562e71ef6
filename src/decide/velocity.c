#include "decide/velocity.h"

#include "base/invariant.h"
#include "decide/member.h"
#include "decide/scratch.h"
#include <stdlib.h>

/* So that a hundred times the sum of a thousand of them fits 64 bits. */
#define SHARE_MAX (UINT64_C(1) << 40)

struct budget {
    bool equal;     /* all shares are the same */
    uint64_t total; /* of all shares */
    uint64_t used;  /* by those removed within the window */
    uint32_t count; /* of those removed within the window */
};

static uint64_t share_of(const struct budget *b, const struct member *m)
{
    if (b->equal)
        return 1;
    return m->capacity < SHARE_MAX ? m->capacity : SHARE_MAX;
}

static bool removed_lately(const struct face *f, const struct member *m)
{
    usec_t removed = *member_removed(f, m);
    return removed != 0 && f->step->now - removed < f->config->velocity_window;
}

static struct budget budget_of(struct face *f)
{
    struct budget b = {0};
    for (uint32_t i = 0; i < f->count; i++)
        if (f->members[i].tier != TIER_NEVER && f->members[i].capacity == 0)
            b.equal = true;
    f->window_end = USEC_NEVER;
    for (uint32_t i = 0; i < f->count; i++) {
        const struct member *m = &f->members[i];
        if (m->tier == TIER_NEVER)
            continue;
        b.total += share_of(&b, m);
        if (!removed_lately(f, m))
            continue;
        b.used += share_of(&b, m);
        b.count++;
        usec_t end = *member_removed(f, m) + f->config->velocity_window;
        if (end < f->window_end)
            f->window_end = end;
    }
    return b;
}

static int removal_compare(const void *a, const void *b)
{
    const struct removal *x = a, *y = b;
    if (x->since != y->since)
        return x->since < y->since ? -1 : 1;
    return x->member < y->member ? -1 : x->member > y->member;
}

/* Those whom checks want out of the answers, who has been down longest first. */
static uint32_t removals_collect(struct face *f, struct removal *removals)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->count; i++) {
        const struct member *m = &f->members[i];
        if (m->tier == TIER_OPEN && m->automatic && m->verdict == VERDICT_DOWN && m->was_served)
            removals[count++] = (struct removal){m->since, i};
    }
    if (count > 1)
        qsort(removals, count, sizeof *removals, removal_compare);
    return count;
}

static bool budget_allows(const struct face *f, const struct budget *b, uint64_t share)
{
    return f->config->velocity_window == 0 || b->count == 0 ||
           (b->used + share) * 100 <= b->total * f->config->velocity_percent;
}

void velocity_limit(struct face *f)
{
    struct removal *removals = f->step->scratch->removals;
    uint32_t count = removals_collect(f, removals);
    if (count == 0)
        return;
    struct budget b = budget_of(f);
    for (uint32_t i = 0; i < count; i++) {
        struct member *m = &f->members[removals[i].member];
        uint64_t share = share_of(&b, m);
        if (!removed_lately(f, m)) {
            if (!budget_allows(f, &b, share)) {
                m->held = f->held = true;
                continue;
            }
            b.used += share;
            b.count++;
        }
        *member_removed(f, m) = f->step->now;
        if (f->window_end == USEC_NEVER)
            f->window_end = f->step->now + f->config->velocity_window;
    }
    invariant(b.count <= f->count && b.used <= b.total);
    invariant(!f->held || b.count > 0); /* one removal is always allowed */
}
