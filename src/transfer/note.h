/* What is remembered of a secondary zone beside its content: when a primary last confirmed it. */
#pragma once

#include "transfer/secondary.h"
#include <stddef.h>

enum { NOTE_SIZE = 48 };

struct secondary_note {
    uint32_t serial;
    struct secondary_timers timers;
    usec_t confirmed; /* monotonic, of the boot boot_id */
    uint64_t boot_id;
    usec_t wall; /* the same moment, since 1970 */
};

void note_encode(const struct secondary_note *n, uint8_t ret[static NOTE_SIZE]);
/* ERR_MAGIC, ERR_TRUNCATED. */
must_check int note_decode(const uint8_t *data, size_t size, struct secondary_note *ret);
/* How long ago that was. Across a boot only the wall clock can say; one that went back says 0. */
pure_function usec_t note_age(const struct secondary_note *n, usec_t now, uint64_t boot_id,
                              usec_t wall);
