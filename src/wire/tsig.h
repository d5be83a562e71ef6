/* TSIG: messages that carry a keyed hash of themselves and a time (RFC 8945). SHA-2 only.
 *
 * A session is one request and its reply, or the many messages of a zone transfer. It goes
 *
 *   REQUEST --(request signed or verified)--> FIRST --(reply signed or verified)--> LATER
 *
 * and every digest after the request's begins with the MAC before it (RFC 8945 4.3.3, 5.3.1).
 * Nothing here knows a clock: `now` is seconds since 1970. */
#pragma once

#include "base/attr.h"
#include "base/bytes.h"
#include "wire/dname.h"
#include <stdbool.h>
#include <stdint.h>

enum tsig_algorithm { TSIG_SHA224, TSIG_SHA256, TSIG_SHA384, TSIG_SHA512 };
enum { TSIG_ALGORITHMS = 4 };

enum {
    DNS_TSIG = 250,
    TSIG_SECRET_MAX = 128, /* bytes; longer ones hash to no more strength (RFC 2104 3) */
    TSIG_MAC_MAX = 64,
    TSIG_FUDGE_S = 300,     /* RFC 8945 10: recommended */
    TSIG_UNSIGNED_MAX = 99, /* messages of a stream without a TSIG in a row (RFC 8945 5.3.1) */
    TSIG_SIZE_MAX = 400,    /* bytes that tsig_sign() may append: 255 name, 26 data, 64 MAC... */
};

/* The extended error in a TSIG record; 0 = none (RFC 8945 3). */
enum tsig_error { TSIG_BADSIG = 16, TSIG_BADKEY = 17, TSIG_BADTIME = 18, TSIG_BADTRUNC = 22 };
enum { DNS_NOTAUTH = 9 }; /* the RCODE that goes with each of them */

struct tsig_key {
    uint8_t name[DNAME_MAX]; /* lower wire form */
    uint8_t algorithm;       /* enum tsig_algorithm */
    uint8_t secret_length;   /* > 0 */
    uint8_t secret[TSIG_SECRET_MAX];
};

/* Base64 -> secret: 0, ERR_SYNTAX, ERR_LIMIT (none, or over TSIG_SECRET_MAX bytes). */
must_check int tsig_secret_parse(const char *text, struct tsig_key *key);

/* The TSIG record at the end of a message; views the message. */
struct tsig {
    size_t offset;                /* where the record begins: what lies before is the message */
    uint8_t name[DNAME_MAX];      /* of the key, lower */
    uint8_t algorithm[DNAME_MAX]; /* lower */
    uint64_t time;                /* seconds since 1970, 48 bits */
    uint16_t fudge, original_id, error;
    struct bytes mac, other;
};

/* Finds it: 0; ERR_MISSING where there is none; ERR_SYNTAX or ERR_TRUNCATED for a message or a
 * record that is malformed, a TSIG that is not the last record, or two (RFC 8945 5.1: FORMERR). */
must_check int tsig_find(const uint8_t *wire, size_t length, struct tsig *ret);

struct tsig_session {
    const struct tsig_key *key; /* the caller's; NULL: nothing is signed */
    enum { TSIG_STATE_REQUEST, TSIG_STATE_FIRST, TSIG_STATE_LATER } state;
    uint8_t mac[TSIG_MAC_MAX]; /* the one before */
    uint8_t mac_length;
    uint8_t error;           /* enum tsig_error to be told in the reply, or 0 */
    uint64_t request_time;   /* of the request: what a BADTIME reply repeats */
    unsigned unsigned_count; /* messages since the last TSIG */
    void *running;           /* the digest over them */
};

/* Ends a session that verified a stream. */
void tsig_session_done(struct tsig_session *s);

/* Server: checks a request's record with the key of its name (NULL: unknown). 0, or the enum
 * tsig_error to answer with RCODE NOTAUTH; ERR_SYNTAX where the MAC's size makes it a FORMERR. The
 * session is then ready to sign the reply. */
must_check int tsig_request_verify(struct tsig_session *s, const struct tsig_key *key,
                                   const uint8_t *wire, const struct tsig *t, uint64_t now);

/* Appends the record to the message of `length` bytes in a buffer of `size` and counts it in the
 * header. A client's request, a server's reply, or the next message of its stream. The new length,
 * or ERR_LIMIT where there is no room; TSIG_SIZE_MAX bytes always suffice. */
must_check int tsig_sign(struct tsig_session *s, uint8_t *wire, size_t length, size_t size,
                         uint64_t now);

/* How many bytes tsig_sign() appends to a client's request. */
pure_function size_t tsig_request_size(const struct tsig_key *key);

/* Appends the record without a MAC that tells s->error (BADKEY, BADSIG), with the names
 * of the request's (RFC 8945 5.3.2). As tsig_sign; 600 bytes always suffice. */
must_check int tsig_refuse(const struct tsig_session *s, const struct tsig *t, uint8_t *wire,
                           size_t length, size_t size);

/* Client: checks a reply or the next message of a stream. 0 and *ret_length, the message's bytes
 * without the record (the header's count is the caller's to mind); ERR_MISSING where it should be
 * signed and is not; ERR_INVALID (the hash, the key or an error told by the server), ERR_OLDER (the
 * time). Messages in the middle of a stream may come without (0): what they say is only known to be
 * true when a signed one follows, so the last one has to be: tsig_stream_whole(). */
must_check int tsig_reply_verify(struct tsig_session *s, const uint8_t *wire, size_t length,
                                 uint64_t now, size_t *ret_length);
/* Was the newest message of the stream covered by a signature? */
static inline bool tsig_stream_whole(const struct tsig_session *s)
{
    return !s->key || (s->state == TSIG_STATE_LATER && !s->unsigned_count);
}
