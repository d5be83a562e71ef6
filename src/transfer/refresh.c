#include "transfer/refresh.h"
#include "base/err.h"
#include "base/invariant.h"
#include "wire/dns.h"
#include "wire/dnsmsg.h"
#include "wire/rdata.h"

enum { SOA_FIXED = 20 };

int refresh_write(uint16_t id, const uint8_t *zone, struct tsig_session *s, uint64_t wall,
                  uint8_t ret_wire[static REFRESH_SIZE_MAX])
{
    struct dnsmsg_query q = {.id = id, .name = zone, .type = DNS_SOA, .class = DNS_IN};
    struct writer w = writer_init(ret_wire, REFRESH_SIZE_MAX);
    dnsmsg_query_write(&w, &q);
    invariant(!w.failed);
    return s->key ? tsig_sign(s, ret_wire, w.position, REFRESH_SIZE_MAX, wall) : (int)w.position;
}

static bool name_is(struct dnsmsg_entry *e, const uint8_t *zone)
{
    dnsmsg_name_lower(e->name);
    return e->class == DNS_IN && e->type == DNS_SOA &&
           dname_equal(e->name, dname_length(e->name), zone, dname_length(zone));
}

static int serial_read(const struct dnsmsg *m, const struct dnsmsg_entry *e, uint32_t *ret)
{
    uint8_t rdata[DNSMSG_RDATA_MAX];
    int length = dnsmsg_rdata(m, e, rdata);
    if (length < 0 || !rdata_lower(DNS_SOA, rdata, (uint16_t)length))
        return ERR_SYNTAX;
    struct reader r = reader_init(rdata, (size_t)length);
    r.position = (size_t)length - SOA_FIXED;
    *ret = reader_u32(&r);
    return 0;
}

static int answer_read(struct dnsmsg *m, const uint8_t *zone, uint32_t *ret_serial)
{
    struct dnsmsg_entry e;
    if (dnsmsg_rcode(m) || !(m->flags & DNS_FLAG_AA))
        return ERR_REFUSED;
    if (m->flags & DNS_FLAG_TC)
        return ERR_TRUNCATED;
    while (dnsmsg_next(m, &e) > 0)
        if (e.section == DNSMSG_ANSWER && name_is(&e, zone))
            return serial_read(m, &e, ret_serial);
    return ERR_SYNTAX;
}

int refresh_answered(const uint8_t *wire, size_t length, uint16_t id, const uint8_t *zone,
                     struct tsig_session *s, uint64_t wall, uint32_t *ret_serial)
{
    struct dnsmsg m;
    struct dnsmsg_entry question;
    if (dnsmsg_open(wire, length, &m) || m.id != id || !(m.flags & DNS_FLAG_QR) ||
        m.flags & DNS_OPCODE_MASK || m.counts[DNSMSG_QUESTION] != 1 ||
        dnsmsg_next(&m, &question) != 1 || !name_is(&question, zone))
        return ERR_MISSING;
    /* What was made up does not count; the session stays as it was, for the true one. */
    struct tsig_session copy = *s;
    if (s->key && tsig_reply_verify(&copy, wire, length, wall, &length))
        return ERR_MISSING;
    m.reader.length = length; /* without the signature, which is last: never reached */
    return answer_read(&m, zone, ret_serial);
}
