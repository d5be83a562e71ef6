/* One message in four steps, named as in RFC 2136:
 *
 *   message_read -> prerequisites (3.2) -> prescan (3.4.1) -> permission (3.3) -> update (3.4.2)
 *
 * Permission comes after the prescan, since it looks at each record; whoever has no rule at all is
 * turned away before anything is looked at. The update works on copies of the names it touches
 * (struct scratch); what they differ in from the content is the result. */
#include "command/update.h"
#include "base/err.h"
#include "base/invariant.h"
#include "command/update_rule.h"
#include "wire/dnsmsg.h"
#include "wire/rdata.h"
#include "wire/serial.h"

enum { SHRINK_HANDFUL = 20, SOA_SERIAL_BACK = 20 /* bytes from the end of an SOA's data */ };

/* A record of the message. */
struct wish {
    const uint8_t *name; /* lower */
    size_t name_length;
    const uint8_t *rdata; /* canonical */
    uint32_t ttl;
    uint16_t type, class, rdata_length;
};

/* A record of a name that is touched. */
struct slot {
    const struct held_record *from; /* NULL: new */
    const uint8_t *rdata;
    uint32_t ttl;
    uint16_t type, length;
    bool there;
};

struct scratch {
    struct scratch *next;
    const uint8_t *name;
    size_t name_length;
    struct slot *slots; /* owned */
    size_t count, size;
};

struct work {
    const struct update_request *r;
    struct update_result *result;
    struct arena arena;
    struct wish *wishes; /* prerequisites, then updates */
    unsigned prerequisite_count, update_count;
    struct map names; /* of struct scratch */
    struct scratch *first;
};

static int refuse(struct work *w, enum dns_rcode rcode, const char *reason)
{
    w->result->rcode = rcode;
    w->result->reason = reason;
    if (rcode == DNS_REFUSED)
        w->result->ede = UPDATE_EDE_PROHIBITED;
    return -1;
}

/* ---- the message ---- */

int update_zone_name(const uint8_t *wire, size_t length, uint8_t ret_name[static DNAME_MAX],
                     uint16_t *ret_class)
{
    struct dnsmsg m;
    struct dnsmsg_entry e;
    int err = dnsmsg_open(wire, length, &m);
    if (err)
        return err;
    if (m.counts[DNSMSG_QUESTION] != 1)
        return ERR_SYNTAX;
    int more = dnsmsg_next(&m, &e);
    if (more <= 0)
        return more < 0 ? more : ERR_TRUNCATED;
    if (e.type != DNS_SOA)
        return ERR_SYNTAX;
    memcpy(ret_name, e.name, dname_length(e.name));
    dnsmsg_name_lower(ret_name);
    *ret_class = e.class;
    return 0;
}

/* Data with its names uncompressed and lower, in the arena. */
static int wish_data(struct work *w, const struct dnsmsg *m, const struct dnsmsg_entry *e,
                     struct wish *wish)
{
    uint8_t rdata[DNSMSG_RDATA_MAX];
    int length = dnsmsg_rdata(m, e, rdata);
    if (length < 0 || !rdata_lower(e->type, rdata, (uint16_t)length))
        return ERR_SYNTAX;
    uint8_t *copy = arena_new(&w->arena, (size_t)length + 1, 1);
    memcpy(copy, rdata, (size_t)length);
    wish->rdata = copy;
    wish->rdata_length = (uint16_t)length;
    return 0;
}

static int wish_read(struct work *w, const struct dnsmsg *m, struct dnsmsg_entry *e,
                     struct wish *wish)
{
    dnsmsg_name_lower(e->name);
    *wish = (struct wish){.name_length = dname_length(e->name),
                          .ttl = e->ttl,
                          .type = e->type,
                          .class = e->class,
                          .rdata_length = (uint16_t)e->rdata.length};
    uint8_t *name = arena_new(&w->arena, wish->name_length, 1);
    memcpy(name, e->name, wish->name_length);
    wish->name = name;
    wish->rdata = name; /* of no length, where there is none */
    bool data = e->class != DNS_CLASS_ANY && e->rdata.length && !dns_type_is_meta(e->type);
    return data ? wish_data(w, m, e, wish) : 0;
}

