/* SvcParams of SVCB and HTTPS (RFC 9460 2.1, 7, appendix A). */
#include "base/invariant.h"
#include "wire/rdata_field.h"
#include <stdio.h>
#include <strings.h>

enum { SVC_VALUE_MAX = RDATA_MAX };
enum svc_key {
    SVC_MANDATORY,
    SVC_ALPN,
    SVC_NO_DEFAULT_ALPN,
    SVC_PORT,
    SVC_IPV4HINT,
    SVC_ECH,
    SVC_IPV6HINT,
    SVC_DOHPATH,
    SVC_OHTTP,
    SVC_TLS_GROUPS,
    SVC_KEYS
};

static const char *const key_names[SVC_KEYS] = {
    "mandatory", "alpn",     "no-default-alpn", "port",  "ipv4hint",
    "ech",       "ipv6hint", "dohpath",         "ohttp", "tls-supported-groups",
};

/* One parameter while it is read: the value's text with its escapes taken out. */
struct svc_value {
    const char *text;
    size_t length;
};

/* ---- text to wire ---- */

/* *ret_generic: the number was given, without zeros before it, and the value is in wire form. */
static bool key_read(const char *text, size_t length, uint16_t *ret_key, bool *ret_generic)
{
    uint32_t number;

    *ret_generic = false;
    for (unsigned i = 0; i < SVC_KEYS; i++)
        if (strlen(key_names[i]) == length && strncasecmp(text, key_names[i], length) == 0) {
            *ret_key = (uint16_t)i;
            return true;
        }
    if (length < 4 || strncasecmp(text, "key", 3) != 0 || (text[3] == '0' && length > 4) ||
        !digits_number(text + 3, length - 3, UINT16_MAX - 1, &number))
        return false;
    *ret_generic = true;
    *ret_key = (uint16_t)number;
    return true;
}

/* The next item of a comma-separated list; *position passes it. */
static bool list_next(const struct svc_value *v, size_t *position, struct svc_value *ret_item)
{
    if (*position > v->length)
        return false;
    const char *start = v->text + *position;
    const char *comma = memchr(start, ',', v->length - *position);
    ret_item->text = start;
    ret_item->length = comma ? (size_t)(comma - start) : v->length - *position;
    *position += ret_item->length + 1;
    return true;
}

/* Keys, ascending, each once; kept sorted as they come. */
static bool mandatory_write(const struct svc_value *v, struct writer *out)
{
    size_t start = out->position, position = 0;
    struct svc_value item;
    uint16_t key;
    bool generic;

    while (list_next(v, &position, &item)) {
        if (!key_read(item.text, item.length, &key, &generic) || key == SVC_MANDATORY)
            return false;
        uint8_t *end = writer_take(out, 2);
        if (!end)
            return true; /* out of room: the driver says so */
        uint8_t *at = end, *first = out->data + start;
        for (; at > first && (at[-2] << 8 | at[-1]) >= key; at -= 2) {
            if ((at[-2] << 8 | at[-1]) == key)
                return false;
            memcpy(at, at - 2, 2);
        }
        at[0] = (uint8_t)(key >> 8);
        at[1] = (uint8_t)key;
    }
    return true;
}

/* Appendix A.1: here a backslash protects a comma or a backslash once more. */
static bool alpn_write(const struct svc_value *v, struct writer *out)
{
    size_t i = 0;

    do {
        size_t length_at = out->position;
        writer_u8(out, 0);
        for (; i < v->length && v->text[i] != ','; i++) {
            if (v->text[i] == '\\' && ++i == v->length)
                return false;
            writer_u8(out, (uint8_t)v->text[i]);
        }
        size_t length = out->position - length_at - 1;
        if (out->failed)
            return true;
        if (length == 0 || length > 255)
            return false;
        out->data[length_at] = (uint8_t)length;
    } while (i++ < v->length);
    return true;
}

