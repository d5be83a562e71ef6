/* A zone as it comes from a primary: the messages that answer AXFR and IXFR (RFC 5936, RFC 1995,
 * RFC 8945 5.3.1, RFC 9103 for what the transport adds: nothing), read one by one.
 *
 *   FIRST --SOA--> SECOND --SOA of ours--> REMOVED <--SOA--> ADDED --SOA--> ENDED   differences
 *                     |---anything else--> WHOLE ------------------SOA--> ENDED     the whole zone
 *         --SOA that is not newer--------------------------------------> ENDED      nothing new
 *
 * An answer is believed as a whole or not at all: what was read is there for the caller once
 * inbound_message() gave 1, which means that it began and ended with the same SOA, that every name
 * lies in the zone, that serials lead from ours to the newest, and that the last message was signed
 * where a key was named. What a primary can make grow is bounded by the request's limits. */
#pragma once

#include "base/attr.h"
#include "wire/tsig.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    INBOUND_PAD = 128, /* questions are padded to multiples of this (RFC 8467 4.1) */
    INBOUND_REQUEST_MAX = 12 + 255 + 4 + 2 + 10 + 22 + 15 + TSIG_SIZE_MAX + INBOUND_PAD,
};

struct inbound_request {
    const uint8_t *zone; /* lower wire form */
    bool incremental;    /* IXFR, from: */
    uint32_t serial;
    uint16_t id;
    bool padded; /* over TLS: the lengths of question and answer are to tell little (RFC 9103) */
    const struct tsig_key *key; /* NULL: unsigned */
    uint64_t records_max;       /* that may come: of the zone, or of its differences */
    uint64_t bytes_max;         /* of all messages together; and of all records unpacked */
};

enum inbound_kind {
    INBOUND_CURRENT, /* the primary has nothing newer */
    INBOUND_WHOLE,   /* records of the whole zone, the SOA first and once */
    INBOUND_STEPS,   /* differences one after the other, each: the old SOA and others removed, the
                        new SOA and others added */
};

/* Views memory of the inbound. */
struct inbound_record {
    const uint8_t *owner; /* lower wire form */
    const uint8_t *rdata; /* canonical */
    uint32_t ttl;
    uint16_t type, rdata_length;
    bool removed; /* by this step; INBOUND_STEPS only */
};

struct inbound;
/* Copies what the request points to. */
struct inbound *inbound_new(const struct inbound_request *request) __attribute__((returns_nonnull));
void inbound_free(struct inbound *in); /* the key is wiped */
/* Writes the question and signs it; once. Its length. wall: seconds since 1970. */
must_check int inbound_ask(struct inbound *in, uint64_t wall,
                           uint8_t ret_wire[static INBOUND_REQUEST_MAX]);
/* The next message of the answer. 1: it was the last, all is well; 0: there are more to come;
 * ERR_REFUSED (the primary answers with an error), ERR_LIMIT, ERR_INVALID, ERR_SYNTAX,
 * ERR_TRUNCATED, ERR_OLDER (TSIG's time): there is no use in reading on. */
must_check int inbound_message(struct inbound *in, const uint8_t *wire, size_t length,
                               uint64_t wall);

/* Why it failed, a sentence without a period (static); NULL: it did not. */
pure_function const char *inbound_reason(const struct inbound *in);
/* What the primary answers, where it answers with an error; else 0. */
pure_function unsigned inbound_rcode(const struct inbound *in);

/* Once it ended well: */
pure_function enum inbound_kind inbound_kind(const struct inbound *in);
pure_function uint32_t inbound_serial(const struct inbound *in); /* the primary's newest */
pure_function uint64_t inbound_count(const struct inbound *in);  /* of records */
/* Walks the records: start with *position = 0; false at the end. */
bool inbound_next(const struct inbound *in, size_t *position, struct inbound_record *ret);