static int message_read(struct work *w)
{
    struct dnsmsg m;
    struct dnsmsg_entry e;
    if (dnsmsg_open(w->r->wire, w->r->length, &m) || dnsmsg_next(&m, &e) <= 0)
        return refuse(w, DNS_FORMERR, "it has no zone section that can be read");
    w->prerequisite_count = m.counts[DNSMSG_ANSWER];
    w->update_count = m.counts[DNSMSG_AUTHORITY];
    unsigned count = w->prerequisite_count + w->update_count;
    enum { RECORD_MIN = 11 };
    if (count > w->r->length / RECORD_MIN)
        return refuse(w, DNS_FORMERR, "it says to have more records than it is long");
    w->wishes = arena_new(&w->arena, count + 1u, sizeof *w->wishes);
    for (unsigned i = 0; i < count; i++)
        if (dnsmsg_next(&m, &e) <= 0 || wish_read(w, &m, &e, &w->wishes[i]))
            return refuse(w, DNS_FORMERR, "one of its records cannot be read");
    return 0;
}

static bool in_zone(const struct work *w, const struct wish *wish)
{
    const struct held_content *c = w->r->content;
    return dname_below(wish->name, wish->name_length, c->origin, c->origin_length);
}

static bool at_apex(const struct work *w, const struct wish *wish)
{
    return wish->name_length == w->r->content->origin_length;
}

/* ---- prerequisites (3.2) ---- */

static const struct held_name *held_of(const struct work *w, const struct wish *wish)
{
    return held_name_find(w->r->content, wish->name, wish->name_length);
}

/* "The name is used", "the set is there", and their opposites (3.2.1, 3.2.2, 3.2.4). */
static int existence_check(struct work *w, const struct wish *wish, bool wanted)
{
    if (wish->rdata_length)
        return refuse(w, DNS_FORMERR, "a prerequisite without data has some");
    const struct held_name *n = held_of(w, wish);
    bool whole_name = wish->type == DNS_ANY;
    bool there = whole_name ? n != NULL : held_set_first(n, wish->type) != NULL;
    if (there == wanted)
        return 0;
    if (wanted)
        return refuse(w, whole_name ? DNS_NXDOMAIN : DNS_NXRRSET, NULL);
    return refuse(w, whole_name ? DNS_YXDOMAIN : DNS_YXRRSET, NULL);
}

static bool wish_same(const struct wish *a, const struct wish *b, bool data)
{
    return a->type == b->type && dname_equal(a->name, a->name_length, b->name, b->name_length) &&
           (!data || (a->rdata_length == b->rdata_length &&
                      (!a->rdata_length || !memcmp(a->rdata, b->rdata, a->rdata_length))));
}

/* The set has exactly the records that the message gives for it (3.2.3). `which`: one of them. */
static bool set_equals(const struct work *w, const struct wish *which)
{
    const struct held_name *n = held_of(w, which);
    unsigned given = 0, held = 0;
    for (unsigned i = 0; i < w->prerequisite_count; i++) {
        const struct wish *p = &w->wishes[i];
        if (p->class != DNS_IN || !wish_same(p, which, false))
            continue;
        if (!held_record_find(n, p->type, p->rdata, p->rdata_length))
            return false;
        bool again = false;
        for (unsigned k = 0; k < i && !again; k++)
            again = w->wishes[k].class == DNS_IN && wish_same(&w->wishes[k], p, true);
        given += !again;
    }
    for (const struct held_record *r = held_set_first(n, which->type); r; r = held_set_next(r))
        held++;
    return given == held;
}

static int sets_compare(struct work *w)
{
    for (unsigned i = 0; i < w->prerequisite_count; i++) {
        const struct wish *p = &w->wishes[i];
        bool first = p->class == DNS_IN;
        for (unsigned k = 0; k < i && first; k++)
            first = w->wishes[k].class != DNS_IN || !wish_same(&w->wishes[k], p, false);
        if (first && !set_equals(w, p))
            return refuse(w, DNS_NXRRSET, NULL);
    }
    return 0;
}

static int prerequisites_check(struct work *w)
{
    for (unsigned i = 0; i < w->prerequisite_count; i++) {
        const struct wish *p = &w->wishes[i];
        int err = 0;
        if (p->ttl)
            return refuse(w, DNS_FORMERR, "a prerequisite has a TTL");
        if (!in_zone(w, p))
            return refuse(w, DNS_NOTZONE, NULL);
        if (p->class == DNS_CLASS_ANY || p->class == DNS_CLASS_NONE)
            err = existence_check(w, p, p->class == DNS_CLASS_ANY);
        else if (p->class != DNS_IN || dns_type_is_meta(p->type) ||
                 !rdata_check(p->type, p->rdata, p->rdata_length))
            return refuse(w, DNS_FORMERR, "a prerequisite has the wrong class, type or data");
        if (err)
            return err;
    }
    return sets_compare(w);
}

