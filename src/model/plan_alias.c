#include "model/plan_alias.h"

#include "base/hash.h"
#include "base/invariant.h"
#include "wire/dname.h"
#include <string.h>

struct growing {
    char *text;
    uint32_t size;
};

static uint32_t bytes_put(struct growing *g, const void *bytes, size_t length)
{
    uint32_t at = g->size;
    memcpy(g->text + at, bytes, length);
    g->text[at + length] = 0;
    g->size += (uint32_t)length + 1;
    return at;
}

/* It stands for the service: what the operator wants of that one holds for it too (L3). */
static void endpoint_write(const struct plan *p, const struct plan_alias *a, uint32_t service,
                           struct plan_endpoint *to)
{
    const struct plan_service *from = &p->services[a->service];
    memset(to, 0, sizeof *to);
    to->name = from->name;
    to->region = to->provider = to->author = to->why = PLAN_NONE;
    to->service = service;
    to->nested = a->service;
    to->weight = 1;
    for (unsigned f = 0; f < IP_FAMILIES; f++) {
        to->target[f] = PLAN_NONE;
        to->served |= (uint8_t)(from->faces[f].mode != FACE_ABSENT ? 1u << f : 0);
    }
}

static void service_write(const struct plan *p, const struct plan_alias *a, uint32_t endpoint,
                          struct growing *g, struct plan_service *to)
{
    char name[DNAME_TEXT_MAX];
    dname_format(a->name, name);
    *to = p->services[a->service];
    to->name = bytes_put(g, name, strlen(name));
    to->wire_name = bytes_put(g, a->name, dname_length(a->name));
    to->zone = a->zone;
    to->endpoint_first = endpoint;
    to->endpoint_count = 1;
    to->policy = POLICY_SIMPLE;
    invariant(!to->signature_count);
    for (unsigned f = 0; f < IP_FAMILIES; f++)
        to->faces[f].good_first = to->faces[f].good_count = 0; /* the service keeps them */
}

void plan_alias(const struct plan *plan, const struct plan_alias *aliases, size_t count,
                struct arena *arena, struct plan *ret)
{
    size_t services = plan->service_count, endpoints = plan->endpoint_count;
    struct plan_service *s = arena_new(arena, services + count, sizeof *s);
    struct plan_endpoint *e = arena_new(arena, endpoints + count, sizeof *e);
    struct growing g = {
        arena_new(arena, plan->text_size + count * (DNAME_TEXT_MAX + DNAME_MAX + 2), 1),
        plan->text_size};
    uint64_t fingerprint = plan->config_fingerprint;

    memcpy(g.text, plan->text, plan->text_size);
    if (services)
        memcpy(s, plan->services, services * sizeof *s);
    if (endpoints)
        memcpy(e, plan->endpoints, endpoints * sizeof *e);
    for (size_t i = 0; i < count; i++) {
        const struct plan_alias *a = &aliases[i];
        invariant(a->service < plan->service_count && a->zone < plan->file_count);
        service_write(plan, a, (uint32_t)(endpoints + i), &g, &s[services + i]);
        endpoint_write(plan, a, (uint32_t)(services + i), &e[endpoints + i]);
        fingerprint = hash64_seeded(a->name, dname_length(a->name), fingerprint ^ a->service);
    }
    *ret = *plan;
    ret->config_fingerprint = fingerprint;
    ret->services = s;
    ret->service_count = (uint32_t)(services + count);
    ret->endpoints = e;
    ret->endpoint_count = (uint32_t)(endpoints + count);
    ret->text = g.text;
    ret->text_size = g.size;
}
