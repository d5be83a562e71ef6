/* Fields of types that hardly anybody has: WKS (RFC 1035 3.4.2), NXT (RFC 2535 5), ATMA (the ATM
 * Forum's af-dans-0152), A6 (RFC 2874), HIP (RFC 8005), DOA and IPN (by their registrations). A
 * zone that comes from elsewhere may have them, and its owner should not have to know. */
#include "wire/dname.h"
#include "wire/rdata_field.h"
#include <inttypes.h>

/* Bytes up to the last that is not zero. */
static size_t bytes_used(const uint8_t *bytes, size_t size)
{
    while (size && !bytes[size - 1])
        size--;
    return size;
}

/* ---- WKS: the protocol and a bitmap of its ports, behind the address ---- */

enum { WKS_BYTES_MAX = 8192, PROTOCOL_TCP = 6, PROTOCOL_UDP = 17 };

static const struct rdata_mnemonic protocols[] = {
    {"TCP", PROTOCOL_TCP}, {"UDP", PROTOCOL_UDP}, {NULL, 0}};
/* RFC 1035 takes the names of RFC 1010; these are the ones that were ever seen. */
static const struct rdata_mnemonic ports[] = {
    {"ftp", 21},  {"ssh", 22},    {"telnet", 23}, {"smtp", 25},  {"time", 37},
    {"tftp", 69}, {"domain", 53}, {"finger", 79}, {"http", 80},  {"pop3", 110},
    {"ntp", 123}, {"nntp", 119},  {"imap", 143},  {"snmp", 161}, {NULL, 0},
};

bool field_ports_parse(struct rdata_parser *p)
{
    uint8_t bits[WKS_BYTES_MAX] = {0};
    uint32_t protocol, port;

    if (!rdata_mnemonic(p, protocols, UINT8_MAX, "a protocol: TCP, UDP or a number from 0 to 255",
                        &protocol))
        return false;
    writer_u8(&p->out, (uint8_t)protocol);
    while (rdata_more(p)) {
        if (!rdata_mnemonic(p, ports, UINT16_MAX, "a port from 0 to 65535", &port))
            return false;
        bits[port / 8] |= (uint8_t)(0x80 >> port % 8);
    }
    writer_bytes(&p->out, bits, bytes_used(bits, sizeof bits));
    return true;
}

bool field_ports_check(struct reader *r)
{
    reader_u8(r);
    size_t left = reader_left(r);
    const uint8_t *bits = reader_take(r, left);
    return bits && left <= WKS_BYTES_MAX && (!left || bits[left - 1]);
}

void field_ports_format(struct reader *r, struct text *out)
{
    text_appendf(out, "%u", reader_u8(r));
    size_t left = reader_left(r);
    const uint8_t *bits = reader_checked(r, left);
    for (size_t i = 0; i < left * 8; i++)
        if (bits[i / 8] & 0x80 >> i % 8)
            text_appendf(out, " %zu", i);
}

/* ---- NXT: types up to 127 as one bitmap, the first bit always zero ---- */

enum { NXT_BYTES_MAX = 16 };

bool field_nxt_parse(struct rdata_parser *p)
{
    static const char wanted[] = "a record type up to 127";
    uint8_t bits[NXT_BYTES_MAX] = {0};
    uint16_t type;

    while (rdata_more(p)) {
        if (!rdata_word(p, wanted))
            return false;
        if (dns_type_parse(p->lexer->word, p->lexer->word_length, &type) < 0 || type == 0 ||
            type >= NXT_BYTES_MAX * 8)
            return rdata_want(p, wanted);
        bits[type / 8] |= (uint8_t)(0x80 >> type % 8);
    }
    writer_bytes(&p->out, bits, bytes_used(bits, sizeof bits));
    return true;
}

bool field_nxt_check(struct reader *r)
{
    size_t left = reader_left(r);
    const uint8_t *bits = reader_take(r, left);
    return bits && left <= NXT_BYTES_MAX && (!left || (bits[left - 1] && !(bits[0] & 0x80)));
}

