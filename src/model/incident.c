#include "model/incident.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "model/intent_object.h"
#include <stdlib.h>
#include <string.h>

#define BIT(status) (1u << (status))
enum {
    GOES_ON = BIT(INCIDENT_INVESTIGATING) | BIT(INCIDENT_IDENTIFIED) | BIT(INCIDENT_MONITORING),
    MAINTENANCE = BIT(INCIDENT_SCHEDULED) | BIT(INCIDENT_IN_PROGRESS) | BIT(INCIDENT_VERIFYING) |
                  BIT(INCIDENT_COMPLETED),
    OVER = BIT(INCIDENT_RESOLVED) | BIT(INCIDENT_POSTMORTEM) | BIT(INCIDENT_COMPLETED),
};

static const char *const status_names[INCIDENT_STATUSES] = {
    "investigating", "identified",  "monitoring", "resolved", "postmortem",
    "scheduled",     "in_progress", "verifying",  "completed"};
static const char *const impact_names[INCIDENT_IMPACTS] = {"none", "minor", "major", "critical"};

/* What follows on what. */
static const unsigned moves[INCIDENT_STATUSES] = {
    [INCIDENT_INVESTIGATING] = GOES_ON | BIT(INCIDENT_RESOLVED),
    [INCIDENT_IDENTIFIED] = GOES_ON | BIT(INCIDENT_RESOLVED),
    [INCIDENT_MONITORING] = GOES_ON | BIT(INCIDENT_RESOLVED),
    [INCIDENT_RESOLVED] = BIT(INCIDENT_POSTMORTEM),
    [INCIDENT_SCHEDULED] = BIT(INCIDENT_IN_PROGRESS) | BIT(INCIDENT_COMPLETED),
    [INCIDENT_IN_PROGRESS] = BIT(INCIDENT_VERIFYING) | BIT(INCIDENT_COMPLETED),
    [INCIDENT_VERIFYING] = BIT(INCIDENT_IN_PROGRESS) | BIT(INCIDENT_COMPLETED),
};

static int word_find(const char *word, const char *const *words, unsigned count)
{
    for (unsigned i = 0; word && i < count; i++)
        if (!strcmp(word, words[i]))
            return (int)i;
    return -1;
}

const char *incident_status_name(enum incident_status status)
{
    invariant((unsigned)status < INCIDENT_STATUSES);
    return status_names[status];
}

const char *incident_impact_name(enum incident_impact impact)
{
    invariant((unsigned)impact < INCIDENT_IMPACTS);
    return impact_names[impact];
}

int incident_status_parse(const char *name, enum incident_status *ret)
{
    int at = word_find(name, status_names, INCIDENT_STATUSES);
    if (at < 0)
        return ERR_INVALID;
    *ret = (enum incident_status)at;
    return 0;
}

int incident_impact_parse(const char *name, enum incident_impact *ret)
{
    int at = word_find(name, impact_names, INCIDENT_IMPACTS);
    if (at < 0)
        return ERR_INVALID;
    *ret = (enum incident_impact)at;
    return 0;
}

bool incident_status_is_maintenance(enum incident_status status)
{
    return MAINTENANCE & BIT(status);
}

bool incident_status_is_over(enum incident_status status)
{
    return OVER & BIT(status);
}

bool incident_may_become(enum incident_status from, enum incident_status to)
{
    return from == to || moves[from] & BIT(to);
}

void incident_may_become_append(enum incident_status from, struct text *out)
{
    unsigned left = moves[from] & ~BIT(from), said = 0;
    for (unsigned i = 0; i < INCIDENT_STATUSES && left; i++) {
        if (!(left & BIT(i)))
            continue;
        left &= ~BIT(i);
        text_appendf(out, "%s%s", !said ? "it may become " : left ? ", " : " or ", status_names[i]);
        said++;
    }
}

/* ---- decode ---- */

