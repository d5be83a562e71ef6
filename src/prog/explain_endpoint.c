#include "prog/explain.h"

#include "model/finding.h"
#include "tell/findings.h"
#include "wire/http1.h"
#include <string.h>

static const char *ago(const struct explain *x, usec_t when, char buffer[static AGE_TEXT_MAX])
{
    return age_format(view_age(x->v, when), buffer);
}

/* Text that people typed goes to a terminal: nothing but what can be read. */
static void quoted_append(struct text *out, const char *words)
{
    text_append(out, "\"");
    for (const char *c = words; *c; c++)
        if ((unsigned char)*c >= 0x20 && *c != 0x7f)
            text_append_bytes(out, c, 1);
    text_append(out, "\"");
}

static void order_append(struct explain *x, const struct plan_endpoint *e)
{
    static const char *const meanings[ADMIN_STATES] = {
        "",
        "gets no new answers, is still probed, and answers again only when nothing else may",
        "is never answered",
        "counts as healthy whatever its checks say",
    };
    const struct plan *p = &x->v->plan;
    char date[HTTP1_DATE_MAX];
    if (e->admin == ADMIN_AUTO)
        return;
    text_appendf(x->out, "    ORDER: %s", admin_state_name((enum admin_state)e->admin));
    if (e->author != PLAN_NONE)
        text_appendf(x->out, " by %s", plan_text(p, e->author));
    if (e->ordered_wall > 0)
        text_appendf(x->out, " on %s", http1_date_format(e->ordered_wall, date));
    if (e->why != PLAN_NONE) {
        text_append(x->out, ", because ");
        quoted_append(x->out, plan_text(p, e->why));
    }
    text_appendf(x->out, ": it %s.\n", meanings[e->admin]);
}

static void verdict_append(struct explain *x, const struct plan_target *t)
{
    char age[AGE_TEXT_MAX];
    const char *since = t->since ? ago(x, t->since, age) : "the beginning";
    switch ((enum verdict_state)t->state) {
    case VERDICT_UNCHECKED:
        text_append(x->out, "has no check and counts as healthy");
        return;
    case VERDICT_UNREADY:
        text_appendf(x->out, "was never seen healthy yet (for %s): not down, but not ready either",
                     since);
        return;
    case VERDICT_UP:
        text_appendf(x->out, "is up for %s", since);
        if (t->failures)
            text_appendf(x->out, ", though %u probes in a row failed: %s", t->failures,
                         reason_sentence((enum reason)t->reason));
        return;
    case VERDICT_DOWN:
        text_appendf(x->out, "is DOWN for %s: %s", since,
                     reason_sentence((enum reason)t->down_reason));
        if (t->reason != REASON_OK && t->reason != t->down_reason)
            text_appendf(x->out, ", now %s", reason_sentence((enum reason)t->reason));
        if (t->successes)
            text_appendf(x->out, "; the last %u probes were good", t->successes);
        return;
    }
}

static void flags_append(struct explain *x, const struct plan_target *t)
{
    char text[AGE_TEXT_MAX];
    if (t->flags & TARGET_HELD)
        text_append(x->out, "    HELD: it looks down but stays in the answers, because checks may "
                            "take only so much of a service out at a time (velocity limit).\n");
    if (t->flags & TARGET_FROZEN)
        text_append(x->out, "    FROZEN: its samples are late or stale, so the verdict stays as it "
                            "was; a prober that is late proves nothing.\n");
    if (t->flags & TARGET_HOLDING_DOWN && t->hold_until > x->v->now)
        text_appendf(x->out,
                     "    It looks well again, and is kept out for another %s (hold-down).\n",
                     age_format(t->hold_until - x->v->now, text));
    if (t->flags & TARGET_EXPIRING) {
        char date[HTTP1_DATE_MAX];
        text_appendf(x->out, "    Its certificate ends soon: %s.\n",
                     http1_date_format(t->certificate_end, date));
    }
}

/* Why an address that may look fine is not in the answers. */
static const char *absence(const struct explain *x, const struct plan_endpoint *e,
                           const struct plan_target *t)
{
    const struct plan_service *s = &x->v->plan.services[e->service];
    if (e->admin == ADMIN_DISABLED || e->admin == ADMIN_DRAINED)
        return "by that order";
    if (t && t->state == VERDICT_DOWN)
        return "because it is down";
    if (t && t->state == VERDICT_UNREADY)
        return "because it is not ready";
    if (s->policy == POLICY_FAILOVER && e->role == ROLE_SECONDARY)
        return "because a primary serves: it is the reserve";
    if (s->policy == POLICY_WEIGHTED && e->weight == 0)
        return "because its weight is 0";
    return "because the policy prefers others";
}

/* What all who look say of it, together. */
static void seen_append(struct explain *x, uint32_t target)
{
    const struct plan live = view_plan(x->v), *p = &live;
    struct text words = text_init(1000);
    if (target < p->view_count && p->vantage_count &&
        p->targets[target].state < VERDICT_UNCHECKED) {
        text_append(&words, "    Votes: ");
        votes_write(&p->views[target], &words);
        text_append(&words, ".\n");
    }
    size_t before = words.length;
    finding_line(&words, x->v, target);
    if (before)
        text_append_bytes(x->out, words.data, before);
    if (words.length > before)
        text_appendf(x->out, "    FOUND: %s.\n", words.data + before);
    text_done(&words);
}

