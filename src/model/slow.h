/* Slow failures: what is measured of a target over minutes and days, beside its verdict.
 * decide/slow.h measures it. */
#pragma once

#include "base/time.h"
#include <stdbool.h>
#include <stdint.h>

struct slow_fact {
    uint32_t tries, failures;          /* this node's samples that counted; wrap */
    uint32_t p50_us, p99_us, usual_us; /* this node's, of the last minute; 0 = not known */
    bool lossy;                        /* more probes are lost than chance explains */
    uint64_t lossy_from;               /* the vantages that lose them, as bits of struct plan's
                                          vantages; 0: all of them do */
    uint32_t loss_ppm;                 /* lossy: of their probes since it began */
    usec_t lossy_since;
};
