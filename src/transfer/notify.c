#include "transfer/notify.h"
#include "base/bytes.h"
#include "base/invariant.h"
#include "wire/dns.h"
#include "wire/dnsmsg.h"
#include "wire/rdata.h"

enum { OPCODE_NOTIFY = 4, OPCODE_SHIFT = 11, SOA_FIXED = 20 };

int notify_write(uint16_t id, const uint8_t *zone, struct tsig_session *s, uint64_t wall,
                 uint8_t ret[static NOTIFY_SIZE_MAX])
{
    struct writer w = writer_init(ret, NOTIFY_SIZE_MAX);
    writer_u16(&w, id);
    writer_u16(&w, OPCODE_NOTIFY << OPCODE_SHIFT | DNS_FLAG_AA);
    writer_u16(&w, 1);
    writer_u16(&w, 0);
    writer_u32(&w, 0);
    writer_bytes(&w, zone, dname_length(zone));
    writer_u16(&w, DNS_SOA);
    writer_u16(&w, DNS_IN);
    invariant(!w.failed);
    return s->key ? tsig_sign(s, ret, w.position, NOTIFY_SIZE_MAX, wall) : (int)w.position;
}

bool notify_answered(const uint8_t *wire, size_t length, uint16_t id, struct tsig_session *s,
                     uint64_t wall, unsigned *ret_rcode)
{
    struct dnsmsg m;
    if (dnsmsg_open(wire, length, &m) || m.id != id || !(m.flags & DNS_FLAG_QR) ||
        (m.flags & DNS_OPCODE_MASK) != OPCODE_NOTIFY << OPCODE_SHIFT)
        return false;
    /* A datagram that was made up does not count; the session stays as it was, for the true one. */
    struct tsig_session copy = *s;
    if (s->key && tsig_reply_verify(&copy, wire, length, wall, &length))
        return false;
    *ret_rcode = dnsmsg_rcode(&m);
    return true;
}

bool notify_serial(const uint8_t *wire, size_t length, const uint8_t *zone, uint32_t *ret_serial)
{
    struct dnsmsg m;
    struct dnsmsg_entry e;
    uint8_t rdata[DNSMSG_RDATA_MAX];
    if (dnsmsg_open(wire, length, &m))
        return false;
    while (dnsmsg_next(&m, &e) > 0) {
        dnsmsg_name_lower(e.name);
        if (e.section != DNSMSG_ANSWER || e.type != DNS_SOA || e.class != DNS_IN ||
            !dname_equal(e.name, dname_length(e.name), zone, dname_length(zone)))
            continue;
        int size = dnsmsg_rdata(&m, &e, rdata);
        if (size < 0 || !rdata_lower(DNS_SOA, rdata, (uint16_t)size))
            return false;
        struct reader r = reader_init(rdata, (size_t)size);
        r.position = (size_t)size - SOA_FIXED;
        *ret_serial = reader_u32(&r);
        return true;
    }
    return false;
}

usec_t notify_wait(unsigned attempt, struct random *random)
{
    invariant(attempt < NOTIFY_ATTEMPTS);
    usec_t base = USEC_PER_SEC << attempt;
    return base + (usec_t)random_below(random, (uint32_t)(base / 2));
}