/* Whose clients are answered without it. */
static void detours_append(struct explain *x, uint32_t target)
{
    const struct plan *p = &x->v->plan;
    char age[AGE_TEXT_MAX];
    for (uint32_t i = 0; i < p->detour_count; i++)
        if (p->detours[i].target == target)
            text_appendf(x->out,
                         "    DETOUR: clients near %s are led past it for %s, and until it was "
                         "reached from there for a whole hold-down.\n",
                         plan_text(p, p->vantages[p->detours[i].vantage].network),
                         ago(x, p->detours[i].since, age));
}

static void target_append(struct explain *x, const struct plan_endpoint *e,
                          const struct plan_target *t)
{
    char address[IP_TEXT_MAX], age[AGE_TEXT_MAX];
    text_appendf(x->out, "    %s ", ip_format(&t->address, address));
    verdict_append(x, t);
    if (t->sampled)
        text_appendf(x->out, " (last probe %s ago)", ago(x, t->sampled, age));
    if (t->flags & TARGET_SERVED)
        text_append(x->out, ". It is in the answers.\n");
    else
        text_appendf(x->out, ". It is not in the answers, %s.\n", absence(x, e, t));
    flags_append(x, t);
    seen_append(x, e->target[t->address.family]);
    detours_append(x, e->target[t->address.family]);
}

/* The name beside the address: never in the answers, so what is told of it is how it fares. */
static void name_append(struct explain *x, uint32_t index)
{
    const struct plan *p = &x->v->plan;
    const struct plan_target *t = &view_targets(x->v)[index];
    char age[AGE_TEXT_MAX];
    const char *since = t->since ? ago(x, t->since, age) : "the beginning";
    text_appendf(x->out, "    by name %s (%s) it ", plan_text(p, t->hostname),
                 t->address.family == IP_V4 ? "A" : "AAAA");
    if (t->state == VERDICT_UP)
        text_appendf(x->out, "answers for %s", since);
    else if (t->state == VERDICT_DOWN)
        text_appendf(x->out, "FAILS for %s: %s", since,
                     reason_sentence((enum reason)t->down_reason));
    else
        text_appendf(x->out, "was never seen to answer: %s",
                     reason_sentence((enum reason)t->reason));
    if (t->sampled)
        text_appendf(x->out, " (last probe %s ago)", ago(x, t->sampled, age));
    text_append(x->out, ". No answer goes by it.\n");
    flags_append(x, t);
    seen_append(x, index);
}

static void endpoint_head(struct explain *x, const struct plan_endpoint *e)
{
    const struct plan *p = &x->v->plan;
    text_appendf(x->out, "  %s", plan_text(p, e->name));
    const char *comma = " (";
    if (e->role != ROLE_NONE) {
        text_appendf(x->out, "%s%s", comma, e->role == ROLE_PRIMARY ? "primary" : "secondary");
        comma = ", ";
    }
    if (e->region != PLAN_NONE && *plan_text(p, e->region)) {
        text_appendf(x->out, "%s%s", comma, plan_text(p, e->region));
        comma = ", ";
    }
    if (p->services[e->service].policy == POLICY_WEIGHTED) {
        text_appendf(x->out, "%sweight %u", comma, e->weight);
        comma = ", ";
    }
    text_appendf(x->out, "%s:\n", *comma == ',' ? ")" : "");
}

void explain_endpoints(struct explain *x, uint32_t service, unsigned depth)
{
    const struct plan *p = &x->v->plan;
    const struct plan_target *targets = view_targets(x->v);
    const struct plan_service *s = &p->services[service];
    for (uint32_t i = 0; i < s->endpoint_count; i++) {
        const struct plan_endpoint *e = &p->endpoints[s->endpoint_first + i];
        endpoint_head(x, e);
        order_append(x, e);
        for (unsigned family = 0; family < IP_FAMILIES; family++)
            if (e->target[family] != PLAN_NONE)
                target_append(x, e, &targets[e->target[family]]);
        for (unsigned family = 0; family < IP_FAMILIES; family++) {
            uint32_t name = plan_target_by_name(p, s->endpoint_first + i, family);
            if (name != PLAN_NONE)
                name_append(x, name);
        }
        if (e->nested == PLAN_NONE)
            continue;
        const char *name = plan_text(p, p->services[e->nested].name);
        if (e->served)
            text_appendf(x->out, "    stands for the service %s and is in the answers.\n", name);
        else
            text_appendf(x->out, "    stands for the service %s and is not in the answers, %s.\n",
                         name, absence(x, e, NULL));
        if (depth + 1 < PLAN_DEPTH_MAX) {
            text_appendf(x->out, "  [%s]\n", name);
            explain_endpoints(x, e->nested, depth + 1);
            text_appendf(x->out, "  [end of %s]\n", name);
        }
    }
}
