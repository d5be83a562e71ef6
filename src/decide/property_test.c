/* Random worlds: random configurations, failures, orders, reloads and boots, and what must hold in
 * every one of their steps. A failure prints the seed; PROPERTY_SEED=n runs that world alone, and
 * PROPERTY_WORLDS=n more of them (CK_DEFAULT_TIMEOUT=0 gives them time).
 *
 *  P1  L3: a reader takes every plan: each name leads to addresses unless its operator's mode or an
 *      order says otherwise (snapshot_decode), and no step takes an answer away
 *      (snapshot_succeeds).
 *  P2  L4: within a window checks remove one member, or members of no more than the allowed share.
 *  P3  L2: the generation rises with each change and only then.
 *  P4  The same inputs give the same bytes, whatever a decider saw before and wherever the previous
 *      plan comes from.
 *  P5  L4: what was never seen healthy is not answered beside what is, and is no removal.
 *  P6  Disabled endpoints are never answered; drained ones not beside healthy others.
 *  P7  A frozen verdict does not move. */
#include "base/random.h"
#include "decide/decide_fixture.h"
#include "model/snapshot.h"
#include "test/check_main.h"

enum {
    WORLDS = 150,
    STEPS = 400,
    SERVICES_MOST = 6,
    ENDPOINTS_MOST = 6,
    LATENCIES = 6,
    WINDOW_MOST = 60
};

static uint64_t seed_now;

