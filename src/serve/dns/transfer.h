/* Zone transfers out (RFC 5936, RFC 1995): who may have what, and the stream of messages.
 *
 *   asked --transfer_wish()--> refused, or which files --(shell maps them)--> transfer_new()
 *     --transfer_step() until TRANSFER_END--> transfer_free()
 *
 * A stream holds files of its own, so that a new plan need not wait for a slow secondary, and makes
 * one message at a time: memory is bounded by TRANSFER_BUFFER a stream, and the work of a step by
 * TRANSFER_STEP_RECORDS. Pure: the clock's time comes with each step. */
#pragma once

#include "model/zone_cursor.h"
#include "serve/dns/query.h"
#include "wire/tsig.h"

enum {
    TRANSFER_MESSAGE = 16 << 10, /* bytes of a message, more for one record that needs it: all of
                                    it can be pointed at by compression */
    TRANSFER_FRAME = 2,
    TRANSFER_BUFFER = TRANSFER_FRAME + DNS_MESSAGE_MAX,
    TRANSFER_STEP_RECORDS = 20000, /* looked at in one step: some milliseconds */
    TRANSFER_NAMES = 1024,         /* a power of two: names of a message that others point at */
};

/* What a client is to get. */
struct transfer_wish {
    enum { TRANSFER_NONE, TRANSFER_CURRENT, TRANSFER_WHOLE, TRANSFER_DIFFERENCE } kind;
    enum dns_rcode rcode; /* TRANSFER_NONE */
    uint64_t hash, old;   /* of PLAN_FILE_ZONE; old: TRANSFER_DIFFERENCE */
    struct tsig_session tsig;
    struct tsig_key key; /* tsig.key points here, or is NULL */
};

/* Fills all but tsig and key. key: number of the key that signed the request, or -1. */
void transfer_wish(const struct query *q, const struct ip *client, int64_t key,
                   struct transfer_wish *ret);

struct transfer;
/* zone and old (TRANSFER_DIFFERENCE, else NULL) view memory that outlives the stream. wish.tsig is
 * taken over. q: an AXFR or IXFR question. */
struct transfer *transfer_new(const struct query *q, const struct query_context *ctx,
                              const struct transfer_wish *wish, const struct zone *zone,
                              const struct zone *old) __attribute__((returns_nonnull));
void transfer_free(struct transfer *t);

enum transfer_state { TRANSFER_WORKING, TRANSFER_MESSAGE_READY, TRANSFER_END };
/* MESSAGE_READY: *ret is the next message with its length before it; it stays until the next step.
 * now: seconds since 1970. */
enum transfer_state transfer_step(struct transfer *t, uint64_t now, struct bytes *ret);
