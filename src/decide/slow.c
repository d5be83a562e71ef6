#include "decide/slow.h"

#include "base/invariant.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/sketch.h"
#include <stdlib.h>
#include <string.h>

/* ln(p1/p0) and ln((1-p0)/(1-p1)) for p0 = 0.1 %, p1 = 5 %, and h = 12, in millionths. */
enum { LOST = 3912023, CAME = 50293, ALARM = 12000000, OVER = ALARM / 2, SUM_MOST = ALARM + LOST };

enum {
    LOSS_LEAST_PPM = 20000, /* half way, by ratio, between what is lost anyway and p1 */
    RUN_MOST = 3,
    WINDOW_S = 60,
    RING_MOST = 660,  /* of a minute at the shortest interval, and some */
    USUAL_LEAST = 10, /* minutes of the running hour before they say anything */
    SLOW_MINUTES = 60,
    MINUTE_BEATS = 600,   /* a six hundredth of all targets ends its minute in each (L6) */
    QUANTILES_EVERY = 10, /* beats: a tenth of all targets in each */
};

/* One CUSUM, and what it saw since it last was 0. */
struct sum {
    uint32_t value;
    uint32_t tries, failures;
    usec_t since;
    uint64_t networks; /* that lost something */
    bool alarm;
};

/* Counters of a vantage on a target, as last seen. */
struct counters {
    struct loss_count counts[LOSS_KINDS];
    struct sum sums[LOSS_KINDS];
};

struct timing {
    uint32_t at_ms;
    uint16_t bucket;
};

struct watched {
    struct loss_count counts[LOSS_KINDS];  /* our own */
    struct loss_count pending[LOSS_KINDS]; /* of failures in a row */
    struct timing *ring;                   /* of the last minute's successes */
    uint32_t ring_size, first, count;
    struct sum sums[LOSS_KINDS]; /* over all vantages */
    uint16_t minutes[SLOW_MINUTES];
    uint32_t minute_count;
    int64_t hour;   /* of the wall clock, since 1970, that the minutes are of */
    uint16_t usual; /* bucket */
};

struct slow {
    struct arena arena; /* rings */
    struct watched *watched;
    struct slow_history *histories;
    struct slow_fact *facts;
    uint32_t count;
    /* Of each vantage, ourselves first: its number, its process, and counters by target. */
    uint64_t ids[VANTAGES_MAX], boots[VANTAGES_MAX], networks[VANTAGES_MAX];
    struct counters *counters[VANTAGES_MAX];
    uint32_t vantage_count, network_count;
    uint64_t beats, hours;
    usec_t minute_due;
    int64_t hour;         /* of the wall clock, since 1970; 0 = none yet */
    struct sketch sketch; /* one target's at a time */
};

struct slow *slow_new(void)
{
    struct slow *s = mem_new(1, sizeof *s);
    s->arena = arena_init();
    return s;
}

void slow_free(struct slow *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < VANTAGES_MAX; i++)
        free(s->counters[i]);
    arena_done(&s->arena);
    free(s->watched);
    free(s->histories);
    free(s->facts);
    free(s);
}

/* ---- targets ---- */

static uint32_t ring_size(const struct target *t)
{
    if (!t->check)
        return 0;
    uint64_t size = (uint64_t)(WINDOW_S * USEC_PER_SEC / t->check->interval) + 2;
    return size < RING_MOST ? (uint32_t)size : RING_MOST;
}

void slow_targets(struct slow *s, const struct target *targets, const uint64_t *identities,
                  uint32_t count)
{
    struct map old = map_init();
    struct watched *watched = mem_new(count + (size_t)1, sizeof *watched);
    struct slow_history *histories = mem_new(count + (size_t)1, sizeof *histories);
    for (uint32_t i = 0; i < s->count; i++)
        (void)map_put(&old, &s->histories[i].identity, sizeof s->histories[i].identity,
                      (void *)((uintptr_t)i + 1));
    for (uint32_t i = 0; i < count; i++) {
        uintptr_t place = (uintptr_t)map_get(&old, &identities[i], sizeof identities[i]);
        if (place) {
            watched[i] = s->watched[place - 1];
            histories[i] = s->histories[place - 1];
        }
        histories[i].identity = identities[i];
        watched[i].ring_size = ring_size(&targets[i]);
        watched[i].first = watched[i].count = 0; /* a minute begins anew */
    }
    map_done(&old);
    arena_done(&s->arena);
    for (uint32_t i = 0; i < count; i++)
        watched[i].ring = arena_new(&s->arena, watched[i].ring_size + 1u, sizeof(struct timing));
    free(s->watched);
    free(s->histories);
    free(s->facts);
    s->watched = watched;
    s->histories = histories;
    s->facts = mem_new(count + (size_t)1, sizeof *s->facts);
    s->count = count;
    s->vantage_count = 0; /* their counters are by target: begin anew */
}

