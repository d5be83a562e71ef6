#include "decide/choice.h"

#include "base/invariant.h"
#include "decide/member.h"
#include "decide/scratch.h"
#include <string.h>

static uint32_t choice_add(struct face *f, const struct plan_choice *choice, unsigned height)
{
    struct store *st = f->step->next;
    st->choices =
        store_reserve(st->choices, st->choice_count, 1, &st->choice_capacity, sizeof *st->choices);
    st->heights =
        store_reserve(st->heights, st->choice_count, 1, &st->height_capacity, sizeof *st->heights);
    invariant(height >= 1 && height <= PLAN_DEPTH_MAX);
    st->choices[st->choice_count] = *choice;
    st->heights[st->choice_count] = (uint8_t)height;
    return (uint32_t)st->choice_count++;
}

/* `targets`: at least one, of the face's family; at most `pick` of them are sent. */
static uint32_t choice_addresses(struct face *f, const uint32_t *targets, uint32_t count,
                                 uint16_t pick)
{
    struct store *st = f->step->next;
    invariant(count > 0 && pick > 0); /* L3 */
    struct plan_choice choice = {.kind = CHOICE_ADDRESSES,
                                 .family = f->family,
                                 .pick = pick,
                                 .first = (uint32_t)st->address_count,
                                 .count = count};
    st->addresses = store_reserve(st->addresses, st->address_count, count, &st->address_capacity,
                                  sizeof *st->addresses);
    for (uint32_t i = 0; i < count; i++) {
        struct plan_address *a = &st->addresses[st->address_count++];
        a->target = targets[i];
        memcpy(a->bytes, st->targets[targets[i]].address.bytes, sizeof a->bytes);
    }
    return choice_add(f, &choice, 1);
}

static struct plan_branch *branches_reserve(struct store *st, uint32_t count)
{
    st->branches = store_reserve(st->branches, st->branch_count, count, &st->branch_capacity,
                                 sizeof *st->branches);
    return st->branches + st->branch_count;
}

uint32_t choice_weighted(struct face *f, struct plan_branch *branches, uint32_t count)
{
    struct store *st = f->step->next;
    invariant(count > 0);
    if (count == 1)
        return branches[0].choice;
    unsigned height = 0;
    uint32_t total = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (st->heights[branches[i].choice] > height)
            height = st->heights[branches[i].choice];
        total += branches[i].weight_end;
    }
    invariant(total > 0); /* L3: a sum of 0 would answer nobody */
    if (height >= PLAN_DEPTH_MAX)
        return branches[0].choice;
    struct plan_choice choice = {.kind = CHOICE_WEIGHTED,
                                 .family = f->family,
                                 .first = (uint32_t)st->branch_count,
                                 .count = count,
                                 .total = total};
    struct plan_branch *to = branches_reserve(st, count);
    uint32_t end = 0;
    for (uint32_t i = 0; i < count; i++) {
        end += branches[i].weight_end;
        to[i] = (struct plan_branch){.weight_end = end, .choice = branches[i].choice};
    }
    st->branch_count += count;
    return choice_add(f, &choice, height + 1);
}

uint32_t choice_network(struct face *f, uint32_t map, const uint32_t *rows, uint32_t count,
                        uint32_t otherwise)
{
    struct store *st = f->step->next;
    unsigned height = st->heights[otherwise];
    for (uint32_t i = 0; i < count; i++)
        if (st->heights[rows[i]] > height)
            height = st->heights[rows[i]];
    if (height >= PLAN_DEPTH_MAX) {
        for (uint32_t i = 0; i < count; i++)
            if (st->choices[rows[i]].kind != CHOICE_NODATA)
                return rows[i];
        return otherwise;
    }
    struct plan_choice choice = {.kind = CHOICE_NETWORK,
                                 .family = f->family,
                                 .first = (uint32_t)st->branch_count,
                                 .count = count,
                                 .map = map,
                                 .otherwise = otherwise};
    struct plan_branch *to = branches_reserve(st, count);
    for (uint32_t i = 0; i < count; i++)
        to[i] = (struct plan_branch){.choice = rows[i]};
    st->branch_count += count;
    return choice_add(f, &choice, height + 1);
}

uint32_t choice_nodata(struct face *f)
{
    return choice_add(f, &(struct plan_choice){.kind = CHOICE_NODATA, .family = f->family}, 1);
}

uint32_t choice_cname(struct face *f, uint32_t name)
{
    return choice_add(
        f, &(struct plan_choice){.kind = CHOICE_CNAME, .family = f->family, .first = name}, 1);
}

static void member_mark(struct face *f, const struct member *m)
{
    f->step->inside[m->endpoint] |= (uint8_t)(1u << f->family);
}

uint32_t member_choice(struct face *f, struct member *m)
{
    member_mark(f, m);
    if (m->choice == PLAN_NONE)
        m->choice = choice_addresses(f, &m->target, 1, 1);
    return m->choice;
}

uint32_t members_choice(struct face *f, const uint32_t *list, uint32_t count, uint16_t pick)
{
    struct scratch *scratch = f->step->scratch;
    uint32_t *targets = scratch->targets, direct = 0, branches = 0;
    invariant(count > 0);
    if (count == 1)
        return member_choice(f, &f->members[list[0]]);
    for (uint32_t i = 0; i < count; i++) {
        struct member *m = &f->members[list[i]];
        if (member_is_nested(m))
            scratch->branches[branches++] = (struct plan_branch){1, member_choice(f, m)};
        else
            targets[direct++] = m->target;
        member_mark(f, m);
    }
    if (direct)
        scratch->branches[branches++] =
            (struct plan_branch){direct, choice_addresses(f, targets, direct, pick)};
    return choice_weighted(f, scratch->branches, branches);
}
