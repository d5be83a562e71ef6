/* Fields of the DNSSEC types (RFC 4034, RFC 4398): types, bitmaps, algorithms, dates. */
#include "base/date.h"
#include "wire/rdata_field.h"

/* ---- types ---- */

bool field_type_parse(struct rdata_parser *p)
{
    static const char wanted[] = "a record type (A, MX, TYPE1234)";
    uint16_t type;

    if (!rdata_word(p, wanted))
        return false;
    if (dns_type_parse(p->lexer->word, p->lexer->word_length, &type) < 0)
        return rdata_want(p, wanted);
    writer_u16(&p->out, type);
    return true;
}

bool field_type_check(struct reader *r)
{
    return reader_take(r, 2);
}

void field_type_format(struct reader *r, struct text *out)
{
    char buffer[DNS_TYPE_TEXT_MAX];
    text_append(out, dns_type_format(reader_u16(r), buffer));
}

static void bitmap_write(const uint8_t bits[static 8192], struct writer *out)
{
    for (unsigned window = 0; window < 256; window++) {
        const uint8_t *block = bits + window * 32;
        unsigned length = 32;
        while (length && !block[length - 1])
            length--;
        if (length) {
            writer_u8(out, (uint8_t)window);
            writer_u8(out, (uint8_t)length);
            writer_bytes(out, block, length);
        }
    }
}

bool field_bitmap_parse(struct rdata_parser *p)
{
    static const char wanted[] = "a record type (A, MX, TYPE1234)";
    uint8_t bits[8192] = {0};
    uint16_t type;

    while (rdata_more(p)) {
        if (!rdata_word(p, wanted))
            return false;
        if (dns_type_parse(p->lexer->word, p->lexer->word_length, &type) < 0)
            return rdata_want(p, wanted);
        bits[type / 8] |= (uint8_t)(0x80 >> type % 8);
    }
    bitmap_write(bits, &p->out);
    return true;
}

/* RFC 4034 4.1.2: windows ascend, blocks are 1..32 bytes and do not end with zeros. */
bool field_bitmap_check(struct reader *r)
{
    int last = -1;

    while (reader_left(r)) {
        int window = reader_u8(r);
        unsigned length = reader_u8(r);
        const uint8_t *block = reader_take(r, length);
        if (!block || length == 0 || length > 32 || window <= last || !block[length - 1])
            return false;
        last = window;
    }
    return true;
}

void field_bitmap_format(struct reader *r, struct text *out)
{
    char buffer[DNS_TYPE_TEXT_MAX];
    const char *space = "";

    while (reader_left(r)) {
        unsigned window = reader_u8(r), length = reader_u8(r);
        const uint8_t *block = reader_checked(r, length);
        for (unsigned i = 0; i < length * 8; i++)
            if (block[i / 8] & 0x80 >> i % 8) {
                text_append(out, space);
                text_append(out, dns_type_format((uint16_t)(window * 256 + i), buffer));
                space = " ";
            }
    }
}

/* ---- numbers that have names ---- */

bool rdata_mnemonic(struct rdata_parser *p, const struct rdata_mnemonic *m, uint32_t max,
                    const char *wanted, uint32_t *ret)
{
    if (!rdata_word(p, wanted))
        return false;
    for (; m->name; m++)
        if (lexer_is(p->lexer, m->name)) {
            *ret = m->number;
            return true;
        }
    return word_number(p->lexer, max, ret) || rdata_want(p, wanted);
}

/* The IANA registry "DNSSEC Algorithm Numbers". */
static const struct rdata_mnemonic algorithms[] = {
    {"DELETE", 0},
    {"RSAMD5", 1},
    {"DH", 2},
    {"DSA", 3},
    {"RSASHA1", 5},
    {"DSA-NSEC3-SHA1", 6},
    {"RSASHA1-NSEC3-SHA1", 7},
    {"RSASHA256", 8},
    {"RSASHA512", 10},
    {"ECC-GOST", 12},
    {"ECDSAP256SHA256", 13},
    {"ECDSAP384SHA384", 14},
    {"ED25519", 15},
    {"ED448", 16},
    {"INDIRECT", 252},
    {"PRIVATEDNS", 253},
    {"PRIVATEOID", 254},
    {NULL, 0},
};

