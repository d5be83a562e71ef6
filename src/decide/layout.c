#include "decide/layout.h"

#include "base/invariant.h"
#include "base/map.h"
#include "model/netmap.h"
#include <string.h>

static void endpoints_place(struct layout *l)
{
    const struct config *c = l->config;
    l->endpoint_first = arena_new(&l->arena, c->service_count + 1u, sizeof *l->endpoint_first);
    l->endpoints_max = 0;
    uint32_t count = 0;
    for (uint32_t s = 0; s < c->service_count; s++) {
        l->endpoint_first[s] = count;
        count += c->services[s].endpoint_count;
        if (c->services[s].endpoint_count > l->endpoints_max)
            l->endpoints_max = c->services[s].endpoint_count;
    }
    l->endpoint_first[c->service_count] = count;
    l->endpoint_count = count;
}

static void targets_place(struct layout *l)
{
    size_t slots = (size_t)l->endpoint_count * IP_FAMILIES;
    l->targets = target_list(l->config, &l->arena, &l->target_count);
    l->endpoint_target = arena_new(&l->arena, slots, sizeof *l->endpoint_target);
    l->name_beside = arena_new(&l->arena, l->target_count + 1u, sizeof *l->name_beside);
    for (size_t i = 0; i < slots; i++)
        l->endpoint_target[i] = PLAN_NONE;
    for (uint32_t i = 0; i < l->target_count; i++)
        l->name_beside[i] = PLAN_NONE;
    for (uint32_t i = 0; i < l->target_count; i++) {
        const struct target *t = &l->targets[i];
        uint32_t e = l->endpoint_first[t->service] + t->endpoint;
        if (t->hostname)
            l->name_beside[t->beside] = i;
        else
            l->endpoint_target[(size_t)e * IP_FAMILIES + t->family] = i;
    }
}

/* Kahn's algorithm: a service follows all that its endpoints stand for. `parents` are lists of
 * the services that stand for one, linked through `link`, one link an endpoint. */
static void services_order(struct layout *l)
{
    const struct config *c = l->config;
    uint32_t n = c->service_count;
    struct arena scratch = arena_init();
    uint32_t *waits = arena_new(&scratch, n, sizeof *waits);
    uint32_t *parents = arena_new(&scratch, n, sizeof *parents);
    uint32_t *link = arena_new(&scratch, l->endpoint_count, sizeof *link);
    uint32_t *owner = arena_new(&scratch, l->endpoint_count, sizeof *owner);
    l->order = arena_new(&l->arena, n, sizeof *l->order);
    l->is_nested = arena_new(&l->arena, n, sizeof *l->is_nested);
    for (uint32_t s = 0; s < n; s++)
        parents[s] = PLAN_NONE;
    for (uint32_t s = 0; s < n; s++) {
        for (uint32_t e = l->endpoint_first[s]; e < l->endpoint_first[s + 1]; e++) {
            int child = layout_endpoint(l, s, e)->service;
            if (child == CONFIG_NONE)
                continue;
            owner[e] = s;
            link[e] = parents[child];
            parents[child] = e;
            l->is_nested[child] = true;
            waits[s]++;
        }
    }
    uint32_t count = 0;
    for (uint32_t s = 0; s < n; s++)
        if (waits[s] == 0)
            l->order[count++] = s;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t e = parents[l->order[i]]; e != PLAN_NONE; e = link[e])
            if (--waits[owner[e]] == 0)
                l->order[count++] = owner[e];
    invariant(count == n); /* a configuration with a loop is refused when it is read */
    arena_done(&scratch);
}

static uint32_t keys_of(const struct config_service *s, const struct config_endpoint *e,
                        uint32_t *keys, bool *any)
{
    uint32_t count = 0;
    if (s->policy == POLICY_GEOLOCATION) {
        for (uint32_t i = 0; i < e->location_count; i++) {
            uint32_t key = location_key(&e->locations[i]);
            if (key)
                keys[count++] = key;
            else
                *any = true;
        }
    } else if (s->policy == POLICY_IP_BASED) {
        for (uint32_t i = 0; i < e->collection_count; i++)
            keys[count++] = (uint32_t)e->collections[i];
        *any = e->any_network;
    }
    return count;
}

static void keys_place(struct layout *l)
{
    const struct config *c = l->config;
    size_t most = 0;
    for (uint32_t s = 0; s < c->service_count; s++)
        for (uint32_t i = 0; i < c->services[s].endpoint_count; i++)
            most += c->services[s].endpoints[i].location_count +
                    c->services[s].endpoints[i].collection_count;
    l->key_first = arena_new(&l->arena, l->endpoint_count + 1u, sizeof *l->key_first);
    l->keys = arena_new(&l->arena, most, sizeof *l->keys);
    l->any_key = arena_new(&l->arena, l->endpoint_count, sizeof *l->any_key);
    uint32_t count = 0, e = 0;
    for (uint32_t s = 0; s < c->service_count; s++) {
        for (uint32_t i = 0; i < c->services[s].endpoint_count; i++, e++) {
            l->key_first[e] = count;
            count += keys_of(&c->services[s], &c->services[s].endpoints[i], l->keys + count,
                             &l->any_key[e]);
        }
    }
    l->key_first[e] = count;
}

