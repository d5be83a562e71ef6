/* The configuration API: the cluster, its panels and their controls. */
#include "command/arc_parts.h"
#include "model/intent_node.h"
#include <stdio.h>
#include <string.h>

#define DEFAULT_PANEL "DefaultControlPanel"
#define DEFAULT_NAME  "holdfast" /* of a cluster that nobody has named */

/* ---- objects as they are shown ---- */

static const char *cluster_name(const struct intent *intent,
                                char buffer[static INTENT_PART_MAX + 1])
{
    const struct intent_object *o = intent_find(intent, INTENT_CLUSTER, "cluster");
    json_t *value = o ? json_loads(o->value, 0, NULL) : NULL;
    const char *name = json_string_value(json_object_get(value, "name"));
    snprintf(buffer, INTENT_PART_MAX + 1, "%s", name ? name : DEFAULT_NAME);
    json_decref(value);
    return buffer;
}

static void endpoint_add(json_t *list, const char *url, const char *region)
{
    json_array_append_new(list, json_pack("{s:s,s:s}", "Endpoint", url, "Region", region));
}

/* What clients are told to call: as the configuration says, or the nodes that say where they are
 * called, or else this node. */
static json_t *endpoints_json(const struct intent *intent)
{
    const struct config *config = intent->config;
    json_t *list = json_array();
    char url[CONFIG_API_URL_MAX + 1];
    uint32_t count;
    struct intent_object *const *nodes = intent_list(intent, INTENT_NODE, &count);
    for (uint32_t i = 0; i < config->api_endpoint_count; i++)
        endpoint_add(list, config->api_endpoints[i].url, config->api_endpoints[i].region);
    for (uint32_t i = 0; i < count && !config->api_endpoint_count; i++)
        if (nodes[i]->node->role != NODE_EXPELLED && *nodes[i]->node->api)
            endpoint_add(list, nodes[i]->node->api, nodes[i]->node->site);
    const char *own = json_array_size(list) ? NULL : config_api_address(config, url);
    if (own)
        endpoint_add(list, own, config->site);
    return list;
}

static json_t *cluster_json(const struct intent *intent)
{
    char arn[ARC_ARN_MAX], name[INTENT_PART_MAX + 1];
    return json_pack("{s:s,s:s,s:s,s:o}", "ClusterArn", arc_arn(intent, NULL, arn), "Name",
                     cluster_name(intent, name), "Status", "DEPLOYED", "ClusterEndpoints",
                     endpoints_json(intent));
}

/* How many controls, or rules, a panel has; NULL: all of them. */
static unsigned count_in(const struct intent *intent, enum intent_kind kind,
                         const struct intent_object *panel)
{
    uint32_t count;
    unsigned found = 0;
    struct intent_object *const *all = intent_list(intent, kind, &count);
    for (uint32_t i = 0; i < count; i++)
        found += !panel || arc_is_in(all[i], panel);
    return found;
}

static json_t *panel_json(const struct intent *intent, const struct intent_object *o)
{
    char cluster[ARC_ARN_MAX], arn[ARC_ARN_MAX];
    return json_pack("{s:s,s:s,s:b,s:s,s:i,s:s}", "ClusterArn", arc_arn(intent, NULL, cluster),
                     "ControlPanelArn", arc_arn(intent, o, arn), "DefaultControlPanel",
                     !strcmp(o->name, DEFAULT_PANEL), "Name", o->name, "RoutingControlCount",
                     (int)count_in(intent, INTENT_CONTROL, o), "Status", "DEPLOYED");
}

static json_t *control_json(const struct intent *intent, const struct intent_object *o)
{
    char panel[ARC_ARN_MAX], arn[ARC_ARN_MAX];
    return json_pack("{s:s,s:s,s:s,s:s}", "ControlPanelArn",
                     arc_arn(intent, arc_panel_of(intent, o), panel), "Name", arc_short(o),
                     "RoutingControlArn", arc_arn(intent, o, arn), "Status", "DEPLOYED");
}

static json_t *cluster_reply(const struct intent *intent, const char *name)
{
    (void)name;
    return json_pack("{s:o}", "Cluster", cluster_json(intent));
}

