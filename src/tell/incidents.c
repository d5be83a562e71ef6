#include "tell/incidents.h"

#include "base/invariant.h"
#include "wire/http1.h"
#include <string.h>

static void age_append(struct text *out, const struct view *v, int64_t since_ms)
{
    char age[AGE_TEXT_MAX];
    usec_t took = v->wall - since_ms * USEC_PER_MSEC;
    text_append(out, age_format(took > 0 ? took : 0, age));
}

static void when_append(struct text *out, const struct incident *i)
{
    char from[HTTP1_DATE_MAX], until[HTTP1_DATE_MAX];
    text_appendf(out, ", planned from %s until %s",
                 http1_date_format(i->scheduled_for_ms / 1000, from),
                 http1_date_format(i->scheduled_until_ms / 1000, until));
}

static void line_append(struct text *out, const struct view *v, const struct incident_named *n)
{
    const struct incident *i = n->incident;
    const struct incident_update *newest = &i->updates[i->update_count - 1];
    bool planned = incident_status_is_maintenance(i->status);
    text_appendf(out, "%s %s", planned ? "MAINTENANCE" : "INCIDENT", n->name);
    if (!planned || i->impact != IMPACT_NONE)
        text_appendf(out, ", impact %s", incident_impact_name(i->impact));
    text_appendf(out, ", %s", incident_status_name(i->status));
    if (planned)
        when_append(out, i);
    if (i->started_ms) {
        text_append(out, ", since ");
        age_append(out, v, i->started_ms);
    }
    text_append(out, ", told ");
    age_append(out, v, newest->at_ms);
    text_appendf(out, " ago: %s", i->title);
    for (uint32_t k = 0; k < i->components.count; k++)
        text_appendf(out, "%s%s", k ? ", " : " (", i->components.list[k]);
    text_append(out, i->components.count ? ")\n" : "\n");
}

void incidents_lines(struct text *out, const struct view *v)
{
    for (uint32_t k = 0; k < v->incidents.count; k++)
        line_append(out, v, &v->incidents.list[k]);
}

/* ---- what is touched ---- */

static bool is_after(const char *name, const char *kind, const char *text)
{
    size_t length = strlen(kind);
    return !strncmp(name, kind, length) && !strcmp(name + length, text);
}

static bool endpoint_is(const struct plan *p, const struct plan_endpoint *e, const char *name)
{
    static const char kind[] = "endpoint:";
    const char *service = plan_text(p, p->services[e->service].name);
    size_t length = strlen(service);
    if (strncmp(name, kind, strlen(kind)) || strncmp(name + strlen(kind), service, length))
        return false;
    name += strlen(kind) + length;
    return *name == '/' && !strcmp(name + 1, plan_text(p, e->name));
}

static bool service_touched(const struct plan *p, uint32_t service, const char *name,
                            unsigned depth)
{
    const struct plan_service *s = &p->services[service];
    if (is_after(name, "service:", plan_text(p, s->name)))
        return true;
    for (uint32_t k = 0; k < s->endpoint_count; k++) {
        const struct plan_endpoint *e = &p->endpoints[s->endpoint_first + k];
        if (endpoint_is(p, e, name) ||
            (e->region != PLAN_NONE && is_after(name, "region:", plan_text(p, e->region))) ||
            (e->provider != PLAN_NONE && is_after(name, "provider:", plan_text(p, e->provider))) ||
            (e->nested != PLAN_NONE && depth < PLAN_DEPTH_MAX &&
             service_touched(p, e->nested, name, depth + 1)))
            return true;
    }
    return false;
}

void incidents_of_service(struct text *out, const struct view *v, uint32_t service)
{
    for (uint32_t k = 0; k < v->incidents.count; k++) {
        const struct incident *i = v->incidents.list[k].incident;
        bool touched = false;
        for (uint32_t c = 0; c < i->components.count && !touched; c++)
            touched = service_touched(&v->plan, service, i->components.list[c], 0);
        if (!touched)
            continue;
        line_append(out, v, &v->incidents.list[k]);
        text_appendf(out, "  \"%s\"\n", i->updates[i->update_count - 1].body);
    }
}

/* ---- for programs ---- */

static void set(json_t *object, const char *key, json_t *value)
{
    invariant(value && json_object_set_new(object, key, value) == 0);
}

static json_t *time_or_null(int64_t ms)
{
    return ms ? json_integer(ms) : json_null();
}

static json_t *incident_json(const struct incident_named *n)
{
    const struct incident *i = n->incident;
    json_t *o = json_object(), *components = json_array();
    for (uint32_t k = 0; k < i->components.count; k++)
        json_array_append_new(components, json_string(i->components.list[k]));
    set(o, "incident", json_string(n->name));
    set(o, "title", json_string(i->title));
    set(o, "status", json_string(incident_status_name(i->status)));
    set(o, "impact", json_string(incident_impact_name(i->impact)));
    set(o, "components", components);
    set(o, "created_ms", json_integer(i->created_ms));
    set(o, "started_ms", time_or_null(i->started_ms));
    set(o, "monitoring_ms", time_or_null(i->monitoring_ms));
    set(o, "scheduled_for_ms", time_or_null(i->scheduled_for_ms));
    set(o, "scheduled_until_ms", time_or_null(i->scheduled_until_ms));
    set(o, "updated_ms", json_integer(i->updates[i->update_count - 1].at_ms));
    set(o, "message", json_string(i->updates[i->update_count - 1].body));
    return o;
}

json_t *incidents_json(const struct view *v)
{
    json_t *list = json_array();
    for (uint32_t k = 0; k < v->incidents.count; k++)
        json_array_append_new(list, incident_json(&v->incidents.list[k]));
    return list;
}

unsigned incidents_count(const struct view *v, enum incident_impact impact)
{
    unsigned count = 0;
    for (uint32_t k = 0; k < v->incidents.count; k++) {
        const struct incident *i = v->incidents.list[k].incident;
        count += i->impact == impact && !incident_status_is_maintenance(i->status);
    }
    return count;
}

unsigned maintenance_count(const struct view *v, enum incident_status status)
{
    unsigned count = 0;
    for (uint32_t k = 0; k < v->incidents.count; k++)
        count += v->incidents.list[k].incident->status == status;
    return count;
}
