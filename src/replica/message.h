/* What nodes say to one another, as bytes: libraft's messages, and requests with their answers.
 * Pure; any bytes are borne. */
#pragma once

#include "base/attr.h"
#include "base/bytes.h"
#include "base/text.h"
#include <raft.h>

enum {
    MESSAGE_MAX = 64 << 20,
    MESSAGE_ENTRIES_MAX = 1 << 16,
    MESSAGE_REQUEST_MAX = 256 << 10,
    MESSAGE_SENTENCE_MAX = 32 << 10,
};

/* ---- libraft's ---- */

void message_put(const struct raft_message *m, struct text *out);
/* 0 and *ret without its server_id and server_address, its memory raft_malloc()'s and libraft's to
 * take; or ERR_INVALID. */
must_check int message_take(struct bytes data, struct raft_message *ret);

/* Nobody takes it. */
void message_drop(struct raft_message *m);

/* ---- requests ---- */

enum request_kind {
    REQUEST_ASK = 1, /* carry this out: number, bytes, and the term in which you lead */
    REQUEST_DONE,    /* it was: number, err, sentence, and the index of the log where it stands */
    REQUEST_NOT,     /* it was not, and will not be by us: we do not lead (any more) */
    REQUEST_MAYBE,   /* we do not know */
    REQUEST_LOST,    /* what I had is damaged: may I begin anew? (replica_lost.c) */
    REQUEST_ANEW,    /* you may, you count for nothing any more: the number of that question */
};

struct request_frame {
    enum request_kind kind;
    uint64_t number; /* the asker's own, of this attempt */
    int err;
    uint64_t index;    /* ASK: the term */
    struct bytes data; /* the request, or the sentence; not owned */
};
void request_put(const struct request_frame *f, struct text *out);
must_check int request_take(struct bytes data, struct request_frame *ret);

/* ---- what an entry of the log carries ---- */

/* Several requests that were under way together, each with the time it was taken at. */
struct batch_item {
    int64_t wall_ms;
    struct bytes data; /* not owned */
};
void batch_put(const struct batch_item *items, unsigned count, struct text *out);
/* The next item: 1, 0 at the end, ERR_INVALID. `position` begins with 0. */
must_check int batch_take(struct bytes data, size_t *position, struct batch_item *ret);
