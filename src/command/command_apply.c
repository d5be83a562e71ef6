/* A proposal carried out: the same on every node. Nothing here knows a configuration. */
#include "command/command_parts.h"

#include "base/err.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

/* ---- what was done, as a sentence ---- */

static const char *value_word(enum intent_kind kind, const char *value, char buffer[static 64])
{
    json_t *json = value ? json_loads(value, 0, NULL) : NULL;
    const char *state =
        json_string_value(json_object_get(json, kind == INTENT_INCIDENT ? "status" : "state"));
    if (!value)
        state = kind == INTENT_ENDPOINT ? "auto" : NULL;
    snprintf(buffer, 64, "%s", state ? state : "");
    json_decref(json);
    return buffer;
}

static void edited_append(const struct intent_edited *e, struct text *out)
{
    char now[64], was[64];
    text_appendf(out, "%s %s ", intent_kind_name(e->kind), e->name);
    value_word(e->kind, e->after, now);
    value_word(e->kind, e->before, was);
    if (!*now || (!*was && e->before))
        text_appendf(out, "was %s", !e->before ? "made" : e->after ? "changed" : "removed");
    else if (!strcmp(now, was))
        text_append(out, e->kind == INTENT_INCIDENT ? "is told anew" : "gates something else");
    else
        text_appendf(out, "is %s", now);
    if (*was && *now && strcmp(now, was))
        text_appendf(out, "; it was %s", was);
}

static void change_append(const struct intent_change *c, struct text *out)
{
    text_appendf(out, "change %llu: ", (unsigned long long)c->version);
    for (uint32_t i = 0; i < c->edit_count; i++) {
        text_append(out, i ? ", " : "");
        edited_append(&c->edits[i], out);
    }
    for (uint32_t i = 0; i < c->overridden.count; i++)
        text_appendf(out, "%s%s", i ? ", " : "; overridden: ", c->overridden.list[i]);
}

/* An order says its endpoint's name alone. */
static void order_append(const struct intent_change *c, struct text *out)
{
    char now[64], was[64];
    const struct intent_edited *e = &c->edits[0];
    text_appendf(out, "%s is %s; it was %s", e->name, value_word(e->kind, e->after, now),
                 value_word(e->kind, e->before, was));
}

/* ---- what it says ---- */

/* The edits of a request; their texts are freed with intent_edits_free. */
static bool edits_read(const json_t *list, struct intent_edit **ret, unsigned *ret_count)
{
    size_t count = json_array_size(list), i = 0;
    if (!count || count > INTENT_EDITS_MAX)
        return false;
    struct intent_edit *edits = mem_new(count, sizeof *edits);
    for (; i < count; i++) {
        const json_t *e = json_array_get(list, i), *value = json_object_get(e, "value");
        const char *name = json_string_value(json_object_get(e, "name"));
        if (!name ||
            intent_kind_parse(json_string_value(json_object_get(e, "kind")), &edits[i].kind) < 0)
            break;
        edits[i].name = mem_string(name);
        edits[i].create = json_is_true(json_object_get(e, "create"));
        if (json_is_string(json_object_get(e, "from")))
            edits[i].from = mem_string(json_string_value(json_object_get(e, "from")));
        if (value && !json_is_null(value))
            edits[i].value = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
    }
    if (i == count) {
        *ret = edits;
        *ret_count = (unsigned)count;
        return true;
    }
    intent_edits_free(edits, (unsigned)i);
    return false;
}

static bool overrides_read(const json_t *list, const char **names, unsigned *ret_count)
{
    size_t count = json_array_size(list);
    if ((list && !json_is_array(list)) || count > INTENT_OVERRIDES_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        names[i] = json_string_value(json_array_get(list, i));
        if (!names[i])
            return false;
    }
    *ret_count = (unsigned)count;
    return true;
}

/* The names are the request's. */
static bool expects_read(const json_t *list, struct intent_expected *ret, unsigned *ret_count)
{
    size_t count = json_array_size(list);
    if ((list && !json_is_array(list)) || count > INTENT_EXPECTS_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        const json_t *e = json_array_get(list, i), *change = json_object_get(e, "change");
        ret[i].name = json_string_value(json_object_get(e, "name"));
        if (!ret[i].name || !json_is_integer(change) || json_integer_value(change) < 0 ||
            intent_kind_parse(json_string_value(json_object_get(e, "kind")), &ret[i].kind) < 0)
            return false;
        ret[i].change = (uint64_t)json_integer_value(change);
    }
    *ret_count = (unsigned)count;
    return true;
}

