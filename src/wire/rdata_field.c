/* Numbers, names, addresses and strings. */
#include "wire/rdata_field.h"
#include "base/err.h"
#include "base/ip.h"
#include "wire/dname.h"
#include "wire/ttl.h"

bool rdata_want(struct rdata_parser *p, const char *wanted)
{
    p->problem = (struct rdata_problem){.wanted = wanted};
    return false;
}

bool rdata_say(struct rdata_parser *p, const char *sentence)
{
    p->problem = (struct rdata_problem){.sentence = sentence};
    return false;
}

bool rdata_word(struct rdata_parser *p, const char *wanted)
{
    enum token t = lexer_next(p->lexer);
    if (likely(t == TOKEN_WORD))
        return true;
    return t == TOKEN_BAD ? rdata_say(p, p->lexer->problem) : rdata_want(p, wanted);
}

/* Strings may stand with or without quotes. */
static bool rdata_text(struct rdata_parser *p, const char *wanted)
{
    enum token t = lexer_next(p->lexer);
    if (t == TOKEN_WORD || t == TOKEN_QUOTED)
        return true;
    return t == TOKEN_BAD ? rdata_say(p, p->lexer->problem) : rdata_want(p, wanted);
}

bool rdata_more(struct rdata_parser *p)
{
    enum token t = lexer_next(p->lexer);
    lexer_again(p->lexer);
    return t == TOKEN_WORD || t == TOKEN_QUOTED || t == TOKEN_BAD;
}

bool digits_number(const char *text, size_t length, uint32_t max, uint32_t *ret)
{
    uint64_t value = 0;

    if (length == 0 || length > 10)
        return false;
    for (size_t i = 0; i < length; i++) {
        unsigned digit = (unsigned char)(text[i] - '0');
        if (digit > 9)
            return false;
        value = value * 10 + digit;
    }
    if (value > max)
        return false;
    *ret = (uint32_t)value;
    return true;
}

bool word_number(const struct lexer *l, uint32_t max, uint32_t *ret)
{
    return digits_number(l->word, l->word_length, max, ret);
}

/* ---- numbers ---- */

bool rdata_number(struct rdata_parser *p, uint32_t max, const char *wanted, uint32_t *ret)
{
    if (!rdata_word(p, wanted))
        return false;
    return word_number(p->lexer, max, ret) || rdata_want(p, wanted);
}

bool field_u8_parse(struct rdata_parser *p)
{
    static const char wanted[] = "a number from 0 to 255";
    uint32_t value;

    if (!rdata_word(p, wanted))
        return false;
    if (!word_number(p->lexer, UINT8_MAX, &value))
        return rdata_want(p, wanted);
    writer_u8(&p->out, (uint8_t)value);
    return true;
}

bool field_u8_check(struct reader *r)
{
    return reader_take(r, 1);
}

void field_u8_format(struct reader *r, struct text *out)
{
    text_appendf(out, "%u", reader_u8(r));
}

bool field_u16_parse(struct rdata_parser *p)
{
    static const char wanted[] = "a number from 0 to 65535";
    uint32_t value;

    if (!rdata_word(p, wanted))
        return false;
    if (!word_number(p->lexer, UINT16_MAX, &value))
        return rdata_want(p, wanted);
    writer_u16(&p->out, (uint16_t)value);
    return true;
}

bool field_u16_check(struct reader *r)
{
    return reader_take(r, 2);
}

void field_u16_format(struct reader *r, struct text *out)
{
    text_appendf(out, "%u", reader_u16(r));
}

bool field_u32_parse(struct rdata_parser *p)
{
    static const char wanted[] = "a number from 0 to 4294967295";
    uint32_t value;

    if (!rdata_word(p, wanted))
        return false;
    if (!word_number(p->lexer, UINT32_MAX, &value))
        return rdata_want(p, wanted);
    writer_u32(&p->out, value);
    return true;
}

bool field_u32_check(struct reader *r)
{
    return reader_take(r, 4);
}

void field_u32_format(struct reader *r, struct text *out)
{
    text_appendf(out, "%u", reader_u32(r));
}

bool field_ttl_parse(struct rdata_parser *p)
{
    static const char wanted[] = "a time (in seconds, or like 1h30m)";
    uint32_t value;

    if (!rdata_word(p, wanted))
        return false;
    if (ttl_parse(p->lexer->word, p->lexer->word_length, &value) < 0)
        return rdata_want(p, wanted);
    writer_u32(&p->out, value);
    return true;
}

