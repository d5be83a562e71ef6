/* Tags of the cluster, panels, controls and rules: kept for tools, and nothing follows from them.
 */
#include "command/arc_parts.h"
#include <stdlib.h>
#include <string.h>

static bool tags_are_good(struct arc_call *c, const json_t *tags)
{
    const char *key;
    json_t *value;
    bool good = json_is_object(tags) && json_object_size(tags) <= INTENT_TAGS_MAX;
    json_object_foreach((json_t *)tags, key, value)
    {
        const char *text = json_string_value(value);
        good = good && *key && strlen(key) <= INTENT_TAG_KEY_MAX && text &&
               strlen(text) <= INTENT_TAG_VALUE_MAX;
    }
    if (!good)
        arc_invalid(c, "Tags", "Tags wants at most %d texts by name.", INTENT_TAGS_MAX);
    return good;
}

bool arc_tags_take(struct arc_call *c, json_t *value)
{
    json_t *tags = json_object_get(c->members, "Tags");
    if (!tags || json_is_null(tags))
        return true;
    if (!tags_are_good(c, tags))
        return false;
    if (json_object_size(tags))
        json_object_set(value, "tags", tags);
    return true;
}

/* The kind, name and value (json_decref) of what the ARN in the path is about: false, and a reply
 * was made. */
static bool tagged_find(struct arc_call *c, const char **ret_kind, const char **ret_name,
                        json_t **ret_value)
{
    const struct intent *intent = c->in->intent;
    bool cluster = arc_is_cluster(c->arn) && arc_has_cluster(intent);
    const struct intent_object *o =
        cluster ? intent_find(intent, INTENT_CLUSTER, "cluster") : arc_find_any(intent, c->arn);
    if (!arc_permits(c, c->arn, o))
        return false;
    if (!o && !cluster) {
        arc_missing(c, "resource", c->arn);
        return false;
    }
    *ret_kind = o ? intent_kind_name(o->kind) : "cluster";
    *ret_name = o ? o->name : "cluster";
    *ret_value = o ? json_loads(o->value, 0, NULL) : json_pack("{s:s}", "name", "holdfast");
    return true;
}

void arc_tags_list(struct arc_call *c)
{
    const char *kind, *name;
    json_t *value;
    if (!tagged_find(c, &kind, &name, &value))
        return;
    json_t *tags = json_object_get(value, "tags");
    arc_reply(c, json_pack("{s:o}", "Tags", tags ? json_incref(tags) : json_object()));
    json_decref(value);
}

/* Steals the value. */
static void tagged_submit(struct arc_call *c, const char *kind, const char *name, json_t *value)
{
    if (!json_object_size(json_object_get(value, "tags")))
        json_object_del(value, "tags");
    arc_submit_edits(c, json_pack("[o]", arc_edit(kind, name, value)), name);
}

void arc_tags_set(struct arc_call *c)
{
    const char *kind, *name;
    json_t *value, *given = json_object_get(c->members, "Tags");
    if (!tagged_find(c, &kind, &name, &value))
        return;
    json_t *tags = json_object_get(value, "tags");
    if (!tags) {
        tags = json_object();
        json_object_set_new(value, "tags", tags);
    }
    if (tags_are_good(c, given)) {
        json_object_update(tags, given);
        if (json_object_size(tags) > INTENT_TAGS_MAX)
            arc_invalid(c, "Tags", "There are at most %d tags.", INTENT_TAGS_MAX);
    }
    tagged_submit(c, kind, name, value);
}

void arc_tags_remove(struct arc_call *c)
{
    const char *kind, *name;
    json_t *value;
    char *key;
    if (!tagged_find(c, &kind, &name, &value))
        return;
    for (size_t at = 0; (key = arc_parameter(c, "TagKeys", &at)); free(key))
        json_object_del(json_object_get(value, "tags"), key);
    tagged_submit(c, kind, name, value);
}