bool command_change_is_good(const json_t *request)
{
    struct intent_edit *edits;
    struct intent_expected expects[INTENT_EXPECTS_MAX];
    const char *overrides[INTENT_OVERRIDES_MAX];
    unsigned count;
    if (!expects_read(json_object_get(request, "expects"), expects, &count) ||
        !overrides_read(json_object_get(request, "overrides"), overrides, &count) ||
        !edits_read(json_object_get(request, "edits"), &edits, &count))
        return false;
    intent_edits_free(edits, count);
    return true;
}

uint64_t command_undo_number(const json_t *request)
{
    const json_t *change = json_object_get(request, "change");
    json_int_t number = json_is_integer(change) ? json_integer_value(change) : 0;
    return number > 0 ? (uint64_t)number : 0;
}

/* Incidents are told of, not written: what was said when is not a client's to say. */
static bool incident_among(const struct intent_edit *edits, unsigned count, struct text *why)
{
    for (unsigned i = 0; i < count; i++)
        if (edits[i].kind == INTENT_INCIDENT && (edits[i].value || edits[i].from)) {
            text_appendf(why, "the incident %s wants to be opened or updated (op incident)",
                         edits[i].name);
            return true;
        }
    return false;
}

static int change_apply(const struct intent *old, const json_t *p, struct intent_request *words,
                        struct intent *ret, struct text *why)
{
    struct intent_edit *edits;
    struct intent_expected expects[INTENT_EXPECTS_MAX];
    const char *overrides[INTENT_OVERRIDES_MAX];
    unsigned count;
    if (!expects_read(json_object_get(p, "expects"), expects, &words->expect_count) ||
        !overrides_read(json_object_get(p, "overrides"), overrides, &words->override_count) ||
        !edits_read(json_object_get(p, "edits"), &edits, &count)) {
        text_appendf(why, COMMAND_CHANGE_WANTS, INTENT_EDITS_MAX);
        return ERR_INVALID;
    }
    words->edits = edits;
    words->edit_count = count;
    words->overrides = overrides;
    words->expects = expects;
    bool wrong = incident_among(edits, count, why) || command_keys_among(edits, count, why);
    int err = wrong ? ERR_INVALID : intent_apply(old, words, ret, why);
    if (!err && ret->version == old->version)
        text_append(why, "nothing was to be changed");
    intent_edits_free(edits, count);
    return err;
}

static int undo_apply(const struct intent *old, const json_t *p, struct intent_request *words,
                      struct intent *ret, struct text *why)
{
    struct intent_edit *edits;
    unsigned count;
    uint64_t number = command_undo_number(p);
    if (!number) {
        text_append(why, COMMAND_UNDO_WANTS);
        return ERR_INVALID;
    }
    /* First: nobody is told to undo a later change of keys before this one. */
    const struct intent_change *c = intent_change_find(old, number);
    for (uint32_t i = 0; c && i < c->edit_count; i++)
        if (command_keys_own(c->edits[i].kind, why))
            return ERR_CONFLICT;
    int err = intent_undo(old, number, &edits, &count, why);
    if (err)
        return err;
    words->edits = edits;
    words->edit_count = count;
    err = intent_apply(old, words, ret, why);
    intent_edits_free(edits, count);
    return err;
}

static int order_apply(const struct intent *old, const json_t *p, struct intent_request *words,
                       struct intent *ret, struct text *why)
{
    const char *name = json_string_value(json_object_get(p, "endpoint"));
    const char *state_name = json_string_value(json_object_get(p, "state"));
    const char *slash = name ? strrchr(name, '/') : NULL;
    enum admin_state state;
    if (!slash || strlen(name) >= INTENT_NAME_MAX || !state_name ||
        admin_state_parse(state_name, &state) < 0) {
        text_append(why, "an order wants the full name of an endpoint and its state");
        return ERR_INVALID;
    }
    char *service = mem_string(name);
    service[slash - name] = 0;
    int err = intent_order(old, words, service, slash + 1, state, ret, why);
    if (!err && ret->version == old->version)
        text_appendf(why, "%s is %s; %s", name, state_name,
                     state == ADMIN_AUTO ? "nothing had been ordered about it" : "it was before");
    free(service);
    return err;
}

