/* A growable text buffer that is told its maximum when it is made, and parsing of short values. */
#pragma once

#include "base/attr.h"
#include "base/time.h"
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Always NUL-terminated once something was appended. Past `max` bytes, or without memory, `failed`
 * is set and stays; what was there before stays readable. */
struct text {
    char *data;    /* owned; NULL while empty */
    size_t length; /* bytes, without the NUL */
    size_t size;   /* bytes allocated */
    size_t max;    /* most bytes `length` may reach */
    bool failed;
};

struct text text_init(size_t max);
void text_done(struct text *t);               /* frees; the text is empty again with the same max */
void text_reset(struct text *t);              /* empty again, keeping the memory */
void text_cut(struct text *t, size_t length); /* back to its first bytes */
void text_append(struct text *t, const char *string);
void text_append_bytes(struct text *t, const void *data, size_t length);
void text_appendf(struct text *t, const char *format, ...) printf_like(2, 3);
void text_vappendf(struct text *t, const char *format, va_list args) printf_like(2, 0);
/* Appends `string` as a JSON string literal, with its quotes. Bytes that are not UTF-8 become
 * U+FFFD. */
void text_append_json(struct text *t, const char *string, size_t length);
/* The text, or "" while empty; owned by t. */
const char *text_string(const struct text *t);

/* "250ms", "5s", "2m", "1h", "1d", "1500us" -> microseconds; a bare number is an error
 * (ERR_SYNTAX). A decimal fraction is allowed ("1.5s"). Range 0..3650d. ret_ untouched on failure.
 */
must_check int duration_parse(const char *string, usec_t *ret_us);
/* The shortest of the same forms that says it to three digits: "250ms", "1.2s", "3m", "2h"; returns
 * buffer. */
enum { DURATION_TEXT_MAX = 24 };
char *duration_format(usec_t us, char buffer[static DURATION_TEXT_MAX]);

/* Whole decimal number in [min, max], no sign unless min < 0, nothing after it: 0 or
 * ERR_SYNTAX/ERR_INVALID. */
must_check int integer_parse(const char *string, int64_t min, int64_t max, int64_t *ret);

/* How like two words are: the number of single-letter edits from a to b (Levenshtein), for "did you
 * mean". Words over 64 bytes count as far apart (64). */
unsigned text_distance(const char *a, const char *b);
