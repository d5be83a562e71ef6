#include "model/zone_walk.h"
#include "base/invariant.h"

static uint64_t align8(uint64_t v)
{
    return (v + 7) & ~(uint64_t)7;
}

/* Images lie behind the name in the order of the sets, so the last one that is there ends the node.
 */
const struct zone_node *zone_node_next(const struct zone *z, const struct zone_node *n)
{
    uint64_t offset = (uint64_t)((const uint8_t *)n - z->base), end;

    end = offset + sizeof *n + n->set_count * sizeof(struct zone_set) + n->name_length;
    for (unsigned i = n->set_count; i-- > 0;)
        if (n->sets[i].image) {
            const struct zone_image *image = zone_set_image(n, &n->sets[i]);
            end = (uint64_t)(zone_image_bytes(image) - z->base) + image->length;
            break;
        }
    end = align8(end);
    invariant(end <= z->header->size);
    return end < z->header->size ? zone_node_at(z, end) : NULL;
}

static void record_read(struct zone_record *r, const uint8_t *at)
{
    memcpy(&r->length, at, sizeof r->length);
    r->rdata = at + sizeof r->length;
}

struct zone_record zone_records_first(const struct zone *z, uint32_t offset)
{
    const struct zone_records *records = (const void *)(z->base + (uint64_t)offset * 8);
    struct zone_record r = {.left = (uint16_t)(records->count - 1)};

    invariant(records->count > 0);
    record_read(&r, (const uint8_t *)(records + 1));
    return r;
}

bool zone_records_signature_first(const struct zone *z, uint32_t offset,
                                  struct zone_record *ret_record)
{
    const struct zone_records *records = (const void *)(z->base + (uint64_t)offset * 8);
    struct zone_record r = zone_records_first(z, offset);

    if (!records->signatures)
        return false;
    while (zone_record_next(&r))
        ;
    record_read(&r, r.rdata + r.length);
    r.left = (uint16_t)(records->signatures - 1);
    *ret_record = r;
    return true;
}

struct zone_record zone_record_first(const struct zone *z, const struct zone_set *s)
{
    return zone_records_first(z, s->records);
}

bool zone_signature_first(const struct zone *z, const struct zone_set *s,
                          struct zone_record *ret_record)
{
    return zone_records_signature_first(z, s->records, ret_record);
}

bool zone_record_next(struct zone_record *r)
{
    if (!r->left)
        return false;
    r->left--;
    record_read(r, r->rdata + r->length);
    return true;
}
