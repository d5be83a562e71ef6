/* The computed TTL: how long an answer is known to hold.
 *
 * The server knows the earliest moment at which an answer could change: thresholds x intervals,
 * hold-downs, velocity windows. A longer TTL would outlive the truth, a shorter one costs
 * queries. */
#pragma once

#include "decide/face.h"

/* Time until the answers of the face could change at the earliest, once its members and mode are
 * settled; USEC_NEVER where nothing can change them. */
usec_t ttl_change_us(const struct face *f);

/* Whole seconds, never more than `change_us` but where ttl_min asks for more. */
uint32_t ttl_seconds(usec_t change_us, uint32_t ttl_min, uint32_t ttl_max);
