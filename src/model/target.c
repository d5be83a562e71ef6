#include "model/target.h"

static uint32_t target_count(const struct config *config)
{
    uint32_t count = 0;
    for (uint32_t s = 0; s < config->service_count; s++)
        for (uint32_t e = 0; e < config->services[s].endpoint_count; e++)
            for (unsigned f = 0; f < IP_FAMILIES; f++)
                count += config->services[s].endpoints[e].has_address[f];
    return count;
}

struct target *target_list(const struct config *config, struct arena *arena, uint32_t *ret_count)
{
    uint32_t count = target_count(config), at = 0;
    struct target *list = arena_new(arena, count + (size_t)1, sizeof *list);
    for (uint32_t s = 0; s < config->service_count; s++) {
        const struct config_service *service = &config->services[s];
        for (uint32_t e = 0; e < service->endpoint_count; e++) {
            const struct config_endpoint *endpoint = &service->endpoints[e];
            const struct config_check *check =
                endpoint->check == CONFIG_NONE ? NULL : &config->checks[endpoint->check];
            for (unsigned f = 0; f < IP_FAMILIES; f++)
                if (endpoint->has_address[f])
                    list[at++] = (struct target){s, e, (uint8_t)f, endpoint->address[f], check};
        }
    }
    *ret_count = count;
    return list;
}
