/* The expensive half of opening: nothing of the file is believed, not even that its checksum means
 * well. Invariants of a compiled zone, all checked here so that the query path needs no checks:
 *
 * 1. The sections follow one another without gaps: table, heap, steered, negative image, chain,
 * nodes.
 * 2. Nodes stand in canonical order, names lower and valid; each one's parent is the node one label
 *    up, and is there.
 * 3. Every slot leads to a node, and each node is found by probing for its own name; the table is
 * at most half full, so probing ends.
 * 4. Sets and images lie where their node says, one behind the other, records are well-formed data
 *    of their type; an image's bytes are exactly the records it counts.
 * 5. Flags say what the records say; the apex has SOA and NS.
 * 6. In a signed zone every set has signatures but delegations and what lies below them, and the
 * chain leads in order to NSEC records of names that are ours, the apex first, or to NSEC3
 * records. Where signatures and chain came with the zone (ZONE_GIVEN), they may lack any of that:
 * what is there leads in order to what there is. */
#include "model/zone_verify.h"
#include "base/bytes.h"
#include "base/invariant.h"
#include "wire/dns.h"
#include "wire/rdata.h"

/* ---- images ---- */

/* The records of an image and its fix-ups. */
struct image_reader {
    struct reader r;
    const uint16_t *fixups;
    unsigned fixup_count;
};

/* Is there a fix-up at the position? Those before it are passed. */
static bool at_fixup(struct image_reader *i)
{
    for (; i->fixup_count && *i->fixups < i->r.position; i->fixup_count--)
        i->fixups++;
    return i->fixup_count && *i->fixups == i->r.position;
}

/* A word with a fix-up is a pointer, whatever it looks like before the addition. */
static bool name_skip(struct image_reader *i)
{
    for (;;) {
        if (at_fixup(i))
            return reader_take(&i->r, 2);
        uint8_t length = reader_u8(&i->r);
        if (length >= 0xc0)
            return reader_take(&i->r, 1);
        if (length > DNAME_LABEL_MAX || i->r.failed)
            return false;
        if (length == 0)
            return true;
        reader_take(&i->r, length);
    }
}

static bool records_skip(struct image_reader *i, unsigned count)
{
    for (; count; count--) {
        if (!name_skip(i))
            return false;
        reader_take(&i->r, 8);
        reader_take(&i->r, reader_u16(&i->r));
        if (i->r.failed)
            return false;
    }
    return true;
}

static bool fixups_ascend(const struct zone_image *i)
{
    const uint16_t *fixups = zone_image_fixups(i);

    for (unsigned f = 0; f < i->fixup_count; f++)
        if (fixups[f] + 2u > i->length || (f && fixups[f] < fixups[f - 1] + 2u))
            return false;
    return true;
}

/* The image at *position, which moves behind it. question: bytes of the name it is sent for. */
static bool image_check(const struct zone *z, uint64_t *position, uint64_t end, unsigned answers,
                        unsigned authorities, size_t question)
{
    const struct zone_image *i = (const struct zone_image *)(z->base + *position);

    if (end - *position < sizeof *i || i->answers != answers || i->authorities != authorities)
        return false;
    uint64_t size = sizeof *i + i->fixup_count * sizeof(uint16_t) + ((i->length + 1u) & ~1u);
    if (end - *position < size ||
        i->length > DNS_MESSAGE_MAX - DNS_HEADER_SIZE - sizeof(uint32_t) - question)
        return false;
    struct image_reader r = {reader_init(zone_image_bytes(i), i->length), zone_image_fixups(i),
                             i->fixup_count};
    if (!fixups_ascend(i) || !records_skip(&r, answers + authorities) ||
        r.r.position != i->required || !records_skip(&r, i->additionals) || reader_left(&r.r))
        return false;
    *position += size;
    return true;
}

/* ---- sets ---- */

static bool rdata_pass(struct reader *data, uint16_t type, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        const uint8_t *p = reader_take(data, 2);
        uint16_t length = 0;
        if (p)
            memcpy(&length, p, 2);
        const uint8_t *rdata = reader_take(data, length);
        if (!rdata || !rdata_check(type, rdata, length))
            return false;
    }
    return true;
}

