/* Every rollover, in virtual time, as validators see it: whatever DS, DNSKEY set and signature a
 * cache may hold at one time, there is a way from the DS to the data; and one for each algorithm of
 * the DS set, for those that insist on it. */
#include "base/random.h"
#include "model/dnssec_state.h"
#include "test/check_main.h"
#include <string.h>

enum { START = 1767225600, SPREAD = 300, STEP = 600, TAG_FIRST = 10, EPOCHS_MAX = 400 };
enum { DS_TTL = 86400, DAY = 86400, STORIES = 150 };

/* What is served (and what the parent says) from `since` until the next. Sets are bits by tag; all
 * empty: the zone is unsigned. */
struct epoch {
    int64_t since;
    uint64_t ds, published, key_signers, zone_signers;
    int64_t ttl, keys_ttl;
};

struct world {
    struct key_state s;
    struct key_policy p;
    bool on; /* the configuration wants it signed */
    int64_t ttl;
    uint64_t parent;
    uint8_t algorithms[64]; /* by tag */
    unsigned tags;
    struct epoch epochs[EPOCHS_MAX];
    unsigned count;
};

/* Millions of times: Check writes a line to its parent at each assertion that it is told of. */
static void holds(bool good, const char *what, unsigned algorithm, int64_t at)
{
    if (!good)
        ck_abort_msg("%s (algorithm %u) at %lld", what, algorithm, (long long)at);
}

static bool epochs_differ(const struct epoch *a, const struct epoch *b)
{
    return a->ds != b->ds || a->published != b->published || a->key_signers != b->key_signers ||
           a->zone_signers != b->zone_signers || a->ttl != b->ttl || a->keys_ttl != b->keys_ttl;
}

static bool world_is_signed(const struct world *w)
{
    return w->count && w->epochs[w->count - 1].zone_signers;
}

static void world_note(struct world *w, int64_t now, bool is_signed)
{
    struct epoch e = {.since = now, .ds = w->parent, .ttl = w->ttl, .keys_ttl = w->p.dnskey_ttl};
    for (unsigned i = 0; i < w->s.count && is_signed; i++) {
        const struct key_record *k = &w->s.keys[i];
        uint64_t bit = (uint64_t)1 << (k->tag - TAG_FIRST);
        e.published |= k->stage != KEY_MADE ? bit : 0;
        e.key_signers |= key_signs_keys(k) ? bit : 0;
        e.zone_signers |= key_state_signs_zone(&w->s, k) ? bit : 0;
    }
    if (w->count && !epochs_differ(&e, &w->epochs[w->count - 1]))
        return;
    holds(w->count < EPOCHS_MAX, "too many epochs", 0, now);
    w->epochs[w->count++] = e;
}

static void actives_check(const struct world *w)
{
    unsigned zone = 0, sep = 0;
    for (unsigned i = 0; i < w->s.count; i++) {
        zone += key_signs_zone(&w->s.keys[i]);
        sep += key_is_sep(&w->s.keys[i]) && w->s.keys[i].stage == KEY_ACTIVE;
    }
    holds(zone == 1 && sep == 1, "not one key is active", 0, 0);
}

/* What a load does (model/dnssec_keys_io.c). */
static void world_step(struct world *w, int64_t now)
{
    struct key_record removed[KEY_RECORDS_MAX];
    unsigned count;
    struct key_need need;
    if (!w->on && (!w->s.count || now >= key_state_unsign_time(&w->s, &w->p))) {
        world_note(w, now, false);
        return;
    }
    if (w->on)
        key_state_unsign_cancel(&w->s, world_is_signed(w), now);
    do {
        while (key_state_needs(&w->s, &w->p, now, &need)) {
            ck_assert_uint_lt(w->tags, array_length(w->algorithms));
            w->algorithms[w->tags] = need.algorithm;
            ck_assert_int_eq(key_state_add(&w->s, need, (uint16_t)(TAG_FIRST + w->tags++), now), 0);
        }
        key_state_step(&w->s, &w->p, now, removed, &count);
    } while (key_state_needs(&w->s, &w->p, now, &need));
    key_state_served(&w->s, &w->p, w->ttl, now);
    actives_check(w);
    world_note(w, now, true);
}

