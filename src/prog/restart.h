/* When a role that died is started again: at once at first, then at a walk (L7). */
#pragma once

#include "base/attr.h"
#include "base/random.h"
#include "base/time.h"

enum {
    RESTART_FIRST_MS = 20,
    RESTART_MAX_MS = 5000,
    RESTART_SETTLED_MS = 10000, /* a role that lived this long starts from the beginning again */
};

struct restart {
    unsigned attempts; /* deaths in a row without settling */
    usec_t started;    /* when the role was last started */
};

void restart_began(struct restart *r, usec_t now);

/* The role died now: how long to wait before starting it again. Doubles from RESTART_FIRST_MS to
 * RESTART_MAX_MS; half of it is random, so that roles of many nodes do not come back in step. */
must_check usec_t restart_delay(struct restart *r, usec_t now, struct random *random);