#define hold(condition, ...)                                                       \
    do {                                                                           \
        if (!(condition)) {                                                        \
            fprintf(stderr, "PROPERTY_SEED=%llu: ", (unsigned long long)seed_now); \
            fprintf(stderr, __VA_ARGS__);                                          \
            ck_abort_msg("%s", #condition);                                        \
        }                                                                          \
    } while (0)

static bool chance(struct random *r, unsigned percent)
{
    return random_below(r, 100) < percent;
}

/* ---- random configurations ---- */

static const char *const regions[] = {"us", "eu", "ap"};
static const struct config_location locations[] = {{.continent = "EU"},
                                                   {.country = "US"},
                                                   {.country = "US", .subdivision = "CA"},
                                                   {.country = "JP"},
                                                   {{0}}};
static int collections[] = {0, 1};

static void endpoint_random(struct config *c, struct config_service *s, uint32_t index,
                            struct random *r)
{
    char name[32], address[32];
    uint32_t i = s->endpoint_count;
    snprintf(name, sizeof name, "e%u", i);
    snprintf(address, sizeof address, "10.0.%u.%u", index, i + 1);
    int check = chance(r, 90) ? (int)random_below(r, c->check_count) : CONFIG_NONE;
    struct config_endpoint *e = fixture_endpoint(c, s, name, address, check);
    if (chance(r, 40)) {
        snprintf(address, sizeof address, "2001:db8:%x::%x", index, i + 1);
        int err = ip_parse(address, &e->address[IP_V6]);
        invariant(!err);
        e->has_address[IP_V6] = true;
        e->has_address[IP_V4] = chance(r, 70);
    }
    e->role = i == 0 ? ROLE_PRIMARY : ROLE_SECONDARY;
    e->weight = chance(r, 20) ? 0 : random_below(r, 256);
    e->region = chance(r, 90) ? regions[random_below(r, array_length(regions))] : NULL;
    if (s->velocity_percent % 2)
        e->capacity = 1 + random_below(r, 1000);
    e->locations = (struct config_location *)&locations[random_below(r, array_length(locations))];
    e->location_count = 1;
    e->collections = &collections[random_below(r, 2)];
    e->collection_count = random_below(r, 2);
    e->any_network = e->collection_count == 0 || chance(r, 20);
}

/* Services stand only for services after them, so that no loop comes about. */
static void service_random(struct config *c, uint32_t index, uint32_t count, struct random *r)
{
    char name[32];
    snprintf(name, sizeof name, "s%u.example.com", index);
    struct config_service *s =
        fixture_service(c, name, (enum policy)random_below(r, POLICIES), ENDPOINTS_MOST + 1);
    s->when_all_down = (enum when_all_down)random_below(r, 4);
    s->fallback = "sorry.example.net";
    s->velocity_percent = 10 + random_below(r, 90);
    s->velocity_window = chance(r, 10) ? 0 : (1 + random_below(r, WINDOW_MOST)) * SEC;
    s->unready_serves = chance(r, 20);
    s->zone = chance(r, 80) ? 0 : CONFIG_NONE;
    s->ttl_max = 1 + random_below(r, 300);
    s->ttl_min = 1 + random_below(r, s->ttl_max);
    uint32_t endpoints = 1 + random_below(r, ENDPOINTS_MOST);
    for (uint32_t i = 0; i < endpoints; i++)
        endpoint_random(c, s, index, r);
    if (index + 1 < count && index < 3 && chance(r, 50)) {
        uint32_t child = index + 1 + random_below(r, count - index - 1);
        struct config_endpoint *e = fixture_nested(c, s, "nested", (int)child);
        e->role = ROLE_SECONDARY;
        e->region = "eu";
        e->locations = (struct config_location *)&locations[0];
        e->location_count = 1;
        e->any_network = true;
        if (s->velocity_percent % 2)
            e->capacity = 1 + random_below(r, 1000);
    }
}

static struct config *config_random(uint64_t fingerprint, struct random *r)
{
    static struct config_latency latencies[LATENCIES];
    struct config *c = fixture_config(fingerprint);
    for (int i = 0; i < 3; i++) {
        struct config_check *check = &c->checks[fixture_check(c)];
        check->interval = (1 + random_below(r, 20)) * 100 * MS;
        check->timeout = check->interval / (1 + random_below(r, 3));
        check->rise = 1 + random_below(r, 4);
        check->fall = 1 + random_below(r, 4);
        check->hold_down = random_below(r, 8) * SEC;
    }
    for (unsigned i = 0; i < LATENCIES; i++)
        latencies[i] = (struct config_latency){.network.ip.bytes = {(uint8_t)(1 + i / 2)},
                                               .network.length = 8,
                                               .region = regions[i % 3],
                                               .latency = (10 + i * 7 % 5) * MS};
    c->latencies = latencies;
    c->latency_count = LATENCIES;
    uint32_t count = 1 + random_below(r, SERVICES_MOST);
    for (uint32_t i = 0; i < count; i++)
        service_random(c, i, count, r);
    return c;
}

/* ---- the netmaps, the same for all ---- */

static struct netmap maps[3];

static void map_make(unsigned index, const uint32_t *keys, unsigned count)
{
    struct netmap_builder *b = netmap_builder_new();
    for (unsigned i = 0; i < count; i++) {
        struct ip_prefix p = {.ip.bytes = {(uint8_t)(1 + i / 2)}, .length = 8};
        if (i % 2 && index < 2) {
            p.ip.bytes[1] = (uint8_t)i;
            p.length = 16;
        }
        netmap_builder_add(b, &p, keys[i]);
    }
    size_t size;
    uint8_t *data = netmap_builder_finish(b, &size);
    int err = netmap_open(data, size, &maps[index]);
    invariant(!err);
    netmap_builder_free(b);
}

static void maps_make(void)
{
    uint32_t geo[4];
    for (unsigned i = 0; i < 4; i++)
        geo[i] = location_key(&locations[i]);
    map_make(0, geo, 4);
    map_make(1, (const uint32_t[]){0, 1, 1}, 3);
    map_make(2, (const uint32_t[]){0, 0, 2, 2, 4, 4}, 6);
}

static void maps_give(struct world *w)
{
    static const char *const names[] = {"example.com", "geo", "collections", "latency"};
    static struct plan_file files[4];
    files[0] = (struct plan_file){.kind = PLAN_FILE_ZONE, .name = 0, .hash = 1};
    for (unsigned i = 0; i < 3; i++)
        files[i + 1] =
            (struct plan_file){.kind = PLAN_FILE_NETMAP, .name = i + 1, .hash = maps[i].hash};
    w->files = (struct decide_files){.files = files,
                                     .names = names,
                                     .file_count = 4,
                                     .geo = 1,
                                     .collections = 2,
                                     .latency = 3,
                                     .geo_map = &maps[0],
                                     .collections_map = &maps[1],
                                     .latency_map = &maps[2]};
}

/* ---- a random run ---- */

struct removed {
    uint32_t endpoint;
    unsigned family;
    usec_t at;
};

struct run {
    struct world *w;
    struct random r;
    usec_t due[200];   /* of each target: its next probe */
    uint8_t mood[200]; /* of each target: chance of failure, in percent */
    bool stalled;      /* the prober is late */
    bool blind;        /* the prober sees everything fail */
    bool reloads;      /* do reloads and boots happen in this world? */
    bool disables;     /* does this world's operator disable endpoints? */
    struct removed log[4096];
    size_t log_count;
    usec_t judged_from;    /* P2: removals under another limit are in no window any more */
    uint8_t *before_bytes; /* the plan before, as a file */
    size_t before_size;
    struct plan before;
    struct decider *shadow;
};

static void probes_run(struct run *run)
{
    struct world *w = run->w;
    for (uint32_t i = 0; i < w->target_count; i++) {
        const struct config_check *check = w->targets[i].check;
        if (!check || w->now < run->due[i] || run->mood[i] == 101)
            continue;
        run->due[i] = w->now + check->interval;
        bool failed = run->blind || chance(&run->r, run->mood[i]);
        struct sample *s = world_sample(w, i, failed ? REASON_CONNECT_REFUSED : REASON_OK);
        s->late = run->stalled && chance(&run->r, 80);
        s->phase_us[PHASE_CONNECT] = 1000 + random_below(&run->r, 5000);
        if (chance(&run->r, 2))
            s->reason = REASON_INTERNAL;
    }
}

static void moods_change(struct run *run)
{
    static const uint8_t moods[] = {0, 0, 0, 10, 50, 100, 100, 101 /* silent */};
    struct world *w = run->w;
    if (chance(&run->r, 5))
        run->stalled = !run->stalled;
    if (chance(&run->r, 3))
        run->blind = !run->blind;
    if (w->target_count && chance(&run->r, 10))
        run->mood[random_below(&run->r, w->target_count)] =
            moods[random_below(&run->r, array_length(moods))];
    if (chance(&run->r, 1))
        memset(run->mood, chance(&run->r, 50) ? 100 : 0, sizeof run->mood);
}

static void order_random(struct run *run)
{
    static const enum admin_state states[] = {ADMIN_AUTO, ADMIN_AUTO, ADMIN_DRAINED,
                                              ADMIN_FORCED_UP, ADMIN_DISABLED};
    struct config *c = run->w->config;
    const struct config_service *s = &c->services[random_below(&run->r, c->service_count)];
    const struct config_endpoint *e = &s->endpoints[random_below(&run->r, s->endpoint_count)];
    unsigned kinds = array_length(states) - !run->disables;
    world_order(run->w, s->name, e->name, states[random_below(&run->r, kinds)]);
}

static void upheaval(struct run *run)
{
    struct world *w = run->w;
    if (chance(&run->r, 3))
        order_random(run);
    if (run->reloads && chance(&run->r, 1) && chance(&run->r, 50)) {
        world_reload(w, config_random(w->config->fingerprint + 1, &run->r));
        memset(run->due, 0, sizeof run->due);
        run->judged_from = w->now + WINDOW_MOST * SEC;
    }
    if (run->reloads && chance(&run->r, 1) && chance(&run->r, 30)) {
        w->boot_id++;
        w->now = (1 + random_below(&run->r, 100)) * SEC;
        memset(run->due, 0, sizeof run->due);
        run->judged_from = w->now + WINDOW_MOST * SEC;
    }
}

/* ---- properties ---- */

static const char *where_of(const char *where)
{
    return where ? where : "";
}

/* P1. *run->before becomes the plan as a reader sees it. */
static void readers_take_it(struct run *run, bool reloaded)
{
    struct world *w = run->w;
    size_t size;
    const char *where = NULL;
    struct plan plan;
    uint8_t *bytes = snapshot_encode(&w->plan, &size);
    int err = snapshot_decode(bytes, size, &plan, &where);
    hold(!err, "%s\n", where_of(where));
    if (!err && run->before_bytes && !reloaded && w->out.changes) {
        err = snapshot_succeeds(&run->before, &plan, &where);
        hold(!err, "%s\n", where_of(where));
    }
    free(run->before_bytes);
    run->before_bytes = bytes;
    run->before_size = size;
    run->before = err ? w->plan : plan;
}

static uint64_t capacity_of(const struct config_service *s, const struct config_endpoint *e)
{
    for (uint32_t i = 0; i < s->endpoint_count; i++)
        if (s->endpoints[i].capacity == 0)
            return 1;
    return e->capacity;
}

static bool member_exists(const struct plan *p, const struct plan_endpoint *e, unsigned family)
{
    return e->nested == PLAN_NONE ? e->target[family] != PLAN_NONE
                                  : p->services[e->nested].faces[family].mode != FACE_ABSENT;
}

/* Shares differ with what is absent in a family; such services are left to velocity_test. */
static bool shares_are_plain(const struct plan *p, uint32_t service, unsigned family)
{
    const struct plan_service *s = &p->services[service];
    for (uint32_t i = 0; i < s->endpoint_count; i++)
        if (!member_exists(p, &p->endpoints[s->endpoint_first + i], family))
            return false;
    return true;
}

static void removal_note(struct run *run, uint32_t endpoint, unsigned family)
{
    hold(run->log_count < array_length(run->log), "the log is too short\n");
    run->log[run->log_count++] = (struct removed){endpoint, family, run->w->now};
}

/* Is a service out for what its checks saw, and not only because nobody was seen healthy yet? */
static bool service_is_down(const struct plan *p, uint32_t service, unsigned family)
{
    const struct plan_service *s = &p->services[service];
    for (uint32_t i = 0; i < s->endpoint_count; i++) {
        const struct plan_endpoint *e = &p->endpoints[s->endpoint_first + i];
        if (e->admin == ADMIN_DRAINED || e->admin == ADMIN_DISABLED)
            continue;
        if (e->nested != PLAN_NONE ? service_is_down(p, e->nested, family)
                                   : e->target[family] != PLAN_NONE &&
                                         p->targets[e->target[family]].state == VERDICT_DOWN)
            return true;
    }
    return false;
}

/* Was the endpoint in an answer, does its check say down, and is it in none now? */
static bool was_removed(const struct plan *p, const struct plan *before, uint32_t e,
                        unsigned family)
{
    const struct plan_endpoint *now = &p->endpoints[e], *was = &before->endpoints[e];
    unsigned bit = 1u << family;
    if (now->admin != ADMIN_AUTO || !(was->served & bit) || (now->served & bit))
        return false;
    if (now->nested != PLAN_NONE)
        return p->services[now->nested].faces[family].mode != FACE_NORMAL && !(now->held & bit) &&
               service_is_down(p, now->nested, family);
    const struct plan_target *t = &p->targets[now->target[family]];
    return t->state == VERDICT_DOWN && !(t->flags & TARGET_HELD);
}

static bool face_within_limit(const struct run *run, uint32_t service, unsigned family)
{
    const struct plan *p = &run->w->plan;
    const struct config_service *s = &run->w->config->services[service];
    uint64_t used = 0, total = 0;
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->endpoint_count; i++) {
        uint64_t share = capacity_of(s, &s->endpoints[i]);
        total += share;
        for (size_t k = 0; k < run->log_count; k++) {
            if (run->log[k].endpoint != p->services[service].endpoint_first + i ||
                run->log[k].family != family || run->w->now - run->log[k].at >= s->velocity_window)
                continue;
            used += share;
            count++;
            break; /* distinct members */
        }
    }
    return count <= 1 || used * 100 <= total * s->velocity_percent;
}