static bool records_check(struct verify_walk *w, const struct zone_set *s, bool is_signed)
{
    uint64_t end = w->z->header->steered, at = (uint64_t)s->records * 8;

    if (!w->heap && at >= verify_heap_begin(w->z->header) && at <= end)
        w->heap = w->heap_first = at;
    if (at != w->heap || end - w->heap < sizeof(struct zone_records))
        return false;
    const struct zone_records *r = (const struct zone_records *)(w->z->base + w->heap);
    bool given = w->z->header->flags & ZONE_GIVEN;
    if (r->count != s->record_count || r->count == 0 || r->length > end - w->heap - sizeof *r ||
        (!given && (r->signatures > 0) != is_signed))
        return false;
    struct reader data = reader_init(r + 1, r->length);
    if (!rdata_pass(&data, s->type, r->count) || !rdata_pass(&data, DNS_RRSIG, r->signatures))
        return false;
    w->records += r->count;
    w->heap += (sizeof *r + r->length + 7) & ~(uint64_t)7;
    return reader_left(&data) == 0 && w->heap <= end;
}

static bool set_image_check(struct verify_walk *w, const struct zone_node *n, uint64_t offset,
                            const struct zone_set *s)
{
    bool cut = n->flags & NODE_CUT, referral = cut && s->type == DNS_NS;
    bool floating = referral || n->flags & NODE_WILDCARD;

    if (zone_type_is_hidden(s->type)) /* only where it binds the name to a service */
        return s->image == 0 && n->flags & NODE_STEERED && s->record_count == 1;
    if (n->flags & NODE_BELOW_CUT || (cut && !referral && s->type != DNS_DS))
        return s->image == 0;
    return s->image == w->position - offset &&
           image_check(w->z, &w->position, w->z->header->size, referral ? 0 : s->record_count,
                       referral ? s->record_count : 0, floating ? DNAME_MAX : n->name_length);
}

/* RFC 4035 2.2: what is ours; not a delegation, nor glue. */
static bool set_is_signed(const struct zone_header *h, const struct zone_node *n, uint16_t type)
{
    return h->flags & ZONE_SIGNED && !(n->flags & NODE_BELOW_CUT) && !zone_type_is_hidden(type) &&
           (!(n->flags & NODE_CUT) || type == DNS_DS || type == DNS_NSEC);
}

/* A name with an NSEC record is the chain's next. */
static bool link_check(struct verify_walk *w, const struct zone_node *n, uint64_t offset)
{
    const struct zone_header *h = w->z->header;
    const uint32_t *chain = (const uint32_t *)(w->z->base + h->chain);
    const struct zone_set *nsec = zone_node_set(n, DNS_NSEC);

    if (!(h->flags & ZONE_SIGNED) || h->flags & ZONE_NSEC3 || n->flags & NODE_BELOW_CUT)
        return true;
    if (!nsec)
        return !(n->flags & NODE_APEX) || h->flags & ZONE_GIVEN;
    return (nsec->record_count == 1 || h->flags & ZONE_GIVEN) && w->links < h->chain_count &&
           chain[w->links++] == offset / 8;
}

static bool sets_check(struct verify_walk *w, const struct zone_node *n, uint64_t offset)
{
    uint16_t last = 0;

    for (unsigned i = 0; i < n->set_count; i++) {
        const struct zone_set *s = &n->sets[i];
        if (s->type <= last || !records_check(w, s, set_is_signed(w->z->header, n, s->type)) ||
            !set_image_check(w, n, offset, s))
            return false;
        last = s->type;
    }
    return true;
}

/* ---- nodes ---- */

/* One label, lower, in front of the parent's name. What that is was checked when it was walked, so
 * the first label is all there is to look at. */
static bool name_extends(const struct zone_node *n, const struct zone_node *up)
{
    const uint8_t *name = zone_node_name(n);

    if (n->name_length <= up->name_length)
        return false;
    size_t label = name[0];
    return label > 0 && label <= DNAME_LABEL_MAX &&
           dname_equal(name + 1 + label, n->name_length - 1 - label, zone_node_name(up),
                       up->name_length) &&
           dname_label_lower(name + 1, label);
}

/* Leaves the ancestors of the node on the stack; false where its parent is not among them, its name
 * is not one below that, or comes before one that was walked. What stands on the stack behind the
 * parent is the last name under it, and nothing where the parent was the last node. */
static bool levels_climb(struct verify_walk *w, const struct zone_node *n)
{
    unsigned depth = w->depth;

    while (depth && w->levels[depth - 1].offset != (uint64_t)n->parent * 8)
        depth--;
    if (!depth || !name_extends(n, w->levels[depth - 1].node) ||
        (depth < w->depth &&
         dname_label_compare(zone_node_name(w->levels[depth].node), zone_node_name(n)) >= 0))
        return false;
    w->depth = depth;
    return true;
}

