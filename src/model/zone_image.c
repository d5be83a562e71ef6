/* Answer images (model/zone.h): the records of an answer as they go on the wire behind the
 * question.
 *
 * A picture is drawn for a question whose name ends with the *anchor*. A fixed picture's anchor is
 * the whole question. A floating one (wildcards, referrals, the negative answer) is drawn as if the
 * question were the origin; every pointer but the plain 0xc00c is listed as a fix-up, which the
 * server moves by how much longer the real question is. Before that a pointer into the anchor of a
 * referral may lie below 0xc00c: the sum is taken modulo 2^16. */
#include "base/err.h"
#include "base/invariant.h"
#include "model/zone_build.h"
#include "wire/rdata.h"

enum {
    SUFFIXES_MAX = 64, /* names kept for compression; a cap on time, not on correctness */
    TARGETS_MAX = 64,  /* names whose addresses are added */
    POINTER_MAX = 0x3fff,
    QUESTION_TAIL = 4,    /* type and class */
    UDP_SAFE = 1232 - 11, /* what fits with an OPT record (DNS flag day 2020) */
    RECORD_FIXED = 10,    /* type, class, TTL, length */
};

struct suffix {
    const uint8_t *name;
    size_t length;
    int offset; /* in the message, as drawn */
};

struct drawing {
    const struct zone_builder *b;
    struct zone_picture *out;
    struct writer w; /* over out->bytes */
    bool floating;
    size_t drawn_length; /* of the question's name that it is drawn for */
    const uint8_t *anchor;
    size_t anchor_length;
    struct suffix suffixes[SUFFIXES_MAX];
    unsigned suffix_count;
    const struct build_node *targets[TARGETS_MAX];
    unsigned target_count;
    struct rdata_target lowered[TARGETS_MAX]; /* names that the records have in other letters */
    unsigned lowered_count;
};

static void drawing_start(struct drawing *d, const struct zone_builder *b, struct zone_picture *out,
                          bool floating, size_t drawn_length)
{
    size_t longest = floating ? DNAME_MAX : drawn_length;

    d->b = b;
    d->out = out;
    d->floating = floating;
    d->drawn_length = drawn_length;
    d->suffix_count = d->target_count = d->lowered_count = 0;
    d->w = writer_init(out->bytes, DNS_MESSAGE_MAX - DNS_HEADER_SIZE - longest - QUESTION_TAIL);
    out->head = (struct zone_image){0};
}

static void anchor_set(struct drawing *d, const uint8_t *anchor, size_t length)
{
    d->anchor = anchor;
    d->anchor_length = length;
}

/* Where the next byte will lie in the message. */
static int drawing_offset(const struct drawing *d)
{
    return (int)(DNS_HEADER_SIZE + d->drawn_length + QUESTION_TAIL + d->w.position);
}

/* ---- names ---- */

/* Where the message already holds this name; false where it does not. */
static bool suffix_find(const struct drawing *d, const uint8_t *name, size_t length,
                        int *ret_offset)
{
    if (dname_below(d->anchor, d->anchor_length, name, length)) {
        *ret_offset = DNS_HEADER_SIZE + (int)d->drawn_length - (int)length;
        return true;
    }
    for (unsigned i = 0; i < d->suffix_count; i++)
        if (dname_equal(d->suffixes[i].name, d->suffixes[i].length, name, length)) {
            *ret_offset = d->suffixes[i].offset;
            return true;
        }
    return false;
}

/* Remembers that `name` (which stays) starts at the next byte. */
static void suffix_note(struct drawing *d, const uint8_t *name, size_t length)
{
    int offset = drawing_offset(d), most = POINTER_MAX - (d->floating ? DNAME_MAX : 0);

    if (d->suffix_count < SUFFIXES_MAX && offset <= most && length > 1)
        d->suffixes[d->suffix_count++] = (struct suffix){name, length, offset};
}

static void pointer_write(struct drawing *d, int offset)
{
    struct zone_image *head = &d->out->head;

    if (d->floating) {
        if (head->fixup_count == ZONE_FIXUPS_MAX) {
            d->w.failed = true;
            return;
        }
        d->out->fixups[head->fixup_count++] = (uint16_t)d->w.position;
    }
    writer_u16(&d->w, (uint16_t)(0xc000 + offset));
}

/* A name with compression; `name` must outlive the drawing. */
static void name_write(struct drawing *d, const uint8_t *name, size_t length)
{
    int offset;

    for (; *name; length -= *name + 1u, name += *name + 1) {
        bool full = d->floating && d->out->head.fixup_count == ZONE_FIXUPS_MAX;
        if (!full && suffix_find(d, name, length, &offset)) {
            pointer_write(d, offset);
            return;
        }
        suffix_note(d, name, length);
        writer_bytes(&d->w, name, *name + 1u);
    }
    writer_u8(&d->w, 0);
}

