#include "wire/dname.h"
#include "base/err.h"
#include "base/invariant.h"

static uint8_t dname_lower_byte(uint8_t c)
{
    return (uint8_t)(c - 'A') < 26 ? (uint8_t)(c | 0x20) : c;
}

static bool digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* The byte that an escape stands for ("\." or "\046"), text after the backslash. Returns the
 * characters used, or 0 where the escape is broken. */
static size_t escape_read(const char *text, size_t length, uint8_t *ret_byte)
{
    if (length == 0)
        return 0;
    if (!digit(text[0])) {
        *ret_byte = (uint8_t)text[0];
        return 1;
    }
    if (length < 3 || !digit(text[1]) || !digit(text[2]))
        return 0;
    int value = (text[0] - '0') * 100 + (text[1] - '0') * 10 + (text[2] - '0');
    if (value > 255)
        return 0;
    *ret_byte = (uint8_t)value;
    return 3;
}

/* Ends a relative name with the origin, or with the root where there is none. */
static int name_complete(uint8_t *name, size_t used, const uint8_t *origin)
{
    if (!origin)
        origin = (const uint8_t *)"";
    size_t length = dname_length(origin);
    if (used + length > DNAME_MAX)
        return ERR_LIMIT;
    memcpy(name + used, origin, length);
    return (int)(used + length);
}

static int name_parse(const char *text, size_t length, const uint8_t *origin, bool lower,
                      uint8_t ret_name[static DNAME_MAX])
{
    uint8_t name[DNAME_MAX];
    size_t label = 0, used = 1; /* where the label's length byte lies, and the end so far */

    if (length == 1 && text[0] == '.') {
        ret_name[0] = 0;
        return 1;
    }
    if (length == 0)
        return ERR_SYNTAX;
    for (size_t i = 0; i < length;) {
        uint8_t byte = (uint8_t)text[i++];
        if (byte == '.') {
            if (used - label == 1)
                return ERR_SYNTAX; /* an empty label */
            name[label] = (uint8_t)(used - label - 1);
            label = used;
            if (used == DNAME_MAX)
                return ERR_LIMIT;
            used++;
            continue;
        }
        if (byte == '\\') {
            size_t taken = escape_read(text + i, length - i, &byte);
            if (!taken)
                return ERR_SYNTAX;
            i += taken;
        }
        if (used - label > DNAME_LABEL_MAX || used == DNAME_MAX)
            return ERR_LIMIT;
        name[used++] = lower ? dname_lower_byte(byte) : byte;
    }
    int total;
    if (used - label == 1) { /* the text ended with a dot */
        name[label] = 0;
        total = (int)used;
    } else {
        name[label] = (uint8_t)(used - label - 1);
        total = name_complete(name, used, origin);
    }
    if (total > 0)
        memcpy(ret_name, name, (size_t)total);
    return total;
}

int dname_parse(const char *text, size_t length, const uint8_t *origin,
                uint8_t ret_name[static DNAME_MAX])
{
    return name_parse(text, length, origin, true, ret_name);
}

int dname_parse_cased(const char *text, size_t length, const uint8_t *origin,
                      uint8_t ret_name[static DNAME_MAX])
{
    return name_parse(text, length, origin, false, ret_name);
}

/* Characters that mean something in a master file are escaped, so that the text can be read back.
 */
static bool needs_backslash(uint8_t c)
{
    return c == '.' || c == '\\' || c == '"' || c == '(' || c == ')' || c == ';' || c == '@' ||
           c == '$';
}

char *dname_format(const uint8_t *name, char buffer[static DNAME_TEXT_MAX])
{
    char *out = buffer;

    if (!name[0])
        *out++ = '.';
    for (const uint8_t *at = name; *at; at += *at + 1) {
        if (at != name)
            *out++ = '.';
        for (unsigned i = 1; i <= *at; i++) {
            uint8_t c = at[i];
            if (c <= ' ' || c >= 0x7f) {
                *out++ = '\\';
                *out++ = (char)('0' + c / 100);
                *out++ = (char)('0' + c / 10 % 10);
                c = (uint8_t)('0' + c % 10);
            } else if (needs_backslash(c)) {
                *out++ = '\\';
            }
            *out++ = (char)c;
        }
        invariant(out < buffer + DNAME_TEXT_MAX);
    }
    *out = 0;
    return buffer;
}

size_t dname_length(const uint8_t *name)
{
    const uint8_t *at = name;
    while (*at)
        at += *at + 1;
    return (size_t)(at - name) + 1;
}

unsigned dname_labels(const uint8_t *name)
{
    unsigned labels = 0;
    for (; *name; name += *name + 1)
        labels++;
    return labels;
}

/* Bit 7 of each byte that is an upper-case letter. */
static uint64_t upper_bits(uint64_t word)
{
    const uint64_t ones = UINT64_C(0x0101010101010101), high = ones * 0x80;
    uint64_t low = word & ~high;
    uint64_t from_a = low + ones * (0x80 - 'A'), behind_z = low + ones * (0x80 - 'Z' - 1);
    return from_a & ~behind_z & ~word & high;
}

bool dname_label_lower(const uint8_t *label, size_t length)
{
    uint64_t found = 0, word;
    size_t at = 0;
    for (; at + sizeof word <= length; at += sizeof word) {
        memcpy(&word, label + at, sizeof word);
        found |= upper_bits(word);
    }
    for (; at < length; at++)
        found |= (uint8_t)(label[at] - 'A') < 26;
    return !found;
}

static int name_check(const uint8_t *data, size_t size, bool lower)
{
    size_t position = 0;

    if (size > DNAME_MAX)
        size = DNAME_MAX;
    while (position < size) {
        uint8_t label = data[position];
        if (label > DNAME_LABEL_MAX)
            return ERR_SYNTAX;
        if (label == 0)
            return (int)position + 1;
        if (label >= size - position)
            break;
        if (lower && !dname_label_lower(data + position + 1, label))
            return ERR_INVALID;
        position += label + 1u;
    }
    return size == DNAME_MAX ? ERR_LIMIT : ERR_TRUNCATED;
}

int dname_check(const uint8_t *data, size_t size)
{
    return name_check(data, size, true);
}

int dname_check_cased(const uint8_t *data, size_t size)
{
    return name_check(data, size, false);
}

bool dname_below(const uint8_t *name, size_t name_length, const uint8_t *parent,
                 size_t parent_length)
{
    if (name_length < parent_length)
        return false;
    const uint8_t *tail = name + (name_length - parent_length);
    if (memcmp(tail, parent, parent_length) != 0)
        return false;
    /* The bytes agree; they are the name's last labels only if a label starts there. */
    while (name < tail)
        name += *name + 1;
    return name == tail;
}

/* Offsets of the labels of a name; returns their number. */
static unsigned label_offsets(const uint8_t *name, uint8_t offsets[static DNAME_LABELS_MAX + 1])
{
    unsigned count = 0;
    for (const uint8_t *at = name; *at; at += *at + 1) {
        invariant(count < DNAME_LABELS_MAX + 1);
        offsets[count++] = (uint8_t)(at - name);
    }
    return count;
}

int dname_compare(const uint8_t *a, const uint8_t *b)
{
    uint8_t a_at[DNAME_LABELS_MAX + 1], b_at[DNAME_LABELS_MAX + 1];
    unsigned a_count = label_offsets(a, a_at), b_count = label_offsets(b, b_at);

    while (a_count && b_count) {
        int order = dname_label_compare(a + a_at[--a_count], b + b_at[--b_count]);
        if (order)
            return order;
    }
    return (int)a_count - (int)b_count;
}
