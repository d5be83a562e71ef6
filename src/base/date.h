/* Dates of the Gregorian calendar, in UTC, as people and protocols write them. */
#pragma once

#include "base/attr.h"
#include <stdbool.h>
#include <stdint.h>

enum { DAY_SECONDS = 24 * 60 * 60 };

struct date {
    int year;
    unsigned month, day;           /* 1 to 12, 1 to 31 */
    unsigned hour, minute, second; /* second: 60 in a leap second */
};

/* Of seconds since the start of 1970, before which they are negative. Years 0 to 9999. */
struct date date_of(int64_t seconds);

/* The inverse, for a date that exists; a leap second is the first second of the next minute. */
pure_function int64_t date_seconds(const struct date *d);

/* There is such a day, and the clock shows such a time. */
pure_function bool date_exists(const struct date *d);
