#include "replica/dial.h"

#include <stdint.h>

static usec_t jitter(unsigned attempt, struct random *random)
{
    usec_t most = attempt < 16 ? DIAL_BASE << attempt : DIAL_CAP;
    if (most > DIAL_CAP)
        most = DIAL_CAP;
    return (usec_t)(random_u64(random) % (uint64_t)(most + 1));
}

void dial_begin(struct dial *d, bool first, usec_t now, struct random *random)
{
    d->attempt = 0;
    d->due = now + (first ? 0 : DIAL_YIELD) + jitter(0, random);
}

bool dial_take(struct dial *d, struct dial_budget *budget, usec_t now)
{
    if (now < d->due)
        return false;
    double passed = (double)(now - budget->filled) / USEC_PER_SEC;
    budget->tokens += budget->filled ? passed * DIAL_BUDGET_PER_S : DIAL_BUDGET;
    if (budget->tokens > DIAL_BUDGET)
        budget->tokens = DIAL_BUDGET;
    budget->filled = now;
    if (budget->tokens < 1)
        return false;
    budget->tokens -= 1;
    d->due = USEC_NEVER; /* until it has failed, or the link is down again */
    return true;
}

void dial_failed(struct dial *d, usec_t now, struct random *random)
{
    if (d->attempt < 16)
        d->attempt++;
    d->due = now + jitter(d->attempt, random);
}
