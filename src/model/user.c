#include "model/user.h"

#include "base/invariant.h"
#include "base/memory.h"
#include "model/intent_object.h"
#include <stdlib.h>
#include <string.h>

static bool word_is(const char *text, size_t min, size_t max, const char *more)
{
    size_t length = text ? strlen(text) : 0;
    for (size_t i = 0; i < length; i++) {
        char c = text[i];
        bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (!plain && !strchr(more, c))
            return false;
    }
    return length >= min && length <= max;
}

/* ---- keys ---- */

static const char *key_read(const json_t *value, struct user *u)
{
    struct user_key *key = &u->keys[u->key_count];
    const char *id = json_string_value(json_object_get(value, "id"));
    const char *secret = json_string_value(json_object_get(value, "secret"));
    const char *status = json_string_value(json_object_get(value, "status"));
    const json_t *made = json_object_get(value, "made_ms");
    if (json_object_size(value) != 4 || !word_is(id, USER_KEY_ID_MIN, USER_KEY_ID_MAX, "_") ||
        !word_is(secret, USER_SECRET_MIN, USER_SECRET_MAX, "+/=_-") || !status ||
        (strcmp(status, "Active") && strcmp(status, "Inactive")) || !json_is_integer(made) ||
        json_integer_value(made) < 0)
        return "wants keys {\"id\", \"secret\", \"status\": \"Active\" or \"Inactive\", "
               "\"made_ms\"}; an id has 16 to 128 letters and digits, and so has a secret";
    if (u->key_count && !strcmp(u->keys[0].id, id))
        return "wants keys with different ids";
    *key = (struct user_key){.id = mem_string(id),
                             .secret = mem_string(secret),
                             .active = !strcmp(status, "Active"),
                             .made_ms = json_integer_value(made)};
    u->key_count++;
    return NULL;
}

static const char *keys_read(const json_t *list, struct user *u)
{
    const char *why = NULL;
    if (!json_is_array(list) || json_array_size(list) > USER_KEYS_MAX)
        return "wants a list of at most two \"keys\"";
    for (size_t i = 0; i < json_array_size(list) && !why; i++)
        why = key_read(json_array_get(list, i), u);
    return why;
}

/* ---- statements ---- */

static bool pattern_add(const json_t *value, struct intent_names *ret)
{
    const char *text = json_string_value(value);
    if (!text || !*text || strlen(text) > USER_PATTERN_MAX)
        return false;
    ret->list[ret->count++] = mem_string(text);
    return true;
}

/* A text, or a list of at least one. */
static bool patterns_read(const json_t *value, struct intent_names *ret)
{
    size_t count = json_is_string(value) ? 1 : json_array_size(value);
    if (!count || count > USER_PATTERNS_MAX)
        return false;
    ret->list = mem_new(count, sizeof *ret->list);
    if (json_is_string(value))
        return pattern_add(value, ret);
    for (size_t i = 0; i < count; i++)
        if (!pattern_add(json_array_get(value, i), ret))
            return false;
    return true;
}

static const char *statement_read(const json_t *value, struct user *u)
{
    struct user_statement *s = &u->statements[u->statement_count++];
    const char *effect = json_string_value(json_object_get(value, "Effect"));
    size_t known = 3 + (json_object_get(value, "Sid") != NULL);
    if (json_object_size(value) != known || !effect ||
        (strcmp(effect, "Allow") && strcmp(effect, "Deny")))
        return "wants statements {\"Effect\": \"Allow\" or \"Deny\", \"Action\", \"Resource\"}, "
               "and nothing else of IAM's but \"Sid\"";
    s->deny = !strcmp(effect, "Deny");
    if (!patterns_read(json_object_get(value, "Action"), &s->actions) ||
        !patterns_read(json_object_get(value, "Resource"), &s->resources))
        return "wants as \"Action\" and as \"Resource\" a text, or a list of 1 to 32 texts";
    return NULL;
}

static const char *statements_read(const json_t *list, struct user *u)
{
    const char *why = NULL;
    if (!json_is_array(list) || json_array_size(list) > USER_STATEMENTS_MAX)
        return "wants a list of at most 32 \"statements\"";
    for (size_t i = 0; i < json_array_size(list) && !why; i++)
        why = statement_read(json_array_get(list, i), u);
    return why;
}

/* ---- the user ---- */

struct user *user_decode(const json_t *value, const char **ret_why)
{
    struct user *u = mem_new(1, sizeof *u);
    const char *why = json_object_size(value) != 2 ? "wants \"keys\" and \"statements\"" : NULL;
    why = why ? why : keys_read(json_object_get(value, "keys"), u);
    why = why ? why : statements_read(json_object_get(value, "statements"), u);
    if (!why)
        return u;
    user_free(u);
    *ret_why = why;
    return NULL;
}

void user_free(struct user *u)
{
    if (!u)
        return;
    for (unsigned i = 0; i < u->key_count; i++) {
        explicit_bzero(u->keys[i].secret, strlen(u->keys[i].secret));
        free(u->keys[i].secret);
        free(u->keys[i].id);
    }
    for (unsigned i = 0; i < u->statement_count; i++) {
        names_done(&u->statements[i].actions);
        names_done(&u->statements[i].resources);
    }
    free(u);
}

const struct intent_object *user_find(const struct intent *intent, const char *id, size_t length,
                                      const struct user_key **ret_key)
{
    uint32_t count;
    struct intent_object *const *users = intent_list(intent, INTENT_USER, &count);
    for (uint32_t i = 0; i < count; i++)
        for (unsigned k = 0; k < users[i]->user->key_count; k++) {
            const struct user_key *key = &users[i]->user->keys[k];
            if (strlen(key->id) != length || memcmp(key->id, id, length))
                continue;
            *ret_key = key;
            return users[i];
        }
    return NULL;
}

void user_value_hide(json_t *value)
{
    const json_t *keys = json_object_get(value, "keys");
    for (size_t i = 0; i < json_array_size(keys); i++)
        json_object_del(json_array_get(keys, i), "secret");
}
