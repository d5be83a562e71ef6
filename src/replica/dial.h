/* When to connect to another node: full jitter between attempts (sleep = random(0, min(cap, base *
 * 2^attempt))), and a budget for all of them together (L7). Pure. */
#pragma once

#include "base/random.h"
#include "base/time.h"
#include <stdbool.h>

#define DIAL_BASE  (100 * USEC_PER_MSEC)
#define DIAL_CAP   (5 * USEC_PER_SEC)
#define DIAL_YIELD (3 * USEC_PER_SEC) /* the node with the higher number waits for the other's */
enum { DIAL_BUDGET = 20, DIAL_BUDGET_PER_S = 5 }; /* attempts at once; more come back slowly */

struct dial {
    unsigned attempt; /* since the link was up */
    usec_t due;
};

struct dial_budget {
    usec_t filled; /* when it was last filled */
    double tokens;
};

/* The link went down, or was never there; first: this side has the lower number. */
void dial_begin(struct dial *d, bool first, usec_t now, struct random *random);
/* May it be tried now? Takes from the budget. */
bool dial_take(struct dial *d, struct dial_budget *budget, usec_t now);
/* An attempt failed. */
void dial_failed(struct dial *d, usec_t now, struct random *random);