bool field_ttl_check(struct reader *r)
{
    return reader_take(r, 4);
}

void field_ttl_format(struct reader *r, struct text *out)
{
    text_appendf(out, "%u", reader_u32(r));
}

/* ---- names ---- */

static bool name_field_parse(struct rdata_parser *p, bool cased)
{
    uint8_t name[DNAME_MAX];
    struct lexer *l = p->lexer;

    if (!rdata_word(p, "a domain name"))
        return false;
    if (l->word_length == 1 && l->word[0] == '@') {
        writer_bytes(&p->out, p->origin, dname_length(p->origin));
        return true;
    }
    int length = cased ? dname_parse_cased(l->word, l->word_length, p->origin, name)
                       : dname_parse(l->word, l->word_length, p->origin, name);
    if (length == ERR_LIMIT)
        return rdata_say(p, "a domain name has labels of at most 63 bytes and is at most 255 long");
    if (length < 0)
        return rdata_want(p, "a domain name");
    writer_bytes(&p->out, name, (size_t)length);
    return true;
}

bool field_name_parse(struct rdata_parser *p)
{
    return name_field_parse(p, false);
}

bool field_cased_parse(struct rdata_parser *p)
{
    return name_field_parse(p, true);
}

bool field_cased_check(struct reader *r)
{
    int length = dname_check_cased(r->data + r->position, reader_left(r));
    return length > 0 && reader_take(r, (size_t)length);
}

void field_cased_format(struct reader *r, struct text *out)
{
    field_name_format(r, out);
}

bool field_name_check(struct reader *r)
{
    int length = dname_check(r->data + r->position, reader_left(r));
    return length > 0 && reader_take(r, (size_t)length);
}

void field_name_format(struct reader *r, struct text *out)
{
    char buffer[DNAME_TEXT_MAX];
    const uint8_t *name = r->data + r->position;

    reader_checked(r, dname_length(name));
    text_append(out, dname_format(name, buffer));
    if (name[0])
        text_append_bytes(out, ".", 1);
}

/* ---- addresses ---- */

bool ipv4_read(const char *text, size_t length, uint8_t ret_bytes[static 4])
{
    const char *end = text + length;

    for (int i = 0; i < 4; i++) {
        unsigned value = 0, digits = 0;
        for (; text < end && (unsigned char)(*text - '0') < 10 && digits < 3; text++, digits++)
            value = value * 10 + (unsigned char)(*text - '0');
        if (digits == 0 || value > 255 || (digits > 1 && text[-(int)digits] == '0'))
            return false; /* 010 is 8 to some and 10 to others */
        ret_bytes[i] = (uint8_t)value;
        if (i < 3 && (text == end || *text++ != '.'))
            return false;
    }
    return text == end;
}

