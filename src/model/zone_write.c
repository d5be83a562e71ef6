/* Laying the file out: header, hash table, record heap, steered names, negative image, nodes. */
#include "base/invariant.h"
#include "base/memory.h"
#include "model/zone_build.h"
#include "wire/rdata.h"
#include <stdlib.h>

enum { SLOTS_ALIGN = 64, NODE_GUESS = 96 };

/* The file while it grows. Offsets, not pointers, are kept: it moves. */
struct zone_out {
    uint8_t *data;
    size_t used, size;
    size_t heap;    /* where the next set's records go */
    size_t records; /* written so far */
    size_t sets;    /* written so far */
    struct zone_picture *picture;
};

static size_t align_up(size_t v, size_t to)
{
    return (v + to - 1) & ~(to - 1);
}

/* Room for `size` zero bytes at the end; returns its offset. */
static size_t out_take(struct zone_out *o, size_t size)
{
    size_t at = o->used;

    if (o->size - o->used < size) {
        o->size = (o->used + size) + (o->used + size) / 2;
        o->data = mem_resize(o->data, o->size, 1);
    }
    memset(o->data + at, 0, size);
    o->used += size;
    return at;
}

static void out_align(struct zone_out *o, size_t to)
{
    out_take(o, align_up(o->used, to) - o->used);
}

/* ---- records ---- */

static const struct build_signatures *signatures_of(const struct zone_builder *b, size_t set)
{
    static const struct build_signatures none;

    invariant(!b->signatures || set < b->signature_count);
    return b->signatures ? &b->signatures[set] : &none;
}

static size_t records_size(const struct build_set *set, const struct build_signatures *s)
{
    size_t size = sizeof(struct zone_records) + s->length;

    for (uint32_t i = 0; i < set->count; i++)
        size += 2u + set->items[i].entry->rdata_length;
    return align_up(size, 8);
}

/* A link's NSEC3 record as a set. */
static struct build_set link_set(const struct build_link *l, struct zone_item *item)
{
    *item = (struct zone_item){.entry = l->entry};
    return (struct build_set){.type = DNS_NSEC3, .ttl = l->entry->ttl, .count = 1, .items = item};
}

static size_t heap_size(const struct zone_builder *b)
{
    struct zone_item item;
    size_t size = 0, sets = 0;
    struct build_set set;

    for (size_t i = 0; i < b->node_count; i++)
        for (uint32_t position = 0; build_set_next(b, &b->nodes[i], &position, &set);)
            size += records_size(&set, signatures_of(b, sets++));
    for (size_t i = 0; i < b->link_count; i++) {
        struct build_set link = link_set(&b->links[i], &item);
        size += records_size(&link, &b->links[i].signatures);
    }
    for (size_t i = 0; i < b->variant_count; i++)
        if (b->variants[i].entry) {
            struct build_set variant = link_set(&b->variants[i], &item);
            size += records_size(&variant, &b->variants[i].signatures);
        }
    return size;
}

/* Returns the offset / 8. */
static uint32_t records_write(struct zone_out *o, const struct build_set *set,
                              const struct build_signatures *s)
{
    size_t start = o->heap, at = start + sizeof(struct zone_records);

    for (uint32_t i = 0; i < set->count; i++) {
        const struct zone_entry *e = set->items[i].entry;
        memcpy(o->data + at, &e->rdata_length, 2);
        memcpy(o->data + at + 2, zone_entry_rdata(e), e->rdata_length);
        at += 2u + e->rdata_length;
    }
    if (s->length)
        memcpy(o->data + at, s->data, s->length);
    at += s->length;
    struct zone_records *r = (struct zone_records *)(o->data + start);
    r->count = (uint16_t)set->count;
    r->signatures = s->count;
    r->length = (uint32_t)(at - start - sizeof *r);
    o->heap = align_up(at, 8);
    o->records += set->count;
    return (uint32_t)(start / 8);
}

/* ---- nodes ---- */

/* Returns the image's offset. */
static size_t picture_write(struct zone_out *o)
{
    const struct zone_picture *p = o->picture;
    size_t fixups = p->head.fixup_count * sizeof(uint16_t);
    size_t at = out_take(o, sizeof p->head + fixups + align_up(p->head.length, 2));

    memcpy(o->data + at, &p->head, sizeof p->head);
    memcpy(o->data + at + sizeof p->head, p->fixups, fixups);
    memcpy(o->data + at + sizeof p->head + fixups, p->bytes, p->head.length);
    return at;
}

/* Draws the image of a set; false where none is needed or possible. */
static bool set_draw(struct zone_builder *b, struct zone_out *o, const struct build_node *n,
                     const uint8_t *name, const struct build_set *set)
{
    char text[DNAME_TEXT_MAX], type[DNS_TYPE_TEXT_MAX];
    bool cut = n->flags & NODE_CUT;
    int err;

    if (n->flags & NODE_BELOW_CUT || zone_type_is_hidden(set->type) ||
        (cut && set->type != DNS_NS && set->type != DNS_DS))
        return false; /* never answered from here */
    if (cut && set->type == DNS_NS)
        err = zone_picture_referral(b, n, name, set, o->picture);
    else
        err = zone_picture_answer(b, n, name, set, o->picture);
    if (err < 0)
        zone_problem(b, set->items[0].entry,
                     "the %u %s records of %s do not fit in one DNS message", set->count,
                     dns_type_format(set->type, type), zone_node_text(b, n, text));
    return err == 0;
}

