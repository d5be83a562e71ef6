/* How each kind of field is read, written and checked. Used inside rdata*.c only. */
#pragma once

#include "base/bytes.h"
#include "base/invariant.h"
#include "base/text.h"
#include "wire/lexer.h"
#include "wire/rdata.h"
#include "wire/rdata_type.h"

/* One record's data while it is read from text. */
struct rdata_parser {
    struct lexer *lexer;
    const uint8_t *origin;
    struct writer out;
    struct rdata_problem problem;
};

/* parse: false with p->problem set. Running out of room is noticed by the driver (p->out.failed).
 * check: reads the field; false or r->failed where it is not well-formed.
 * format: the data has passed check. */
struct rdata_field {
    bool (*parse)(struct rdata_parser *p);
    bool (*check)(struct reader *r);
    void (*format)(struct reader *r, struct text *out);
};

#define RDATA_FIELD_DECLARE(name)              \
    bool name##_parse(struct rdata_parser *p); \
    bool name##_check(struct reader *r);       \
    void name##_format(struct reader *r, struct text *out)

RDATA_FIELD_DECLARE(field_name);
RDATA_FIELD_DECLARE(field_cased);
RDATA_FIELD_DECLARE(field_u8);
RDATA_FIELD_DECLARE(field_u16);
RDATA_FIELD_DECLARE(field_u32);
RDATA_FIELD_DECLARE(field_ttl);
RDATA_FIELD_DECLARE(field_ipv4);
RDATA_FIELD_DECLARE(field_ipv6);
RDATA_FIELD_DECLARE(field_string);
RDATA_FIELD_DECLARE(field_strings);
RDATA_FIELD_DECLARE(field_text);
RDATA_FIELD_DECLARE(field_tag);
RDATA_FIELD_DECLARE(field_date);
RDATA_FIELD_DECLARE(field_type);
RDATA_FIELD_DECLARE(field_cert_type);
RDATA_FIELD_DECLARE(field_algorithm);
RDATA_FIELD_DECLARE(field_bitmap);
RDATA_FIELD_DECLARE(field_base64);
RDATA_FIELD_DECLARE(field_hex);
RDATA_FIELD_DECLARE(field_salt);
RDATA_FIELD_DECLARE(field_hash32);
RDATA_FIELD_DECLARE(field_eui48);
RDATA_FIELD_DECLARE(field_eui64);
RDATA_FIELD_DECLARE(field_node64);
RDATA_FIELD_DECLARE(field_nsap);
RDATA_FIELD_DECLARE(field_loc);
RDATA_FIELD_DECLARE(field_apl);
RDATA_FIELD_DECLARE(field_svc);
RDATA_FIELD_DECLARE(field_gateway);
RDATA_FIELD_DECLARE(field_relay);
RDATA_FIELD_DECLARE(field_ports);
RDATA_FIELD_DECLARE(field_nxt);
RDATA_FIELD_DECLARE(field_atma);
RDATA_FIELD_DECLARE(field_a6);
RDATA_FIELD_DECLARE(field_hip);
RDATA_FIELD_DECLARE(field_names);
RDATA_FIELD_DECLARE(field_data);
RDATA_FIELD_DECLARE(field_u64);
RDATA_FIELD_DECLARE(field_scheme);

enum { RDATA_FIELD_TEXT_MAX = 512 }; /* of one word that is copied while it is read */

/* Says what should stand where the lexer is; always false. */
bool rdata_want(struct rdata_parser *p, const char *wanted);
/* Says a whole sentence; always false. */
bool rdata_say(struct rdata_parser *p, const char *sentence);
/* The next token is a word, else wanted is said. */
bool rdata_word(struct rdata_parser *p, const char *wanted);
/* Is there another token before the entry ends? It is given again. */
bool rdata_more(struct rdata_parser *p);
/* The last word as a decimal number up to max. */
bool word_number(const struct lexer *l, uint32_t max, uint32_t *ret);
/* The next token as a decimal number up to max, else wanted is said. */
bool rdata_number(struct rdata_parser *p, uint32_t max, const char *wanted, uint32_t *ret);
/* Numbers that have names; a list ends with the name NULL. */
struct rdata_mnemonic {
    const char *name;
    uint16_t number;
};
/* The next token as one of these names, or as a number up to max. */
bool rdata_mnemonic(struct rdata_parser *p, const struct rdata_mnemonic *m, uint32_t max,
                    const char *wanted, uint32_t *ret);
/* Parts of a word: a number with digits only. */
bool digits_number(const char *text, size_t length, uint32_t max, uint32_t *ret);
bool ipv4_read(const char *text, size_t length, uint8_t ret_bytes[static 4]);
bool ipv6_read(const char *text, size_t length, uint8_t ret_bytes[static 16]);
void ipv4_write(const uint8_t bytes[static 4], struct text *out);
void ipv6_write(const uint8_t bytes[static 16], struct text *out);
/* Bytes of data that has passed its check: they are there. */
static inline const uint8_t *reader_checked(struct reader *r, size_t size)
{
    const uint8_t *bytes = reader_take(r, size);
    invariant(bytes);
    return bytes;
}
/* "text" in quotes with escapes. */
void quoted_write(const uint8_t *data, size_t length, struct text *out);
void hex_write(const uint8_t *data, size_t length, struct text *out);
/* Appends the bytes of a text of hexadecimal digits; false where it is none. */
bool hex_read(const char *text, size_t length, struct writer *out);
/* Hex words to the end of the entry. */
bool hex_words_parse(struct rdata_parser *p, const char *wanted);
/* base64 to text, and back from one piece of text (whole groups of 4): false where it is not
 * base64. */
void base64_write(const uint8_t *data, size_t length, struct text *out);
bool base64_read(const char *text, size_t length, struct writer *out);
