/* Signing on all cores. */
#pragma once

#include "model/zone_sign.h"

enum { ZONE_SIGN_THREADS_MAX = 8 };

/* A zone_sign_spread: as many threads as the process has cores, ZONE_SIGN_THREADS_MAX at most, at
 * the lowest priority, so that answers and probes do not wait for a zone that is being signed (L7).
 * Where no thread can be made, the caller does all of it. */
void zone_sign_threads(void (*task)(void *context, unsigned i), void *context, unsigned count);