/* It goes to terminals: nothing but what can be read, and lines where there may be several. */
static bool is_readable(const char *text, bool lines)
{
    for (const char *c = text; *c; c++)
        if ((*c > 0 && *c < ' ' && !(lines && *c == '\n')) || *c == 0x7f)
            return false;
    return true;
}

static bool text_read(const json_t *from, const char *key, size_t max, const char **ret)
{
    *ret = json_string_value(json_object_get(from, key));
    return *ret && **ret && strlen(*ret) <= max && is_readable(*ret, max > INCIDENT_TITLE_MAX);
}

/* A time that may be missing; never 0 where it is there. */
static bool time_read(const json_t *from, const char *key, int64_t *ret)
{
    const json_t *value = json_object_get(from, key);
    *ret = json_integer_value(value);
    return !value || (json_is_integer(value) && *ret > 0 && *ret < INT64_MAX / 4);
}

static bool members_known(const json_t *value, const char *const *known, size_t count)
{
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)value, key,
                        member) if (word_find(key, known, (unsigned)count) < 0) return false;
    return true;
}

const char *incident_component_check(const char *name)
{
    static const char service[] = "service:";
    if (strlen(name) >= INTENT_NAME_MAX || !is_readable(name, false))
        return "wants components with names of at most 1279 bytes that can be read";
    if (!strncmp(name, service, strlen(service)) && name[strlen(service)])
        return NULL;
    return scope_check(name) ? "wants components service:NAME, region:NAME, provider:NAME or "
                               "endpoint:SERVICE/ENDPOINT"
                             : NULL;
}

static const char *components_read(const json_t *list, struct incident *i)
{
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count > INCIDENT_COMPONENTS_MAX)
        return "wants a list of at most 50 components";
    i->components.list = mem_new(count + 1, sizeof *i->components.list);
    for (size_t k = 0; k < count; k++) {
        const char *name = json_string_value(json_array_get(list, k));
        const char *why = name ? incident_component_check(name) : "wants names of components";
        if (why)
            return why;
        i->components.list[i->components.count++] = mem_string(name);
    }
    return NULL;
}

static const char *update_read(const json_t *from, struct incident *i)
{
    static const char *const known[] = {"status", "body", "at_ms"};
    struct incident_update *u = &i->updates[i->update_count];
    const char *body;
    int64_t before = i->update_count ? u[-1].at_ms : i->created_ms;
    if (!members_known(from, known, array_length(known)) ||
        incident_status_parse(json_string_value(json_object_get(from, "status")), &u->status) ||
        !text_read(from, "body", INCIDENT_BODY_MAX, &body) ||
        !time_read(from, "at_ms", &u->at_ms) || u->at_ms < before)
        return "wants updates with a \"status\", a \"body\" of 1 to 2000 bytes and \"at_ms\", the "
               "oldest first";
    u->body = mem_string(body);
    i->update_count++;
    return NULL;
}

static const char *updates_read(const json_t *list, struct incident *i)
{
    size_t count = json_array_size(list);
    if (!count || count > INCIDENT_UPDATES_MAX)
        return "wants 1 to 50 updates";
    i->updates = mem_new(count, sizeof *i->updates);
    for (size_t k = 0; k < count; k++) {
        const char *why = update_read(json_array_get(list, k), i);
        if (why)
            return why;
    }
    return i->updates[count - 1].status == i->status ? NULL
                                                     : "wants the status of its newest update";
}

static const char *times_read(const json_t *value, struct incident *i)
{
    if (!time_read(value, "created_ms", &i->created_ms) || !i->created_ms ||
        !time_read(value, "started_ms", &i->started_ms) ||
        !time_read(value, "monitoring_ms", &i->monitoring_ms) ||
        !time_read(value, "resolved_ms", &i->resolved_ms) ||
        !time_read(value, "scheduled_for_ms", &i->scheduled_for_ms) ||
        !time_read(value, "scheduled_until_ms", &i->scheduled_until_ms))
        return "wants times in milliseconds since 1970";
    if (incident_status_is_over(i->status) != (i->resolved_ms != 0))
        return "wants \"resolved_ms\" where it is over, and only there";
    bool planned = i->scheduled_for_ms && i->scheduled_until_ms > i->scheduled_for_ms;
    if (incident_status_is_maintenance(i->status)
            ? !planned
            : i->scheduled_for_ms || i->scheduled_until_ms || !i->started_ms)
        return "wants \"started_ms\" where it is an incident; \"scheduled_for_ms\" and, later, "
               "\"scheduled_until_ms\" where it is maintenance";
    return NULL;
}

