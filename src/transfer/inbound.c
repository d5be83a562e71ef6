#include "transfer/inbound.h"
#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include "wire/dns.h"
#include "wire/dnsmsg.h"
#include "wire/rdata.h"
#include "wire/serial.h"
#include <openssl/crypto.h>
#include <string.h>

enum {
    SOA_MAX = 2 * DNAME_MAX + 20,
    SOA_FIXED = 20, /* serial, refresh, retry, expire, minimum */
    TTL_MAX = INT32_MAX,
};

static const char bytes_reason[] = "it has more bytes than max_bytes allows";

enum state { FIRST, SECOND, WHOLE, REMOVED, ADDED, ENDED };

struct inbound {
    uint8_t zone[DNAME_MAX];
    size_t zone_length;
    struct inbound_request request;
    struct tsig_key key;
    struct tsig_session session;
    enum state state;
    enum inbound_kind kind;
    bool begun;      /* a message was read */
    uint32_t serial; /* of the first SOA: where the answer leads */
    uint32_t soa_ttl;
    uint8_t soa[SOA_MAX]; /* its data */
    uint16_t soa_length;
    uint32_t from, to; /* serials of the step */
    uint64_t records, bytes;
    uint8_t *list; /* struct packed, owner, data; one after the other */
    size_t list_length, list_size;
    const char *reason;
    unsigned rcode;
    uint8_t rdata[DNSMSG_RDATA_MAX];
};

struct packed {
    uint32_t ttl;
    uint16_t type, rdata_length;
    uint8_t owner_length;
    bool removed;
};

/* A record on its way from a message into the list. */
struct arrived {
    struct dnsmsg_entry entry;
    size_t owner_length;
    uint16_t rdata_length;
};

struct inbound *inbound_new(const struct inbound_request *request)
{
    struct inbound *in = mem_new(1, sizeof *in);
    in->zone_length = dname_length(request->zone);
    memcpy(in->zone, request->zone, in->zone_length);
    in->request = *request;
    in->request.zone = in->zone;
    if (request->key) {
        in->key = *request->key;
        in->request.key = in->session.key = &in->key;
    }
    return in;
}

void inbound_free(struct inbound *in)
{
    if (!in)
        return;
    tsig_session_done(&in->session);
    OPENSSL_cleanse(&in->key, sizeof in->key);
    free(in->list);
    free(in);
}

static int fail(struct inbound *in, int err, const char *reason)
{
    in->reason = reason;
    return err;
}

/* ---- the question ---- */

/* RFC 1995 3: our version's SOA, of which the primary reads the serial alone. */
static void version_write(struct writer *w, const struct inbound *in)
{
    writer_u16(w, 0xc000 | DNS_HEADER_SIZE);
    writer_u16(w, DNS_SOA);
    writer_u16(w, DNS_IN);
    writer_u32(w, 0);
    writer_u16(w, 2 + SOA_FIXED);
    writer_u16(w, 0); /* two root names */
    writer_u32(w, in->request.serial);
    for (unsigned i = 4; i < SOA_FIXED; i += 4)
        writer_u32(w, 0);
}

/* An OPT record with so much padding that the message's length, signed, is a multiple of
 * INBOUND_PAD; it also asks the primary for padding (RFC 7830 4). */
static void padding_write(struct writer *w, const struct inbound *in)
{
    enum { OPT_SIZE = 11, OPTION_HEAD = 4, UDP_SIZE = 1232 };
    static const uint8_t zeros[INBOUND_PAD];
    size_t length = w->position + OPT_SIZE + OPTION_HEAD;
    if (in->session.key)
        length += tsig_request_size(in->session.key);
    size_t padding = (INBOUND_PAD - length % INBOUND_PAD) % INBOUND_PAD;
    writer_u8(w, 0);
    writer_u16(w, DNS_OPT);
    writer_u16(w, UDP_SIZE);
    writer_u32(w, 0);
    writer_u16(w, (uint16_t)(OPTION_HEAD + padding));
    writer_u16(w, DNS_OPTION_PADDING);
    writer_u16(w, (uint16_t)padding);
    writer_bytes(w, zeros, padding);
}