static uint8_t sets_count(const struct zone_builder *b, const struct build_node *n)
{
    struct build_set set;
    unsigned count = 0;

    for (uint32_t position = 0; build_set_next(b, n, &position, &set);)
        count++;
    invariant(count <= UINT8_MAX);
    return (uint8_t)count;
}

static void node_head_write(struct zone_builder *b, struct zone_out *o, struct build_node *n,
                            const uint8_t *name, uint8_t sets)
{
    size_t size = sizeof(struct zone_node) + sets * sizeof(struct zone_set);
    size_t at = out_take(o, align_up(size + n->name_length, 2));
    struct zone_node *out = (struct zone_node *)(o->data + at);

    invariant(at / 8 <= UINT32_MAX && at % 8 == 0);
    n->offset = (uint32_t)(at / 8);
    out->flags = n->flags & (uint16_t)~BUILD_FLAGS;
    out->name_length = n->name_length;
    out->set_count = sets;
    out->steered = n->steered;
    /* Canonical order: parents and cuts were written before. */
    if (n->flags & (NODE_CUT | NODE_BELOW_CUT))
        out->cut = b->nodes[n->cut].offset;
    if (!(n->flags & NODE_APEX))
        out->parent = b->nodes[n->parent].offset;
    memcpy(o->data + at + size, name, n->name_length);
}

static void node_write(struct zone_builder *b, struct zone_out *o, struct build_node *n)
{
    uint8_t name[DNAME_MAX], index = 0;
    struct build_set set;

    zone_key_name(b, n->key, n->key_length, name);
    out_align(o, 8);
    size_t start = o->used;
    node_head_write(b, o, n, name, sets_count(b, n));
    for (uint32_t position = 0; build_set_next(b, n, &position, &set); index++) {
        size_t image = set_draw(b, o, n, name, &set) ? picture_write(o) - start : 0;
        struct zone_node *out = (struct zone_node *)(o->data + start);
        out->sets[index] =
            (struct zone_set){.type = set.type,
                              .record_count = (uint16_t)set.count,
                              .ttl = set.ttl,
                              .image = (uint32_t)image,
                              .records = records_write(o, &set, signatures_of(b, o->sets++))};
    }
}

/* ---- the file ---- */

static void header_start(const struct zone_builder *b, struct zone_header *h)
{
    struct build_set soa;

    memcpy(h->magic, "HFZONE\r\n", sizeof h->magic);
    h->version = ZONE_VERSION;
    h->slot_mask = b->slot_mask;
    h->node_count = (uint32_t)b->node_count;
    h->steered_count = b->steered_count;
    h->origin_length = b->origin_length;
    h->labels = b->origin_labels;
    memcpy(h->origin, b->origin, b->origin_length);
    bool known = build_set_find(b, &b->nodes[0], DNS_SOA, &soa);
    invariant(known);
    const struct zone_entry *e = soa.items[0].entry;
    h->flags = b->seal_flags;
    h->proof_ttl = b->seal_flags & ZONE_SIGNED ? zone_negative_ttl(b) : 0;
    if (h->flags & ZONE_NSEC3) {
        h->nsec3_iterations = b->nsec3_iterations;
        h->nsec3_salt_length = b->nsec3_salt_length;
        memcpy(h->nsec3_salt, b->nsec3_salt, b->nsec3_salt_length);
    }
    struct reader serial = reader_init(zone_entry_rdata(e) + e->rdata_length - 20, 4);
    h->serial = reader_u32(&serial);
    for (size_t i = 0; i < b->node_count; i++) {
        const struct build_node *n = &b->nodes[i];
        if (n->labels > h->labels_max)
            h->labels_max = n->labels;
        if (n->flags & NODE_WILDCARD)
            h->flags |= ZONE_HAS_WILDCARD;
        if (n->flags & NODE_CUT)
            h->flags |= ZONE_HAS_CUT;
    }
}

/* The table and the list of steered names, now that every node has its offset. Slots lead to nodes
 * in no order, so the nodes of slots ahead are asked for early. */
enum { SLOTS_AHEAD = 16 };