static const char *incident_value_read(const json_t *value, struct incident *i)
{
    static const char *const known[] = {
        "title",      "status",        "impact",      "components",       "created_ms",
        "started_ms", "monitoring_ms", "resolved_ms", "scheduled_for_ms", "scheduled_until_ms",
        "updates"};
    const char *title, *why;
    if (!members_known(value, known, array_length(known)))
        return "says something that an incident does not have";
    if (!text_read(value, "title", INCIDENT_TITLE_MAX, &title))
        return "wants a title, one line of 1 to 200 bytes";
    i->title = mem_string(title);
    if (incident_status_parse(json_string_value(json_object_get(value, "status")), &i->status))
        return "wants a status: investigating, identified, monitoring, resolved or postmortem; "
               "scheduled, in_progress, verifying or completed";
    if (incident_impact_parse(json_string_value(json_object_get(value, "impact")), &i->impact))
        return "wants an impact: none, minor, major or critical";
    why = times_read(value, i);
    why = why ? why : components_read(json_object_get(value, "components"), i);
    return why ? why : updates_read(json_object_get(value, "updates"), i);
}

struct incident *incident_decode(const json_t *value, const char **ret_why)
{
    struct incident *i = mem_new(1, sizeof *i);
    const char *why = incident_value_read(value, i);
    if (!why)
        return i;
    *ret_why = why;
    incident_free(i);
    return NULL;
}

void incident_free(struct incident *i)
{
    if (!i)
        return;
    for (uint32_t k = 0; k < i->update_count; k++)
        free(i->updates[k].body);
    free(i->updates);
    names_done(&i->components);
    free(i->title);
    free(i);
}

/* ---- all of them ---- */

const struct intent_object *incident_oldest_over(const struct intent *intent)
{
    const struct intent_object *oldest = NULL;
    uint32_t count;
    struct intent_object *const *list = intent_list(intent, INTENT_INCIDENT, &count);
    for (uint32_t k = 0; k < count; k++)
        if (incident_status_is_over(list[k]->incident->status) &&
            (!oldest || list[k]->incident->resolved_ms < oldest->incident->resolved_ms))
            oldest = list[k];
    return oldest;
}

char *incidents_encode(const struct intent *intent)
{
    json_t *out = json_array();
    uint32_t count;
    struct intent_object *const *list = intent_list(intent, INTENT_INCIDENT, &count);
    for (uint32_t k = 0; k < count; k++) {
        if (incident_status_is_over(list[k]->incident->status))
            continue;
        json_t *value = json_loads(list[k]->value, 0, NULL);
        json_t *updates = json_object_get(value, "updates");
        while (json_array_size(updates) > 1)
            json_array_remove(updates, 0);
        json_array_append_new(out, json_pack("{s:s,s:o}", "name", list[k]->name, "value", value));
    }
    json_t *root = json_pack("{s:o}", "incidents", out);
    char *text = json_dumps(root, JSON_COMPACT);
    invariant(text != NULL);
    json_decref(root);
    return text;
}

bool incidents_alike(const struct intent *a, const struct intent *b)
{
    uint32_t a_count, b_count;
    struct intent_object *const *x = intent_list(a, INTENT_INCIDENT, &a_count);
    struct intent_object *const *y = intent_list(b, INTENT_INCIDENT, &b_count);
    bool alike = a_count == b_count;
    for (uint32_t k = 0; alike && k < a_count; k++)
        alike = x[k] == y[k];
    return alike;
}
