#include "prog/restart.h"

void restart_began(struct restart *r, usec_t now)
{
    r->started = now;
}

usec_t restart_delay(struct restart *r, usec_t now, struct random *random)
{
    if (now - r->started >= RESTART_SETTLED_MS * USEC_PER_MSEC)
        r->attempts = 0;
    unsigned shift = r->attempts < 10 ? r->attempts : 10;
    usec_t delay = (usec_t)RESTART_FIRST_MS << shift;
    r->attempts++;
    if (delay > RESTART_MAX_MS)
        delay = RESTART_MAX_MS;
    delay *= USEC_PER_MSEC;
    return delay / 2 + random_below(random, (uint32_t)(delay / 2) + 1);
}
