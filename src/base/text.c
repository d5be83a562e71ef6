#include "base/text.h"

#include "base/err.h"
#include "base/invariant.h"
#include "base/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct text text_init(size_t max)
{
    return (struct text){.max = max};
}

void text_done(struct text *t)
{
    free(t->data);
    *t = text_init(t->max);
}

void text_reset(struct text *t)
{
    t->length = 0;
    t->failed = false;
    if (t->data)
        t->data[0] = '\0';
}

void text_cut(struct text *t, size_t length)
{
    invariant(length <= t->length);
    t->length = length;
    if (t->data)
        t->data[length] = 0;
}

/* Makes room for `more` bytes and the NUL; false (and failed) past max or without memory. */
static bool text_room(struct text *t, size_t more)
{
    enum { SIZE_FIRST = 64 };
    if (t->failed || more > t->max - t->length || t->length + more == SIZE_MAX) {
        t->failed = true;
        return false;
    }
    size_t need = t->length + more + 1;
    if (need <= t->size)
        return true;
    size_t size = t->size > SIZE_MAX / 2 ? need : t->size * 2;
    if (size < SIZE_FIRST)
        size = SIZE_FIRST;
    if (size < need)
        size = need;
    if (t->max < size - 1)
        size = t->max + 1;
    char *data = mem_try_resize(t->data, size, 1);
    if (!data) {
        t->failed = true;
        return false;
    }
    t->data = data;
    t->size = size;
    return true;
}

void text_append_bytes(struct text *t, const void *data, size_t length)
{
    if (!text_room(t, length))
        return;
    if (length)
        memcpy(t->data + t->length, data, length);
    t->length += length;
    t->data[t->length] = '\0';
}

void text_append(struct text *t, const char *string)
{
    text_append_bytes(t, string, strlen(string));
}

void text_vappendf(struct text *t, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    if (length < 0)
        t->failed = true;
    else if (text_room(t, (size_t)length)) {
        vsnprintf(t->data + t->length, (size_t)length + 1, format, again);
        t->length += (size_t)length;
    }
    va_end(again);
}

void text_appendf(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    text_vappendf(t, format, args);
    va_end(args);
}

const char *text_string(const struct text *t)
{
    return t->data ? t->data : "";
}

/* Bytes of the well-formed UTF-8 sequence at s (Unicode 15, table 3-7), 0 where there is none. */
static size_t utf8_length(const uint8_t *s, size_t left)
{
    uint8_t low = 0x80, high = 0xbf;
    size_t length;
    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        length = 2;
    else if (s[0] >= 0xe0 && s[0] <= 0xef)
        length = 3;
    else if (s[0] >= 0xf0 && s[0] <= 0xf4)
        length = 4;
    else
        return 0;
    if (s[0] == 0xe0)
        low = 0xa0;
    else if (s[0] == 0xed)
        high = 0x9f; /* no surrogates */
    else if (s[0] == 0xf0)
        low = 0x90;
    else if (s[0] == 0xf4)
        high = 0x8f; /* nothing past U+10FFFF */
    if (left < length || s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < length; i++)
        if (s[i] < 0x80 || s[i] > 0xbf)
            return 0;
    return length;
}

