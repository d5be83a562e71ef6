#include "base/err.h"
#include "model/snapshot_io.h"
#include "model/zone.h"
#include "prog/explain.h"
#include "wire/dname.h"
#include "wire/dns.h"
#include "wire/rdata.h"
#include <string.h>

/* What was found on the way down one zone. */
struct found {
    const struct zone *zone;
    const uint8_t *name; /* asked for, lower wire form */
    const struct zone_node *node;
    bool wildcard; /* node stands in for a name that does not exist */
    bool below;    /* node is above the name and its DNAME redirects it */
};

static const struct zone_node *node_of(const struct zone *z, const uint8_t *name)
{
    size_t length = dname_length(name);
    return zone_find(z, name, length, dname_hash(name, length));
}

static uint32_t service_of(const struct plan *p, const uint8_t *name)
{
    size_t length = dname_length(name);
    for (uint32_t i = 0; i < p->service_count; i++) {
        const uint8_t *wire = (const uint8_t *)p->text + p->services[i].wire_name;
        if (dname_equal(wire, dname_length(wire), name, length))
            return i;
    }
    return PLAN_NONE;
}

/* The most specific zone of the plan that holds the name, or NULL. */
static const struct plan_file *zone_file_of(const struct plan *p, const uint8_t *name)
{
    const struct plan_file *best = NULL;
    size_t best_length = 0, length = dname_length(name);
    for (uint32_t i = 0; i < p->file_count; i++) {
        const char *text = plan_text(p, p->files[i].name);
        uint8_t origin[DNAME_MAX];
        int n =
            p->files[i].kind == PLAN_FILE_ZONE ? dname_parse(text, strlen(text), NULL, origin) : 0;
        if (n > 0 && (size_t)n > best_length && dname_below(name, length, origin, (size_t)n)) {
            best = &p->files[i];
            best_length = (size_t)n;
        }
    }
    return best;
}

/* ---- static answers ---- */

static void set_append(struct explain *x, const struct zone *z, const struct zone_set *s)
{
    char type[DNS_TYPE_TEXT_MAX];
    const struct zone_records *records =
        (const struct zone_records *)(z->base + (uint64_t)s->records * 8);
    const uint8_t *at = (const uint8_t *)(records + 1);
    dns_type_format(s->type, type);
    for (uint16_t i = 0; i < records->count; i++) {
        uint16_t length;
        memcpy(&length, at, sizeof length);
        text_appendf(x->out, "  %u %s ", s->ttl, type);
        rdata_format(s->type, at + sizeof length, length, x->out);
        text_append(x->out, "\n");
        at += sizeof length + length;
    }
}

static void types_append(struct explain *x, const struct zone_node *n)
{
    char type[DNS_TYPE_TEXT_MAX];
    for (unsigned i = 0; i < n->set_count; i++)
        text_appendf(x->out, "%s%s", i ? ", " : "", dns_type_format(n->sets[i].type, type));
    if (n->flags & NODE_STEERED)
        text_appendf(x->out, "%sA and AAAA from the plan", n->set_count ? ", " : "");
    if (!n->set_count && !(n->flags & NODE_STEERED))
        text_append(x->out, "no records, only names below it");
}

/* The nearest name above that exists; its wildcard answers for those that do not. */
static const struct zone_node *encloser_of(const struct zone *z, const uint8_t *name)
{
    for (name += 1 + *name;; name += 1 + *name) {
        const struct zone_node *n = node_of(z, name);
        if (n || !*name)
            return n;
    }
}

static const struct zone_node *wildcard_of(const struct zone *z, const struct zone_node *encloser)
{
    uint8_t name[DNAME_MAX] = {1, '*'};
    if (!(encloser->flags & NODE_HAS_WILDCARD_CHILD) || encloser->name_length + 2 > DNAME_MAX)
        return NULL;
    memcpy(name + 2, zone_node_name(encloser), encloser->name_length);
    return node_of(z, name);
}

