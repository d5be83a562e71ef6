/* The intent as a JSON text:
 *
 *   {"format": 2, "version": 7, "objects": [
 *     {"kind": "endpoint", "name": "api.example.com/use1", "value": {"state": "drained"},
 *      "version": 7, "wall_ms": 1767225600000, "author": "uid 1000 (ana)", "reason": "kernel"}],
 *    "history": [
 *     {"version": 7, "wall_ms": 1767225600000, "author": "uid 1000 (ana)", "reason": "kernel",
 *      "token": "...", "overridden": [], "edits": [
 *        {"kind": "endpoint", "name": "api.example.com/use1", "before": null,
 *         "after": {"state": "drained"}}]}]}
 *
 * Format 1 had "orders" instead: service, endpoint, state, wall (seconds), author, reason. */
#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "model/intent_object.h"
#include <stdlib.h>
#include <string.h>

/* ---- encode ---- */

/* jansson stores UTF-8 only; an author or a reason that is not is kept readable. */
static json_t *text_json(const char *text)
{
    json_t *value = text ? json_string(text) : json_null();
    if (value)
        return value;
    char *plain = mem_string(text);
    for (char *c = plain; *c; c++)
        if ((unsigned char)*c >= 0x80)
            *c = '?';
    value = json_string(plain);
    free(plain);
    return value;
}

static json_t *value_json(const char *value)
{
    json_t *json = value ? json_loads(value, 0, NULL) : json_null();
    invariant(json != NULL);
    return json;
}

static json_t *object_json(const struct intent_object *o)
{
    json_t *out = json_pack("{s:s,s:o,s:o,s:I,s:I,s:o,s:o}", "kind", intent_kind_name(o->kind),
                            "name", text_json(o->name), "value", value_json(o->value), "version",
                            (json_int_t)o->version, "wall_ms", (json_int_t)o->wall_ms, "author",
                            text_json(o->author), "reason", text_json(o->reason));
    invariant(out != NULL);
    if (o->kind == INTENT_CONTROL)
        json_object_set_new(out, "flipped_ms", json_integer(o->flipped_ms));
    if (o->kind == INTENT_ZONE)
        json_object_set_new(out, "touched", json_integer((json_int_t)o->touched));
    if (kind_has_id(o->kind))
        json_object_set_new(out, "id", json_string(o->id));
    return out;
}

static json_t *change_json(const struct intent_change *c)
{
    json_t *edits = json_array(), *overridden = json_array();
    for (uint32_t i = 0; i < c->edit_count; i++) {
        const struct intent_edited *e = &c->edits[i];
        json_array_append_new(edits,
                              json_pack("{s:s,s:o,s:o,s:o}", "kind", intent_kind_name(e->kind),
                                        "name", text_json(e->name), "before", value_json(e->before),
                                        "after", value_json(e->after)));
    }
    for (uint32_t i = 0; i < c->overridden.count; i++)
        json_array_append_new(overridden, text_json(c->overridden.list[i]));
    json_t *out = json_pack("{s:I,s:I,s:o,s:o,s:o,s:o,s:o}", "version", (json_int_t)c->version,
                            "wall_ms", (json_int_t)c->wall_ms, "author", text_json(c->author),
                            "reason", text_json(c->reason), "token", text_json(c->token),
                            "overridden", overridden, "edits", edits);
    invariant(out != NULL);
    return out;
}

/* ["token", wall_ms, version] of a change, ["token", wall_ms, "ERR_...", "sentence"] else. */
static json_t *told_json(const struct told_one *t)
{
    if (t->version)
        return json_pack("[o,I,I]", text_json(t->token), (json_int_t)t->wall_ms,
                         (json_int_t)t->version);
    return json_pack("[o,I,s,o]", text_json(t->token), (json_int_t)t->wall_ms,
                     t->err ? err_name(t->err) : "", text_json(t->sentence));
}

