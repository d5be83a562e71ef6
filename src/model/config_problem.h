/* The problems of one configuration file: collected in any order, written sorted by place. */
#pragma once

#include "base/attr.h"
#include "base/text.h"
#include "model/config.h"
#include <stddef.h>
#include <stdint.h>

struct problem {
    struct config_place place;
    char *sentence; /* owned */
};

/* Keeps the first CONFIG_PROBLEMS_MAX by place, whatever the order in which they are found, so that
 * a file of nothing but mistakes costs no more memory than one with a hundred. */
struct problems {
    const char *path;                 /* borrowed */
    const struct config_parts *parts; /* borrowed: the names of other places; or NULL */
    struct problem *items;
    size_t count;
    uint64_t total; /* found, those that are not kept included */
};

struct problems problems_init(const char *path, const struct config_parts *parts);
void problems_done(struct problems *p);
/* "what is wrong; what would be right", without a newline. */
void problem_add(struct problems *p, struct config_place place, const char *format, ...)
    printf_like(3, 4);
/* "line 12", or "the shared service api.example.com": for sentences about another place. */
struct place_words {
    char text[300];
};
struct place_words place_words(const struct problems *p, struct config_place place);
/* One line each, then how many more there are. */
void problems_write(struct problems *p, struct text *out);
/* Few enough so far that working out a suggestion is worth it. */
static inline bool problems_few(const struct problems *p)
{
    return p->total < CONFIG_PROBLEMS_MAX;
}

/* A word of the file made fit for a sentence: in double quotes, control characters and bytes that
 * are not ASCII text replaced, cut where it is long. Use: quote(word).text inside one expression.
 */
struct quote {
    char text[72];
};
struct quote quote(const char *word);

/* Finds the word most like a wrong one: offer every candidate, then take `best` (NULL: none is like
 * it). */
struct suggestion {
    const char *wrong, *best;
    unsigned distance;
};
struct suggestion suggestion_init(const char *wrong);
void suggestion_offer(struct suggestion *s, const char *candidate);
/* `did you mean "x"?`, or `otherwise` where nothing is like it. */
struct quote_long {
    char text[160];
};
struct quote_long suggestion_text(const struct suggestion *s, const char *otherwise);