static void offsets_write(const struct zone_builder *b, uint8_t *data, const struct zone_header *h)
{
    uint64_t *slots = (uint64_t *)(data + h->slots), *steered = (uint64_t *)(data + h->steered);

    for (uint64_t i = 0; i <= b->slot_mask; i++) {
        uint32_t ahead = (uint32_t)b->slots[(i + SLOTS_AHEAD) & b->slot_mask];
        if (ahead)
            __builtin_prefetch(&b->nodes[ahead - 1].offset);
        uint32_t index = (uint32_t)b->slots[i];
        if (index)
            slots[i] = zone_slot(b->slots[i], (uint64_t)b->nodes[index - 1].offset * 8);
    }
    for (size_t i = 0; i < b->node_count; i++)
        if (b->nodes[i].flags & NODE_STEERED)
            steered[b->nodes[i].steered] = (uint64_t)b->nodes[i].offset * 8;
}

static bool has_link(const struct zone_builder *b, const struct build_node *n)
{
    struct build_set set;
    return !(n->flags & NODE_BELOW_CUT) && build_set_find(b, n, DNS_NSEC, &set);
}

/* Room for the chain, which is filled once the nodes have their offsets. */
static void chain_take(const struct zone_builder *b, struct zone_out *o, struct zone_header *h)
{
    size_t each = b->seal_flags & ZONE_NSEC3 ? sizeof(struct zone_link) : sizeof(uint32_t);

    out_align(o, 8);
    h->chain_count = (uint32_t)b->link_count;
    if (b->seal_flags & ZONE_SIGNED && !(b->seal_flags & ZONE_NSEC3))
        for (size_t i = 0; i < b->node_count; i++)
            h->chain_count += has_link(b, &b->nodes[i]);
    h->chain = out_take(o, h->chain_count * each);
    out_align(o, 8);
    out_take(o, b->variant_count * sizeof(uint32_t));
}

static void variants_write(const struct zone_builder *b, struct zone_out *o,
                           const struct zone_header *h)
{
    uint32_t *to = (uint32_t *)(o->data + zone_variants(h));
    size_t records = o->records;
    struct zone_item item;

    for (size_t i = 0; i < b->variant_count; i++)
        if (b->variants[i].entry) {
            struct build_set set = link_set(&b->variants[i], &item);
            to[i] = records_write(o, &set, &b->variants[i].signatures);
        }
    o->records = records; /* no name has them */
}

static void chain_write(const struct zone_builder *b, struct zone_out *o,
                        const struct zone_header *h)
{
    struct zone_link *links = (struct zone_link *)(o->data + h->chain);
    uint32_t *nodes = (uint32_t *)(o->data + h->chain), count = 0;
    struct zone_item item;

    for (size_t i = 0; i < b->link_count; i++) {
        struct build_set set = link_set(&b->links[i], &item);
        memcpy(links[i].hash, b->links[i].hash, ZONE_HASH_SIZE);
        links[i].ttl = set.ttl;
        links[i].records = records_write(o, &set, &b->links[i].signatures);
    }
    o->records -= b->link_count; /* no name has them */
    if (!(b->seal_flags & ZONE_SIGNED) || b->seal_flags & ZONE_NSEC3)
        return;
    for (size_t i = 0; i < b->node_count; i++)
        if (has_link(b, &b->nodes[i]))
            nodes[count++] = b->nodes[i].offset;
    invariant(count == h->chain_count);
}

static uint64_t negative_write(struct zone_builder *b, struct zone_out *o)
{
    struct build_set soa;

    out_align(o, 8);
    if (!build_set_find(b, &b->nodes[0], DNS_SOA, &soa) ||
        zone_picture_negative(b, &soa, o->picture) < 0) {
        zone_problem(b, NULL, "the SOA record does not fit in a DNS message");
        return 0;
    }
    return picture_write(o);
}

void zone_write(struct zone_builder *b, uint8_t **ret_data, size_t *ret_size)
{
    struct zone_out o = {.picture = mem_new(1, sizeof *o.picture)};
    struct zone_header h = {0};
    size_t slots = ((size_t)b->slot_mask + 1) * sizeof(uint64_t), heap = heap_size(b);

    header_start(b, &h);
    o.size = sizeof h + SLOTS_ALIGN + slots + heap + b->node_count * NODE_GUESS + 4096;
    o.data = mem_new(1, o.size);
    out_take(&o, sizeof h);
    out_align(&o, SLOTS_ALIGN);
    h.slots = out_take(&o, slots);
    o.heap = out_take(&o, heap);
    size_t heap_end = o.used;
    h.steered = out_take(&o, b->steered_count * sizeof(uint64_t));
    h.negative = negative_write(b, &o);
    chain_take(b, &o, &h);
    h.nodes = h.apex = o.used;
    for (size_t i = 0; i < b->node_count; i++)
        node_write(b, &o, &b->nodes[i]);
    out_align(&o, 8);
    chain_write(b, &o, &h);
    variants_write(b, &o, &h);
    invariant(o.heap == heap_end);
    h.record_count = (uint32_t)o.records;
    h.size = o.used;
    offsets_write(b, o.data, &h);
    memcpy(o.data, &h, sizeof h);
    h.checksum = zone_checksum(o.data, o.used);
    memcpy(o.data, &h, sizeof h);
    free(o.picture);
    *ret_data = mem_resize(o.data, o.used, 1);
    *ret_size = o.used;
}