/* ---- prescan (3.4.1) ---- */

static bool form_good(const struct wish *u)
{
    bool meta = dns_type_is_meta(u->type) || !u->type;
    switch (u->class) {
    case DNS_IN:
        return !meta && rdata_check(u->type, u->rdata, u->rdata_length);
    case DNS_CLASS_ANY:
        return !u->ttl && !u->rdata_length && (!meta || u->type == DNS_ANY);
    case DNS_CLASS_NONE:
        return !u->ttl && !meta && rdata_check(u->type, u->rdata, u->rdata_length);
    default:
        return false;
    }
}

static int prescan(struct work *w)
{
    for (unsigned i = 0; i < w->update_count; i++) {
        const struct wish *u = &w->wishes[w->prerequisite_count + i];
        if (!in_zone(w, u))
            return refuse(w, DNS_NOTZONE, NULL);
        if (!form_good(u))
            return refuse(w, DNS_FORMERR, "a change has the wrong class, type, TTL or data");
    }
    return 0;
}

/* ---- permission (3.3) ---- */

/* Records that signing makes, and keys where it has them. */
static bool type_is_managed(const struct work *w, uint16_t type)
{
    switch (type) {
    case DNS_RRSIG:
    case DNS_NSEC:
    case DNS_NSEC3:
    case DNS_NSEC3PARAM:
        return true;
    case DNS_DNSKEY:
    case DNS_CDS:
    case DNS_CDNSKEY:
        return w->r->zone->dnssec.on;
    default:
        return false;
    }
}

/* Signatures that came with the zone would no longer fit it, and nobody here can make them anew. */
static int signed_check(struct work *w)
{
    const struct held_content *c = w->r->content;
    const struct held_name *apex = held_name_find(c, c->origin, c->origin_length);
    if (w->r->zone->dnssec.on || !held_set_first(apex, DNS_RRSIG))
        return 0;
    return refuse(w, DNS_REFUSED, "this zone was signed elsewhere: change it there");
}

static bool name_is_steered(const struct work *w, const struct wish *u)
{
    for (unsigned i = 0; i < w->r->steered_count; i++) {
        const uint8_t *name = w->r->steered[i];
        if (dname_equal(name, dname_length(name), u->name, u->name_length))
            return true;
    }
    return false;
}

static int record_permit(struct work *w, const struct wish *u, uint16_t type)
{
    if (type_is_managed(w, type))
        return refuse(w, DNS_REFUSED, "records of this type are made by this server");
    if (!update_allowed(w->r, u->name, u->name_length, type))
        return refuse(w, DNS_REFUSED, "no rule lets this key change this type at this name");
    bool addresses = type == DNS_A || type == DNS_AAAA || type == DNS_CNAME || type == DNS_DNAME;
    if (addresses && name_is_steered(w, u))
        return refuse(w, DNS_REFUSED, "this name is a service: it answers by health");
    return 0;
}

/* What a wish to delete all of a name hits: RFC 2136 3.4.2.3 keeps the apex's SOA and NS. */
static bool apex_keeps(const struct work *w, const struct wish *u, uint16_t type)
{
    return at_apex(w, u) && (type == DNS_SOA || type == DNS_NS);
}

static int permission_check(struct work *w)
{
    for (unsigned i = 0; i < w->update_count; i++) {
        const struct wish *u = &w->wishes[w->prerequisite_count + i];
        if (u->class != DNS_CLASS_ANY || u->type != DNS_ANY) {
            int err = record_permit(w, u, u->type);
            if (err)
                return err;
            continue;
        }
        if (!update_allowed(w->r, u->name, u->name_length, DNS_ANY))
            return refuse(w, DNS_REFUSED, "no rule lets this key change this name");
        const struct held_name *n = held_of(w, u);
        for (const struct held_record *r = n ? n->records : NULL; r; r = r->next) {
            int err = apex_keeps(w, u, r->type) ? 0 : record_permit(w, u, r->type);
            if (err)
                return err;
        }
    }
    return 0;
}

/* ---- update (3.4.2) ---- */

static struct slot *slot_add(struct scratch *s)
{
    s->slots = mem_grow(s->slots, s->count, &s->size, sizeof *s->slots);
    return &s->slots[s->count++];
}

