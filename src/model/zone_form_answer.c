/* What a steered name is in a static zone: the addresses that the plan would give to a client whose
 * place is not known, all that chance could pick among them. */
#include "base/invariant.h"
#include "model/zone_form.h"
#include <string.h>

static void address_add(struct form_answer *a, unsigned family, const uint8_t *bytes)
{
    uint8_t(*list)[16] = a->addresses[family];
    unsigned count = a->count[family], at = 0;
    size_t size = family == IP_V4 ? 4 : 16;
    for (; at < count; at++)
        if (!memcmp(list[at], bytes, size))
            return;
    if (count == PLAN_MULTIVALUE_MAX)
        return;
    memcpy(list[count], bytes, size);
    a->count[family]++;
}

/* The order says nothing: so that a change of it changes nothing. */
static void addresses_sort(struct form_answer *a, unsigned family)
{
    uint8_t(*list)[16] = a->addresses[family], held[16];
    for (unsigned i = 1; i < a->count[family]; i++)
        for (unsigned k = i; k && memcmp(list[k], list[k - 1], sizeof held) < 0; k--) {
            memcpy(held, list[k], sizeof held);
            memcpy(list[k], list[k - 1], sizeof held);
            memcpy(list[k - 1], held, sizeof held);
        }
}

/* ---- from a plan ---- */

static void choice_add(const struct plan *p, uint32_t choice, struct form_answer *a, unsigned depth)
{
    invariant(choice < p->choice_count && depth <= PLAN_DEPTH_MAX);
    const struct plan_choice *c = &p->choices[choice];
    unsigned before = a->count[c->family];
    if (before == PLAN_MULTIVALUE_MAX)
        return; /* netmaps may have very many branches */
    switch ((enum choice_kind)c->kind) {
    case CHOICE_ADDRESSES:
        for (uint32_t i = 0; i < c->count; i++)
            address_add(a, c->family, p->addresses[c->first + i].bytes);
        break;
    case CHOICE_NETWORK:
        choice_add(p, c->otherwise, a, depth + 1);
        if (a->count[c->family] > before || a->has_alias)
            break;
        /* Nobody answers those whose place is not known. Of this zone's clients nothing is known,
         * so they get what others get (L3). */
        for (uint32_t i = 0; i < c->count; i++)
            choice_add(p, p->branches[c->first + i].choice, a, depth + 1);
        break;
    case CHOICE_WEIGHTED:
        for (uint32_t i = 0; i < c->count; i++)
            choice_add(p, p->branches[c->first + i].choice, a, depth + 1);
        break;
    case CHOICE_CNAME: {
        const uint8_t *name = (const uint8_t *)p->text + c->first;
        memcpy(a->alias, name, dname_length(name));
        a->has_alias = true;
        break;
    }
    case CHOICE_NODATA:
        break;
    }
}

/* All endpoints of a service, of those that it stands for too. */
static void endpoints_add(const struct plan *p, uint32_t service, unsigned family,
                          struct form_answer *a, unsigned depth)
{
    const struct plan_service *s = &p->services[service];
    for (uint32_t i = 0; i < s->endpoint_count && depth <= PLAN_DEPTH_MAX; i++) {
        const struct plan_endpoint *e = &p->endpoints[s->endpoint_first + i];
        if (e->nested != PLAN_NONE)
            endpoints_add(p, e->nested, family, a, depth + 1);
        else if (e->target[family] != PLAN_NONE)
            address_add(a, family, p->targets[e->target[family]].address.bytes);
    }
}

void form_answer_of(const struct plan *p, uint32_t service, struct form_answer *ret)
{
    const struct plan_service *s = &p->services[service];
    const uint8_t *name = (const uint8_t *)p->text + s->wire_name;
    memset(ret, 0, sizeof *ret);
    memcpy(ret->name, name, dname_length(name));
    ret->service = service;
    ret->ttl = s->ttl_max;
    for (unsigned f = 0; f < IP_FAMILIES; f++)
        if (s->faces[f].mode != FACE_ABSENT)
            choice_add(p, s->faces[f].choice, ret, 0);
    if (ret->has_alias) {
        /* A CNAME stands alone: where the other family has addresses, this one has to have its own.
         */
        bool alone = !ret->count[IP_V4] && !ret->count[IP_V6];
        for (unsigned f = 0; f < IP_FAMILIES; f++)
            if (!ret->count[f])
                endpoints_add(p, service, f, ret, 0);
        ret->has_alias = alone;
        if (!alone)
            memset(ret->alias, 0, sizeof ret->alias);
    }
    for (unsigned f = 0; f < IP_FAMILIES; f++)
        addresses_sort(ret, f);
}

/* ---- from a configuration ---- */

static void config_endpoints_add(const struct config *c, const struct config_service *s,
                                 struct form_answer *a, unsigned depth)
{
    for (uint32_t i = 0; i < s->endpoint_count && depth <= PLAN_DEPTH_MAX; i++) {
        const struct config_endpoint *e = &s->endpoints[i];
        for (unsigned f = 0; f < IP_FAMILIES; f++)
            if (e->has_address[f])
                address_add(a, f, e->address[f].bytes);
        if (e->service != CONFIG_NONE)
            config_endpoints_add(c, &c->services[e->service], a, depth + 1);
    }
}

void form_answer_first(const struct config *c, uint32_t service, struct form_answer *ret)
{
    const struct config_service *s = &c->services[service];
    memset(ret, 0, sizeof *ret);
    int length = dname_parse(s->name, strlen(s->name), NULL, ret->name);
    invariant(length > 0); /* the configuration was checked */
    ret->service = service;
    ret->ttl = s->ttl_max;
    config_endpoints_add(c, s, ret, 0);
    for (unsigned f = 0; f < IP_FAMILIES; f++)
        addresses_sort(ret, f);
}