/* ---- records ---- */

/* The target in lower letters, for as long as the drawing: NULL where there were too many. */
static const uint8_t *target_name(struct drawing *d, const uint8_t *rdata,
                                  const struct rdata_target *t)
{
    if (memcmp(rdata + t->offset, t->name, t->length) == 0)
        return rdata + t->offset;
    for (unsigned i = 0; i < d->lowered_count; i++)
        if (dname_equal(d->lowered[i].name, d->lowered[i].length, t->name, t->length))
            return d->lowered[i].name;
    if (d->lowered_count == TARGETS_MAX)
        return NULL;
    d->lowered[d->lowered_count] = *t;
    return d->lowered[d->lowered_count++].name;
}

/* Data with its names compressed where that is allowed; the length is filled in behind. */
static void rdata_write(struct drawing *d, const struct zone_entry *e)
{
    const uint8_t *rdata = zone_entry_rdata(e);
    uint16_t names[2];
    unsigned count = rdata_compressible(e->type, rdata, names);
    size_t length_at = d->w.position, from = 0;
    struct rdata_target target;

    writer_u16(&d->w, e->rdata_length);
    for (unsigned i = 0; i < count; i++) {
        size_t length = dname_length(rdata + names[i]);
        writer_bytes(&d->w, rdata + from, names[i] - from);
        name_write(d, rdata + names[i], length);
        from = names[i] + length;
    }
    if (!count && rdata_target(e->type, rdata, &target) && target.length) {
        /* Not compressed itself (SRV, SVCB), but an address behind it may point here. */
        const uint8_t *name = target_name(d, rdata, &target);
        writer_bytes(&d->w, rdata, target.offset);
        if (name)
            suffix_note(d, name, target.length);
        from = target.offset;
    }
    writer_bytes(&d->w, rdata + from, e->rdata_length - from);
    if (d->w.failed)
        return;
    size_t length = d->w.position - length_at - 2;
    d->w.data[length_at] = (uint8_t)(length >> 8);
    d->w.data[length_at + 1] = (uint8_t)length;
}

/* One record behind its owner. */
static void record_write(struct drawing *d, const struct zone_entry *e, uint32_t ttl)
{
    writer_u16(&d->w, e->type);
    writer_u16(&d->w, DNS_IN);
    writer_u32(&d->w, ttl);
    rdata_write(d, e);
}

/* A set whose owner is the question's name. */
static void answers_write(struct drawing *d, const struct build_set *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        writer_u16(&d->w, 0xc000 + DNS_HEADER_SIZE);
        record_write(d, set->items[i].entry, set->ttl);
    }
    d->out->head.answers = (uint16_t)set->count;
}

/* ---- what goes along ---- */

/* A name whose sets go along. name: NULL = the question's. */
struct companion {
    const struct build_node *node;
    const uint8_t *name;
};

/* The set of one type, or nothing where it would not fit into `most` bytes of message. */
static void companion_write(struct drawing *d, struct companion c, uint16_t type, size_t most)
{
    struct zone_image before = d->out->head;
    size_t position = d->w.position;
    struct build_set set;

    if (!build_set_find(d->b, c.node, type, &set))
        return;
    for (uint32_t i = 0; i < set.count; i++) {
        if (c.name)
            name_write(d, c.name, c.node->name_length);
        else
            writer_u16(&d->w, 0xc000 + DNS_HEADER_SIZE);
        record_write(d, set.items[i].entry, set.ttl);
    }
    if (!d->w.failed && (size_t)drawing_offset(d) <= most) {
        d->out->head.additionals = (uint16_t)(before.additionals + set.count);
        return;
    }
    if (most == DNS_MESSAGE_MAX)
        return; /* must go along: the failure stays */
    d->w.position = position;
    d->w.failed = false;
    d->out->head = before;
    while (d->suffix_count && d->suffixes[d->suffix_count - 1].offset >= drawing_offset(d))
        d->suffix_count--;
}

/* Each target once. */
static bool target_is_new(struct drawing *d, const struct build_node *n)
{
    for (unsigned i = 0; i < d->target_count; i++)
        if (d->targets[i] == n)
            return false;
    if (d->target_count == TARGETS_MAX)
        return false;
    d->targets[d->target_count++] = n;
    return true;
}

/* The addresses of the set's targets that `wanted` picks. Occluded ones are glue, which only helps
 * to reach name servers. */
