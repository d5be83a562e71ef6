/* Transactions on the intent: controls, rules, shifts and what else it holds. */
#include "command/command_parts.h"

#include "base/err.h"
#include "model/user.h"
#include <stdlib.h>
#include <string.h>

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

static bool is_order(const json_t *request)
{
    return !strcmp(json_string_value(json_object_get(request, "op")), "order");
}

/* The proposal as a text, or NULL where it is too long. */
static char *proposal_make(const struct command_input *input, const json_t *request,
                           const char *endpoint)
{
    json_t *p = json_copy((json_t *)request);
    json_object_del(p, "force");
    json_object_del(p, "alone");
    json_object_set_new(p, "author", json_string(input->author));
    if (endpoint)
        json_object_set_new(p, "endpoint", json_string(endpoint));
    if (input->token && !json_object_get(p, "token"))
        json_object_set_new(p, "token", json_string(input->token));
    char *text = json_dumps(p, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(p);
    if (text && strlen(text) <= COMMAND_PROPOSAL_MAX)
        return text;
    free(text);
    return NULL;
}

/* Why not without --force: a sentence in `why`, or nothing. */
static void guard(const struct intent *old, const struct intent *next, int64_t wall_ms,
                  struct text *why)
{
    const struct config_service *closed = closed_by(old, next, wall_ms);
    if (closed)
        text_appendf(why,
                     "%s would have no endpoint left that is neither drained nor disabled; "
                     "leave one, or say --force",
                     closed->name);
    else if (intent_shares_shrink(old, next, why))
        text_append(why, "; if that is meant, say --force");
}

/* Looks at what the proposal would do here; false, and said why, where that wants --force. */
static bool proposal_try(const struct command_input *input, const json_t *request,
                         const char *proposal, struct command_result *ret)
{
    struct text sentence = text_init(COMMAND_SENTENCE_MAX), why = text_init(COMMAND_SENTENCE_MAX);
    struct intent next = {0};
    /* What is refused here may be right for those who decide, and the other way round. */
    int err =
        command_apply(input->intent, proposal, strlen(proposal), input->wall_ms, &next, &sentence);
    /* an order has a guard of its own */
    if (!err && !json_is_true(json_object_get(request, "force")) && !is_order(request))
        guard(input->intent, &next, input->wall_ms, &why);
    bool good = !why.length;
    if (!good) {
        command_say(ret, ERR_REFUSED, "%s", text_string(&why));
    } else if (!err && !intent_shares_alike(input->intent, &next)) {
        ret->shares = next;
        next = (struct intent){0};
    }
    intent_done(&next);
    text_done(&sentence);
    text_done(&why);
    return good;
}

void command_propose(const struct command_input *input, const json_t *request, const char *endpoint,
                     struct command_result *ret)
{
    char *proposal = proposal_make(input, request, endpoint);
    if (!proposal) {
        command_say(ret, ERR_LIMIT, "the request is longer than %d bytes", COMMAND_PROPOSAL_MAX);
    } else if (proposal_try(input, request, proposal, ret)) {
        ret->effect = COMMAND_INTENT;
        ret->alone = json_is_true(json_object_get(request, "alone"));
        ret->proposal = proposal;
        proposal = NULL;
    }
    free(proposal);
}

/* May have a reason and a token; false where one of them is no text that fits. */
static bool words_are_good(const json_t *request)
{
    bool good = true;
    command_text(request, "reason", INTENT_TEXT_MAX, &good);
    command_text(request, "token", INTENT_TOKEN_MAX, &good);
    return good;
}

void command_change(const struct command_input *input, const json_t *request,
                    struct command_result *ret)
{
    if (words_are_good(request) && command_change_is_good(request))
        command_propose(input, request, NULL, ret);
    else
        command_say(ret, ERR_INVALID, COMMAND_CHANGE_WANTS, INTENT_EDITS_MAX);
}

void command_switch(const struct command_input *input, const json_t *request,
                    struct command_result *ret)
{
    if (words_are_good(request) && command_switch_is_good(request))
        command_propose(input, request, NULL, ret);
    else
        command_say(ret, ERR_INVALID, COMMAND_SWITCH_WANTS);
}

void command_user(const struct command_input *input, const json_t *request,
                  struct command_result *ret)
{
    if (words_are_good(request) && command_user_is_good(request))
        command_propose(input, request, NULL, ret);
    else
        command_say(ret, ERR_INVALID, COMMAND_USER_WANTS);
}

void command_undo(const struct command_input *input, const json_t *request,
                  struct command_result *ret)
{
    if (words_are_good(request) && command_undo_number(request))
        command_propose(input, request, NULL, ret);
    else
        command_say(ret, ERR_INVALID, COMMAND_UNDO_WANTS);
}

static void value_hide(json_t *value)
{
    user_value_hide(value);
    command_keys_hide(value);
}

/* Who looks sees no secrets. */
static void secrets_hide(json_t *intent)
{
    json_t *one, *edit;
    size_t i, k;
    json_array_foreach(json_object_get(intent, "objects"), i, one)
        value_hide(json_object_get(one, "value"));
    json_array_foreach(json_object_get(intent, "history"), i, one)
        json_array_foreach(json_object_get(one, "edits"), k, edit)
    {
        value_hide(json_object_get(edit, "before"));
        value_hide(json_object_get(edit, "after"));
    }
}

void command_intent(const struct command_input *input, const json_t *request,
                    struct command_result *ret)
{
    if (json_is_true(json_object_get(request, "agreed")) && !input->agreed) {
        ret->effect = COMMAND_AGREE;
        return;
    }
    char *text = intent_encode(input->intent);
    json_t *intent = json_loads(text, 0, NULL);
    secrets_hide(intent);
    json_object_del(intent, "outcomes_forgotten");
    json_object_del(intent, "outcomes"); /* for those who ask again, not for people */
    json_t *out =
        json_pack("{s:b,s:s,s:o}", "ok", 1, "message", "what operators want", "intent", intent);
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
