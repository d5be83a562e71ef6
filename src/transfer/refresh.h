/* Which version of a zone does a primary have? The question for its SOA (RFC 1034 4.3.5). Pure. */
#pragma once

#include "base/attr.h"
#include "wire/tsig.h"
#include <stdbool.h>

enum { REFRESH_SIZE_MAX = 12 + 255 + 4 + TSIG_SIZE_MAX };

/* Writes the question for a zone (lower wire form), signed where s->key is set. Its length. */
must_check int refresh_write(uint16_t id, const uint8_t *zone, struct tsig_session *s,
                             uint64_t wall, uint8_t ret_wire[static REFRESH_SIZE_MAX]);
/* Does this datagram answer the question? ERR_MISSING: no, wait on (s is as it was). 0 and the
 * serial; ERR_REFUSED (an error, or not the zone's server), ERR_TRUNCATED (TC) and others: this is
 * the answer, and it says nothing. */
must_check int refresh_answered(const uint8_t *wire, size_t length, uint16_t id,
                                const uint8_t *zone, struct tsig_session *s, uint64_t wall,
                                uint32_t *ret_serial);