/* ---- all of it ---- */

static void done_append(const struct intent_change *c, bool order, struct text *out)
{
    if (order)
        order_append(c, out);
    else
        change_append(c, out);
}

/* What was told the first time; of a change that the history has lost, at least that it was made.
 */
static void told_append(const struct intent *i, const struct told_one *told, bool order,
                        struct text *out)
{
    const struct intent_change *newest = i->history_count ? i->history[i->history_count - 1] : NULL;
    uint64_t back = newest ? newest->version - told->version : 0;
    if (!told->version)
        text_append(out, told->sentence);
    else if (newest && back < i->history_count)
        done_append(i->history[i->history_count - 1 - back], order, out);
    else
        text_appendf(out, "change %llu: it was made before", (unsigned long long)told->version);
}

static int proposal_apply(const struct intent *old, const json_t *p, int64_t wall_ms,
                          struct intent *ret, struct text *sentence)
{
    const char *op = json_string_value(json_object_get(p, "op"));
    struct intent_request words = {
        .author = json_string_value(json_object_get(p, "author")),
        .reason = json_string_value(json_object_get(p, "reason")),
        .token = json_string_value(json_object_get(p, "token")),
        .wall_ms = wall_ms,
    };
    if (op && !strcmp(op, "look")) { /* changes nothing; whoever asked has all that came before */
        *ret = intent_share(old);
        text_append(sentence, "this is what was decided");
        return 0;
    }
    bool order = op && !strcmp(op, "order"), undo = op && !strcmp(op, "undo");
    bool user = op && !strcmp(op, "user"), switches = op && !strcmp(op, "switch");
    bool incident = op && !strcmp(op, "incident"), keys = op && !strcmp(op, "keys");
    const struct told_one *told = told_find(&old->told, words.token);
    int err = 0;
    if (told) {
        told_append(old, told, order, sentence);
        if (!told->err)
            *ret = intent_share(old);
        return told->err;
    }
    if (order)
        err = order_apply(old, p, &words, ret, sentence);
    else if (undo)
        err = undo_apply(old, p, &words, ret, sentence);
    else if (switches)
        err = command_switch_apply(old, p, &words, ret, sentence);
    else if (incident)
        err = command_incident_apply(old, p, &words, ret, sentence);
    else if (keys)
        err = command_keys_apply(old, p, &words, ret, sentence);
    else if (user)
        err = command_user_apply(old, p, &words, ret, sentence);
    else
        err = change_apply(old, p, &words, ret, sentence);
    if (!err && ret->version != old->version)
        done_append(ret->history[ret->history_count - 1], order, sentence);
    return err;
}

int command_apply(const struct intent *old, const char *proposal, size_t length, int64_t wall_ms,
                  struct intent *ret, struct text *sentence)
{
    json_t *p = json_loadb(proposal, length, JSON_REJECT_DUPLICATES, NULL);
    int err = ERR_SYNTAX;
    if (json_is_object(p))
        err = proposal_apply(old, p, wall_ms, ret, sentence);
    else
        text_append(sentence, "the proposal is not a JSON object");
    json_decref(p);
    return err;
}

void command_tell(struct intent *intent, uint64_t version_before, const char *proposal,
                  size_t length, int64_t wall_ms, int err, const char *sentence)
{
    json_t *p = json_loadb(proposal, length, JSON_REJECT_DUPLICATES, NULL);
    const char *op = json_string_value(json_object_get(p, "op"));
    const char *token = json_string_value(json_object_get(p, "token"));
    bool fits = token && *token && strlen(token) <= INTENT_TOKEN_MAX && op && strcmp(op, "look");
    if (fits && err <= 0 && intent->version == version_before && !told_find(&intent->told, token))
        intent_tell(intent, token, err_of_name(err_name(err)), sentence, wall_ms);
    json_decref(p);
}
