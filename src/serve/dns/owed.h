/* Answers that are still to come: from a token to the stream that waits for one. Pure; one
 * thread's.
 *
 * A token is given out once in the life of a process, so that an answer that comes after its stream
 * has died, or too late, finds nothing. */
#pragma once

#include "base/attr.h"
#include "base/time.h"

enum { OWED_MAX = 256 /* at once in a thread; a power of two */ };

struct stream;

struct owed {
    uint64_t last; /* token given out */
    unsigned count;
    struct {
        uint64_t token; /* 0: free */
        struct stream *stream;
        usec_t until;
    } slots[OWED_MAX];
};

/* A token, or 0: too many are owed. */
uint64_t owed_add(struct owed *o, struct stream *stream, usec_t until);
/* Who waits, no more from now on; NULL: nobody. */
struct stream *owed_take(struct owed *o, uint64_t token);
/* The same for any that has waited until `now`. */
struct stream *owed_late(struct owed *o, usec_t now);
/* The stream is gone. */
void owed_forget(struct owed *o, const struct stream *stream);
