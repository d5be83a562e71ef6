/* The tokens of RFC 1035 master files (5.1): words, quoted strings and ends of entries, straight
 * from the text and without copies. Parentheses and comments never come out. */
#pragma once

#include "base/attr.h"
#include "base/bytes.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum token {
    TOKEN_WORD,    /* word, word_length; escapes not yet taken out */
    TOKEN_QUOTED,  /* the same, without the quotes */
    TOKEN_NEWLINE, /* the entry ends */
    TOKEN_END,     /* the text ends; at the end of an entry */
    TOKEN_BAD,     /* `problem` says why, `word` where */
};

struct lexer {
    const char *start, *at, *end;
    uint32_t line;    /* of `at`, from 1 */
    unsigned depth;   /* open parentheses */
    const char *open; /* the first of them */

    enum token token; /* the last one given */
    bool again;       /* lexer_next gives it once more */
    bool escaped;     /* the word holds a backslash */
    const char *word; /* for TOKEN_NEWLINE and TOKEN_END: where the entry ended */
    size_t word_length;
    const char *problem; /* a sentence, static */
};

/* Starts before the first byte; the text must outlive the lexer and needs no NUL. */
struct lexer lexer_init(const char *text, size_t length);
enum token lexer_next(struct lexer *l);
/* The next lexer_next gives the last token again. */
static inline void lexer_again(struct lexer *l)
{
    l->again = true;
}
/* Passes the end of the entry, from wherever a problem left things. A parenthesis that is never
 * closed is given up at the end of the line of the problem, so that one slip does not hide the rest
 * of the file: then true, and `open` is where it opened. */
bool lexer_skip_entry(struct lexer *l);
/* Line and column (in bytes), both from 1, of a place in the text. Slow: for messages. */
void lexer_position(const struct lexer *l, const char *at, uint32_t *ret_line,
                    uint32_t *ret_column);
/* The word, its escapes taken out, into out[0..size): its length, or ERR_SYNTAX, ERR_LIMIT. */
must_check int lexer_unescape(const struct lexer *l, uint8_t *out, size_t size);
/* Is the word (a TOKEN_WORD) these letters, in any case? */
pure_function bool lexer_is(const struct lexer *l, const char *word);
