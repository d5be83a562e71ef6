/* NOTIFY: telling secondaries that a zone changed (RFC 1996). What is sent, what answers it, and
 * when to say it again. */
#pragma once

#include "base/attr.h"
#include "base/random.h"
#include "base/time.h"
#include "wire/tsig.h"
#include <stdbool.h>

enum {
    NOTIFY_ATTEMPTS = 6, /* 1 + 2 + 4 + ... seconds apart: a minute; then the secondary's own
                            refresh has to do (RFC 1996 3.6) */
    NOTIFY_SIZE_MAX = 12 + 255 + 4 + TSIG_SIZE_MAX,
};

/* Writes the message for a zone (lower wire form), signed where s->key is set. Its length. */
must_check int notify_write(uint16_t id, const uint8_t *zone, struct tsig_session *s, uint64_t wall,
                            uint8_t ret[static NOTIFY_SIZE_MAX]);
/* Does this datagram answer the message? Then *ret_rcode says how. s: as notify_write left it. */
must_check bool notify_answered(const uint8_t *wire, size_t length, uint16_t id,
                                struct tsig_session *s, uint64_t wall, unsigned *ret_rcode);
/* Somebody else's message: the serial that it says the zone has now (RFC 1996 3.7). False: it says
 * none. It is a hint, whoever sent it: a primary is asked before anything is believed. */
must_check bool notify_serial(const uint8_t *wire, size_t length, const uint8_t *zone,
                              uint32_t *ret_serial);
/* How long to wait for the answer to attempt number `attempt` (from 0), with jitter (L7). */
usec_t notify_wait(unsigned attempt, struct random *random);
