/* Safety rules in the configuration API. */
#include "command/arc_parts.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_names[RULE_TYPES] = {"ATLEAST", "AND", "OR"};

/* ---- as they are shown ---- */

static json_t *arns_json(const struct intent *intent, const struct intent_names *names)
{
    json_t *list = json_array();
    char arn[ARC_ARN_MAX];
    for (uint32_t i = 0; i < names->count; i++) {
        const struct intent_object *o = intent_find(intent, INTENT_CONTROL, names->list[i]);
        json_array_append_new(list, json_string(arc_arn(intent, o, arn)));
    }
    return list;
}

/* {"ASSERTION": {...}} */
json_t *arc_rule_json(const struct intent *intent, const struct intent_object *o)
{
    char panel[ARC_ARN_MAX], arn[ARC_ARN_MAX];
    json_t *rule = json_pack(
        "{s:s,s:s,s:s,s:s,s:i,s:{s:b,s:i,s:s},s:o}", "ControlPanelArn",
        arc_arn(intent, arc_panel_of(intent, o), panel), "SafetyRuleArn", arc_arn(intent, o, arn),
        "Name", arc_short(o), "Status", "DEPLOYED", "WaitPeriodMs", (int)o->wait_ms, "RuleConfig",
        "Inverted", o->inverted, "Threshold", (int)o->threshold, "Type", type_names[o->type],
        o->gating ? "GatingControls" : "AssertedControls", arns_json(intent, &o->first));
    if (o->gating)
        json_object_set_new(rule, "TargetControls", arns_json(intent, &o->second));
    return json_pack("{s:o}", o->gating ? "GATING" : "ASSERTION", rule);
}

json_t *arc_rule_reply(const struct intent *intent, const char *name)
{
    const struct intent_object *o = intent_find(intent, INTENT_RULE, name);
    if (!o)
        return NULL;
    json_t *shown = arc_rule_json(intent, o);
    json_t *reply = json_pack("{s:O}", o->gating ? "GatingRule" : "AssertionRule",
                              json_object_get(shown, o->gating ? "GATING" : "ASSERTION"));
    json_decref(shown);
    return reply;
}

/* ---- as they are made ---- */

/* The short names of controls of this panel, json_decref; NULL, and a reply was made. */
static json_t *controls_read(struct arc_call *c, const json_t *rule, const char *key,
                             const struct intent_object *panel)
{
    const json_t *given = json_object_get(rule, key);
    json_t *names = json_array();
    size_t count = json_array_size(given);
    if (!count || count > INTENT_RULE_CONTROLS_MAX)
        arc_invalid(c, key, "%s wants a list of 1 to %d ARNs of routing controls.", key,
                    INTENT_RULE_CONTROLS_MAX);
    for (size_t i = 0; i < count && !c->answered; i++) {
        const char *arn = json_string_value(json_array_get(given, i));
        const struct intent_object *o = arn ? arc_find(c->in->intent, INTENT_CONTROL, arn) : NULL;
        if (!arn)
            arc_invalid(c, key, "%s wants ARNs.", key);
        else if (!o)
            arc_missing(c, "routingcontrol", arn);
        else if (!arc_is_in(o, panel))
            arc_invalid(c, key, "%s is not of this control panel.", arn);
        else
            json_array_append_new(names, json_string(arc_short(o)));
    }
    if (!c->answered)
        return names;
    json_decref(names);
    return NULL;
}

/* A whole number of at least 0; -1, and a reply was made. */
static json_int_t number_read(struct arc_call *c, const json_t *from, const char *key)
{
    const json_t *value = json_object_get(from, key);
    if (json_is_integer(value) && json_integer_value(value) >= 0)
        return json_integer_value(value);
    arc_invalid(c, key, "%s wants a whole number, not below 0.", key);
    return -1;
}

/* RuleConfig and WaitPeriodMs into the value of a rule. */
static void config_read(struct arc_call *c, const json_t *rule, json_t *value)
{
    const json_t *config = json_object_get(rule, "RuleConfig"),
                 *inverted = json_object_get(config, "Inverted");
    const char *type = json_string_value(json_object_get(config, "Type"));
    if (!type || (strcmp(type, "ATLEAST") && strcmp(type, "AND") && strcmp(type, "OR"))) {
        arc_invalid(c, "RuleConfig", "RuleConfig.Type wants ATLEAST, AND or OR.");
        return;
    }
    if (!json_is_boolean(inverted))
        arc_invalid(c, "RuleConfig", "RuleConfig.Inverted wants true or false.");
    json_int_t threshold = number_read(c, config, "Threshold"),
               wait = number_read(c, rule, "WaitPeriodMs");
    json_object_set_new(value, "rule", json_string(type));
    json_object_set_new(value, "inverted", json_boolean(json_is_true(inverted)));
    json_object_set_new(value, "threshold", json_integer(threshold));
    json_object_set_new(value, "wait_ms", json_integer(wait));
}

