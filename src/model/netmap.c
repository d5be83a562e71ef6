#include "model/netmap.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/invariant.h"
#include "model/netmap_format.h"
#include <string.h>

uint64_t netmap_checksum(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    size_t start = offsetof(struct netmap_header, checksum), end = start + sizeof(uint64_t);
    invariant(size >= sizeof(struct netmap_header));
    return hash64_seeded(bytes + end, size - end, hash64(bytes, start));
}

/* ---- open ---- */

static int header_check(const void *data, size_t size)
{
    const struct netmap_header *h = data;
    uint64_t parts[NETMAP_PARTS + 1];
    if (size < sizeof *h)
        return ERR_TRUNCATED;
    if (memcmp(h->magic, NETMAP_MAGIC, sizeof h->magic) != 0)
        return ERR_MAGIC;
    if (h->version != NETMAP_VERSION)
        return ERR_VERSION;
    if (h->size > size)
        return ERR_TRUNCATED;
    if (h->size < size)
        return ERR_BOUNDS;
    if (h->checksum != netmap_checksum(data, size))
        return ERR_CHECKSUM;
    netmap_layout(h, parts);
    return parts[NETMAP_PARTS] == size ? 0 : ERR_BOUNDS;
}

static bool row_fits(const struct netmap *m, uint32_t row)
{
    return row < m->row_count || row == NETMAP_NO_ROW;
}

/* The first range starts at address 0, so that every look-up ends in a range. */
static bool ranges_hold(const struct netmap *m)
{
    for (uint32_t i = 0; i < m->v4_count; i++) {
        const struct netmap_range4 *r = &m->v4[i];
        if (!row_fits(m, r->row) || (i ? r->start <= r[-1].start : r->start != 0))
            return false;
    }
    for (uint32_t i = 0; i < m->v6_count; i++) {
        const struct netmap_range6 *r = &m->v6[i];
        bool rises = i && (r->high > r[-1].high || (r->high == r[-1].high && r->low > r[-1].low));
        if (!row_fits(m, r->row) || (i ? !rises : r->high != 0 || r->low != 0))
            return false;
    }
    return true;
}

static bool rows_hold(const struct netmap *m, uint32_t key_count)
{
    if (m->row_first[0] != 0 || m->row_first[m->row_count] != key_count)
        return false;
    for (uint32_t i = 0; i < m->row_count; i++)
        if (m->row_first[i] >= m->row_first[i + 1]) /* a row without keys is no row */
            return false;
    return true;
}

int netmap_open(const void *data, size_t size, struct netmap *ret)
{
    invariant((uintptr_t)data % 8 == 0);
    int r = header_check(data, size);
    if (r < 0)
        return r;
    const struct netmap_header *h = data;
    const uint8_t *base = data;
    uint64_t parts[NETMAP_PARTS + 1];
    netmap_layout(h, parts);
    struct netmap m = {
        .v4 = (const void *)(base + parts[PART_V4]),
        .v4_count = h->v4_count,
        .v6 = (const void *)(base + parts[PART_V6]),
        .v6_count = h->v6_count,
        .row_first = (const void *)(base + parts[PART_ROWS]),
        .row_count = h->row_count,
        .keys = (const void *)(base + parts[PART_KEYS]),
        .hash = h->checksum,
    };
    if (m.row_count == NETMAP_NO_ROW || !rows_hold(&m, h->key_count) || !ranges_hold(&m))
        return ERR_BOUNDS;
    *ret = m;
    return 0;
}

/* ---- find ---- */

static uint32_t be32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t be64(const uint8_t *p)
{
    return (uint64_t)be32(p) << 32 | be32(p + 4);
}

/* Leading bits that two different numbers share. */
static unsigned shared_bits(uint64_t a, uint64_t b)
{
    return (unsigned)__builtin_clzll(a ^ b);
}

/* The widest prefix around the address that holds neither the address before the range nor the one
 * after it: one bit longer than what the address shares with either. */