static uint32_t name_number(uint32_t *count, struct map *numbers, const char *name)
{
    if (!name)
        return PLAN_NONE;
    uintptr_t number = (uintptr_t)map_get(numbers, name, strlen(name));
    if (!number) {
        number = ++*count;
        map_put(numbers, name, strlen(name), (void *)number);
    }
    return (uint32_t)(number - 1);
}

static void regions_place(struct layout *l)
{
    const struct config *c = l->config;
    struct map numbers = map_init(), last = map_init();
    l->region_count = 0;
    l->region = arena_new(&l->arena, l->endpoint_count, sizeof *l->region);
    l->latency_region = arena_new(&l->arena, c->latency_count, sizeof *l->latency_region);
    l->latency_next = arena_new(&l->arena, c->latency_count, sizeof *l->latency_next);
    for (uint32_t s = 0; s < c->service_count; s++)
        for (uint32_t i = 0; i < c->services[s].endpoint_count; i++)
            l->region[l->endpoint_first[s] + i] =
                name_number(&l->region_count, &numbers, c->services[s].endpoints[i].region);
    /* A network is its address bytes, family and length, which struct ip_prefix holds unpadded. */
    _Static_assert(sizeof(struct ip_prefix) == 18, "ip_prefix is used as a key");
    for (uint32_t i = 0; i < c->latency_count; i++) {
        const struct ip_prefix *network = &c->latencies[i].network;
        l->latency_region[i] = name_number(&l->region_count, &numbers, c->latencies[i].region);
        l->latency_next[i] = PLAN_NONE;
        uintptr_t before =
            (uintptr_t)map_put(&last, network, sizeof *network, (void *)(uintptr_t)(i + 1));
        if (before)
            l->latency_next[before - 1] = i;
    }
    map_done(&numbers);
    map_done(&last);
}

static void providers_place(struct layout *l)
{
    struct map numbers = map_init();
    l->provider_count = 0;
    l->provider = arena_new(&l->arena, l->endpoint_count + 1u, sizeof *l->provider);
    for (uint32_t s = 0; s < l->config->service_count; s++)
        for (uint32_t i = 0; i < l->config->services[s].endpoint_count; i++)
            l->provider[l->endpoint_first[s] + i] = name_number(
                &l->provider_count, &numbers, l->config->services[s].endpoints[i].provider);
    map_done(&numbers);
}

/* An address that several services name is probed for each of them, and is one thing even so. */
static void units_place(struct layout *l)
{
    struct map seen = map_init();
    l->again = arena_new(&l->arena, l->target_count + 1u, sizeof *l->again);
    for (uint32_t i = 0; i < l->target_count; i++)
        l->again[i] = l->targets[i].hostname ||
                      map_put(&seen, &l->targets[i].address, sizeof l->targets[i].address, l);
    map_done(&seen);
}

static void region_names_place(struct layout *l)
{
    l->region_name = arena_new(&l->arena, l->region_count + 1u, sizeof *l->region_name);
    for (uint32_t s = 0; s < l->config->service_count; s++)
        for (uint32_t i = 0; i < l->config->services[s].endpoint_count; i++) {
            uint32_t number = l->region[l->endpoint_first[s] + i];
            if (number != PLAN_NONE)
                l->region_name[number] = l->config->services[s].endpoints[i].region;
        }
    for (uint32_t i = 0; i < l->config->latency_count; i++)
        l->region_name[l->latency_region[i]] = l->config->latencies[i].region;
}

/* Targets of one provider may fail together; where none is named, those of one region, else those
 * of one large network. */
static uint32_t group_number(struct layout *l, struct map *numbers, const struct target *t)
{
    const struct config_endpoint *e = &l->config->services[t->service].endpoints[t->endpoint];
    char ip[IP_TEXT_MAX];
    struct ip network = ip_mask(&t->address, t->family == IP_V4 ? 16 : 32);
    const char *said = e->provider ? e->provider : e->region;
    char *key = arena_printf(&l->arena, "%s%s",
                             e->provider ? "p:"
                             : said      ? "r:"
                                         : "n:",
                             said ? said : ip_format(&network, ip));
    uintptr_t number = (uintptr_t)map_get(numbers, key, strlen(key));
    if (!number) {
        number = ++l->group_count;
        map_put(numbers, key, strlen(key), (void *)number);
    }
    return (uint32_t)(number - 1);
}

static void groups_place(struct layout *l)
{
    struct map numbers = map_init();
    l->group_count = 0;
    l->group = arena_new(&l->arena, l->target_count + 1u, sizeof *l->group);
    for (uint32_t i = 0; i < l->target_count; i++)
        l->group[i] = group_number(l, &numbers, &l->targets[i]);
    map_done(&numbers);
}

void layout_update(struct layout *l, const struct config *config, uint32_t epoch)
{
    if (l->config == config && l->fingerprint == config->fingerprint && l->epoch == epoch)
        return;
    layout_done(l);
    l->config = config;
    l->fingerprint = config->fingerprint;
    l->epoch = epoch;
    endpoints_place(l);
    targets_place(l);
    services_order(l);
    keys_place(l);
    regions_place(l);
    region_names_place(l);
    providers_place(l);
    units_place(l);
    groups_place(l);
}

void layout_done(struct layout *l)
{
    arena_done(&l->arena);
    *l = (struct layout){.arena = arena_init()};
}
