#include "model/intent_object.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "model/incident.h"
#include "model/practice.h"
#include "model/shared_keys.h"
#include "model/user.h"
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[INTENT_KINDS] = {
    "endpoint",  "panel",    "control", "rule",     "shift", "user",
    "check",     "service",  "zone",    "records",  "node",  "invite",
    "authority", "practice", "cluster", "incident", "seal",  "keys"};
static const char *const admin_names[ADMIN_STATES] = {"auto", "drained", "disabled", "forced-up"};
static const char *const type_names[RULE_TYPES] = {"ATLEAST", "AND", "OR"};

static int word_parse(const char *word, const char *const *words, unsigned count, unsigned *ret)
{
    for (unsigned i = 0; word && i < count; i++)
        if (!strcmp(word, words[i])) {
            *ret = i;
            return 0;
        }
    return ERR_INVALID;
}

const char *intent_kind_name(enum intent_kind kind)
{
    invariant((unsigned)kind < INTENT_KINDS);
    return kind_names[kind];
}

int intent_kind_parse(const char *name, enum intent_kind *ret)
{
    unsigned i;
    int err = word_parse(name, kind_names, INTENT_KINDS, &i);
    if (!err)
        *ret = (enum intent_kind)i;
    return err;
}

const char *admin_state_name(enum admin_state state)
{
    invariant((unsigned)state < ADMIN_STATES);
    return admin_names[state];
}

int admin_state_parse(const char *name, enum admin_state *ret)
{
    unsigned i;
    int err = word_parse(name, admin_names, ADMIN_STATES, &i);
    if (!err)
        *ret = (enum admin_state)i;
    return err;
}

/* ---- references ---- */

void names_done(struct intent_names *n)
{
    for (uint32_t i = 0; i < n->count; i++)
        free(n->list[i]);
    free(n->list);
    *n = (struct intent_names){0};
}

bool kind_has_id(enum intent_kind kind)
{
    return kind == INTENT_PANEL || kind == INTENT_CONTROL || kind == INTENT_RULE ||
           kind == INTENT_INCIDENT;
}

void object_id_make(struct intent_object *o)
{
    struct text of = text_init(INTENT_NAME_MAX + 64);
    if (!kind_has_id(o->kind))
        return;
    text_appendf(&of, "%s %s %llu", intent_kind_name(o->kind), o->name,
                 (unsigned long long)o->version);
    invariant(!of.failed);
    snprintf(o->id, sizeof o->id, "%016llx%016llx",
             (unsigned long long)hash64_seeded(of.data, of.length, 1),
             (unsigned long long)hash64_seeded(of.data, of.length, 2));
    text_done(&of);
}

struct intent_object *object_ref(struct intent_object *o)
{
    invariant(o->references > 0);
    o->references++;
    return o;
}

void object_unref(struct intent_object *o)
{
    if (!o || --o->references)
        return;
    names_done(&o->first);
    names_done(&o->second);
    if (o->user)
        explicit_bzero(o->value, strlen(o->value));
    user_free(o->user);
    practice_free(o->practice);
    incident_free(o->incident);
    free(o->name);
    free(o->value);
    free(o->author);
    free(o->reason);
    free(o->node);
    free(o);
}

void change_unref(struct intent_change *c)
{
    if (!c || --c->references)
        return;
    for (uint32_t i = 0; i < c->edit_count; i++) {
        free(c->edits[i].name);
        free(c->edits[i].before);
        free(c->edits[i].after);
    }
    free(c->edits);
    names_done(&c->overridden);
    free(c->author);
    free(c->reason);
    free(c->token);
    free(c);
}

enum { OBJECT_OVERHEAD = 150, EDIT_OVERHEAD = 80 /* as JSON */ };

static size_t length_of(const char *text)
{
    return text ? strlen(text) : 0;
}

size_t object_bytes(const struct intent_object *o)
{
    return OBJECT_OVERHEAD + length_of(o->name) + length_of(o->value) + length_of(o->author) +
           length_of(o->reason);
}