/* P2 */
static void velocity_holds(struct run *run, const struct plan *before)
{
    const struct plan *p = &run->w->plan;
    for (uint32_t s = 0; s < p->service_count; s++) {
        for (unsigned f = 0; f < IP_FAMILIES; f++) {
            if (p->services[s].faces[f].mode != FACE_NORMAL || !shares_are_plain(p, s, f))
                continue;
            bool any = false;
            for (uint32_t i = 0; i < p->services[s].endpoint_count; i++) {
                uint32_t e = p->services[s].endpoint_first + i;
                if (was_removed(p, before, e, f)) {
                    removal_note(run, e, f);
                    any = true;
                }
            }
            hold(!any || face_within_limit(run, s, f), "service %u family %u\n", s, f);
        }
    }
}

/* P5, P6, P7 */
static void target_holds(const struct run *run, const struct plan *before, bool reloaded,
                         uint32_t i)
{
    const struct plan *p = &run->w->plan;
    const struct plan_target *t = &p->targets[i];
    const struct plan_endpoint *e = &p->endpoints[t->endpoint];
    const struct config_service *s = &run->w->config->services[t->service];
    const struct plan_face *face = &p->services[t->service].faces[t->address.family];
    bool served = t->flags & TARGET_SERVED;
    bool keyed = s->policy == POLICY_GEOLOCATION || s->policy == POLICY_IP_BASED;
    hold(t->state != VERDICT_UNREADY || t->removed != run->w->now ||
             before->boot_id != run->w->boot_id,
         "target %u\n", i);
    hold(!(t->state == VERDICT_UNREADY && served && face->mode == FACE_NORMAL &&
           e->admin == ADMIN_AUTO && !s->unready_serves && !keyed),
         "target %u\n", i);
    hold(!(served && e->admin == ADMIN_DISABLED), "target %u\n", i);
    bool others = false;
    for (uint32_t k = 0; k < s->endpoint_count; k++) {
        const struct plan_endpoint *o = &p->endpoints[p->services[t->service].endpoint_first + k];
        uint32_t other = o->nested == PLAN_NONE ? o->target[t->address.family] : PLAN_NONE;
        if (other == PLAN_NONE)
            continue;
        uint8_t state = p->targets[other].state;
        others |= o->admin == ADMIN_FORCED_UP ||
                  (o->admin == ADMIN_AUTO && (state == VERDICT_UP || state == VERDICT_UNCHECKED));
    }
    /* Drained ones answer only where no other is healthy. */
    hold(!(served && e->admin == ADMIN_DRAINED && others && !keyed), "target %u\n", i);
    if (!reloaded && (t->flags & TARGET_FROZEN) && (before->targets[i].flags & TARGET_FROZEN))
        hold(t->state == before->targets[i].state, "target %u\n", i);
}