int inbound_ask(struct inbound *in, uint64_t wall, uint8_t ret_wire[static INBOUND_REQUEST_MAX])
{
    struct writer w = writer_init(ret_wire, INBOUND_REQUEST_MAX);
    writer_u16(&w, in->request.id);
    writer_u16(&w, 0);
    writer_u16(&w, 1);
    writer_u16(&w, 0);
    writer_u16(&w, in->request.incremental);
    writer_u16(&w, in->request.padded);
    writer_bytes(&w, in->zone, in->zone_length);
    writer_u16(&w, in->request.incremental ? DNS_IXFR : DNS_AXFR);
    writer_u16(&w, DNS_IN);
    if (in->request.incremental)
        version_write(&w, in);
    if (in->request.padded)
        padding_write(&w, in);
    invariant(!w.failed);
    if (!in->session.key)
        return (int)w.position;
    return tsig_sign(&in->session, ret_wire, w.position, INBOUND_REQUEST_MAX, wall);
}

/* ---- the list ---- */

static int list_add(struct inbound *in, const uint8_t *owner, const struct packed *p,
                    const uint8_t *rdata)
{
    if (in->records == in->request.records_max)
        return fail(in, ERR_LIMIT, "it has more records than max_records allows");
    size_t length = in->list_length + sizeof *p + p->owner_length + p->rdata_length;
    if (length > in->request.bytes_max)
        return fail(in, ERR_LIMIT, bytes_reason);
    if (length > in->list_size) {
        in->list_size = length + length / 2;
        in->list = mem_resize(in->list, in->list_size, 1);
    }
    uint8_t *at = in->list + in->list_length;
    memcpy(at, p, sizeof *p);
    memcpy(at + sizeof *p, owner, p->owner_length);
    memcpy(at + sizeof *p + p->owner_length, rdata, p->rdata_length);
    in->list_length = length;
    in->records++;
    return 0;
}

static int arrived_add(struct inbound *in, const struct arrived *a, bool removed)
{
    struct packed p = {.ttl = a->entry.ttl,
                       .type = a->entry.type,
                       .rdata_length = a->rdata_length,
                       .owner_length = (uint8_t)a->owner_length,
                       .removed = removed};
    return list_add(in, a->entry.name, &p, in->rdata);
}

/* The SOA that came first, as a record of the zone. */
static int soa_add(struct inbound *in)
{
    struct packed p = {.ttl = in->soa_ttl,
                       .type = DNS_SOA,
                       .rdata_length = in->soa_length,
                       .owner_length = (uint8_t)in->zone_length};
    return list_add(in, in->zone, &p, in->soa);
}

bool inbound_next(const struct inbound *in, size_t *position, struct inbound_record *ret)
{
    struct packed p;
    if (*position == in->list_length)
        return false;
    invariant(in->state == ENDED && *position + sizeof p <= in->list_length);
    const uint8_t *at = in->list + *position;
    memcpy(&p, at, sizeof p);
    at += sizeof p;
    *ret =
        (struct inbound_record){at, at + p.owner_length, p.ttl, p.type, p.rdata_length, p.removed};
    *position += sizeof p + p.owner_length + p.rdata_length;
    return true;
}

/* ---- records ---- */

static uint32_t soa_serial(const struct inbound *in, const struct arrived *a)
{
    struct reader r = reader_init(in->rdata, a->rdata_length);
    r.position = a->rdata_length - (size_t)SOA_FIXED;
    return reader_u32(&r);
}

static bool soa_is_first(const struct inbound *in, const struct arrived *a)
{
    return a->rdata_length == in->soa_length && !memcmp(in->rdata, in->soa, in->soa_length);
}

static int first_take(struct inbound *in, const struct arrived *a)
{
    if (a->entry.type != DNS_SOA)
        return fail(in, ERR_INVALID, "it does not begin with the zone's SOA");
    in->serial = soa_serial(in, a);
    in->soa_ttl = a->entry.ttl;
    in->soa_length = a->rdata_length;
    memcpy(in->soa, in->rdata, a->rdata_length);
    if (!in->request.incremental) {
        in->kind = INBOUND_WHOLE;
        in->state = WHOLE;
        return soa_add(in);
    }
    in->state = serial_newer(in->serial, in->request.serial) ? SECOND : ENDED;
    return 0;
}

