/* Users of the API: who they are, what they may do, and their access keys. Secrets come with the
 * request, from who shows them to the operator, and are in no reply. */
#include "base/err.h"
#include "command/command_parts.h"
#include "model/user.h"
#include <stdlib.h>
#include <string.h>

/* What is to become of a user; takes nothing over. */
struct user_wish {
    const char *name, *what, *id;
    const json_t *statements, *key;
};

static json_t *key_make(const json_t *key, int64_t wall_ms)
{
    json_t *made = json_deep_copy(key);
    json_object_set_new(made, "status", json_string("Active"));
    json_object_set_new(made, "made_ms", json_integer(wall_ms));
    return made;
}

/* The index of the key in the value of a user; -1. */
static int key_position(const json_t *value, const char *id)
{
    const json_t *keys = json_object_get(value, "keys");
    for (size_t i = 0; i < json_array_size(keys); i++)
        if (!strcmp(json_string_value(json_object_get(json_array_get(keys, i), "id")), id))
            return (int)i;
    return -1;
}

/* Changes the value as the wish says: 0, or a sentence was said. */
static int value_change(const struct user_wish *w, int64_t wall_ms, json_t *value, struct text *why)
{
    json_t *keys = json_object_get(value, "keys");
    int at = w->id ? key_position(value, w->id) : -1;
    if (w->id && at < 0) {
        text_appendf(why, "the user %s has no access key %s", w->name, w->id);
        return ERR_MISSING;
    }
    if (!strcmp(w->what, "permit")) {
        json_object_set(value, "statements", (json_t *)w->statements);
    } else if (!strcmp(w->what, "key-add")) {
        if (json_array_size(keys) >= USER_KEYS_MAX) {
            text_appendf(why, "the user %s has %d access keys; remove one of them first", w->name,
                         USER_KEYS_MAX);
            return ERR_LIMIT;
        }
        json_array_append_new(keys, key_make(w->key, wall_ms));
    } else if (!strcmp(w->what, "key-remove")) {
        json_array_remove(keys, (size_t)at);
    } else {
        bool on = !strcmp(w->what, "key-enable");
        json_object_set_new(json_array_get(keys, (size_t)at), "status",
                            json_string(on ? "Active" : "Inactive"));
    }
    return 0;
}

/* The value that the user is to have, json_decref. 0, or a sentence was said. */
static int value_make(const struct intent *old, const struct user_wish *w, int64_t wall_ms,
                      json_t **ret, struct text *why)
{
    const struct intent_object *user = intent_find(old, INTENT_USER, w->name);
    bool add = !strcmp(w->what, "add");
    if (add == (user != NULL)) {
        text_appendf(why, add ? "there is a user %s already" : "there is no user %s", w->name);
        return add ? ERR_CONFLICT : ERR_MISSING;
    }
    if (add) {
        *ret = json_pack("{s:[o],s:O}", "keys", key_make(w->key, wall_ms), "statements",
                         w->statements);
        return 0;
    }
    json_t *value = json_loads(user->value, 0, NULL);
    int err = value_change(w, wall_ms, value, why);
    if (err)
        json_decref(value);
    else
        *ret = value;
    return err;
}

static bool wish_read(const json_t *request, struct user_wish *w)
{
    static const struct {
        const char *what;
        bool statements, key, id;
    } wishes[] = {
        {"add", true, true, false},          {"permit", true, false, false},
        {"key-add", false, true, false},     {"key-enable", false, false, true},
        {"key-disable", false, false, true}, {"key-remove", false, false, true},
    };
    bool good = true;
    *w = (struct user_wish){
        .name = command_text(request, "user", INTENT_PART_MAX, &good),
        .what = command_text(request, "do", 16, &good),
        .id = command_text(request, "id", USER_KEY_ID_MAX, &good),
        .statements = json_object_get(request, "statements"),
        .key = json_object_get(request, "key"),
    };
    for (size_t i = 0; good && w->name && w->what && i < array_length(wishes); i++)
        if (!strcmp(w->what, wishes[i].what))
            return json_is_array(w->statements) == wishes[i].statements &&
                   json_is_object(w->key) == wishes[i].key && (w->id != NULL) == wishes[i].id;
    return false;
}

bool command_user_is_good(const json_t *request)
{
    struct user_wish w;
    return wish_read(request, &w);
}

int command_user_apply(const struct intent *old, const json_t *proposal,
                       const struct intent_request *words, struct intent *ret, struct text *why)
{
    struct user_wish w;
    struct intent_request r = *words;
    json_t *value;
    if (!wish_read(proposal, &w)) {
        text_append(why, COMMAND_USER_WANTS);
        return ERR_INVALID;
    }
    int err = value_make(old, &w, words->wall_ms, &value, why);
    if (err)
        return err;
    char *text = json_dumps(value, JSON_COMPACT);
    struct intent_edit edit = {INTENT_USER, w.name, text};
    r.edits = &edit;
    r.edit_count = 1;
    err = intent_apply(old, &r, ret, why);
    if (!err && ret->version == old->version)
        text_append(why, "nothing was to be changed");
    json_decref(value);
    free(text);
    return err;
}