static void faces_hold(const struct run *run)
{
    const struct plan *p = &run->w->plan;
    for (uint32_t i = 0; i < p->service_count; i++) {
        const struct config_service *s = &run->w->config->services[i];
        for (unsigned f = 0; f < IP_FAMILIES; f++) {
            const struct plan_face *face = &p->services[i].faces[f];
            hold(face->ttl >= s->ttl_min && face->ttl <= s->ttl_max, "service %u\n", i);
            if (run->disables || face->mode == FACE_ABSENT)
                continue;
            enum choice_kind kind = p->choices[face->choice].kind;
            hold((kind == CHOICE_NODATA) == (face->mode == FACE_NODATA), "service %u\n", i);
            hold(kind != CHOICE_NODATA || s->when_all_down == ALL_DOWN_NODATA, "service %u\n", i);
            hold(kind != CHOICE_CNAME || s->when_all_down == ALL_DOWN_FALLBACK, "service %u\n", i);
        }
    }
}

static void bytes_equal(const uint8_t *a, size_t a_size, const struct plan *p, const char *who)
{
    size_t size;
    uint8_t *b = snapshot_encode(p, &size);
    hold(size == a_size && memcmp(a, b, size) == 0, "another plan: %s\n", who);
    free(b);
}

/* P4 */
static void others_agree(struct run *run, const struct decide_input *in)
{
    struct decide_output out;
    plan_step(run->shadow, in, &out);
    bytes_equal(run->before_bytes, run->before_size, &out.plan, "from a file");
    hold(out.changes == run->w->out.changes && out.event_count == run->w->out.event_count,
         "changes or events\n");
    if (!chance(&run->r, 10))
        return;
    struct decider *fresh = decider_new();
    plan_step(fresh, in, &out);
    bytes_equal(run->before_bytes, run->before_size, &out.plan, "a fresh decider");
    decider_free(fresh);
}