static json_t *panel_reply(const struct intent *intent, const char *name)
{
    const struct intent_object *o = intent_find(intent, INTENT_PANEL, name);
    return o ? json_pack("{s:o}", "ControlPanel", panel_json(intent, o)) : NULL;
}

static json_t *control_reply(const struct intent *intent, const char *name)
{
    const struct intent_object *o = intent_find(intent, INTENT_CONTROL, name);
    return o ? json_pack("{s:o}", "RoutingControl", control_json(intent, o)) : NULL;
}

/* ---- finding what a call is about ---- */

/* The object of the ARN (NULL: none was said right) that the user may do this to; NULL, and a reply
 * was made. */
static const struct intent_object *object_of(struct arc_call *c, enum intent_kind kind,
                                             const char *arn)
{
    static const char *const types[INTENT_KINDS] = {[INTENT_PANEL] = "controlpanel",
                                                    [INTENT_CONTROL] = "routingcontrol",
                                                    [INTENT_RULE] = "safetyrule"};
    const struct intent_object *o = arn ? arc_find(c->in->intent, kind, arn) : NULL;
    if (!arn || !arc_permits(c, arn, o))
        return NULL;
    if (!o)
        arc_missing(c, types[kind], arn);
    return o;
}

/* The cluster of the ARN: false, and a reply was made. */
static bool cluster_is(struct arc_call *c, const char *arn)
{
    if (!arn || !arc_permits(c, arn, NULL))
        return false;
    if (arc_is_cluster(arn) && arc_has_cluster(c->in->intent))
        return true;
    arc_missing(c, "cluster", arn);
    return false;
}

static const char *arn_member(struct arc_call *c, const char *key)
{
    return arc_text(c, c->members, key, ARC_ARN_MAX - 1, true);
}

/* ---- the cluster ---- */

/* There is one, which the nodes are: the first call names it. */
static void cluster_create(struct arc_call *c)
{
    const struct intent *intent = c->in->intent;
    const char *name = arc_name(c, c->members, "ClusterName");
    if (!name || !arc_permits(c, "*", NULL))
        return;
    json_t *value = json_pack("{s:s}", "name", name), *edits = json_array();
    json_t *cluster = arc_edit("cluster", "cluster", value);
    json_object_set_new(cluster, "create", json_true());
    json_array_append_new(edits, cluster);
    if (!intent_find(intent, INTENT_PANEL, DEFAULT_PANEL))
        json_array_append_new(edits, arc_edit("panel", DEFAULT_PANEL, json_object()));
    if (arc_tags_take(c, value))
        arc_submit_edits(c, edits, name);
    else
        json_decref(edits);
}

static void cluster_describe(struct arc_call *c)
{
    if (cluster_is(c, c->arn))
        arc_reply(c, cluster_reply(c->in->intent, ""));
}

static void clusters_list(struct arc_call *c)
{
    if (!arc_permits(c, "*", NULL))
        return;
    json_t *list = json_array();
    if (arc_has_cluster(c->in->intent))
        json_array_append_new(list, cluster_json(c->in->intent));
    arc_reply(c, json_pack("{s:o}", "Clusters", list));
}

/* With its default panel, when nothing else is in it. */
static void cluster_delete(struct arc_call *c)
{
    const struct intent *intent = c->in->intent;
    const struct intent_object *panel = intent_find(intent, INTENT_PANEL, DEFAULT_PANEL);
    uint32_t panels;
    if (!cluster_is(c, c->arn))
        return;
    intent_list(intent, INTENT_PANEL, &panels);
    if (panels > (panel != NULL) || count_in(intent, INTENT_CONTROL, NULL)) {
        arc_fail(c, "Conflict",
                 "The cluster has control panels or routing controls; delete them "
                 "first.");
        return;
    }
    json_t *edits = json_array();
    if (intent_find(intent, INTENT_CLUSTER, "cluster"))
        json_array_append_new(edits, arc_edit("cluster", "cluster", NULL));
    if (panel)
        json_array_append_new(edits, arc_edit("panel", DEFAULT_PANEL, NULL));
    arc_submit_edits(c, edits, "");
}

