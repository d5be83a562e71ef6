/* Which serial a zone has next, by the operator's policy. Serials are numbers on a circle (RFC
 * 1982): "newer" is wire/serial.h's serial_newer().
 *
 * Whatever the policy: what changed gets a newer serial than what was served, and what did not
 * change keeps its own; so no secondary holds a version that it takes for another one. */
#pragma once

#include "base/attr.h"
#include <stdbool.h>
#include <stdint.h>

enum serial_policy {
    SERIAL_FILE,      /* the text's where that is newer, else one more */
    SERIAL_INCREMENT, /* one more; the text's counts for the first version only */
    SERIAL_UNIXTIME,  /* seconds since 1970 */
    SERIAL_DATE,      /* YYYYMMDDnn in UTC */
};
enum { SERIAL_POLICIES = 4 };

struct serial_facts {
    enum serial_policy policy;
    bool served;  /* a version was handed out before: `last` is its serial */
    bool changed; /* against that one, in more than the serial of the text */
    uint32_t last;
    uint32_t text; /* what the zone's source says */
    int64_t wall;  /* seconds since 1970, at most some thousand years */
};
/* Newer than `last` wherever something changed. Never 0 as the successor of another serial: some
 * servers take it for none. */
pure_function uint32_t serial_next(const struct serial_facts *f);