static bool find(struct explain *x, struct found *f)
{
    char text[DNAME_TEXT_MAX];
    f->node = node_of(f->zone, f->name);
    if (f->node)
        return true;
    const struct zone_node *encloser = encloser_of(f->zone, f->name);
    if (!encloser) {
        text_append(x->out, "The zone's file does not hold the zone's own name: it is damaged.\n");
        return false;
    }
    if (encloser->flags & (NODE_CUT | NODE_BELOW_CUT)) {
        f->node = encloser;
        return true;
    }
    f->below = zone_node_set(encloser, DNS_DNAME) != NULL;
    if (f->below) {
        f->node = encloser;
        return true;
    }
    f->node = wildcard_of(f->zone, encloser);
    f->wildcard = f->node != NULL;
    if (!f->node)
        text_appendf(x->out,
                     "The name does not exist: the nearest that does is %s, and there is no "
                     "wildcard below it. The answer is NXDOMAIN with the zone's SOA.\n",
                     dname_format(zone_node_name(encloser), text));
    else
        text_appendf(x->out, "The name does not exist, but the wildcard %s stands in for it.\n",
                     dname_format(zone_node_name(f->node), text));
    return f->node;
}

static void delegation_explain(struct explain *x, const struct found *f)
{
    char text[DNAME_TEXT_MAX];
    const struct zone_node *cut =
        f->node->flags & NODE_CUT ? f->node : zone_node_at(f->zone, (uint64_t)f->node->cut * 8);
    const struct zone_set *ns = zone_node_set(cut, DNS_NS);
    text_appendf(x->out, "%s is delegated to other name servers; the answer is a referral:\n",
                 dname_format(zone_node_name(cut), text));
    if (ns)
        set_append(x, f->zone, ns);
}

/* The target of a set of one CNAME or DNAME. */
static void cname_target(const struct zone *z, const struct zone_set *s,
                         uint8_t ret_name[static DNAME_MAX])
{
    const uint8_t *at = z->base + (uint64_t)s->records * 8 + sizeof(struct zone_records);
    uint16_t length;
    memcpy(&length, at, sizeof length);
    memcpy(ret_name, at + sizeof length, length <= DNAME_MAX ? length : 1);
}

/* RFC 6672: the part of the name below the DNAME's owner is put before its target. True where the
 * story goes on with the name in ret_next. */
static bool redirect_explain(struct explain *x, const struct found *f,
                             uint8_t ret_next[static DNAME_MAX])
{
    const struct zone_set *set = zone_node_set(f->node, DNS_DNAME);
    uint8_t suffix[DNAME_MAX];
    char text[DNAME_TEXT_MAX];
    size_t prefix = dname_length(f->name) - f->node->name_length;
    text_appendf(x->out, "Names below %s are redirected, from the zone file:\n",
                 dname_format(zone_node_name(f->node), text));
    set_append(x, f->zone, set);
    cname_target(f->zone, set, suffix);
    if (prefix + dname_length(suffix) > DNAME_MAX) {
        text_append(x->out, "The name would become too long: the answer is YXDOMAIN.\n");
        return false;
    }
    memcpy(ret_next, f->name, prefix);
    memcpy(ret_next + prefix, suffix, dname_length(suffix));
    return true;
}

static void static_explain(struct explain *x, const struct found *f)
{
    char type[DNS_TYPE_TEXT_MAX];
    unsigned shown = 0;
    for (unsigned i = 0; i < f->node->set_count; i++) {
        const struct zone_set *s = &f->node->sets[i];
        if (s->type != x->type && x->type != DNS_ANY)
            continue;
        if (!shown++)
            text_append(x->out, "The answer is static, from the zone file (TTL, type, data):\n");
        set_append(x, f->zone, s);
    }
    if (shown)
        return;
    if (x->type == DNS_ANY) {
        text_append(x->out, "The name has no records, there are only names below it: the answer is "
                            "empty (NODATA, with the zone's SOA).\n");
        return;
    }
    dns_type_format(x->type, type);
    text_appendf(x->out,
                 "The name has no %s records: the answer is empty (NODATA, with the zone's SOA). "
                 "It has: ",
                 type);
    types_append(x, f->node);
    text_append(x->out, ".\n");
}