static int whole_take(struct inbound *in, const struct arrived *a)
{
    if (a->entry.type != DNS_SOA)
        return arrived_add(in, a, false);
    if (!soa_is_first(in, a))
        return fail(in, ERR_INVALID, "its first and last SOA differ");
    in->state = ENDED;
    return 0;
}

/* RFC 1995 4: what tells differences from a whole zone. */
static int second_take(struct inbound *in, const struct arrived *a)
{
    if (a->entry.type == DNS_SOA && soa_serial(in, a) == in->request.serial) {
        in->kind = INBOUND_STEPS;
        in->state = REMOVED;
        in->from = in->request.serial;
        return arrived_add(in, a, true);
    }
    in->kind = INBOUND_WHOLE;
    in->state = WHOLE;
    int err = soa_add(in);
    return err ? err : whole_take(in, a);
}

static int removed_take(struct inbound *in, const struct arrived *a)
{
    if (a->entry.type != DNS_SOA)
        return arrived_add(in, a, true);
    in->to = soa_serial(in, a);
    if (!serial_newer(in->to, in->from) || serial_newer(in->to, in->serial))
        return fail(in, ERR_INVALID, "the serials of its differences do not lead to the newest");
    if (in->to == in->serial && !soa_is_first(in, a))
        return fail(in, ERR_INVALID, "its differences lead to another SOA than it began with");
    in->state = ADDED;
    return arrived_add(in, a, false);
}

static int added_take(struct inbound *in, const struct arrived *a)
{
    if (a->entry.type != DNS_SOA)
        return arrived_add(in, a, false);
    if (soa_serial(in, a) != in->to)
        return fail(in, ERR_INVALID, "the serials of its differences do not follow one another");
    if (in->to == in->serial) {
        in->state = ENDED;
        return soa_is_first(in, a) ? 0 : fail(in, ERR_INVALID, "its first and last SOA differ");
    }
    in->state = REMOVED;
    in->from = in->to;
    return arrived_add(in, a, true);
}

static int arrived_take(struct inbound *in, const struct arrived *a)
{
    switch (in->state) {
    case FIRST:
        return first_take(in, a);
    case SECOND:
        return second_take(in, a);
    case WHOLE:
        return whole_take(in, a);
    case REMOVED:
        return removed_take(in, a);
    case ADDED:
        return added_take(in, a);
    case ENDED:
        break;
    }
    return fail(in, ERR_INVALID, "it goes on behind its last SOA");
}

/* Makes the record canonical: its data lie in in->rdata. */
static int arrived_read(struct inbound *in, const struct dnsmsg *m, struct arrived *a)
{
    struct dnsmsg_entry *e = &a->entry;
    if (e->class != DNS_IN)
        return fail(in, ERR_INVALID, "a record is of another class than IN");
    if (dns_type_is_meta(e->type))
        return fail(in, ERR_INVALID, "a record is of a type that no zone holds");
    dnsmsg_name_lower(e->name);
    a->owner_length = dname_length(e->name);
    if (!dname_below(e->name, a->owner_length, in->zone, in->zone_length))
        return fail(in, ERR_INVALID, "a record lies outside the zone");
    if (e->type == DNS_SOA && a->owner_length != in->zone_length)
        return fail(in, ERR_INVALID, "a SOA record lies below the zone's apex");
    int length = dnsmsg_rdata(m, e, in->rdata);
    if (length < 0 || !rdata_lower(e->type, in->rdata, (uint16_t)length))
        return fail(in, ERR_SYNTAX, "a record's data is malformed");
    a->rdata_length = (uint16_t)length;
    if (e->ttl > TTL_MAX)
        e->ttl = 0; /* RFC 2181 8 */
    return 0;
}

/* ---- messages ---- */

static int question_check(struct inbound *in, const struct dnsmsg_entry *e)
{
    uint8_t name[DNAME_MAX];
    size_t length = dname_length(e->name);
    memcpy(name, e->name, length);
    dnsmsg_name_lower(name);
    if (e->class == DNS_IN && e->type == (in->request.incremental ? DNS_IXFR : DNS_AXFR) &&
        dname_equal(name, length, in->zone, in->zone_length))
        return 0;
    return fail(in, ERR_INVALID, "it answers another question");
}