char *intent_encode(const struct intent *intent)
{
    json_t *objects = json_array(), *history = json_array(), *told = json_array();
    for (uint32_t i = 0; i < intent->object_count; i++)
        json_array_append_new(objects, object_json(intent->objects[i]));
    for (uint32_t i = 0; i < intent->history_count; i++)
        json_array_append_new(history, change_json(intent->history[i]));
    for (uint32_t i = 0; i < intent->told.count; i++)
        json_array_append_new(told, told_json(told_at(&intent->told, i)));
    json_t *root =
        json_pack("{s:i,s:I,s:o,s:o,s:o,s:I}", "format", INTENT_FILE_VERSION, "version",
                  (json_int_t)intent->version, "objects", objects, "history", history, "outcomes",
                  told, "outcomes_forgotten", (json_int_t)intent->told.forgotten);
    char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;
    invariant(text != NULL); /* nothing but a lack of memory */
    json_decref(root);
    return text;
}

/* ---- decode ---- */

static const char *field(const json_t *from, const char *key, size_t max)
{
    const char *text = json_string_value(json_object_get(from, key));
    return text && *text && strlen(text) <= max ? text : NULL;
}

static bool field_is_absent(const json_t *from, const char *key)
{
    const json_t *value = json_object_get(from, key);
    return !value || json_is_null(value);
}

static bool number(const json_t *from, const char *key, int64_t *ret)
{
    const json_t *value = json_object_get(from, key);
    *ret = json_integer_value(value);
    return json_is_integer(value) && *ret >= 0;
}

/* Who, when and why: the same words of an object and of a change. */
struct words {
    int64_t version, wall_ms;
    const char *author, *reason;
};

static const char *words_decode(const json_t *from, struct words *ret)
{
    ret->author = field(from, "author", INTENT_TEXT_MAX);
    ret->reason = field(from, "reason", INTENT_TEXT_MAX);
    if (!number(from, "version", &ret->version) || !number(from, "wall_ms", &ret->wall_ms))
        return "something does not say its version and its time";
    if (!ret->author || (!ret->reason && !field_is_absent(from, "reason")))
        return "something has no author, or a reason that is not a text of at most 500 bytes";
    return NULL;
}

/* Files from before there were ids have none. */
static bool id_read(const json_t *from, struct intent_object *o)
{
    const char *id = json_string_value(json_object_get(from, "id"));
    if (!json_object_get(from, "id")) {
        object_id_make(o);
        return true;
    }
    if (!id || !kind_has_id(o->kind) || strlen(id) != INTENT_ID_SIZE ||
        strspn(id, "0123456789abcdef") != INTENT_ID_SIZE)
        return false;
    memcpy(o->id, id, sizeof o->id);
    return true;
}

static const char *object_read(const json_t *from, struct intent *out)
{
    const char *name = field(from, "name", INTENT_NAME_MAX - 1), *why = NULL;
    struct words words;
    enum intent_kind kind;
    if (!name || intent_kind_parse(json_string_value(json_object_get(from, "kind")), &kind))
        return "an object has no kind that is known, or no name";
    why = words_decode(from, &words);
    if (why)
        return why;
    struct intent_object *o = object_decode(kind, name, json_object_get(from, "value"), &why);
    if (!o)
        return why;
    if ((uint64_t)words.version > out->version) {
        object_unref(o);
        return "an object is newer than the file";
    }
    o->version = (uint64_t)words.version;
    o->wall_ms = words.wall_ms;
    o->author = mem_string(words.author);
    o->reason = words.reason ? mem_string(words.reason) : NULL;
    out->objects[out->object_count++] = o;
    out->object_bytes += object_bytes(o);
    if (!id_read(from, o))
        return "a panel, control, rule or incident has an id that is not one";
    if (kind == INTENT_CONTROL && !number(from, "flipped_ms", &o->flipped_ms))
        return "a control does not say when it was switched";
    int64_t touched = 0;
    if (kind == INTENT_ZONE &&
        (!number(from, "touched", &touched) || (uint64_t)touched > out->version))
        return "a zone does not say when it was touched";
    o->touched = (uint64_t)touched;
    return NULL;
}

