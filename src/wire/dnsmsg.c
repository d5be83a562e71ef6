#include "wire/dnsmsg.h"
#include "base/err.h"
#include "base/invariant.h"
#include <string.h>

enum { EDNS_FLAG_DO = 0x8000 };

/* ---- names (RFC 1035 4.1.4) ---- */

static int label_append(uint8_t *name, size_t *length, const uint8_t *label, size_t size)
{
    if (*length + size > DNAME_MAX)
        return ERR_LIMIT;
    memcpy(name + *length, label, size);
    *length += size;
    return 0;
}

int dnsmsg_name(struct reader *r, uint8_t ret_name[static DNAME_MAX])
{
    uint8_t name[DNAME_MAX];
    size_t length = 0, position = r->position, after = 0, limit = r->position;
    for (;;) {
        if (position >= r->length)
            return ERR_TRUNCATED;
        uint8_t size = r->data[position];
        if ((size & 0xc0) == 0xc0) {
            if (position + 1 >= r->length)
                return ERR_TRUNCATED;
            size_t target = (size_t)(size & 0x3f) << 8 | r->data[position + 1];
            after = after ? after : position + 2;
            if (target >= limit)
                return ERR_SYNTAX; /* each jump goes before the one before: no loops */
            limit = position = target;
            continue;
        }
        if (size > DNAME_LABEL_MAX)
            return ERR_SYNTAX;
        if (position + 1 + size > r->length)
            return ERR_TRUNCATED;
        int err = label_append(name, &length, r->data + position, 1u + size);
        if (err)
            return err;
        position += 1u + size;
        if (size == 0)
            break;
    }
    r->position = after ? after : position;
    invariant(r->position <= r->length && length <= DNAME_MAX);
    memcpy(ret_name, name, length);
    return (int)length;
}

void dnsmsg_name_lower(uint8_t *name)
{
    for (uint8_t *label = name; *label; label += 1 + *label)
        for (unsigned i = 1; i <= *label; i++)
            if (label[i] >= 'A' && label[i] <= 'Z')
                label[i] = (uint8_t)(label[i] + ('a' - 'A'));
}

/* ---- reading ---- */

int dnsmsg_open(const void *data, size_t length, struct dnsmsg *ret)
{
    struct dnsmsg m = {.reader = reader_init(data, length)};
    m.id = reader_u16(&m.reader);
    m.flags = reader_u16(&m.reader);
    for (unsigned i = 0; i < DNSMSG_SECTIONS; i++)
        m.counts[i] = reader_u16(&m.reader);
    if (m.reader.failed)
        return ERR_TRUNCATED;
    *ret = m;
    return 0;
}

static int entry_read(struct dnsmsg *m, struct dnsmsg_entry *e)
{
    struct reader *r = &m->reader;
    int length = dnsmsg_name(r, e->name);
    if (length < 0)
        return length;
    e->type = reader_u16(r);
    e->class = reader_u16(r);
    if (e->section == DNSMSG_QUESTION)
        return r->failed ? ERR_TRUNCATED : 0;
    e->ttl = reader_u32(r);
    e->rdata.length = reader_u16(r);
    e->rdata_offset = r->position;
    e->rdata.data = reader_take(r, e->rdata.length);
    return r->failed ? ERR_TRUNCATED : 0;
}

int dnsmsg_next(struct dnsmsg *m, struct dnsmsg_entry *ret)
{
    while (m->section < DNSMSG_SECTIONS && m->taken == m->counts[m->section]) {
        m->section++;
        m->taken = 0;
    }
    if (m->section == DNSMSG_SECTIONS)
        return 0;
    struct dnsmsg_entry e = {.section = (enum dnsmsg_section)m->section};
    size_t before = m->reader.position;
    int err = entry_read(m, &e);
    if (err) {
        m->reader.position = before; /* the same again at each further call */
        return err;
    }
    m->taken++;
    *ret = e;
    return 1;
}

/* ---- names inside of data ---- */

/* Types whose data may hold compressed names: those of RFC 1035, and the later ones that some
 * senders compress all the same (RFC 3597 4; dnspython does so with SRV, NAPTR and LP). */
static const struct data_form {
    uint16_t type;
    /* Fixed bytes, then so many strings, then so many names, then the rest as it is. */
    uint8_t before, strings, names;
} data_forms[] = {
    {DNS_NS, 0, 0, 1},         {DNS_CNAME, 0, 0, 1},      {DNS_SOA, 0, 0, 2},
    {DNS_PTR, 0, 0, 1},        {DNS_MX, 2, 0, 1},         {DNS_SRV, 6, 0, 1},
    {DNS_DNAME, 0, 0, 1},      {3 /* MD */, 0, 0, 1},     {4 /* MF */, 0, 0, 1},
    {7 /* MB */, 0, 0, 1},     {8 /* MG */, 0, 0, 1},     {9 /* MR */, 0, 0, 1},
    {14 /* MINFO */, 0, 0, 2}, {17 /* RP */, 0, 0, 2},    {18 /* AFSDB */, 2, 0, 1},
    {21 /* RT */, 2, 0, 1},    {24 /* SIG */, 18, 0, 1},  {26 /* PX */, 2, 0, 2},
    {30 /* NXT */, 0, 0, 1},   {35 /* NAPTR */, 4, 3, 1}, {36 /* KX */, 2, 0, 1},
    {107 /* LP */, 2, 0, 1},
};

static const struct data_form *form_of(uint16_t type)
{
    for (size_t i = 0; i < array_length(data_forms); i++)
        if (data_forms[i].type == type)
            return &data_forms[i];
    return NULL;
}

