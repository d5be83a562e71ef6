#include "command/command_parts.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "base/text.h"
#include "model/zone_held_file.h"
#include "wire/dname.h"
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

enum { NAMES_SHOWN = 8 };

char *command_reply_make(int err, const char *message)
{
    struct text out = text_init(COMMAND_REPLY_MAX);
    text_appendf(&out, "{\"ok\":%s", err ? "false" : "true");
    if (err)
        text_appendf(&out, ",\"error\":\"%s\"", err_name(err));
    text_append(&out, ",\"message\":");
    text_append_json(&out, message, strlen(message));
    text_append(&out, "}");
    if (!out.failed)
        return out.data;
    text_done(&out);
    return command_reply_make(err, "the reply is too long to be sent");
}

void command_say(struct command_result *ret, int err, const char *format, ...)
{
    struct text message = text_init(COMMAND_REQUEST_MAX);
    va_list args;
    va_start(args, format);
    text_vappendf(&message, format, args);
    va_end(args);
    free(ret->reply);
    free(ret->message);
    ret->err = err;
    ret->message = mem_string(text_string(&message));
    ret->reply = command_reply_make(err, ret->message);
    text_done(&message);
}

void command_result_done(struct command_result *result)
{
    intent_done(&result->shares);
    free(result->reply);
    free(result->message);
    free(result->proposal);
    for (unsigned i = 0; i < result->accept_shrink_count; i++)
        free(result->accept_shrink[i]);
    for (unsigned i = 0; i < result->zone_count; i++)
        free(result->zones[i]);
    free(result->accept_shrink);
    free(result->zone);
    free(result->zones);
    *result = (struct command_result){0};
}

/* ---- order ---- */

static const char *endpoint_part(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

static void missing_reply(const struct config *c, const char *name, struct command_result *ret)
{
    struct text like = text_init(2048);
    const char *wrong = endpoint_part(name);
    unsigned best = strlen(wrong) < 4 ? 1 : 2;
    unsigned shown = 0;
    for (uint32_t i = 0; i < c->service_count && shown < NAMES_SHOWN; i++) {
        const struct config_service *s = &c->services[i];
        for (uint32_t k = 0; k < s->endpoint_count && shown < NAMES_SHOWN; k++)
            if (text_distance(wrong, s->endpoints[k].name) <= best)
                text_appendf(&like, "%s%s/%s", shown++ ? ", " : "", s->name, s->endpoints[k].name);
    }
    if (shown)
        command_say(ret, ERR_MISSING, "there is no endpoint \"%s\"; did you mean %s?", name,
                    text_string(&like));
    else
        command_say(
            ret, ERR_MISSING,
            "there is no endpoint \"%s\"; name one as SERVICE/ENDPOINT, `holdfast status` lists "
            "them",
            name);
    text_done(&like);
}

static void ambiguous_reply(const struct config *c, const char *name, struct command_result *ret)
{
    struct text names = text_init(8192);
    unsigned shown = 0, found = 0;
    for (uint32_t i = 0; i < c->service_count; i++) {
        const struct config_service *s = &c->services[i];
        for (uint32_t k = 0; k < s->endpoint_count; k++) {
            if (strcmp(s->endpoints[k].name, name) || found++ >= NAMES_SHOWN)
                continue;
            text_appendf(&names, "%s%s/%s", shown++ ? ", " : "", s->name, name);
        }
    }
    if (found > shown)
        text_appendf(&names, " and %u more", found - shown);
    command_say(ret, ERR_AMBIGUOUS, "%u services have an endpoint \"%s\"; name one of %s", found,
                name, text_string(&names));
    text_done(&names);
}

/* Would the service have no endpoint left that may ever be answered? (L3: an order may do that, but
 * only knowingly.) */
static bool is_last(const struct intent *intent, const struct config_service *s, uint32_t endpoint)
{
    for (uint32_t i = 0; i < s->endpoint_count; i++)
        if (i != endpoint && intent_admin(intent, s->name, s->endpoints[i].name) != ADMIN_DISABLED)
            return false;
    return true;
}

const char *command_text(const json_t *request, const char *key, size_t max, bool *ret_good)
{
    const json_t *value = json_object_get(request, key);
    const char *text = json_string_value(value);
    if (!value || json_is_null(value))
        return NULL;
    if (text && *text && strlen(text) <= max)
        return text;
    *ret_good = false;
    return NULL;
}

static void op_order(const struct command_input *input, const json_t *request,
                     struct command_result *ret)
{
    const struct config *c = input->intent->config;
    const json_t *force = json_object_get(request, "force");
    uint32_t service, endpoint;
    enum admin_state state;
    bool good = !force || json_is_boolean(force);
    const char *name = command_text(request, "endpoint", 1023 + CONFIG_NAME_MAX, &good);
    const char *state_name = command_text(request, "state", 32, &good);
    command_text(request, "reason", INTENT_TEXT_MAX, &good);
    command_text(request, "token", INTENT_TOKEN_MAX, &good);
    if (!good || !name || !state_name) {
        command_say(ret, ERR_INVALID,
                    "an order wants texts \"endpoint\" and \"state\", and may have a text "
                    "\"reason\" of at most %d bytes and \"force\": true",
                    INTENT_TEXT_MAX);
        return;
    }
    if (admin_state_parse(state_name, &state) < 0) {
        command_say(ret, ERR_INVALID,
                    "\"%s\" is no state; it is auto, drained, disabled or forced-up", state_name);
        return;
    }
    int err = intent_endpoint_find(c, name, &service, &endpoint);
    if (err == ERR_AMBIGUOUS)
        ambiguous_reply(c, name, ret);
    else if (err)
        missing_reply(c, name, ret);
    if (err)
        return;
    const struct config_service *s = &c->services[service];
    if (state == ADMIN_DISABLED && !json_is_true(force) && is_last(input->intent, s, endpoint)) {
        command_say(
            ret, ERR_REFUSED,
            "%s/%s is the last endpoint of its service that is not disabled: without it there is "
            "nothing to answer; drain it instead, or say --force",
            s->name, s->endpoints[endpoint].name);
        return;
    }
    char full[INTENT_NAME_MAX];
    intent_endpoint_name(s->name, s->endpoints[endpoint].name, full);
    command_propose(input, request, full, ret);
}

/* ---- the other operations ---- */

/* A list of zones' names; false where it is none, and a reply was made. */
static bool zones_take(const json_t *request, const char *key, char ***ret, unsigned *ret_count,
                       struct command_result *result)
{
    const json_t *list = json_object_get(request, key);
    size_t count = json_array_size(list);
    if ((list && !json_is_array(list)) || count > COMMAND_SHRINKS_MAX) {
        command_say(result, ERR_INVALID, "\"%s\" wants a list of at most %d zones", key,
                    COMMAND_SHRINKS_MAX);
        return false;
    }
    *ret = mem_new(count + 1, sizeof **ret);
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        uint8_t wire[DNAME_MAX];
        char text[DNAME_TEXT_MAX];
        if (!name || dname_parse(name, strlen(name), NULL, wire) < 0) {
            command_say(result, ERR_INVALID, "\"%s\" holds %s%s%s, which is not the name of a zone",
                        key, name ? "\"" : "", name ? name : "something", name ? "\"" : "");
            return false;
        }
        (*ret)[(*ret_count)++] = mem_string(dname_format(wire, text));
    }
    return true;
}

