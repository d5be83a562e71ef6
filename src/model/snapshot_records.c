/* The records of a plan one by one: every index, text offset, range and enumeration. What they lead
 * to is snapshot_check.c's. */
#include "base/err.h"
#include "model/snapshot_format.h"
#include "wire/dname.h"
#include <string.h>

struct check {
    const struct plan *plan;
    const char **ret_where;
};

#define refuse(c, err, ...) snapshot_refuse((err), (c)->ret_where, __VA_ARGS__)

static bool range_fits(uint32_t first, uint32_t count, uint32_t size)
{
    return first <= size && count <= size - first;
}

static bool text_fits(const struct plan *p, uint32_t offset)
{
    return offset < p->text_size;
}

static bool text_fits_or_none(const struct plan *p, uint32_t offset)
{
    return offset == PLAN_NONE || text_fits(p, offset);
}

bool snapshot_wire_name_fits(const struct plan *p, uint32_t offset)
{
    if (!text_fits(p, offset))
        return false;
    const uint8_t *name = (const uint8_t *)p->text + offset;
    uint32_t left = p->text_size - offset, at = 0;
    if (left > DNAME_MAX)
        left = DNAME_MAX;
    while (at < left && name[at] != 0) {
        uint32_t end = at + 1 + name[at];
        if (name[at] > DNAME_LABEL_MAX || end >= left)
            return false;
        for (uint32_t i = at + 1; i < end; i++)
            if (name[i] >= 'A' && name[i] <= 'Z')
                return false;
        at = end;
    }
    return at < left;
}

/* ---- records without references among one another ---- */

static int text_check(struct check *c)
{
    const struct plan *p = c->plan;
    if (p->text_size == 0 || p->text[0] != 0 || p->text[p->text_size - 1] != 0)
        return refuse(c, ERR_BOUNDS,
                      "text: it does not begin with an empty string and end with NUL");
    if (!text_fits_or_none(p, p->node) || !text_fits_or_none(p, p->site) ||
        !text_fits_or_none(p, p->network))
        return refuse(c, ERR_BOUNDS,
                      "header: the name of the node, site or network is outside the text");
    return 0;
}

static int files_check(struct check *c)
{
    for (uint32_t i = 0; i < c->plan->file_count; i++) {
        const struct plan_file *f = &c->plan->files[i];
        if (f->kind >= PLAN_FILE_KINDS)
            return refuse(c, ERR_BOUNDS, "file %u: unknown kind %u", i, f->kind);
        if (f->state >= (f->kind == PLAN_FILE_ZONE ? PLAN_ZONE_STATES : 1))
            return refuse(c, ERR_BOUNDS, "file %u: unknown state %u", i, f->state);
        if (!text_fits(c->plan, f->name))
            return refuse(c, ERR_BOUNDS, "file %u: its name is outside the text", i);
    }
    return 0;
}

static int target_check(struct check *c, uint32_t i)
{
    const struct plan_target *t = &c->plan->targets[i];
    if (t->service >= c->plan->service_count || t->endpoint >= c->plan->endpoint_count)
        return refuse(c, ERR_BOUNDS, "target %u: service %u or endpoint %u does not exist", i,
                      t->service, t->endpoint);
    if (c->plan->endpoints[t->endpoint].service != t->service)
        return refuse(c, ERR_BOUNDS, "target %u: endpoint %u is of another service", i,
                      t->endpoint);
    if (t->address.family >= IP_FAMILIES)
        return refuse(c, ERR_BOUNDS, "target %u: unknown address family", i);
    if (!text_fits(c->plan, t->hostname))
        return refuse(c, ERR_BOUNDS, "target %u: its name is outside the text", i);
    if (plan_target_is_name(c->plan, t) &&
        c->plan->endpoints[t->endpoint].target[t->address.family] == PLAN_NONE)
        return refuse(c, ERR_BOUNDS, "target %u: a name beside no address", i);
    if (t->state >= VERDICT_STATES || t->reason >= REASONS || t->down_reason >= REASONS)
        return refuse(c, ERR_BOUNDS, "target %u: unknown state or reason", i);
    return 0;
}

static int view_check(struct check *c, uint32_t i)
{
    const struct plan_view *v = &c->plan->views[i];
    if (v->own >= VERDICT_STATES || v->own_reason >= REASONS || v->finding >= FINDINGS ||
        v->far_reason >= REASONS)
        return refuse(c, ERR_BOUNDS, "view %u: unknown state, reason or finding", i);
    return 0;
}