static bool port_write(const struct svc_value *v, struct writer *out)
{
    uint32_t port;

    if (!digits_number(v->text, v->length, UINT16_MAX, &port))
        return false;
    writer_u16(out, (uint16_t)port);
    return true;
}

static bool groups_write(const struct svc_value *v, struct writer *out)
{
    size_t position = 0;
    struct svc_value item;

    while (list_next(v, &position, &item))
        if (!port_write(&item, out))
            return false;
    return true;
}

static bool ipv4hint_write(const struct svc_value *v, struct writer *out)
{
    size_t position = 0;
    struct svc_value item;
    uint8_t bytes[4];

    while (list_next(v, &position, &item)) {
        if (!ipv4_read(item.text, item.length, bytes))
            return false;
        writer_bytes(out, bytes, sizeof bytes);
    }
    return true;
}

static bool ipv6hint_write(const struct svc_value *v, struct writer *out)
{
    size_t position = 0;
    struct svc_value item;
    uint8_t bytes[16];

    while (list_next(v, &position, &item)) {
        if (!ipv6_read(item.text, item.length, bytes))
            return false;
        writer_bytes(out, bytes, sizeof bytes);
    }
    return true;
}

static bool ech_write(const struct svc_value *v, struct writer *out)
{
    return v->length && base64_read(v->text, v->length, out);
}

static bool empty_write(const struct svc_value *v, struct writer *out)
{
    (void)out;
    return v->length == 0;
}

static bool raw_write(const struct svc_value *v, struct writer *out)
{
    writer_bytes(out, v->text, v->length);
    return true;
}

static const struct {
    bool (*write)(const struct svc_value *v, struct writer *out);
    const char *problem;
} values[SVC_KEYS] = {
    [SVC_MANDATORY] = {mandatory_write,
                       "mandatory= lists other keys, each once, with commas between"},
    [SVC_ALPN] = {alpn_write, "alpn= lists protocols of 1 to 255 bytes, with commas between"},
    [SVC_NO_DEFAULT_ALPN] = {empty_write, "no-default-alpn takes no value"},
    [SVC_PORT] = {port_write, "port= is a number from 0 to 65535"},
    [SVC_IPV4HINT] = {ipv4hint_write, "ipv4hint= lists IPv4 addresses, with commas between"},
    [SVC_ECH] = {ech_write, "ech= is base64 data"},
    [SVC_IPV6HINT] = {ipv6hint_write, "ipv6hint= lists IPv6 addresses, with commas between"},
    [SVC_DOHPATH] = {raw_write, NULL},
    [SVC_OHTTP] = {empty_write, "ohttp takes no value"},
    [SVC_TLS_GROUPS] = {groups_write,
                        "tls-supported-groups= lists numbers from 0 to 65535, with commas between"},
};

static void bytes_turn(uint8_t *data, size_t size)
{
    for (size_t i = 0; i < size / 2; i++) {
        uint8_t byte = data[i];
        data[i] = data[size - 1 - i];
        data[size - 1 - i] = byte;
    }
}

/* Moves the parameter that was just written at `start` to its place in ascending order of keys;
 * false where its key is there already. In place: its bytes may be many times those of its text
 * (an IPv6 address is "::"). */
static bool param_sort(struct writer *out, size_t params, size_t start)
{
    uint8_t *data = out->data;
    size_t size = out->position - start, at = params;
    unsigned key = (unsigned)(data[start] << 8 | data[start + 1]);

    while (at < start) {
        unsigned other = (unsigned)(data[at] << 8 | data[at + 1]);
        if (other == key)
            return false;
        if (other > key)
            break;
        at += 4u + (unsigned)(data[at + 2] << 8 | data[at + 3]);
    }
    invariant(at <= start);
    bytes_turn(data + at, start - at);
    bytes_turn(data + start, size);
    bytes_turn(data + at, start - at + size);
    return true;
}