/* The flags that a node must have; `up` is NULL for the apex. */
static unsigned flags_expected(const struct zone_node *n, const struct zone_node *up,
                               const uint8_t *name)
{
    unsigned flags = n->flags & (NODE_STEERED | NODE_HAS_WILDCARD_CHILD);

    if (!up)
        flags |= NODE_APEX;
    else if (name[0] == 1 && name[1] == '*')
        flags |= NODE_WILDCARD;
    if (up && up->flags & (NODE_CUT | NODE_BELOW_CUT))
        flags |= NODE_BELOW_CUT;
    else if (up && zone_node_set(n, DNS_NS))
        flags |= NODE_CUT;
    if (zone_node_set(n, DNS_CNAME))
        flags |= NODE_CNAME;
    if (!n->set_count && !(n->flags & NODE_STEERED))
        flags |= NODE_EMPTY;
    return flags;
}

static bool links_check(const struct verify_walk *w, const struct zone_node *n, uint64_t offset)
{
    uint64_t cut = n->flags & NODE_CUT ? offset / 8 : 0;

    if (n->flags & NODE_APEX)
        return n->cut == 0 && n->parent == 0;
    const struct verify_level *up = &w->levels[w->depth - 1];
    invariant(w->depth > 0 && up->node);
    if (n->flags & NODE_BELOW_CUT)
        cut = up->node->cut;
    return n->cut == cut; /* the parent was found by its offset */
}

static bool steered_check(struct verify_walk *w, const struct zone_node *n, uint64_t offset)
{
    const struct zone_header *h = w->z->header;

    if (!(n->flags & NODE_STEERED))
        return n->steered == 0;
    w->steered++;
    return n->steered < h->steered_count && !(n->flags & (NODE_CUT | NODE_BELOW_CUT)) &&
           ((const uint64_t *)(w->z->base + h->steered))[n->steered] == offset &&
           !zone_node_set(n, DNS_A) && !zone_node_set(n, DNS_AAAA) && !zone_node_set(n, DNS_CNAME);
}

static bool slot_check(const struct zone *z, const struct verify_slot *w)
{
    uint32_t mask = z->header->slot_mask;
    uint32_t i = (uint32_t)w->hash & mask;

    for (; (uint32_t)z->slots[i]; i = (i + 1) & mask)
        if (z->slots[i] == w->slot)
            return true;
    return false;
}

/* Notes the slot that this node must be found in; false where that of an earlier one is wrong. */
static bool slot_note(struct verify_walk *w, const uint8_t *name, size_t length, uint64_t offset)
{
    struct verify_slot *at = &w->slots[w->slot_next++ % VERIFY_SLOTS_AHEAD], earlier = *at;

    at->hash = dname_hash(name, length);
    at->slot = zone_slot(at->hash, offset);
    __builtin_prefetch(&w->z->slots[(uint32_t)at->hash & w->z->header->slot_mask]);
    return !earlier.slot || slot_check(w->z, &earlier);
}

bool verify_slots_noted(const struct verify_walk *w)
{
    for (unsigned i = 0; i < VERIFY_SLOTS_AHEAD; i++)
        if (w->slots[i].slot && !slot_check(w->z, &w->slots[i]))
            return false;
    return true;
}

static void tally(struct verify_walk *w, const struct zone_node *n, unsigned labels)
{
    if (labels > w->labels_max)
        w->labels_max = (uint8_t)labels;
    w->wildcards += (n->flags & NODE_WILDCARD) != 0;
    w->wildcard_parents += (n->flags & NODE_HAS_WILDCARD_CHILD) != 0;
    if (n->flags & NODE_WILDCARD)
        w->flags |= ZONE_HAS_WILDCARD;
    if (n->flags & NODE_CUT)
        w->flags |= ZONE_HAS_CUT;
}

