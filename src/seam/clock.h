/* The clocks. A process reads `clock_now` once an event and hands it on as `now` (base/time.h). */
#pragma once

#include "base/time.h"

/* CLOCK_BOOTTIME: since the machine started, sleep included; no step of the wall clock moves it. */
usec_t clock_now(void);

/* Since 1970, UTC: for log lines, HTTP dates and certificates only, never for a decision. */
usec_t clock_wall(void);

/* A number that is the same until the machine restarts, so that times of clock_now() kept in a file
 * can be told from those of an earlier boot. 0 where the kernel does not say. */
uint64_t clock_boot_id(void);
