/* Who calls, and what they may. */
#include "command/arc_parts.h"
#include "wire/sigv4.h"
#include <stdio.h>
#include <string.h>

static const char *const service_names[] = {
    [ARC_DATA] = "route53-recovery-cluster", [ARC_CONFIG] = "route53-recovery-control-config"};

/* What AWS's front ends say of a signature. */
static void signature_refuse(struct arc_call *c, enum sigv4_outcome outcome, const struct text *why)
{
    static const char *const errors[] = {[SIGV4_MISSING] = "MissingAuthenticationToken",
                                         [SIGV4_INCOMPLETE] = "IncompleteSignature",
                                         [SIGV4_INVALID] = "InvalidSignature"};
    arc_fail(c, errors[outcome], "%s", text_string(why));
}

bool arc_authenticate(struct arc_call *c)
{
    const struct http1_request *r = c->in->request;
    struct sigv4_request request = {.method = http1_method_name(r->method),
                                    .path = r->path,
                                    .query = r->query,
                                    .headers = r->headers,
                                    .header_count = r->header_count,
                                    .body = c->in->body};
    struct text why = text_init(SIGV4_WHY_MAX);
    struct sigv4 s;
    enum sigv4_outcome outcome = sigv4_find(&request, &s, &why);
    if (!outcome) {
        c->user = user_find(c->in->intent, (const char *)s.key_id.data, s.key_id.length, &c->key);
        if (!c->user || !c->key->active || s.has_token) {
            arc_fail(c, "UnrecognizedClient",
                     "The security token included in the request is invalid.");
            text_done(&why);
            return false;
        }
        struct sigv4_rules rules = {.secret = c->key->secret,
                                    .service = service_names[c->service],
                                    .wall = c->in->wall_ms / 1000,
                                    .unsigned_payload = c->in->secure};
        outcome = sigv4_verify(&request, &s, &rules, &why);
    }
    if (outcome)
        signature_refuse(c, outcome, &why);
    text_done(&why);
    return !outcome;
}

/* ---- permissions ---- */

/* Does the pattern fit all of the text? `*` stands for anything, `?` for one character. */
static bool pattern_fits(const char *pattern, const char *text, bool any_case)
{
    const char *star = NULL, *again = NULL;
    while (*text) {
        char p = *pattern, t = *text;
        if (any_case && p >= 'A' && p <= 'Z')
            p = (char)(p + 32);
        if (any_case && t >= 'A' && t <= 'Z')
            t = (char)(t + 32);
        if (p == '*') {
            star = pattern++;
            again = text;
        } else if (p && (p == '?' || p == t)) {
            pattern++;
            text++;
        } else if (star) {
            pattern = star + 1;
            text = ++again;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return !*pattern;
}

static bool one_fits(const struct intent_names *patterns, const char *text, bool any_case)
{
    for (uint32_t i = 0; text && i < patterns->count; i++)
        if (pattern_fits(patterns->list[i], text, any_case))
            return true;
    return false;
}

/* Whatever is denied is denied; what is not allowed is, too (as IAM has it). *ret_denied: somebody
 * said so. */
static bool user_may(const struct user *u, const char *action, const char *arn, const char *name,
                     bool *ret_denied)
{
    bool allowed = false;
    *ret_denied = false;
    for (unsigned i = 0; i < u->statement_count; i++) {
        const struct user_statement *s = &u->statements[i];
        if (!one_fits(&s->actions, action, true) ||
            (!one_fits(&s->resources, arn, false) && !one_fits(&s->resources, name, false)))
            continue;
        allowed |= !s->deny;
        *ret_denied |= s->deny;
    }
    return allowed && !*ret_denied;
}

bool arc_permits_action(struct arc_call *c, const char *action, const char *arn,
                        const struct intent_object *o)
{
    char full[128];
    bool denied;
    snprintf(full, sizeof full, "%s:%s", service_names[c->service], action);
    if (user_may(c->user->user, full, arn, o ? o->name : NULL, &denied))
        return true;
    arc_fail(c, "AccessDenied",
             "User: arn:aws:iam::000000000000:user/%s is not authorized to perform: %s on "
             "resource: %s %s",
             c->user->name, full, arn,
             denied ? "with an explicit deny in an identity-based policy"
                    : "because no identity-based policy allows it");
    return false;
}

bool arc_permits(struct arc_call *c, const char *arn, const struct intent_object *o)
{
    return arc_permits_action(c, c->operation->name, arn, o);
}