static struct scratch *scratch_get(struct work *w, const struct wish *u)
{
    struct scratch *s = map_get(&w->names, u->name, u->name_length);
    if (s)
        return s;
    s = arena_new(&w->arena, 1, sizeof *s);
    *s = (struct scratch){.next = w->first, .name = u->name, .name_length = u->name_length};
    w->first = s;
    map_put(&w->names, s->name, s->name_length, s);
    const struct held_name *n = held_of(w, u);
    for (const struct held_record *r = n ? n->records : NULL; r; r = r->next)
        *slot_add(s) = (struct slot){r, r->rdata, r->ttl, r->type, r->length, true};
    return s;
}

static bool has_type(const struct scratch *s, uint16_t type)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->slots[i].there && s->slots[i].type == type)
            return true;
    return false;
}

static bool has_other_type(const struct scratch *s, uint16_t type)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->slots[i].there && s->slots[i].type != type)
            return true;
    return false;
}

static struct slot *slot_find(const struct scratch *s, const struct wish *u)
{
    for (size_t i = 0; i < s->count; i++) {
        struct slot *slot = &s->slots[i];
        if (slot->type == u->type && slot->length == u->rdata_length &&
            (!slot->length || !memcmp(slot->rdata, u->rdata, slot->length)))
            return slot;
    }
    return NULL;
}

static void type_clear(struct scratch *s, uint16_t type)
{
    for (size_t i = 0; i < s->count; i++)
        if (s->slots[i].type == type)
            s->slots[i].there = false;
}

/* May the record be added beside what is there? Where not, it is passed over (3.4.2.2). */
static bool add_fits(const struct work *w, const struct scratch *s, const struct wish *u)
{
    switch (u->type) {
    case DNS_SOA:
        return at_apex(w, u) &&
               serial_newer(held_soa_serial(u->rdata, u->rdata_length), w->r->content->serial);
    case DNS_CNAME:
        return !has_other_type(s, DNS_CNAME);
    default:
        return !has_type(s, DNS_CNAME);
    }
}

/* One record of such a type replaces the other. */
static bool type_is_single(uint16_t type)
{
    return type == DNS_SOA || type == DNS_CNAME || type == DNS_DNAME;
}

static void record_add(const struct work *w, struct scratch *s, const struct wish *u)
{
    if (!add_fits(w, s, u))
        return;
    if (type_is_single(u->type))
        type_clear(s, u->type);
    struct slot *slot = slot_find(s, u);
    if (!slot) {
        slot = slot_add(s);
        *slot = (struct slot){NULL, u->rdata, 0, u->type, u->rdata_length, false};
    }
    slot->there = true;
    for (size_t i = 0; i < s->count; i++) /* one TTL for the set: RFC 2181 5.2 */
        if (s->slots[i].type == u->type)
            s->slots[i].ttl = u->ttl;
}

static void sets_delete(const struct work *w, struct scratch *s, const struct wish *u)
{
    for (size_t i = 0; i < s->count; i++) {
        struct slot *slot = &s->slots[i];
        if ((u->type == DNS_ANY || u->type == slot->type) && !apex_keeps(w, u, slot->type))
            slot->there = false;
    }
}

static void record_delete(const struct work *w, struct scratch *s, const struct wish *u)
{
    struct slot *slot = slot_find(s, u);
    if (!slot || !slot->there || u->type == DNS_SOA)
        return;
    unsigned left = 0;
    for (size_t i = 0; i < s->count; i++)
        left += s->slots[i].there && s->slots[i].type == u->type;
    if (u->type == DNS_NS && at_apex(w, u) && left == 1)
        return; /* 3.4.2.4: the last one stays */
    slot->there = false;
}

static void updates_apply(struct work *w)
{
    for (unsigned i = 0; i < w->update_count; i++) {
        const struct wish *u = &w->wishes[w->prerequisite_count + i];
        struct scratch *s = scratch_get(w, u);
        if (u->class == DNS_IN)
            record_add(w, s, u);
        else if (u->class == DNS_CLASS_ANY)
            sets_delete(w, s, u);
        else
            record_delete(w, s, u);
    }
}

/* ---- the difference ---- */

static const struct slot *soa_slot(const struct work *w)
{
    const struct held_content *c = w->r->content;
    const struct scratch *s = map_get(&w->names, c->origin, c->origin_length);
    for (size_t i = 0; s && i < s->count; i++)
        if (s->slots[i].type == DNS_SOA && s->slots[i].there)
            return &s->slots[i];
    return NULL;
}

static int list_slot(struct held_list *l, const struct scratch *s, const struct slot *slot,
                     uint32_t ttl, unsigned *count)
{
    if (slot->type == DNS_SOA)
        return 0; /* soa_change */
    ++*count;
    return held_list_add(l, s->name, slot->type, ttl, slot->rdata, slot->length);
}

