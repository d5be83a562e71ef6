/* What came from a primary becomes what the node holds: in a worker thread. */
#pragma once

#include "base/text.h"
#include "model/zonemd.h"
#include "transfer/inbound.h"
#include "transfer/note.h"

struct fetched {
    /* what is known before; the caller's */
    const char *data, *zone; /* the node's folder; the zone's name as in the configuration */
    const struct inbound *in;
    uint64_t served; /* the compiled file in service; 0 = none */
    bool accept_shrink;
    enum zonemd_use zonemd;
    struct secondary_note note; /* all but serial and timers */
    /* what became of it */
    enum secondary_fetched how;
    uint32_t serial;
    struct secondary_timers timers;
    unsigned lost, total; /* SECONDARY_SHRUNK: names */
    struct text problems;
};

/* Checks it as the zone that it would be, and puts it on the disk, whole or not at all (L2, L3). */
void fetched_take(struct fetched *f);
