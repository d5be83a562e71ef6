/* Incidents and maintenance (model/incident.h): opened, told about, ended. What was told and when
 * is never said by a client: the time is that of the change.
 *
 *   {"op": "incident", "incident": "use1-errors", "do": "open", "title": "Errors in us-east-1",
 *    "impact": "major", "components": ["region:us-east-1"], "message": "...", "ago_ms": 600000} */
#include "base/err.h"
#include "base/memory.h"
#include "command/command_parts.h"
#include "model/incident.h"
#include <stdlib.h>
#include <string.h>

enum incident_do { DO_OPEN, DO_SCHEDULE, DO_UPDATE, DO_RESOLVE };
enum { INCIDENT_DOS = 4, COMPONENTS_SHOWN = 5 };
#define AGO_MAX_MS (INT64_C(30) * 24 * 3600 * 1000)

/* What is to become of an incident; takes nothing over. */
struct incident_wish {
    enum incident_do what;
    const char *name, *title, *message; /* the last two may be NULL */
    bool has_status, has_impact;
    enum incident_status status;
    enum incident_impact impact;
    json_t *components; /* NULL: as they are */
    int64_t ago_ms, for_ms, until_ms;
};

static bool do_read(const json_t *request, struct incident_wish *w)
{
    static const char *const words[INCIDENT_DOS] = {"open", "schedule", "update", "resolve"};
    const char *word = json_string_value(json_object_get(request, "do"));
    for (unsigned i = 0; word && i < INCIDENT_DOS; i++)
        if (!strcmp(word, words[i])) {
            w->what = (enum incident_do)i;
            return true;
        }
    return false;
}

static bool number_read(const json_t *request, const char *key, int64_t max, int64_t *ret)
{
    const json_t *value = json_object_get(request, key);
    *ret = json_integer_value(value);
    return !value || (json_is_integer(value) && *ret >= 0 && *ret <= max);
}

static bool words_read(const json_t *request, struct incident_wish *w)
{
    bool good = true;
    w->name = command_text(request, "incident", INTENT_PART_MAX, &good);
    w->title = command_text(request, "title", INCIDENT_TITLE_MAX, &good);
    w->message = command_text(request, "message", INCIDENT_BODY_MAX, &good);
    const char *status = command_text(request, "status", 32, &good);
    const char *impact = command_text(request, "impact", 32, &good);
    w->has_status = status != NULL;
    w->has_impact = impact != NULL;
    w->components = json_object_get(request, "components");
    return good && w->name && (!status || !incident_status_parse(status, &w->status)) &&
           (!impact || !incident_impact_parse(impact, &w->impact)) &&
           (!w->components || json_is_array(w->components)) &&
           number_read(request, "ago_ms", AGO_MAX_MS, &w->ago_ms) &&
           number_read(request, "scheduled_for_ms", INT64_MAX / 8, &w->for_ms) &&
           number_read(request, "scheduled_until_ms", INT64_MAX / 8, &w->until_ms);
}

static bool wish_read(const json_t *request, struct incident_wish *w)
{
    *w = (struct incident_wish){0};
    if (!do_read(request, w) || !words_read(request, w))
        return false;
    bool times = w->for_ms || w->until_ms, schedule = w->what == DO_SCHEDULE;
    if (times != schedule || (w->ago_ms && w->what != DO_OPEN) ||
        (w->has_status && w->what > DO_UPDATE))
        return false;
    return w->what != DO_UPDATE || w->has_status || w->message || w->title || w->has_impact ||
           w->components;
}

/* ---- the value that follows ---- */

static void update_add(json_t *value, enum incident_status status, const char *body, int64_t wall)
{
    json_t *updates = json_object_get(value, "updates");
    json_array_append_new(updates,
                          json_pack("{s:s,s:s,s:I}", "status", incident_status_name(status), "body",
                                    body, "at_ms", (json_int_t)wall));
}

/* The status, and the times that come with it. */
static void status_put(json_t *value, enum incident_status status, int64_t wall)
{
    const char *const key = status == INCIDENT_MONITORING || status == INCIDENT_VERIFYING
                                ? "monitoring_ms"
                            : status == INCIDENT_IN_PROGRESS ? "started_ms"
                                                             : NULL;
    json_object_set_new(value, "status", json_string(incident_status_name(status)));
    /* work begins once, whatever has to be done again */
    if (key && (status != INCIDENT_IN_PROGRESS || !json_object_get(value, key)))
        json_object_set_new(value, key, json_integer(wall));
    if (incident_status_is_over(status) && !json_object_get(value, "resolved_ms"))
        json_object_set_new(value, "resolved_ms", json_integer(wall));
}

