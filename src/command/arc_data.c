/* The data plane: states of routing controls. */
#include "base/time.h"
#include "command/arc_parts.h"
#include <string.h>

/* ---- reading ---- */

/* The ARN of a member; NULL, and a reply was made. */
static const char *arn_member(struct arc_call *c, const json_t *from, const char *key)
{
    return arc_text(c, from, key, ARC_ARN_MAX - 1, true);
}

static json_t *control_json(const struct intent *intent, const struct intent_object *o)
{
    char arn[ARC_ARN_MAX];
    return json_pack("{s:s,s:s,s:s}", "RoutingControlArn", arc_arn(intent, o, arn),
                     "RoutingControlName", arc_short(o), "RoutingControlState",
                     o->on ? "On" : "Off");
}

static void state_get(struct arc_call *c)
{
    const struct intent *intent = c->in->intent;
    const char *arn = arn_member(c, c->members, "RoutingControlArn");
    const struct intent_object *o = arn ? arc_find(intent, INTENT_CONTROL, arn) : NULL;
    if (!arn || !arc_permits(c, arn, o))
        return;
    if (o)
        arc_reply(c, control_json(intent, o));
    else
        arc_missing(c, "routingcontrol", arn);
}

static void controls_list(struct arc_call *c)
{
    const struct intent *intent = c->in->intent;
    const json_t *given = json_object_get(c->members, "ControlPanelArn");
    const char *arn = arc_text(c, c->members, "ControlPanelArn", ARC_ARN_MAX - 1, false);
    const struct intent_object *panel = arn ? arc_find(intent, INTENT_PANEL, arn) : NULL;
    struct arc_page page;
    uint32_t count;
    struct intent_object *const *all = intent_list(intent, INTENT_CONTROL, &count);
    if ((given && !arn) || !arc_permits(c, arn ? arn : "*", panel) || !arc_page_read(c, &page))
        return;
    if (arn && !panel) {
        arc_missing(c, "controlpanel", arn);
        return;
    }
    json_t *list = json_array(), *body = json_pack("{s:o}", "RoutingControls", list);
    for (uint32_t i = 0; i < count; i++) {
        char text[ARC_ARN_MAX];
        if ((panel && !arc_is_in(all[i], panel)) || !arc_page_takes(&page, all[i], list, body))
            continue;
        json_t *one = control_json(intent, all[i]);
        const struct intent_object *of = arc_panel_of(intent, all[i]);
        json_object_set_new(one, "ControlPanelArn", json_string(arc_arn(intent, of, text)));
        json_object_set_new(one, "ControlPanelName", json_string(of->name));
        json_array_append_new(list, one);
    }
    arc_reply(c, body);
}

/* ---- updating ---- */

/* One entry into {"checkout/us-east-1": "On"}; false, and a reply was made. */
static bool entry_take(struct arc_call *c, const json_t *entry, json_t *states)
{
    const char *arn = arn_member(c, entry, "RoutingControlArn");
    const char *state = arn ? arc_text(c, entry, "RoutingControlState", 8, true) : NULL;
    if (!arn || !state)
        return false;
    const struct intent_object *o = arc_find(c->in->intent, INTENT_CONTROL, arn);
    if (strcmp(state, "On") && strcmp(state, "Off")) {
        arc_invalid(c, "RoutingControlState", "RoutingControlState is On or Off.");
        return false;
    }
    if (!arc_permits(c, arn, o))
        return false;
    if (!o) {
        arc_missing(c, "routingcontrol", arn);
        return false;
    }
    if (json_object_get(states, o->name)) {
        arc_invalid(c, "RoutingControlArn", "%s is named twice.", arn);
        return false;
    }
    json_object_set_new(states, o->name, json_string(state));
    return true;
}

/* The names of the rules to be overridden; NULL, and a reply was made. */
static json_t *overrides_take(struct arc_call *c)
{
    const json_t *given = json_object_get(c->members, "SafetyRulesToOverride");
    json_t *names = json_array();
    if (given && !json_is_null(given) && !json_is_array(given))
        arc_invalid(c, "SafetyRulesToOverride", "SafetyRulesToOverride wants a list of ARNs.");
    for (size_t i = 0; i < json_array_size(given) && !c->answered; i++) {
        const char *arn = json_string_value(json_array_get(given, i));
        const struct intent_object *o = arn ? arc_find(c->in->intent, INTENT_RULE, arn) : NULL;
        if (!arn)
            arc_invalid(c, "SafetyRulesToOverride", "SafetyRulesToOverride wants a list of ARNs.");
        else if (arc_permits_action(c, "AllowSafetyRulesOverrides", arn, o) && !o)
            arc_missing(c, "safetyrule", arn);
        else if (o)
            json_array_append_new(names, json_string(o->name));
    }
    if (!c->answered)
        return names;
    json_decref(names);
    return NULL;
}

/* The states as one transaction; steals them. */
static void states_submit(struct arc_call *c, json_t *states, const char *arn)
{
    json_t *overrides = c->answered ? NULL : overrides_take(c);
    if (overrides)
        arc_submit(
            c, json_pack("{s:s,s:O,s:O}", "op", "switch", "states", states, "overrides", overrides),
            arn);
    json_decref(overrides);
    json_decref(states);
}

static void state_update(struct arc_call *c)
{
    json_t *states = json_object();
    entry_take(c, c->members, states);
    states_submit(c, states, json_string_value(json_object_get(c->members, "RoutingControlArn")));
}

static void states_update(struct arc_call *c)
{
    const json_t *entries = json_object_get(c->members, "UpdateRoutingControlStateEntries");
    json_t *states = json_object();
    size_t count = json_array_size(entries);
    if (!count)
        arc_invalid(c, "UpdateRoutingControlStateEntries",
                    "UpdateRoutingControlStateEntries wants a list of at least one entry.");
    else if (count > ARC_BATCH_MAX)
        arc_limit(c, "At most %d routing controls can be updated at once.", ARC_BATCH_MAX);
    for (size_t i = 0; i < count && !c->answered; i++)
        entry_take(c, json_array_get(entries, i), states);
    states_submit(
        c, states,
        json_string_value(json_object_get(json_array_get(entries, 0), "RoutingControlArn")));
}

const struct arc_operation arc_data_operations[] = {
    {.name = "GetRoutingControlState", .run = state_get, .type = "routingcontrol"},
    {.name = "ListRoutingControls", .run = controls_list, .type = "routingcontrol"},
    {.name = "UpdateRoutingControlState", .run = state_update, .type = "routingcontrol"},
    {.name = "UpdateRoutingControlStates", .run = states_update, .type = "routingcontrol"},
};
const size_t arc_data_count = array_length(arc_data_operations);