void field_nxt_format(struct reader *r, struct text *out)
{
    size_t left = reader_left(r);
    const uint8_t *bits = reader_checked(r, left);
    char buffer[DNS_TYPE_TEXT_MAX];
    const char *space = "";

    for (size_t i = 1; i < left * 8; i++)
        if (bits[i / 8] & 0x80 >> i % 8) {
            text_append(out, space);
            text_append(out, dns_type_format((uint16_t)i, buffer));
            space = " ";
        }
}

/* ---- ATMA: +E.164 digits, or an end system address in hexadecimal; dots may stand between ---- */

enum { ATMA_AESA = 0, ATMA_E164 = 1 };

bool field_atma_parse(struct rdata_parser *p)
{
    static const char wanted[] = "an ATM address: + and digits, or hexadecimal digits";
    char digits[RDATA_FIELD_TEXT_MAX];
    size_t count = 0;

    if (!rdata_word(p, wanted))
        return false;
    const char *at = p->lexer->word, *end = at + p->lexer->word_length;
    bool e164 = at < end && *at == '+';
    for (at += e164; at < end; at++) {
        if (*at == '.')
            continue;
        if (count == sizeof digits || (e164 && (*at < '0' || *at > '9')))
            return rdata_want(p, wanted);
        digits[count++] = *at;
    }
    writer_u8(&p->out, e164 ? ATMA_E164 : ATMA_AESA);
    if (e164)
        writer_bytes(&p->out, digits, count);
    return count && (e164 || hex_read(digits, count, &p->out)) ? true : rdata_want(p, wanted);
}

bool field_atma_check(struct reader *r)
{
    unsigned format = reader_u8(r);
    size_t left = reader_left(r);
    const uint8_t *bytes = reader_take(r, left);
    if (!bytes || !left || left > RDATA_FIELD_TEXT_MAX / 2 || format > ATMA_E164)
        return false;
    for (size_t i = 0; format == ATMA_E164 && i < left; i++)
        if (bytes[i] < '0' || bytes[i] > '9')
            return false;
    return true;
}

void field_atma_format(struct reader *r, struct text *out)
{
    unsigned format = reader_u8(r);
    size_t left = reader_left(r);
    const uint8_t *bytes = reader_checked(r, left);

    if (format == ATMA_AESA) {
        hex_write(bytes, left, out);
        return;
    }
    text_append(out, "+");
    text_append_bytes(out, (const char *)bytes, left);
}

/* ---- A6: how many leading bits are elsewhere, the others, and where those are ---- */

bool field_a6_parse(struct rdata_parser *p)
{
    static const char wanted[] = "a prefix length from 0 to 128";
    uint8_t bytes[16] = {0};
    uint32_t prefix;

    if (!rdata_number(p, 128, wanted, &prefix))
        return false;
    writer_u8(&p->out, (uint8_t)prefix);
    if (prefix < 128) {
        if (!rdata_word(p, "an IPv6 address"))
            return false;
        if (!ipv6_read(p->lexer->word, p->lexer->word_length, bytes))
            return rdata_want(p, "an IPv6 address");
        bytes[prefix / 8] &= (uint8_t)(0xff >> prefix % 8);
        writer_bytes(&p->out, bytes + prefix / 8, 16 - prefix / 8);
    }
    return prefix == 0 || field_name_parse(p);
}

bool field_a6_check(struct reader *r)
{
    unsigned prefix = reader_u8(r);
    if (prefix > 128)
        return false;
    size_t size = 16 - prefix / 8;
    const uint8_t *bytes = reader_take(r, size);
    if (!bytes || (prefix < 128 && bytes[0] & ~(0xff >> prefix % 8)))
        return false;
    return prefix == 0 || field_name_check(r);
}

void field_a6_format(struct reader *r, struct text *out)
{
    unsigned prefix = reader_u8(r);
    uint8_t bytes[16] = {0};

    text_appendf(out, "%u", prefix);
    if (prefix < 128) {
        memcpy(bytes + prefix / 8, reader_checked(r, 16 - prefix / 8), 16 - prefix / 8);
        text_append(out, " ");
        ipv6_write(bytes, out);
    }
    if (prefix) {
        text_append(out, " ");
        field_name_format(r, out);
    }
}

