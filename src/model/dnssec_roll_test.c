/* Every rollover, in virtual time, as validators see it: whatever DS, DNSKEY set and signature a
 * cache may hold at one time, there is a way from the DS to the data; and one for each algorithm of
 * the DS set, for those that insist on it. */
#include "base/random.h"
#include "model/dnssec_state.h"
#include "test/check_main.h"
#include <string.h>

enum { START = 1767225600, TTL = 7200, DNSKEY_TTL = 3600, DS_TTL = 86400, SPREAD = 300 };
enum { EPOCHS_MAX = 64, TAG_FIRST = 10 };

/* What is served (and what the parent says) from `since` until the next. Sets are bits by tag. */
struct epoch {
    int64_t since;
    uint64_t ds, published, key_signers, zone_signers;
};

struct world {
    struct key_state s;
    struct key_policy p;
    uint64_t parent;
    uint8_t algorithms[64]; /* by tag */
    unsigned tags;
    struct epoch epochs[EPOCHS_MAX];
    unsigned count;
};

static void world_note(struct world *w, int64_t now)
{
    struct epoch e = {.since = now, .ds = w->parent};
    for (unsigned i = 0; i < w->s.count; i++) {
        const struct key_record *k = &w->s.keys[i];
        uint64_t bit = (uint64_t)1 << (k->tag - TAG_FIRST);
        e.published |= k->stage != KEY_MADE ? bit : 0;
        e.key_signers |= key_signs_keys(k) ? bit : 0;
        e.zone_signers |= key_state_signs_zone(&w->s, k) ? bit : 0;
    }
    const struct epoch *last = w->count ? &w->epochs[w->count - 1] : NULL;
    if (last && last->ds == e.ds && last->published == e.published &&
        last->key_signers == e.key_signers && last->zone_signers == e.zone_signers)
        return;
    ck_assert_uint_lt(w->count, EPOCHS_MAX);
    w->epochs[w->count++] = e;
}

static void world_step(struct world *w, int64_t now)
{
    struct key_record removed[KEY_RECORDS_MAX];
    unsigned count;
    enum key_use use;
    do {
        while (key_state_needs(&w->s, &w->p, now, &use)) {
            ck_assert_uint_lt(w->tags, array_length(w->algorithms));
            w->algorithms[w->tags] = w->p.algorithm;
            ck_assert_int_eq(
                key_state_add(&w->s, use, w->p.algorithm, (uint16_t)(TAG_FIRST + w->tags++), now),
                0);
        }
        key_state_step(&w->s, &w->p, now, removed, &count);
    } while (key_state_needs(&w->s, &w->p, now, &use));
    world_note(w, now);
}

/* The parent does what it is asked, and the operator says so, each some time later. */
static void parent_act(struct world *w, struct random *dice, int64_t now)
{
    struct text out = text_init(1 << 12);
    uint64_t wanted = 0, unwanted = 0;
    for (unsigned i = 0; i < w->s.count; i++) {
        const struct key_record *k = &w->s.keys[i];
        uint64_t bit = (uint64_t)1 << (k->tag - TAG_FIRST);
        wanted |= key_is_sep(k) && k->ds == DS_WANTED ? bit : 0;
        unwanted |= key_is_sep(k) && k->ds == DS_UNWANTED ? bit : 0;
    }
    if (random_below(dice, 5)) {
        text_done(&out);
        return;
    }
    if (wanted && (w->parent & wanted) == wanted)
        ck_assert_int_eq(key_state_ds_seen(&w->s, &w->p, now, &out), 0);
    else if (unwanted && !(w->parent & unwanted))
        ck_assert_int_eq(key_state_ds_gone(&w->s, &w->p, now, &out), 0);
    else
        w->parent = (w->parent | wanted) & ~unwanted;
    world_note(w, now);
    text_done(&out);
}

/* ---- validators ---- */

static bool of_algorithm(const struct world *w, uint64_t keys, unsigned algorithm, uint64_t *ret)
{
    *ret = 0;
    for (unsigned i = 0; i < w->tags; i++)
        if (keys >> i & 1 && w->algorithms[i] == algorithm)
            *ret |= (uint64_t)1 << i;
    return *ret;
}

static bool path_is_there(uint64_t ds, const struct epoch *keys, uint64_t signers)
{
    return ds & keys->published & keys->key_signers && signers & keys->published;
}

