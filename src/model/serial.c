#include "model/serial.h"
#include "base/date.h"
#include "base/invariant.h"
#include "wire/serial.h"

enum { DATE_VERSIONS = 100 };

/* YYYYMMDD */
static uint32_t day_number(int64_t seconds)
{
    struct date d = date_of(seconds > 0 ? seconds : 0);
    return (uint32_t)d.year * 10000 + d.month * 100 + d.day;
}

/* What a version made now has by the policy, were there none before. */
static uint32_t serial_fresh(const struct serial_facts *f)
{
    switch (f->policy) {
    case SERIAL_UNIXTIME:
        return (uint32_t)f->wall;
    case SERIAL_DATE:
        return day_number(f->wall) * DATE_VERSIONS;
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
