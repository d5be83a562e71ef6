#include "serve/dns/parse.h"
#include "base/bytes.h"
#include "base/invariant.h"
#include "serve/dns/extra.h"
#include "wire/tsig.h"

enum {
    QUESTION_FIXED = 4, /* type and class */
    RECORD_FIXED = 10,  /* type, class, TTL, rdata length */
    OPT_FIXED = 1 + RECORD_FIXED,
    SUBNET_FIXED = 4, /* family, source, scope */
    SUBNET_V4 = 1,
    SUBNET_V6 = 2,
};

static uint16_t load_u16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void query_fail(struct query *q, enum query_course course, enum dns_rcode rcode)
{
    q->course = course;
    q->rcode = rcode;
}

/* Eight bytes at once: ASCII capitals get bit 5. Length bytes (0..63) are below 'A' and pass
 * unchanged. */
static inline uint64_t lower_word(uint64_t w)
{
    const uint64_t ones = 0x0101010101010101u;
    uint64_t low7 = w & (ones * 0x7f);
    uint64_t above_z = low7 + ones * (0x7f - 'Z');
    uint64_t from_a = low7 + ones * (0x80 - 'A');
    return w | (((from_a ^ above_z) & ~w & (ones * 0x80)) >> 2);
}

/* Lower form of name_length bytes at `wire`, of which at least `left` may be read. */
static void name_lower(struct query *q, const uint8_t *wire, size_t left)
{
    size_t i = 0;
    uint64_t w;
    for (; i + 8 <= q->name_length; i += 8) {
        memcpy(&w, wire + i, 8);
        w = lower_word(w);
        memcpy(q->name + i, &w, 8);
    }
    size_t rest = q->name_length - i;
    w = 0;
    if (likely(left >= i + 8))
        memcpy(&w, wire + i, 8);
    else
        memcpy(&w, wire + i, rest);
    w = lower_word(w & ((UINT64_C(1) << (rest * 8)) - 1));
    memcpy(q->name + i, &w, 8);
    w = 0; /* at least eight zeros after the name */
    memcpy(q->name + i + 8, &w, 8);
}

/* The one question. A name here is never compressed: there is nothing before it to point at. */
static bool question_parse(struct query *q)
{
    const uint8_t *name = q->wire + DNS_HEADER_SIZE;
    size_t most = q->length - DNS_HEADER_SIZE, at = 0;
    unsigned labels = 0;
    if (most < 1 + QUESTION_FIXED)
        return false;
    most -= QUESTION_FIXED;
    if (most > DNAME_MAX)
        most = DNAME_MAX;
    for (; at < most && name[at]; at += name[at] + 1u, labels++)
        if (name[at] > DNAME_LABEL_MAX)
            return false;
    if (at >= most)
        return false;
    q->name_length = (uint16_t)(at + 1);
    q->labels = (uint8_t)labels;
    q->type = load_u16(name + at + 1);
    q->class = load_u16(name + at + 3);
    q->question_end = (uint16_t)(DNS_HEADER_SIZE + q->name_length + QUESTION_FIXED);
    name_lower(q, name, q->length - DNS_HEADER_SIZE);
    return true;
}

/* RFC 7871 6 and 7.1.2: a malformed option is FORMERR, so that a client learns of its fault. */
static bool subnet_parse(struct query_edns *e, const uint8_t *data, size_t length)
{
    if (length < SUBNET_FIXED || e->subnet_given)
        return false;
    uint16_t family = load_u16(data);
    uint8_t source = data[2], scope = data[3];
    unsigned most = family == SUBNET_V4 ? 32 : family == SUBNET_V6 ? 128 : 0;
    size_t bytes = (source + 7u) / 8;
    if (family > SUBNET_V6 || source > most || scope != 0 || length != SUBNET_FIXED + bytes)
        return false;
    memset(e->subnet_bytes, 0, sizeof e->subnet_bytes);
    memcpy(e->subnet_bytes, data + SUBNET_FIXED, bytes);
    if (source % 8 && e->subnet_bytes[bytes - 1] & (0xff >> (source % 8)))
        return false;
    e->subnet_given = true;
    e->subnet_family = family;
    e->subnet_source = source;
    e->subnet_scope = 0;
    return true;
}

static bool options_parse(struct query_edns *e, bool client_subnet, const uint8_t *data,
                          size_t length)
{
    struct reader r = reader_init(data, length);
    while (reader_left(&r)) {
        uint16_t code = reader_u16(&r), size = reader_u16(&r);
        const uint8_t *value = reader_take(&r, size);
        if (!value)
            return false;
        if (code != DNS_OPTION_CLIENT_SUBNET)
            extra_option(e, code, value, size);
        else if (client_subnet && !subnet_parse(e, value, size))
            return false;
    }
    return true;
}

/* An OPT record whose owner was the root, from its type on. */
static bool opt_parse(struct query_edns *e, bool client_subnet, const uint8_t *p, size_t rdlength)
{
    if (e->present)
        return false; /* RFC 6891 6.1.1: at most one */
    e->present = true;
    e->size = load_u16(p + 2) < DNS_UDP_MIN ? DNS_UDP_MIN : load_u16(p + 2);
    e->version = p[5];
    e->dnssec_ok = p[6] & 0x80;
    return e->version != 0 || options_parse(e, client_subnet, p + RECORD_FIXED, rdlength);
}

static bool name_skip(struct reader *r)
{
    for (;;) {
        uint8_t label = reader_u8(r);
        if (r->failed || (label > DNAME_LABEL_MAX && label < 0xc0))
            return false;
        if (label >= 0xc0)
            return reader_take(r, 1) != NULL;
        if (!label)
            return true;
        reader_take(r, label);
    }
}

