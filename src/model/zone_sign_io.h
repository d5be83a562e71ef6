/* Signing on all cores. */
#pragma once

#include "model/zone_sign.h"

/* A zone_sign_spread: in threads that yield to answers and probes (L7; seam/thread.h). */
void zone_sign_threads(void (*task)(void *context, unsigned i), void *context, unsigned count);
