/* Geolocation and ip-based routing. Members name keys; a row of the netmap lists its keys, the most
 * specific first, and "*" comes last. For each row:
 *
 *   1. the first key that a serving member names;
 *   2. nobody serves any of its keys: the first key whose members would, if they were healthy (the
 *      row fails open, L3), and then the first whose members are drained;
 *   3. nobody names any: NODATA, by configuration, as in Route 53. */
#include "base/invariant.h"
#include "decide/choice.h"
#include "decide/policy.h"
#include "decide/scratch.h"
#include <stdlib.h>
#include <string.h>

enum { KEYED_PICK = 255 };

/* All (key, member) pairs, sorted by key, then tier, then place. */
static int key_member_compare(const void *a, const void *b)
{
    const struct key_member *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->tier != y->tier)
        return x->tier < y->tier ? -1 : 1;
    return x->member < y->member ? -1 : x->member > y->member;
}

static uint32_t pairs_collect(struct face *f, struct key_member *pairs)
{
    const struct layout *l = f->step->layout;
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->count; i++) {
        const struct member *m = &f->members[i];
        if (m->tier == TIER_NEVER)
            continue;
        for (uint32_t k = l->key_first[m->endpoint]; k < l->key_first[m->endpoint + 1]; k++)
            pairs[count++] = (struct key_member){l->keys[k], i, m->tier};
        if (l->any_key[m->endpoint])
            pairs[count++] = (struct key_member){KEY_ANY, i, m->tier};
    }
    qsort(pairs, count, sizeof *pairs, key_member_compare);
    return count;
}

/* One group a key: its members of the best tier. */
static uint32_t groups_make(const struct key_member *pairs, uint32_t count,
                            struct key_group *groups)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (n && groups[n - 1].key == pairs[i].key) {
            if (pairs[i].tier == groups[n - 1].tier)
                groups[n - 1].count++;
            continue;
        }
        groups[n++] = (struct key_group){pairs[i].key, i, 1, PLAN_NONE, pairs[i].tier};
    }
    return n;
}

struct keyed {
    struct face *face;
    const struct key_member *pairs;
    struct key_group *groups;
    uint32_t group_count;
    struct key_group *any; /* of "*", or NULL */
    uint32_t nodata;       /* made when needed */
    bool leads;            /* some row leads to an address */
};

static struct key_group *group_find(const struct keyed *k, uint32_t key)
{
    uint32_t low = 0, high = k->group_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (k->groups[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low < k->group_count && k->groups[low].key == key ? &k->groups[low] : NULL;
}

static uint32_t group_choice(struct keyed *k, struct key_group *g)
{
    if (!g) {
        if (k->nodata == PLAN_NONE)
            k->nodata = choice_nodata(k->face);
        return k->nodata;
    }
    k->leads = true;
    if (g->choice == PLAN_NONE) {
        uint32_t *list = k->face->step->scratch->list;
        for (uint32_t i = 0; i < g->count; i++)
            list[i] = k->pairs[g->first + i].member;
        g->choice = members_choice(k->face, list, g->count, KEYED_PICK);
    }
    return g->choice;
}

static struct key_group *row_group(const struct keyed *k, const uint32_t *keys, uint32_t count)
{
    struct key_group *best = NULL;
    for (uint32_t i = 0; i < count && (!best || best->tier != TIER_SERVING); i++) {
        struct key_group *g = group_find(k, keys[i]);
        if (g && (!best || g->tier < best->tier))
            best = g;
    }
    if (k->any && (!best || k->any->tier < best->tier))
        best = k->any;
    return best;
}

/* Without a map nothing is known of any client, and a map in which no client finds a member is a
 * mistake: neither may empty a name (L3). */
static uint32_t everybody(struct face *f)
{
    uint32_t *list = f->step->scratch->list, count = 0;
    for (uint32_t i = 0; i < f->count; i++)
        if (f->members[i].tier == TIER_SERVING)
            list[count++] = i;
    return members_choice(f, list, count, KEYED_PICK);
}

uint32_t policy_keyed(struct face *f, int file, const struct netmap *map)
{
    struct scratch *scratch = f->step->scratch;
    scratch_keys(scratch, f);
    struct keyed k = {.face = f,
                      .pairs = scratch->key_members,
                      .groups = scratch->key_groups,
                      .nodata = PLAN_NONE};
    uint32_t pair_count = pairs_collect(f, scratch->key_members);
    k.group_count = groups_make(k.pairs, pair_count, k.groups);
    k.any = group_find(&k, KEY_ANY);
    if (!map || file == CONFIG_NONE)
        return k.any ? group_choice(&k, k.any) : everybody(f);
    uint32_t *rows = scratch_rows(scratch, map->row_count);
    for (uint32_t i = 0; i < map->row_count; i++) {
        uint32_t count;
        const uint32_t *keys = netmap_keys(map, i, &count);
        rows[i] = group_choice(&k, row_group(&k, keys, count));
    }
    uint32_t otherwise = k.leads || k.any ? group_choice(&k, k.any) : everybody(f);
    return choice_network(f, (uint32_t)file, rows, map->row_count, otherwise);
}