static void combination_check(const struct world *w, const struct epoch *ds,
                              const struct epoch *keys, const struct epoch *data)
{
    static const uint8_t algorithms[] = {8, 13, 15};
    uint64_t own, signers;
    if (!ds->ds)
        return; /* insecure: nothing is validated */
    ck_assert_msg(path_is_there(ds->ds, keys, data->zone_signers), "no way at %lld",
                  (long long)data->since);
    for (unsigned i = 0; i < array_length(algorithms); i++)
        if (of_algorithm(w, ds->ds, algorithms[i], &own))
            ck_assert_msg(of_algorithm(w, data->zone_signers, algorithms[i], &signers) &&
                              path_is_there(own, keys, signers),
                          "no way by algorithm %u at %lld", algorithms[i], (long long)data->since);
}

/* Until when a cache may hold what was served in an epoch. */
static int64_t held_until(const struct world *w, unsigned epoch, int64_t ttl)
{
    return epoch + 1 == w->count ? INT64_MAX : w->epochs[epoch + 1].since + ttl + SPREAD;
}

static unsigned caches_check(const struct world *w)
{
    unsigned checked = 0;
    for (unsigned d = 0; d < w->count; d++)
        for (unsigned k = 0; k < w->count; k++)
            for (unsigned z = 0; z < w->count; z++) {
                int64_t ends[] = {held_until(w, d, DS_TTL), held_until(w, k, DNSKEY_TTL),
                                  held_until(w, z, TTL)};
                unsigned newest = d > k ? d : k;
                int64_t since = w->epochs[newest > z ? newest : z].since;
                if (since >= ends[0] || since >= ends[1] || since >= ends[2])
                    continue; /* never together in one cache */
                combination_check(w, &w->epochs[d], &w->epochs[k], &w->epochs[z]);
                checked++;
            }
    return checked;
}

/* ---- stories ---- */

static void world_begin(struct world *w, bool is_split, uint8_t algorithm)
{
    *w = (struct world){.p = {.split = is_split,
                              .algorithm = algorithm,
                              .dnskey_ttl = DNSKEY_TTL,
                              .ds_ttl = DS_TTL,
                              .propagation = SPREAD,
                              .zsk_lifetime = is_split ? 20 * 86400 : 0}};
    world_step(w, START);
    key_state_ttl(&w->s, TTL, START);
}

/* Ten-minute steps, some of which the node sleeps through. */
static int64_t world_run(struct world *w, struct random *dice, int64_t from, int64_t seconds)
{
    for (int64_t now = from; now < from + seconds; now += 600) {
        parent_act(w, dice, now);
        if (random_below(dice, 4))
            world_step(w, now);
    }
    return from + seconds;
}

START_TEST(test_algorithm_rolls)
{
    static const uint8_t algorithms[] = {15, 8, 13};
    struct world w;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct random dice = random_init(seed);
        world_begin(&w, seed % 2, 13);
        int64_t now = world_run(&w, &dice, START, 10 * 86400);
        w.p.algorithm = algorithms[seed % 3 == 2 ? 1 : 0];
        now = world_run(&w, &dice, now, 12 * 86400);
        for (unsigned i = 0; i < w.s.count; i++)
            ck_assert_uint_eq(w.s.keys[i].algorithm, w.p.algorithm);
        ck_assert_int_eq(w.s.count, seed % 2 ? 2 : 1);
        ck_assert_uint_gt(caches_check(&w), 20);
    }
}
END_TEST

START_TEST(test_key_rolls)
{
    struct text out = text_init(1 << 12);
    struct world w;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct random dice = random_init(seed);
        world_begin(&w, seed % 2, 13);
        int64_t now = world_run(&w, &dice, START, 5 * 86400);
        ck_assert_int_eq(key_state_roll(&w.s, &w.p, seed % 2 ? KEY_KSK : KEY_CSK, &out), 0);
        world_run(&w, &dice, now, 30 * 86400);
        ck_assert_uint_gt(caches_check(&w), 20);
    }
    text_done(&out);
}
END_TEST

/* A roll that is under way ends before the algorithm changes, and a changed mind is a roll back. */
START_TEST(test_changed_mind)
{
    struct text out = text_init(1 << 12);
    struct world w;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct random dice = random_init(seed);
        world_begin(&w, seed % 2, 13);
        int64_t now = world_run(&w, &dice, START, 5 * 86400);
        ck_assert_int_eq(key_state_roll(&w.s, &w.p, seed % 2 ? KEY_KSK : KEY_CSK, &out), 0);
        now = world_run(&w, &dice, now, 3600);
        w.p.algorithm = 15;
        now = world_run(&w, &dice, now, 10 * 86400);
        w.p.algorithm = 13;
        world_run(&w, &dice, now, 20 * 86400);
        for (unsigned i = 0; i < w.s.count; i++)
            ck_assert_uint_eq(w.s.keys[i].algorithm, 13);
        caches_check(&w);
    }
    text_done(&out);
}
END_TEST

CHECK_MAIN("dnssec_roll", test_algorithm_rolls, test_key_rolls, test_changed_mind)