/* The parent does what it is asked, and the operator says so, each some time later. */
static void parent_act(struct world *w, struct random *dice, int64_t now)
{
    uint64_t wanted = 0, unwanted = 0;
    if (random_below(dice, 5))
        return;
    for (unsigned i = 0; i < w->s.count; i++) {
        const struct key_record *k = &w->s.keys[i];
        uint64_t bit = (uint64_t)1 << (k->tag - TAG_FIRST);
        wanted |= key_is_sep(k) && k->ds == DS_WANTED ? bit : 0;
        unwanted |= key_is_sep(k) && k->ds == DS_UNWANTED ? bit : 0;
    }
    struct text out = text_init(1 << 12);
    if (wanted && (w->parent & wanted) == wanted)
        ck_assert_int_eq(key_state_ds_seen(&w->s, &w->p, now, &out), 0);
    else if (unwanted && !(w->parent & unwanted))
        ck_assert_int_eq(key_state_ds_gone(&w->s, &w->p, now, &out), 0);
    else
        w->parent = (w->parent | wanted) & ~unwanted;
    if (w->count)
        world_note(w, now, world_is_signed(w));
    text_done(&out);
}

/* ---- validators ---- */

static const uint8_t algorithms[] = {8, 13, 15};

static uint64_t of_algorithm(const struct world *w, uint64_t keys, unsigned algorithm)
{
    uint64_t found = 0;
    for (unsigned i = 0; i < w->tags; i++)
        if (keys >> i & 1 && w->algorithms[i] == algorithm)
            found |= (uint64_t)1 << i;
    return found;
}

static bool path_is_there(uint64_t ds, const struct epoch *keys, uint64_t signers)
{
    return ds & keys->published & keys->key_signers && signers & keys->published;
}

static void combination_check(const struct world *w, const struct epoch *ds,
                              const struct epoch *keys, const struct epoch *data)
{
    if (!ds->ds)
        return; /* insecure: nothing is validated */
    holds(path_is_there(ds->ds, keys, data->zone_signers), "no way", 0, data->since);
    for (unsigned i = 0; i < array_length(algorithms); i++) {
        uint64_t own = of_algorithm(w, ds->ds, algorithms[i]);
        uint64_t signers = of_algorithm(w, data->zone_signers, algorithms[i]);
        holds(!own || (signers && path_is_there(own, keys, signers)), "no way", algorithms[i],
              data->since);
    }
}

/* RFC 4035 2.2: what is served at one moment has signatures of each algorithm of its keys. */
static void server_check(const struct world *w, const struct epoch *e)
{
    for (unsigned i = 0; i < array_length(algorithms); i++)
        holds(!of_algorithm(w, e->published, algorithms[i]) ||
                  (of_algorithm(w, e->key_signers, algorithms[i]) &&
                   of_algorithm(w, e->zone_signers, algorithms[i])),
              "not everything is signed", algorithms[i], e->since);
}

/* Until when a cache may hold what was served in an epoch. */
static int64_t held_until(const struct world *w, unsigned epoch, int64_t ttl)
{
    return epoch + 1 == w->count ? INT64_MAX : w->epochs[epoch + 1].since + ttl + SPREAD;
}

/* Of three epochs, the newest is `z` or one of the others; a cache has to have all at once. */
static bool held_together(const struct world *w, unsigned d, unsigned k, unsigned z)
{
    unsigned newest = d > k ? d : k;
    int64_t since = w->epochs[newest > z ? newest : z].since;
    return since < held_until(w, d, DS_TTL) && since < held_until(w, k, w->epochs[k].keys_ttl) &&
           since < held_until(w, z, w->epochs[z].ttl);
}

static unsigned caches_check(const struct world *w)
{
    unsigned checked = 0;
    for (unsigned d = 0; d < w->count; d++) {
        server_check(w, &w->epochs[d]);
        for (unsigned k = 0; k < w->count; k++)
            for (unsigned z = 0; z < w->count && held_together(w, d, k, k > d ? k : d); z++)
                if (held_together(w, d, k, z)) {
                    combination_check(w, &w->epochs[d], &w->epochs[k], &w->epochs[z]);
                    checked++;
                }
    }
    return checked;
}

/* ---- stories ---- */

static void world_begin(struct world *w, bool is_split, uint8_t algorithm)
{
    *w = (struct world){.on = true,
                        .ttl = 7200,
                        .p = {.split = is_split,
                              .algorithm = algorithm,
                              .dnskey_ttl = 3600,
                              .ds_ttl = DS_TTL,
                              .propagation = SPREAD,
                              .zsk_lifetime = is_split ? 20 * DAY : 0}};
    world_note(w, START - 30 * DAY, false);
    world_step(w, START);
}

/* Ten-minute steps, some of which the node sleeps through. */
static int64_t world_run(struct world *w, struct random *dice, int64_t from, int64_t seconds)
{
    for (int64_t now = from; now < from + seconds; now += STEP) {
        parent_act(w, dice, now);
        if (random_below(dice, 4))
            world_step(w, now);
    }
    return from + seconds;
}

static unsigned settled(const struct world *w)
{
    for (unsigned i = 0; i < w->s.count; i++) {
        ck_assert_uint_eq(w->s.keys[i].algorithm, w->p.algorithm);
        ck_assert_int_eq(w->s.keys[i].use != KEY_CSK, w->p.split);
    }
    return w->s.count;
}