/* The value that the rule is to have; NULL, and a reply was made. */
static json_t *value_read(struct arc_call *c, const json_t *rule, bool gating,
                          const struct intent_object *panel)
{
    json_t *value = json_pack("{s:s}", "type", gating ? "gating" : "assertion");
    json_t *controls =
        controls_read(c, rule, gating ? "GatingControls" : "AssertedControls", panel);
    if (controls)
        json_object_set_new(value, "controls", controls);
    json_t *targets = gating && controls ? controls_read(c, rule, "TargetControls", panel) : NULL;
    if (targets)
        json_object_set_new(value, "targets", targets);
    if (!c->answered)
        config_read(c, rule, value);
    if (!c->answered && arc_tags_take(c, value))
        return value;
    json_decref(value);
    return NULL;
}

/* Which of the two was sent; NULL, and a reply was made. */
static const json_t *one_of(struct arc_call *c, const char *assertion, const char *gating,
                            bool *ret_gating)
{
    const json_t *a = json_object_get(c->members, assertion),
                 *g = json_object_get(c->members, gating);
    *ret_gating = json_is_object(g);
    if (json_is_object(a) != json_is_object(g))
        return *ret_gating ? g : a;
    arc_invalid(c, assertion, "One of %s and %s is wanted.", assertion, gating);
    return NULL;
}

static bool has_room(struct arc_call *c, const struct intent_object *panel)
{
    uint32_t count;
    unsigned found = 0;
    struct intent_object *const *all = intent_list(c->in->intent, INTENT_RULE, &count);
    for (uint32_t i = 0; i < count; i++)
        found += arc_is_in(all[i], panel);
    if (found < ARC_PANEL_RULES_MAX)
        return true;
    arc_limit(c, "A control panel has at most %d safety rules.", ARC_PANEL_RULES_MAX);
    return false;
}

void arc_rule_create(struct arc_call *c)
{
    bool gating;
    const json_t *rule = one_of(c, "AssertionRule", "GatingRule", &gating);
    const char *name = rule ? arc_name(c, rule, "Name") : NULL;
    const char *arn = name ? arc_text(c, rule, "ControlPanelArn", ARC_ARN_MAX - 1, true) : NULL;
    const struct intent_object *panel = arn ? arc_find(c->in->intent, INTENT_PANEL, arn) : NULL;
    char full[INTENT_NAME_MAX];
    if (!arn || !arc_permits(c, arn, panel))
        return;
    if (!panel) {
        arc_missing(c, "controlpanel", arn);
        return;
    }
    json_t *value = has_room(c, panel) ? value_read(c, rule, gating, panel) : NULL;
    if (!value)
        return;
    snprintf(full, sizeof full, "%s/%s", panel->name, name);
    json_t *edit = arc_edit("rule", full, value);
    json_object_set_new(edit, "create", json_true());
    arc_submit_edits(c, json_pack("[o]", edit), full);
}

/* Its name and its wait period; nothing else of a rule changes, as with AWS. */
void arc_rule_update(struct arc_call *c)
{
    bool gating;
    const json_t *update = one_of(c, "AssertionRuleUpdate", "GatingRuleUpdate", &gating);
    const char *arn = update ? arc_text(c, update, "SafetyRuleArn", ARC_ARN_MAX - 1, true) : NULL;
    const char *name = arn ? arc_name(c, update, "Name") : NULL;
    json_int_t wait = name ? number_read(c, update, "WaitPeriodMs") : -1;
    const struct intent_object *o = arn ? arc_find(c->in->intent, INTENT_RULE, arn) : NULL;
    char full[INTENT_NAME_MAX];
    if (c->answered || !arc_permits(c, arn, o))
        return;
    if (!o || o->gating != gating) {
        arc_missing(c, "safetyrule", arn);
        return;
    }
    snprintf(full, sizeof full, "%s/%s", arc_panel_of(c->in->intent, o)->name, name);
    json_t *value = json_loads(o->value, 0, NULL);
    json_object_set_new(value, "wait_ms", json_integer(wait));
    json_t *edit = arc_edit("rule", full, value);
    if (strcmp(full, o->name))
        json_object_set_new(edit, "from", json_string(o->name));
    arc_submit_edits(c, json_pack("[o]", edit), full);
}