static int vantage_check(struct check *c, uint32_t i)
{
    const struct plan_vantage *v = &c->plan->vantages[i];
    if (v->state >= VANTAGE_STATES || !text_fits(c->plan, v->node) ||
        !text_fits(c->plan, v->site) || !text_fits(c->plan, v->network))
        return refuse(c, ERR_BOUNDS, "vantage %u: unknown state, or a text outside the text", i);
    return 0;
}

static int cause_check(struct check *c, uint32_t i)
{
    const struct plan_cause *v = &c->plan->causes[i];
    if (v->kind >= CAUSE_KINDS || v->finding >= FINDINGS || v->far_reason >= REASONS ||
        !text_fits(c->plan, v->name))
        return refuse(c, ERR_BOUNDS, "cause %u: unknown kind, or a text outside the text", i);
    return 0;
}

static int detour_check(struct check *c, uint32_t i)
{
    const struct plan_detour *d = &c->plan->detours[i];
    if (d->target >= c->plan->view_count || d->vantage >= c->plan->vantage_count)
        return refuse(c, ERR_BOUNDS, "detour %u: target %u or vantage %u does not exist", i,
                      d->target, d->vantage);
    if (i && d->target < d[-1].target)
        return refuse(c, ERR_BOUNDS, "detour %u: it does not follow the one before", i);
    return 0;
}

static int views_check(struct check *c)
{
    const struct plan *p = c->plan;
    int r = 0;
    if (p->view_count && p->view_count != p->target_count)
        return refuse(c, ERR_BOUNDS, "%u views of %u targets", p->view_count, p->target_count);
    if (p->vantage_count > PLAN_VANTAGES_MAX || p->cause_count > PLAN_CAUSES_MAX ||
        p->detour_count > PLAN_DETOURS_MAX)
        return refuse(c, ERR_BOUNDS, "%u vantages, %u causes, %u detours: too many",
                      p->vantage_count, p->cause_count, p->detour_count);
    for (uint32_t i = 0; i < p->view_count && !r; i++)
        r = view_check(c, i);
    for (uint32_t i = 0; i < p->vantage_count && !r; i++)
        r = vantage_check(c, i);
    for (uint32_t i = 0; i < p->cause_count && !r; i++)
        r = cause_check(c, i);
    for (uint32_t i = 0; i < p->detour_count && !r; i++)
        r = detour_check(c, i);
    return r;
}

static int endpoint_check(struct check *c, uint32_t i)
{
    const struct plan *p = c->plan;
    const struct plan_endpoint *e = &p->endpoints[i];
    if (!text_fits(p, e->name) || !text_fits_or_none(p, e->region) ||
        !text_fits_or_none(p, e->provider) || !text_fits_or_none(p, e->author) ||
        !text_fits_or_none(p, e->why))
        return refuse(c, ERR_BOUNDS, "endpoint %u: a text is outside the text", i);
    if (e->service >= p->service_count || (e->nested != PLAN_NONE && e->nested >= p->service_count))
        return refuse(c, ERR_BOUNDS, "endpoint %u: its service or nested service does not exist",
                      i);
    if (e->admin >= ADMIN_STATES || e->role > ROLE_SECONDARY)
        return refuse(c, ERR_BOUNDS, "endpoint %u: unknown admin state or role", i);
    for (unsigned family = 0; family < IP_FAMILIES; family++) {
        uint32_t t = e->target[family];
        if (t == PLAN_NONE)
            continue;
        if (t >= p->target_count || p->targets[t].endpoint != i ||
            p->targets[t].address.family != family || plan_target_is_name(p, &p->targets[t]))
            return refuse(c, ERR_BOUNDS, "endpoint %u: target %u is not its own", i, t);
    }
    return 0;
}

static int address_check(struct check *c, uint32_t i)
{
    const struct plan_address *a = &c->plan->addresses[i];
    if (a->target >= c->plan->target_count)
        return refuse(c, ERR_BOUNDS, "address %u: target %u does not exist", i, a->target);
    if (plan_target_is_name(c->plan, &c->plan->targets[a->target]))
        return refuse(c, ERR_BOUNDS, "address %u: target %u is a name", i, a->target);
    const struct ip *ip = &c->plan->targets[a->target].address;
    if (memcmp(a->bytes, ip->bytes, ip_size(ip)) != 0)
        return refuse(c, ERR_BOUNDS, "address %u: it is not the address of target %u", i,
                      a->target);
    return 0;
}