/* ---- panels ---- */

static void panel_create(struct arc_call *c)
{
    const char *name = arc_name(c, c->members, "ControlPanelName");
    const char *cluster = name ? arn_member(c, "ClusterArn") : NULL;
    uint32_t panels;
    if (!cluster_is(c, cluster))
        return;
    intent_list(c->in->intent, INTENT_PANEL, &panels);
    if (panels >= ARC_PANELS_MAX) {
        arc_limit(c, "A cluster has at most %d control panels.", ARC_PANELS_MAX);
        return;
    }
    json_t *value = json_object(), *edit = arc_edit("panel", name, value);
    json_object_set_new(edit, "create", json_true());
    if (arc_tags_take(c, value))
        arc_submit_edits(c, json_pack("[o]", edit), name);
    else
        json_decref(edit);
}

static void panel_describe(struct arc_call *c)
{
    const struct intent_object *o = object_of(c, INTENT_PANEL, c->arn);
    if (o)
        arc_reply(c, panel_reply(c->in->intent, o->name));
}

static void panels_list(struct arc_call *c)
{
    const struct intent *intent = c->in->intent;
    size_t at = 0;
    char *arn = arc_parameter(c, "ClusterArn", &at);
    struct arc_page page;
    uint32_t count;
    struct intent_object *const *all = intent_list(intent, INTENT_PANEL, &count);
    if ((arn ? cluster_is(c, arn) : arc_permits(c, "*", NULL)) && arc_page_read(c, &page)) {
        json_t *list = json_array(), *body = json_pack("{s:o}", "ControlPanels", list);
        for (uint32_t i = 0; i < count; i++)
            if (arc_page_takes(&page, all[i], list, body))
                json_array_append_new(list, panel_json(intent, all[i]));
        arc_reply(c, body);
    }
    free(arn);
}

/* An object under another name of its panel, or of another panel; steals the value. */
static json_t *rename_edit(const char *kind, const struct intent_object *o, const char *panel,
                           const char *name, json_t *value)
{
    char full[INTENT_NAME_MAX];
    if (!value)
        value = json_loads(o->value, 0, NULL);
    snprintf(full, sizeof full, "%s%s%s", panel, *name ? "/" : "", name);
    json_t *edit = arc_edit(kind, full, value);
    if (strcmp(full, o->name))
        json_object_set_new(edit, "from", json_string(o->name));
    return edit;
}

/* All that is in the panel goes with it. */
static void panel_update(struct arc_call *c)
{
    const struct intent *intent = c->in->intent;
    const struct intent_object *o = object_of(c, INTENT_PANEL, arn_member(c, "ControlPanelArn"));
    const char *name = o ? arc_name(c, c->members, "ControlPanelName") : NULL;
    if (!name)
        return;
    json_t *edits = json_pack("[o]", rename_edit("panel", o, name, "", NULL));
    for (uint32_t i = 0; i < intent->object_count; i++) {
        const struct intent_object *part = intent->objects[i];
        if ((part->kind == INTENT_CONTROL || part->kind == INTENT_RULE) && arc_is_in(part, o))
            json_array_append_new(edits, rename_edit(intent_kind_name(part->kind), part, name,
                                                     arc_short(part), NULL));
    }
    if (json_array_size(edits) > INTENT_EDITS_MAX)
        arc_fail(c, "Conflict", "A control panel with more than %d parts keeps its name.",
                 INTENT_EDITS_MAX - 1);
    arc_submit_edits(c, edits, name);
}

static void panel_delete(struct arc_call *c)
{
    const struct intent_object *o = object_of(c, INTENT_PANEL, c->arn);
    if (o)
        arc_submit_edits(c, json_pack("[o]", arc_edit("panel", o->name, NULL)), o->name);
}

/* ---- controls ---- */

