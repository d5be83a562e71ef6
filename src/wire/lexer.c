#include "wire/lexer.h"
#include "base/err.h"
#include "base/invariant.h"
#include <strings.h>

/* What ends a word. Bytes that are not listed (0) belong to words, those over 127 too. */
enum { BLANK = 1, NEWLINE, COMMENT, OPEN, CLOSE, QUOTE, BACKSLASH, NUL };

static const uint8_t classes[256] = {
    ['\0'] = NUL,    [' '] = BLANK, ['\t'] = BLANK, ['\r'] = BLANK, ['\n'] = NEWLINE,
    [';'] = COMMENT, ['('] = OPEN,  [')'] = CLOSE,  ['"'] = QUOTE,  ['\\'] = BACKSLASH,
};

static uint8_t class_of(char c)
{
    return classes[(uint8_t)c];
}

struct lexer lexer_init(const char *text, size_t length)
{
    struct lexer l = {.start = text, .at = text, .end = text + length, .line = 1};

    if (length >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        l.at += 3; /* a byte order mark, which some editors write */
    return l;
}

static enum token token_bad(struct lexer *l, const char *where, const char *problem)
{
    l->word = where;
    l->word_length = 0;
    l->problem = problem;
    return TOKEN_BAD;
}

static const char *line_end(const struct lexer *l, const char *at)
{
    const char *newline = memchr(at, '\n', (size_t)(l->end - at));
    return newline ? newline : l->end;
}

/* From the opening quote to behind the closing one, or NULL where the line ends first. */
static const char *quoted_end(struct lexer *l, const char *at)
{
    for (at++; at < l->end && *at != '\n' && *at; at++) {
        if (*at == '"')
            return at + 1;
        if (*at == '\\') {
            l->escaped = true;
            if (at + 1 < l->end && at[1] != '\n' && at[1])
                at++;
        }
    }
    return NULL;
}

static enum token quoted_read(struct lexer *l)
{
    const char *open = l->at, *end = quoted_end(l, open);

    if (!end)
        return token_bad(l, open, "this quoted string does not end on its line");
    l->word = open + 1;
    l->word_length = (size_t)(end - open) - 2;
    l->at = end;
    return TOKEN_QUOTED;
}

/* Words also hold a quoted part after '=': the key="value" of SVCB (RFC 9460 2.1). */
static enum token word_read(struct lexer *l)
{
    const char *at = l->at;

    l->word = at;
    for (;; at++) {
        while (at < l->end && !class_of(*at))
            at++;
        if (at == l->end)
            break;
        if (*at == '\\') {
            l->escaped = true;
            if (at + 1 == l->end || at[1] == '\n' || !at[1])
                return token_bad(l, at, "a backslash needs a character after it");
            at++;
        } else if (*at == '"' && at > l->word && at[-1] == '=') {
            const char *end = quoted_end(l, at);
            if (!end)
                return token_bad(l, at, "this quoted string does not end on its line");
            at = end - 1;
        } else {
            break;
        }
    }
    l->word_length = (size_t)(at - l->word);
    l->at = at;
    return TOKEN_WORD;
}

static enum token text_end(struct lexer *l)
{
    if (l->depth)
        return token_bad(l, l->open, "this parenthesis is never closed");
    l->word = l->at;
    l->word_length = 0;
    return TOKEN_END;
}

/* Returns whether the entry ends here. */
static bool newline_pass(struct lexer *l)
{
    l->word = l->at;
    l->word_length = 0;
    l->line++;
    l->at++;
    return l->depth == 0;
}

static enum token token_read(struct lexer *l)
{
    l->escaped = false;
    for (;;) {
        if (unlikely(l->at == l->end))
            return text_end(l);
        switch (class_of(*l->at)) {
        case 0:
        case BACKSLASH:
            return word_read(l);
        case BLANK:
            l->at++;
            break;
        case NEWLINE:
            if (newline_pass(l))
                return TOKEN_NEWLINE;
            break;
        case COMMENT:
            l->at = line_end(l, l->at);
            break;
        case OPEN:
            if (l->depth++ == 0)
                l->open = l->at;
            l->at++;
            break;
        case CLOSE:
            if (l->depth == 0)
                return token_bad(l, l->at, "this parenthesis was never opened");
            l->depth--;
            l->at++;
            break;
        case QUOTE:
            return quoted_read(l);
        default:
            return token_bad(l, l->at, "a NUL byte: this is not a text file");
        }
    }
}

enum token lexer_next(struct lexer *l)
{
    if (l->again) {
        l->again = false;
        return l->token;
    }
    invariant(l->at <= l->end);
    l->token = token_read(l);
    return l->token;
}

/* Passes the place that a bad token complains of, so that reading on makes progress. */
static void bad_pass(struct lexer *l)
{
    if (l->at == l->end)
        return;
    switch (class_of(*l->at)) {
    case QUOTE:
    case BACKSLASH:
    case 0:
        l->at = line_end(l, l->at);
        break;
    default:
        l->at++;
    }
}

/* A parenthesis stayed open to the end of the text: go on with the line after `from`. */
static void unclosed_leave(struct lexer *l, const char *from)
{
    uint32_t column;

    l->at = line_end(l, from);
    lexer_position(l, l->at, &l->line, &column);
    l->depth = 0;
    lexer_next(l);
}

bool lexer_skip_entry(struct lexer *l)
{
    const char *problem = l->word;
    bool unclosed = false;

    l->again = false;
    while (l->token != TOKEN_NEWLINE && l->token != TOKEN_END) {
        if (l->token == TOKEN_BAD && l->at == l->end) {
            invariant(l->depth > 0 && !unclosed);
            unclosed = true;
            unclosed_leave(l, problem);
            continue;
        }
        if (l->token == TOKEN_BAD)
            bad_pass(l);
        lexer_next(l);
    }
    return unclosed;
}

void lexer_position(const struct lexer *l, const char *at, uint32_t *ret_line, uint32_t *ret_column)
{
    uint32_t line = 1;
    const char *start = l->start;

    invariant(at >= l->start && at <= l->end);
    for (const char *n; (n = memchr(start, '\n', (size_t)(at - start))); start = n + 1)
        line++;
    *ret_line = line;
    *ret_column = (uint32_t)(at - start) + 1;
}

static bool digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

int lexer_unescape(const struct lexer *l, uint8_t *out, size_t size)
{
    const char *at = l->word, *end = at + l->word_length;
    size_t used = 0;

    for (; at < end; at++) {
        uint8_t byte = (uint8_t)*at;
        if (byte == '\\') {
            if (++at == end)
                return ERR_SYNTAX;
            byte = (uint8_t)*at;
            if (digit(*at)) {
                if (end - at < 3 || !digit(at[1]) || !digit(at[2]))
                    return ERR_SYNTAX;
                int value = (at[0] - '0') * 100 + (at[1] - '0') * 10 + (at[2] - '0');
                if (value > 255)
                    return ERR_SYNTAX;
                byte = (uint8_t)value;
                at += 2;
            }
        }
        if (used == size)
            return ERR_LIMIT;
        out[used++] = byte;
    }
    return (int)used;
}

bool lexer_is(const struct lexer *l, const char *word)
{
    return strlen(word) == l->word_length && strncasecmp(l->word, word, l->word_length) == 0;
}