/* ---- our own samples ---- */

static void ring_add(struct watched *w, const struct sample *sample)
{
    uint64_t us = 0;
    for (unsigned i = 0; i < PHASES; i++)
        us += sample->phase_us[i];
    if (!us || !w->ring_size)
        return;
    if (w->count == w->ring_size) {
        w->first = (w->first + 1) % w->ring_size;
        w->count--;
    }
    w->ring[(w->first + w->count++) % w->ring_size] =
        (struct timing){.at_ms = (uint32_t)(sample->ended / USEC_PER_MSEC),
                        .bucket = sketch_bucket(us < UINT32_MAX ? (uint32_t)us : UINT32_MAX)};
}

static void count_add(struct loss_count *c, uint32_t tries, uint32_t lost)
{
    c->tries += tries;
    c->lost += lost;
}

void slow_sample(struct slow *s, const struct sample *sample, bool down)
{
    if (sample->target >= s->count || sample->late || sample->reason == REASON_INTERNAL ||
        sample->reason == REASON_NOT_YET)
        return;
    struct watched *w = &s->watched[sample->target];
    bool failed = sample->reason != REASON_OK;
    count_add(&w->pending[LOSS_OF_PROBES], 1, failed);
    count_add(&w->pending[LOSS_OF_SEGMENTS], sample->segments, sample->segments_lost);
    if (failed)
        return;
    bool outage = down || w->pending[LOSS_OF_PROBES].lost > RUN_MOST;
    for (unsigned k = 0; k < LOSS_KINDS && !outage; k++)
        count_add(&w->counts[k], w->pending[k].tries, w->pending[k].lost);
    memset(w->pending, 0, sizeof w->pending);
    ring_add(w, sample);
}

/* ---- loss ---- */

static void sum_add(struct sum *sum, uint32_t tries, uint32_t failures, uint64_t network,
                    usec_t now)
{
    if (sum->value == 0 && !sum->alarm) {
        if (!failures)
            return;
        *sum = (struct sum){.since = now};
    }
    uint64_t down = (uint64_t)(tries - failures) * CAME, value = sum->value;
    value = value > down ? value - down : 0;
    value += (uint64_t)failures * LOST;
    sum->value = value < SUM_MOST ? (uint32_t)value : SUM_MOST;
    sum->tries += tries;
    sum->failures += failures;
    if (failures)
        sum->networks |= network;
    if (sum->value > ALARM)
        sum->alarm = true;
    else if (sum->value <= OVER)
        sum->alarm = false;
}

/* What a vantage's counters rose by since they were last seen. */
static void counters_take(struct slow *s, uint32_t vantage, uint32_t target,
                          const struct loss_count *counts, usec_t now)
{
    enum { STEP_MOST = 10000 * SAMPLE_SEGMENTS_MAX };
    struct counters *c = &s->counters[vantage][target];
    bool first = c->counts[LOSS_OF_PROBES].tries == 0;
    for (unsigned k = 0; k < LOSS_KINDS; k++) {
        uint32_t more = counts[k].tries - c->counts[k].tries;
        uint32_t lost = counts[k].lost - c->counts[k].lost;
        c->counts[k] = counts[k];
        if (first || more == 0 || more > STEP_MOST || lost > more)
            continue;
        sum_add(&c->sums[k], more, lost, 0, now);
        sum_add(&s->watched[target].sums[k], more, lost, s->networks[vantage], now);
    }
}

static void vantage_begin(struct slow *s, uint32_t at, uint64_t id, uint64_t boot)
{
    s->ids[at] = id;
    s->boots[at] = boot;
    s->counters[at] = mem_resize(s->counters[at], s->count + (size_t)1, sizeof **s->counters);
    memset(s->counters[at], 0, (s->count + (size_t)1) * sizeof **s->counters);
}

