/* The memory of requests: what became of those that had a token, so that one that is sent again is
 * told what the first was, and changes nothing twice. It goes with the intent: in the same order on
 * every node, in snapshots and files.
 *
 * Every outcome is remembered for TOLD_FOR_MS of agreed time, and the newest TOLD_MIN of them
 * however old they are. Beyond TOLD_MAX the oldest are forgotten before their time, and counted: a
 * retry that comes later than that is a new request. A token and its outcome take about 150 bytes
 * where a change was made and 450 at most: 5 to 14 MB when all is full, which takes 36 requests a
 * second for a quarter of an hour.
 *
 * Values; sharing costs a pointer for each TOLD_CHUNK outcomes. */
#pragma once

#include "base/attr.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    TOLD_MIN = 1000,
    TOLD_MAX = 32768,
    TOLD_FOR_MS = 15 * 60 * 1000,
    TOLD_CHUNK = 128,
    TOLD_SENTENCE_MAX = 300, /* bytes */
};

/* One outcome; never changed, shared. */
struct told_one {
    uint32_t references;
    uint64_t version; /* of the change that was made; 0: nothing was changed, and */
    int err;          /* 0 = nothing was to be changed; else why not: of base/err.h's own */
    char *sentence;   /* NULL where a change was made; cut after TOLD_SENTENCE_MAX bytes */
    int64_t wall_ms;  /* since 1970, agreed; none lies before the one told earlier */
    char *token;
};

struct told_chunk;
struct told {
    struct told_chunk **chunks;
    uint32_t chunk_count;
    uint32_t first;     /* place in the first chunk of the oldest that is remembered */
    uint32_t count;     /* that are remembered */
    uint64_t forgotten; /* before their time, ever */
};

struct told told_share(const struct told *told);
void told_done(struct told *told);
/* NULL: it is not remembered, or the token is NULL. */
pure_function const struct told_one *told_find(const struct told *told, const char *token);
/* The oldest is 0. */
pure_function const struct told_one *told_at(const struct told *told, uint32_t index);
/* Remembers one more, which was not known, and forgets what has had its time. sentence: NULL where
 * version is not 0. */
void told_add(struct told *told, const char *token, uint64_t version, int err, const char *sentence,
              int64_t wall_ms);
