#include "wire/rdata.h"
#include "base/err.h"
#include "base/invariant.h"
#include "wire/dname.h"
#include "wire/rdata_field.h"
#include "wire/rdata_type.h"

#define FIELD(name)                               \
    {                                             \
        name##_parse, name##_check, name##_format \
    }

static const struct rdata_field fields[FIELD_KINDS] = {
    [FIELD_NAME] = FIELD(field_name),
    [FIELD_CASED] = FIELD(field_cased),
    [FIELD_U8] = FIELD(field_u8),
    [FIELD_U16] = FIELD(field_u16),
    [FIELD_U32] = FIELD(field_u32),
    [FIELD_TTL] = FIELD(field_ttl),
    [FIELD_DATE] = FIELD(field_date),
    [FIELD_IPV4] = FIELD(field_ipv4),
    [FIELD_IPV6] = FIELD(field_ipv6),
    [FIELD_STRING] = FIELD(field_string),
    [FIELD_STRINGS] = FIELD(field_strings),
    [FIELD_TEXT] = FIELD(field_text),
    [FIELD_TAG] = FIELD(field_tag),
    [FIELD_TYPE] = FIELD(field_type),
    [FIELD_CERT_TYPE] = FIELD(field_cert_type),
    [FIELD_ALGORITHM] = FIELD(field_algorithm),
    [FIELD_BASE64] = FIELD(field_base64),
    [FIELD_HEX] = FIELD(field_hex),
    [FIELD_SALT] = FIELD(field_salt),
    [FIELD_HASH32] = FIELD(field_hash32),
    [FIELD_BITMAP] = FIELD(field_bitmap),
    [FIELD_EUI48] = FIELD(field_eui48),
    [FIELD_EUI64] = FIELD(field_eui64),
    [FIELD_NODE64] = FIELD(field_node64),
    [FIELD_NSAP] = FIELD(field_nsap),
    [FIELD_LOC] = FIELD(field_loc),
    [FIELD_APL] = FIELD(field_apl),
    [FIELD_SVC] = FIELD(field_svc),
    [FIELD_GATEWAY] = FIELD(field_gateway),
    [FIELD_RELAY] = FIELD(field_relay),
    [FIELD_PORTS] = FIELD(field_ports),
    [FIELD_NXT] = FIELD(field_nxt),
    [FIELD_ATMA] = FIELD(field_atma),
    [FIELD_A6] = FIELD(field_a6),
    [FIELD_HIP] = FIELD(field_hip),
    [FIELD_NAMES] = FIELD(field_names),
    [FIELD_DATA] = FIELD(field_data),
    [FIELD_U64] = FIELD(field_u64),
    [FIELD_SCHEME] = FIELD(field_scheme),
};

/* The type's fields where it has some. */
static const uint8_t *type_fields(uint16_t type)
{
    const struct rdata_type *t = rdata_type_find(type);
    return t && t->fields[0] != FIELD_END ? t->fields : NULL;
}

/* The last of `head` bytes is the kind of digest that follows; a length of 0 is any. */
static bool length_fits(const uint8_t *data, size_t length, size_t head, const uint8_t *lengths,
                        size_t kinds)
{
    if (length < head || data[head - 1] >= kinds)
        return true;
    uint8_t wanted = lengths[data[head - 1]];
    return !wanted || length - head == wanted;
}

/* Is a digest as long as its kind says? One that is not is a slip where it stands in a file; what
 * others send is theirs, and is written as \# length hex. */
static bool digest_fits(uint16_t type, const uint8_t *data, size_t length)
{
    /* SHA-1, SHA-256, GOST R 34.11-94, SHA-384, GOST R 34.11-2012, SM3 */
    static const uint8_t delegations[] = {0, 20, 32, 32, 48, 32, 32};
    static const uint8_t prints[] = {0, 20, 32}; /* RFC 4255, RFC 6594 */
    enum { DELEGATION_HEAD = 4, PRINT_HEAD = 2, ZONE_HEAD = 6, ZONE_DIGEST_MIN = 12 };

    switch (type) {
    case DNS_DS:
    case DNS_CDS:
        return length_fits(data, length, DELEGATION_HEAD, delegations, sizeof delegations);
    case DNS_SSHFP:
        return length_fits(data, length, PRINT_HEAD, prints, sizeof prints);
    case DNS_ZONEMD:
        return length >= ZONE_HEAD + ZONE_DIGEST_MIN; /* RFC 8976 2.2.4 */
    default:
        return true;
    }
}

/* ---- text to wire ---- */

/* Lowers the name at the start of data[0..size) as far as it goes; whether it is one is seen later.
 */
static void name_lower(uint8_t *data, size_t size)
{
    size_t at = 0;

    while (at < size && data[at] && data[at] <= DNAME_LABEL_MAX) {
        size_t end = at + data[at] + 1;
        for (at++; at < end && at < size; at++)
            if ((uint8_t)(data[at] - 'A') < 26)
                data[at] |= 0x20;
    }
}

bool rdata_lower(uint16_t type, uint8_t *data, uint16_t length)
{
    const uint8_t *kinds = type_fields(type);
    struct reader r = reader_init(data, length);

    if (!kinds)
        return true;
    for (; *kinds; kinds++) {
        if (*kinds == FIELD_NAME)
            name_lower(data + r.position, reader_left(&r));
        if (!fields[*kinds].check(&r) || r.failed)
            return false;
    }
    return reader_left(&r) == 0;
}

