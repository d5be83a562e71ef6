/* From the folder of plans to what the workers share. */
#pragma once

#include "serve/dns/served.h"
#include "serve/dns/trust_io.h"

struct stats_thread;

enum { PLANS_REFUSED_MAX = 16 };

struct plans {
    const char *data;
    struct stats_thread *stats;
    struct served_source source;
    struct trust trust;
    bool answering; /* while a plan is built: another one is served meanwhile */
    /* The small file that was given last: whether it is right is told next. */
    uint64_t copied_hash; /* 0 = none, or no zone */
    struct disk_identity copied;
    int64_t copied_ns; /* wall clock */
    /* Plans that were refused are told and counted once, not at every look; the oldest is
     * forgotten. */
    uint64_t refused[PLANS_REFUSED_MAX];
    unsigned refused_next;
};

/* `p` must stay where it is while a `served` made with it lives. 0, or a negated errno. */
must_check int plans_open(struct plans *p, const char *data, struct stats_thread *stats);
/* Every `served` was freed. */
void plans_close(struct plans *p);

/* The newest plan above the one that is served (`current`, may be NULL) which passes every check of
 * the receiver; a newer one that does not pass is counted and logged, and an older one may still
 * serve. Where none passes, the newest in which nothing but zones' files is wrong, with those zones
 * as they were, or dark (served_build_lacking). Where `current` is such a one, its own plan again
 * once it lacks less. ERR_MISSING where there is none. */
must_check int plans_next(struct plans *p, const struct served *current, struct served **ret);
void plans_free(struct served *s);