static bool control_has_room(struct arc_call *c, const struct intent_object *panel)
{
    const struct intent *intent = c->in->intent;
    if (count_in(intent, INTENT_CONTROL, NULL) >= ARC_CONTROLS_MAX)
        arc_limit(c, "A cluster has at most %d routing controls.", ARC_CONTROLS_MAX);
    else if (panel && count_in(intent, INTENT_CONTROL, panel) >= ARC_PANEL_CONTROLS_MAX)
        arc_limit(c, "A control panel has at most %d routing controls.", ARC_PANEL_CONTROLS_MAX);
    return !c->answered;
}

/* A new control is Off, as with AWS; it gates nothing before an operator says so. */
static void control_create(struct arc_call *c)
{
    const struct intent *intent = c->in->intent;
    const char *name = arc_name(c, c->members, "RoutingControlName");
    const char *cluster = name ? arn_member(c, "ClusterArn") : NULL;
    const char *arn =
        cluster ? arc_text(c, c->members, "ControlPanelArn", ARC_ARN_MAX - 1, false) : NULL;
    char full[INTENT_NAME_MAX];
    if (c->answered || (!arn && !cluster_is(c, cluster)))
        return;
    const struct intent_object *panel =
        arn ? object_of(c, INTENT_PANEL, arn) : intent_find(intent, INTENT_PANEL, DEFAULT_PANEL);
    if ((arn && !panel) || !control_has_room(c, panel))
        return;
    snprintf(full, sizeof full, "%s/%s", panel ? panel->name : DEFAULT_PANEL, name);
    json_t *edits = json_array();
    json_t *edit = arc_edit("control", full, json_pack("{s:s}", "state", "Off"));
    json_object_set_new(edit, "create", json_true());
    if (!panel)
        json_array_append_new(edits, arc_edit("panel", DEFAULT_PANEL, json_object()));
    json_array_append_new(edits, edit);
    arc_submit_edits(c, edits, full);
}

static void control_describe(struct arc_call *c)
{
    const struct intent_object *o = object_of(c, INTENT_CONTROL, c->arn);
    if (o)
        arc_reply(c, control_reply(c->in->intent, o->name));
}

/* The controls, or the rules, of a panel. */
static void parts_list(struct arc_call *c, enum intent_kind kind, const char *key,
                       json_t *(*show)(const struct intent *, const struct intent_object *))
{
    const struct intent *intent = c->in->intent;
    const struct intent_object *panel = object_of(c, INTENT_PANEL, c->arn);
    struct arc_page page;
    uint32_t count;
    struct intent_object *const *all = intent_list(intent, kind, &count);
    if (!panel || !arc_page_read(c, &page))
        return;
    json_t *list = json_array(), *body = json_pack("{s:o}", key, list);
    for (uint32_t i = 0; i < count; i++)
        if (arc_is_in(all[i], panel) && arc_page_takes(&page, all[i], list, body))
            json_array_append_new(list, show(intent, all[i]));
    arc_reply(c, body);
}

static void controls_list(struct arc_call *c)
{
    parts_list(c, INTENT_CONTROL, "RoutingControls", control_json);
}

/* The names of controls in a rule, with one of them changed. */
static void names_change(json_t *value, const char *key, const char *from, const char *to)
{
    json_t *names = json_object_get(value, key);
    for (size_t i = 0; i < json_array_size(names); i++)
        if (!strcmp(json_string_value(json_array_get(names, i)), from))
            json_array_set_new(names, i, json_string(to));
}

/* The rules of its panel know it by its new name. */
static void control_update(struct arc_call *c)
{
    const struct intent *intent = c->in->intent;
    const struct intent_object *o =
        object_of(c, INTENT_CONTROL, arn_member(c, "RoutingControlArn"));
    const char *name = o ? arc_name(c, c->members, "RoutingControlName") : NULL;
    char full[INTENT_NAME_MAX];
    uint32_t count;
    struct intent_object *const *rules = intent_list(intent, INTENT_RULE, &count);
    if (!name)
        return;
    const struct intent_object *panel = arc_panel_of(intent, o);
    snprintf(full, sizeof full, "%s/%s", panel->name, name);
    json_t *edits = json_pack("[o]", rename_edit("control", o, panel->name, name, NULL));
    for (uint32_t i = 0; i < count; i++) {
        json_t *value = arc_is_in(rules[i], panel) ? json_loads(rules[i]->value, 0, NULL) : NULL;
        if (!value)
            continue;
        names_change(value, "controls", arc_short(o), name);
        names_change(value, "targets", arc_short(o), name);
        json_array_append_new(
            edits, rename_edit("rule", rules[i], panel->name, arc_short(rules[i]), value));
    }
    arc_submit_edits(c, edits, full);
}