int dnsmsg_rdata(const struct dnsmsg *m, const struct dnsmsg_entry *e,
                 uint8_t ret_data[static DNSMSG_RDATA_MAX])
{
    const struct data_form *form = form_of(e->type);
    struct writer w = writer_init(ret_data, DNSMSG_RDATA_MAX);
    /* Names may point anywhere before them, but the data itself ends with the record. */
    struct reader r = reader_init(m->reader.data, e->rdata_offset + e->rdata.length);
    invariant(r.length <= m->reader.length);
    r.position = e->rdata_offset;
    if (form) {
        const uint8_t *fixed = reader_take(&r, form->before);
        writer_bytes(&w, fixed, fixed ? form->before : 0);
        for (unsigned i = 0; i < form->strings; i++) {
            uint8_t size = reader_u8(&r);
            const uint8_t *string = reader_take(&r, size);
            writer_u8(&w, size);
            writer_bytes(&w, string, string ? size : 0);
        }
        for (unsigned i = 0; i < form->names && !r.failed; i++) {
            uint8_t name[DNAME_MAX];
            int length = dnsmsg_name(&r, name);
            if (length < 0)
                return length;
            writer_bytes(&w, name, (size_t)length);
        }
    }
    if (r.failed)
        return ERR_TRUNCATED;
    size_t left = reader_left(&r);
    writer_bytes(&w, reader_take(&r, left), left);
    return w.failed ? ERR_LIMIT : (int)w.position;
}

/* ---- EDNS ---- */

static int subnet_parse(struct bytes option, struct dnsmsg_edns *ret)
{
    struct reader r = reader_init(option.data, option.length);
    uint16_t family = reader_u16(&r);
    uint8_t source = reader_u8(&r), scope = reader_u8(&r);
    struct ip_prefix p = {.length = source};
    p.ip.family = family == 2 ? IP_V6 : IP_V4;
    size_t size = (source + 7u) / 8;
    if (r.failed || (family != 1 && family != 2) || source > ip_bits(&p.ip) ||
        scope > ip_bits(&p.ip) || reader_left(&r) != size)
        return ERR_SYNTAX;
    if (size)
        memcpy(p.ip.bytes, option.data + r.position, size);
    p.ip = ip_mask(&p.ip, source);
    ret->has_subnet = true;
    ret->subnet = p;
    ret->subnet_scope = scope;
    return 0;
}

static int option_apply(uint16_t code, struct bytes option, struct dnsmsg_edns *ret)
{
    switch (code) {
    case DNS_OPTION_NSID:
        ret->nsid = option;
        return 0;
    case DNS_OPTION_CLIENT_SUBNET:
        return subnet_parse(option, ret);
    case DNS_OPTION_EDE:
        if (option.length < 2)
            return ERR_SYNTAX;
        ret->has_error = true;
        ret->error = (uint16_t)(option.data[0] << 8 | option.data[1]);
        ret->error_text = (struct bytes){option.data + 2, option.length - 2};
        return 0;
    default:
        return 0;
    }
}

int dnsmsg_edns_parse(const struct dnsmsg_entry *e, struct dnsmsg_edns *ret)
{
    invariant(e->type == DNS_OPT);
    struct dnsmsg_edns edns = {.size = e->class,
                               .version = (uint8_t)(e->ttl >> 16),
                               .rcode_high = (uint8_t)(e->ttl >> 24),
                               .dnssec = e->ttl & EDNS_FLAG_DO};
    struct reader r = reader_init(e->rdata.data, e->rdata.length);
    while (reader_left(&r)) {
        uint16_t code = reader_u16(&r), length = reader_u16(&r);
        struct bytes option = {reader_take(&r, length), length};
        if (r.failed)
            return ERR_SYNTAX;
        int err = option_apply(code, option, &edns);
        if (err)
            return err;
    }
    *ret = edns;
    return 0;
}

/* ---- asking ---- */

static void subnet_write(struct writer *w, const struct ip_prefix *p)
{
    size_t size = (p->length + 7u) / 8;
    struct ip masked = ip_mask(&p->ip, p->length);
    writer_u16(w, DNS_OPTION_CLIENT_SUBNET);
    writer_u16(w, (uint16_t)(4 + size));
    writer_u16(w, p->ip.family == IP_V6 ? 2 : 1);
    writer_u8(w, p->length);
    writer_u8(w, 0);
    writer_bytes(w, masked.bytes, size);
}

static void opt_write(struct writer *w, const struct dnsmsg_query *q)
{
    writer_u8(w, 0);
    writer_u16(w, DNS_OPT);
    writer_u16(w, q->edns_size);
    writer_u32(w, q->dnssec ? EDNS_FLAG_DO : 0);
    size_t at = w->position;
    writer_u16(w, 0);
    if (q->nsid)
        writer_u32(w, (uint32_t)DNS_OPTION_NSID << 16);
    if (q->subnet)
        subnet_write(w, q->subnet);
    if (w->failed)
        return;
    size_t length = w->position - at - 2;
    w->data[at] = (uint8_t)(length >> 8);
    w->data[at + 1] = (uint8_t)length;
}

void dnsmsg_query_write(struct writer *w, const struct dnsmsg_query *q)
{
    writer_u16(w, q->id);
    writer_u16(w, q->recursion ? DNS_FLAG_RD : 0);
    writer_u16(w, 1);
    writer_u32(w, 0);
    writer_u16(w, q->edns_size ? 1 : 0);
    writer_bytes(w, q->name, dname_length(q->name));
    writer_u16(w, q->type);
    writer_u16(w, q->class);
    if (q->edns_size)
        opt_write(w, q);
}
