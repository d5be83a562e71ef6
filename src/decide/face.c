/* A face passes through four stations:
 *
 *   members   who there is, healthy or not, by checks and by order      member.c
 *   mode      somebody is healthy: normal; nobody: how to open (L3)     here
 *   policy    the choice among those who serve                          policy.c
 *   ttl       how long that holds                                       ttl.c */
#include "decide/face.h"

#include "base/invariant.h"
#include "decide/choice.h"
#include "decide/locality.h"
#include "decide/member.h"
#include "decide/policy.h"
#include "decide/scratch.h"
#include "decide/ttl.h"
#include "decide/velocity.h"

static const struct plan_face *face_before(const struct face *f)
{
    const struct plan_service *s = carry_service(f->step->carry, f->service);
    return s ? &s->faces[f->family] : NULL;
}

static bool member_is_open(const struct member *m)
{
    return m->tier == TIER_OPEN || m->tier == TIER_SERVING;
}

/* ---- the last good set ---- */

/* Marks the targets that answered when the face was last healthy; false where there are none. */
static bool goods_mark(struct face *f)
{
    const struct step *step = f->step;
    const struct plan_face *before = face_before(f);
    if (!before || before->good_count == 0)
        return false;
    uint32_t mark = ++step->scratch->good_mark;
    for (uint32_t i = 0; i < before->good_count; i++) {
        uint32_t old = step->carry->previous->goods[before->good_first + i];
        uint32_t target = carry_target_back(step->carry, old);
        if (target != PLAN_NONE)
            step->scratch->good_marks[target] = mark;
    }
    return true;
}

/* Does an endpoint, or one of the service that it stands for, have the mark? Configurations nest a
 * few deep. */
static bool endpoint_is_good(const struct face *f, uint32_t e)
{
    const struct step *step = f->step;
    const struct plan_endpoint *pe = &step->next->endpoints[e];
    if (pe->nested == PLAN_NONE)
        return pe->target[f->family] != PLAN_NONE &&
               step->scratch->good_marks[pe->target[f->family]] == step->scratch->good_mark;
    uint32_t first = step->layout->endpoint_first[pe->nested];
    for (uint32_t i = first; i < step->layout->endpoint_first[pe->nested + 1]; i++)
        if (endpoint_is_good(f, i))
            return true;
    return false;
}

static void good_add(struct store *st, uint32_t target)
{
    st->goods = store_reserve(st->goods, st->good_count, 1, &st->good_capacity, sizeof *st->goods);
    st->goods[st->good_count++] = target;
}

/* A healthy face is good as it is; one that is not keeps what was good. */
static void goods_write(const struct face *f, struct plan_face *to)
{
    const struct step *step = f->step;
    struct store *st = step->next;
    to->good_first = (uint32_t)st->good_count;
    const struct plan_face *before = face_before(f);
    if (to->mode == FACE_NORMAL) {
        for (uint32_t i = 0; i < f->count; i++) {
            const struct member *m = &f->members[i];
            if (!m->healthy || !(step->inside[m->endpoint] & (1u << f->family)))
                continue;
            if (!member_is_nested(m)) {
                good_add(st, m->target);
                continue;
            }
            const struct plan_face *child =
                &st->services[st->endpoints[m->endpoint].nested].faces[f->family];
            for (uint32_t k = 0; k < child->good_count; k++)
                good_add(st, st->goods[child->good_first + k]);
        }
    } else if (before) {
        for (uint32_t i = 0; i < before->good_count; i++) {
            uint32_t old = step->carry->previous->goods[before->good_first + i];
            uint32_t target = carry_target_back(step->carry, old);
            if (target != PLAN_NONE)
                good_add(st, target);
        }
    }
    to->good_count = (uint32_t)st->good_count - to->good_first;
}

/* ---- modes ---- */

static uint32_t serving_set(struct face *f,
                            bool (*serves)(const struct face *, const struct member *))
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < f->count; i++) {
        struct member *m = &f->members[i];
        if (!member_is_open(m))
            continue;
        m->tier = serves(f, m) ? TIER_SERVING : TIER_OPEN;
        count += m->tier == TIER_SERVING;
    }
    return count;
}

static bool serves_normally(const struct face *f, const struct member *m)
{
    return m->healthy || m->held || (m->verdict == VERDICT_UNREADY && f->config->unready_serves);
}

static bool serves_preferred(const struct face *f, const struct member *m)
{
    (void)f, (void)m;
    return true;
}

static bool serves_last_good(const struct face *f, const struct member *m)
{
    return endpoint_is_good(f, m->endpoint);
}

/* Members that may serve: all, those healthy, those that were ever seen healthy. */
struct census {
    uint32_t open, healthy, ready;
};

static struct census census_take(const struct face *f)
{
    struct census c = {0};
    for (uint32_t i = 0; i < f->count; i++) {
        const struct member *m = &f->members[i];
        if (!member_is_open(m))
            continue;
        c.open++;
        c.healthy += m->healthy;
        c.ready += m->verdict != VERDICT_UNREADY;
    }
    return c;
}