/* \# length hex, behind the \# (RFC 3597 5). */
static bool generic_parse(struct rdata_parser *p)
{
    static const char wanted[] = "the length of the data, from 0 to 65535";
    uint32_t length;

    if (!rdata_word(p, wanted))
        return false;
    if (!word_number(p->lexer, RDATA_MAX, &length))
        return rdata_want(p, wanted);
    if (length && !hex_words_parse(p, "hexadecimal digits"))
        return false;
    if (p->out.position != length)
        return rdata_say(p, "the data is not as long as its stated length");
    return true;
}

static bool generic_starts(struct lexer *l)
{
    enum token t = lexer_next(l);
    if (t == TOKEN_WORD && l->escaped && lexer_is(l, "\\#"))
        return true;
    lexer_again(l);
    return false;
}

/* Nothing may follow the last field. */
static bool entry_end(struct rdata_parser *p)
{
    enum token t = lexer_next(p->lexer);
    if (likely(t == TOKEN_NEWLINE || t == TOKEN_END))
        return true;
    return rdata_say(p, t == TOKEN_BAD ? p->lexer->problem
                                       : "the record should have ended before this");
}

static bool data_parse(struct rdata_parser *p, uint16_t type)
{
    const uint8_t *kinds = type_fields(type);

    if (generic_starts(p->lexer)) {
        if (!generic_parse(p))
            return false;
        if (!rdata_lower(type, p->out.data, (uint16_t)p->out.position))
            return rdata_say(p, "the bytes are no well-formed data of this type");
        return true;
    }
    if (!kinds)
        return rdata_want(p, "\\# length data, as this type is known by number only");
    for (; *kinds; kinds++)
        if (!fields[*kinds].parse(p))
            return false;
    if (p->out.failed || digest_fits(type, p->out.data, p->out.position))
        return true;
    return rdata_say(p, "this kind of digest has another length");
}

int rdata_parse(struct lexer *l, uint16_t type, const uint8_t *origin,
                uint8_t ret_data[static RDATA_MAX], uint16_t *ret_length,
                struct rdata_problem *ret_problem)
{
    struct rdata_parser p = {.lexer = l, .origin = origin, .out = writer_init(ret_data, RDATA_MAX)};

    if (!data_parse(&p, type) || !entry_end(&p)) {
        invariant(p.problem.wanted || p.problem.sentence);
        *ret_problem = p.problem;
        return ERR_SYNTAX;
    }
    if (p.out.failed) {
        ret_problem->wanted = NULL;
        ret_problem->sentence = "the data of one record holds at most 65535 bytes";
        return ERR_SYNTAX;
    }
    *ret_length = (uint16_t)p.out.position;
    return 0;
}

/* ---- wire to text ---- */

void rdata_format(uint16_t type, const uint8_t *data, uint16_t length, struct text *out)
{
    const uint8_t *kinds = type_fields(type);
    struct reader r = reader_init(data, length);

    if (!kinds || !rdata_check(type, data, length) || !digest_fits(type, data, length)) {
        text_appendf(out, length ? "\\# %u " : "\\# %u", length);
        hex_write(data, length, out);
        return;
    }
    for (const uint8_t *kind = kinds; *kind; kind++) {
        /* Lists may be empty and then need no space before them; a text is at least "", data "-".
         */
        if (kind != kinds && (reader_left(&r) || *kind == FIELD_TEXT || *kind == FIELD_DATA))
            text_append_bytes(out, " ", 1);
        fields[*kind].format(&r, out);
    }
    invariant(!r.failed && reader_left(&r) == 0);
}

/* ---- checks ---- */

bool rdata_check(uint16_t type, const uint8_t *data, uint16_t length)
{
    const uint8_t *kinds = type_fields(type);
    struct reader r = reader_init(data, length);

    if (!kinds)
        return true;
    for (; *kinds; kinds++)
        if (!fields[*kinds].check(&r) || r.failed)
            return false;
    return reader_left(&r) == 0;
}

unsigned rdata_compressible(uint16_t type, const uint8_t *data, uint16_t ret_offsets[static 2])
{
    const struct rdata_type *t = rdata_type_find(type);

    if (!t || !(t->flags & RDATA_COMPRESS))
        return 0;
    ret_offsets[0] = type == DNS_MX ? 2 : 0;
    if (t->fields[1] != FIELD_NAME || type == DNS_MX)
        return 1;
    ret_offsets[1] = (uint16_t)dname_length(data);
    return 2;
}

/* Where the name lies; 0 is NS's, too. */
static unsigned target_offset(uint16_t type)
{
    return type == DNS_NS ? 0 : type == DNS_SRV ? 6 : 2;
}

bool rdata_has_target(uint16_t type)
{
    return type == DNS_NS || type == DNS_MX || type == DNS_SRV || type == DNS_SVCB ||
           type == DNS_HTTPS;
}

bool rdata_target(uint16_t type, const uint8_t *data, struct rdata_target *ret)
{
    if (!rdata_has_target(type))
        return false;
    unsigned offset = target_offset(type);
    size_t length = dname_length(data + offset);
    bool service = type == DNS_SVCB || type == DNS_HTTPS;
    bool alias = service && !data[0] && !data[1]; /* RFC 9460 2.4.1: SvcPriority 0 */
    if (service && length == 1) {
        if (alias)
            return false; /* RFC 9460 2.5.1: there is no service */
        length = 0;
    }
    memcpy(ret->name, data + offset, length);
    name_lower(ret->name, length);
    ret->length = (uint8_t)length;
    ret->offset = (uint8_t)offset;
    ret->alias = alias;
    return true;
}
