/* Where a serial stands in a compiled zone: the header, the SOA's record in the heap, its image at
 * the apex and the negative image of the zone; in both images the SOA is the first record and what
 * must not be left out ends with it. Nothing changes its length, so all else stays where it is; the
 * new signatures are as long as the old ones, as those of one key always are. */
#include "model/zone_serial.h"
#include "base/err.h"
#include "base/invariant.h"
#include "model/zone_cursor.h"
#include "model/zone_zonemd.h"
#include "wire/dns.h"

enum {
    SERIAL_BEFORE_END = 20, /* the five numbers at the end of a SOA, the serial first */
    SERIAL_SIZE = 4,
};

/* ---- comparing ---- */

/* Signatures of the SOA, which go with the serial, and the digest, which goes with all. */
static bool is_passed(const struct zone_cursor *c)
{
    if (!c->node)
        return false;
    uint16_t type = c->node->sets[c->set].type;
    return (type == DNS_SOA && c->signature) || (type == DNS_ZONEMD && c->node->flags & NODE_APEX);
}

static void cursor_pass(struct zone_cursor *c)
{
    while (!c->ended && is_passed(c))
        zone_cursor_next(c);
}

static bool soa_same(const struct zone_cursor *a, const struct zone_cursor *b)
{
    uint16_t length = a->record.length;
    if (a->ttl != b->ttl || length != b->record.length || length < SERIAL_BEFORE_END)
        return false;
    size_t serial = length - (size_t)SERIAL_BEFORE_END, rest = serial + SERIAL_SIZE;
    return !memcmp(a->record.rdata, b->record.rdata, serial) &&
           !memcmp(a->record.rdata + rest, b->record.rdata + rest, length - rest);
}

bool zone_same(const struct zone *a, const struct zone *b)
{
    struct zone_cursor x, y;
    if (a->header->record_count != b->header->record_count)
        return false;
    zone_cursor_init(&x, a);
    zone_cursor_init(&y, b);
    for (;;) {
        cursor_pass(&x);
        cursor_pass(&y);
        if (x.ended || y.ended)
            return x.ended && y.ended;
        bool soa = x.type == DNS_SOA && y.type == DNS_SOA;
        if (soa ? !soa_same(&x, &y) : zone_cursor_compare(&x, &y) != 0)
            return false;
        zone_cursor_next(&x);
        zone_cursor_next(&y);
    }
}

/* ---- writing ---- */

static void serial_store(uint8_t *to, uint32_t serial)
{
    for (unsigned i = 0; i < SERIAL_SIZE; i++)
        to[i] = (uint8_t)(serial >> (24 - 8 * i));
}

static void image_store(uint8_t *data, const struct zone_image *image, uint32_t serial)
{
    size_t at = (size_t)(zone_image_bytes(image) - data);
    invariant(image->answers + image->authorities == 1 && image->required > SERIAL_BEFORE_END);
    serial_store(data + at + image->required - SERIAL_BEFORE_END, serial);
}

int zone_serial_set(uint8_t *data, uint32_t serial, struct zone_sign *sign)
{
    struct zone_header *h = (struct zone_header *)data;
    struct zone z;
    int made = zone_open_trusted(data, h->size, &z);
    if (made < 0)
        return made;
    const struct zone_node *apex = zone_node_at(&z, h->apex);
    const struct zone_set *soa = zone_node_set(apex, DNS_SOA);
    invariant(soa && soa->image && !sign == !(h->flags & ZONE_SIGNED));
    struct zone_record r = zone_record_first(&z, soa);
    serial_store(data + (r.rdata - data) + r.length - SERIAL_BEFORE_END, serial);
    image_store(data, zone_set_image(apex, soa), serial);
    image_store(data, (const struct zone_image *)(data + h->negative), serial);
    h->serial = serial;
    if (sign)
        made = zone_sign_renew(sign, &z, data, DNS_SOA);
    if (made >= 0) {
        int more = zone_zonemd_renew(&z, data, sign ? zone_sign_renew : NULL, sign);
        made = more < 0 ? more : made + more;
    }
    h->checksum = zone_checksum(data, h->size);
    return made;
}