static void append_json_byte(struct text *t, uint8_t c)
{
    static const char named[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
                                 ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\'};
    if (c < sizeof named && named[c])
        text_append_bytes(t, (char[]){'\\', named[c]}, 2);
    else if (c < 0x20 || c == 0x7f)
        text_appendf(t, "\\u%04x", c);
    else
        text_append_bytes(t, &c, 1);
}

void text_append_json(struct text *t, const char *string, size_t length)
{
    const uint8_t *s = (const uint8_t *)string;
    text_append(t, "\"");
    for (size_t i = 0; i < length;) {
        size_t n = utf8_length(s + i, length - i);
        if (n == 1)
            append_json_byte(t, s[i]);
        else if (n)
            text_append_bytes(t, s + i, n);
        else
            text_append(t, "\xef\xbf\xbd");
        i += n ? n : 1;
    }
    text_append(t, "\"");
}

static const struct unit {
    const char *name;
    usec_t us;
} units[] = {
    {"us", 1},           {"ms", USEC_PER_MSEC}, {"s", USEC_PER_SEC},
    {"m", USEC_PER_MIN}, {"h", USEC_PER_HOUR},  {"d", USEC_PER_DAY},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const struct unit *unit_find(const char *name)
{
    for (size_t i = 0; i < array_length(units); i++)
        if (!strcmp(units[i].name, name))
            return &units[i];
    return NULL;
}

int duration_parse(const char *string, usec_t *ret_us)
{
    enum { DAYS_MAX = 3650, FRACTION_MAX = 6 };
    const char *s = string;
    if (!is_digit(*s))
        return ERR_SYNTAX;
    int64_t whole = 0, fraction = 0, scale = 1;
    bool huge = false;
    for (; is_digit(*s); s++) {
        huge |= __builtin_mul_overflow(whole, 10, &whole);
        huge |= __builtin_add_overflow(whole, *s - '0', &whole);
    }
    if (*s == '.') {
        if (!is_digit(*++s))
            return ERR_SYNTAX;
        for (unsigned digits = 0; is_digit(*s); s++, digits++) {
            if (digits == FRACTION_MAX)
                return ERR_SYNTAX;
            fraction = fraction * 10 + (*s - '0');
            scale *= 10;
        }
    }
    const struct unit *unit = unit_find(s);
    if (!unit)
        return ERR_SYNTAX;
    const int64_t max = DAYS_MAX * USEC_PER_DAY;
    if (huge || whole > max / unit->us)
        return ERR_INVALID;
    int64_t part = fraction * unit->us; /* at most 1e6 x 86.4e9: fits */
    if (part % scale) /* finer than a microsecond: would be silently another duration */
        return ERR_INVALID;
    int64_t us = whole * unit->us + part / scale;
    if (us > max)
        return ERR_INVALID;
    *ret_us = us;
    return 0;
}

/* Writes us in this unit rounded to three digits without trailing zeros; 0 where that is under one
 * or over 999 of the unit, else the length. */
static int format_in_unit(usec_t us, const struct unit *unit, char buffer[static DURATION_TEXT_MAX])
{
    static const int powers[] = {1, 10, 100};
    int digits = 2;
    int64_t n = 0;
    for (; digits >= 0; digits--) {
        n = (us * powers[digits] + unit->us / 2) / unit->us;
        if (n < 1000)
            break;
    }
    if (digits < 0 || n < powers[digits])
        return 0;
    for (; digits > 0 && n % 10 == 0; digits--)
        n /= 10;
    int whole = (int)(n / powers[digits]), part = (int)(n % powers[digits]);
    if (digits == 0)
        return snprintf(buffer, DURATION_TEXT_MAX, "%d%s", whole, unit->name);
    return snprintf(buffer, DURATION_TEXT_MAX, "%d.%0*d%s", whole, digits, part, unit->name);
}

char *duration_format(usec_t us, char buffer[static DURATION_TEXT_MAX])
{
    if (us == USEC_NEVER || us == INT64_MIN) {
        snprintf(buffer, DURATION_TEXT_MAX, "never");
        return buffer;
    }
    char sign[2] = {us < 0 ? '-' : '\0'};
    usec_t size = us < 0 ? -us : us;
    char best[DURATION_TEXT_MAX] = "0s";
    int shortest = size ? DURATION_TEXT_MAX : 0;
    if (size >= 999 * USEC_PER_DAY) {
        shortest = 0;
        snprintf(best, sizeof best, "%lldd", (long long)(size / USEC_PER_DAY));
    }
    /* From the smallest unit up, so that of two equally short ones the larger unit is taken. */
    for (size_t i = 0; i < array_length(units) && shortest; i++) {
        char candidate[DURATION_TEXT_MAX];
        int length = format_in_unit(size, &units[i], candidate);
        if (length && length <= shortest) {
            shortest = length;
            memcpy(best, candidate, sizeof best);
        }
    }
    snprintf(buffer, DURATION_TEXT_MAX, "%s%.22s", sign, best);
    return buffer;
}

int integer_parse(const char *string, int64_t min, int64_t max, int64_t *ret)
{
    const char *s = string;
    bool negative = min < 0 && *s == '-';
    s += negative;
    if (!is_digit(*s))
        return ERR_SYNTAX;
    int64_t n = 0;
    bool huge = false;
    for (; is_digit(*s); s++) {
        int digit = *s - '0';
        huge |= __builtin_mul_overflow(n, 10, &n);
        huge |= __builtin_add_overflow(n, negative ? -digit : digit, &n);
    }
    if (*s)
        return ERR_SYNTAX;
    if (huge || n < min || n > max)
        return ERR_INVALID;
    *ret = n;
    return 0;
}

static unsigned smaller(unsigned a, unsigned b)
{
    return a < b ? a : b;
}

unsigned text_distance(const char *a, const char *b)
{
    enum { WORD_MAX = 64 };
    size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length > WORD_MAX || b_length > WORD_MAX)
        return WORD_MAX;
    /* One row of the table at a time: row[j] is the distance of a's first i letters to b's first j.
     */
    unsigned row[WORD_MAX + 1];
    for (size_t j = 0; j <= b_length; j++)
        row[j] = (unsigned)j;
    for (size_t i = 1; i <= a_length; i++) {
        unsigned diagonal = row[0];
        row[0] = (unsigned)i;
        for (size_t j = 1; j <= b_length; j++) {
            unsigned swap = diagonal + (a[i - 1] != b[j - 1]);
            diagonal = row[j];
            row[j] = smaller(swap, smaller(row[j], row[j - 1]) + 1);
        }
    }
    return row[b_length];
}
