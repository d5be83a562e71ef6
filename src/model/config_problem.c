#include "model/config_problem.h"

#include "base/invariant.h"
#include "base/memory.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROBLEMS_ROOM = 2 * CONFIG_PROBLEMS_MAX, SENTENCE_MAX = 600 };

struct problems problems_init(const char *path, const struct config_parts *parts)
{
    return (struct problems){.path = path, .parts = parts};
}

void problems_done(struct problems *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->items[i].sentence);
    free(p->items);
    *p = problems_init(p->path, p->parts);
}

static int problem_compare(const void *a, const void *b)
{
    const struct problem *x = a, *y = b;
    if (x->place.part != y->place.part)
        return x->place.part < y->place.part ? -1 : 1;
    if (x->place.line != y->place.line)
        return x->place.line < y->place.line ? -1 : 1;
    if (x->place.column != y->place.column)
        return x->place.column < y->place.column ? -1 : 1;
    return strcmp(x->sentence, y->sentence);
}

/* Sorts, drops what was said twice (an alias is read once per use), and keeps the first ones. */
static void problems_settle(struct problems *p)
{
    if (!p->count)
        return;
    qsort(p->items, p->count, sizeof *p->items, problem_compare);
    size_t kept = 0;
    for (size_t i = 0; i < p->count; i++) {
        bool again = kept > 0 && problem_compare(&p->items[kept - 1], &p->items[i]) == 0;
        if (again)
            p->total--;
        if (again || kept == CONFIG_PROBLEMS_MAX)
            free(p->items[i].sentence);
        else
            p->items[kept++] = p->items[i];
    }
    p->count = kept;
}

void problem_add(struct problems *p, struct config_place place, const char *format, ...)
{
    char sentence[SENTENCE_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (!p->items)
        p->items = mem_new(PROBLEMS_ROOM, sizeof *p->items);
    if (p->count == PROBLEMS_ROOM)
        problems_settle(p);
    p->items[p->count++] = (struct problem){.place = place, .sentence = mem_string(sentence)};
    p->total++;
}

/* NULL: the place is in the file. */
static const struct config_part *part_of(const struct problems *p, struct config_place place)
{
    if (!place.part)
        return NULL;
    invariant(p->parts && place.part <= p->parts->count);
    return &p->parts->list[place.part - 1];
}

struct place_words place_words(const struct problems *p, struct config_place place)
{
    const struct config_part *part = part_of(p, place);
    struct place_words w;
    if (part)
        snprintf(w.text, sizeof w.text, "the shared %s %.255s", part_kind_name(part->kind),
                 part->name);
    else
        snprintf(w.text, sizeof w.text, "line %u", place.line);
    return w;
}

static void problem_write(const struct problems *p, const struct problem *b, struct text *out)
{
    const struct config_part *part = part_of(p, b->place);
    if (part)
        text_appendf(out, "shared %s %s", part_kind_name(part->kind), part->name);
    else
        text_append(out, p->path);
    text_appendf(out, ":%u:%u: %s\n", b->place.line, b->place.column, b->sentence);
}

void problems_write(struct problems *p, struct text *out)
{
    problems_settle(p);
    for (size_t i = 0; i < p->count; i++)
        problem_write(p, &p->items[i], out);
    uint64_t rest = p->total - p->count;
    if (rest)
        text_appendf(out, "%s: %llu more problem%s not shown; these are the first %d\n", p->path,
                     (unsigned long long)rest, rest == 1 ? " is" : "s are", CONFIG_PROBLEMS_MAX);
}

struct quote quote(const char *word)
{
    struct quote q;
    size_t n = 0, room = sizeof q.text - 6; /* quotes, dots, NUL */
    q.text[n++] = '"';
    while (*word && n < room) {
        unsigned char c = (unsigned char)*word++;
        q.text[n++] = c < 0x20 || c == 0x7f ? '?' : (char)c;
    }
    /* never cut inside a UTF-8 sequence */
    while (*word && n > 1 && ((unsigned char)*word & 0xc0) == 0x80) {
        word--;
        n--;
    }
    if (*word)
        for (unsigned i = 0; i < 3; i++)
            q.text[n++] = '.';
    q.text[n++] = '"';
    q.text[n] = 0;
    return q;
}

struct suggestion suggestion_init(const char *wrong)
{
    size_t length = strlen(wrong);
    unsigned worst = length < 3 ? 1 : length < 6 ? 2 : 3;
    return (struct suggestion){.wrong = wrong, .distance = worst + 1};
}

void suggestion_offer(struct suggestion *s, const char *candidate)
{
    size_t a = strlen(s->wrong), b = strlen(candidate);
    size_t apart = a > b ? a - b : b - a;
    if (apart >= s->distance || b <= 1)
        return;
    unsigned d = text_distance(s->wrong, candidate);
    if (d < s->distance && d < b) {
        s->distance = d;
        s->best = candidate;
    }
}

struct quote_long suggestion_text(const struct suggestion *s, const char *otherwise)
{
    struct quote_long q;
    if (s->best)
        snprintf(q.text, sizeof q.text, "did you mean %s?", quote(s->best).text);
    else
        snprintf(q.text, sizeof q.text, "%s", otherwise);
    return q;
}