/* RFC 5936 2.2: the question is in the first message, and may be in others. */
static int head_check(struct inbound *in, const struct dnsmsg *m)
{
    enum { OPCODE_QUERY = 0 };
    if (m->id != in->request.id || !(m->flags & DNS_FLAG_QR) ||
        (m->flags & DNS_OPCODE_MASK) != OPCODE_QUERY)
        return fail(in, ERR_INVALID, "a message is no answer to what was asked");
    in->rcode = dnsmsg_rcode(m);
    if (in->rcode)
        return fail(in, ERR_REFUSED, "the primary answers with an error");
    if (m->flags & DNS_FLAG_TC)
        return fail(in, ERR_TRUNCATED, "a message is truncated");
    if (m->counts[DNSMSG_QUESTION] > 1 || (!in->begun && !m->counts[DNSMSG_QUESTION]))
        return fail(in, ERR_INVALID, "a message has not one question");
    if (!m->counts[DNSMSG_ANSWER])
        return fail(in, ERR_INVALID, "a message has no records");
    return 0;
}

static int entry_take(struct inbound *in, const struct dnsmsg *m, struct arrived *a)
{
    if (a->entry.section == DNSMSG_QUESTION)
        return question_check(in, &a->entry);
    if (a->entry.section != DNSMSG_ANSWER)
        return 0; /* read for its form alone: RFC 5936 2.2.4, 2.2.5 */
    int err = arrived_read(in, m, a);
    return err ? err : arrived_take(in, a);
}

static int body_read(struct inbound *in, struct dnsmsg *m)
{
    struct arrived a;
    int more, err = 0;
    while ((more = dnsmsg_next(m, &a.entry)) > 0 && !err) {
        err = entry_take(in, m, &a);
        if (!err && in->state == ENDED && in->kind == INBOUND_CURRENT)
            return 0; /* nothing of it will be used */
    }
    if (err)
        return err;
    if (more < 0)
        return fail(in, more, "a message is malformed");
    return reader_left(&m->reader) ? fail(in, ERR_SYNTAX, "a message goes on behind its records")
                                   : 0;
}

static int signature_check(struct inbound *in, const uint8_t *wire, size_t *length, uint64_t wall,
                           bool *ret_found)
{
    size_t before = *length;
    *ret_found = false;
    if (!in->session.key)
        return 0;
    int err = tsig_reply_verify(&in->session, wire, *length, wall, length);
    *ret_found = *length < before;
    if (err == ERR_MISSING)
        return fail(in, ERR_INVALID, "a message is not signed");
    if (err)
        return fail(in, err,
                    err == ERR_OLDER ? "a message was signed at another time: compare the clocks"
                                     : "a message's signature is wrong");
    return 0;
}

int inbound_message(struct inbound *in, const uint8_t *wire, size_t length, uint64_t wall)
{
    struct dnsmsg m;
    bool is_signed;
    invariant(in->state != ENDED && !in->reason);
    in->bytes += length;
    if (in->bytes > in->request.bytes_max)
        return fail(in, ERR_LIMIT, bytes_reason);
    if (dnsmsg_open(wire, length, &m))
        return fail(in, ERR_TRUNCATED, "a message is shorter than its header");
    int err = head_check(in, &m); /* before the signature: errors may come without one */
    if (!err)
        err = signature_check(in, wire, &length, wall, &is_signed);
    if (err)
        return err;
    m.reader.length = length;
    m.counts[DNSMSG_ADDITIONAL] = (uint16_t)(m.counts[DNSMSG_ADDITIONAL] - is_signed);
    in->begun = true;
    err = body_read(in, &m);
    if (err)
        return err;
    if (in->state != ENDED)
        return 0;
    if (!tsig_stream_whole(&in->session)) /* RFC 8945 5.3.1 */
        return fail(in, ERR_INVALID, "its last message is not signed");
    return 1;
}

/* ---- asking ---- */

const char *inbound_reason(const struct inbound *in)
{
    return in->reason;
}

unsigned inbound_rcode(const struct inbound *in)
{
    return in->rcode;
}

enum inbound_kind inbound_kind(const struct inbound *in)
{
    invariant(in->state == ENDED);
    return in->kind;
}

uint32_t inbound_serial(const struct inbound *in)
{
    return in->serial;
}

uint64_t inbound_count(const struct inbound *in)
{
    return in->records;
}