/* Votes of networks are bits; the first vantage of a network gives its bit. */
static void networks_place(struct slow *s, const char *network, const struct vantage *vantages,
                           uint32_t count)
{
    s->network_count = 1;
    s->networks[0] = 1;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t bit = strcmp(vantages[i].network, network) == 0 ? 1 : 0;
        for (uint32_t k = 0; k < i && !bit; k++)
            if (strcmp(vantages[i].network, vantages[k].network) == 0)
                bit = s->networks[k + 1];
        if (!bit)
            bit = UINT64_C(1) << s->network_count++;
        s->networks[i + 1] = bit;
    }
}

static void vantages_place(struct slow *s, const struct vantage *vantages, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        if (i + 1 >= s->vantage_count || s->ids[i + 1] != vantages[i].id ||
            s->boots[i + 1] != vantages[i].boot)
            vantage_begin(s, i + 1, vantages[i].id, vantages[i].boot);
    if (!s->vantage_count)
        vantage_begin(s, 0, 0, 0);
    s->vantage_count = count + 1;
}

static void counts_take(struct slow *s, const struct vantage *vantages, uint32_t count, usec_t now)
{
    for (uint32_t i = 0; i < s->count; i++)
        counters_take(s, 0, i, s->watched[i].counts, now);
    for (uint32_t v = 0; v < count; v++) {
        bool fresh = vantage_fresh(&vantages[v], now);
        for (uint32_t i = 0; i < s->count; i++) {
            const struct sight *sight = &vantages[v].sights[i];
            if (fresh)
                counters_take(s, v + 1, i, sight->counts, now);
            else /* what it saw last is no alarm of now */
                memset(s->counters[v + 1][i].sums, 0, sizeof s->counters[v + 1][i].sums);
        }
    }
}

static uint32_t ppm(uint32_t failures, uint32_t tries)
{
    return tries ? (uint32_t)((uint64_t)failures * 1000000 / tries) : 0;
}

/* Is it the target, for most of the networks? */
static bool loss_of_all(const struct slow *s, uint32_t target, enum loss_of of,
                        struct slow_fact *fact)
{
    const struct sum *all = &s->watched[target].sums[of];
    unsigned networks = (unsigned)__builtin_popcountll(all->networks);
    if (!all->alarm || networks * 2 <= s->network_count ||
        ppm(all->failures, all->tries) < LOSS_LEAST_PPM)
        return false;
    fact->lossy = true;
    fact->loss_of = of;
    fact->loss_ppm = ppm(all->failures, all->tries);
    fact->lossy_since = all->since;
    return true;
}

/* Is it the ways of some? */
static bool loss_of_ways(const struct slow *s, uint32_t target, enum loss_of of,
                         struct slow_fact *fact)
{
    uint32_t tries = 0, failures = 0;
    for (uint32_t v = 0; v < s->vantage_count; v++) {
        const struct sum *one = &s->counters[v][target].sums[of];
        if (!one->alarm || ppm(one->failures, one->tries) < LOSS_LEAST_PPM)
            continue;
        if (!fact->lossy || one->since < fact->lossy_since)
            fact->lossy_since = one->since;
        fact->lossy = true;
        fact->loss_of = of;
        fact->lossy_from |= UINT64_C(1) << v;
        tries += one->tries;
        failures += one->failures;
    }
    fact->loss_ppm = ppm(failures, tries);
    return fact->lossy;
}

static void loss_conclude(const struct slow *s, uint32_t target, struct slow_fact *fact)
{
    fact->lossy = false;
    fact->lossy_from = 0;
    (void)(loss_of_all(s, target, LOSS_OF_PROBES, fact) ||
           loss_of_all(s, target, LOSS_OF_SEGMENTS, fact) ||
           loss_of_ways(s, target, LOSS_OF_PROBES, fact) ||
           loss_of_ways(s, target, LOSS_OF_SEGMENTS, fact));
}

/* ---- latency ---- */

static int bucket_compare(const void *a, const void *b)
{
    return (int)*(const uint16_t *)a - (int)*(const uint16_t *)b;
}

/* The median of those that are known; 0 where none is. */
static uint16_t median(const uint16_t *buckets, uint32_t count)
{
    uint16_t known[SLOW_HOURS * SLOW_DAYS];
    uint32_t n = 0;
    invariant(count <= array_length(known));
    for (uint32_t i = 0; i < count; i++)
        if (buckets[i])
            known[n++] = buckets[i];
    if (!n)
        return 0;
    qsort(known, n, sizeof *known, bucket_compare);
    return known[(n - 1) / 2];
}

