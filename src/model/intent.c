#include "model/intent.h"

#include "base/err.h"
#include "base/invariant.h"
#include <stdlib.h>
#include <string.h>

static const char *const admin_names[ADMIN_STATES] = {"auto", "drained", "disabled", "forced-up"};

const char *admin_state_name(enum admin_state state)
{
    invariant((unsigned)state < ADMIN_STATES);
    return admin_names[state];
}

int admin_state_parse(const char *name, enum admin_state *ret)
{
    for (unsigned i = 0; i < ADMIN_STATES; i++) {
        if (strcmp(name, admin_names[i]))
            continue;
        *ret = (enum admin_state)i;
        return 0;
    }
    return ERR_INVALID;
}

static void order_done(struct intent_order *o)
{
    free(o->service);
    free(o->endpoint);
    free(o->author);
    free(o->reason);
}

static struct intent_order order_copy(const struct intent_order *o)
{
    return (struct intent_order){.service = mem_string(o->service),
                                 .endpoint = mem_string(o->endpoint),
                                 .state = o->state,
                                 .wall = o->wall,
                                 .author = mem_string(o->author ? o->author : ""),
                                 .reason = o->reason ? mem_string(o->reason) : NULL};
}

void intent_done(struct intent *intent)
{
    for (uint32_t i = 0; i < intent->order_count; i++)
        order_done(&intent->orders[i]);
    free(intent->orders);
    *intent = (struct intent){0};
}

static int order_compare(const struct intent_order *o, const char *service, const char *endpoint)
{
    int by_service = strcmp(o->service, service);
    return by_service ? by_service : strcmp(o->endpoint, endpoint);
}

/* Where the order is, or where it would go. */
static uint32_t order_position(const struct intent *intent, const char *service,
                               const char *endpoint)
{
    uint32_t low = 0, high = intent->order_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (order_compare(&intent->orders[middle], service, endpoint) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const struct intent_order *intent_find(const struct intent *intent, const char *service,
                                              const char *endpoint)
{
    uint32_t at = order_position(intent, service, endpoint);
    if (at == intent->order_count || order_compare(&intent->orders[at], service, endpoint))
        return NULL;
    return &intent->orders[at];
}

enum admin_state intent_admin(const struct intent *intent, const char *service,
                              const char *endpoint)
{
    const struct intent_order *order = intent_find(intent, service, endpoint);
    return order ? order->state : ADMIN_AUTO;
}

int intent_apply(const struct intent *old, const struct intent_order *order, struct intent *ret)
{
    uint32_t at = order_position(old, order->service, order->endpoint);
    const struct intent_order *replaced = intent_find(old, order->service, order->endpoint);
    bool kept = order->state != ADMIN_AUTO;
    uint32_t count = 0;
    if (kept && !replaced && old->order_count >= INTENT_ORDERS_MAX)
        return ERR_LIMIT;
    struct intent_order *orders = mem_new(old->order_count + (size_t)1, sizeof *orders);
    for (uint32_t i = 0; i <= old->order_count; i++) {
        if (i == at && kept)
            orders[count++] = order_copy(order);
        if (i < old->order_count && &old->orders[i] != replaced)
            orders[count++] = order_copy(&old->orders[i]);
    }
    invariant(count + (replaced != NULL) == old->order_count + kept);
    *ret = (struct intent){
        .config = old->config, .orders = orders, .order_count = count, .version = old->version + 1};
    return 0;
}

/* The endpoint of this name in one service, or CONFIG_NONE. */
static int endpoint_in(const struct config_service *s, const char *endpoint)
{
    for (uint32_t i = 0; i < s->endpoint_count; i++)
        if (strcmp(s->endpoints[i].name, endpoint) == 0)
            return (int)i;
    return CONFIG_NONE;
}

int intent_endpoint_find(const struct config *config, const char *name, uint32_t *ret_service,
                         uint32_t *ret_endpoint)
{
    /* an endpoint's name holds no slash; a service's may */
    const char *slash = strrchr(name, '/');
    const char *endpoint = slash ? slash + 1 : name;
    uint32_t found = 0, service = 0;
    int at = CONFIG_NONE;
    for (uint32_t i = 0; i < config->service_count; i++) {
        const struct config_service *s = &config->services[i];
        size_t length = strlen(s->name);
        if (slash && (length != (size_t)(slash - name) || strncasecmp(s->name, name, length)))
            continue;
        int here = endpoint_in(s, endpoint);
        if (here == CONFIG_NONE)
            continue;
        service = i;
        at = here;
        found++;
    }
    if (found != 1)
        return found ? ERR_AMBIGUOUS : ERR_MISSING;
    *ret_service = service;
    *ret_endpoint = (uint32_t)at;
    return 0;
}
