/* What concerns several services together: zones, nesting, fallbacks. */
#include "base/invariant.h"
#include "model/config_link.h"
#include "model/plan.h"
#include "wire/dname.h"
#include <stdlib.h>
#include <string.h>

struct wire_name {
    uint8_t bytes[DNAME_MAX];
    size_t length;
};

/* Names in a config were made by dname_format, so they parse. */
static struct wire_name wire_of(const char *name)
{
    struct wire_name w = {.length = 0};
    int n = dname_parse(name, strlen(name), NULL, w.bytes);
    invariant(n > 0);
    w.length = (size_t)n;
    return w;
}

/* Zones by origin in wire form -> index + 1. */
struct zone_index {
    struct map map;
    struct wire_name *origins;
};

static struct zone_index zone_index_new(const struct config *c)
{
    struct zone_index z = {map_init(), mem_new(c->zone_count + (size_t)1, sizeof *z.origins)};
    for (uint32_t i = 0; i < c->zone_count; i++) {
        if (!c->zones[i].name)
            continue;
        z.origins[i] = wire_of(c->zones[i].name);
        map_put(&z.map, z.origins[i].bytes, z.origins[i].length, (void *)&c->zones[i]);
    }
    return z;
}

static void zone_index_done(struct zone_index *z)
{
    map_done(&z->map);
    free(z->origins);
}

/* The closest zone that a name lies in, or CONFIG_NONE. */
static int zone_index_find(const struct zone_index *z, const struct config *c, const char *name,
                           bool *ret_apex)
{
    struct wire_name w = wire_of(name);
    for (size_t at = 0;; at += w.bytes[at] + (size_t)1) {
        const struct config_zone *zone = map_get(&z->map, w.bytes + at, w.length - at);
        if (zone) {
            *ret_apex = at == 0;
            return (int)(zone - c->zones);
        }
        if (!w.bytes[at])
            return CONFIG_NONE;
    }
}

struct nesting {
    struct linking *linking;
    struct config *config;
    const struct draft_service *drafts;
    /* of each service: */
    uint8_t *depth; /* longest chain of services down from it, itself included; 0: not known yet */
    bool *entered;  /* being walked: to come here again is a loop */
    bool *referred;
    bool *leads_to_name; /* it, or a service below it, may answer a CNAME */
};

static struct config_place reference_place(const struct nesting *n, uint32_t service,
                                           uint32_t endpoint)
{
    const struct draft_endpoint *e = n->drafts[service].endpoints.items;
    return place_under(&e[endpoint].head, "service");
}

/* A walk with its own stack: chains in a hostile file may be as long as the file. */
struct step {
    uint32_t service, next;
};

/* The most choices that may follow one another where `below` follow one another in the deepest
 * endpoint: one by client network or weight, and one among endpoints that share a key. */
static unsigned depth_over(const struct config_service *s, bool nested, unsigned below)
{
    bool several = s->endpoint_count > 1;
    switch (s->policy) {
    case POLICY_LATENCY:
    case POLICY_GEOLOCATION:
    case POLICY_IP_BASED:
        return below + 1 + (nested && several);
    case POLICY_WEIGHTED:
        return below + several;
    case POLICY_FAILOVER:
        return below + (nested && s->endpoint_count > 2);
    case POLICY_SIMPLE:
    case POLICY_MULTIVALUE:
        break;
    }
    return below;
}

enum { DEPTH_SATURATED = 200 };

static void service_settle(struct nesting *n, uint32_t service)
{
    struct config *c = n->config;
    const struct config_service *s = &c->services[service];
    unsigned deepest = 1; /* the addresses themselves */
    uint32_t guilty = PLAN_NONE;
    n->leads_to_name[service] = s->when_all_down == ALL_DOWN_FALLBACK;
    for (uint32_t i = 0; i < s->endpoint_count; i++) {
        int below = s->endpoints[i].service;
        if (below == CONFIG_NONE)
            continue;
        n->leads_to_name[service] |= n->leads_to_name[below];
        if (guilty == PLAN_NONE || n->depth[below] > deepest) {
            deepest = n->depth[below];
            guilty = i;
        }
    }
    unsigned depth = depth_over(s, guilty != PLAN_NONE, deepest);
    n->depth[service] = (uint8_t)(depth < DEPTH_SATURATED ? depth : DEPTH_SATURATED);
    n->entered[service] = false;
    if (depth > PLAN_DEPTH_MAX && deepest <= PLAN_DEPTH_MAX && guilty != PLAN_NONE)
        problem_add(
            n->linking->reading->problems, reference_place(n, service, guilty),
            "from %s on up to %u choices follow one another, and an answer makes at most %d; nest "
            "fewer services in one another",
            s->name ? s->name : "here", depth, PLAN_DEPTH_MAX);
}

