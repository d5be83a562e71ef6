#include "command/arc_parts.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/invariant.h"
#include "base/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_MAX = 4096 };

/* ---- replies ---- */

static void head_set(struct arc_result *r, enum arc_service service, unsigned status,
                     const char *error)
{
    r->status = status;
    r->content_type =
        service == ARC_DATA ? "application/x-amz-json-1.0" : "application/json; charset=utf-8";
    int n = snprintf(r->extra, sizeof r->extra, "x-amzn-RequestId: %s\r\n", r->request_id);
    if (error)
        snprintf(r->extra + n, sizeof r->extra - (size_t)n, "x-amzn-ErrorType: %sException\r\n",
                 error);
}

static void body_set(struct arc_result *r, json_t *body)
{
    free(r->body);
    r->body = json_dumps(body, JSON_COMPACT);
    invariant(r->body);
    json_decref(body);
}

void arc_reply(struct arc_call *c, json_t *body)
{
    if (c->answered) {
        json_decref(body);
        return;
    }
    c->answered = true;
    head_set(c->out, c->service, 200, NULL);
    body_set(c->out, body);
}

/* The status that goes with an error: JSON 1.0 knows two, REST those of the service's model. */
static unsigned status_of(enum arc_service service, const char *error)
{
    static const struct {
        const char *error;
        unsigned status;
    } list[] = {
        {"InternalServer", 500},
        {"AccessDenied", 403},
        {"ResourceNotFound", 404},
        {"Conflict", 409},
        {"Throttling", 429},
        {"ServiceQuotaExceeded", 402},
        {"UnrecognizedClient", 403},
        {"InvalidSignature", 403},
        {"MissingAuthenticationToken", 403},
        {"EndpointTemporarilyUnavailable", 503},
    };
    for (size_t i = 0; i < array_length(list); i++)
        if (!strcmp(list[i].error, error))
            return service == ARC_DATA && list[i].status != 500 ? 400 : list[i].status;
    return 400;
}

static bool is_of_front(const char *error)
{
    return !strcmp(error, "UnrecognizedClient") || !strcmp(error, "InvalidSignature") ||
           !strcmp(error, "MissingAuthenticationToken") || !strcmp(error, "IncompleteSignature") ||
           !strcmp(error, "UnknownOperation") || !strcmp(error, "Serialization");
}

static enum arc_outcome outcome_of(const char *error)
{
    if (!strcmp(error, "AccessDenied"))
        return ARC_DENIED;
    if (!strcmp(error, "Throttling"))
        return ARC_THROTTLED;
    if (!strcmp(error, "InternalServer") || !strcmp(error, "EndpointTemporarilyUnavailable"))
        return ARC_FAILED;
    return is_of_front(error) && strcmp(error, "UnknownOperation") && strcmp(error, "Serialization")
               ? ARC_UNSIGNED
               : ARC_REFUSED;
}

/* {"__type": ..., "message": ...} with what the error has besides; steals `more`. */
static void error_set(struct arc_result *r, enum arc_service service, const char *error,
                      const char *message, json_t *more)
{
    json_t *body = more ? more : json_object(), *text = json_string(message);
    char type[96];
    head_set(r, service, status_of(service, error), error);
    r->outcome = outcome_of(error);
    if (service == ARC_DATA) {
        snprintf(type, sizeof type, "%s#%sException",
                 is_of_front(error) ? "com.amazon.coral.service"
                                    : "com.amazonaws.route53recoverycluster",
                 error);
        json_object_set_new(body, "__type", json_string(type));
    }
    json_object_set_new(body, "message", text ? text : json_string("not UTF-8"));
    body_set(r, body);
}

/* Steals `more`; takes the message's memory over. */
static void fail(struct arc_call *c, const char *error, json_t *more, struct text *message)
{
    if (!c->answered)
        error_set(c->out, c->service, error, text_string(message), more);
    else
        json_decref(more);
    c->answered = true;
    text_done(message);
}

#define MESSAGE_MAKE(name, format)             \
    struct text name = text_init(MESSAGE_MAX); \
    va_list args;                              \
    va_start(args, format);                    \
    text_vappendf(&name, format, args);        \
    va_end(args)

void arc_fail(struct arc_call *c, const char *error, const char *format, ...)
{
    MESSAGE_MAKE(message, format);
    fail(c, error, NULL, &message);
}

void arc_invalid(struct arc_call *c, const char *field, const char *format, ...)
{
    MESSAGE_MAKE(message, format);
    json_t *more = c->service == ARC_DATA
                       ? json_pack("{s:s,s:[{s:s,s:s}]}", "reason", "fieldValidationFailed",
                                   "fields", "name", field, "message", text_string(&message))
                       : NULL;
    fail(c, "Validation", more, &message);
}