/* Is this node as it should be, apart from its sets? Their heads and the name are in the file. */
static bool node_head_check(struct verify_walk *w, const struct zone_node *n, uint64_t offset)
{
    const uint8_t *name = zone_node_name(n);
    bool apex = offset == w->z->header->apex;

    if (apex ? !dname_equal(name, n->name_length, w->z->header->origin, w->z->header->origin_length)
             : !levels_climb(w, n))
        return false;
    const struct zone_node *up = apex ? NULL : w->levels[w->depth - 1].node;
    if (n->flags != flags_expected(n, up, name) ||
        (n->flags & NODE_WILDCARD && !(up && up->flags & NODE_HAS_WILDCARD_CHILD)) ||
        !links_check(w, n, offset) || !steered_check(w, n, offset) ||
        !slot_note(w, name, n->name_length, offset))
        return false;
    invariant(w->depth <= DNAME_LABELS_MAX);
    w->levels[w->depth++] = (struct verify_level){offset, n};
    tally(w, n, w->z->header->labels + w->depth - 1);
    return true;
}

bool verify_node(struct verify_walk *w)
{
    uint64_t offset = w->position, left = w->z->header->size - offset;
    const struct zone_node *n = zone_node_at(w->z, offset);

    if (left < sizeof *n ||
        left - sizeof *n < n->set_count * sizeof(struct zone_set) + n->name_length)
        return false;
    uint64_t size = sizeof *n + n->set_count * sizeof(struct zone_set) + n->name_length;
    if (left < ((size + 1) & ~(uint64_t)1) || !node_head_check(w, n, offset))
        return false;
    w->position += (size + 1) & ~(uint64_t)1;
    if (!sets_check(w, n, offset) || !link_check(w, n, offset))
        return false;
    w->position = (w->position + 7) & ~(uint64_t)7;
    w->nodes++;
    return w->position <= w->z->header->size;
}

static bool negative_check(const struct zone *z)
{
    const struct zone_header *h = z->header;
    uint64_t position = h->negative;

    return h->steered + h->steered_count * sizeof(uint64_t) == h->negative &&
           image_check(z, &position, h->size, 0, 1, DNAME_MAX) &&
           ((position + 7) & ~(uint64_t)7) == h->chain;
}

bool verify_variants(struct verify_walk *w)
{
    const struct zone_header *h = w->z->header;

    for (uint32_t i = 0; h->flags & ZONE_SIGNED && i < h->steered_count * 2; i++) {
        struct zone_set set = {.type = verify_has_nsec(h) ? DNS_NSEC : DNS_NSEC3,
                               .record_count = 1};
        set.records = zone_variant(w->z, i / 2, i % 2);
        if (set.records && !records_check(w, &set, true))
            return false;
    }
    return true;
}

/* The records of an NSEC3 chain follow those of the nodes. */
bool verify_chain(struct verify_walk *w)
{
    const struct zone_header *h = w->z->header;
    const struct zone_link *links = (const struct zone_link *)(w->z->base + h->chain);

    for (uint32_t i = 0; h->flags & ZONE_NSEC3 && i < h->chain_count; i++) {
        struct zone_set set = {.type = DNS_NSEC3, .record_count = 1, .records = links[i].records};
        if (!records_check(w, &set, true) ||
            (i && memcmp(links[i - 1].hash, links[i].hash, ZONE_HASH_SIZE) >= 0))
            return false;
    }
    return true;
}

static bool sections_check(const struct zone_header *h)
{
    uint64_t variants = h->flags & ZONE_SIGNED ? h->steered_count * 2 * sizeof(uint32_t) : 0;
    return zone_variants(h) + variants == h->nodes;
}

bool verify_apex(const struct zone *z)
{
    const struct zone_node *apex = zone_node_at(z, z->header->apex);
    const struct zone_set *soa = zone_node_set(apex, DNS_SOA);

    if (!soa || soa->record_count != 1 || !zone_node_set(apex, DNS_NS))
        return false;
    const struct zone_records *r = (const void *)(z->base + (uint64_t)soa->records * 8);
    uint16_t length;
    memcpy(&length, r + 1, sizeof length);
    struct reader serial = reader_init((const uint8_t *)(r + 1) + sizeof length + length - 20, 4);
    return reader_u32(&serial) == z->header->serial;
}

bool verify_table(const struct zone *z)
{
    uint64_t used = 0;

    for (uint64_t i = 0; i <= z->header->slot_mask; i++)
        used += (uint32_t)z->slots[i] != 0;
    /* Each node was found in a slot of its own, so these lead to all of them and nowhere else. */
    return used == z->header->node_count;
}

bool verify_frame(const struct zone *z)
{
    const struct zone_header *h = z->header;
    uint64_t heap = verify_heap_begin(h);

    return dname_check(h->origin, h->origin_length) == h->origin_length &&
           dname_labels(h->origin) == h->labels && heap % 8 == 0 && heap <= h->steered &&
           sections_check(h) && negative_check(z);
}