static void words_put(json_t *value, const struct incident_wish *w)
{
    if (w->title)
        json_object_set_new(value, "title", json_string(w->title));
    if (w->has_impact)
        json_object_set_new(value, "impact", json_string(incident_impact_name(w->impact)));
    if (w->components)
        json_object_set(value, "components", w->components);
}

static int begin(const struct intent *old, const struct incident_wish *w, int64_t wall,
                 json_t **ret, struct text *why)
{
    bool planned = w->what == DO_SCHEDULE;
    enum incident_status status = w->has_status ? w->status
                                  : planned     ? INCIDENT_SCHEDULED
                                                : INCIDENT_INVESTIGATING;
    if (intent_find(old, INTENT_INCIDENT, w->name)) {
        text_appendf(why, "there is an incident %s already; update it, or choose another name",
                     w->name);
        return ERR_CONFLICT;
    }
    if (incident_status_is_maintenance(status) != planned || incident_status_is_over(status)) {
        text_append(why, planned ? "maintenance begins as scheduled, in_progress or verifying"
                                 : "an incident begins as investigating, identified or monitoring");
        return ERR_INVALID;
    }
    json_t *value = json_pack("{s:s,s:s,s:[],s:[],s:I}", "title", w->title ? w->title : w->name,
                              "impact", incident_impact_name(planned ? IMPACT_NONE : IMPACT_MINOR),
                              "components", "updates", "created_ms", (json_int_t)wall);
    words_put(value, w);
    if (planned) {
        json_object_set_new(value, "scheduled_for_ms", json_integer(w->for_ms));
        json_object_set_new(value, "scheduled_until_ms", json_integer(w->until_ms));
    } else {
        json_object_set_new(value, "started_ms", json_integer(wall - w->ago_ms));
    }
    status_put(value, status, wall);
    update_add(value, status, w->message ? w->message : w->title ? w->title : w->name, wall);
    *ret = value;
    return 0;
}

static int move_check(const struct intent_object *o, enum incident_status to, struct text *why)
{
    enum incident_status from = o->incident->status;
    if (incident_may_become(from, to))
        return 0;
    text_appendf(why, "the incident %s is %s and cannot become %s; ", o->name,
                 incident_status_name(from), incident_status_name(to));
    if (incident_status_is_maintenance(from) != incident_status_is_maintenance(to))
        text_append(why, "incidents and maintenance have statuses of their own");
    else if (incident_status_is_over(from))
        text_append(why, "what has ended stays so: open another, or undo the change that ended it");
    else
        incident_may_become_append(from, why);
    return ERR_CONFLICT;
}

static int go_on(const struct intent *old, const struct incident_wish *w, int64_t wall,
                 json_t **ret, struct text *why)
{
    const struct intent_object *o = intent_find(old, INTENT_INCIDENT, w->name);
    if (!o) {
        text_appendf(why, "there is no incident %s", w->name);
        return ERR_MISSING;
    }
    enum incident_status was = o->incident->status, to = w->has_status ? w->status : was;
    bool planned = incident_status_is_maintenance(was);
    if (w->what == DO_RESOLVE)
        to = planned ? INCIDENT_COMPLETED : INCIDENT_RESOLVED;
    int err = move_check(o, to, why);
    if (err)
        return err;
    json_t *value = json_loads(o->value, 0, NULL);
    words_put(value, w);
    if (to != was)
        status_put(value, to, wall);
    if (w->message || to != was) {
        if (o->incident->update_count == INCIDENT_UPDATES_MAX) /* how it began stays */
            json_array_remove(json_object_get(value, "updates"), 1);
        const char *standard = w->what != DO_RESOLVE ? incident_status_name(to)
                               : planned             ? "The work is done."
                                                     : "This is resolved.";
        update_add(value, to, w->message ? w->message : standard, wall);
    }
    *ret = value;
    return 0;
}

