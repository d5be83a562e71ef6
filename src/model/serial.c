#include "model/serial.h"
#include "base/invariant.h"
#include "wire/serial.h"

enum { DAY_S = 86400, DATE_VERSIONS = 100 };

/* Days since 1970 as YYYYMMDD in the calendar that is in use. Years begin in March here, so that
 * the leap day is a year's last: 400 of them have 146097 days, and the months' lengths repeat every
 * five (153 days). */
static uint32_t date_of(int64_t days)
{
    int64_t from_march_0000 = days + 719468;
    int64_t era = from_march_0000 / 146097, day = from_march_0000 % 146097;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    int64_t month = (5 * day + 2) / 153; /* 0: March */
    day -= (153 * month + 2) / 5;
    month = month < 10 ? month + 3 : month - 9;
    year += era * 400 + (month <= 2);
    return (uint32_t)(year * 10000 + month * 100 + day + 1);
}

/* What a version made now has by the policy, were there none before. */
static uint32_t serial_fresh(const struct serial_facts *f)
{
    switch (f->policy) {
    case SERIAL_UNIXTIME:
        return (uint32_t)f->wall;
    case SERIAL_DATE:
        return date_of(f->wall > 0 ? f->wall / DAY_S : 0) * DATE_VERSIONS;
    case SERIAL_FILE:
    case SERIAL_INCREMENT:
        break;
    }
    return f->text;
}

uint32_t serial_next(const struct serial_facts *f)
{
    uint32_t fresh = serial_fresh(f);
    if (!f->served)
        return fresh;
    bool edited = f->policy == SERIAL_FILE && serial_newer(f->text, f->last);
    if (!f->changed && !edited)
        return f->last;
    if (f->policy != SERIAL_INCREMENT && serial_newer(fresh, f->last))
        return fresh;
    uint32_t next = f->last + 1 ? f->last + 1 : 1;
    invariant(serial_newer(next, f->last));
    return next;
}