static void control_delete(struct arc_call *c)
{
    const struct intent_object *o = object_of(c, INTENT_CONTROL, c->arn);
    if (o)
        arc_submit_edits(c, json_pack("[o]", arc_edit("control", o->name, NULL)), o->name);
}

/* Health checks of Route 53 do not live here. */
static void health_checks_list(struct arc_call *c)
{
    if (object_of(c, INTENT_CONTROL, c->arn))
        arc_reply(c, json_pack("{s:[]}", "HealthCheckIds"));
}

/* ---- rules ---- */

static void rules_list(struct arc_call *c)
{
    parts_list(c, INTENT_RULE, "SafetyRules", arc_rule_json);
}

static void rule_describe(struct arc_call *c)
{
    const struct intent_object *o = object_of(c, INTENT_RULE, c->arn);
    if (o)
        arc_reply(c, arc_rule_reply(c->in->intent, o->name));
}

static void rule_delete(struct arc_call *c)
{
    const struct intent_object *o = object_of(c, INTENT_RULE, c->arn);
    if (o)
        arc_submit_edits(c, json_pack("[o]", arc_edit("rule", o->name, NULL)), o->name);
}

#define OP(n, m, p, f) .name = n, .service = ARC_CONFIG, .method = HTTP1_##m, .path = p, .run = f

const struct arc_operation arc_config_operations[] = {
    {OP("CreateCluster", POST, "/cluster", cluster_create), .reply = cluster_reply},
    {OP("ListClusters", GET, "/cluster", clusters_list)},
    {OP("DescribeCluster", GET, "/cluster/@", cluster_describe)},
    {OP("DeleteCluster", DELETE, "/cluster/@", cluster_delete), .refers = true},
    {OP("CreateControlPanel", POST, "/controlpanel", panel_create), .reply = panel_reply},
    {OP("UpdateControlPanel", PUT, "/controlpanel", panel_update), .reply = panel_reply},
    {OP("ListControlPanels", GET, "/controlpanels", panels_list)},
    {OP("DescribeControlPanel", GET, "/controlpanel/@", panel_describe)},
    {OP("DeleteControlPanel", DELETE, "/controlpanel/@", panel_delete), .refers = true},
    {OP("ListRoutingControls", GET, "/controlpanel/@/routingcontrols", controls_list)},
    {OP("ListSafetyRules", GET, "/controlpanel/@/safetyrules", rules_list)},
    {OP("CreateRoutingControl", POST, "/routingcontrol", control_create), .reply = control_reply},
    {OP("UpdateRoutingControl", PUT, "/routingcontrol", control_update), .reply = control_reply},
    {OP("DescribeRoutingControl", GET, "/routingcontrol/@", control_describe)},
    {OP("DeleteRoutingControl", DELETE, "/routingcontrol/@", control_delete), .refers = true},
    {OP("ListAssociatedRoute53HealthChecks", GET, "/routingcontrol/@/associatedRoute53HealthChecks",
        health_checks_list)},
    {OP("CreateSafetyRule", POST, "/safetyrule", arc_rule_create), .reply = arc_rule_reply},
    {OP("UpdateSafetyRule", PUT, "/safetyrule", arc_rule_update), .reply = arc_rule_reply},
    {OP("DescribeSafetyRule", GET, "/safetyrule/@", rule_describe)},
    {OP("DeleteSafetyRule", DELETE, "/safetyrule/@", rule_delete), .refers = true},
    {OP("ListTagsForResource", GET, "/tags/@", arc_tags_list)},
    {OP("TagResource", POST, "/tags/@", arc_tags_set)},
    {OP("UntagResource", DELETE, "/tags/@", arc_tags_remove)},
};
const size_t arc_config_count = array_length(arc_config_operations);
