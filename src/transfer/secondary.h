/* When a zone that other name servers keep is asked for, and of whom (RFC 1034 4.3.5, RFC 1996). A
 * step machine for all such zones of a node: time and what happened come in, questions go out.
 * Nothing here knows a socket or a clock.
 *
 *               notify, refresh, retry
 *   RESTING ----------------------------> WAITING --slot free--> ASKING --newer--> FETCHING
 *      ^                                    |  (no content yet: FETCHING at once)     |
 *      |<--nothing newer; content taken-----+------------------------------------<----|
 *      |<--every primary failed: retry------+--------- the next primary <-------------|
 *
 *  1. One question of a zone is under way at most; a NOTIFY meanwhile is remembered once.
 *  2. Not more than SECONDARY_SLOTS transfers and SECONDARY_ASKS questions are under way at once;
 *     zones wait in turn (L7). Every time is drawn with jitter, failures wait longer and longer.
 *  3. Content is past its time when no primary confirmed it for as long as its SOA's expire says.
 *     What that means is for others (the zone's `expire`); the machine tells, once each way.
 *  4. A NOTIFY that nobody signed though the primary has a key is a hint: anybody may have sent it.
 *     Hints begin a round once in SECONDARY_HINT_S at most, and none is lost.
 *  5. Content that was refused (L3) is not fetched again for the same serial, until accepted; a
 *     primary that offers it counts as one that was reached, so that a refusal cannot let the zone
 *     run out. */
#pragma once

#include "base/attr.h"
#include "base/random.h"
#include "base/time.h"
#include <stdbool.h>
#include <stdint.h>

enum {
    SECONDARY_SLOTS = 16, /* transfers */
    SECONDARY_ASKS = 128, /* questions for a serial: each costs a socket, and a primary that is gone
                             takes seconds to be given up */
    SECONDARY_REFRESH_MIN_S = 2, /* whatever the SOA says */
    SECONDARY_RETRY_MIN_S = 1,
    SECONDARY_HINT_S = 1,
    SECONDARY_PRIMARIES_MAX = 16,
    SECONDARY_WAIT_MAX_S = 14 * 86400,
    SECONDARY_EMPTY_MAX_S = 600, /* between attempts for a zone that has no content yet */
};

/* Of the SOA that is held, in seconds. */
struct secondary_timers {
    uint32_t refresh, retry, expire;
};

enum secondary_state {
    SECONDARY_RESTING,
    SECONDARY_WAITING,
    SECONDARY_ASKING,
    SECONDARY_FETCHING,
};

/* What a zone is at; read it, change it through the functions only. */
struct secondary_zone {
    uint32_t primaries; /* > 0 */
    enum secondary_state state;
    uint32_t primary; /* asked now, or the one that answered last */
    uint32_t tried;   /* primaries in this round that failed */
    bool notified;    /* again, once what is under way has ended */
    bool hinted;      /* the same, but not before hint_from */
    uint32_t hint;    /* the primary that it is said to come from */
    usec_t hint_from;
    bool asked;        /* this primary: over TCP from now on */
    uint32_t straight; /* bits of the primaries that are not asked for the serial before: TLS */
    bool whole;        /* AXFR: IXFR did not fit */
    bool has_content, expired;
    bool has_refused, accepting;
    uint32_t serial, refused;
    struct secondary_timers timers;
    unsigned failures; /* rounds in a row */
    usec_t confirmed;  /* when a primary last had nothing newer */
    usec_t due;        /* RESTING: the next round */
};

/* What to do. */
struct secondary_order {
    uint32_t zone, primary;
    enum { SECONDARY_ASK, SECONDARY_FETCH } what;
    bool incremental; /* IXFR from `serial` */
    bool accepting;   /* content that shrinks may be taken */
    uint32_t serial;
};

struct secondary;
struct secondary *secondary_new(uint32_t zone_count, uint64_t seed)
    __attribute__((returns_nonnull));
void secondary_free(struct secondary *s);

/* A zone that has no content: asked for at once. straight: as in struct secondary_zone. */
void secondary_add(struct secondary *s, uint32_t zone, uint32_t primaries, uint32_t straight,
                   usec_t now);
/* It has content, last confirmed `age` ago: from the disk, at the start. */
void secondary_resume(struct secondary *s, uint32_t zone, uint32_t serial,
                      struct secondary_timers timers, usec_t age, usec_t now);
/* All that is known of a zone goes on under another number (a reload); what was under way is
 * forgotten. */
void secondary_carry(struct secondary *s, uint32_t zone, const struct secondary_zone *old,
                     usec_t now);
pure_function const struct secondary_zone *secondary_zone(const struct secondary *s, uint32_t zone);

/* A primary says that the zone changed; has_serial: to this one. False: nothing new. */
bool secondary_notify(struct secondary *s, uint32_t zone, uint32_t primary, bool has_serial,
                      uint32_t serial, usec_t now);
/* The same, from somebody who may be the primary, or not. */
bool secondary_hint(struct secondary *s, uint32_t zone, uint32_t primary, bool has_serial,
                    uint32_t serial, usec_t now);
/* The next content may lose a third of what is held; it is fetched at once. */
void secondary_accept(struct secondary *s, uint32_t zone, usec_t now);

/* How questions ended. The serial of the answer, or that there was none of use. */
void secondary_asked(struct secondary *s, uint32_t zone, bool answered, uint32_t serial,
                     usec_t now);
enum secondary_fetched {
    SECONDARY_FAILED, /* nothing came, or nothing of use */
    SECONDARY_UNFIT,  /* differences could not be had, or do not fit: the whole is wanted */
    SECONDARY_SAME,   /* the primary has nothing newer; serial: what it has */
    SECONDARY_SHRUNK, /* refused (L3); serial: of what was refused */
    SECONDARY_TAKEN,  /* new content with this serial and these timers */
};
void secondary_fetched(struct secondary *s, uint32_t zone, enum secondary_fetched how,
                       uint32_t serial, const struct secondary_timers *timers, usec_t now);

/* The next question that may begin now; false: none. Call it until it says so, on a beat and after
 * each event. */
bool secondary_next(struct secondary *s, usec_t now, struct secondary_order *ret);
/* The next zone whose content passed its time, or came back: *ret_expired says which. */
bool secondary_turned(struct secondary *s, usec_t now, uint32_t *ret_zone, bool *ret_expired);
