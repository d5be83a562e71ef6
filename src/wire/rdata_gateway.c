/* Fields whose shape depends on a number before them: IPSECKEY (RFC 4025), AMTRELAY (RFC 8777), and
 * the address prefixes of APL (RFC 3123). */
#include "wire/dname.h"
#include "wire/rdata_field.h"

enum gateway_type { GATEWAY_NONE, GATEWAY_IPV4, GATEWAY_IPV6, GATEWAY_NAME };

static bool gateway_none_parse(struct rdata_parser *p)
{
    static const char wanted[] = "\".\", for type 0 is no gateway";

    if (!rdata_word(p, wanted))
        return false;
    return lexer_is(p->lexer, ".") || rdata_want(p, wanted);
}

static bool gateway_parse(struct rdata_parser *p, uint32_t type)
{
    switch (type) {
    case GATEWAY_NONE:
        return gateway_none_parse(p);
    case GATEWAY_IPV4:
        return field_ipv4_parse(p);
    case GATEWAY_IPV6:
        return field_ipv6_parse(p);
    default:
        return field_name_parse(p);
    }
}

static bool gateway_check(struct reader *r, unsigned type)
{
    switch (type) {
    case GATEWAY_NONE:
        return true;
    case GATEWAY_IPV4:
        return reader_take(r, 4);
    case GATEWAY_IPV6:
        return reader_take(r, 16);
    case GATEWAY_NAME:
        return field_name_check(r);
    default:
        return false;
    }
}

static void gateway_format(struct reader *r, unsigned type, struct text *out)
{
    switch (type) {
    case GATEWAY_NONE:
        text_append(out, ".");
        break;
    case GATEWAY_IPV4:
        field_ipv4_format(r, out);
        break;
    case GATEWAY_IPV6:
        field_ipv6_format(r, out);
        break;
    default:
        field_name_format(r, out);
    }
}

bool field_gateway_parse(struct rdata_parser *p)
{
    uint32_t precedence, type, algorithm;

    if (!rdata_number(p, 255, "a precedence from 0 to 255", &precedence) ||
        !rdata_number(p, GATEWAY_NAME, "a gateway type from 0 to 3", &type) ||
        !rdata_number(p, 255, "an algorithm number", &algorithm))
        return false;
    writer_u8(&p->out, (uint8_t)precedence);
    writer_u8(&p->out, (uint8_t)type);
    writer_u8(&p->out, (uint8_t)algorithm);
    return gateway_parse(p, type);
}

bool field_gateway_check(struct reader *r)
{
    reader_u8(r);
    unsigned type = reader_u8(r);
    reader_u8(r);
    return gateway_check(r, type);
}

void field_gateway_format(struct reader *r, struct text *out)
{
    unsigned precedence = reader_u8(r), type = reader_u8(r), algorithm = reader_u8(r);

    text_appendf(out, "%u %u %u ", precedence, type, algorithm);
    gateway_format(r, type, out);
}

bool field_relay_parse(struct rdata_parser *p)
{
    uint32_t precedence, discovery, type;

    if (!rdata_number(p, 255, "a precedence from 0 to 255", &precedence) ||
        !rdata_number(p, 1, "the discovery-optional flag, 0 or 1", &discovery) ||
        !rdata_number(p, GATEWAY_NAME, "a relay type from 0 to 3", &type))
        return false;
    writer_u8(&p->out, (uint8_t)precedence);
    writer_u8(&p->out, (uint8_t)(discovery << 7 | type));
    return gateway_parse(p, type);
}

bool field_relay_check(struct reader *r)
{
    reader_u8(r);
    return gateway_check(r, reader_u8(r) & 0x7f);
}

void field_relay_format(struct reader *r, struct text *out)
{
    unsigned precedence = reader_u8(r), type = reader_u8(r);

    text_appendf(out, "%u %u %u ", precedence, type >> 7, type & 0x7f);
    gateway_format(r, type & 0x7f, out);
}

/* ---- APL: [!]1:192.0.2.0/24 ---- */

enum { APL_IPV4 = 1, APL_IPV6 = 2, APL_NEGATE = 0x80 };

static bool prefix_parse(struct rdata_parser *p)
{
    static const char wanted[] = "an address prefix (1:192.0.2.0/24, !2:2001:db8::/32)";
    uint8_t bytes[16] = {0};
    uint32_t length;

    if (!rdata_word(p, wanted))
        return false;
    const char *at = p->lexer->word, *end = at + p->lexer->word_length;
    bool negate = at < end && *at == '!';
    at += negate;
    const char *slash = memchr(at, '/', (size_t)(end - at));
    if (!slash || slash - at < 3 || at[1] != ':' || (at[0] != '1' && at[0] != '2'))
        return rdata_want(p, wanted);
    bool v6 = at[0] == '2';
    at += 2;
    if (!(v6 ? ipv6_read(at, (size_t)(slash - at), bytes)
             : ipv4_read(at, (size_t)(slash - at), bytes)) ||
        !digits_number(slash + 1, (size_t)(end - slash - 1), v6 ? 128 : 32, &length))
        return rdata_want(p, wanted);
    size_t size = v6 ? 16 : 4;
    while (size && !bytes[size - 1])
        size--; /* trailing zero bytes are not sent (4) */
    writer_u16(&p->out, v6 ? APL_IPV6 : APL_IPV4);
    writer_u8(&p->out, (uint8_t)length);
    writer_u8(&p->out, (uint8_t)((negate ? APL_NEGATE : 0) | size));
    writer_bytes(&p->out, bytes, size);
    return true;
}

bool field_apl_parse(struct rdata_parser *p)
{
    while (rdata_more(p))
        if (!prefix_parse(p))
            return false;
    return true;
}

bool field_apl_check(struct reader *r)
{
    while (reader_left(r)) {
        unsigned family = reader_u16(r), length = reader_u8(r), size = reader_u8(r) & 0x7f;
        const uint8_t *bytes = reader_take(r, size);
        unsigned most = family == APL_IPV4 ? 4 : 16;
        if (!bytes || (family != APL_IPV4 && family != APL_IPV6) || size > most ||
            length > most * 8 || (size && !bytes[size - 1]))
            return false;
    }
    return true;
}

void field_apl_format(struct reader *r, struct text *out)
{
    for (const char *space = ""; reader_left(r); space = " ") {
        unsigned family = reader_u16(r), length = reader_u8(r), size = reader_u8(r);
        uint8_t bytes[16] = {0};
        memcpy(bytes, reader_checked(r, size & 0x7f), size & 0x7f);
        text_appendf(out, "%s%s%u:", space, size & APL_NEGATE ? "!" : "", family);
        if (family == APL_IPV4)
            ipv4_write(bytes, out);
        else
            ipv6_write(bytes, out);
        text_appendf(out, "/%u", length);
    }
}