START_TEST(test_algorithm_rolls)
{
    struct world w;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct random dice = random_init(seed);
        world_begin(&w, seed % 2, 13);
        int64_t now = world_run(&w, &dice, START, 10 * DAY);
        w.p.algorithm = seed % 3 == 2 ? 8 : 15;
        now = world_run(&w, &dice, now, 12 * DAY);
        ck_assert_int_eq(settled(&w), seed % 2 ? 2 : 1);
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
        int64_t now = world_run(&w, &dice, START, 5 * DAY);
        ck_assert_int_eq(key_state_roll(&w.s, &w.p, seed % 2 ? KEY_KSK : KEY_CSK, &out), 0);
        world_run(&w, &dice, now, 30 * DAY);
        ck_assert_uint_gt(caches_check(&w), 20);
    }
    text_done(&out);
}
END_TEST

/* From a CSK to KSK and ZSK and back, some with another algorithm in the same go. */
START_TEST(test_layout_rolls)
{
    struct world w;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct random dice = random_init(seed);
        world_begin(&w, seed % 2, 13);
        int64_t now = world_run(&w, &dice, START, 5 * DAY);
        w.p.split = !w.p.split;
        w.p.algorithm = seed % 3 ? 13 : 15;
        now = world_run(&w, &dice, now, 12 * DAY);
        ck_assert_int_eq(settled(&w), w.p.split ? 2 : 1);
        w.p.split = !w.p.split;
        world_run(&w, &dice, now, 12 * DAY);
        ck_assert_int_eq(settled(&w), w.p.split ? 2 : 1);
        ck_assert_uint_gt(caches_check(&w), 40);
    }
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
        int64_t now = world_run(&w, &dice, START, 5 * DAY);
        ck_assert_int_eq(key_state_roll(&w.s, &w.p, seed % 2 ? KEY_KSK : KEY_CSK, &out), 0);
        now = world_run(&w, &dice, now, 3600);
        w.p.algorithm = 15;
        w.p.split = !w.p.split;
        now = world_run(&w, &dice, now, 10 * DAY);
        w.p.algorithm = 13;
        w.p.split = !w.p.split;
        world_run(&w, &dice, now, 20 * DAY);
        settled(&w);
        caches_check(&w);
    }
    text_done(&out);
}
END_TEST

/* What operators may come up with at any moment. */
static void whim(struct world *w, struct random *dice, int64_t now)
{
    static const int64_t ttls[] = {60, 300, 7200, 86400, 2 * 86400};
    struct text out = text_init(1 << 12);
    switch (random_below(dice, 7)) {
    case 0:
        w->p.algorithm = algorithms[random_below(dice, array_length(algorithms))];
        break;
    case 1:
        w->p.split = !w->p.split;
        w->p.zsk_lifetime = w->p.split ? 5 * DAY : 0;
        break;
    case 2:
        w->ttl = ttls[random_below(dice, array_length(ttls))];
        break;
    case 3:
        w->p.dnskey_ttl = ttls[random_below(dice, array_length(ttls))];
        break;
    case 4:
        w->on = !w->on;
        if (!w->on && w->s.count && random_below(dice, 2))
            ck_assert_int_eq(key_state_unsign(&w->s, now, &out), 0);
        break;
    default:
        (void)!key_state_roll(&w->s, &w->p, (enum key_use)random_below(dice, KEY_USES), &out);
    }
    text_done(&out);
    if (random_below(dice, 8))
        w->on = true;
}

/* Any story: two months of whims. In the end, when nobody wants anything else, all is as wanted. */
START_TEST(test_any_story)
{
    struct world *w = calloc(1, sizeof *w);
    unsigned checked = 0;
    for (uint64_t seed = 1; seed <= STORIES; seed++) {
        struct random dice = random_init(seed);
        world_begin(w, seed % 2, algorithms[seed % 3]);
        int64_t now = START;
        for (unsigned i = 0; i < 20; i++) {
            now = world_run(w, &dice, now, (int64_t)random_below(&dice, 6 * DAY));
            whim(w, &dice, now);
        }
        w->on = true;
        now = world_run(w, &dice, now, 60 * DAY);
        w->p.zsk_lifetime = 0;
        world_run(w, &dice, now, 30 * DAY);
        checked += caches_check(w);
        ck_assert_msg(settled(w) == (w->p.split ? 2 : 1), "seed %u: %u keys", (unsigned)seed,
                      w->s.count);
    }
    ck_assert_uint_gt(checked, 10000);
    free(w);
}
END_TEST

CHECK_MAIN("dnssec_roll", test_algorithm_rolls, test_key_rolls, test_layout_rolls,
           test_changed_mind, test_any_story)