enum target_wanted { TARGET_ANY, TARGET_IN_DOMAIN, TARGET_SIBLING };
static void companions_write(struct drawing *d, const struct build_node *owner,
                             const struct build_set *set, enum target_wanted wanted, size_t most)
{
    struct rdata_target t;

    for (uint32_t i = 0; rdata_has_target(set->type) && i < set->count; i++) {
        const uint8_t *rdata = zone_entry_rdata(set->items[i].entry);
        struct companion c = {owner, NULL};
        if (!rdata_target(set->type, rdata, &t))
            continue;
        bool in_domain = dname_below(t.name, t.length, d->anchor, d->anchor_length);
        if ((wanted == TARGET_IN_DOMAIN && !in_domain) || (wanted == TARGET_SIBLING && in_domain))
            continue;
        if (t.length) {
            c.node = zone_index_find(d->b, t.name, t.length);
            c.name = target_name(d, rdata, &t);
        }
        if (!c.node || (t.length && !c.name) ||
            (set->type != DNS_NS && c.node->flags & (NODE_CUT | NODE_BELOW_CUT)) ||
            !target_is_new(d, c.node))
            continue;
        if (t.alias && c.node != owner)
            companion_write(d, c, set->type, most);
        companion_write(d, c, DNS_A, most);
        companion_write(d, c, DNS_AAAA, most);
    }
}

static int drawing_finish(struct drawing *d)
{
    struct zone_image *head = &d->out->head;

    if (d->w.failed)
        return ERR_LIMIT;
    invariant(head->required <= d->w.position);
    head->length = (uint16_t)d->w.position;
    return 0;
}

/* ---- pictures ---- */

int zone_picture_answer(const struct zone_builder *b, const struct build_node *n,
                        const uint8_t *name, const struct build_set *set, struct zone_picture *ret)
{
    struct drawing d;
    bool wildcard = n->flags & NODE_WILDCARD;

    drawing_start(&d, b, ret, wildcard, wildcard ? b->origin_length : n->name_length);
    if (wildcard)
        anchor_set(&d, name + 2, n->name_length - 2u); /* its parent ends every question */
    else
        anchor_set(&d, name, n->name_length);
    answers_write(&d, set);
    if (d.w.failed)
        return ERR_LIMIT;
    ret->head.required = (uint16_t)d.w.position;
    companions_write(&d, n, set, TARGET_ANY, UDP_SAFE);
    return drawing_finish(&d);
}

/* RFC 9471: glue within the delegated domain always goes along; the server sets TC where it does
 * not fit. Other addresses go along while they fit in a common UDP answer. */
int zone_picture_referral(const struct zone_builder *b, const struct build_node *n,
                          const uint8_t *name, const struct build_set *set,
                          struct zone_picture *ret)
{
    struct drawing d;

    drawing_start(&d, b, ret, true, b->origin_length);
    anchor_set(&d, name, n->name_length);
    for (uint32_t i = 0; i < set->count; i++) {
        name_write(&d, name, n->name_length);
        record_write(&d, set->items[i].entry, set->ttl);
    }
    if (d.w.failed)
        return ERR_LIMIT;
    ret->head.authorities = (uint16_t)set->count;
    ret->head.required = (uint16_t)d.w.position;
    companions_write(&d, n, set, TARGET_IN_DOMAIN, DNS_MESSAGE_MAX);
    companions_write(&d, n, set, TARGET_SIBLING, UDP_SAFE);
    return drawing_finish(&d);
}

uint32_t zone_negative_ttl(const struct zone_builder *b)
{
    struct build_set soa;

    bool known = build_set_find(b, &b->nodes[0], DNS_SOA, &soa);
    invariant(known);
    const struct zone_entry *e = soa.items[0].entry;
    struct reader minimum = reader_init(zone_entry_rdata(e) + e->rdata_length - 4, 4);
    uint32_t ttl = reader_u32(&minimum);
    return ttl < soa.ttl ? ttl : soa.ttl;
}

int zone_picture_negative(const struct zone_builder *b, const struct build_set *soa,
                          struct zone_picture *ret)
{
    const struct zone_entry *e = soa->items[0].entry;
    struct drawing d;

    invariant(soa->count == 1);
    drawing_start(&d, b, ret, true, b->origin_length);
    anchor_set(&d, b->origin, b->origin_length);
    name_write(&d, b->origin, b->origin_length);
    record_write(&d, e, zone_negative_ttl(b));
    if (d.w.failed)
        return ERR_LIMIT;
    ret->head.authorities = 1;
    ret->head.required = (uint16_t)d.w.position;
    return drawing_finish(&d);
}
