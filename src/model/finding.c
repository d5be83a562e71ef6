#include "model/finding.h"

#include "base/invariant.h"
#include "model/sample_table.h"
#include <string.h>

enum { NAMED_MOST = 4 /* of networks in a list */ };

/* What a sentence is made of, of a target or of several. */
struct finding_facts {
    enum finding finding;
    enum reason reason;
    uint64_t up, down, inside;
    usec_t since;
};

static void time_write(usec_t since, int64_t clock, struct text *out)
{
    int64_t seconds = (since + clock) / USEC_PER_SEC % 86400;
    if (seconds < 0)
        seconds += 86400;
    text_appendf(out, "%02d:%02d:%02d", (int)(seconds / 3600), (int)(seconds / 60 % 60),
                 (int)(seconds % 60));
}

/* "connect timeout" */
static void reason_write(enum reason reason, struct text *out)
{
    char words[64];
    const char *name = reason_name(reason);
    size_t length = strlen(name);
    invariant(length < sizeof words);
    for (size_t i = 0; i <= length; i++)
        words[i] = name[i] == '-' ? ' ' : name[i];
    text_append(out, words);
}

/* The first vantage of each network among them, as bits. */
static uint64_t networks_of(const struct plan *p, uint64_t vantages)
{
    uint64_t first = 0;
    for (uint32_t i = 0; i < p->vantage_count; i++) {
        bool again = !(vantages >> i & 1);
        for (uint32_t k = 0; k < i && !again; k++)
            again = (vantages >> k & 1) && strcmp(plan_text(p, p->vantages[k].network),
                                                  plan_text(p, p->vantages[i].network)) == 0;
        first |= (uint64_t)!again << i;
    }
    return first;
}

/* "AS64500, AS64501 and 3 more" */
static void networks_write(const struct plan *p, uint64_t vantages, struct text *out)
{
    uint64_t networks = networks_of(p, vantages);
    unsigned count = (unsigned)__builtin_popcountll(networks), said = 0;
    for (uint32_t i = 0; i < p->vantage_count && said < NAMED_MOST; i++) {
        if (!(networks >> i & 1))
            continue;
        const char *join = said == 0 ? "" : said + 1 == count ? " and " : ", ";
        text_appendf(out, "%s%s", join, plan_text(p, p->vantages[i].network));
        said++;
    }
    if (said < count)
        text_appendf(out, " and %u more", count - said);
}

/* "inside and from AS64500, AS64501 and 3 more" with "from " before what is not inside. */
static void places_write(const struct plan *p, uint64_t vantages, uint64_t inside, struct text *out)
{
    uint64_t far = vantages & ~inside;
    if (vantages & inside)
        text_append(out, far ? "from inside and from " : "from inside");
    else
        text_append(out, "from ");
    networks_write(p, far, out);
}

static const char *conclusion(enum finding finding, bool region)
{
    switch (finding) {
    case FINDING_TRANSIT:
        return region ? "transit, not the region" : "transit, not the endpoint";
    case FINDING_PATH:
        return "small packets pass and large ones do not: path MTU or loss on the way";
    case FINDING_NAME:
        return "the name, not the address";
    case FINDING_CUT_OFF:
        return "the region is cut off, not down";
    default:
        return "down";
    }
}

static void reach_write(const struct plan *p, const char *subject, bool region,
                        const struct finding_facts *f, int64_t clock, struct text *out)
{
    text_append(out, subject);
    if (f->up) {
        text_append(out, " answers ");
        places_write(p, f->up, f->inside, out);
        text_append(out, ";");
    } else {
        text_append(out, " is");
    }
    text_append(out, " unreachable ");
    places_write(p, f->down, f->inside, out);
    text_append(out, " since ");
    time_write(f->since, clock, out);
    text_append(out, ": ");
    reason_write(f->reason, out);
    text_appendf(out, "; %s", conclusion(f->finding, region));
}

static const char *name_reason(enum reason reason)
{
    switch (reason) {
    case REASON_RESOLVE_TIMEOUT:
        return "no answer in time";
    case REASON_RESOLVE_SERVFAIL:
        return "SERVFAIL";
    case REASON_RESOLVE_NXDOMAIN:
        return "NXDOMAIN";
    case REASON_RESOLVE_NODATA:
        return "an empty answer";
    default:
        return reason_name(reason);
    }
}

/* The name fails where the address answers: what broke is DNS. */
static void name_write(const struct plan *p, uint32_t target, const char *subject, int64_t clock,
                       struct text *out)
{
    const struct plan_target *t = &p->targets[target];
    const struct plan_view *v = &p->views[target];
    uint32_t beside = p->endpoints[t->endpoint].target[t->address.family];
    char address[IP_TEXT_MAX];
    enum reason reason = (enum reason)(p->vantage_count ? v->far_reason : t->reason);
    bool wrong = reason == REASON_RESOLVE_WRONG;
    text_appendf(out, "%s: the name %s", subject,
                 wrong ? "leads to an address that fails" : "does not resolve");
    if (p->vantage_count) {
        text_append(out, " at ");
        networks_write(p, v->down & p->views[beside].up, out);
    }
    text_append(out, " since ");
    time_write(v->finding_since, clock, out);
    if (!wrong)
        text_appendf(out, " (%s)", name_reason(reason));
    text_appendf(out, "; its address %s answers: DNS, not the server",
                 ip_format(&p->targets[beside].address, address));
}

