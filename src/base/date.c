#include "base/date.h"

#include "base/invariant.h"

/* Years begin in March here, so that the leap day is a year's last. Then 400 years have 146097
 * days, always, and the lengths of months repeat every five (153 days). H. Hinnant, "chrono-
 * compatible low-level date algorithms". */
enum { ERA_YEARS = 400, ERA_DAYS = 146097, MARCH_0000_TO_1970 = 719468 };

struct date date_of(int64_t seconds)
{
    int64_t days = seconds / DAY_SECONDS, rest = seconds % DAY_SECONDS;
    if (rest < 0) {
        rest += DAY_SECONDS;
        days--;
    }
    int64_t from_march = days + MARCH_0000_TO_1970;
    invariant(from_march >= 0);
    unsigned era = (unsigned)(from_march / ERA_DAYS), in_era = (unsigned)(from_march % ERA_DAYS);
    unsigned year = (in_era - in_era / 1460 + in_era / 36524 - in_era / 146096) / 365;
    unsigned in_year = in_era - (365 * year + year / 4 - year / 100);
    unsigned month = (5 * in_year + 2) / 153; /* 0: March */
    bool next = month >= 10;                  /* January and February */
    invariant(era < 10000 / ERA_YEARS);
    return (struct date){.year = (int)(era * ERA_YEARS + year + next),
                         .month = next ? month - 9 : month + 3,
                         .day = in_year - (153 * month + 2) / 5 + 1,
                         .hour = (unsigned)rest / 3600,
                         .minute = (unsigned)rest / 60 % 60,
                         .second = (unsigned)rest % 60};
}

int64_t date_seconds(const struct date *d)
{
    int64_t year = d->month > 2 ? d->year : d->year - 1;
    int64_t month = d->month > 2 ? d->month - 3 : d->month + 9;
    int64_t days = 365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 +
                   d->day - 1 - MARCH_0000_TO_1970;
    return days * DAY_SECONDS + d->hour * 3600 + d->minute * 60 + d->second;
}

bool date_exists(const struct date *d)
{
    static const uint8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = d->year % 4 == 0 && (d->year % 100 != 0 || d->year % 400 == 0);
    return d->year > 0 && d->year <= 9999 && d->month >= 1 && d->month <= 12 && d->day >= 1 &&
           d->day <= lengths[d->month - 1] + (unsigned)(d->month == 2 && leap) && d->hour < 24 &&
           d->minute < 60 && d->second <= 60;
}