/* All records after the question; only OPT means anything to us. */
static bool records_parse(struct query *q, const struct query_context *ctx, unsigned skipped,
                          unsigned additionals)
{
    struct reader r = reader_init(q->wire, q->length);
    r.position = q->question_end;
    for (unsigned i = 0; i < skipped + additionals; i++) {
        bool root = reader_left(&r) && r.data[r.position] == 0;
        if (!name_skip(&r))
            return false;
        const uint8_t *fixed = reader_take(&r, RECORD_FIXED);
        if (!fixed)
            return false;
        uint16_t rdlength = load_u16(fixed + 8);
        if (!reader_take(&r, rdlength))
            return false;
        if (load_u16(fixed) == DNS_TSIG)
            q->is_signed = true;
        if (load_u16(fixed) != DNS_OPT)
            continue;
        if (!root || i < skipped || !opt_parse(&q->edns, ctx->client_subnet, fixed, rdlength))
            return false;
    }
    return true;
}

/* The common form: nothing, or one OPT right after the question. */
static bool edns_parse(struct query *q, const struct query_context *ctx)
{
    const uint8_t *w = q->wire;
    unsigned answers = load_u16(w + 6), authorities = load_u16(w + 8),
             additionals = load_u16(w + 10);
    if (likely(!answers && !authorities)) {
        if (!additionals)
            return true;
        const uint8_t *opt = w + q->question_end;
        size_t left = q->length - q->question_end;
        if (likely(additionals == 1 && left >= OPT_FIXED && !opt[0] &&
                   load_u16(opt + 1) == DNS_OPT && load_u16(opt + 9) == left - OPT_FIXED))
            return opt_parse(&q->edns, ctx->client_subnet, opt + 1, left - OPT_FIXED);
    }
    return records_parse(q, ctx, answers + authorities, additionals);
}

/* What is asked, not who or where. */
static void type_check(struct query *q, const struct query_context *ctx)
{
    if (unlikely(q->class != DNS_IN)) /* CHAOS version and id included: off by default */
        query_fail(q, QUERY_ERROR, DNS_REFUSED);
    else if (likely(q->type < 249 || q->type > 254))
        q->course = QUERY_GO;
    else if (q->type == DNS_AXFR || q->type == DNS_IXFR)
        q->course = QUERY_KEYED;
    else
        query_fail(q, QUERY_ERROR, DNS_NOTIMP);
    if (unlikely(q->type == DNS_ANY || ctx->stale) && q->course == QUERY_GO)
        extra_suppose(q, ctx);
    if (unlikely(q->type == DNS_NXNAME)) { /* RFC 9824 3.5: stands in proofs, is never asked for */
        query_fail(q, QUERY_ERROR, DNS_FORMERR);
        extra_explain(q, EDE_INVALID_TYPE);
    } else if (unlikely(q->type == DNS_OPT || q->type == 0))
        query_fail(q, QUERY_ERROR, DNS_FORMERR);
    else if (unlikely(q->course == QUERY_ERROR))
        extra_explain(q, EDE_NOT_SUPPORTED);
}

/* Who has no question may want to know his cookie, or whether it is good still (RFC 7873 5.4). */
static bool cookie_asked(struct query *q, const struct query_context *ctx)
{
    q->name_length = 0;
    q->labels = 0;
    q->type = 0;
    q->class = DNS_IN;
    q->question_end = DNS_HEADER_SIZE;
    return edns_parse(q, ctx) && q->edns.present && !q->edns.version && !q->is_signed &&
           extra_admit(q, ctx) && q->edns.extras & EXTRA_COOKIE;
}

static void question_fail(struct query *q, const struct query_context *ctx)
{
    if (!load_u16(q->wire + 4) && cookie_asked(q, ctx)) {
        query_fail(q, QUERY_COOKIE, DNS_NOERROR);
        return;
    }
    q->edns.subnet_given = false;
    q->edns.extras = 0;
    query_fail(q, QUERY_HEADER, DNS_FORMERR);
}

void query_parse(struct query *q, const struct query_context *ctx)
{
    q->is_signed = false;
    q->edns.present = false;
    q->edns.dnssec_ok = false;
    q->edns.subnet_given = false;
    q->edns.extras = 0;
    q->cookie_good = false;
    if (unlikely(q->length < DNS_HEADER_SIZE || q->wire[2] & (DNS_FLAG_QR >> 8))) {
        q->course = QUERY_DROP;
        return;
    }
    if (unlikely(q->wire[2] & (DNS_OPCODE_MASK >> 8))) {
        unsigned opcode = q->wire[2] >> 3 & 15;
        bool relayed = opcode == DNS_UPDATE || opcode == DNS_NOTIFY;
        query_fail(q, relayed ? QUERY_RELAY : QUERY_HEADER, relayed ? DNS_SERVFAIL : DNS_NOTIMP);
        return;
    }
    if (unlikely(load_u16(q->wire + 4) != 1 || !question_parse(q))) {
        question_fail(q, ctx);
        return;
    }
    if (unlikely(!edns_parse(q, ctx) || (q->edns.extras && !extra_admit(q, ctx)))) {
        q->edns.subnet_given = false;
        q->edns.extras = 0;
        query_fail(q, QUERY_ERROR, DNS_FORMERR);
        return;
    }
    if (unlikely(q->edns.present && q->edns.version != 0)) {
        query_fail(q, QUERY_ERROR, DNS_BADVERS);
        return;
    }
    type_check(q, ctx);
    if (unlikely(q->is_signed))
        q->course = QUERY_KEYED;
}