int command_incident_apply(const struct intent *old, const json_t *proposal,
                           const struct intent_request *words, struct intent *ret, struct text *why)
{
    struct incident_wish w;
    struct intent_request r = *words;
    struct intent_edit edits[2];
    json_t *value;
    uint32_t count;
    int64_t wall = intent_wall(old, words->wall_ms);
    if (!wish_read(proposal, &w)) {
        text_append(why, COMMAND_INCIDENT_WANTS);
        return ERR_INVALID;
    }
    bool begins = w.what <= DO_SCHEDULE;
    int err = begins ? begin(old, &w, wall, &value, why) : go_on(old, &w, wall, &value, why);
    if (err)
        return err;
    char *text = json_dumps(value, JSON_COMPACT);
    edits[r.edit_count++] = (struct intent_edit){INTENT_INCIDENT, w.name, text};
    intent_list(old, INTENT_INCIDENT, &count);
    const struct intent_object *leaves = incident_oldest_over(old);
    if (begins && count >= INCIDENTS_MAX && leaves)
        edits[r.edit_count++] = (struct intent_edit){INTENT_INCIDENT, leaves->name, NULL};
    r.edits = edits;
    err = intent_apply(old, &r, ret, why);
    if (!err && ret->version == old->version)
        text_append(why, "nothing was to be changed");
    json_decref(value);
    free(text);
    return err;
}

/* ---- what is affected ---- */

static bool service_is(const struct config *c, const char *name)
{
    for (uint32_t i = 0; i < c->service_count; i++)
        if (!strcmp(c->services[i].name, name))
            return true;
    return false;
}

/* Is some endpoint in "region:..." and so on? */
static bool scope_is(const struct config *c, const char *scope)
{
    for (uint32_t i = 0; i < c->service_count; i++)
        for (uint32_t k = 0; k < c->services[i].endpoint_count; k++)
            if (intent_scope_holds(scope, &c->services[i], &c->services[i].endpoints[k]))
                return true;
    return false;
}

static bool component_is(const struct config *c, const char *name)
{
    static const char service[] = "service:";
    bool is = !strncmp(name, service, strlen(service));
    return is ? service_is(c, name + strlen(service)) : scope_is(c, name);
}

/* "us-east-1" for "region:us-east-1", and so on, where only one thing has that name. *full has the
 * full name; false: there is no such thing. */
static bool component_find(const struct config *c, const char *name, struct text *full)
{
    static const char *const kinds[] = {"service:", "region:", "provider:", "endpoint:"};
    if (!incident_component_check(name)) {
        text_append(full, name);
        return component_is(c, name);
    }
    for (size_t i = 0; i < array_length(kinds); i++) {
        text_reset(full);
        text_appendf(full, "%s%s", kinds[i], name);
        if (!full->failed && !incident_component_check(text_string(full)) &&
            component_is(c, text_string(full)))
            return true;
    }
    return false;
}

/* The components by their full names, json_decref; NULL: a reply was made. */
static json_t *components_find(const struct command_input *input, const json_t *request,
                               struct command_result *ret)
{
    const json_t *list = json_object_get(request, "components");
    bool force = json_is_true(json_object_get(request, "force"));
    json_t *found = json_array(), *name;
    struct text full = text_init(INTENT_NAME_MAX);
    size_t i;
    json_array_foreach(list, i, name)
    {
        const char *text = json_string_value(name);
        text_reset(&full);
        bool there = text && component_find(input->intent->config, text, &full);
        bool whole = text && !incident_component_check(text);
        if (!there && !(force && whole)) {
            command_say(ret, text ? ERR_MISSING : ERR_INVALID,
                        "\"%s\" is no service, region, provider or endpoint that this node knows%s",
                        text ? text : "",
                        whole ? "; where others do, say --force"
                              : "; `holdfast status` lists them");
            json_decref(found);
            found = NULL;
            break;
        }
        json_array_append_new(found, there ? json_string(text_string(&full)) : json_string(text));
    }
    text_done(&full);
    return found;
}

void command_incident(const struct command_input *input, const json_t *request,
                      struct command_result *ret)
{
    struct incident_wish w;
    bool good = wish_read(request, &w);
    command_text(request, "reason", INTENT_TEXT_MAX, &good);
    command_text(request, "token", INTENT_TOKEN_MAX, &good);
    if (!good) {
        command_say(ret, ERR_INVALID, COMMAND_INCIDENT_WANTS);
        return;
    }
    json_t *full = json_copy((json_t *)request);
    json_t *components =
        json_object_get(request, "components") ? components_find(input, request, ret) : NULL;
    if (components)
        json_object_set_new(full, "components", components);
    if (!ret->reply)
        command_propose(input, full, NULL, ret);
    json_decref(full);
}
