/* What leads from one content of a zone to another. */
#include "base/err.h"
#include "base/invariant.h"
#include "model/zone_held.h"
#include "wire/dname.h"
#include "wire/dns.h"
#include "wire/rdata.h"
#include <stdlib.h>

enum { SOA_NUMBERS = 20 /* bytes: serial, refresh, retry, expire, minimum */ };

/* The records of one content that the other lacks, or has with another TTL. */
static int lacking(const struct held_content *from, const struct held_content *in,
                   struct held_list *ret)
{
    for (const struct held_name *n = from->first; n; n = n->next) {
        const struct held_name *other = held_name_find(in, n->name, n->length);
        for (const struct held_record *r = n->records; r; r = r->next) {
            const struct held_record *same = held_record_find(other, r->type, r->rdata, r->length);
            if (r->type == DNS_SOA || (same && same->ttl == r->ttl))
                continue;
            int err = held_list_add(ret, n->name, r->type, r->ttl, r->rdata, r->length);
            if (err)
                return err;
        }
    }
    return 0;
}

static int soa_add(const struct held_content *c, uint32_t serial, struct held_list *l)
{
    uint8_t data[RDATA_MAX];
    const struct held_record *soa = held_soa(c);
    memcpy(data, soa->rdata, soa->length);
    struct writer at = writer_init(data + soa->length - SOA_NUMBERS, 4);
    writer_u32(&at, serial);
    return held_list_add(l, c->origin, DNS_SOA, soa->ttl, data, soa->length);
}

int held_differ(const struct held_content *old, const struct held_content *next, uint32_t serial,
                struct held_change *ret)
{
    struct held_change c = {.from = old->serial, .to = serial};
    int err = soa_add(old, old->serial, &c.removed);
    err = err ? err : soa_add(next, serial, &c.added);
    err = err ? err : lacking(old, next, &c.removed);
    err = err ? err : lacking(next, old, &c.added);
    if (err)
        held_change_done(&c);
    else
        *ret = c;
    return err;
}

bool held_same(const struct held_content *a, const struct held_content *b)
{
    struct held_change c;
    if (held_differ(a, b, a->serial, &c))
        return false;
    bool same = c.removed.count == 1 && c.added.count == 1 && c.removed.length == c.added.length &&
                !memcmp(c.removed.data, c.added.data, c.removed.length);
    held_change_done(&c);
    return same;
}

/* ---- for people ---- */

struct line {
    struct held_item item;
    char sign;
};

static int line_compare(const void *a, const void *b)
{
    const struct line *x = a, *y = b;
    bool soas = (x->item.type == DNS_SOA) != (y->item.type == DNS_SOA);
    int order = soas ? (y->item.type == DNS_SOA) - (x->item.type == DNS_SOA)
                     : dname_compare(x->item.owner, y->item.owner);
    if (!order)
        order = (x->item.type > y->item.type) - (x->item.type < y->item.type);
    return order ? order : (x->sign == '+') - (y->sign == '+');
}

static uint32_t lines_take(const struct held_list *l, char sign, struct line *ret)
{
    struct held_cursor cursor = held_list_cursor(l);
    uint32_t count = 0;
    while (held_cursor_next(&cursor, &ret[count].item) > 0)
        ret[count++].sign = sign;
    invariant(count == l->count);
    return count;
}

void held_change_text(const struct held_change *c, uint32_t max, struct text *out)
{
    uint32_t count = 0, most = c->removed.count + c->added.count;
    auto_free struct line *lines = mem_new(most + (size_t)1, sizeof *lines);
    count = lines_take(&c->removed, '-', lines);
    count += lines_take(&c->added, '+', lines + count);
    qsort(lines, count, sizeof *lines, line_compare);
    for (uint32_t i = 0; i < count && i < max; i++) {
        const struct held_item *item = &lines[i].item;
        char name[DNAME_TEXT_MAX], type[DNS_TYPE_TEXT_MAX];
        dname_format(item->owner, name);
        text_appendf(out, "%c %s%s %u IN %s ", lines[i].sign, name, item->owner[0] ? "." : "",
                     item->ttl, dns_type_format(item->type, type));
        rdata_format(item->type, item->rdata, item->rdata_length, out);
        text_append(out, "\n");
    }
    if (count > max)
        text_appendf(out, "... and %u more\n", count - max);
}
