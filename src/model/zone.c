/* Opening a compiled zone: the cheap half. zone_verify.c looks at everything else. */
#include "model/zone.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/invariant.h"

static const char magic[8] = {'H', 'F', 'Z', 'O', 'N', 'E', '\r', '\n'};

uint64_t zone_checksum(const void *data, size_t size)
{
    enum { AT = offsetof(struct zone_header, checksum), BEHIND = AT + sizeof(uint64_t) };
    return hash64_seeded((const uint8_t *)data + BEHIND, size - BEHIND, hash64(data, AT));
}

/* Is [offset, offset + size) inside the file, behind the header, and aligned? */
static bool range_right(uint64_t offset, uint64_t size, uint64_t file_size)
{
    return offset % 8 == 0 && offset >= sizeof(struct zone_header) && offset <= file_size &&
           size <= file_size - offset;
}

/* A chain that came with the zone may be missing. */
static bool chain_wrong(const struct zone_header *h)
{
    bool is_signed = h->flags & ZONE_SIGNED, given = h->flags & ZONE_GIVEN;

    if (h->flags & (ZONE_NSEC3 | ZONE_GIVEN) && !is_signed)
        return true;
    if (given && h->chain_count == 0)
        return h->flags & ZONE_NSEC3;
    return is_signed != (h->chain_count > 0);
}

/* What nothing uses is zero. */
static bool salt_wrong(const struct zone_header *h)
{
    bool given = (h->flags & (ZONE_NSEC3 | ZONE_GIVEN)) == (ZONE_NSEC3 | ZONE_GIVEN);

    for (unsigned i = h->nsec3_salt_length; i < sizeof h->nsec3_salt; i++)
        if (h->nsec3_salt[i])
            return true;
    return h->nsec3_iterations > NSEC3_ITERATIONS_MAX ||
           (!given && (h->nsec3_iterations || h->nsec3_salt_length));
}

static int header_check(const struct zone_header *h, size_t size)
{
    uint64_t slots = (uint64_t)h->slot_mask + 1;
    size_t link = h->flags & ZONE_NSEC3 ? sizeof(struct zone_link) : sizeof(uint32_t);

    if (h->version != ZONE_VERSION)
        return ERR_VERSION;
    if (h->size > size)
        return ERR_TRUNCATED;
    if (h->size != size || (slots & (slots - 1)) || h->node_count == 0 ||
        (uint64_t)h->node_count * 2 > slots || h->origin_length == 0 ||
        h->origin_length > DNAME_MAX)
        return ERR_BOUNDS;
    if (!range_right(h->slots, slots * sizeof(uint64_t), size) ||
        !range_right(h->steered, (uint64_t)h->steered_count * sizeof(uint64_t), size) ||
        !range_right(h->nodes, sizeof(struct zone_node), size) || h->apex != h->nodes ||
        !range_right(h->negative, sizeof(struct zone_image), size) ||
        !range_right(h->chain, (uint64_t)h->chain_count * link, size) || chain_wrong(h) ||
        salt_wrong(h) || zone_variants(h) > h->nodes)
        return ERR_BOUNDS;
    return 0;
}

int zone_open_trusted(const void *data, size_t size, struct zone *ret)
{
    const struct zone_header *h = data;

    if (memcmp(data, magic, size < sizeof magic ? size : sizeof magic) != 0)
        return ERR_MAGIC;
    if (size < sizeof *h)
        return ERR_TRUNCATED;
    int err = header_check(h, size);
    if (err < 0)
        return err;
    ret->base = data;
    ret->header = h;
    ret->slots = (const uint64_t *)(ret->base + h->slots);
    return 0;
}

/* The labels of a name of the zone before those that all its names end with. */
struct labels {
    const uint8_t *name;
    uint8_t at[DNAME_LABELS_MAX + 1];
    unsigned count;
};

static void labels_read(struct labels *l, const uint8_t *name, unsigned length)
{
    l->name = name;
    l->count = 0;
    for (unsigned i = 0; i < length && l->count < array_length(l->at); i += name[i] + 1u)
        l->at[l->count++] = (uint8_t)i;
}

/* Canonical order (RFC 4034 6.1), the last label first. */
static int labels_compare(const struct labels *a, const struct labels *b)
{
    unsigned i = a->count, k = b->count;
    while (i && k) {
        int order = dname_label_compare(a->name + a->at[--i], b->name + b->at[--k]);
        if (order)
            return order;
    }
    return (int)i - (int)k;
}

static void node_prefetch(const struct zone *z, uint32_t node)
{
    const uint8_t *at = z->base + (uint64_t)node * 8;
    __builtin_prefetch(at);
    __builtin_prefetch(at + 64); /* the name, behind two or three sets */
}

/* Nearly every step misses the caches, so both nodes that the next one may look at are asked for
 * before this one is compared. */
const struct zone_node *zone_named_find(const struct zone *z, const uint8_t *name, size_t length)
{
    const struct zone_header *h = z->header;
    const uint32_t *chain = (const uint32_t *)(z->base + h->chain);
    uint32_t low = 0, high = h->chain_count;
    struct labels sought, found;

    invariant(h->flags & ZONE_SIGNED && !(h->flags & ZONE_NSEC3) && length >= h->origin_length);
    labels_read(&sought, name, (unsigned)(length - h->origin_length));
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        const struct zone_node *n = zone_node_at(z, (uint64_t)chain[middle] * 8);
        node_prefetch(z, chain[low + (middle - low) / 2]);
        node_prefetch(z, chain[middle + (high - middle) / 2]);
        labels_read(&found, zone_node_name(n), (unsigned)n->name_length - h->origin_length);
        if (labels_compare(&found, &sought) <= 0)
            low = middle;
        else
            high = middle;
    }
    return zone_node_at(z, (uint64_t)chain[low] * 8);
}

static uint64_t hash_prefix(const uint8_t *hash)
{
    uint64_t prefix;

    memcpy(&prefix, hash, sizeof prefix);
    return __builtin_bswap64(prefix);
}

/* How many of so many hashes, spread evenly, lie in a range of this width. */
static uint32_t hashes_within(uint64_t width, uint32_t count)
{
    return (uint32_t)((width >> 32) * count >> 32);
}

/* Hashes are spread evenly, so the place of one can be guessed, and what is found there says how
 * far off that was: three or four links are looked at instead of the whole way down. Hashes that
 * came with a zone may be spread otherwise. */
enum { GUESSES_MAX = 8 };

const struct zone_link *zone_link_find(const struct zone *z,
                                       const uint8_t hash[static ZONE_HASH_SIZE])
{
    const struct zone_link *links = (const struct zone_link *)(z->base + z->header->chain);
    uint32_t count = z->header->chain_count, low = 0, high = count;
    uint64_t sought = hash_prefix(hash);
    int64_t at = hashes_within(sought, count);

    if (!(z->header->flags & ZONE_NSEC3))
        return NULL;
    for (unsigned guesses = 0; low < high; guesses++) {
        uint64_t found = hash_prefix(links[at].hash);
        bool beyond =
            found != sought ? found > sought : memcmp(links[at].hash, hash, ZONE_HASH_SIZE) > 0;
        if (beyond)
            high = (uint32_t)at;
        else
            low = (uint32_t)at + 1;
        at = beyond ? at - hashes_within(found - sought, count)
                    : at + hashes_within(sought - found, count);
        if (guesses >= GUESSES_MAX)
            at = low + (high - low) / 2;
        at = at < low ? low : at < high ? at : (int64_t)high - 1;
    }
    return &links[low ? low - 1 : count - 1];
}
