#include "model/told.h"

#include "base/hash.h"
#include "base/invariant.h"
#include "base/memory.h"
#include <stdlib.h>
#include <string.h>

/* Whoever shares one has it read-only; the last one of a memory that is alone is written on. */
struct told_chunk {
    uint32_t references, count;
    uint64_t hashes[TOLD_CHUNK]; /* of the tokens: one line of memory is eight of them */
    struct told_one *list[TOLD_CHUNK];
};

static void one_unref(struct told_one *t)
{
    if (--t->references)
        return;
    free(t->token);
    free(t->sentence);
    free(t);
}

static void chunk_unref(struct told_chunk *c)
{
    if (--c->references)
        return;
    for (uint32_t i = 0; i < c->count; i++)
        one_unref(c->list[i]);
    free(c);
}

struct told told_share(const struct told *told)
{
    struct told copy = *told;
    copy.chunks = mem_new(told->chunk_count + (size_t)1, sizeof(struct told_chunk *));
    for (uint32_t i = 0; i < told->chunk_count; i++) {
        copy.chunks[i] = told->chunks[i];
        copy.chunks[i]->references++;
    }
    return copy;
}

void told_done(struct told *told)
{
    for (uint32_t i = 0; i < told->chunk_count; i++)
        chunk_unref(told->chunks[i]);
    free(told->chunks);
    *told = (struct told){0};
}

const struct told_one *told_at(const struct told *told, uint32_t index)
{
    invariant(index < told->count);
    uint32_t at = told->first + index;
    return told->chunks[at / TOLD_CHUNK]->list[at % TOLD_CHUNK];
}

const struct told_one *told_find(const struct told *told, const char *token)
{
    uint64_t hash = token ? hash64(token, strlen(token)) : 0;
    for (uint32_t k = token ? told->chunk_count : 0; k-- > 0;) {
        const struct told_chunk *c = told->chunks[k];
        for (uint32_t i = c->count; i-- > (k ? 0 : told->first);)
            if (c->hashes[i] == hash && !strcmp(c->list[i]->token, token))
                return c->list[i];
    }
    return NULL;
}

static void oldest_forget(struct told *told)
{
    told->count--;
    if (++told->first < TOLD_CHUNK)
        return;
    chunk_unref(told->chunks[0]);
    memmove(told->chunks, told->chunks + 1, --told->chunk_count * sizeof(struct told_chunk *));
    told->first = 0;
}

/* A chunk with room that nobody else sees. */
static struct told_chunk *chunk_open(struct told *told)
{
    struct told_chunk *last = told->chunk_count ? told->chunks[told->chunk_count - 1] : NULL;
    if (last && last->count < TOLD_CHUNK && last->references == 1)
        return last;
    struct told_chunk *c = mem_new(1, sizeof *c);
    if (last && last->count < TOLD_CHUNK) {
        memcpy(c, last, sizeof *c);
        for (uint32_t i = 0; i < c->count; i++)
            c->list[i]->references++;
        chunk_unref(last);
        told->chunk_count--;
    }
    c->references = 1;
    told->chunks =
        mem_resize(told->chunks, told->chunk_count + (size_t)2, sizeof(struct told_chunk *));
    told->chunks[told->chunk_count++] = c;
    return c;
}

/* Never within a character. */
static char *sentence_cut(const char *sentence)
{
    size_t length = strlen(sentence);
    while (length > TOLD_SENTENCE_MAX || (sentence[length] & 0xc0) == 0x80)
        length--;
    char *cut = mem_new(length + 1, 1);
    memcpy(cut, sentence, length);
    return cut;
}

void told_add(struct told *told, const char *token, uint64_t version, int err, const char *sentence,
              int64_t wall_ms)
{
    invariant((sentence == NULL) == (version != 0) && !(version && err));
    int64_t newest = told->count ? told_at(told, told->count - 1)->wall_ms : wall_ms;
    struct told_one *t = mem_new(1, sizeof *t);
    *t = (struct told_one){.references = 1,
                           .version = version,
                           .err = err,
                           .sentence = sentence ? sentence_cut(sentence) : NULL,
                           .wall_ms = wall_ms > newest ? wall_ms : newest,
                           .token = mem_string(token)};
    while (told->count >= TOLD_MIN && told_at(told, 0)->wall_ms + TOLD_FOR_MS < t->wall_ms)
        oldest_forget(told);
    if (told->count == TOLD_MAX) {
        told->forgotten++;
        oldest_forget(told);
    }
    struct told_chunk *c = chunk_open(told);
    c->hashes[c->count] = hash64(token, strlen(token));
    c->list[c->count++] = t;
    told->count++;
}
