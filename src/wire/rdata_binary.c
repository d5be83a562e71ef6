/* Binary data written as base64, base32hex or hexadecimal digits. */
#include "base/digits.h"
#include "wire/rdata_field.h"

/* ---- hexadecimal ---- */

void hex_write(const uint8_t *data, size_t length, struct text *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < length; i++) {
        char pair[2] = {digits[data[i] >> 4], digits[data[i] & 15]};
        text_append_bytes(out, pair, sizeof pair);
    }
}

bool hex_read(const char *text, size_t length, struct writer *out)
{
    if (length % 2)
        return false;
    for (size_t i = 0; i < length; i += 2) {
        int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
        if (high < 0 || low < 0)
            return false;
        writer_u8(out, (uint8_t)(high << 4 | low));
    }
    return true;
}

bool hex_words_parse(struct rdata_parser *p, const char *wanted)
{
    int half = -1; /* a digit that waits for its fellow: words may break anywhere */

    do {
        if (!rdata_word(p, wanted))
            return false;
        for (size_t i = 0; i < p->lexer->word_length; i++) {
            int digit = hex_digit(p->lexer->word[i]);
            if (digit < 0)
                return rdata_want(p, wanted);
            if (half < 0) {
                half = digit;
                continue;
            }
            writer_u8(&p->out, (uint8_t)(half << 4 | digit));
            half = -1;
        }
    } while (rdata_more(p));
    return half < 0 || rdata_say(p, "hexadecimal digits come in pairs: one is missing");
}

bool field_hex_parse(struct rdata_parser *p)
{
    return hex_words_parse(p, "hexadecimal digits");
}

bool field_hex_check(struct reader *r)
{
    size_t left = reader_left(r);
    return left && reader_take(r, left);
}

void field_hex_format(struct reader *r, struct text *out)
{
    size_t length = reader_left(r);
    hex_write(reader_checked(r, length), length, out);
}

bool field_salt_parse(struct rdata_parser *p)
{
    static const char wanted[] = "a salt of up to 255 bytes in hexadecimal, or - for none";

    if (!rdata_word(p, wanted))
        return false;
    const char *word = p->lexer->word;
    size_t length = p->lexer->word_length;
    if (length == 1 && word[0] == '-')
        length = 0;
    if (length > 510)
        return rdata_want(p, wanted);
    writer_u8(&p->out, (uint8_t)(length / 2));
    return hex_read(word, length, &p->out) || rdata_want(p, wanted);
}

bool field_salt_check(struct reader *r)
{
    return reader_take(r, reader_u8(r));
}

void field_salt_format(struct reader *r, struct text *out)
{
    uint8_t length = reader_u8(r);
    const uint8_t *salt = reader_checked(r, length);

    if (length)
        hex_write(salt, length, out);
    else
        text_append(out, "-");
}

/* ---- base64 (RFC 4648 4) ---- */

struct base64 {
    uint32_t bits;
    unsigned count;   /* digits waiting in bits, 0..3 */
    unsigned padding; /* '=' seen; nothing but '=' may follow */
};

/* Takes one character; false where it cannot stand here. */
static bool base64_push(struct base64 *b, char c, struct writer *out)
{
    if (c == '=') {
        b->padding++;
        if (b->count < 2 || b->count + b->padding > 4)
            return false;
        if (b->count + b->padding == 4) {
            writer_u8(out, (uint8_t)(b->bits >> (b->count == 2 ? 4 : 10)));
            if (b->count == 3)
                writer_u8(out, (uint8_t)(b->bits >> 2));
        }
        return true;
    }
    int digit = base64_digit(c);
    if (digit < 0 || b->padding)
        return false;
    b->bits = b->bits << 6 | (uint32_t)digit;
    if (++b->count == 4) {
        writer_u8(out, (uint8_t)(b->bits >> 16));
        writer_u8(out, (uint8_t)(b->bits >> 8));
        writer_u8(out, (uint8_t)b->bits);
        *b = (struct base64){0};
    }
    return true;
}

