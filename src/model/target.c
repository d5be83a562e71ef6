#include "model/target.h"

static const struct config_check *endpoint_check(const struct config *config,
                                                 const struct config_endpoint *e)
{
    return e->check == CONFIG_NONE ? NULL : &config->checks[e->check];
}

static uint32_t target_count(const struct config *config)
{
    uint32_t count = 0;
    for (uint32_t s = 0; s < config->service_count; s++)
        for (uint32_t e = 0; e < config->services[s].endpoint_count; e++) {
            const struct config_endpoint *endpoint = &config->services[s].endpoints[e];
            bool named = endpoint->hostname && endpoint_check(config, endpoint);
            for (unsigned f = 0; f < IP_FAMILIES; f++)
                count += endpoint->has_address[f] * (1u + named);
        }
    return count;
}

static const struct config_check *name_check(const struct config_check *check, struct arena *arena)
{
    struct config_check *c = arena_new(arena, 1, sizeof *c);
    *c = *check;
    c->timeout = check->timeout + NAME_RESOLVE_MS * USEC_PER_MSEC;
    if (c->interval < NAME_INTERVAL_LEAST_MS * USEC_PER_MSEC)
        c->interval = NAME_INTERVAL_LEAST_MS * USEC_PER_MSEC;
    if (c->interval < c->timeout)
        c->interval = c->timeout;
    return c;
}

struct target *target_list(const struct config *config, struct arena *arena, uint32_t *ret_count)
{
    uint32_t count = target_count(config), at = 0;
    struct target *list = arena_new(arena, count + (size_t)1, sizeof *list);
    for (uint32_t s = 0; s < config->service_count; s++) {
        const struct config_service *service = &config->services[s];
        for (uint32_t e = 0; e < service->endpoint_count; e++) {
            const struct config_endpoint *endpoint = &service->endpoints[e];
            const struct config_check *check = endpoint_check(config, endpoint);
            uint32_t first = at;
            for (unsigned f = 0; f < IP_FAMILIES; f++)
                if (endpoint->has_address[f])
                    list[at++] = (struct target){.service = s,
                                                 .endpoint = e,
                                                 .family = (uint8_t)f,
                                                 .address = endpoint->address[f],
                                                 .check = check};
            for (uint32_t i = first, end = at; i < end && endpoint->hostname && check; i++) {
                list[at] = list[i];
                list[at].address = (struct ip){.family = list[i].family};
                list[at].check = name_check(check, arena);
                list[at].hostname = endpoint->hostname;
                list[at++].beside = i;
            }
        }
    }
    *ret_count = count;
    return list;
}