/* True where the story goes on with the name in ret_next. */
static bool node_explain(struct explain *x, const struct found *f,
                         uint8_t ret_next[static DNAME_MAX])
{
    const struct zone_set *cname = zone_node_set(f->node, DNS_CNAME);
    bool address = x->type == DNS_A || x->type == DNS_AAAA || x->type == DNS_ANY;
    if (f->below)
        return redirect_explain(x, f, ret_next);
    if (f->node->flags & (NODE_CUT | NODE_BELOW_CUT)) {
        delegation_explain(x, f);
    } else if (f->node->flags & NODE_STEERED && address) {
        uint32_t service = service_of(&x->v->plan, zone_node_name(f->node));
        if (service == PLAN_NONE)
            text_append(x->out, "The zone says that the name is steered, but the plan has no such "
                                "service: SERVFAIL until the next plan.\n");
        else
            explain_service(x, service);
    } else if (cname && x->type != DNS_CNAME) {
        text_append(x->out, "The name is an alias, static from the zone file:\n");
        set_append(x, f->zone, cname);
        cname_target(f->zone, cname, ret_next);
        return true;
    } else {
        static_explain(x, f);
    }
    return false;
}

/* True where the story goes on with the name in ret_next. `followed`: the name is the target of an
 * alias. */
static bool one_explain(struct explain *x, const uint8_t *name, bool followed,
                        uint8_t ret_next[static DNAME_MAX])
{
    const struct plan *p = &x->v->plan;
    const struct plan_file *file = zone_file_of(p, name);
    char text[DNAME_TEXT_MAX];
    struct mapped mapped;
    struct zone zone;
    bool more = false;
    if (!file) {
        text_appendf(x->out, "No zone of this node holds %s: %s.\n", dname_format(name, text),
                     followed ? "the answer ends with the alias, and the resolver asks elsewhere"
                              : "it is not answered here (REFUSED)");
        return false;
    }
    text_appendf(x->out, "%s lies in the zone %s (serial %u).\n", dname_format(name, text),
                 plan_text(p, file->name), file->serial);
    int err = store_map(x->data, PLAN_FILE_ZONE, file->hash, &mapped);
    if (err) {
        text_appendf(x->out, "The zone's compiled file cannot be read: %s.\n", err_text(err));
        return false;
    }
    err = zone_open(mapped.data, mapped.size, &zone);
    struct found f = {.zone = &zone, .name = name};
    if (err)
        text_appendf(x->out, "The zone's compiled file is refused: %s.\n", err_text(err));
    else if (find(x, &f))
        more = node_explain(x, &f, ret_next);
    mapped_close(&mapped);
    return more;
}

void explain_name(struct explain *x, const uint8_t *name)
{
    uint8_t passed[EXPLAIN_CHAIN_MAX + 1][DNAME_MAX], next[DNAME_MAX];
    memcpy(passed[0], name, dname_length(name));
    for (unsigned i = 0; one_explain(x, passed[i], i > 0, next); i++) {
        for (unsigned k = 0; k <= i; k++)
            if (dname_equal(passed[k], dname_length(passed[k]), next, dname_length(next))) {
                text_append(x->out, "The aliases lead round in a circle: the answer is only them, "
                                    "and no address.\n");
                return;
            }
        if (i == EXPLAIN_CHAIN_MAX) {
            text_append(x->out,
                        "The chain of aliases is too long; this is as far as it is told.\n");
            return;
        }
        text_append(x->out, "\n");
        memcpy(passed[i + 1], next, dname_length(next));
    }
}