/* Splits the word at '=' and takes quotes and escapes out of the value; -1 where that fails. */
static int value_unescape(struct lexer *l, size_t *ret_key_length, uint8_t buffer[SVC_VALUE_MAX])
{
    struct lexer value = *l;
    const char *equals = memchr(l->word, '=', l->word_length);

    *ret_key_length = equals ? (size_t)(equals - l->word) : l->word_length;
    if (!equals)
        return 0;
    value.word = equals + 1;
    value.word_length = l->word_length - *ret_key_length - 1;
    if (value.word_length >= 2 && value.word[0] == '"') {
        if (value.word[value.word_length - 1] != '"')
            return -1;
        value.word++;
        value.word_length -= 2;
    }
    int length = lexer_unescape(&value, buffer, SVC_VALUE_MAX);
    return length < 0 ? -1 : length;
}

static bool strings_fill(const uint8_t *data, size_t length)
{
    struct reader r = reader_init(data, length);

    while (reader_left(&r)) {
        uint8_t size = reader_u8(&r);
        if (!size || !reader_take(&r, size))
            return false;
    }
    return length > 0;
}

static bool keys_ascend(const uint8_t *data, size_t length)
{
    unsigned last = SVC_MANDATORY;

    for (size_t i = 0; i + 1 < length; i += 2) {
        unsigned key = (unsigned)(data[i] << 8 | data[i + 1]);
        if (key <= last)
            return false;
        last = key;
    }
    return length && length % 2 == 0;
}

static bool value_check(uint16_t key, const uint8_t *data, size_t length)
{
    switch (key) {
    case SVC_MANDATORY:
        return keys_ascend(data, length);
    case SVC_ALPN:
        return strings_fill(data, length);
    case SVC_NO_DEFAULT_ALPN:
    case SVC_OHTTP:
        return length == 0;
    case SVC_PORT:
        return length == 2;
    case SVC_ECH: /* has no text without a value */
        return length > 0;
    case SVC_IPV4HINT:
        return length && length % 4 == 0;
    case SVC_IPV6HINT:
        return length && length % 16 == 0;
    case SVC_TLS_GROUPS:
        return length && length % 2 == 0;
    default:
        return key != UINT16_MAX; /* reserved (14.3.2) */
    }
}

static bool param_parse(struct rdata_parser *p, size_t params)
{
    static const char wanted[] = "a parameter (alpn=h2, port=8443, key65280=value)";
    uint8_t buffer[SVC_VALUE_MAX];
    size_t key_length, start = p->out.position;
    uint16_t key;
    bool generic;

    if (!rdata_word(p, wanted))
        return false;
    int length = value_unescape(p->lexer, &key_length, buffer);
    if (length < 0)
        return rdata_say(p, "the parameter's value is broken, or longer than 65535 bytes");
    if (!key_read(p->lexer->word, key_length, &key, &generic))
        return rdata_want(p, wanted);
    writer_u16(&p->out, key);
    writer_u16(&p->out, 0);
    struct svc_value value = {(const char *)buffer, (size_t)length};
    if (!(key < SVC_KEYS && !generic ? values[key].write : raw_write)(&value, &p->out))
        return rdata_say(p, values[key].problem);
    if (p->out.failed)
        return true;
    if (generic && !value_check(key, buffer, value.length))
        return rdata_say(
            p, "behind a key's number its value stands in wire form (key4=\\192\\000\\002\\001)");
    size_t size = p->out.position - start - 4;
    p->out.data[start + 2] = (uint8_t)(size >> 8);
    p->out.data[start + 3] = (uint8_t)size;
    return param_sort(&p->out, params, start) || rdata_say(p, "this parameter is there twice");
}

/* Is `key` among the parameters? */
static bool param_present(const uint8_t *data, size_t length, uint16_t key)
{
    struct reader r = reader_init(data, length);

    while (reader_left(&r) && !r.failed) {
        uint16_t other = reader_u16(&r);
        reader_take(&r, reader_u16(&r));
        if (!r.failed && other == key)
            return true;
    }
    return false;
}