bool field_algorithm_parse(struct rdata_parser *p)
{
    uint32_t number;

    if (!rdata_mnemonic(p, algorithms, UINT8_MAX, "an algorithm (its number or name)", &number))
        return false;
    writer_u8(&p->out, (uint8_t)number);
    return true;
}

bool field_algorithm_check(struct reader *r)
{
    return reader_take(r, 1);
}

void field_algorithm_format(struct reader *r, struct text *out)
{
    text_appendf(out, "%u", reader_u8(r));
}

static const struct rdata_mnemonic cert_types[] = {
    {"PKIX", 1},   {"SPKI", 2},    {"PGP", 3},   {"IPKIX", 4}, {"ISPKI", 5}, {"IPGP", 6},
    {"ACPKIX", 7}, {"IACPKIX", 8}, {"URI", 253}, {"OID", 254}, {NULL, 0},
};

bool field_cert_type_parse(struct rdata_parser *p)
{
    uint32_t number;

    if (!rdata_mnemonic(p, cert_types, UINT16_MAX, "a certificate type (PKIX, PGP, a number)",
                        &number))
        return false;
    writer_u16(&p->out, (uint16_t)number);
    return true;
}

bool field_cert_type_check(struct reader *r)
{
    return reader_take(r, 2);
}

void field_cert_type_format(struct reader *r, struct text *out)
{
    text_appendf(out, "%u", reader_u16(r));
}

/* How a DSYNC record's target is told (RFC 9859 2.1). */
static const struct rdata_mnemonic schemes[] = {{"NOTIFY", 1}, {NULL, 0}};

bool field_scheme_parse(struct rdata_parser *p)
{
    uint32_t number;

    if (!rdata_mnemonic(p, schemes, UINT8_MAX, "a scheme (NOTIFY, a number from 0 to 255)",
                        &number))
        return false;
    writer_u8(&p->out, (uint8_t)number);
    return true;
}

bool field_scheme_check(struct reader *r)
{
    return reader_take(r, 1);
}

void field_scheme_format(struct reader *r, struct text *out)
{
    unsigned number = reader_u8(r);
    if (number == schemes[0].number)
        text_append(out, schemes[0].name);
    else
        text_appendf(out, "%u", number);
}

/* ---- dates (RFC 4034 3.2) ---- */

static bool date_read(const char *word, uint32_t *ret_s)
{
    struct date d;
    unsigned year, *const parts[] = {&year, &d.month, &d.day, &d.hour, &d.minute, &d.second};

    for (unsigned i = 0; i < array_length(parts); i++) {
        unsigned width = i ? 2 : 4;
        if (!digits_number(word, width, 9999, parts[i]))
            return false;
        word += width;
    }
    d.year = (int)year;
    if (year < 1970 || !date_exists(&d))
        return false;
    int64_t seconds = date_seconds(&d);
    if (seconds > UINT32_MAX)
        return false;
    *ret_s = (uint32_t)seconds;
    return true;
}

bool field_date_parse(struct rdata_parser *p)
{
    static const char wanted[] = "a date (YYYYMMDDHHmmSS, UTC)";
    uint32_t seconds;

    if (!rdata_word(p, wanted))
        return false;
    bool right = p->lexer->word_length == 14 ? date_read(p->lexer->word, &seconds)
                                             : word_number(p->lexer, UINT32_MAX, &seconds);
    if (!right)
        return rdata_want(p, wanted);
    writer_u32(&p->out, seconds);
    return true;
}

bool field_date_check(struct reader *r)
{
    return reader_take(r, 4);
}

void field_date_format(struct reader *r, struct text *out)
{
    struct date d = date_of(reader_u32(r));

    text_appendf(out, "%04d%02u%02u%02u%02u%02u", d.year, d.month, d.day, d.hour, d.minute,
                 d.second);
}