static int scratch_differ(struct work *w, const struct scratch *s)
{
    struct update_result *out = w->result;
    for (size_t i = 0; i < s->count; i++) {
        const struct slot *slot = &s->slots[i];
        bool same = slot->from && slot->there && slot->ttl == slot->from->ttl;
        int err = 0;
        if (slot->from && !same)
            err = list_slot(&out->change.removed, s, slot, slot->from->ttl, &out->removed);
        if (!err && slot->there && !same)
            err = list_slot(&out->change.added, s, slot, slot->ttl, &out->added);
        if (err)
            return err;
    }
    return 0;
}

/* The SOA record goes and comes with every change; where the message gave none that is newer, it
 * gets the next serial (RFC 2136 3.6). */
static int soa_change(struct work *w)
{
    const struct held_content *c = w->r->content;
    const struct held_record *old = held_soa(c);
    const struct slot *given = soa_slot(w);
    struct held_change *change = &w->result->change;
    bool own = given && !given->from;
    const uint8_t *data = own ? given->rdata : old->rdata;
    uint16_t length = own ? given->length : old->length;
    bool ahead = w->r->served && serial_newer(w->r->served, c->serial);
    struct serial_facts facts = {
        .policy = w->r->policy,
        .served = true,
        .changed = true,
        .last = ahead ? w->r->served : c->serial,
        .text = c->serial,
        .wall = w->r->wall,
    };
    change->from = c->serial;
    change->to = own ? held_soa_serial(data, length) : serial_next(&facts);
    uint8_t *soa = arena_new(&w->arena, length, 1);
    memcpy(soa, data, length);
    struct writer at = writer_init(soa + length - SOA_SERIAL_BACK, 4);
    writer_u32(&at, change->to);
    invariant(serial_newer(change->to, change->from));
    int err =
        held_list_add(&change->removed, c->origin, DNS_SOA, old->ttl, old->rdata, old->length);
    return err ? err
               : held_list_add(&change->added, c->origin, DNS_SOA, own ? given->ttl : old->ttl, soa,
                               length);
}

static bool update_shrinks(unsigned lost, unsigned total)
{
    return lost > SHRINK_HANDFUL && (uint64_t)lost * 3 >= total;
}

/* L3: counted as zone_shrinks() does, by names that are left with nothing and by records. */
static int shrink_check(struct work *w)
{
    const struct update_result *out = w->result;
    unsigned names = 0;
    for (const struct scratch *s = w->first; s; s = s->next) {
        bool before = false, after = false;
        for (size_t i = 0; i < s->count; i++) {
            before |= s->slots[i].from != NULL;
            after |= s->slots[i].there;
        }
        names += before && !after;
    }
    unsigned records = out->removed > out->added ? out->removed - out->added : 0;
    bool large = update_shrinks(names, (unsigned)w->r->content->names.count) ||
                 update_shrinks(records, w->r->content->record_count);
    if (large && !update_may_shrink(&w->r->zone->update, w->r->key))
        return refuse(w, DNS_REFUSED,
                      "this would delete a third of the zone; its rule does not say shrink: true");
    return 0;
}

static int difference(struct work *w)
{
    const struct slot *soa = soa_slot(w);
    int err = 0;
    for (const struct scratch *s = w->first; s && !err; s = s->next)
        err = scratch_differ(w, s);
    bool changed = w->result->removed || w->result->added || (soa && !soa->from);
    if (!err && changed)
        err = soa_change(w);
    if (err)
        return refuse(w, DNS_SERVFAIL, NULL);
    err = shrink_check(w);
    w->result->changed = changed && !err;
    return err;
}

void update_run(const struct update_request *r, struct update_result *ret)
{
    *ret = (struct update_result){.rcode = DNS_NOERROR};
    struct work w = {.r = r, .result = ret, .arena = arena_init(), .names = map_init()};
    int err = update_key_known(&r->zone->update, r->key)
                  ? 0
                  : refuse(&w, DNS_REFUSED, "this key has no rule in this zone");
    err = err ? err : signed_check(&w);
    err = err ? err : message_read(&w);
    err = err ? err : prerequisites_check(&w);
    err = err ? err : prescan(&w);
    err = err ? err : permission_check(&w);
    if (!err) {
        updates_apply(&w);
        err = difference(&w);
    }
    for (struct scratch *s = w.first; s; s = s->next)
        free(s->slots);
    map_done(&w.names);
    arena_done(&w.arena);
    if (err)
        held_change_done(&ret->change);
}