static json_t *limit_json(enum arc_service service)
{
    return service == ARC_DATA ? json_pack("{s:s,s:s}", "limitCode", "ROUTING_CONTROLS_PER_UPDATE",
                                           "serviceCode", "route53-recovery-cluster")
                               : NULL;
}

static const char *limit_error(enum arc_service service)
{
    return service == ARC_DATA ? "ServiceLimitExceeded" : "ServiceQuotaExceeded";
}

void arc_limit(struct arc_call *c, const char *format, ...)
{
    MESSAGE_MAKE(message, format);
    fail(c, limit_error(c->service), limit_json(c->service), &message);
}

/* "AWS::Route53RecoveryControl::RoutingControl", as CloudFormation calls them. */
static json_t *resource_json(const char *type, const char *arn)
{
    static const struct {
        const char *type, *name;
    } types[] = {{"cluster", "Cluster"},
                 {"controlpanel", "ControlPanel"},
                 {"routingcontrol", "RoutingControl"},
                 {"safetyrule", "SafetyRule"}};
    const char *name = "Resource";
    char full[64];
    for (size_t i = 0; i < array_length(types); i++)
        if (type && !strcmp(types[i].type, type))
            name = types[i].name;
    snprintf(full, sizeof full, "AWS::Route53RecoveryControl::%s", name);
    return json_pack("{s:s,s:s}", "resourceId", arn, "resourceType", full);
}

void arc_missing(struct arc_call *c, const char *type, const char *arn)
{
    char message[ARC_ARN_MAX + 64];
    if (c->answered)
        return;
    c->answered = true;
    snprintf(message, sizeof message, "There is no %s %s.", type, arn);
    error_set(c->out, c->service, "ResourceNotFound", message,
              c->service == ARC_DATA ? resource_json(type, arn) : NULL);
}

/* ---- changes ---- */

/* A second has ARC_MUTATIONS_PER_S changes: one costs a third of it. Each API has its own: however
 * busily somebody configures, controls can be switched. */
static bool meter_takes(struct arc_call *c)
{
    static const int bursts[] = {[ARC_DATA] = ARC_MUTATIONS_PER_S, [ARC_CONFIG] = ARC_CONFIG_BURST};
    struct arc_meter *m = &c->in->meters[c->service];
    const usec_t cost = USEC_PER_SEC / ARC_MUTATIONS_PER_S, most = bursts[c->service] * cost;
    usec_t passed = m->seen ? c->in->now - m->seen : most;
    m->seen = c->in->now;
    m->credit = passed >= most - m->credit ? most : m->credit + passed;
    if (m->credit >= cost) {
        m->credit -= cost;
        return true;
    }
    arc_fail(c, "Throttling", "Rate exceeded: at most %d changes a second on one endpoint.",
             ARC_MUTATIONS_PER_S);
    return false;
}

void arc_submit(struct arc_call *c, json_t *change, const char *name)
{
    struct arc_result *r = c->out;
    char reason[INTENT_TEXT_MAX];
    if (c->answered || !meter_takes(c)) {
        json_decref(change);
        return;
    }
    snprintf(reason, sizeof reason, "%s, key %s", c->operation->name, c->key->id);
    json_object_set_new(change, "reason", json_string(reason));
    /* ARC knows no other guard than safety rules; what is off answers where nothing else may (L3).
     */
    json_object_set_new(change, "force", json_true());
    r->change = json_dumps(change, JSON_COMPACT);
    r->name = mem_string(name);
    r->operation = c->operation;
    snprintf(r->author, sizeof r->author, "user %s", c->user->name);
    json_decref(change);
    c->answered = true;
}

json_t *arc_edit(const char *kind, const char *name, json_t *value)
{
    return json_pack("{s:s,s:s,s:o}", "kind", kind, "name", name, "value",
                     value ? value : json_null());
}

/* Another user's or another operation's ClientToken is another token. */
static void token_set(struct arc_call *c, json_t *change)
{
    const char *token = arc_text(c, c->members, "ClientToken", 64, false);
    struct text text = text_init(512);
    if (!token)
        return;
    text_appendf(&text, "%s %s %s", c->user->name, c->operation->name, token);
    char hashed[INTENT_TOKEN_MAX];
    snprintf(hashed, sizeof hashed, "arc-%016llx%016llx",
             (unsigned long long)hash64_seeded(text.data, text.length, 3),
             (unsigned long long)hash64_seeded(text.data, text.length, 4));
    json_object_set_new(change, "token", json_string(hashed));
    text_done(&text);
}

void arc_submit_edits(struct arc_call *c, json_t *edits, const char *name)
{
    json_t *change = json_pack("{s:s,s:o}", "op", "change", "edits", edits);
    token_set(c, change);
    arc_submit(c, change, name);
}