static void milliseconds_write(uint32_t us, struct text *out)
{
    char buffer[DURATION_TEXT_MAX];
    text_append(out, duration_format(us, buffer));
}

static void slow_write(const struct plan_view *v, struct text *out)
{
    text_append(out, "one probe in a hundred takes ");
    milliseconds_write(v->p99_us, out);
    text_append(out, " or more here, usually ");
    milliseconds_write(v->usual_us, out);
    text_append(out, " at this hour, and half of them ");
    milliseconds_write(v->p50_us, out);
    text_append(out, "; brown-out");
}

static void loss_write(const struct plan *p, const struct plan_view *v, const char *subject,
                       int64_t clock, struct text *out)
{
    text_appendf(out, "%s answers, but loses about %u.%u %% of %s ", subject, v->loss_ppm / 10000,
                 v->loss_ppm / 1000 % 10, v->slow & SLOW_SEGMENTS ? "TCP segments" : "probes");
    if (v->lossy) {
        places_write(p, v->lossy, v->inside, out);
        text_append(out, " ");
    }
    text_append(out, "since ");
    time_write(v->finding_since, clock, out);
    text_append(out, v->lossy ? "; loss on the way, not the endpoint" : "; loss");
}

void votes_write(const struct plan_view *v, struct text *out)
{
    text_appendf(out, "of %u networks %u say down, %u up", v->networks, v->networks_down,
                 v->networks_up);
}

void finding_write(const struct plan *p, uint32_t target, const char *subject, int64_t clock,
                   struct text *out)
{
    invariant(target < p->view_count);
    const struct plan_view *v = &p->views[target];
    struct finding_facts f = {
        (enum finding)v->finding, (enum reason)v->far_reason, v->up, v->down, v->inside,
        v->finding_since};
    switch (f.finding) {
    case FINDING_NONE:
        return;
    case FINDING_UNDECIDED:
        text_appendf(out, "%s stays %s: only %u of %u networks can say anything since ", subject,
                     verdict_state_name((enum verdict_state)p->targets[target].state),
                     v->networks_up + v->networks_down, v->networks);
        time_write(f.since, clock, out);
        return;
    case FINDING_LOSS:
        loss_write(p, v, subject, clock, out);
        return;
    case FINDING_BROWN_OUT:
        text_appendf(out, "%s answers slowly since ", subject);
        time_write(f.since, clock, out);
        text_append(out, ": ");
        slow_write(v, out);
        return;
    case FINDING_NAME:
        if (plan_target_is_name(p, &p->targets[target])) {
            name_write(p, target, subject, clock, out);
            return;
        }
        /* fallthrough */
    default:
        reach_write(p, subject, false, &f, clock, out);
    }
}

void cause_write(const struct plan *p, const struct plan_cause *cause, int64_t clock,
                 struct text *out)
{
    struct finding_facts f = {(enum finding)cause->finding,
                              (enum reason)cause->far_reason,
                              cause->up,
                              cause->down,
                              cause->inside,
                              cause->since};
    const char *name = plan_text(p, cause->name);
    if (cause->kind == CAUSE_NETWORK) {
        text_appendf(out, "from %s %u of %u targets are unreachable since ", name, cause->failing,
                     cause->count);
        time_write(f.since, clock, out);
        text_append(out, ": ");
        reason_write(f.reason, out);
        text_append(out, "; what they share is where they are seen from");
    } else {
        reach_write(p, name, true, &f, clock, out);
        text_appendf(out, " (%u of the %u targets %s %s fail", cause->failing, cause->count,
                     cause->kind == CAUSE_REGION ? "in" : "of", name);
    }
    text_appendf(out, ", odds %s%u to 1 that it is no chance%s",
                 cause->odds >= 1000000 ? "over " : "", cause->odds,
                 cause->kind == CAUSE_NETWORK ? "" : ")");
}

static const char *doubt(const struct plan_vantage *v)
{
    switch ((enum vantage_state)v->state) {
    case VANTAGE_VOTES:
        return NULL;
    case VANTAGE_SILENT:
        return "nothing is heard of it";
    case VANTAGE_BEHIND:
        return "its checks run late";
    case VANTAGE_SICK:
        return v->health & VANTAGE_REFERENCES ? "it does not reach its references either"
                                              : "all that it looks at fails, so it doubts itself";
    }
    return NULL;
}

void vantage_write_state(const struct plan *p, uint32_t vantage, int64_t clock, struct text *out)
{
    const struct plan_vantage *v = &p->vantages[vantage];
    const char *why = doubt(v);
    if (!why)
        return;
    text_appendf(out, "vantage %s in %s votes for nothing since ", plan_text(p, v->node),
                 plan_text(p, v->network));
    time_write(v->since, clock, out);
    text_appendf(out, ": %s", why);
}