/* ---- HIP: algorithm, tag, key; the names of rendezvous servers follow ---- */

bool field_hip_parse(struct rdata_parser *p)
{
    static const char tag_wanted[] = "a host identity tag in hexadecimal",
                      key_wanted[] = "a public key in base64, without spaces";
    uint32_t algorithm;
    size_t head = p->out.position;

    if (!rdata_number(p, UINT8_MAX, "an algorithm number", &algorithm) ||
        !rdata_word(p, tag_wanted))
        return false;
    size_t tag = p->lexer->word_length / 2;
    writer_u8(&p->out, (uint8_t)tag);
    writer_u8(&p->out, (uint8_t)algorithm);
    writer_u16(&p->out, 0); /* of the key, once it is known */
    if (!tag || tag > UINT8_MAX || !hex_read(p->lexer->word, p->lexer->word_length, &p->out))
        return rdata_want(p, tag_wanted);
    size_t key = p->out.position;
    if (!rdata_word(p, key_wanted))
        return false;
    if (!base64_read(p->lexer->word, p->lexer->word_length, &p->out))
        return rdata_want(p, key_wanted);
    if (p->out.failed || p->out.position == key)
        return p->out.failed || rdata_want(p, key_wanted);
    size_t size = p->out.position - key;
    p->out.data[head + 2] = (uint8_t)(size >> 8);
    p->out.data[head + 3] = (uint8_t)size;
    return true;
}

bool field_hip_check(struct reader *r)
{
    unsigned tag = reader_u8(r);
    reader_u8(r);
    unsigned key = reader_u16(r);
    return tag && key && reader_take(r, tag) && reader_take(r, key);
}

void field_hip_format(struct reader *r, struct text *out)
{
    unsigned tag = reader_u8(r), algorithm = reader_u8(r), key = reader_u16(r);

    text_appendf(out, "%u ", algorithm);
    hex_write(reader_checked(r, tag), tag, out);
    text_append(out, " ");
    base64_write(reader_checked(r, key), key, out);
}

bool field_names_parse(struct rdata_parser *p)
{
    while (rdata_more(p))
        if (!field_name_parse(p))
            return false;
    return true;
}

bool field_names_check(struct reader *r)
{
    while (reader_left(r))
        if (!field_name_check(r))
            return false;
    return true;
}

void field_names_format(struct reader *r, struct text *out)
{
    for (const char *space = ""; reader_left(r); space = " ") {
        text_append(out, space);
        field_name_format(r, out);
    }
}

/* ---- DOA's data: base64, or - for none; IPN's number of 64 bits ---- */

bool field_data_parse(struct rdata_parser *p)
{
    if (!rdata_word(p, "base64 data, or - for none"))
        return false;
    if (p->lexer->word_length == 1 && p->lexer->word[0] == '-')
        return true;
    lexer_again(p->lexer);
    return field_base64_parse(p);
}

bool field_data_check(struct reader *r)
{
    return reader_take(r, reader_left(r));
}

void field_data_format(struct reader *r, struct text *out)
{
    size_t left = reader_left(r);
    const uint8_t *bytes = reader_checked(r, left);

    if (left)
        base64_write(bytes, left, out);
    else
        text_append(out, "-");
}

bool field_u64_parse(struct rdata_parser *p)
{
    static const char wanted[] = "a number of up to 64 bits";
    uint64_t value = 0;

    if (!rdata_word(p, wanted))
        return false;
    for (size_t i = 0; i < p->lexer->word_length; i++) {
        unsigned digit = (unsigned char)(p->lexer->word[i] - '0');
        if (digit > 9 || value > (UINT64_MAX - digit) / 10)
            return rdata_want(p, wanted);
        value = value * 10 + digit;
    }
    writer_u32(&p->out, (uint32_t)(value >> 32));
    writer_u32(&p->out, (uint32_t)value);
    return p->lexer->word_length || rdata_want(p, wanted);
}

bool field_u64_check(struct reader *r)
{
    return reader_take(r, 8);
}

void field_u64_format(struct reader *r, struct text *out)
{
    uint64_t high = reader_u32(r);
    text_appendf(out, "%" PRIu64, high << 32 | reader_u32(r));
}
