#include "decide/carry.h"

#include "base/invariant.h"
#include "base/map.h"
#include <string.h>

static bool same_layout(const struct plan *p, const struct layout *l)
{
    return p->config_fingerprint == l->fingerprint &&
           p->service_count == l->config->service_count && p->endpoint_count == l->endpoint_count &&
           p->target_count == l->target_count;
}

static uint32_t *nones_new(struct arena *a, size_t count)
{
    uint32_t *array = arena_new(a, count, sizeof *array);
    for (size_t i = 0; i < count; i++)
        array[i] = PLAN_NONE;
    return array;
}

/* An endpoint of the old service by name; most keep their place. */
static uint32_t endpoint_match(const struct plan *p, const struct plan_service *old, uint32_t place,
                               const char *name)
{
    const struct plan_endpoint *e = p->endpoints + old->endpoint_first;
    if (place < old->endpoint_count && strcmp(plan_text(p, e[place].name), name) == 0)
        return old->endpoint_first + place;
    for (uint32_t i = 0; i < old->endpoint_count; i++)
        if (strcmp(plan_text(p, e[i].name), name) == 0)
            return old->endpoint_first + i;
    return PLAN_NONE;
}

static void target_match(struct carry *c, uint32_t t, uint32_t was)
{
    c->target[t] = was;
    c->target_back[was] = t;
}

/* A name is the same while it is called the same, whatever address it stands beside. */
static void names_match(struct carry *c, const struct layout *l, uint32_t e, uint32_t old)
{
    for (unsigned f = 0; f < IP_FAMILIES; f++) {
        uint32_t beside = l->endpoint_target[(size_t)e * IP_FAMILIES + f];
        uint32_t t = beside == PLAN_NONE ? PLAN_NONE : l->name_beside[beside];
        uint32_t was = plan_target_by_name(c->previous, old, f);
        if (t != PLAN_NONE && was != PLAN_NONE &&
            strcmp(plan_text(c->previous, c->previous->targets[was].hostname),
                   l->targets[t].hostname) == 0)
            target_match(c, t, was);
    }
}

static void targets_match(struct carry *c, const struct layout *l, uint32_t e, uint32_t old)
{
    for (unsigned f = 0; f < IP_FAMILIES; f++) {
        uint32_t t = l->endpoint_target[(size_t)e * IP_FAMILIES + f];
        uint32_t was = c->previous->endpoints[old].target[f];
        if (t == PLAN_NONE || was == PLAN_NONE ||
            !ip_equal(&l->targets[t].address, &c->previous->targets[was].address))
            continue;
        target_match(c, t, was);
    }
    names_match(c, l, e, old);
}

static void service_match(struct carry *c, const struct layout *l, uint32_t s, uint32_t old)
{
    const struct config_service *cs = &l->config->services[s];
    const struct plan_service *was = &c->previous->services[old];
    c->service[s] = old;
    for (uint32_t i = 0; i < cs->endpoint_count; i++) {
        uint32_t e = l->endpoint_first[s] + i;
        uint32_t match = endpoint_match(c->previous, was, i, cs->endpoints[i].name);
        c->endpoint[e] = match;
        if (match != PLAN_NONE)
            targets_match(c, l, e, match);
    }
}

void carry_begin(struct carry *c, const struct plan *previous, const struct layout *l,
                 uint64_t boot_id)
{
    *c = (struct carry){.previous = previous,
                        .identity = same_layout(previous, l),
                        .same_boot = previous->boot_id == boot_id,
                        .arena = arena_init()};
    if (c->identity)
        return;
    c->service = nones_new(&c->arena, l->config->service_count);
    c->endpoint = nones_new(&c->arena, l->endpoint_count);
    c->target = nones_new(&c->arena, l->target_count);
    c->target_back = nones_new(&c->arena, previous->target_count);
    struct map names = map_init();
    for (uint32_t i = 0; i < previous->service_count; i++) {
        const char *name = plan_text(previous, previous->services[i].name);
        map_put(&names, name, strlen(name), (void *)&previous->services[i]);
    }
    for (uint32_t s = 0; s < l->config->service_count; s++) {
        const char *name = l->config->services[s].name;
        const struct plan_service *old = map_get(&names, name, strlen(name));
        if (old)
            service_match(c, l, s, (uint32_t)(old - previous->services));
    }
    map_done(&names);
}

void carry_done(struct carry *c)
{
    arena_done(&c->arena);
}

usec_t carry_removed(const struct carry *c, usec_t removed, usec_t window, usec_t now)
{
    if (c->same_boot || removed == 0)
        return removed;
    return c->previous->made - removed < window ? now : 0;
}

/* Monotonic times of another boot say nothing here. What counts is on the safe side: a hold-down
 * keeps what was left of it, a removal inside the window counts as of now. */
static void times_rebase(const struct carry *c, const struct config_check *check, usec_t window,
                         usec_t now, struct plan_target *t)
{
    usec_t left = t->hold_until - c->previous->made, most = check ? check->hold_down : 0;
    if (left < 0)
        left = 0;
    t->hold_until = t->hold_until ? now + (left < most ? left : most) : 0;
    t->removed = carry_removed(c, t->removed, window, now);
    t->since = now;
    t->sampled = 0;
}

void carry_target(const struct carry *c, uint32_t i, const struct config_check *check,
                  usec_t velocity_window, usec_t now, struct plan_target *ret)
{
    uint32_t service = ret->service, endpoint = ret->endpoint, old = carry_target_index(c, i);
    uint32_t hostname = ret->hostname;
    struct ip address = ret->address;
    if (old == PLAN_NONE) {
        memset(ret, 0, sizeof *ret);
        ret->state = check ? VERDICT_UNREADY : VERDICT_UNCHECKED;
        ret->reason = REASON_NOT_YET;
        ret->since = now;
    } else {
        memcpy(ret, &c->previous->targets[old], sizeof *ret);
        if (!c->same_boot)
            times_rebase(c, check, velocity_window, now, ret);
    }
    ret->service = service;
    ret->endpoint = endpoint;
    ret->address = address;
    ret->hostname = hostname;
    if (!check == (ret->state == VERDICT_UNCHECKED))
        return;
    /* A reload gave it a check or took it away. It answered without one: it goes on answering until
     * the check has seen it fail. */
    ret->state = check ? VERDICT_UP : VERDICT_UNCHECKED;
    ret->reason = REASON_NOT_YET;
    ret->down_reason = REASON_OK;
    ret->successes = ret->failures = 0;
    ret->since = now;
    ret->sampled = 0;
    ret->hold_until = 0;
}
