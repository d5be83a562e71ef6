#include "observe/dnsprobe.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/invariant.h"
#include "wire/dns.h"
#include <string.h>

size_t dnsprobe_write(const struct dnsprobe *p, uint16_t id,
                      uint8_t ret_query[static DNSPROBE_QUERY_MAX])
{
    struct writer w = writer_init(ret_query, DNSPROBE_QUERY_MAX);
    writer_u16(&w, id);
    writer_u16(&w, DNS_FLAG_RD);
    writer_u16(&w, 1); /* question */
    writer_u16(&w, 0);
    writer_u16(&w, 0);
    writer_u16(&w, 1); /* OPT */
    writer_bytes(&w, p->name, p->name_length);
    writer_u16(&w, p->type);
    writer_u16(&w, DNS_IN);
    writer_u8(&w, 0);
    writer_u16(&w, DNS_OPT);
    writer_u16(&w, DNSPROBE_UDP_SIZE);
    writer_u32(&w, 0);
    writer_u16(&w, 0);
    invariant(!w.failed);
    return w.position;
}

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

/* The question as we asked it, in whatever case. Label lengths (< 64) are below the letters. */
static bool question_equal(struct reader *r, const struct dnsprobe *p)
{
    const uint8_t *name = reader_take(r, p->name_length);
    if (!name)
        return false;
    for (size_t i = 0; i < p->name_length; i++)
        if (lower(name[i]) != p->name[i])
            return false;
    uint16_t type = reader_u16(r), class = reader_u16(r);
    return !r->failed && type == p->type && class == DNS_IN;
}

/* Past a name: labels up to the root or a pointer (RFC 1035 4.1.4). */
static void name_skip(struct reader *r)
{
    for (;;) {
        uint8_t length = reader_u8(r);
        if (r->failed || length == 0)
            return;
        if (length >= 0xc0) {
            reader_u8(r);
            return;
        }
        if (length > DNAME_LABEL_MAX)
            r->failed = true;
        reader_take(r, length);
    }
}

static void address_add(struct dnsprobe_reply *reply, uint16_t type, const uint8_t *data,
                        size_t length)
{
    struct ip ip = {.family = type == DNS_AAAA ? IP_V6 : IP_V4};
    if ((type != DNS_A && type != DNS_AAAA) || length != ip_size(&ip) ||
        reply->address_count == DNSPROBE_ADDRESSES_MAX)
        return;
    memcpy(ip.bytes, data, length);
    for (unsigned i = 0; i < reply->address_count; i++)
        if (ip_equal(&reply->addresses[i], &ip))
            return;
    reply->addresses[reply->address_count++] = ip;
}

static void record_read(struct reader *r, const struct dnsprobe *p, struct dnsprobe_reply *reply)
{
    name_skip(r);
    uint16_t type = reader_u16(r), class = reader_u16(r);
    reader_u32(r); /* TTL */
    uint16_t length = reader_u16(r);
    const uint8_t *data = reader_take(r, length);
    if (r->failed || class != DNS_IN)
        return;
    if (type == p->type) {
        reply->answers++;
        address_add(reply, type, data, length);
    }
    bool address = p->has_expect && type == (p->expect.family == IP_V6 ? DNS_AAAA : DNS_A);
    if (address && length == ip_size(&p->expect) && memcmp(data, p->expect.bytes, length) == 0)
        reply->expected = true;
}

int dnsprobe_read(const struct dnsprobe *p, uint16_t id, const void *data, size_t length,
                  struct dnsprobe_reply *ret)
{
    struct reader r = reader_init(data, length);
    uint16_t got = reader_u16(&r), flags = reader_u16(&r), questions = reader_u16(&r),
             answers = reader_u16(&r);
    reader_u32(&r);
    if (r.failed || got != id || !(flags & DNS_FLAG_QR) || (flags & DNS_OPCODE_MASK))
        return ERR_MISSING;
    struct dnsprobe_reply reply = {.rcode = flags & 15, .truncated = flags & DNS_FLAG_TC};
    /* an error may come without the question (RFC 1035 4.1.1, format error) */
    if (questions == 0 && answers == 0 && reply.rcode != DNS_NOERROR) {
        *ret = reply;
        return 0;
    }
    if (questions != 1 || !question_equal(&r, p))
        return ERR_MISSING;
    for (unsigned i = 0; i < answers && !r.failed; i++)
        record_read(&r, p, &reply);
    if (r.failed && !reply.truncated)
        return ERR_SYNTAX;
    *ret = reply;
    return 0;
}