static bool base64_complete(const struct base64 *b)
{
    return b->count == 0 || b->count + b->padding == 4;
}

bool base64_read(const char *text, size_t length, struct writer *out)
{
    struct base64 b = {0};

    for (size_t i = 0; i < length; i++)
        if (!base64_push(&b, text[i], out))
            return false;
    return base64_complete(&b);
}

bool field_base64_parse(struct rdata_parser *p)
{
    static const char wanted[] = "base64 data";
    struct base64 b = {0};

    do {
        if (!rdata_word(p, wanted))
            return false;
        for (size_t i = 0; i < p->lexer->word_length; i++)
            if (!base64_push(&b, p->lexer->word[i], &p->out))
                return rdata_want(p, wanted);
    } while (rdata_more(p));
    return base64_complete(&b) ||
           rdata_say(p, "the base64 data ends in the middle of a group of 4");
}

bool field_base64_check(struct reader *r)
{
    size_t left = reader_left(r);
    return left && reader_take(r, left);
}

void base64_write(const uint8_t *data, size_t length, struct text *out)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (size_t i = 0; i < length; i += 3) {
        size_t left = length - i;
        uint32_t bits = (uint32_t)data[i] << 16 | (left > 1 ? (uint32_t)data[i + 1] << 8 : 0) |
                        (left > 2 ? data[i + 2] : 0u);
        char group[4] = {digits[bits >> 18], digits[bits >> 12 & 63],
                         left > 1 ? digits[bits >> 6 & 63] : '=',
                         left > 2 ? digits[bits & 63] : '='};
        text_append_bytes(out, group, sizeof group);
    }
}

void field_base64_format(struct reader *r, struct text *out)
{
    size_t length = reader_left(r);
    base64_write(reader_checked(r, length), length, out);
}

/* ---- base32 with the extended hex alphabet, no padding (RFC 5155 3.3) ---- */

static int base32_digit(char c)
{
    if ((unsigned char)(c - '0') < 10)
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'v' ? c - 'a' + 10 : -1;
}

bool field_hash32_parse(struct rdata_parser *p)
{
    static const char wanted[] = "a hashed owner name in base32hex";
    uint32_t bits = 0;
    unsigned count = 0;

    if (!rdata_word(p, wanted))
        return false;
    size_t length = p->lexer->word_length, size = length * 5 / 8;
    if (size == 0 || size > 255 || (size * 8 + 4) / 5 != length)
        return rdata_want(p, wanted);
    writer_u8(&p->out, (uint8_t)size);
    for (size_t i = 0; i < length; i++) {
        int digit = base32_digit(p->lexer->word[i]);
        if (digit < 0)
            return rdata_want(p, wanted);
        bits = bits << 5 | (uint32_t)digit;
        count += 5;
        if (count >= 8) {
            count -= 8;
            writer_u8(&p->out, (uint8_t)(bits >> count));
        }
    }
    return true;
}

bool field_hash32_check(struct reader *r)
{
    uint8_t length = reader_u8(r);
    return length && reader_take(r, length);
}

void field_hash32_format(struct reader *r, struct text *out)
{
    static const char digits[] = "0123456789abcdefghijklmnopqrstuv";
    uint8_t length = reader_u8(r);
    const uint8_t *data = reader_checked(r, length);
    uint32_t bits = 0;
    unsigned count = 0;

    for (unsigned i = 0; i < length; i++) {
        bits = bits << 8 | data[i];
        for (count += 8; count >= 5; count -= 5)
            text_append_bytes(out, &digits[bits >> (count - 5) & 31], 1);
    }
    if (count)
        text_append_bytes(out, &digits[bits << (5 - count) & 31], 1);
}

/* ---- addresses of fixed length ---- */

