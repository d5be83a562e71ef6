/* Transactions on the intent: controls, rules, shifts and what else it holds. */
#include "command/command_parts.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

enum { SENTENCE_MAX = 16384 };

/* ---- what was done, as a sentence ---- */

static const char *value_word(enum intent_kind kind, const char *value, char buffer[static 64])
{
    json_t *json = value ? json_loads(value, 0, NULL) : NULL;
    const char *state = json_string_value(json_object_get(json, "state"));
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
        text_append(out, "gates something else");
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

/* ---- the guard ---- */

static bool has_open_endpoint(const struct intent *i, const struct config_service *s,
                              int64_t wall_ms)
{
    for (uint32_t k = 0; k < s->endpoint_count; k++) {
        enum admin_state state = intent_standing(i, s, &s->endpoints[k], wall_ms).state;
        if (state == ADMIN_AUTO || state == ADMIN_FORCED_UP)
            return true;
    }
    return false;
}

/* L3: a service that would have nothing but drained and disabled endpoints from now on. */
static const struct config_service *closed_by(const struct intent *old, const struct intent *next,
                                              int64_t wall_ms)
{
    const struct config *c = old->config;
    for (uint32_t i = 0; i < c->service_count; i++)
        if (has_open_endpoint(old, &c->services[i], wall_ms) &&
            !has_open_endpoint(next, &c->services[i], wall_ms))
            return &c->services[i];
    return NULL;
}

/* ---- operations ---- */

static void change_run(const struct command_input *input, const struct intent_request *request,
                       bool force, struct command_result *ret)
{
    struct text sentence = text_init(SENTENCE_MAX);
    struct intent next;
    int err = intent_apply(input->intent, request, &next, &sentence);
    if (err) {
        command_say(ret, err, "%s", text_string(&sentence));
        text_done(&sentence);
        return;
    }
    const struct config_service *closed =
        force ? NULL : closed_by(input->intent, &next, request->wall_ms);
    if (closed) {
        command_say(ret, ERR_REFUSED,
                    "%s would have no endpoint left that is neither drained nor disabled; leave "
                    "one, or say --force",
                    closed->name);
    } else if (next.version == input->intent->version) {
        command_say(ret, 0, "nothing was to be changed");
    } else {
        change_append(next.history[next.history_count - 1], &sentence);
        command_say(ret, 0, "%s", text_string(&sentence));
        ret->effect = COMMAND_ORDER;
        ret->next = next;
        next = (struct intent){0};
    }
    intent_done(&next);
    text_done(&sentence);
}

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
    if ((list && !json_is_array(list)) || count > INTENT_EDITS_MAX)
        return false;
    for (size_t i = 0; i < count; i++) {
        names[i] = json_string_value(json_array_get(list, i));
        if (!names[i])
            return false;
    }
    *ret_count = (unsigned)count;
    return true;
}

/* Author, reason, token and time; false where one of them is no text that fits. */
static bool words_read(const struct command_input *input, const json_t *request,
                       struct intent_request *ret)
{
    bool good = true;
    *ret = (struct intent_request){
        .author = input->author,
        .reason = command_text(request, "reason", INTENT_TEXT_MAX, &good),
        .token = command_text(request, "token", INTENT_TOKEN_MAX, &good),
        .wall_ms = input->wall_ms,
    };
    return good;
}

void command_change(const struct command_input *input, const json_t *request,
                    struct command_result *ret)
{
    struct intent_request r;
    struct intent_edit *edits;
    const char *overrides[INTENT_EDITS_MAX];
    unsigned count;
    if (!words_read(input, request, &r) ||
        !overrides_read(json_object_get(request, "overrides"), overrides, &r.override_count) ||
        !edits_read(json_object_get(request, "edits"), &edits, &count)) {
        command_say(ret, ERR_INVALID,
                    "a change wants \"edits\", 1 to %d of {\"kind\", \"name\", \"value\"}, and may "
                    "have a \"reason\", a \"token\" and \"overrides\", names of rules",
                    INTENT_EDITS_MAX);
        return;
    }
    r.edits = edits;
    r.edit_count = count;
    r.overrides = overrides;
    change_run(input, &r, json_is_true(json_object_get(request, "force")), ret);
    intent_edits_free(edits, count);
}

void command_undo(const struct command_input *input, const json_t *request,
                  struct command_result *ret)
{
    const json_t *change = json_object_get(request, "change");
    struct text why = text_init(SENTENCE_MAX);
    struct intent_request r;
    struct intent_edit *edits;
    unsigned count;
    if (!words_read(input, request, &r) || !json_is_integer(change) ||
        json_integer_value(change) <= 0) {
        command_say(ret, ERR_INVALID, "undo wants \"change\", the number of one");
        return;
    }
    int err =
        intent_undo(input->intent, (uint64_t)json_integer_value(change), &edits, &count, &why);
    if (err) {
        command_say(ret, err, "%s", text_string(&why));
    } else {
        r.edits = edits;
        r.edit_count = count;
        change_run(input, &r, json_is_true(json_object_get(request, "force")), ret);
        intent_edits_free(edits, count);
    }
    text_done(&why);
}

void command_intent(const struct command_input *input, const json_t *request,
                    struct command_result *ret)
{
    char *text = intent_encode(input->intent);
    json_t *out = json_pack("{s:b,s:s,s:o}", "ok", 1, "message", "what operators want", "intent",
                            json_loads(text, 0, NULL));
    (void)request;
    free(text);
    ret->reply = out ? json_dumps(out, JSON_COMPACT) : NULL;
    json_decref(out);
    if (!ret->reply || strlen(ret->reply) > COMMAND_REPLY_MAX) {
        free(ret->reply);
        ret->reply = NULL;
        command_say(ret, ERR_LIMIT,
                    "there is too much for one reply; see intent.json in the data folder");
    }
}