/* Mandatory keys are there (8), and no-default-alpn comes with alpn (7.1.1). */
static bool params_agree(const uint8_t *data, size_t length)
{
    struct reader r = reader_init(data, length);

    if (param_present(data, length, SVC_NO_DEFAULT_ALPN) && !param_present(data, length, SVC_ALPN))
        return false;
    if (length < 4 || reader_u16(&r) != SVC_MANDATORY)
        return true;
    for (unsigned keys = reader_u16(&r) / 2; keys && !r.failed; keys--)
        if (!param_present(data, length, reader_u16(&r)))
            return false;
    return true;
}

bool field_svc_parse(struct rdata_parser *p)
{
    size_t params = p->out.position;

    while (rdata_more(p))
        if (!param_parse(p, params))
            return false;
    if (p->out.failed || params_agree(p->out.data + params, p->out.position - params))
        return true;
    return rdata_say(p, "a mandatory parameter is missing (no-default-alpn needs alpn)");
}

/* ---- checking ---- */

bool field_svc_check(struct reader *r)
{
    const uint8_t *start = r->data + r->position;
    size_t length = reader_left(r);
    int last = -1;

    while (reader_left(r)) {
        uint16_t key = reader_u16(r), size = reader_u16(r);
        const uint8_t *value = reader_take(r, size);
        if (!value || key <= last || !value_check(key, value, size))
            return false;
        last = key;
    }
    return params_agree(start, length);
}

/* ---- wire to text ---- */

static void key_write(uint16_t key, struct text *out)
{
    if (key < SVC_KEYS)
        text_append(out, key_names[key]);
    else
        text_appendf(out, "key%u", key);
}

static void alpn_format(const uint8_t *data, size_t length, struct text *out)
{
    struct reader r = reader_init(data, length);

    text_append(out, "\"");
    for (const char *comma = ""; reader_left(&r); comma = ",") {
        uint8_t size = reader_u8(&r);
        const uint8_t *at = reader_checked(&r, size);
        text_append(out, comma);
        for (; size; size--, at++) {
            /* Protected once for the list and once for the string. */
            if (*at == ',')
                text_append(out, "\\\\,");
            else if (*at == '\\')
                text_append(out, "\\\\\\\\");
            else if (*at == '"')
                text_append(out, "\\\"");
            else if (*at < ' ' || *at >= 0x7f)
                text_appendf(out, "\\%03u", *at);
            else
                text_append_bytes(out, at, 1);
        }
    }
    text_append(out, "\"");
}

static void list_format(uint16_t key, struct reader *r, struct text *out)
{
    for (const char *comma = ""; reader_left(r); comma = ",") {
        text_append(out, comma);
        if (key == SVC_MANDATORY)
            key_write(reader_u16(r), out);
        else if (key == SVC_IPV4HINT)
            ipv4_write(reader_checked(r, 4), out);
        else if (key == SVC_IPV6HINT)
            ipv6_write(reader_checked(r, 16), out);
        else
            text_appendf(out, "%u", reader_u16(r));
    }
}

static void value_format(uint16_t key, const uint8_t *data, size_t length, struct text *out)
{
    struct reader r = reader_init(data, length);

    switch (key) {
    case SVC_ALPN:
        alpn_format(data, length, out);
        break;
    case SVC_ECH:
        base64_write(data, length, out);
        break;
    case SVC_MANDATORY:
    case SVC_PORT:
    case SVC_IPV4HINT:
    case SVC_IPV6HINT:
    case SVC_TLS_GROUPS:
        list_format(key, &r, out);
        break;
    default:
        quoted_write(data, length, out);
    }
}

void field_svc_format(struct reader *r, struct text *out)
{
    for (const char *space = ""; reader_left(r); space = " ") {
        uint16_t key = reader_u16(r), size = reader_u16(r);
        text_append(out, space);
        key_write(key, out);
        if (size)
            text_append(out, "=");
        const uint8_t *value = reader_checked(r, size);
        if (size)
            value_format(key, value, size, out);
    }
}