size_t change_bytes(const struct intent_change *c)
{
    size_t bytes = OBJECT_OVERHEAD + length_of(c->author) + length_of(c->reason);
    for (uint32_t i = 0; i < c->overridden.count; i++)
        bytes += length_of(c->overridden.list[i]);
    for (uint32_t i = 0; i < c->edit_count; i++) {
        const struct intent_edited *e = &c->edits[i];
        bytes += EDIT_OVERHEAD + length_of(e->name) + length_of(e->before) + length_of(e->after);
    }
    return bytes;
}

int object_compare(const struct intent_object *o, enum intent_kind kind, const char *name)
{
    return o->kind == kind ? strcmp(o->name, name) : (int)o->kind - (int)kind;
}

uint32_t object_position(const struct intent *intent, enum intent_kind kind, const char *name)
{
    uint32_t low = 0, high = intent->object_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (object_compare(intent->objects[middle], kind, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* ---- names ---- */

static bool part_is_good(const char *part, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if ((unsigned char)part[i] <= ' ' || part[i] == '/' || part[i] == 0x7f)
            return false;
    return length > 0 && length <= INTENT_PART_MAX;
}

const char *scope_check(const char *name)
{
    static const char *const scopes[] = {"region:", "provider:", "endpoint:"};
    for (unsigned i = 0; i < array_length(scopes); i++)
        if (!strncmp(name, scopes[i], strlen(scopes[i])) && name[strlen(scopes[i])])
            return i < 2 || strchr(name, '/') ? NULL : "wants endpoint:SERVICE/ENDPOINT";
    return "wants region:NAME, provider:NAME or endpoint:SERVICE/ENDPOINT";
}

/* What is wrong with a name of this kind, as a sentence's end; NULL: nothing. */
static const char *object_name_check(enum intent_kind kind, const char *name)
{
    const char *slash = strrchr(name, '/');
    if (!*name || strlen(name) >= INTENT_NAME_MAX)
        return "wants a name of 1 to 1279 bytes";
    if (kind == INTENT_SHIFT || kind == INTENT_PRACTICE)
        return scope_check(name);
    if (kind >= INTENT_CHECK && kind <= INTENT_RECORDS)
        return shared_name_check(kind, name);
    if (kind == INTENT_KEYS)
        return shared_name_check(INTENT_ZONE, name);
    if (kind == INTENT_SEAL)
        return strcmp(name, "seal") ? "is the one called seal" : NULL;
    if (kind == INTENT_CLUSTER)
        return strcmp(name, "cluster") ? "is the one called cluster" : NULL;
    if (kind != INTENT_ENDPOINT && kind != INTENT_CONTROL && kind != INTENT_RULE)
        return part_is_good(name, strlen(name)) ? NULL
                                                : "wants a name of at most 64 bytes without spaces "
                                                  "and slashes";
    if (!slash || slash == name || !slash[1])
        return kind == INTENT_ENDPOINT ? "wants a name SERVICE/ENDPOINT"
                                       : "wants a name PANEL/NAME";
    if (kind != INTENT_ENDPOINT && (!part_is_good(name, (size_t)(slash - name)) ||
                                    !part_is_good(slash + 1, strlen(slash + 1))))
        return "wants a name PANEL/NAME, each of at most 64 bytes without spaces and slashes";
    return NULL;
}

/* ---- values ---- */

/* Members of a value that were read; what is left over is an error. */
static bool members_known(const json_t *value, const char *const *known, size_t count)
{
    const char *key;
    json_t *member;
    json_object_foreach((json_t *)value, key, member)
    {
        unsigned i;
        if (word_parse(key, known, (unsigned)count, &i))
            return false;
    }
    return true;
}

/* Texts of a list; with `panel`, each is the short name of a control and becomes PANEL/NAME. */
static bool names_read(const json_t *list, uint32_t max, const char *panel, size_t panel_length,
                       struct intent_names *ret)
{
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count > max)
        return false;
    ret->list = mem_new(count + 1, sizeof *ret->list);
    for (size_t i = 0; i < count; i++) {
        const char *text = json_string_value(json_array_get(list, i));
        struct text full = text_init(INTENT_NAME_MAX);
        if (!text || (panel && !part_is_good(text, strlen(text))))
            return false;
        if (panel)
            text_appendf(&full, "%.*s/", (int)panel_length, panel);
        text_append(&full, text);
        if (full.failed || !full.length) {
            text_done(&full);
            return false;
        }
        ret->list[ret->count++] = full.data;
    }
    return true;
}

static const char *endpoint_read(const json_t *value, struct intent_object *o)
{
    static const char *const known[] = {"state"};
    if (!members_known(value, known, array_length(known)) ||
        admin_state_parse(json_string_value(json_object_get(value, "state")), &o->state) ||
        o->state == ADMIN_AUTO)
        return "wants {\"state\": \"drained\", \"disabled\" or \"forced-up\"}";
    return NULL;
}

static bool tags_are_good(const json_t *tags)
{
    const char *key;
    json_t *value;
    if (tags && (!json_is_object(tags) || json_object_size(tags) > INTENT_TAGS_MAX))
        return false;
    json_object_foreach((json_t *)tags, key, value)
    {
        const char *text = json_string_value(value);
        if (!*key || strlen(key) > INTENT_TAG_KEY_MAX || !text ||
            strlen(text) > INTENT_TAG_VALUE_MAX)
            return false;
    }
    return true;
}

static const char *panel_read(const json_t *value, struct intent_object *o)
{
    static const char *const known[] = {"tags"};
    (void)o;
    return members_known(value, known, array_length(known)) ? NULL : "wants {}";
}

static const char *cluster_read(const json_t *value, struct intent_object *o)
{
    static const char *const known[] = {"name", "tags"};
    const char *name = json_string_value(json_object_get(value, "name"));
    (void)o;
    return name && part_is_good(name, strlen(name)) &&
                   members_known(value, known, array_length(known))
               ? NULL
               : "wants {\"name\": a text of at most 64 bytes without spaces and slashes}";
}

static const char *control_read(const json_t *value, struct intent_object *o)
{
    static const char *const known[] = {"state", "gates", "tags"};
    const char *state = json_string_value(json_object_get(value, "state"));
    const json_t *gates = json_object_get(value, "gates");
    if (!members_known(value, known, array_length(known)) || !state ||
        (strcmp(state, "On") && strcmp(state, "Off")))
        return "wants {\"state\": \"On\" or \"Off\", \"gates\": [...]}";
    o->on = !strcmp(state, "On");
    if (gates && !names_read(gates, INTENT_GATES_MAX, NULL, 0, &o->first))
        return "wants at most 100 texts as gates";
    for (uint32_t i = 0; i < o->first.count; i++)
        if (scope_check(o->first.list[i]))
            return "wants gates region:NAME, provider:NAME or endpoint:SERVICE/ENDPOINT";
    return NULL;
}

static bool number_read(const json_t *value, const char *key, int64_t max, uint32_t otherwise,
                        uint32_t *ret)
{
    const json_t *number = json_object_get(value, key);
    *ret = number ? (uint32_t)json_integer_value(number) : otherwise;
    return !number || (json_is_integer(number) && json_integer_value(number) >= 0 &&
                       json_integer_value(number) <= max);
}

static const char *rule_read(const json_t *value, struct intent_object *o)
{
    static const char *const known[] = {"type",      "controls", "targets", "rule",
                                        "threshold", "inverted", "wait_ms", "tags"};
    const char *type = json_string_value(json_object_get(value, "type"));
    size_t panel = (size_t)(strrchr(o->name, '/') - o->name);
    unsigned rule;
    if (!members_known(value, known, array_length(known)) || !type ||
        (strcmp(type, "assertion") && strcmp(type, "gating")))
        return "wants a \"type\", assertion or gating, and \"controls\", \"rule\", \"threshold\", "
               "\"inverted\", \"wait_ms\"; a gating rule \"targets\" as well";
    o->gating = !strcmp(type, "gating");
    if (!names_read(json_object_get(value, "controls"), INTENT_RULE_CONTROLS_MAX, o->name, panel,
                    &o->first) ||
        !o->first.count)
        return "wants as \"controls\" a list of at least one name of a control of its panel";
    if (o->gating != (json_object_get(value, "targets") != NULL) ||
        (o->gating && (!names_read(json_object_get(value, "targets"), INTENT_RULE_CONTROLS_MAX,
                                   o->name, panel, &o->second) ||
                       !o->second.count)))
        return "wants \"targets\", a list of names of controls, where it is a gating rule only";
    if (word_parse(json_string_value(json_object_get(value, "rule")), type_names, RULE_TYPES,
                   &rule))
        return "wants as \"rule\" ATLEAST, AND or OR";
    o->type = (enum rule_type)rule;
    o->inverted = json_is_true(json_object_get(value, "inverted"));
    if (!number_read(value, "threshold", o->first.count, 0, &o->threshold) ||
        (o->type == RULE_ATLEAST && !o->threshold && !o->inverted))
        return "wants with ATLEAST a \"threshold\" from 1 to the number of its controls";
    if (!number_read(value, "wait_ms", INTENT_WAIT_MAX_MS, INTENT_WAIT_DEFAULT_MS, &o->wait_ms))
        return "wants \"wait_ms\" from 0 to a day";
    return NULL;
}

static const char *shift_read(const json_t *value, struct intent_object *o)
{
    static const char *const known[] = {"expires_ms", "practice"};
    const json_t *expires = json_object_get(value, "expires_ms");
    if (!members_known(value, known, array_length(known)) || !json_is_integer(expires) ||
        json_integer_value(expires) <= 0)
        return "wants {\"expires_ms\": milliseconds since 1970}";
    o->expires_ms = json_integer_value(expires);
    o->practice_run = json_is_true(json_object_get(value, "practice"));
    return NULL;
}

static const char *user_read(const json_t *value, struct intent_object *o)
{
    const char *why = NULL;
    o->user = user_decode(value, &why);
    return why;
}

static const char *practice_value_read(const json_t *value, struct intent_object *o)
{
    const char *why = NULL;
    o->practice = practice_decode(value, &why);
    return why;
}

static const char *incident_read(const json_t *value, struct intent_object *o)
{
    const char *why = NULL;
    o->incident = incident_decode(value, &why);
    return why;
}

static const char *seal_read(const json_t *value, struct intent_object *o)
{
    struct seal seal;
    const char *why = NULL;
    char *text = json_dumps(value, JSON_COMPACT);
    (void)o;
    int err = seal_decode(text, &seal, &why);
    free(text);
    return err ? why : NULL;
}

static const char *keys_read(const json_t *value, struct intent_object *o)
{
    struct shared_keys keys;
    const char *why = NULL;
    char *text = json_dumps(value, JSON_COMPACT);
    (void)o;
    int err = shared_keys_decode(text, &keys, &why);
    if (!err)
        shared_keys_done(&keys);
    free(text);
    return err ? why : NULL;
}

static const char *(*const readers[INTENT_KINDS])(const json_t *, struct intent_object *) = {
    [INTENT_ENDPOINT] = endpoint_read,   [INTENT_PANEL] = panel_read,
    [INTENT_CONTROL] = control_read,     [INTENT_RULE] = rule_read,
    [INTENT_SHIFT] = shift_read,         [INTENT_USER] = user_read,
    [INTENT_CHECK] = shared_read,        [INTENT_SERVICE] = shared_read,
    [INTENT_ZONE] = shared_read,         [INTENT_RECORDS] = records_read,
    [INTENT_NODE] = node_read,           [INTENT_INVITE] = invite_read,
    [INTENT_AUTHORITY] = authority_read, [INTENT_PRACTICE] = practice_value_read,
    [INTENT_CLUSTER] = cluster_read,     [INTENT_INCIDENT] = incident_read,
    [INTENT_SEAL] = seal_read,           [INTENT_KEYS] = keys_read,
};

struct intent_object *object_decode(enum intent_kind kind, const char *name, const json_t *value,
                                    const char **ret_why)
{
    const char *why = object_name_check(kind, name);
    struct intent_object *o = mem_new(1, sizeof *o);
    *o = (struct intent_object){.references = 1, .kind = kind, .name = mem_string(name)};
    if (!why)
        why = !json_is_object(value)                           ? "wants a JSON object"
              : !tags_are_good(json_object_get(value, "tags")) ? "wants at most 50 tags, texts"
                                                               : readers[kind](value, o);
    if (!why) {
        o->value = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS);
        invariant(o->value != NULL);
        return o;
    }
    object_unref(o);
    *ret_why = why;
    return NULL;
}
