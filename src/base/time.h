/* Time inside the program: microseconds in 64 signed bits.
 *
 * `usec_t now` is always the monotonic clock that also counts sleep (CLOCK_BOOTTIME): a step of the
 * wall clock can change no decision. Wall time appears in logs, HTTP dates and certificate expiry
 * only, and is then called `wall`. */
#pragma once

#include <stdint.h>

typedef int64_t usec_t;

#define USEC_PER_MSEC ((usec_t)1000)
#define USEC_PER_SEC  ((usec_t)1000000)
#define USEC_PER_MIN  (60 * USEC_PER_SEC)
#define USEC_PER_HOUR (60 * USEC_PER_MIN)
#define USEC_PER_DAY  (24 * USEC_PER_HOUR)
#define USEC_NEVER    INT64_MAX
