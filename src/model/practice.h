/* Practice runs: shifts on a schedule, which prove while all is well that the rest can do without a
 * region (Route 53 ARC's zonal autoshift). The value of an object of the intent, named by the scope
 * that is practised, such as "region:us-east-1":
 *
 *   {"first_ms": 1767225600000, "every_ms": 604800000, "for_ms": 1800000,
 *    "allowed": ["Mon-Fri 09:00-17:00"], "blocked": ["2026-12-20/2027-01-05"],
 *    "blocking": ["api.example.com"], "outcome": ["api.example.com"],
 *    "runs": [{"slot_ms": ..., "started_ms": ..., "ends_ms": ..., "outcome": "SUCCEEDED",
 *              "why": "..."}]}
 *
 * Times are UTC. A window is days of the week ("Sat", "Mon-Fri", "Fri-Mon"), hours ("22:00-06:00"),
 * both, or dates ("2026-12-24", "2026-12-20/2027-01-05"; both included). "blocking" and "outcome"
 * name services: where one of the first is unwell no run begins, and a run under way is
 * interrupted; where one of the second is, the run has failed. All but first_ms may be left out. */
#pragma once

#include "model/intent.h"
#include <jansson.h>

enum {
    PRACTICE_WINDOWS_MAX = 32,
    PRACTICE_SERVICES_MAX = 100,
    PRACTICE_RUNS_MAX = 10, /* that are remembered, the newest last */
    PRACTICE_WHY_MAX = 300, /* bytes */
};
#define PRACTICE_EVERY_DEFAULT_MS (INT64_C(7) * 24 * 3600 * 1000)
#define PRACTICE_EVERY_MIN_MS     INT64_C(10000)
#define PRACTICE_FOR_DEFAULT_MS   (INT64_C(30) * 60 * 1000)
#define PRACTICE_FOR_MIN_MS       INT64_C(1000)

/* Names are AWS's: "PENDING" while it is under way. */
enum practice_outcome {
    PRACTICE_PENDING,
    PRACTICE_SUCCEEDED,
    PRACTICE_INTERRUPTED,
    PRACTICE_FAILED,
    PRACTICE_CAPACITY_CHECK_FAILED,
};
enum { PRACTICE_OUTCOMES = 5 };
const_function const char *practice_outcome_name(enum practice_outcome outcome);

struct practice_window {
    bool dates;            /* else days and hours of every week */
    int64_t from, to;      /* dates: days since 1970, both included */
    uint8_t days;          /* bits, 1 << day; Monday is 0 */
    uint16_t begins, ends; /* minutes of a day; begins > ends: over midnight; equal: all of it */
};

struct practice_run {
    int64_t slot_ms; /* when it was due */
    int64_t started_ms, ends_ms;
    enum practice_outcome outcome;
};

struct practice {
    int64_t first_ms, every_ms, for_ms;
    struct practice_window allowed[PRACTICE_WINDOWS_MAX], blocked[PRACTICE_WINDOWS_MAX];
    unsigned allowed_count, blocked_count; /* allowed: none = always */
    struct intent_names blocking, outcome; /* services */
    struct practice_run last;              /* slot_ms 0: there was none */
};

/* NULL, and *ret_why is a sentence's end (static). */
struct practice *practice_decode(const json_t *value, const char **ret_why);
void practice_free(struct practice *p); /* NULL is fine */
/* Does this moment lie in the window? */
pure_function bool practice_window_holds(const struct practice_window *w, int64_t wall_ms);

/* What a run is judged by; sentences go to `why`. */
struct practice_world {
    void *context;
    /* Is the service unwell? One that nobody knows is. */
    bool (*unwell)(void *context, const char *service, struct text *why);
    /* Could the rest not do without this scope? */
    bool (*short_of)(void *context, const char *scope, struct text *why);
};

/* What is to be done about one practice now. */
enum practice_do { PRACTICE_NOTHING, PRACTICE_BEGIN, PRACTICE_END, PRACTICE_NOTE };
struct practice_move {
    enum practice_do what;      /* BEGIN: a shift is made; END: it is ended; NOTE: neither */
    struct practice_run run;    /* as it is then */
    char why[PRACTICE_WHY_MAX]; /* "" = nothing to say */
};
/* Pure: `object` is a practice of `intent`. An operator's shift comes first: none is begun beside
 * one, and a run under way gives way to it. */
void practice_step(const struct intent *intent, const struct intent_object *object,
                   const struct practice_world *world, int64_t wall_ms, struct practice_move *ret);
/* The two edits (one for NOTE) that carry the move out; intent_edits_free(). */
unsigned practice_edits(const struct intent_object *object, const struct practice_move *move,
                        struct intent_edit **ret);