/* Orders of format 1. */
static const char *order_read(const json_t *from, struct intent *out)
{
    const char *service = field(from, "service", 1023), *state = field(from, "state", 16);
    const char *endpoint = field(from, "endpoint", CONFIG_NAME_MAX), *why = NULL;
    const char *reason = field(from, "reason", INTENT_TEXT_MAX);
    const char *author = json_string_value(json_object_get(from, "author"));
    char name[INTENT_NAME_MAX];
    int64_t wall;
    if (!service || !endpoint || !state || !author || strlen(author) > INTENT_TEXT_MAX)
        return "an order lacks its service, endpoint, state or author";
    if (!number(from, "wall", &wall) || wall > INT64_MAX / 1000)
        return "an order does not say when it was given";
    if (json_object_get(from, "reason") && !reason)
        return "an order's reason is not a text of at most 500 bytes";
    json_t *value = json_pack("{s:s}", "state", state);
    struct intent_object *o =
        object_decode(INTENT_ENDPOINT, intent_endpoint_name(service, endpoint, name), value, &why);
    json_decref(value);
    if (!o)
        return "an order has a state other than drained, disabled and forced-up";
    o->version = out->version;
    o->wall_ms = wall * 1000;
    o->author = mem_string(*author ? author : "unknown");
    o->reason = reason ? mem_string(reason) : NULL;
    out->objects[out->object_count++] = o;
    out->object_bytes += object_bytes(o);
    return NULL;
}

static int object_sort(const void *a, const void *b)
{
    const struct intent_object *const *x = a, *const *y = b;
    return object_compare(*x, (*y)->kind, (*y)->name);
}

static const char *objects_read(const json_t *list, struct intent *out,
                                const char *(*read)(const json_t *, struct intent *))
{
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count > INTENT_OBJECTS_MAX)
        return "it has no list of at most 20000 objects";
    out->objects = mem_new(count + 1, sizeof(struct intent_object *));
    for (size_t i = 0; i < count; i++) {
        const char *why = read(json_array_get(list, i), out);
        if (why)
            return why;
    }
    qsort(out->objects, out->object_count, sizeof(struct intent_object *), object_sort);
    for (uint32_t i = 1; i < out->object_count; i++)
        if (object_sort(&out->objects[i - 1], &out->objects[i]) == 0)
            return "two objects have one name";
    struct text why = text_init(4096);
    int err = intent_references_check(out, &why);
    text_done(&why);
    return err ? "an object refers to one that does not exist" : NULL;
}

/* A value of an edit: NULL and true for null. */
static bool value_read(enum intent_kind kind, const char *name, const json_t *value, char **ret)
{
    const char *why;
    if (json_is_null(value))
        return true;
    struct intent_object *o = object_decode(kind, name, value, &why);
    *ret = o ? mem_string(o->value) : NULL;
    object_unref(o);
    return o != NULL;
}

static const char *edit_read(const json_t *from, struct intent_change *c)
{
    const char *name = field(from, "name", INTENT_NAME_MAX - 1);
    struct intent_edited *e = &c->edits[c->edit_count];
    if (!name || intent_kind_parse(json_string_value(json_object_get(from, "kind")), &e->kind))
        return "an edit has no kind that is known, or no name";
    e->name = mem_string(name);
    c->edit_count++;
    if (!value_read(e->kind, name, json_object_get(from, "before"), &e->before) ||
        !value_read(e->kind, name, json_object_get(from, "after"), &e->after))
        return "an edit has a value that makes no sense";
    return NULL;
}

static const char *edits_read(const json_t *from, struct intent_change *c)
{
    const json_t *edits = json_object_get(from, "edits"),
                 *over = json_object_get(from, "overridden");
    size_t count = json_array_size(edits), overs = json_array_size(over);
    if (!json_is_array(edits) || !json_is_array(over) || count > INTENT_EDITS_MAX ||
        overs > INTENT_OVERRIDES_MAX)
        return "a change has no lists of at most 2000 edits and overridden rules";
    c->edits = mem_new(count + 1, sizeof *c->edits);
    c->overridden.list = mem_new(overs + 1, sizeof(char *));
    for (size_t i = 0; i < overs; i++) {
        const char *rule = json_string_value(json_array_get(over, i));
        if (!rule || strlen(rule) >= INTENT_NAME_MAX)
            return "a change has overridden rules that are no names";
        c->overridden.list[c->overridden.count++] = mem_string(rule);
    }
    for (size_t i = 0; i < count; i++) {
        const char *why = edit_read(json_array_get(edits, i), c);
        if (why)
            return why;
    }
    return NULL;
}

