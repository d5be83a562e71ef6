/* Any bytes: either a config or at least one problem, and a config whose references hold. */
#include "base/invariant.h"
#include "model/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void service_look(const struct config *c, const struct config_service *s)
{
    invariant(s->name && s->endpoint_count > 0 && s->ttl_min <= s->ttl_max);
    invariant(s->zone >= CONFIG_NONE && s->zone < (int)c->zone_count);
    invariant((s->when_all_down == ALL_DOWN_FALLBACK) == (s->fallback != NULL));
    for (uint32_t i = 0; i < s->endpoint_count; i++) {
        const struct config_endpoint *e = &s->endpoints[i];
        bool address = e->has_address[IP_V4] || e->has_address[IP_V6];
        invariant(e->name && address == (e->service == CONFIG_NONE));
        invariant(e->service < (int)c->service_count && e->check < (int)c->check_count);
        invariant((s->policy == POLICY_FAILOVER) == (e->role != ROLE_NONE));
        invariant(s->policy != POLICY_LATENCY || e->region);
        for (uint32_t k = 0; k < e->collection_count; k++)
            invariant(e->collections[k] >= 0 && e->collections[k] < (int)c->collection_count);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct text problems = text_init(1 << 20);
    struct config *config = NULL;
    int err = config_parse("fuzz.yaml", (const char *)data, size, NULL, &problems, &config);
    invariant(!err == (config != NULL) && !err == (problems.length == 0));
    if (config) {
        invariant(config->node_name && config->site && config->network && config->data);
        invariant(config->dns_listen_count > 0);
        for (uint32_t i = 0; i < config->check_count; i++)
            invariant(config->checks[i].timeout <= config->checks[i].interval &&
                      config->checks[i].timeout > 0);
        for (uint32_t i = 0; i < config->service_count; i++)
            service_look(config, &config->services[i]);
    }
    config_free(config);
    text_done(&problems);
    return 0;
}