/* Why a change was not made, as AWS's errors have it. */
static const char *error_of(const struct arc_operation *op, int err)
{
    switch (err) {
    case ERR_CONFLICT:
        return "Conflict";
    case ERR_MISSING:
        return op->refers ? "Conflict" : "ResourceNotFound";
    case ERR_INVALID:
    case ERR_SYNTAX:
        return "Validation";
    case ERR_LIMIT:
        /* of states: too much is under way */
        return op->service == ARC_DATA ? "Throttling" : limit_error(op->service);
    case ERR_QUORUM:
    case ERR_UNSURE:
    case ERR_REFUSED: /* this node cannot decide, or cannot say: another may */
        return op->service == ARC_DATA ? "EndpointTemporarilyUnavailable" : "InternalServer";
    default:
        return "InternalServer";
    }
}

void arc_finish(struct arc_result *r, const struct intent *intent, int err, const char *message)
{
    const struct arc_operation *op = r->operation;
    json_t *body = NULL;
    if (!err) {
        body = op->reply ? op->reply(intent, r->name) : json_object();
        if (body) {
            head_set(r, op->service, 200, NULL);
            body_set(r, body);
            return;
        }
        err = ERR_CONFLICT;
        message = "The ClientToken was used for another request, or the object is gone since.";
    }
    const char *error = error_of(op, err);
    bool tells = op->service == ARC_DATA &&
                 (!strcmp(error, "Conflict") || !strcmp(error, "ResourceNotFound"));
    error_set(r, op->service, error, message, tells ? resource_json(op->type, r->name) : NULL);
}

/* ---- which operation ---- */

static struct bytes header(const struct http1_request *r, const char *name)
{
    for (unsigned i = 0; i < r->header_count; i++)
        if (r->headers[i].name.length == strlen(name) &&
            !strncasecmp((const char *)r->headers[i].name.data, name, strlen(name)))
            return r->headers[i].value;
    return (struct bytes){0};
}

static bool bytes_are(struct bytes b, const char *text)
{
    return b.length == strlen(text) && !memcmp(b.data, text, b.length);
}

static char *decoded(struct bytes b)
{
    char *text = mem_new(b.length + 1, 1);
    http1_decode(b, text, b.length + 1);
    return text;
}

/* Does the path fit "/controlpanel/@/routingcontrols"? What stands for @ goes to *ret_arn. */
static bool path_fits(const char *pattern, struct bytes path, struct bytes *ret_arn)
{
    const uint8_t *at = path.data, *end = path.data + path.length;
    for (; *pattern; pattern++) {
        if (*pattern != '@') {
            if (at == end || *at++ != (uint8_t)*pattern)
                return false;
            continue;
        }
        *ret_arn = (struct bytes){at, 0};
        while (at < end && *at != '/')
            at++;
        ret_arn->length = (size_t)(at - ret_arn->data);
        if (!ret_arn->length)
            return false;
    }
    return at == end;
}

static void operation_find(struct arc_call *c)
{
    static const char target[] = "ToggleCustomerAPI.";
    const struct http1_request *r = c->in->request;
    struct bytes t = header(r, "x-amz-target"), arn = {0};
    size_t skip = sizeof target - 1;
    for (size_t i = 0; c->service == ARC_DATA && i < arc_data_count; i++)
        if (r->method == HTTP1_POST && t.length > skip && !memcmp(t.data, target, skip) &&
            bytes_are((struct bytes){t.data + skip, t.length - skip}, arc_data_operations[i].name))
            c->operation = &arc_data_operations[i];
    for (size_t i = 0; c->service == ARC_CONFIG && i < arc_config_count && !c->operation; i++)
        if (r->method == arc_config_operations[i].method &&
            path_fits(arc_config_operations[i].path, r->path, &arn))
            c->operation = &arc_config_operations[i];
    if (c->operation && arn.length)
        c->arn = decoded(arn);
    if (!c->operation)
        arc_fail(c, "UnknownOperation", "There is no such operation.");
}

static void members_read(struct arc_call *c)
{
    struct bytes body = c->in->body;
    if (!body.length)
        c->members = json_object();
    else
        c->members = json_loadb((const char *)body.data, body.length, JSON_REJECT_DUPLICATES, NULL);
    if (!json_is_object(c->members))
        arc_fail(c, "Serialization", "The body is not a JSON object.");
}

void arc_run(const struct arc_input *in, struct arc_result *ret)
{
    *ret = (struct arc_result){0};
    struct arc_call c = {.in = in, .out = ret};
    c.service = header(in->request, "x-amz-target").length ? ARC_DATA : ARC_CONFIG;
    snprintf(ret->request_id, sizeof ret->request_id, "%s", in->request_id);
    if (arc_authenticate(&c))
        operation_find(&c);
    if (!c.answered)
        members_read(&c);
    if (!c.answered)
        c.operation->run(&c);
    invariant(c.answered);
    json_decref(c.members);
    free(c.arn);
}

void arc_result_done(struct arc_result *r)
{
    free(r->change);
    free(r->name);
    free(r->body);
    *r = (struct arc_result){0};
}