bool ipv6_read(const char *text, size_t length, uint8_t ret_bytes[static 16])
{
    char copy[IP_TEXT_MAX];
    struct ip ip;

    if (length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = 0;
    if (ip_parse(copy, &ip) < 0 || ip.family != IP_V6)
        return false;
    memcpy(ret_bytes, ip.bytes, 16);
    return true;
}

void ipv4_write(const uint8_t bytes[static 4], struct text *out)
{
    text_appendf(out, "%u.%u.%u.%u", bytes[0], bytes[1], bytes[2], bytes[3]);
}

void ipv6_write(const uint8_t bytes[static 16], struct text *out)
{
    char buffer[IP_TEXT_MAX];
    struct ip ip = {.family = IP_V6};

    memcpy(ip.bytes, bytes, 16);
    text_append(out, ip_format(&ip, buffer));
}

bool field_ipv4_parse(struct rdata_parser *p)
{
    static const char wanted[] = "an IPv4 address";
    uint8_t bytes[4];

    if (!rdata_word(p, wanted))
        return false;
    if (!ipv4_read(p->lexer->word, p->lexer->word_length, bytes))
        return rdata_want(p, wanted);
    writer_bytes(&p->out, bytes, sizeof bytes);
    return true;
}

bool field_ipv4_check(struct reader *r)
{
    return reader_take(r, 4);
}

void field_ipv4_format(struct reader *r, struct text *out)
{
    ipv4_write(reader_checked(r, 4), out);
}

bool field_ipv6_parse(struct rdata_parser *p)
{
    static const char wanted[] = "an IPv6 address";
    uint8_t bytes[16];

    if (!rdata_word(p, wanted))
        return false;
    if (!ipv6_read(p->lexer->word, p->lexer->word_length, bytes))
        return rdata_want(p, wanted);
    writer_bytes(&p->out, bytes, sizeof bytes);
    return true;
}

bool field_ipv6_check(struct reader *r)
{
    return reader_take(r, 16);
}

void field_ipv6_format(struct reader *r, struct text *out)
{
    ipv6_write(reader_checked(r, 16), out);
}

/* ---- strings ---- */

static const char broken_escape[] =
    "an escape is a backslash and a character or three digits up to 255";

bool field_string_parse(struct rdata_parser *p)
{
    uint8_t bytes[255];

    if (!rdata_text(p, "a character string"))
        return false;
    int length = lexer_unescape(p->lexer, bytes, sizeof bytes);
    if (length == ERR_LIMIT)
        return rdata_say(p, "a character string holds at most 255 bytes: split it into several");
    if (length < 0)
        return rdata_say(p, broken_escape);
    writer_u8(&p->out, (uint8_t)length);
    writer_bytes(&p->out, bytes, (size_t)length);
    return true;
}

bool field_string_check(struct reader *r)
{
    return reader_take(r, reader_u8(r));
}

void quoted_write(const uint8_t *data, size_t length, struct text *out)
{
    text_append_bytes(out, "\"", 1);
    for (size_t i = 0; i < length; i++) {
        uint8_t c = data[i];
        if (c == '"' || c == '\\')
            text_appendf(out, "\\%c", c);
        else if (c < ' ' || c >= 0x7f)
            text_appendf(out, "\\%03u", c);
        else
            text_append_bytes(out, &data[i], 1);
    }
    text_append_bytes(out, "\"", 1);
}

void field_string_format(struct reader *r, struct text *out)
{
    uint8_t length = reader_u8(r);
    quoted_write(reader_checked(r, length), length, out);
}

bool field_strings_parse(struct rdata_parser *p)
{
    do {
        if (!field_string_parse(p))
            return false;
    } while (rdata_more(p));
    return true;
}

bool field_strings_check(struct reader *r)
{
    do {
        if (!field_string_check(r))
            return false;
    } while (reader_left(r));
    return true;
}

void field_strings_format(struct reader *r, struct text *out)
{
    field_string_format(r, out);
    while (reader_left(r)) {
        text_append_bytes(out, " ", 1);
        field_string_format(r, out);
    }
}

bool field_text_parse(struct rdata_parser *p)
{
    if (!rdata_text(p, "a quoted string"))
        return false;
    int length = lexer_unescape(p->lexer, p->out.data + p->out.position, writer_left(&p->out));
    if (length == ERR_SYNTAX)
        return rdata_say(p, broken_escape);
    if (length < 0)
        p->out.failed = true;
    else
        writer_take(&p->out, (size_t)length);
    return true;
}

bool field_text_check(struct reader *r)
{
    return reader_take(r, reader_left(r));
}

void field_text_format(struct reader *r, struct text *out)
{
    size_t length = reader_left(r);
    quoted_write(reader_checked(r, length), length, out);
}

static bool tag_byte(uint8_t c)
{
    return (uint8_t)((c | 0x20) - 'a') < 26 || (uint8_t)(c - '0') < 10;
}

/* RFC 8659 4.1.1: ASCII letters and digits, at least one; matched in any case, so we lower it. */
bool field_tag_parse(struct rdata_parser *p)
{
    static const char wanted[] = "a property tag of letters and digits (issue, issuewild, iodef)";
    struct lexer *l = p->lexer;

    if (!rdata_word(p, wanted))
        return false;
    if (l->word_length > 255)
        return rdata_want(p, wanted);
    writer_u8(&p->out, (uint8_t)l->word_length);
    for (size_t i = 0; i < l->word_length; i++) {
        uint8_t c = (uint8_t)l->word[i];
        if (!tag_byte(c))
            return rdata_want(p, wanted);
        writer_u8(&p->out, c);
    }
    return true;
}

bool field_tag_check(struct reader *r)
{
    uint8_t length = reader_u8(r);
    const uint8_t *tag = reader_take(r, length);

    for (unsigned i = 0; tag && i < length; i++)
        if (!tag_byte(tag[i]))
            return false;
    return tag && length;
}

void field_tag_format(struct reader *r, struct text *out)
{
    uint8_t length = reader_u8(r);
    text_append_bytes(out, reader_checked(r, length), length);
}