static uint32_t find4(const struct netmap *m, uint32_t address, unsigned *ret_scope)
{
    const struct netmap_range4 *r = m->v4;
    for (uint32_t left = m->v4_count; left > 1;) {
        uint32_t half = left / 2;
        r += r[half].start <= address ? half : 0;
        left -= half;
    }
    unsigned scope = 0;
    if (r > m->v4)
        scope = shared_bits(address, r->start - 1) - 32 + 1;
    if (r + 1 < m->v4 + m->v4_count) {
        unsigned after = shared_bits(address, r[1].start) - 32 + 1;
        scope = after > scope ? after : scope;
    }
    invariant(r->start <= address && scope <= 32);
    *ret_scope = scope;
    return r->row;
}

static bool at_or_below6(const struct netmap_range6 *r, uint64_t high, uint64_t low)
{
    return r->high < high || (r->high == high && r->low <= low);
}

static unsigned shared_bits6(uint64_t high, uint64_t low, uint64_t other_high, uint64_t other_low)
{
    return high != other_high ? shared_bits(high, other_high) : 64 + shared_bits(low, other_low);
}

static uint32_t find6(const struct netmap *m, uint64_t high, uint64_t low, unsigned *ret_scope)
{
    const struct netmap_range6 *r = m->v6;
    for (uint32_t left = m->v6_count; left > 1;) {
        uint32_t half = left / 2;
        r += at_or_below6(&r[half], high, low) ? half : 0;
        left -= half;
    }
    unsigned scope = 0;
    if (r > m->v6)
        scope = shared_bits6(high, low, r->high - (r->low == 0), r->low - 1) + 1;
    if (r + 1 < m->v6 + m->v6_count) {
        unsigned after = shared_bits6(high, low, r[1].high, r[1].low) + 1;
        scope = after > scope ? after : scope;
    }
    invariant(at_or_below6(r, high, low) && scope <= 128);
    *ret_scope = scope;
    return r->row;
}

uint32_t netmap_find(const struct netmap *m, const struct ip *ip, unsigned *ret_scope)
{
    *ret_scope = 0;
    if (ip->family == IP_V4)
        return m->v4_count ? find4(m, be32(ip->bytes), ret_scope) : NETMAP_NO_ROW;
    if (!m->v6_count)
        return NETMAP_NO_ROW;
    return find6(m, be64(ip->bytes), be64(ip->bytes + 8), ret_scope);
}

/* ---- locations as keys ---- */

/* Two bits of kind, then letters: country (or continent) 2 x 5 bits, subdivision 3 x 6 bits. A kind
 * of its own keeps the continent "NA" from the country "NA". */
enum { LOCATION_ANY, LOCATION_CONTINENT, LOCATION_COUNTRY, LOCATION_SUBDIVISION };

static const char location_signs[] = "\0ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

static uint32_t sign_pack(char c)
{
    for (uint32_t i = 1; i < sizeof location_signs - 1; i++)
        if (location_signs[i] == c)
            return i;
    return 0;
}

static uint32_t letters_pack(const char text[static 3])
{
    return (sign_pack(text[0]) & 31) << 5 | (text[0] ? sign_pack(text[1]) & 31 : 0);
}

uint32_t location_key(const struct config_location *l)
{
    if (!l->country[0] && !l->continent[0])
        return 0;
    if (!l->country[0])
        return (uint32_t)LOCATION_CONTINENT << 30 | letters_pack(l->continent) << 18;
    uint32_t country = letters_pack(l->country) << 18, subdivision = 0;
    for (unsigned i = 0; i < 3 && l->subdivision[i]; i++)
        subdivision |= sign_pack(l->subdivision[i]) << (12 - 6 * i);
    uint32_t kind = subdivision ? LOCATION_SUBDIVISION : LOCATION_COUNTRY;
    return kind << 30 | country | subdivision;
}

char *location_format(uint32_t key, char buffer[static LOCATION_TEXT_MAX])
{
    char *at = buffer;
    unsigned kind = key >> 30;
    if (kind == LOCATION_ANY)
        *at++ = '*';
    for (unsigned shift = 23; kind != LOCATION_ANY && shift >= 18; shift -= 5)
        *at++ = location_signs[key >> shift & 31];
    if (kind == LOCATION_SUBDIVISION) {
        *at++ = '-';
        for (unsigned i = 0; i < 3; i++) {
            uint32_t sign = key >> (12 - 6 * i) & 63;
            if (sign && sign < sizeof location_signs - 1)
                *at++ = location_signs[sign];
        }
    }
    *at = 0;
    return buffer;
}
