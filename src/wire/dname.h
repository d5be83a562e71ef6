/* Domain names in wire form (RFC 1035 3.1): uncompressed, ending with the root label, at most 255
 * bytes. "Lower" names have ASCII letters in lower case (RFC 4343), which is how everything here
 * stores and compares. */
#pragma once

#include "base/attr.h"
#include "base/bytes.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum {
    DNAME_MAX = 255, /* bytes of a name on the wire */
    DNAME_LABELS_MAX = 127,
    DNAME_LABEL_MAX = 63,
    DNAME_TEXT_MAX = 1024, /* presentation form with escapes and NUL */
};

/* Presentation form -> lower wire form. `origin` (wire, may be NULL) is appended to a relative
 * name; without an origin every name is taken as absolute. Escapes \. and \DDD. Returns the length
 * (>= 1) or ERR_SYNTAX / ERR_LIMIT. */
must_check int dname_parse(const char *text, size_t length, const uint8_t *origin,
                           uint8_t ret_name[static DNAME_MAX]);
/* The same with letters as they are written: for the data of types whose names keep their case
 * (RFC 6840 5.1). */
must_check int dname_parse_cased(const char *text, size_t length, const uint8_t *origin,
                                 uint8_t ret_name[static DNAME_MAX]);
/* Wire -> presentation form without the trailing dot ("." for the root); returns buffer. */
char *dname_format(const uint8_t *name, char buffer[static DNAME_TEXT_MAX]);
/* Length in bytes including the root label; the name must be valid. */
pure_function size_t dname_length(const uint8_t *name);
pure_function unsigned dname_labels(const uint8_t *name); /* without the root label */
static inline bool dname_equal(const uint8_t *a, size_t a_length, const uint8_t *b, size_t b_length)
{
    return a_length == b_length && memcmp(a, b, a_length) == 0;
}
/* Is `name` equal to or below `parent` (both lower wire forms)? */
pure_function bool dname_below(const uint8_t *name, size_t name_length, const uint8_t *parent,
                               size_t parent_length);
/* The length of the lower name that starts `data`, which nobody has checked yet: ERR_SYNTAX (a
 * label over 63 bytes, so also a compression pointer), ERR_LIMIT, ERR_TRUNCATED, ERR_INVALID (not
 * lower). */
must_check int dname_check(const uint8_t *data, size_t size);
must_check int dname_check_cased(const uint8_t *data, size_t size); /* lower or not */
/* Has a label's content no letter in upper case? */
pure_function bool dname_label_lower(const uint8_t *label, size_t length);
/* Canonical order of RFC 4034 6.1 of two labels, each with its length byte, lower: <0, 0, >0. */
static inline int dname_label_compare(const uint8_t *a, const uint8_t *b)
{
    int order = memcmp(a + 1, b + 1, *a < *b ? *a : *b);
    return order ? order : (int)*a - (int)*b;
}
/* Canonical order of RFC 4034 6.1: <0, 0, >0. */
pure_function int dname_compare(const uint8_t *a, const uint8_t *b);

/* The hash of names in compiled zones and in every table of names: over the bytes of the lower wire
 * form, root label included. Any suffix of a name that starts at a label is itself a name. A change
 * here is a change of ZONE_VERSION. */
static inline uint64_t dname_hash(const uint8_t *name, size_t length)
{
    uint64_t h = 0x9e3779b97f4a7c15u ^ length, v = 0;
    size_t at = 0;
    for (; at + 8 <= length; at += 8) {
        memcpy(&v, name + at, 8);
        h = (h ^ v) * 0xff51afd7ed558ccdu;
        h ^= h >> 32;
    }
    /* The last 0 to 7 bytes, zeros above them: out of the last eight where there are so many. What
     * was gathered byte by byte is waited for when it is read as a word. */
    v = 0;
    if (at < length && length >= 8) {
        memcpy(&v, name + length - 8, 8);
        v >>= 64 - 8 * (length - at);
    } else {
        memcpy(&v, name + at, length - at);
    }
    h = (h ^ v) * 0xc4ceb9fe1a85ec53u;
    h ^= h >> 29;
    h *= 0xff51afd7ed558ccdu;
    return h ^ (h >> 32);
}