static void step_check(struct run *run)
{
    struct world *w = run->w;
    struct plan before = w->plan;
    bool first = before.generation == 0;
    bool reloaded = first || before.config_fingerprint != w->config->fingerprint;
    uint8_t *file = run->before_bytes; /* what `run->before` views */
    struct plan file_plan = run->before;
    struct decide_input in = {.previous = first ? NULL : &file_plan,
                              .intent = &w->intent,
                              .files = &w->files,
                              .samples = w->samples,
                              .sample_count = (uint32_t)w->sample_count,
                              .epoch = w->epoch,
                              .now = w->now,
                              .wall = w->now + 1700000000 * SEC,
                              .boot_id = w->boot_id};
    world_step(w);
    hold(w->plan.generation == before.generation + (w->out.changes != 0), "generation\n"); /* P3 */
    hold(!reloaded || w->out.changes, "a reload is a change\n");
    uint8_t *copy = NULL;
    if (file) { /* readers_take_it frees it */
        copy = mem_new(1, run->before_size);
        memcpy(copy, file, run->before_size);
        struct plan again;
        if (!snapshot_decode(copy, run->before_size, &again, NULL))
            in.previous = (file_plan = again, &file_plan);
        else
            in.previous = &before;
    }
    readers_take_it(run, reloaded);
    others_agree(run, &in);
    if (w->now < run->judged_from)
        run->log_count = 0;
    else if (!reloaded && before.boot_id == w->boot_id && !run->disables) /* shares change */
        velocity_holds(run, &before);
    for (uint32_t i = 0; i < w->plan.target_count; i++)
        target_holds(run, &before, reloaded, i);
    faces_hold(run);
    free(copy);
}

static void world_run(uint64_t seed)
{
    static struct run run;
    memset(&run, 0, sizeof run);
    seed_now = seed;
    run.r = random_init(seed);
    run.w = world_new(config_random(1, &run.r));
    run.shadow = decider_new();
    run.disables = seed % 4 == 0;
    run.reloads = seed % 2;
    maps_give(run.w);
    for (unsigned i = 0; i < STEPS; i++) {
        run.w->now += (10 + random_below(&run.r, 400)) * MS;
        moods_change(&run);
        if (i > 20)
            upheaval(&run);
        probes_run(&run);
        step_check(&run);
    }
    free(run.before_bytes);
    decider_free(run.shadow);
    world_free(run.w);
}

START_TEST(test_random_worlds)
{
    const char *one = getenv("PROPERTY_SEED");
    maps_make();
    if (one) {
        world_run(strtoull(one, NULL, 10));
        return;
    }
    const char *many = getenv("PROPERTY_WORLDS");
    uint64_t worlds = many ? strtoull(many, NULL, 10) : WORLDS;
    for (uint64_t seed = 1; seed <= worlds; seed++)
        world_run(seed);
}
END_TEST

CHECK_MAIN("property", test_random_worlds)