static const char *change_read(const json_t *from, struct intent *out)
{
    struct words words;
    const char *why = words_decode(from, &words);
    const char *token = field(from, "token", INTENT_TOKEN_MAX);
    uint64_t before = out->history_count ? out->history[out->history_count - 1]->version : 0;
    if (why)
        return why;
    if ((!token && !field_is_absent(from, "token")) || (uint64_t)words.version <= before ||
        (uint64_t)words.version > out->version)
        return "a change has a token that is no text, or its version is out of order";
    struct intent_change *c = mem_new(1, sizeof *c);
    *c = (struct intent_change){.references = 1,
                                .version = (uint64_t)words.version,
                                .wall_ms = words.wall_ms,
                                .author = mem_string(words.author),
                                .reason = words.reason ? mem_string(words.reason) : NULL,
                                .token = token ? mem_string(token) : NULL};
    out->history[out->history_count++] = c;
    why = edits_read(from, c);
    c->bytes = why ? 0 : change_bytes(c);
    out->history_bytes += c->bytes;
    return why;
}

static const char *history_read(const json_t *list, struct intent *out)
{
    size_t count = json_array_size(list);
    if (!json_is_array(list) || count > INTENT_HISTORY_MAX)
        return "it has no list of at most 1000 changes";
    out->history = mem_new(count + 1, sizeof(struct intent_change *));
    for (size_t i = 0; i < count; i++) {
        const char *why = change_read(json_array_get(list, i), out);
        if (why)
            return why;
    }
    return NULL;
}

static const char *one_read(const json_t *from, struct told *told)
{
    const char *token = json_string_value(json_array_get(from, 0));
    const json_t *wall = json_array_get(from, 1), *version = json_array_get(from, 2);
    const char *error = json_string_value(version);
    const char *sentence = json_string_value(json_array_get(from, 3));
    int err = error && *error ? err_of_name(error) : 0;
    bool made = json_is_integer(version) && json_integer_value(version) > 0;
    if (!token || !*token || strlen(token) > INTENT_TOKEN_MAX || !json_is_integer(wall) ||
        !(made || (error && sentence && strlen(sentence) <= TOLD_SENTENCE_MAX && (!*error || err))))
        return "an outcome that was told has no token, time, error or sentence";
    told_add(told, token, made ? (uint64_t)json_integer_value(version) : 0, err,
             made ? NULL : sentence, json_integer_value(wall));
    return NULL;
}

/* Files of before have none. */
static const char *told_read(const json_t *root, struct intent *out)
{
    const json_t *list = json_object_get(root, "outcomes");
    size_t count = json_array_size(list);
    int64_t forgotten = 0;
    if ((list && !json_is_array(list)) || count > TOLD_MAX ||
        (list && !number(root, "outcomes_forgotten", &forgotten)))
        return "it has too many outcomes that were told, or does not say how many are forgotten";
    for (size_t i = 0; i < count; i++) {
        const char *why = one_read(json_array_get(list, i), &out->told);
        if (why)
            return why;
    }
    out->told.forgotten = (uint64_t)forgotten;
    return NULL;
}

static const char *root_read(const json_t *root, struct intent *out, int *ret_err)
{
    int64_t format, version;
    *ret_err = ERR_INVALID;
    if (!json_is_object(root)) {
        *ret_err = ERR_SYNTAX;
        return "it is not a JSON object";
    }
    if (!number(root, "format", &format))
        return "it does not say its format";
    if (format != INTENT_FILE_VERSION && format != 1) {
        *ret_err = ERR_VERSION;
        return "it is of a format that this program does not read";
    }
    if (!number(root, "version", &version))
        return "it does not say its version";
    out->version = (uint64_t)version;
    if (format == 1)
        return objects_read(json_object_get(root, "orders"), out, order_read);
    const char *why = objects_read(json_object_get(root, "objects"), out, object_read);
    why = why ? why : history_read(json_object_get(root, "history"), out);
    return why ? why : told_read(root, out);
}

int intent_decode(const char *data, size_t length, struct intent *ret, const char **ret_why)
{
    struct intent out = {0};
    int err;
    json_t *root = json_loadb(data, length, JSON_REJECT_DUPLICATES, NULL);
    const char *why = root_read(root, &out, &err);
    json_decref(root);
    if (!why) {
        *ret = out;
        return 0;
    }
    intent_done(&out);
    *ret_why = why;
    return err;
}