static uint16_t usual_of(const struct slow *s, uint32_t target, int64_t wall)
{
    const struct slow_history *h = &s->histories[target];
    const struct watched *w = &s->watched[target];
    uint16_t usual = median(h->usual[wall / USEC_PER_HOUR % SLOW_HOURS], SLOW_DAYS);
    usual = usual ? usual : median(h->usual[0], SLOW_HOURS * SLOW_DAYS);
    return usual ? usual : w->minute_count < USUAL_LEAST ? 0 : median(w->minutes, w->minute_count);
}

static void quantiles_take(struct slow *s, uint32_t target, usec_t now)
{
    struct watched *w = &s->watched[target];
    struct slow_fact *fact = &s->facts[target];
    uint32_t now_ms = (uint32_t)(now / USEC_PER_MSEC);
    memset(&s->sketch, 0, sizeof s->sketch);
    while (w->count && now_ms - w->ring[w->first].at_ms > WINDOW_S * 1000) {
        w->first = (w->first + 1) % w->ring_size;
        w->count--;
    }
    for (uint32_t i = 0; i < w->count; i++)
        sketch_add(&s->sketch, w->ring[(w->first + i) % w->ring_size].bucket);
    fact->p50_us = sketch_value(sketch_quantile(&s->sketch, 500));
    fact->p99_us = sketch_value(sketch_quantile(&s->sketch, 990));
}

/* The minute that ends goes to its hour, an hour that ended to its day. */
static void minute_take(struct slow *s, uint32_t target, int64_t wall)
{
    struct watched *w = &s->watched[target];
    int64_t hour = wall / USEC_PER_HOUR;
    if (hour != w->hour) {
        if (w->minute_count >= USUAL_LEAST) {
            s->histories[target].usual[w->hour % SLOW_HOURS][w->hour / SLOW_HOURS % SLOW_DAYS] =
                median(w->minutes, w->minute_count);
            s->hours++;
        }
        w->hour = hour;
        w->minute_count = 0;
    }
    if (s->facts[target].p99_us && w->minute_count < SLOW_MINUTES)
        w->minutes[w->minute_count++] = sketch_bucket(s->facts[target].p99_us);
    w->usual = usual_of(s, target, wall);
}

/* ---- the step ---- */

const struct slow_fact *slow_step(struct slow *s, const char *network,
                                  const struct vantage *vantages, uint32_t vantage_count,
                                  usec_t now, int64_t wall)
{
    invariant(vantage_count < VANTAGES_MAX);
    vantages_place(s, vantages, vantage_count);
    networks_place(s, network, vantages, vantage_count);
    counts_take(s, vantages, vantage_count, now);
    for (uint32_t i = (uint32_t)(s->beats % QUANTILES_EVERY); i < s->count; i += QUANTILES_EVERY)
        quantiles_take(s, i, now);
    for (uint32_t i = (uint32_t)(s->beats % MINUTE_BEATS); i < s->count; i += MINUTE_BEATS)
        minute_take(s, i, wall > 0 ? wall : 0);
    s->beats++;
    for (uint32_t i = 0; i < s->count; i++) {
        struct slow_fact *fact = &s->facts[i];
        memcpy(fact->counts, s->watched[i].counts, sizeof fact->counts);
        fact->usual_us = sketch_value(s->watched[i].usual);
        loss_conclude(s, i, fact);
    }
    return s->facts;
}

const struct slow_fact *slow_facts(const struct slow *s)
{
    return s->facts;
}

/* ---- what is kept ---- */

const struct slow_history *slow_histories(const struct slow *s, uint32_t *ret_count)
{
    *ret_count = s->count;
    return s->histories;
}

uint64_t slow_hours(const struct slow *s)
{
    return s->hours;
}

void slow_resume(struct slow *s, const struct slow_history *histories, uint32_t count)
{
    struct map known = map_init();
    for (uint32_t i = 0; i < count; i++)
        (void)map_put(&known, &histories[i].identity, sizeof histories[i].identity,
                      (void *)((uintptr_t)i + 1));
    for (uint32_t i = 0; i < s->count; i++) {
        uint64_t identity = s->histories[i].identity;
        uintptr_t place = (uintptr_t)map_get(&known, &identity, sizeof identity);
        if (place)
            s->histories[i] = histories[place - 1];
    }
    map_done(&known);
}
