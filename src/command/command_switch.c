/* Switching controls, whatever else they are: {"op": "switch", "states": {"checkout/use1": "On"}}.
 * What they gate is theirs, so that nobody's change of that is lost. */
#include "base/err.h"
#include "base/memory.h"
#include "command/command_parts.h"
#include <stdlib.h>
#include <string.h>

enum { SWITCHES_MAX = 100 /* controls, and rules set aside */ };

bool command_switch_is_good(const json_t *request)
{
    const json_t *states = json_object_get(request, "states"),
                 *overrides = json_object_get(request, "overrides");
    const char *name;
    json_t *state;
    size_t i;
    if (!json_object_size(states) || json_object_size(states) > SWITCHES_MAX ||
        (overrides && !json_is_array(overrides)) || json_array_size(overrides) > SWITCHES_MAX)
        return false;
    json_object_foreach((json_t *)states, name, state)
    {
        const char *text = json_string_value(state);
        if (!text || (strcmp(text, "On") && strcmp(text, "Off")))
            return false;
    }
    json_array_foreach(overrides, i, state) if (!json_is_string(state)) return false;
    return true;
}

/* The control's value with another state, free(); NULL: there is no such control. */
static char *value_switched(const struct intent *old, const char *name, json_t *state)
{
    const struct intent_object *o = intent_find(old, INTENT_CONTROL, name);
    json_t *value = o ? json_loads(o->value, 0, NULL) : NULL;
    json_object_set(value, "state", state);
    char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
    json_decref(value);
    return text;
}

int command_switch_apply(const struct intent *old, const json_t *proposal,
                         const struct intent_request *words, struct intent *ret, struct text *why)
{
    json_t *states = json_object_get(proposal, "states"),
           *overrides = json_object_get(proposal, "overrides"), *state, *rule;
    struct intent_edit edits[SWITCHES_MAX];
    const char *rules[SWITCHES_MAX], *name;
    struct intent_request r = *words;
    int err = 0;
    size_t i;
    if (!command_switch_is_good(proposal)) {
        text_append(why, COMMAND_SWITCH_WANTS);
        return ERR_INVALID;
    }
    json_array_foreach(overrides, i, rule) rules[r.override_count++] = json_string_value(rule);
    json_object_foreach(states, name, state)
    {
        struct intent_edit *e = &edits[r.edit_count];
        *e = (struct intent_edit){.kind = INTENT_CONTROL, .name = name};
        e->value = value_switched(old, name, state);
        if (!e->value) {
            text_appendf(why, "there is no control %s", name);
            err = ERR_MISSING;
            break;
        }
        r.edit_count++;
    }
    r.edits = edits;
    r.overrides = rules;
    err = err ? err : intent_apply(old, &r, ret, why);
    if (!err && ret->version == old->version)
        text_append(why, "nothing was to be changed");
    for (unsigned k = 0; k < r.edit_count; k++)
        free((char *)edits[k].value);
    return err;
}
