/* What operators tell people about what is wrong, and about work that is planned: an object
 * `incident` of the intent. Words and fields are those of the Statuspage API, version 2; times are
 * milliseconds since 1970.
 *
 *   {"title": "Errors in us-east-1", "status": "identified", "impact": "major",
 *    "components": ["region:us-east-1", "service:api.example.com"], "created_ms": ...,
 *    "started_ms": ..., "monitoring_ms": ..., "resolved_ms": ...,
 *    "updates": [{"status": "investigating", "body": "...", "at_ms": ...}]}
 *
 * Maintenance has "scheduled_for_ms" and "scheduled_until_ms" as well, and statuses of its own:
 *
 *   investigating, identified, monitoring (to and fro) --> resolved --> postmortem
 *   scheduled --> in_progress <--> verifying --> completed (from each of them)
 *
 * Invariants: times that did not come yet are not there; an incident has "resolved_ms" where it is
 * over, and only there; the newest update has its status. */
#pragma once

#include "base/attr.h"
#include "model/intent.h"
#include <jansson.h>

enum {
    INCIDENTS_MAX = 100, /* the oldest that is over makes room for a new one */
    INCIDENT_UPDATES_MAX = 50,
    INCIDENT_COMPONENTS_MAX = 50,
    INCIDENT_TITLE_MAX = 200, /* bytes */
    INCIDENT_BODY_MAX = 2000,
};

enum incident_status {
    INCIDENT_INVESTIGATING,
    INCIDENT_IDENTIFIED,
    INCIDENT_MONITORING,
    INCIDENT_RESOLVED,
    INCIDENT_POSTMORTEM,
    INCIDENT_SCHEDULED, /* from here on: of maintenance */
    INCIDENT_IN_PROGRESS,
    INCIDENT_VERIFYING,
    INCIDENT_COMPLETED,
};
enum { INCIDENT_STATUSES = 9 };
enum incident_impact {
    IMPACT_NONE,
    IMPACT_MINOR,
    IMPACT_MAJOR,
    IMPACT_CRITICAL,
};
enum { INCIDENT_IMPACTS = 4 };
const_function const char *incident_status_name(enum incident_status status);
const_function const char *incident_impact_name(enum incident_impact impact);
/* By that name (or NULL): 0 or ERR_INVALID. */
must_check int incident_status_parse(const char *name, enum incident_status *ret);
must_check int incident_impact_parse(const char *name, enum incident_impact *ret);
const_function bool incident_status_is_maintenance(enum incident_status status);
/* Resolved, postmortem or completed. */
const_function bool incident_status_is_over(enum incident_status status);
/* May the one become the other? Every status may stay. */
const_function bool incident_may_become(enum incident_status from, enum incident_status to);
/* "it may become identified, monitoring or resolved"; nothing where it is the end. */
void incident_may_become_append(enum incident_status from, struct text *out);

struct incident {
    char *title;
    enum incident_status status;
    enum incident_impact impact;
    int64_t created_ms, started_ms, monitoring_ms, resolved_ms; /* 0 = not yet, or not known */
    int64_t scheduled_for_ms, scheduled_until_ms;               /* 0 = it is no maintenance */
    struct intent_names components; /* "service:NAME", or a scope as in intent_scope_holds() */
    struct incident_update {
        enum incident_status status;
        int64_t at_ms;
        char *body;
    } * updates; /* the oldest first; at least one */
    uint32_t update_count;
};

/* NULL, and *ret_why is a sentence's end (static). */
struct incident *incident_decode(const json_t *value, const char **ret_why);
void incident_free(struct incident *i); /* NULL is fine */

/* What is wrong with the name of a component, as a sentence's end; NULL: nothing. */
const char *incident_component_check(const char *name);
/* The incident that was over first, of all that are over; NULL: all go on. */
const struct intent_object *incident_oldest_over(const struct intent *intent);
/* For whoever cannot read the intent: those that are not over, each with its newest update alone. A
 * JSON text, {"incidents": [{"name": "...", "value": {...}}]}; free(). */
must_check char *incidents_encode(const struct intent *intent) __attribute__((returns_nonnull));
/* Are they the same objects in `b`? */
pure_function bool incidents_alike(const struct intent *a, const struct intent *b);

/* incident_io.c: that text as DATA/run/incidents, written by control when they changed and read by
 * status, explain and metrics, with control dead too. 0 or a negated errno: then go on without
 * (L1). */
must_check int incidents_write(const char *data, const struct intent *intent);

struct incident_list {
    struct incident_named {
        char *name;
        struct incident *incident;
    } * list;
    uint32_t count;
};
/* ERR_MISSING; ERR_SYNTAX, ERR_INVALID; or a negated errno. Free with incidents_done. */
must_check int incidents_read(const char *data, struct incident_list *ret);
void incidents_done(struct incident_list *list);