static void op_reload(const struct command_input *input, const json_t *request,
                      struct command_result *ret)
{
    (void)input;
    if (!zones_take(request, "accept_shrink", &ret->accept_shrink, &ret->accept_shrink_count,
                    ret) ||
        !zones_take(request, "zones", &ret->zones, &ret->zone_count, ret))
        return;
    ret->fresh = json_is_true(json_object_get(request, "fresh"));
    ret->effect = COMMAND_RELOAD;
}

/* The index of a word, or -1. */
static int word_find(const char *word, const char *const *words, size_t count)
{
    for (size_t i = 0; word && i < count; i++)
        if (!strcmp(word, words[i]))
            return (int)i;
    return -1;
}

/* The zone that the request names, as the configuration has it; NULL, and a reply was made. */
static char *zone_take(const struct command_input *input, const char *zone,
                       struct command_result *ret)
{
    uint8_t wire[DNAME_MAX];
    char text[DNAME_TEXT_MAX];
    if (!zone || dname_parse(zone, strlen(zone), NULL, wire) < 0) {
        command_say(ret, ERR_INVALID, "\"zone\" wants the name of a zone");
        return NULL;
    }
    dname_format(wire, text);
    if (config_zone_find(input->intent->config, text) == CONFIG_NONE) {
        command_say(ret, ERR_MISSING, "the configuration has no zone %s", text);
        return NULL;
    }
    return mem_string(text);
}

static void op_zones(const struct command_input *input, const json_t *request,
                     struct command_result *ret)
{
    const json_t *zone = json_object_get(request, "zone");
    if (zone)
        ret->zone = zone_take(input, json_string_value(zone), ret);
    if (!zone || ret->zone)
        ret->effect = COMMAND_ZONES;
}

