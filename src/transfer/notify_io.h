/* Sends NOTIFY messages from a libuv loop, again until they are answered or given up. */
#pragma once

#include "model/access.h"
#include <uv.h>

struct notifier;
must_check int notifier_new(uv_loop_t *loop, uint64_t seed, struct notifier **ret);

/* A zone and its serial as it is served now. */
struct notify_zone {
    const struct config_zone *zone;
    uint32_t serial;
};
/* Whom the zones are to be told to: each whose serial is another than it was last told gets a
 * message. Who is not named any more is forgotten. keys may be NULL where there are none. All is
 * copied. */
void notifier_update(struct notifier *n, const struct config *config,
                     const struct notify_zone *zones, uint32_t count, const struct access *keys);
