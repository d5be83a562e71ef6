/* Law L3: what would take a third or more of something away is refused until it is confirmed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { SHRINK_HANDFUL = 5 }; /* of which each may go without being asked about */

static inline bool shrink_is_large(uint64_t lost, uint64_t total)
{
    return total > SHRINK_HANDFUL && lost * 3 >= total;
}
