/* `holdfast zone import` into the running node, in control's worker thread: what a zone that
 * updates change is to hold from now on, whole. It becomes one change of its journal, like an
 * update. */
#pragma once

#include "base/text.h"
#include "command/command_io.h"
#include "prog/load_zone.h"

enum { IMPORTS_MAX = 4, IMPORT_LINES_MAX = 2000 /* of the difference, that are shown */ };

/* One import on its way. */
struct import_work {
    struct import_work *next;
    struct command_reply_to *to;
    char *zone, *author; /* owned */
    uint8_t *bytes;      /* owned: a list of records (model/zone_held.h) */
    size_t size;
    bool may_shrink; /* L3: the zone may lose a third */
    bool dry_run;    /* nothing is written */

    /* The worker's. */
    int err;
    struct text message; /* what is told whoever asked */
    bool applied;        /* the zone was changed, and that is on the disk */
    uint32_t from, serial;
    unsigned removed, added;
};

/* Takes over nothing but what it copies. */
struct import_work *import_new(const char *zone, const char *author, struct command_reply_to *to)
    __attribute__((returns_nonnull));
void import_free(struct import_work *w);

/* Does it; `o` says which zone, what was served of it, and where everything lies. wall: seconds
 * since 1970, for the serial. */
void import_run(struct import_work *w, const struct zone_order *o, int64_t wall);