/* Nobody is healthy: suspect the looking (L3). What to answer is the operator's choice, but a start
 * is no outage: before anybody was seen healthy the preferred set answers. */
static enum face_mode mode_open(struct face *f, const struct census *c)
{
    enum when_all_down wish = f->config->when_all_down;
    if (c->open == 0) /* all disabled by order */
        return wish == ALL_DOWN_FALLBACK ? FACE_FALLBACK : FACE_NODATA;
    if (c->ready && wish == ALL_DOWN_NODATA)
        return FACE_NODATA;
    if (c->ready && wish == ALL_DOWN_FALLBACK)
        return FACE_FALLBACK;
    if (c->ready && wish == ALL_DOWN_LAST_GOOD && goods_mark(f) && serving_set(f, serves_last_good))
        return FACE_LAST_GOOD;
    return FACE_PREFERRED;
}

static enum face_mode mode_of(struct face *f, const struct census *c)
{
    if (f->count == 0)
        return FACE_ABSENT;
    if (c->healthy == 0)
        return mode_open(f, c);
    velocity_limit(f);
    uint32_t serving = serving_set(f, serves_normally);
    invariant(serving >= c->healthy);
    return FACE_NORMAL;
}

/* ---- choices ---- */

/* The root choice by mode. *ret_open: the one that parents use, whose own mode decides for them. */
static uint32_t face_choice(struct face *f, enum face_mode mode, const struct census *c,
                            uint32_t *ret_open)
{
    bool closed = mode == FACE_NODATA || mode == FACE_FALLBACK;
    *ret_open = PLAN_NONE;
    if (mode == FACE_ABSENT)
        return PLAN_NONE;
    if (mode == FACE_PREFERRED || (closed && c->open))
        serving_set(f, serves_preferred);
    if (!closed || (c->open && f->step->layout->is_nested[f->service])) {
        *ret_open = policy_choice(f);
        if (mode == FACE_NORMAL)
            *ret_open = locality_choice(f, *ret_open);
        invariant(*ret_open < f->step->next->choice_count);
    }
    if (!closed)
        return *ret_open;
    return mode == FACE_NODATA ? choice_nodata(f)
                               : choice_cname(f, f->step->next->fallback[f->service]);
}

static enum verdict_state face_verdict(enum face_mode mode, const struct census *c)
{
    if (mode == FACE_NORMAL)
        return VERDICT_UP;
    return c->ready ? VERDICT_DOWN : VERDICT_UNREADY;
}

static uint32_t face_connect_us(const struct face *f)
{
    uint32_t least = 0;
    for (uint32_t i = 0; i < f->count; i++) {
        const struct member *m = &f->members[i];
        if (m->tier == TIER_SERVING && m->connect_us && (!least || m->connect_us < least))
            least = m->connect_us;
    }
    return least;
}

static usec_t mode_since(const struct face *f, enum face_mode mode)
{
    const struct plan_face *before = face_before(f);
    bool same = before && before->mode == mode && f->step->carry->same_boot;
    return same ? before->since : f->step->now;
}

static void nested_write(const struct face *f)
{
    struct store *st = f->step->next;
    for (uint32_t i = 0; i < f->count; i++) {
        const struct member *m = &f->members[i];
        if (!m->held)
            continue;
        if (member_is_nested(m))
            st->endpoints[m->endpoint].held |= (uint8_t)(1u << f->family);
        else
            st->targets[m->target].flags |= TARGET_HELD;
    }
}

void face_decide(struct step *step, uint32_t service, unsigned family)
{
    const struct config_service *config = &step->layout->config->services[service];
    struct face f = {.step = step,
                     .config = config,
                     .service = service,
                     .family = (uint8_t)family,
                     .policy = (uint8_t)config->policy,
                     .members = step->scratch->members,
                     .window_end = USEC_NEVER};
    struct plan_face *to = &step->next->services[service].faces[family];
    struct face_fact *fact = &step->facts[(size_t)service * IP_FAMILIES + family];
    members_collect(&f);
    struct census census = census_take(&f);
    enum face_mode mode = mode_of(&f, &census);
    *to = (struct plan_face){.mode = (uint8_t)mode, .since = mode_since(&f, mode)};
    to->choice = face_choice(&f, mode, &census, &fact->open);
    to->velocity_held = f.held;
    fact->absent = mode == FACE_ABSENT;
    fact->verdict = (uint8_t)face_verdict(mode, &census);
    fact->connect_us = face_connect_us(&f);
    fact->change_us = ttl_change_us(&f);
    fact->reached = false;
    to->ttl = ttl_seconds(fact->change_us, config->ttl_min, config->ttl_max);
    goods_write(&f, to);
    nested_write(&f);
    invariant((to->choice == PLAN_NONE) == (mode == FACE_ABSENT)); /* L3: else there is an answer */
    invariant(!f.held || mode == FACE_NORMAL);
}