static void op_import(const struct command_input *input, const json_t *request,
                      struct command_result *ret)
{
    if (json_integer_value(json_object_get(request, "format")) != HELD_VERSION) {
        command_say(ret, ERR_VERSION,
                    "the node reads records of \"format\" %d; it is of another version than this "
                    "command",
                    HELD_VERSION);
        return;
    }
    ret->zone = zone_take(input, json_string_value(json_object_get(request, "zone")), ret);
    if (!ret->zone)
        return;
    ret->may_shrink = json_is_true(json_object_get(request, "accept_shrink"));
    ret->dry_run = json_is_true(json_object_get(request, "dry_run"));
    ret->effect = COMMAND_IMPORT;
}

static void op_dnssec(const struct command_input *input, const json_t *request,
                      struct command_result *ret)
{
    static const char *const orders[] = {[DNSSEC_STATUS] = "status",
                                         [DNSSEC_ROLL] = "roll",
                                         [DNSSEC_DS_SEEN] = "ds-seen",
                                         [DNSSEC_DS_GONE] = "ds-gone",
                                         [DNSSEC_UNSIGN] = "unsign"};
    const char *zone = json_string_value(json_object_get(request, "zone"));
    const char *key = json_string_value(json_object_get(request, "key"));
    int order =
        word_find(json_string_value(json_object_get(request, "do")), orders, array_length(orders));
    enum key_use use = KEY_CSK;
    if (order < 0 || (key && !key_use_parse(key, &use))) {
        command_say(
            ret, ERR_INVALID,
            "\"do\" wants status, roll, ds-seen, ds-gone or unsign, and \"key\" csk, ksk or zsk");
        return;
    }
    ret->zone = zone_take(input, zone, ret);
    if (!ret->zone)
        return;
    ret->dnssec = (enum dnssec_order)order;
    ret->key = use;
    ret->effect = COMMAND_DNSSEC;
}

static void op_ping(const struct command_input *input, const json_t *request,
                    struct command_result *ret)
{
    (void)request;
    struct text out = text_init(COMMAND_REQUEST_MAX);
    const struct config *c = input->intent->config;
    text_appendf(&out,
                 "{\"ok\":true,\"message\":\"holdfast %s is here\",\"version\":\"%s\",\"node\":",
                 HOLDFAST_VERSION, HOLDFAST_VERSION);
    text_append_json(&out, c->node_name, strlen(c->node_name));
    text_append(&out, "}");
    invariant(!out.failed);
    ret->reply = out.data;
}

static const struct {
    const char *name;
    void (*run)(const struct command_input *, const json_t *, struct command_result *);
    bool changes;
} operations[] = {
    {"ping", op_ping, false},         {"version", op_ping, false},
    {"order", op_order, true},        {"change", command_change, true},
    {"undo", command_undo, true},     {"intent", command_intent, false},
    {"reload", op_reload, false},     {"zones", op_zones, false},
    {"dnssec", op_dnssec, false},     {"user", command_user, true},
    {"import", op_import, false},     {"node", command_node, false},
    {"switch", command_switch, true}, {"incident", command_incident, true},
};

bool command_is_change(const char *line, size_t length)
{
    json_t *request = length <= COMMAND_REQUEST_MAX
                          ? json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL)
                          : NULL;
    const char *op = json_string_value(json_object_get(request, "op"));
    bool changes = false;
    for (size_t i = 0; op && i < array_length(operations); i++)
        changes |= operations[i].changes && !strcmp(op, operations[i].name);
    json_decref(request);
    return changes;
}

static void request_run(const struct command_input *input, const json_t *request,
                        struct command_result *ret)
{
    const char *op = json_string_value(json_object_get(request, "op"));
    for (size_t i = 0; op && i < array_length(operations); i++) {
        if (strcmp(op, operations[i].name))
            continue;
        operations[i].run(input, request, ret);
        return;
    }
    command_say(ret, ERR_INVALID,
                "%s%.40s%s; it is ping, version, order, change, undo, intent, reload, zones, "
                "import, node or dnssec",
                op ? "there is no operation \"" : "the request has no \"op\"", op ? op : "",
                op ? "\"" : "");
}

void command_run(const struct command_input *input, struct command_result *ret)
{
    json_error_t error;
    *ret = (struct command_result){0};
    if (input->length > COMMAND_REQUEST_MAX) {
        command_say(ret, ERR_LIMIT, "the request is longer than %d bytes", COMMAND_REQUEST_MAX);
        return;
    }
    json_t *request = json_loadb(input->line, input->length, JSON_REJECT_DUPLICATES, &error);
    if (json_is_object(request))
        request_run(input, request, ret);
    else
        command_say(ret, ERR_SYNTAX, "the request is not a JSON object%s%s", request ? "" : ": ",
                    request ? "" : error.text);
    json_decref(request);
    invariant((ret->effect == COMMAND_NOTHING) == (ret->reply != NULL));
    invariant((ret->effect == COMMAND_INTENT) == (ret->proposal != NULL));
}
