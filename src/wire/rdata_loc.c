/* LOC (RFC 1876): 48 51 29.6 N 2 17 40.2 E 330m 10m 100m 10m */
#include "wire/rdata_field.h"

enum { LOC_SIZE = 16, LOC_ALTITUDE_BASE_CM = 10000000 };
static const uint32_t loc_equator = 1u << 31;

/* "12", "12.5", "12.345" scaled by 10^digits, all digits beyond refused. */
static bool decimal_read(const char *text, size_t length, unsigned digits, uint64_t max,
                         uint64_t *ret)
{
    uint64_t value = 0;
    unsigned fraction = 0;
    bool point = false;

    if (length == 0 || text[0] == '.')
        return false;
    for (size_t i = 0; i < length; i++) {
        unsigned digit = (unsigned char)(text[i] - '0');
        if (text[i] == '.' && !point) {
            point = true;
        } else if (digit < 10 && value <= max && (!point || fraction < digits)) {
            value = value * 10 + digit;
            fraction += point;
        } else {
            return false;
        }
    }
    for (; fraction < digits; fraction++)
        value *= 10;
    *ret = value;
    return value <= max;
}

static bool word_letter(const struct lexer *l, char positive, char negative)
{
    char c = l->word_length == 1 ? (char)(l->word[0] & 0x5f) : 0;
    return c == positive || c == negative;
}

/* Degrees, minutes, seconds (the last two may be left out) and the direction. */
static bool angle_parse(struct rdata_parser *p, unsigned degrees_max, char positive, char negative,
                        const char *wanted)
{
    static const uint64_t scale[] = {3600000, 60000, 1};
    uint64_t total = 0, part;
    unsigned parts = 0;

    for (;; parts++) {
        struct lexer *l = p->lexer;
        if (!rdata_word(p, wanted))
            return false;
        if (parts && word_letter(l, positive, negative))
            break;
        if (parts == 3 || !decimal_read(l->word, l->word_length, parts == 2 ? 3 : 0,
                                        parts == 0   ? degrees_max
                                        : parts == 1 ? 59
                                                     : 59999,
                                        &part))
            return rdata_want(p, wanted);
        total += part * scale[parts];
    }
    if (total > degrees_max * 3600000u)
        return rdata_want(p, wanted);
    bool north = (p->lexer->word[0] & 0x5f) == positive;
    writer_u32(&p->out, north ? loc_equator + (uint32_t)total : loc_equator - (uint32_t)total);
    return true;
}

/* Metres with an optional "m", in centimetres. */
static bool metres_read(const struct lexer *l, uint64_t max_cm, uint64_t *ret_cm)
{
    size_t length = l->word_length;

    if (length && (l->word[length - 1] | 0x20) == 'm')
        length--;
    return decimal_read(l->word, length, 2, max_cm, ret_cm);
}

static bool altitude_parse(struct rdata_parser *p)
{
    static const char wanted[] = "an altitude in metres, from -100000.00 to 42849672.95";
    uint64_t cm;

    if (!rdata_word(p, wanted))
        return false;
    struct lexer l = *p->lexer;
    bool negative = l.word[0] == '-';
    if (negative) {
        l.word++;
        l.word_length--;
    }
    if (!metres_read(&l, negative ? LOC_ALTITUDE_BASE_CM : UINT32_MAX - LOC_ALTITUDE_BASE_CM, &cm))
        return rdata_want(p, wanted);
    writer_u32(&p->out, negative ? LOC_ALTITUDE_BASE_CM - (uint32_t)cm
                                 : LOC_ALTITUDE_BASE_CM + (uint32_t)cm);
    return true;
}

/* The one-byte form of a length: mantissa 0..9, power of ten 0..9, in centimetres. */
static uint8_t precision_pack(uint64_t cm)
{
    unsigned power = 0;
    for (; cm > 9; cm /= 10)
        power++;
    return (uint8_t)(cm << 4 | power);
}

static bool precision_parse(struct rdata_parser *p, uint8_t *ret)
{
    static const char wanted[] = "a length in metres, up to 90000000.00";
    uint64_t cm;

    if (!rdata_more(p))
        return true; /* the default stays */
    if (!rdata_word(p, wanted))
        return false;
    if (!metres_read(p->lexer, UINT64_C(9000000000), &cm))
        return rdata_want(p, wanted);
    *ret = precision_pack(cm);
    return true;
}

bool field_loc_parse(struct rdata_parser *p)
{
    /* Defaults: 1 m, 10 km, 10 m. They stand before the coordinates, so they are set last. */
    uint8_t *fixed = writer_take(&p->out, 4);
    uint8_t precision[3] = {0x12, 0x16, 0x13};

    if (!angle_parse(p, 90, 'N', 'S', "a latitude (48 51 29.6 N)") ||
        !angle_parse(p, 180, 'E', 'W', "a longitude (2 17 40.2 E)") || !altitude_parse(p))
        return false;
    for (int i = 0; i < 3; i++)
        if (!precision_parse(p, &precision[i]))
            return false;
    if (fixed) {
        fixed[0] = 0;
        memcpy(fixed + 1, precision, 3);
    }
    return true;
}

static bool precision_check(uint8_t v)
{
    return v >> 4 <= 9 && (v & 15) <= 9;
}

static bool angle_check(uint32_t v, uint32_t degrees_max)
{
    uint32_t off = v > loc_equator ? v - loc_equator : loc_equator - v;
    return off <= degrees_max * 3600000u;
}

bool field_loc_check(struct reader *r)
{
    if (reader_u8(r) != 0)
        return false;
    bool right = true;
    for (int i = 0; i < 3; i++)
        right &= precision_check(reader_u8(r));
    right &= angle_check(reader_u32(r), 90);
    right &= angle_check(reader_u32(r), 180);
    reader_u32(r);
    return right;
}

static void angle_format(uint32_t v, char positive, char negative, struct text *out)
{
    uint32_t off = v >= loc_equator ? v - loc_equator : loc_equator - v;

    text_appendf(out, "%u %u %u.%03u %c ", off / 3600000, off / 60000 % 60, off / 1000 % 60,
                 off % 1000, v >= loc_equator ? positive : negative);
}

static void precision_format(uint8_t v, struct text *out)
{
    uint64_t cm = v >> 4;
    for (unsigned power = v & 15; power; power--)
        cm *= 10;
    text_appendf(out, " %u.%02um", (unsigned)(cm / 100), (unsigned)(cm % 100));
}

void field_loc_format(struct reader *r, struct text *out)
{
    const uint8_t *precision = reader_checked(r, 4);

    angle_format(reader_u32(r), 'N', 'S', out);
    angle_format(reader_u32(r), 'E', 'W', out);
    int64_t cm = (int64_t)reader_u32(r) - LOC_ALTITUDE_BASE_CM;
    uint64_t size = (uint64_t)(cm < 0 ? -cm : cm);
    text_appendf(out, "%s%u.%02um", cm < 0 ? "-" : "", (unsigned)(size / 100),
                 (unsigned)(size % 100));
    for (int i = 1; i <= 3; i++)
        precision_format(precision[i], out);
}