/* Groups of `digits` hexadecimal digits with a separator between, `size` bytes in all. */
static bool groups_parse(struct rdata_parser *p, size_t size, unsigned digits, char separator,
                         const char *wanted)
{
    if (!rdata_word(p, wanted))
        return false;
    const char *word = p->lexer->word;
    size_t groups = size * 2 / digits;
    if (p->lexer->word_length != size * 2 + groups - 1)
        return rdata_want(p, wanted);
    for (size_t i = 0; i < groups; i++, word += digits + 1)
        if ((i && word[-1] != separator) || !hex_read(word, digits, &p->out))
            return rdata_want(p, wanted);
    return true;
}

static void groups_format(struct reader *r, size_t size, size_t group, const char *separator,
                          struct text *out)
{
    const uint8_t *data = reader_checked(r, size);

    for (size_t i = 0; i < size; i += group) {
        if (i)
            text_append(out, separator);
        hex_write(data + i, group, out);
    }
}

bool field_eui48_parse(struct rdata_parser *p)
{
    return groups_parse(p, 6, 2, '-', "an EUI-48 address (00-00-5e-00-53-2a)");
}

bool field_eui48_check(struct reader *r)
{
    return reader_take(r, 6);
}

void field_eui48_format(struct reader *r, struct text *out)
{
    groups_format(r, 6, 1, "-", out);
}

bool field_eui64_parse(struct rdata_parser *p)
{
    return groups_parse(p, 8, 2, '-', "an EUI-64 address (00-00-5e-ef-10-00-00-2a)");
}

bool field_eui64_check(struct reader *r)
{
    return reader_take(r, 8);
}

void field_eui64_format(struct reader *r, struct text *out)
{
    groups_format(r, 8, 1, "-", out);
}

/* RFC 6742 2.1.2, 2.3.2: as in IPv6 addresses, zeros at a group's start may be missing. */
bool field_node64_parse(struct rdata_parser *p)
{
    static const char wanted[] = "a 64-bit node id or locator (0014:4fff:ff20:ee64)";
    enum { GROUPS = 4, DIGITS = 4 };

    if (!rdata_word(p, wanted))
        return false;
    const char *at = p->lexer->word, *end = at + p->lexer->word_length;
    for (int i = 0; i < GROUPS; i++) {
        unsigned value = 0, digits = 0;
        for (; at < end && hex_digit(*at) >= 0 && digits < DIGITS; at++, digits++)
            value = value << 4 | (unsigned)hex_digit(*at);
        if (!digits || (i < GROUPS - 1 && (at == end || *at++ != ':')))
            return rdata_want(p, wanted);
        writer_u16(&p->out, (uint16_t)value);
    }
    return at == end || rdata_want(p, wanted);
}

bool field_node64_check(struct reader *r)
{
    return reader_take(r, 8);
}

void field_node64_format(struct reader *r, struct text *out)
{
    groups_format(r, 8, 2, ":", out);
}

/* RFC 1706 7: 0x, then digits with dots anywhere between. */
bool field_nsap_parse(struct rdata_parser *p)
{
    static const char wanted[] = "an NSAP address (0x and hexadecimal digits)";
    int half = -1;

    if (!rdata_word(p, wanted))
        return false;
    const char *word = p->lexer->word;
    size_t length = p->lexer->word_length;
    if (length < 4 || word[0] != '0' || (word[1] | 0x20) != 'x')
        return rdata_want(p, wanted);
    for (size_t i = 2; i < length; i++) {
        int digit = hex_digit(word[i]);
        if (word[i] == '.')
            continue;
        if (digit < 0)
            return rdata_want(p, wanted);
        if (half >= 0)
            writer_u8(&p->out, (uint8_t)(half << 4 | digit));
        half = half < 0 ? digit : -1;
    }
    return (half < 0 && p->out.position) || rdata_want(p, wanted);
}

bool field_nsap_check(struct reader *r)
{
    size_t left = reader_left(r);
    return left && reader_take(r, left);
}

void field_nsap_format(struct reader *r, struct text *out)
{
    text_append(out, "0x");
    field_hex_format(r, out);
}
