/* What the intent means for an endpoint. */
#include "base/err.h"
#include "base/invariant.h"
#include "model/intent_object.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

const char *intent_endpoint_name(const char *service, const char *endpoint,
                                 char buffer[static INTENT_NAME_MAX])
{
    int length = snprintf(buffer, INTENT_NAME_MAX, "%s/%s", service, endpoint);
    invariant(length > 0);
    return buffer;
}

enum admin_state intent_admin(const struct intent *intent, const char *service,
                              const char *endpoint)
{
    char name[INTENT_NAME_MAX];
    const struct intent_object *o =
        intent_find(intent, INTENT_ENDPOINT, intent_endpoint_name(service, endpoint, name));
    return o ? o->state : ADMIN_AUTO;
}

bool intent_scope_holds(const char *scope, const struct config_service *s,
                        const struct config_endpoint *e)
{
    const char *name = strchr(scope, ':') + 1;
    if (scope[0] == 'r')
        return e->region && !strcmp(e->region, name);
    if (scope[0] == 'p')
        return e->provider && !strcmp(e->provider, name);
    const char *slash = strrchr(name, '/');
    return !strcmp(slash + 1, e->name) && strlen(s->name) == (size_t)(slash - name) &&
           !strncmp(s->name, name, (size_t)(slash - name));
}

static const struct intent_object *control_off(const struct intent *intent,
                                               const struct config_service *s,
                                               const struct config_endpoint *e)
{
    uint32_t count;
    struct intent_object *const *controls = intent_list(intent, INTENT_CONTROL, &count);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; !controls[i]->on && k < controls[i]->first.count; k++)
            if (intent_scope_holds(controls[i]->first.list[k], s, e))
                return controls[i];
    return NULL;
}

static const struct intent_object *shifted_away(const struct intent *intent,
                                                const struct config_service *s,
                                                const struct config_endpoint *e, int64_t wall_ms)
{
    uint32_t count;
    struct intent_object *const *shifts = intent_list(intent, INTENT_SHIFT, &count);
    for (uint32_t i = 0; i < count; i++)
        if (shifts[i]->expires_ms > wall_ms && intent_scope_holds(shifts[i]->name, s, e))
            return shifts[i];
    return NULL;
}

struct intent_standing intent_standing(const struct intent *intent,
                                       const struct config_service *service,
                                       const struct config_endpoint *endpoint, int64_t wall_ms)
{
    char name[INTENT_NAME_MAX];
    const struct intent_object *order = intent_find(
        intent, INTENT_ENDPOINT, intent_endpoint_name(service->name, endpoint->name, name));
    if (order && order->state == ADMIN_DISABLED)
        return (struct intent_standing){ADMIN_DISABLED, order};
    const struct intent_object *by = control_off(intent, service, endpoint);
    if (!by)
        by = shifted_away(intent, service, endpoint, wall_ms);
    if (by)
        return (struct intent_standing){ADMIN_DRAINED, by};
    return (struct intent_standing){order ? order->state : ADMIN_AUTO, order};
}

int64_t intent_holds_until(const struct intent *intent, int64_t wall_ms)
{
    uint32_t count;
    struct intent_object *const *shifts = intent_list(intent, INTENT_SHIFT, &count);
    int64_t until = INT64_MAX;
    for (uint32_t i = 0; i < count; i++)
        if (shifts[i]->expires_ms > wall_ms && shifts[i]->expires_ms < until)
            until = shifts[i]->expires_ms;
    return until;
}

void intent_standing_why(const struct intent_object *by, struct text *out)
{
    if (by->kind == INTENT_CONTROL)
        text_appendf(out, "control %s is Off", by->name);
    if (by->kind == INTENT_SHIFT)
        text_appendf(out, "shifted away from %s", strchr(by->name, ':') + 1);
    if (by->reason)
        text_appendf(out, "%s%s", by->kind == INTENT_ENDPOINT ? "" : ": ", by->reason);
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