static void services_walk(struct nesting *n, uint32_t root)
{
    struct config *c = n->config;
    size_t count = 0, capacity = 0;
    struct step *stack = mem_grow(NULL, count, &capacity, sizeof *stack);
    stack[count++] = (struct step){root, 0};
    n->entered[root] = true;
    while (count) {
        struct step *top = &stack[count - 1];
        const struct config_service *s = &c->services[top->service];
        if (top->next == s->endpoint_count) {
            service_settle(n, top->service);
            count--;
            continue;
        }
        uint32_t endpoint = top->next++;
        int below = s->endpoints[endpoint].service;
        if (below == CONFIG_NONE || n->depth[below])
            continue;
        if (n->entered[below]) {
            problem_add(n->linking->reading->problems, reference_place(n, top->service, endpoint),
                        "%s leads back to itself through this service; break the loop",
                        c->services[below].name);
            s->endpoints[endpoint].service = CONFIG_NONE;
            continue;
        }
        n->entered[below] = true;
        stack = mem_grow(stack, count, &capacity, sizeof *stack);
        stack[count++] = (struct step){(uint32_t)below, 0};
    }
    free(stack);
}

enum { FALLBACKS_MAX = 16 };

/* Fallbacks that lead in a circle answer a CNAME loop when all of them are down. */
static void fallback_check(struct nesting *n, uint32_t service, bool apex)
{
    struct config *c = n->config;
    const struct draft_service *drafts = n->drafts;
    const struct config_service *s = &c->services[service];
    struct problems *p = n->linking->reading->problems;
    struct config_place place = place_under(&drafts[service].head, "when_all_down");
    if (apex && s->fallback) {
        problem_add(
            p, place,
            "a fallback is a CNAME, and %s is the apex of a zone, which cannot have one; use "
            "preferred, last_good or nodata",
            s->name);
        return;
    }
    if (apex && n->leads_to_name[service])
        problem_add(
            p, drafts[service].head.node->place,
            "a service that %s stands for may answer a CNAME, and %s is the apex of a zone, which "
            "cannot have one; remove the fallback there",
            s->name, s->name);
    const char *name = s->fallback;
    for (unsigned hops = 0; name && hops < FALLBACKS_MAX; hops++) {
        if (strcmp(name, s->name) == 0) {
            problem_add(p, place, "the fallback of %s leads back to %s; name something outside",
                        s->name, s->name);
            return;
        }
        const struct draft_service *next = map_get(&n->linking->services, name, strlen(name));
        name = next ? c->services[next - drafts].fallback : NULL;
    }
}

static void zone_check(struct nesting *n, const struct zone_index *zones, uint32_t service)
{
    struct config *c = n->config;
    struct config_service *s = &c->services[service];
    bool apex = false;
    if (!s->name)
        return;
    s->zone = zone_index_find(zones, c, s->name, &apex);
    fallback_check(n, service, apex);
    if (s->zone != CONFIG_NONE || n->referred[service] || !c->zone_count ||
        c->verdict.references == s)
        return;
    struct suggestion like = suggestion_init(s->name);
    const char *tail = s->name;
    for (uint32_t i = 0; i < c->zone_count && problems_few(n->linking->reading->problems); i++) {
        if (!c->zones[i].name)
            continue;
        /* compare the end of the name, as long as the zone's, with the zone */
        size_t own = strlen(s->name), wanted = strlen(c->zones[i].name);
        tail = own > wanted ? s->name + own - wanted : s->name;
        struct suggestion one = suggestion_init(tail);
        suggestion_offer(&one, c->zones[i].name);
        if (one.best && one.distance < like.distance)
            like = one;
    }
    const struct draft *head = &n->drafts[service].head;
    if (like.best)
        problem_add(n->linking->reading->problems, place_under(head, "name"),
                    "%s lies outside every zone; did you mean a name in %s?", s->name, like.best);
    else
        problem_add(
            n->linking->reading->problems, place_under(head, "name"),
            "%s lies outside every zone, and no endpoint refers to it; add its zone under zones",
            s->name);
}

/* So that nobody looks through all services for those of one zone. */
static void zones_chain(struct config *c)
{
    for (uint32_t i = 0; i < c->zone_count; i++)
        c->zones[i].first_service = CONFIG_NONE;
    for (uint32_t i = c->service_count; i-- > 0;) {
        struct config_service *s = &c->services[i];
        s->next_in_zone = CONFIG_NONE;
        if (s->zone == CONFIG_NONE)
            continue;
        s->next_in_zone = c->zones[s->zone].first_service;
        c->zones[s->zone].first_service = (int)i;
    }
}

void link_nesting(struct linking *l)
{
    struct config *c = l->config;
    size_t count = c->service_count + (size_t)1;
    struct nesting n = {.linking = l,
                        .config = c,
                        .drafts = l->root->services.items,
                        .depth = mem_new(count, sizeof *n.depth),
                        .entered = mem_new(count, sizeof *n.entered),
                        .referred = mem_new(count, sizeof *n.referred),
                        .leads_to_name = mem_new(count, sizeof *n.leads_to_name)};
    struct zone_index zones = zone_index_new(c);
    for (uint32_t i = 0; i < c->service_count; i++)
        for (uint32_t k = 0; k < c->services[i].endpoint_count; k++)
            if (c->services[i].endpoints[k].service != CONFIG_NONE)
                n.referred[c->services[i].endpoints[k].service] = true;
    for (uint32_t i = 0; i < c->service_count; i++)
        if (!n.depth[i])
            services_walk(&n, i);
    for (uint32_t i = 0; i < c->service_count; i++)
        zone_check(&n, &zones, i);
    zones_chain(c);
    zone_index_done(&zones);
    free(n.depth);
    free(n.entered);
    free(n.referred);
    free(n.leads_to_name);
}
