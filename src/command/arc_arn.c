/* ARNs, as ARC makes them:
 *
 *   arn:aws:route53-recovery-control::000000000000:cluster/ID
 *   arn:aws:route53-recovery-control::000000000000:controlpanel/ID
 *   arn:aws:route53-recovery-control::000000000000:controlpanel/ID/routingcontrol/ID
 *   arn:aws:route53-recovery-control::000000000000:controlpanel/ID/safetyrule/ID */
#include "base/invariant.h"
#include "command/arc_parts.h"
#include <stdio.h>
#include <string.h>

#define PREFIX  "arn:aws:route53-recovery-control::000000000000:"
#define CLUSTER PREFIX "cluster/00000000-0000-0000-0000-000000000001"
enum { SHORT_ID = 16 /* digits of the ids of controls and rules, as with AWS */ };

const char *arc_short(const struct intent_object *o)
{
    const char *slash = strrchr(o->name, '/');
    return slash ? slash + 1 : o->name;
}

bool arc_is_in(const struct intent_object *o, const struct intent_object *panel)
{
    size_t length = strlen(panel->name);
    return !strncmp(o->name, panel->name, length) && o->name[length] == '/';
}

const struct intent_object *arc_panel_of(const struct intent *intent, const struct intent_object *o)
{
    char name[INTENT_PART_MAX + 1];
    if (o->kind == INTENT_PANEL)
        return o;
    snprintf(name, sizeof name, "%.*s", (int)(arc_short(o) - o->name - 1), o->name);
    const struct intent_object *panel = intent_find(intent, INTENT_PANEL, name);
    invariant(panel); /* model/intent.h, invariant 2 */
    return panel;
}

const char *arc_arn(const struct intent *intent, const struct intent_object *o,
                    char buffer[static ARC_ARN_MAX])
{
    if (!o)
        snprintf(buffer, ARC_ARN_MAX, "%s", CLUSTER);
    else if (o->kind == INTENT_PANEL)
        snprintf(buffer, ARC_ARN_MAX, PREFIX "controlpanel/%s", o->id);
    else
        snprintf(buffer, ARC_ARN_MAX, PREFIX "controlpanel/%s/%s/%.*s", arc_panel_of(intent, o)->id,
                 o->kind == INTENT_CONTROL ? "routingcontrol" : "safetyrule", SHORT_ID, o->id);
    return buffer;
}

bool arc_is_cluster(const char *arn)
{
    return !strcmp(arn, CLUSTER);
}

bool arc_has_cluster(const struct intent *intent)
{
    uint32_t count;
    return intent_find(intent, INTENT_CLUSTER, "cluster") ||
           intent_list(intent, INTENT_PANEL, &count);
}

const struct intent_object *arc_find(const struct intent *intent, enum intent_kind kind,
                                     const char *arn)
{
    uint32_t count;
    struct intent_object *const *list = intent_list(intent, kind, &count);
    char buffer[ARC_ARN_MAX];
    /* Only where the last part fits is it worth making the whole. */
    const char *id = strrchr(arn, '/');
    size_t length = kind == INTENT_PANEL ? INTENT_ID_SIZE : SHORT_ID;
    for (uint32_t i = 0; id && i < count; i++)
        if (!strncmp(list[i]->id, id + 1, length) && !strcmp(arc_arn(intent, list[i], buffer), arn))
            return list[i];
    return NULL;
}

const struct intent_object *arc_find_any(const struct intent *intent, const char *arn)
{
    static const enum intent_kind kinds[] = {INTENT_PANEL, INTENT_CONTROL, INTENT_RULE};
    const struct intent_object *o = NULL;
    for (size_t i = 0; i < array_length(kinds) && !o; i++)
        o = arc_find(intent, kinds[i], arn);
    return o;
}