/* Targets before endpoints: an endpoint's check reads its targets. */
static int items_check(struct check *c)
{
    const struct plan *p = c->plan;
    int r = 0;
    for (uint32_t i = 0; i < p->target_count && !r; i++)
        r = target_check(c, i);
    for (uint32_t i = 0; i < p->endpoint_count && !r; i++)
        r = endpoint_check(c, i);
    for (uint32_t i = 0; i < p->address_count && !r; i++)
        r = address_check(c, i);
    for (uint32_t i = 0; i < p->good_count && !r; i++)
        if (p->goods[i] >= p->target_count)
            r = refuse(c, ERR_BOUNDS, "good %u: target %u does not exist", i, p->goods[i]);
    for (uint32_t i = 0; i < p->branch_count && !r; i++)
        if (p->branches[i].choice >= p->choice_count)
            r = refuse(c, ERR_BOUNDS, "branch %u: choice %u does not exist", i,
                       p->branches[i].choice);
    return r;
}

static int service_check(struct check *c, uint32_t index)
{
    const struct plan *p = c->plan;
    const struct plan_service *s = &p->services[index];
    if (!text_fits(p, s->name))
        return refuse(c, ERR_BOUNDS, "service %u: its name is outside the text", index);
    const char *name = plan_text(p, s->name);
    if (!snapshot_wire_name_fits(p, s->wire_name))
        return refuse(c, ERR_BOUNDS, "service %s: its wire name is broken", name);
    if (s->zone != PLAN_NONE &&
        (s->zone >= p->file_count || p->files[s->zone].kind != PLAN_FILE_ZONE))
        return refuse(c, ERR_BOUNDS, "service %s: file %u is not a zone", name, s->zone);
    if (!range_fits(s->endpoint_first, s->endpoint_count, p->endpoint_count))
        return refuse(c, ERR_BOUNDS, "service %s: its endpoints do not exist", name);
    for (uint32_t i = 0; i < s->endpoint_count; i++)
        if (p->endpoints[s->endpoint_first + i].service != index)
            return refuse(c, ERR_BOUNDS, "service %s: endpoint %u is of another service", name,
                          s->endpoint_first + i);
    if (s->policy >= POLICIES || s->when_all_down > ALL_DOWN_FALLBACK)
        return refuse(c, ERR_BOUNDS, "service %s: unknown policy or when_all_down", name);
    return 0;
}

/* ---- signatures ---- */

static int signature_check(struct check *c, uint32_t service, uint32_t i)
{
    enum { RRSIG_MIN = 18 + 1 + 1 };
    const struct plan *p = c->plan;
    const struct plan_signature *s = &p->signatures[i];
    if (s->service != service || s->choice >= p->choice_count)
        return refuse(c, ERR_BOUNDS, "signature %u: it is of another service, or of no choice", i);
    const struct plan_choice *choice = &p->choices[s->choice];
    if (choice->kind != CHOICE_ADDRESSES && choice->kind != CHOICE_CNAME)
        return refuse(c, ERR_BOUNDS, "signature %u: choice %u answers nothing", i, s->choice);
    if (s->windows != plan_windows(choice))
        return refuse(c, ERR_BOUNDS, "signature %u: choice %u has %u answers, not %u", i, s->choice,
                      plan_windows(choice), s->windows);
    if (s->length < RRSIG_MIN || s->offset > p->signed_size ||
        (uint64_t)s->length * s->windows > p->signed_size - s->offset)
        return refuse(c, ERR_BOUNDS, "signature %u: its bytes do not exist", i);
    if (i > p->services[service].signature_first && s->choice < p->signatures[i - 1].choice)
        return refuse(c, ERR_BOUNDS, "signature %u: out of order", i);
    if (i >= p->services[service].signature_first + PLAN_SIGNERS_MAX &&
        s->choice == p->signatures[i - PLAN_SIGNERS_MAX].choice)
        return refuse(c, ERR_BOUNDS, "signature %u: choice %u has too many", i, s->choice);
    return 0;
}

static int signatures_check(struct check *c)
{
    const struct plan *p = c->plan;
    int r = 0;
    for (uint32_t i = 0; i < p->service_count && !r; i++) {
        const struct plan_service *s = &p->services[i];
        if (!range_fits(s->signature_first, s->signature_count, p->signature_count))
            return refuse(c, ERR_BOUNDS, "service %s: its signatures do not exist",
                          plan_text(p, s->name));
        for (uint32_t k = 0; k < s->signature_count && !r; k++)
            r = signature_check(c, i, s->signature_first + k);
    }
    return r;
}

int snapshot_records_check(const struct plan *plan, const char **ret_where)
{
    struct check c = {plan, ret_where};
    int r = text_check(&c);
    if (!r)
        r = files_check(&c);
    if (!r)
        r = items_check(&c);
    if (!r)
        r = views_check(&c);
    for (uint32_t i = 0; i < plan->service_count && !r; i++)
        r = service_check(&c, i);
    return r ? r : signatures_check(&c);
}
